// Recomputes every vector from the JSON files alone:
//
//     npm ci && node recompute.mjs ../../vectors [KIND...]
//
// With kinds it looks at those alone.
// It prints `KIND: recomputed N of M` and exits 1 when a vector does not come
// out as its file says, or a kind was not recomputed at all.

import { readFileSync, readdirSync } from 'node:fs';
import { basename, join as path } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { chacha20 } from '@noble/ciphers/chacha.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { Cipher, Handshake, Refused, encrypt, hex, join, publicKey, unhex } from './noise.mjs';
import { readCeremony, writeCeremony } from './ceremony.mjs';
import { attempt as attempted } from './attempt.mjs';
import { batch } from './batch.mjs';
import { commitment, revocation } from './commitment.mjs';
import { htlcExpiry } from './expiry.mjs';
import { conversation } from './conversation.mjs';
import { Mismatch } from './exchange.mjs';
import { history } from './history.mjs';
import { delays, limits, split } from './limits.mjs';
import { decide } from './open.mjs';
import { opening } from './opening.mjs';
import { place } from './place.mjs';
import { purchase } from './purchase.mjs';
import { record, session } from './session.mjs';
import { nodeKeysOf, outputOf } from './scripts.mjs';
import { talk } from './talk.mjs';
import { tree } from './tree.mjs';
import {
  Fault, Reader, nameOf, number, readMessage, readNamespace, signed, unsigned, writeBigSize, writeMessage, writeSigned, writeStream,
} from './reader.mjs';

const folder = process.argv[2] ?? '../../vectors';
const only = process.argv.slice(3);
const load = (p) => JSON.parse(readFileSync(path(folder, p), 'utf8'));
const layouts = load('schema/message.json')['x-layouts'];
const ceremonies = load('schema/ceremony_message.json')['x-layouts'];
const namespaces = load('schema/tlv.json')['x-layouts'];

function same(what, got, want) {
  if (!isDeepStrictEqual(got, want)) throw new Mismatch(`${what} is ${JSON.stringify(got)}, the file says ${JSON.stringify(want)}`);
}

// attempt runs f. For a bad vector f has to fail as the file says; its rule is
// compared when the failure knows one. Returns the result of a good vector.
function attempt(v, f, { guilty = 'sender' } = {}) {
  let result;
  try {
    result = f();
  } catch (e) {
    if (!(e instanceof Fault || e instanceof Refused)) throw e;
    if (!v.error) throw new Mismatch(`fails with ${e.message}, the file calls it good`);
    same('kind', e.kind, v.error.kind);
    same('field', e.field, v.error.field);
    same('offset', e.offset, v.error.offset);
    if (e.rule) same('rule', e.rule, v.error.rule);
    same('guilty', e.signers ? 'signer' : guilty, v.error.guilty);
    same('signers', e.signers, v.error.signers);
    return undefined;
  }
  if (v.error) throw new Mismatch(`succeeds, the file says ${v.error.kind} at ${v.error.field}`);
  return result;
}

function handshake(v) {
  const side = new Handshake(v.role, unhex(v.local_key), unhex(v.ephemeral_key), unhex(v.remote_id ?? ''));
  same('local_id', hex(publicKey(unhex(v.local_key))), v.local_id);
  same('ephemeral_id', hex(publicKey(unhex(v.ephemeral_key))), v.ephemeral_id);
  attempt(v, () => {
    for (const a of v.acts) {
      if (a.from === v.role) same(`act ${a.act}`, hex(side.make(a.act)), a.bytes);
      else side.act(a.act, unhex(a.bytes));
      if (a.intermediates) same(`intermediates of act ${a.act}`, side.inner[a.act], a.intermediates);
    }
    same('ck', hex(side.ck), v.ck);
    same('sending_key', hex(side.sending), v.sending_key);
    same('receiving_key', hex(side.receiving), v.receiving_key);
  }, { guilty: v.acts.at(-1).from });
}

// connected runs the handshake of a transport vector and returns the sender.
function connected(v) {
  const key = (name) => unhex(v[name]);
  const b = new Handshake('responder', key('responder_key'), key('responder_ephemeral'));
  const a = new Handshake('initiator', key('initiator_key'), key('initiator_ephemeral'), publicKey(key('responder_key')));
  b.act(1, a.make(1));
  a.act(2, b.make(2));
  b.act(3, a.make(3));
  same('ck', hex(a.ck), v.ck);
  same('the other side', hex(b.receiving), hex(a.sending));
  return v.from === 'initiator' ? a : b;
}

