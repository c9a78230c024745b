// Keys, scripts and descriptors of a factory (SPEC.md 4.3), with the MuSig2
// and the hashes of the scure and noble libraries.

import { schnorr } from '@noble/curves/secp256k1.js';
import { Script, ScriptNum, p2ms, p2tr, p2wsh } from '@scure/btc-signer';
import { keyAggExport, keyAggregate, sortKeys } from '@scure/btc-signer/musig2.js';
import { keySets, layout } from './limits.mjs';
import { hex, join, unhex } from './noise.mjs';
import { Fault } from './reader.mjs';

const tagged = (tag, ...parts) => schnorr.utils.taggedHash(tag, ...parts);

export const anchorScript = '51024e73';
export const payoutScript = (key) => '5120' + key;

// leafScript is <key> OP_CHECKSIGVERIFY <csv> OP_CHECKSEQUENCEVERIFY.
export function leafScript(key, csv) {
  const number = csv <= 16 ? csv : ScriptNum().encode(BigInt(csv));
  return Script.encode([unhex(key), 'CHECKSIGVERIFY', csv <= 16 ? `OP_${number}` : number, 'CHECKSEQUENCEVERIFY']);
}

export function leafHash(script) {
  return tagged('TapLeaf', join(Uint8Array.of(0xc0, script.length), script));
}

const cache = new Map();

// aggregate is the sorted aggregate of keys, untweaked.
function aggregate(keys) {
  const id = keys.join();
  if (!cache.has(id)) cache.set(id, keyAggregate(sortKeys(keys.map(unhex))));
  return cache.get(id);
}

// tweaked is an aggregate as a taproot output key, root empty for none.
export function tweaked(keys, root = new Uint8Array(0)) {
  const plain = aggregate(keys);
  const internal = keyAggExport(plain);
  const t = tagged('TapTweak', join(internal, root));
  const even = plain.aggPublicKey.y % 2n === 0n ? plain.aggPublicKey : plain.aggPublicKey.negate();
  const base = plain.aggPublicKey.constructor.BASE; // of the library's own curve
  const q = even.add(base.multiply(BigInt('0x' + hex(t))));
  return { aggregate: hex(plain.aggPublicKey.toBytes(true)), internal: hex(internal), output: q };
}

// nodeKeys are the untweaked aggregates of key sets.
export const nodeKeys = (sets, keys, lsp) => sets.map(([first, c]) => hex(aggregate([...keys.slice(first, first + c), lsp]).aggPublicKey.toBytes(true)));

// checkNodeKeys compares what an LSP sent.
export function checkNodeKeys(sent, sets, keys, lsp, wrong) {
  if (sent.length !== sets.length) wrong('wrong-count');
  nodeKeys(sets, keys, lsp).forEach((key, i) => { if (key !== sent[i]) wrong('wrong-key'); });
}

// nodeKeysOf decides on a node_keys vector.
export function nodeKeysOf(v) {
  const sets = keySets(layout(v.factory_keys.length, v.shape), v.client);
  checkNodeKeys(v.node_keys, sets, v.factory_keys, v.lsp_factory_key, (kind) => { throw new Fault(kind, 'node_keys', undefined, 'CER-047'); });
  return { node_keys: nodeKeys(sets, v.factory_keys, v.lsp_factory_key), key_sets: sets };
}

// outputOf describes the output of a script vector.
export function outputOf(v) {
  const keys = [...(v.factory_keys ?? []), v.lsp_factory_key];
  switch (v.output) {
    case 'node': return nodeOutput(keys);
    case 'stock': return stockOutput(keys, v.lsp_factory_key, v.stock_csv);
    case 'channel': return channelOutput(v.channel_keys);
    case 'payout': return { output_key: v.payout_key, script: payoutScript(v.payout_key), descriptor: checked(`rawtr(${v.payout_key})`) };
    case 'anchor': return { script: anchorScript, descriptor: checked(`raw(${anchorScript})`) };
  }
  throw new Error(`no output ${v.output}`);
}

const musigWords = (keys) => `musig(${[...keys].sort().join()})`;

export function nodeOutput(keys) {
  const k = tweaked(keys);
  const script = hex(p2tr(unhex(k.internal)).script);
  return withKey(k, script, { descriptor: checked(`tr(${musigWords(keys)})`) });
}

export function stockOutput(keys, lsp, csv) {
  const leaf = leafScript(lsp.slice(2), csv);
  const k = tweaked(keys, leafHash(leaf));
  const tree = p2tr(unhex(k.internal), { script: leaf }, undefined, true);
  return withKey(k, hex(tree.script), {
    leaf_script: hex(leaf),
    leaf_hash: hex(leafHash(leaf)),
    control_block: (k.output.y % 2n === 0n ? 'c0' : 'c1') + k.internal,
    descriptor: checked(`tr(${musigWords(keys)},and_v(v:pk(${lsp.slice(2)}),older(${csv})))`),
  });
}

// withKey checks that the output key of the MuSig2 library is that of the
// taproot script which the transaction library made.
function withKey(k, script, more) {
  const output = hex(k.output.toBytes(true)).slice(2);
  if (script !== '5120' + output) throw new Error(`two libraries give ${script} and ${output}`);
  return { aggregate_key: k.aggregate, internal_key: k.internal, output_key: output, script, ...more };
}

export function channelOutput(keys) {
  const sorted = [...keys].sort();
  const pay = p2wsh(p2ms(2, sorted.map(unhex)));
  return { witness_script: hex(pay.witnessScript), script: hex(pay.script), descriptor: checked(`wsh(sortedmulti(2,${sorted.join()}))`) };
}

// checked appends the checksum of BIP-380.
export function checked(descriptor) {
  const input = '0123456789()[],\'/*abcdefgh@:$%{}IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~ijklmnopqrstuvwxyzABCDEFGH`#"\\ ';
  const output = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
  const steps = [0xf5dee51989n, 0xa9fdca3312n, 0x1bab10e32dn, 0x3706b1677an, 0x644d626ffdn];
  const symbols = [];
  let group = [];
  for (const c of descriptor) {
    const at = input.indexOf(c);
    symbols.push(at & 31);
    group.push(at >> 5);
    if (group.length === 3) {
      symbols.push(group[0] * 9 + group[1] * 3 + group[2]);
      group = [];
    }
  }
  if (group.length === 1) symbols.push(group[0]);
  if (group.length === 2) symbols.push(group[0] * 3 + group[1]);
  let sum = 1n;
  for (const s of [...symbols, 0, 0, 0, 0, 0, 0, 0, 0]) {
    const top = sum >> 35n;
    sum = ((sum & 0x7ffffffffn) << 5n) ^ BigInt(s);
    steps.forEach((step, i) => { if ((top >> BigInt(i)) & 1n) sum ^= step; });
  }
  sum ^= 1n;
  let out = '';
  for (let i = 7n; i >= 0n; i--) out += output[Number((sum >> (5n * i)) & 31n)];
  return `${descriptor}#${out}`;
}
