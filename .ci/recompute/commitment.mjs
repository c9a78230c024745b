// Commitment and HTLC transactions, signatures and per-commitment secrets of
// BOLT 3 (SPEC.md 8.2), with the noble and scure libraries.

import { secp256k1 } from '@noble/curves/secp256k1.js';
import { ripemd160 } from '@noble/hashes/legacy.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { RawTx, Script, Transaction, p2wsh } from '@scure/btc-signer';
import { hex, join, publicKey, unhex } from './noise.mjs';
import { Fault } from './reader.mjs';

const Point = secp256k1.Point, Fn = Point.Fn;
const big = BigInt;
const number = (b) => big('0x' + hex(b));
const hash160 = (b) => ripemd160(sha256(b));
const min = (a, b) => (a < b ? a : b);

// Keys of one commitment (BOLT 3, "Key Derivation").
const point = (b) => Point.fromHex(hex(b));
const compressed = (p) => p.toBytes(true);
const tweak = (a, b) => Fn.create(number(sha256(join(a, b))));
const derive = (base, per) => compressed(point(base).add(Point.BASE.multiply(tweak(per, base))));
const deriveSecret = (secret, per) => Fn.toBytes(Fn.create(number(secret) + tweak(per, publicKey(secret))));
const revocationKey = (base, per) => compressed(point(base).multiply(tweak(base, per)).add(point(per).multiply(tweak(per, base))));

function keysOf(v, own, other) {
  const per = unhex(v.per_commitment_point);
  return {
    revocation: revocationKey(unhex(other.revocation_basepoint), per),
    delayed: derive(unhex(own.delayed_payment_basepoint), per),
    mine: derive(publicKey(unhex(own.htlc_basepoint_secret)), per),
    theirs: derive(publicKey(unhex(other.htlc_basepoint_secret)), per),
    theirSecret: deriveSecret(unhex(other.htlc_basepoint_secret), per),
    remote: unhex(other.payment_basepoint),
  };
}

// Scripts.
const delayedScript = (k, delay) => Script.encode(['IF', k.revocation, 'ELSE', delay, 'CHECKSEQUENCEVERIFY', 'DROP', k.delayed, 'ENDIF', 'CHECKSIG']);
const remoteScript = (key) => Script.encode([key, 'CHECKSIGVERIFY', 1, 'CHECKSEQUENCEVERIFY']);
const anchorScript = (key) => Script.encode([key, 'CHECKSIG', 'IFDUP', 'NOTIF', 16, 'CHECKSEQUENCEVERIFY', 'ENDIF']);

function htlcScript(anchors, k, offered, h) {
  const head = ['DUP', 'HASH160', hash160(k.revocation), 'EQUAL', 'IF', 'CHECKSIG', 'ELSE', k.theirs, 'SWAP', 'SIZE', 32, 'EQUAL'];
  const preimage = ['HASH160', ripemd160(unhex(h.payment_hash)), 'EQUALVERIFY'];
  const both = [2, 'SWAP', k.mine, 2, 'CHECKMULTISIG'];
  const ways = offered ? ['NOTIF', 'DROP', ...both, 'ELSE', ...preimage, 'CHECKSIG']
    : ['IF', ...preimage, ...both, 'ELSE', 'DROP', h.cltv_expiry, 'CHECKLOCKTIMEVERIFY', 'DROP', 'CHECKSIG'];
  return Script.encode([...head, ...ways, 'ENDIF', ...(anchors ? [1, 'CHECKSEQUENCEVERIFY', 'DROP'] : []), 'ENDIF']);
}

function fundingScript(v) {
  const keys = [v.opener, v.accepter].map((s) => publicKey(unhex(s.funding_privkey)));
  return Script.encode([2, ...keys.sort((a, b) => Buffer.compare(a, b)), 2, 'CHECKMULTISIG']);
}

const wrapped = (script) => p2wsh({ type: 'unknown', script }).script;

