// Ceremony messages (SPEC.md 5.2) on top of the reader of records.

import { Fault, Reader, decoded, unsigned, writeRecords, writeSigned } from './reader.mjs';

const largest = 65491; // bytes of a piggyback payload, SPEC.md 3.4

// readCeremony reads a payload with the records of a layout. What every
// payload has is checked before the records are known.
export function readCeremony(layout, bytes) {
  if (bytes.length < 2) throw new Fault('truncated', 'type', undefined, 'PCF-041');
  if (Number(unsigned(bytes.slice(0, 2))) !== layout.type) throw new Error(`not a ${layout.name}`);
  frame(bytes);
  const r = new Reader(bytes.slice(2), 2);
  try {
    return decoded({}, r.stream(layout.records));
  } catch (e) {
    if (!(e instanceof Fault)) throw e;
    if (e.kind === 'wrong-length') throw new Fault(e.kind, e.record, undefined, 'CER-001');
    throw e;
  }
}

function frame(bytes) {
  try {
    new Reader(bytes.slice(2), 2).plain();
  } catch (e) {
    throw e instanceof Fault ? new Fault(e.kind, e.field, undefined, 'PCF-044') : e;
  }
}

export function writeCeremony(layout, v) {
  const out = writeSigned(BigInt(layout.type), 2) + writeRecords(layout, v);
  if (out.length / 2 > largest) throw new Fault('too-long', 'factory_piggyback_payload', undefined, 'CER-027');
  return out;
}
