// A reader of Lightning messages and TLV streams, driven by the layouts that
// the schemas of kinds message and tlv carry under "x-layouts". Written from
// BOLT 1 and SPEC.md; it shares nothing with the Go code.

import { hex, isPoint } from './noise.mjs';

// Fault is why bytes cannot be read.
export class Fault extends Error {
  constructor(kind, field, offset, rule) {
    super(`${kind} at ${field}, byte ${offset} (${rule})`);
    Object.assign(this, { kind, field, offset, rule });
  }
}

const fixedSizes = {
  byte: 1, u16: 2, u32: 4, u64: 8, s64: 8, short_channel_id: 8,
  channel_id: 32, sha256: 32, chain_hash: 32, point: 33, signature: 64,
};

// number is an integer as the files write it: a number below 2^53 in absolute
// value, else a decimal string.
export function number(v) {
  const limit = 1n << 53n;
  return v < limit && v > -limit ? Number(v) : v.toString();
}

export function unsigned(b) {
  return b.length === 0 ? 0n : BigInt('0x' + hex(b));
}

export function signed(b) {
  return BigInt.asIntN(8 * b.length, unsigned(b));
}

export function writeSigned(v, width) {
  const digits = BigInt.asUintN(8 * width, v).toString(16).padStart(2 * width, '0');
  return digits;
}

// writeBigSize returns hexadecimal digits.
export function writeBigSize(v) {
  if (v < 0xfdn) return v.toString(16).padStart(2, '0');
  if (v < 1n << 16n) return 'fd' + v.toString(16).padStart(4, '0');
  if (v < 1n << 32n) return 'fe' + v.toString(16).padStart(8, '0');
  return 'ff' + v.toString(16).padStart(16, '0');
}

// writeStream writes records {type, value} in the order of their types.
export function writeStream(records) {
  const sorted = records.map((r) => [BigInt(r.type), r.value]).sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
  for (let i = 1; i < sorted.length; i++) {
    if (sorted[i][0] === sorted[i - 1][0]) throw new Fault('order', `record ${sorted[i][0]}`, undefined, 'TRN-039');
  }
  return sorted.map(([t, v]) => writeBigSize(t) + writeBigSize(BigInt(v.length / 2)) + v).join('');
}

// Reader walks over bytes; base is the offset of the first one.
export class Reader {
  constructor(bytes, base = 0, inRecord = false) {
    Object.assign(this, { bytes, base, inRecord, at: 0 });
  }

  get left() { return this.bytes.length - this.at; }
  get offset() { return this.base + this.at; }

  take(n, field) {
    if (this.left < n) {
      if (this.inRecord) throw new Fault('wrong-length', field, this.offset, 'TRN-035');
      throw new Fault('truncated', field, this.offset, 'TRN-043');
    }
    this.at += n;
    return this.bytes.slice(this.at - n, this.at);
  }

  bigsize(field) {
    const start = this.offset;
    const early = () => new Fault('truncated', field, undefined, 'TRN-032');
    if (this.left === 0) throw early();
    const first = this.bytes[this.at++];
    if (first < 0xfd) return BigInt(first);
    const n = 2 ** (first - 0xfc);
    if (this.left < n) throw early();
    const v = unsigned(this.take(n, field));
    if (v < [0xfdn, 1n << 16n, 1n << 32n][first - 0xfd]) throw new Fault('not-minimal', field, start, 'TRN-031');
    return v;
  }