// outputsOf makes the outputs of BOLT 3, "Commitment Transaction Construction".
function outputsOf(v, k) {
  const anchors = v.channel_type === 'option_anchors', dust = big(v.dust_limit_satoshis);
  const outs = [];
  const add = (value, script, witness, htlc, kind) => outs.push({ value, script: witness ? wrapped(witness) : script, witness, htlc, kind });
  for (const h of v.htlcs ?? []) {
    const value = big(h.amount_msat) / 1000n;
    if (value >= dust) add(value, undefined, htlcScript(anchors, k, h.offered_by === v.owner, h), h);
  }
  const weight = 1124n + 172n * big(outs.length), untrimmed = outs.length > 0;
  const cost = anchors ? big(v.feerate_per_kw) * weight / 1000n + 660n : 0n;
  const balance = { opener: big(v.opener_msat) / 1000n - cost, accepter: big(v.accepter_msat) / 1000n };
  if (balance.opener < 0n) balance.opener = 0n;
  const other = v.owner === 'opener' ? 'accepter' : 'opener';
  const local = balance[v.owner] >= dust, remote = balance[other] >= dust;
  if (local) add(balance[v.owner], undefined, delayedScript(k, v.to_self_delay));
  if (remote) {
    if (anchors) add(balance[other], undefined, remoteScript(k.remote));
    else add(balance[other], Script.encode([0, hash160(k.remote)]));
  }
  if (anchors) {
    if (local || untrimmed) add(330n, undefined, anchorScript(publicKey(unhex(v[v.owner].funding_privkey))), undefined, 'anchor');
    if (remote || untrimmed) add(330n, undefined, anchorScript(publicKey(unhex(v[other].funding_privkey))), undefined, 'anchor');
  } else {
    const left = outs.reduce((n, o) => n - o.value, big(v.funding_satoshis));
    add(min(left, 240n), unhex('51024e73'));
  }
  return outs.sort((a, b) => Number(a.value - b.value) || Buffer.compare(a.script, b.script)
    || (a.htlc?.cltv_expiry ?? 0) - (b.htlc?.cltv_expiry ?? 0));
}

function encode(version, lockTime, outpoint, sequence, outputs, witness) {
  return RawTx.encode({
    version, segwitFlag: witness !== undefined, lockTime,
    inputs: [{ txid: Uint8Array.from(outpoint.txid).reverse(), index: outpoint.index, finalScriptSig: new Uint8Array(0), sequence }],
    outputs: outputs.map((o) => ({ amount: o.value, script: o.script })),
    ...(witness ? { witnesses: [witness] } : {}),
  });
}

function sighash(bytes, script, type, value) {
  const tx = Transaction.fromRaw(bytes, { allowUnknownInputs: true, allowUnknownOutputs: true, disableScriptCheck: true, allowUnknown: true });
  return tx.preimageWitnessV0(0, script, type, value);
}

const sign = (hash, key) => secp256k1.sign(hash, key, { prehash: false, lowS: true });

function check(sig, hash, key, field) {
  let parsed;
  try {
    parsed = secp256k1.Signature.fromBytes(unhex(sig), 'compact');
  } catch {
    throw new Fault('wrong-signature', field);
  }
  if (parsed.hasHighS()) throw new Fault('high-s', field);
  if (!secp256k1.verify(unhex(sig), hash, key, { prehash: false, lowS: false })) throw new Fault('wrong-signature', field);
}

const der = (sig, type) => join(secp256k1.Signature.fromBytes(sig, 'compact').toBytes('der'), Uint8Array.of(type));

// unsigned is the commitment transaction of a vector.
export function unsigned(v) {
  const version = v.channel_type === 'option_anchors' ? 2 : 3;
  const other = v[v.owner === 'opener' ? 'accepter' : 'opener'], own = v[v.owner];
  const k = keysOf(v, own, other), outs = outputsOf(v, k);
  const obscurer = number(sha256(join(unhex(v.opener.payment_basepoint), unhex(v.accepter.payment_basepoint))).slice(26));
  const obscured = big(v.commitment_number) ^ obscurer;
  const lockTime = Number(0x20000000n | (obscured & 0xffffffn)), sequence = Number(0x80000000n | (obscured >> 24n));
  const outpoint = { txid: unhex(v.funding_txid), index: v.funding_output };
  const tx = encode(version, lockTime, outpoint, sequence, outs);
  return { version, other, own, k, outs, lockTime, sequence, outpoint, tx, txid: hex(sha256(sha256(tx))) };
}

