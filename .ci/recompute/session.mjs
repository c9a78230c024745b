// MuSig2 sessions with the scure library, and record and refuse (SPEC.md 5.1
// and 7.2).

import { schnorr } from '@noble/curves/secp256k1.js';
import { IndividualPubkey, Session, keyAggExport, keyAggregate, nonceAggregate, nonceGen, sortKeys } from '@scure/btc-signer/musig2.js';
import { hex, isPoint, join, unhex } from './noise.mjs';
import { Fault } from './reader.mjs';

const order = schnorr.Point.Fn.ORDER;

const wrong = (kind, field, rule, signers) => { throw Object.assign(new Fault(kind, field, undefined, rule), { signers }); };

const zeros = (b) => b.every((x) => x === 0);
const halves = (b) => [b.slice(0, 33), b.slice(33)];

// session judges a session vector and, for a good one, signs it again.
export function session(v) {
  const publics = v.secret_keys.map((k) => IndividualPubkey(unhex(k)));
  const sorted = sortKeys(publics);
  const internal = keyAggExport(keyAggregate(sorted));
  const tweak = schnorr.utils.taggedHash('TapTweak', join(internal, unhex(v.merkle_root ?? '')));
  const output = keyAggExport(keyAggregate(sorted, [tweak], [true]));
  const message = unhex(v.message);
  const nonces = v.public_nonces.map(unhex), aggregate = unhex(v.aggregate_nonce);
  nonces.forEach((n, i) => { if (n.length !== 66 || !halves(n).every(isPoint)) wrong('bad-nonce', 'public_nonces', 'SIGN-004', [i]); });
  if (!halves(aggregate).every((h) => zeros(h) || isPoint(h))) wrong('bad-aggregate-nonce', 'aggregate_nonce', 'SIGN-004');
  if (hex(nonceAggregate(nonces)) !== v.aggregate_nonce) throw new Error('the aggregate nonce is not the sum');
  const s = new Session(aggregate, sorted, message, [tweak], [true]);
  const place = (i) => sorted.findIndex((k) => hex(k) === hex(publics[i]));
  const inOrder = (list) => publics.reduce((out, _, i) => { out[place(i)] = list[i]; return out; }, []);
  const partials = v.partial_signatures.map(unhex);
  partials.forEach((p, i) => { if (BigInt('0x' + hex(p)) >= order) wrong('out-of-range', 'partial_signatures', 'SIGN-005', [i]); });
  const guilty = partials.flatMap((p, i) => (s.partialSigVerify(p, inOrder(nonces), place(i)) ? [] : [i]));
  if (guilty.length > 0) wrong('wrong-partial', 'partial_signatures', 'SIGN-008', guilty);
  const signature = s.partialSigAgg(inOrder(partials));
  if (!schnorr.verify(signature, message, output)) throw new Error('the complete signature is wrong');
  const made = v.secret_keys.map((k, i) => nonceGen(publics[i], unhex(k), output, message, undefined, unhex(v.randomness[i])));
  return {
    output_key: hex(output), signature: hex(signature), public_nonces: made.map((n) => hex(n.public)),
    partial_signatures: made.map((n, i) => hex(s.sign(n.secret, unhex(v.secret_keys[i])))),
  };
}

// record decides, entry by entry, what a node signs.
export function record(v) {
  const signed = [];
  v.entries.forEach((e, i) => {
    const refuse = (rule, field) => {
      if (i !== v.entries.length - 1) throw new Error(`entry ${i} is refused by ${rule}`);
      throw new Fault('refused', field, undefined, rule);
    };
    if (e.kind === 'state' && e.sequence > 0xffff) refuse('DELAY-001', 'sequence');
    const before = signed.filter((x) => x.txid === e.txid && x.output === e.output && x.kind === e.kind);
    if (before.some((x) => x.sighash === e.sighash && x.sequence === e.sequence)) return;
    if (e.kind !== 'state' && before.length > 0) refuse('PS-011', 'sighash');
    if (before.some((x) => x.sequence <= e.sequence)) refuse('DELAY-002', 'sequence');
    signed.push(e);
  });
  return { recorded: signed.length };
}