  // value reads one field in the form it has in a file.
  value(f) {
    const start = this.offset;
    switch (f.type) {
      case 'byte': case 'u16': case 'u32': case 'u64':
        return number(unsigned(this.take(fixedSizes[f.type], f.name)));
      case 's64':
        return number(signed(this.take(8, f.name)));
      case 'tu32': case 'tu64': {
        if (this.left > (f.type === 'tu32' ? 4 : 8)) return undefined; // bytes stay over: too long
        const b = this.take(this.left, f.name);
        if (b.length > 0 && b[0] === 0) throw new Fault('not-minimal', f.name, start, 'TRN-036');
        return number(unsigned(b));
      }
      case 'short_channel_id': {
        const v = unsigned(this.take(8, f.name));
        return `${v >> 40n}x${(v >> 16n) & 0xffffffn}x${v & 0xffffn}`;
      }
      case 'point': {
        const p = this.take(33, f.name);
        if (!isPoint(p)) throw new Fault('bad-point', f.name, start, 'TRN-040');
        return hex(p);
      }
      case 'u16*byte':
        return hex(this.take(Number(unsigned(this.take(2, f.length))), f.name));
      case 'u16*signature': {
        const n = Number(unsigned(this.take(2, f.length)));
        return Array.from({ length: n }, () => hex(this.take(64, f.item)));
      }
      case '...*byte':
        return hex(this.take(this.left, f.name));
      case '...*u64':
        return this.list(() => number(unsigned(this.take(8, f.item))));
      case '...*struct':
        return this.list(() => Object.fromEntries(f.fields.map((part) => [part.name, this.value(part)])));
    }
    if (f.type.startsWith('...*')) return this.list(() => hex(this.take(itemSize(f), f.item)));
    return hex(this.take(sizeOf(f), f.name));
  }

  // list reads elements to the end.
  list(one) {
    const out = [];
    while (this.left > 0) out.push(one());
    return out;
  }

  // header reads type and length of a record, whose types have to increase.
  header(last, nameOf) {
    const start = this.offset;
    const type = this.bigsize('tlv type');
    const name = nameOf(type);
    if (last !== undefined && type <= last) throw new Fault('order', name, start, 'TRN-033');
    const length = this.bigsize(`length of ${name}`);
    if (length > BigInt(this.left)) throw new Fault('truncated', name, this.offset, 'TRN-034');
    const body = new Reader(this.bytes.slice(this.at, this.at + Number(length)), this.offset, true);
    this.at += Number(length);
    return { start, type, name, body };
  }

  // plain reads the rest as records of any type.
  plain() {
    const out = [];
    for (let last; this.left > 0; ) {
      const { type, body } = this.header(last, (t) => `record ${t}`);
      out.push({ type: number(type), value: hex(body.bytes) });
      last = type;
    }
    return out;
  }

  // stream reads the rest as a tlv_stream with the records of a layout.
  stream(layouts = []) {
    const known = new Map(layouts.map((r) => [BigInt(r.type), r]));
    const records = {}, unknown = [];
    for (let last; this.left > 0; ) {
      const { start, type, name, body } = this.header(last, (t) => known.get(t)?.name ?? `record ${t}`);
      last = type;
      const layout = known.get(type);
      if (layout) records[name] = inRecord(name, () => record(layout, body));
      else if (type % 2n === 0n) throw new Fault('unknown-even', name, start, 'TRN-037');
      else unknown.push({ type: number(type), value: hex(body.bytes) });
    }
    for (const r of layouts) {
      if (r.required && !(r.name in records)) throw new Fault('missing', r.name, undefined, r.required);
    }
    return { records, unknown };
  }
}

// inRecord notes in which record a fault is.
function inRecord(name, read) {
  try {
    return read();
  } catch (e) {
    if (e instanceof Fault) e.record = name;
    throw e;
  }
}

function record(layout, body) {
  if (layout.multiple && body.left % itemSize(layout.fields[0]) !== 0) throw new Fault('wrong-length', layout.name, body.offset, layout.multiple);
  const out = {};
  for (const f of layout.fields) out[f.name] = body.value(f);
  if (body.left > 0) throw new Fault('wrong-length', layout.name, body.offset, 'TRN-035');
  return out;
}

// decoded brings what was read into the form of a vector.
export function decoded(fields, { records = {}, unknown = [] } = {}) {
  const out = {};
  if (Object.keys(fields).length > 0) out.fields = fields;
  if (Object.keys(records).length > 0) out.records = records;
  if (unknown.length > 0) out.unknown_records = unknown;
  return out;
}

// readNamespace reads a whole stream.
export function readNamespace(layout, bytes) {
  return decoded({}, new Reader(bytes).stream(layout.records));
}

