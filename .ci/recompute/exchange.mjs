// What both sides of a ceremony need: messages, sessions and signatures, with
// the scure and noble libraries.

import { schnorr, secp256k1 } from '@noble/curves/secp256k1.js';
import { IndividualPubkey, Session, keyAggExport, keyAggregate, nonceGen, sortKeys } from '@scure/btc-signer/musig2.js';
import { readCeremony, writeCeremony } from './ceremony.mjs';
import { hex, isPoint, join, unhex } from './noise.mjs';
import { Fault } from './reader.mjs';
import { flat } from './view.mjs';

export const order = schnorr.Point.Fn.ORDER;
export const reasons = ['', 'refused', 'busy', 'unknown-ceremony', 'unexpected', 'parameters', 'shape', 'keys', 'amounts', 'cover', 'nonces',
  'partial-signature', 'signature', 'deadline', 'recorded', 'chain', 'restart', 'internal'];

// reasonOf maps a rule to the reason of an abort.
const ruleReasons = {
  parameters: ['TREE-001', 'TREE-002', 'TREE-003', 'DELAY-004', 'DELAY-005'],
  shape: ['TREE-010', 'TREE-011', 'TREE-014'],
  keys: ['SCRIPT-003', 'SCRIPT-006', 'CER-011', 'CER-014', 'CER-047'],
  nonces: ['CER-015', 'CER-020', 'SIGN-004', 'SIGN-006'],
  'partial-signature': ['CER-016', 'SIGN-005', 'SIGN-008'],
  signature: ['CER-022', 'SIGN-007'],
  recorded: ['DELAY-001', 'DELAY-002', 'PS-002', 'PS-011', 'POI-005', 'POI-006', 'POI-009'],
  chain: ['DELAY-006', 'DELAY-007', 'CER-044', 'PS-004', 'POI-008'],
  refused: ['CER-032', 'CER-041', 'POI-002'],
  busy: ['CER-006'],
  unexpected: ['CER-007'],
  'unknown-ceremony': ['CER-004'],
};
export const reasonOf = (rule) => Object.keys(ruleReasons).find((r) => ruleReasons[r].includes(rule)) ?? 'amounts';

export class Mismatch extends Error {}
export const same = (what, got, want) => {
  const [a, b] = [JSON.stringify(got), JSON.stringify(want)];
  if (a !== b) throw new Mismatch(`${what} is ${a?.slice(0, 300)}, the file says ${b?.slice(0, 300)}`);
};
export const no = (rule, field) => { throw new Fault('refused', field, undefined, rule); };

// Coding of messages.
export class Coder {
  constructor(layouts) { this.layouts = layouts; }

  // check compares bytes and records of a message, and returns it flat.
  check(said) {
    const layout = this.layouts.find((l) => l.name === said.name);
    const got = readCeremony(layout, unhex(said.bytes));
    same(`records of ${said.name}`, sorted(got.records), sorted(said.records));
    same(`${said.name} written again`, writeCeremony(layout, said), said.bytes);
    return flat(said);
  }

  // bytes writes a message from flat values.
  bytes(m) {
    const layout = this.layouts.find((l) => l.name === m.name);
    const records = {};
    for (const { name } of layout.records) if (m[name] !== undefined) records[name] = { [name]: m[name] };
    return writeCeremony(layout, { records });
  }
}

export const sorted = (o) => (o && typeof o === 'object' && !Array.isArray(o)
  ? Object.fromEntries(Object.entries(o).sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [k, sorted(v)])) : o);

const aggregated = new Map();

// signing is a BIP-327 session of a slot.
export function signing(view, tx, aggregate) {
  const { keys, root } = view.sessionOf(tx);
  const id = [...keys, root].map(hex).join();
  if (!aggregated.has(id)) {
    const sortedKeys = sortKeys(keys);
    const tweak = schnorr.utils.taggedHash('TapTweak', join(keyAggExport(keyAggregate(sortedKeys)), root));
    aggregated.set(id, { sortedKeys, tweak });
  }
  const { sortedKeys, tweak } = aggregated.get(id);
  const session = aggregate && new Session(aggregate, sortedKeys, unhex(tx.sighash), [tweak], [true]);
  return { keys: sortedKeys, output: outputKey(tx), session, place: (key) => sortedKeys.findIndex((k) => hex(k) === key) };
}

// outputKey is the key of the taproot output that a transaction spends.
const outputKey = (tx) => tx.spent.script.slice(4);

const halves = (b) => [b.slice(0, 33), b.slice(33)];
export const nonceOK = (n) => halves(unhex(n)).every(isPoint);
export const aggregateOK = (n) => halves(unhex(n)).every((h) => isPoint(h) || h.every((x) => x === 0));

// ownNonces are what NonceGen gives with the randomness of a step.
export function ownNonces(view, slots, secret, randomness) {
  return slots.map((tx) => nonceGen(IndividualPubkey(secret), secret, unhex(outputKey(tx)), unhex(tx.sighash), undefined, unhex(randomness)));
}

// checkSignatures checks all complete signatures of a phase.
export function checkSignatures(view, { slots, channels }, m, lspKeys) {
  if (m.signatures.length !== slots.length) no('CER-022', 'signatures');
  slots.forEach((tx, i) => {
    if (!verifies(() => schnorr.verify(unhex(m.signatures[i]), unhex(tx.sighash), unhex(outputKey(tx))))) no('CER-022', 'signatures');
  });
  if (m.channel_signatures.length !== channels.length) no('CER-022', 'channel_signatures');
  channels.forEach((tx, i) => {
    const key = lspKeys(tx);
    if (!verifies(() => secp256k1.verify(unhex(m.channel_signatures[i]), unhex(tx.sighash), unhex(key), { prehash: false, lowS: true }))) {
      no('SIGN-007', 'channel_signatures');
    }
  });
}

const verifies = (f) => { try { return f(); } catch { return false; } };

// keysOf are the secret keys of a party for an attempt.
export const keysOf = (v, party, id) => v.keys.find((k) => k.party === party && k.ceremony_id === id) ?? {};