function transport(v) {
  const side = connected(v);
  same('sending_key', hex(side.sending), v.sending_key);
  const send = new Cipher(side.ck, side.sending), receive = new Cipher(side.ck, side.sending);
  const plain = unhex(v.plaintext);
  for (let i = 0; i < v.index; i++) same(`message ${i}`, hex(receive.open(send.seal(plain))), v.plaintext);
  same('rotations', send.rotations, v.rotations ?? []);
  const read = attempt(v, () => receive.open(unhex(v.frame)));
  if (!v.error) {
    same('plaintext', hex(read), v.plaintext);
    same('frame', hex(send.seal(plain)), v.frame);
  }
  if (v.name === 'transport-own-not-rotated') notRotated(v, plain);
}

// notRotated checks that the frame is what its name says.
function notRotated(v, plain) {
  const seal = (n, b) => encrypt(unhex(v.sending_key), n, new Uint8Array(0), b);
  const frame = join(seal(2 * v.index, Uint8Array.of(0, plain.length)), seal(2 * v.index + 1, plain));
  same('frame', hex(frame), v.frame);
}

function bigsize(v) {
  if (v.op === 'encode') return same('bytes', writeBigSize(BigInt(v.value)), v.bytes);
  const r = new Reader(unhex(v.bytes));
  const got = attempt(v, () => number(r.bigsize('value')));
  if (!v.error) {
    same('value', got, v.value);
    same('bytes left', r.left, 0);
  }
}

function tlv(v) {
  if (v.op === 'encode') return same('bytes', attempt(v, () => writeStream(v.input)), v.bytes);
  const meant = v.namespace === 'any' ? namespaces : namespaces.filter((n) => n.name === v.namespace);
  if (meant.length === 0) throw new Mismatch(`there is no namespace ${v.namespace}`);
  for (const l of meant) {
    const got = attempt(v, () => readNamespace(l, unhex(v.bytes)));
    if (!v.error) same(`namespace ${l.name}`, got, parts(v));
  }
}

// parts are the outputs of a vector that was decoded.
function parts({ fields, records, unknown_records }) {
  return JSON.parse(JSON.stringify({ fields, records, unknown_records }));
}

function signedInteger(v) {
  const r = new Reader(unhex(v.bytes), 0, true);
  const got = attempt(v, () => {
    const b = r.take(v.width, 'value');
    if (r.left > 0) throw new Fault('wrong-length', 'record', r.offset, 'TRN-035');
    return number(signed(b));
  });
  if (v.error) return;
  same('value', got, v.value);
  same('bytes', writeSigned(BigInt(v.value), v.width), v.bytes);
}

function message(v) {
  const envelope = v.envelope ?? 32800;
  const got = attempt(v, () => readMessage(layouts, unhex(v.bytes), envelope));
  if (v.error) return same('message', nameOf(layouts, unhex(v.bytes), envelope), v.message);
  same('decoded', got, { message: v.message, ...parts(v) });
  if (layouts.find((l) => l.name === v.message).opaque) return;
  same('written again', writeMessage(layouts, v, envelope), v.bytes);
}

function payload(v) {
  const got = attempt(v, () => {
    const b = unhex(v.bytes);
    if (b.length < 2) throw new Fault('truncated', 'type', 0, 'PCF-041');
    try {
      return { type: Number(unsigned(b.slice(0, 2))), records: new Reader(b.slice(2), 2).plain() };
    } catch (e) {
      if (e instanceof Fault) e.rule = 'PCF-044'; // one requirement for all of them
      throw e;
    }
  });
  if (v.error) return;
  same('decoded', got, { type: v.type, records: v.records ?? [] });
  same('written again', writeSigned(BigInt(v.type), 2) + writeStream(v.records ?? []), v.bytes);
}

function protocolID(v) {
  same('protocol_id', hex(sha256(Uint8Array.from(Buffer.from(v.protocol, 'ascii')))), v.protocol_id);
}

function openDecision(v) {
  same('decision', attempt(v, () => decide(layouts, v)), v.decision);
}

function openingMessage(v) {
  same('decision', attempt(v, () => opening(layouts, v), { guilty: v.op === 'take-open' || v.op === 'say-open' ? 'lsp' : 'client' }), v.decision);
}

function outOfPlace(v) {
  const guilty = told.get(v.in)?.party === 'lsp' ? 'client' : 'lsp';
  same('reaction', attempt(v, () => place(v, layouts, told), { guilty }), v.reaction);
}

function purchased(v) {
  const got = attempt(v, () => purchase(v), { guilty: 'lsp' });
  if (v.error) return;
  for (const [name, value] of Object.entries(got)) same(name, value, v[name]);
}

// ownExit compares a height with that of a client's own way out, and what it has with its
// cover (CHG-029).
function ownExit(v) {
  const last = delays(v.parameters, v.shape).exit_height + v.parameters.confirm_blocks;
  const has = v.channels.reduce((n, c) => n + c.own_msat + c.incoming_msat, 0);
  same('waits', attempt(v, () => {
    if (v.height >= last && has > 1000 * v.cover) throw new Fault('leaves', 'channels', undefined, 'CHG-029');
    return true;
  }, { guilty: 'lsp' }), v.waits);
}