// readMessage reads a whole message; envelope is the type of factory messages.
export function readMessage(layouts, bytes, envelope) {
  if (bytes.length < 2) throw new Fault('truncated', 'type', 0, 'TRN-023');
  const r = new Reader(bytes);
  const layout = find(layouts, r, envelope);
  const fields = {};
  for (const f of layout.fields ?? []) fields[f.name] = r.value(f);
  return { message: layout.name, ...decoded(fields, layout.opaque ? {} : r.stream(layout.records)) };
}

// find reads type and, in the envelope, submessage id.
function find(layouts, r, envelope) {
  const type = Number(unsigned(r.take(2, 'type')));
  if (type !== envelope) {
    return layouts.find((l) => l.type === type && l.type !== 32800) ?? layouts.find((l) => l.name === 'unknown');
  }
  if (r.left < 2) throw new Fault('truncated', 'factory_submessage_id', r.offset, 'PCF-010');
  const sub = Number(unsigned(r.take(2, 'factory_submessage_id')));
  const layout = layouts.find((l) => l.submessage === sub);
  if (layout) return layout;
  r.at -= 2; // the id of an unknown one is a field
  return layouts.find((l) => l.name === 'factory_message');
}

// nameOf names the message that bytes begin, as far as they say.
export function nameOf(layouts, bytes, envelope) {
  if (bytes.length < 2) return 'unknown';
  try {
    return find(layouts, new Reader(bytes), envelope).name;
  } catch {
    return 'factory_message'; // the submessage id is cut
  }
}

// fieldOffset returns where a field of fixed size begins in a message that has
// only such fields, undefined for a record.
export function fieldOffset(layout, name) {
  let at = 2;
  for (const f of layout.fields) {
    if (f.name === name) return at;
    at += sizeOf(f);
  }
  return undefined;
}

const sizeOf = (f) => fixedSizes[f.type] ?? Number(/^(\d+)\*byte$/.exec(f.type)[1]);

// itemSize is the size of one element of a list that takes all that is left.
function itemSize(f) {
  const type = f.type.slice('...*'.length);
  return type === 'struct' ? f.fields.reduce((sum, part) => sum + sizeOf(part), 0) : sizeOf({ type });
}

// writeMessage puts the type (and submessage id) and what readMessage gave
// together again.
export function writeMessage(layouts, v, envelope) {
  const layout = layouts.find((l) => l.name === v.message);
  const u16 = (n) => n.toString(16).padStart(4, '0');
  let out = u16(layout.type === 32800 ? envelope : layout.type);
  if (layout.submessage) out += u16(layout.submessage);
  for (const f of layout.fields ?? []) out += writeField(f, v.fields[f.name]);
  return out + writeRecords(layout, v);
}

// writeRecords writes the records of a message.
export function writeRecords(layout, v) {
  const records = Object.entries(v.records ?? {}).map(([name, fields]) => {
    const r = layout.records.find((l) => l.name === name);
    return { type: r.type, value: r.fields.map((f) => writeField(f, fields[f.name])).join('') };
  });
  return writeStream([...records, ...(v.unknown_records ?? [])]);
}

function writeField(f, v) {
  const sized = (n) => n.toString(16).padStart(4, '0');
  switch (f.type) {
    case 'byte': case 'u16': case 'u32': case 'u64': case 's64':
      return writeSigned(BigInt(v), fixedSizes[f.type]);
    case 'short_channel_id': {
      const [block, tx, output] = v.split('x').map(BigInt);
      return writeSigned((block << 40n) | (tx << 16n) | output, 8);
    }
    case 'u16*byte': return sized(v.length / 2) + v;
    case 'u16*signature': return sized(v.length) + v.join('');
    case '...*u64': return v.map((x) => writeSigned(BigInt(x), 8)).join('');
    case '...*struct': return v.map((x) => f.fields.map((part) => writeField(part, x[part.name])).join('')).join('');
  }
  return Array.isArray(v) ? v.join('') : v;
}