// penalty is what the side that is not the owner takes of a commitment whose secret it
// has (BOLT 5): all outputs but the anchors, with the revocation key of BOLT 3.
export function penalty(v, base, secret) {
  const { outs } = unsigned(v), per = publicKey(secret), basepoint = publicKey(unhex(base));
  const key = Fn.create(number(unhex(base)) * tweak(basepoint, per) + number(secret) * tweak(per, basepoint));
  return { outputs: outs.flatMap((o, i) => (o.kind ? [] : [i])), key: hex(Fn.toBytes(key)) };
}

// commitment computes all of a vector and looks at its signatures.
export function commitment(v) {
  const { version, other, own, k, outs, lockTime, sequence, outpoint, tx, txid: id } = unsigned(v);
  const anchors = v.channel_type === 'option_anchors', txid = unhex(id), script = fundingScript(v);
  const hash = sighash(tx, script, 1, big(v.funding_satoshis));

  const second = outs.flatMap((o, output) => {
    if (!o.htlc) return [];
    const timeout = o.htlc.offered_by === v.owner;
    const bytes = encode(version, timeout ? o.htlc.cltv_expiry : 0, { txid, index: output }, anchors ? 1 : 0,
      [{ value: o.value, script: wrapped(delayedScript(k, v.to_self_delay)) }]);
    return [{ output, tx: hex(bytes), sighash: hex(sighash(bytes, o.witness, 0x83, o.value)) }];
  });

  check(v.signature, hash, publicKey(unhex(other.funding_privkey)), 'signature');
  const signatures = v.htlc_signatures ?? [];
  if (signatures.length !== second.length) throw new Fault('wrong-count', 'htlc_signatures');
  signatures.forEach((s, i) => check(s, unhex(second[i].sighash), k.theirs, 'htlc_signatures'));

  const mine = sign(hash, unhex(own.funding_privkey));
  const ordered = [own, other].map((s, i) => [publicKey(unhex(s.funding_privkey)), [mine, unhex(v.signature)][i]])
    .sort((a, b) => Buffer.compare(a[0], b[0])).map(([, s]) => der(s, 1));
  return {
    fee_satoshis: Number(outs.reduce((n, o) => n - o.value, big(v.funding_satoshis))),
    commitment_tx: hex(tx), txid: id, sighash: hex(hash),
    signature: hex(sign(hash, unhex(other.funding_privkey))),
    ...(second.length > 0 ? { htlc_txs: second, htlc_signatures: second.map((h) => hex(sign(unhex(h.sighash), k.theirSecret))) } : {}),
    signed_commitment_tx: hex(encode(version, lockTime, outpoint, sequence, outs, [new Uint8Array(0), ...ordered, script])),
  };
}

// secretBelow is derive_secret of BOLT 3.
export function secretBelow(secret, bits, index) {
  let s = secret;
  for (let b = bits - 1; b >= 0; b--) {
    if ((index >> big(b)) & 1n) {
      s = Uint8Array.from(s);
      s[b >> 3] ^= 1 << (b & 7);
      s = sha256(s);
    }
  }
  return s;
}

// revocation receives secrets one after the other.
export function revocation(v) {
  const refuse = () => { throw new Fault('refused', 'per_commitment_secret'); };
  const known = [];
  v.secrets.forEach(({ per_commitment_point, per_commitment_secret }, i) => {
    const secret = unhex(per_commitment_secret), index = (1n << 48n) - 1n - big(i);
    if (!secp256k1.utils.isValidSecretKey(secret) || hex(publicKey(secret)) !== per_commitment_point) refuse();
    let bucket = 0;
    while (bucket < 48 && !((index >> big(bucket)) & 1n)) bucket++;
    for (let b = 0; b < bucket; b++) {
      if (hex(secretBelow(secret, bucket, known[b].index)) !== hex(known[b].secret)) refuse();
    }
    known[bucket] = { index, secret };
  });
  return { received: v.secrets.length };
}