// exposed adds up what is in flight towards a client in the channels of one factory, and what
// its way out costs it: with coins for that there is no limit (CHAN-012).
function exposed(v) {
  const needed = [...v.path_vbytes, v.claim_vbytes].reduce((n, vb) => n + Math.ceil((vb * v.feerate_per_kvb) / 1000), 0);
  const { factory, amount_msat: amount } = { ...v.htlc, factory: v.channels[v.htlc.channel].factory };
  const towards = v.channels.filter((c) => c.factory === factory).flatMap((c) => c.incoming_msat).reduce((n, x) => n + x, amount);
  same('kept', attempt(v, () => {
    if (v.coins < needed && towards > Math.floor((v.cover * 1000) / 10)) throw new Fault('failed', 'amount_msat', undefined, 'CHAN-012');
    return true;
  }, { guilty: 'lsp' }), v.kept);
}

// relayedError adds a layer to an error that goes back (BOLT 4).
function relayedError(v) {
  const key = hmac(sha256, Uint8Array.from(Buffer.from('ammag', 'ascii')), unhex(v.shared_secret));
  const right = hex(chacha20(key, new Uint8Array(12), unhex(v.reason)));
  same('relayed', attempt(v, () => {
    if (v.claim !== undefined && v.claim !== right) throw new Fault('wrong-reason', 'reason', undefined, 'CHAN-017');
    return right;
  }, { guilty: 'lsp' }), v.relayed);
}

function ceremonyMessage(v) {
  const layout = ceremonies.find((l) => l.name === v.message);
  if (v.op === 'encode') return same('bytes', attempt(v, () => writeCeremony(layout, v)), v.bytes);
  const got = attempt(v, () => readCeremony(layout, unhex(v.bytes)));
  if (v.error) return;
  same('decoded', got, parts(v));
  same('written again', writeCeremony(layout, v), v.bytes);
}

// script recomputes an output; a bad vector has another script.
function script(v) {
  const keys = [...(v.factory_keys ?? []), v.lsp_factory_key];
  if (new Set(keys).size !== keys.length) throw new Fault('refused', 'factory_keys', undefined, 'SCRIPT-006');
  const right = outputOf(v);
  if (v.error && v.script && v.script !== right.script) throw new Fault('wrong-script', 'script', undefined, undefined);
  return right;
}

// results compares everything that f computes with the outputs of a vector.
const results = (f) => (v) => {
  const got = attempt(v, () => f(v));
  if (v.error) return;
  for (const [name, value] of Object.entries(got)) same(name, value, v[name]);
};

const kinds = {
  handshake, transport, bigsize, tlv, signed: signedInteger, message, payload, protocol_id: protocolID, open_decision: openDecision,
  parameters: results(limits), split: results(split), tree: results(tree), history: results(history),
  record: results(record), session: results(session), node_keys: results(nodeKeysOf), script: results(script),
  attempt: (v) => attempt(v, () => attempted(layouts, v)), opening: openingMessage, relayed_error: relayedError, own_exit: ownExit, exposure: exposed, purchase: purchased, out_of_place: outOfPlace, ceremony_message: ceremonyMessage, batch: results((v) => batch(v, layouts)), channel_conversation: (v) => talk(v, layouts, told),
  commitment: results(commitment), revocation: results(revocation), htlc_expiry: results(htlcExpiry), conversation: (v) => conversation(v, ceremonies, told),
};

// told are all conversations by name: some go on where another one ended.
const told = new Map();

const areas = ['trn', 'pcf', 'tree', 'script', 'delay', 'sign', 'cer', 'poi', 'ps', 'chan'];
for (const area of areas) {
  for (const name of readdirSync(path(folder, area))) {
    if (name.endsWith('conversation.json')) for (const v of load(`${area}/${name}`).vectors) told.set(v.name, v);
  }
}

let failed = false;
const done = Object.fromEntries(Object.keys(kinds).map((k) => [k, [0, 0]]));
for (const area of areas) {
  for (const name of readdirSync(path(folder, area)).sort()) {
    const file = load(`${area}/${name}`);
    if (only.length && !only.includes(file.kind)) continue;
    const run = kinds[file.kind];
    if (!run || `${file.kind}.json` !== basename(name)) {
      console.log(`${area}/${name}: kind ${file.kind} is not known here`);
      failed = true;
      continue;
    }
    for (const v of file.vectors) {
      done[file.kind][1]++;
      try {
        run(v);
        done[file.kind][0]++;
      } catch (e) {
        failed = true;
        console.log(`${v.name}: ${e instanceof Mismatch ? e.message : e.stack}`);
      }
    }
  }
}
for (const [kind, [n, m]] of Object.entries(done)) {
  if (only.length && !only.includes(kind)) continue;
  console.log(`${kind}: recomputed ${n} of ${m}`);
  if (n === 0) failed = true;
}
process.exit(failed ? 1 : 0);
