// Whole factories (SPEC.md 4, 6 and 7): every transaction from the terms, with
// txids and sighashes by the transaction library.

import { RawTx, Transaction } from '@scure/btc-signer';
import { hex, unhex } from './noise.mjs';
import { Fault } from './reader.mjs';
import { checkParameters, layout, smallestCapacity } from './limits.mjs';
import { anchorScript, channelOutput, nodeOutput, payoutScript, stockOutput } from './scripts.mjs';

export const refuse = (rule, field) => { throw new Fault('refused', field, undefined, rule); };

const final = 0xffffffff;
const kindNames = ['static', 'kickoff', 'state'];
const dust = 330n;
const manyOwners = 200;

const sum = (list) => list.reduce((a, b) => a + BigInt(b), 0n);
const members = ([first, c]) => Array.from({ length: c }, (_, i) => first + i);
const covers = ([first, c], client) => client >= first && client < first + c;
export const idOf = (node) => `${node.level}/${node.position}`;

// shares splits a stock; the lowest index gets what is left over.
export function shares(value, [, c]) {
  const n = BigInt(c);
  return Array.from({ length: c }, (_, i) => value / n + (i === 0 ? value % n : 0n));
}

// Factory is what terms say, checked.
export class Factory {
  constructor(terms) {
    const { parameters, shape } = terms;
    const n = terms.factory_keys.length;
    Object.assign(this, { terms, parameters, shape, n, levels: layout(n, shape), scriptCache: new Map() });
    checkParameters(terms.chain, n, parameters, shape);
    const keys = [terms.lsp_factory_key, ...terms.factory_keys];
    if (new Set(keys).size !== keys.length) refuse('SCRIPT-006', 'factory_keys');
    this.leaves = this.levels.at(-1);
    this.seeAmounts();
    const { client, channel_keys } = terms;
    const first = client === undefined ? 0 : this.path(client).at(-1).range[0];
    this.channels = new Map(channel_keys.map((key, i) => [first + i, [key, terms.lsp_channel_key]]));
  }

  sees(range) { return this.terms.client === undefined || covers(range, this.terms.client); }

  path(client) {
    const out = [this.levels[0][0]];
    while (out.at(-1).children.length > 0) out.push(out.at(-1).children.find((c) => covers(c.range, client)));
    return out;
  }

  // seeAmounts gives every node its value, from the region up.
  seeAmounts() {
    const { terms } = this;
    const region = terms.client === undefined ? this.levels[0][0] : this.path(terms.client).find((node) => node.range[1] <= manyOwners);
    const above = terms.client === undefined ? [] : this.path(terms.client).slice(0, region.level);
    if ((terms.sums ?? []).length !== above.length) refuse('CER-013', 'sums');
    this.region = region;
    if (terms.payout_keys.length !== region.range[1] && terms.capacities.length === region.range[1]) refuse('CER-013', 'payout_keys');
    this.payouts = new Map(members(region.range).map((c, i) => [c, terms.payout_keys[i]]));
    const values = this.enter(region, terms.capacities, terms.stocks);
    for (const [i, node] of [...above.entries()].reverse()) {
      terms.sums[i].forEach((v, j) => {
        const child = node.children[j];
        const known = values.get(child);
        if (known !== undefined && known !== BigInt(v)) refuse('TREE-022', 'sum');
        values.set(child, BigInt(v));
      });
      values.set(node, sum(node.children.map((c) => values.get(c))));
    }
    this.values = values;
  }

  // enter checks amounts below a node and returns the values of it and all
  // below; it sets capacities and stocks.
  enter(top, capacities, stocks) {
    const leaves = this.leaves.filter((leaf) => covers(top.range, leaf.range[0]));
    if (capacities.length !== top.range[1]) refuse('CER-013', 'capacities');
    if (stocks.length !== leaves.reduce((n, leaf) => n + leaf.groups.length, 0)) refuse('CER-013', 'stocks');
    this.capacity ??= new Map();
    this.stock ??= new Map();
    members(top.range).forEach((c, i) => {
      if (capacities[i] < smallestCapacity(this.terms.chain)) refuse('TREE-001', 'capacity');
      this.capacity.set(c, BigInt(capacities[i]));
    });
    let at = 0;
    for (const leaf of leaves) {
      this.stock.set(leaf, leaf.groups.map((group) => {
        const v = BigInt(stocks[at++]);
        if (v !== 0n && v < dust * BigInt(group[1])) refuse('TREE-024', 'stock');
        return v;
      }));
    }
    const values = new Map();
    const visit = (node) => {
      const parts = node.children.length > 0 ? node.children.map(visit) :
        [...members(node.range).map((c) => this.capacity.get(c)), ...this.stock.get(node)];
      values.set(node, sum(parts));
      return values.get(node);
    };
    visit(top);
    return values;
  }

  cached(id, make) {
    if (!this.scriptCache.has(id)) this.scriptCache.set(id, make().script);
    return this.scriptCache.get(id);
  }

  keysOf([first, c]) { return [...this.terms.factory_keys.slice(first, first + c), this.terms.lsp_factory_key]; }

  nodeScript(range) { return this.cached(`node ${range}`, () => nodeOutput(this.keysOf(range))); }

  stockScript(range) {
    return this.cached(`stock ${range}`, () => stockOutput(this.keysOf(range), this.terms.lsp_factory_key, this.parameters.stock_csv));
  }

  payout(client, value) { return [value, payoutScript(this.payouts.get(client))]; }
}

// transaction makes one transaction of section 4.4; spent is {txid, index,
// value, script} and, for a channel, witness.
export function transaction(name, spent, sequence, lockTime, outputs) {
  const bytes = RawTx.encode({
    version: 3, segwitFlag: false, lockTime,
    inputs: [{ txid: unhex(spent.txid).reverse(), index: spent.index, finalScriptSig: new Uint8Array(0), sequence }],
    outputs: [...outputs, [0n, anchorScript]].map(([amount, script]) => ({ amount, script: unhex(script) })),
  });
  if (sum(outputs.map(([v]) => v)) !== spent.value) throw new Error(`${name} does not conserve amounts`);
  const tx = Transaction.fromRaw(bytes, { allowUnknownInputs: true, allowUnknownOutputs: true, disableScriptCheck: true, allowUnknown: true });
  const sighash = spent.witness ? tx.preimageWitnessV0(0, unhex(spent.witness), 1, spent.value)
    : tx.preimageWitnessV1(0, [unhex(spent.script)], 0, [spent.value]);
  return { name, value: spent.value, txid: hex(unhex(tx.id).reverse()), sighash: hex(sighash), bytes: hex(bytes), outputs, spent, sequence };
}

const outputOf = (tx, index, more) => ({ txid: tx.txid, index, value: tx.outputs[index][0], script: tx.outputs[index][1], ...more });

// channelOf is the output of a channel: of both keys, or of a script alone.
export const channelOf = (keys) => (typeof keys === 'string' ? { script: keys } : channelOutput(keys));

// Builder makes transactions of a factory below an outpoint.
export class Builder {
  constructor(factory) {
    Object.assign(this, { f: factory, p: factory.parameters });
  }

  // funding is the output that the root spends.
  funding(v) {
    const root = this.f.levels[0][0];
    return { txid: v.funding_txid, index: v.funding_output, value: this.f.values.get(root), script: this.f.nodeScript(root.range) };
  }

  // below builds a node and everything in view below it, as a Map of node to
  // what hangs on it.
  below(top, spent, remaining = this.p.states - 1) {
    const built = new Map();
    const queue = [[top, spent]];
    for (let [node, from] = queue.shift(); node; [node, from] = queue.shift() ?? []) {
      const n = this.node(node, from, node === top ? remaining : this.p.states - 1);
      built.set(node, n);
      node.children.forEach((child, i) => { if (this.f.sees(child.range)) queue.push([child, outputOf(n.tx, i)]); });
    }
    return built;
  }

  node(node, spent, remaining) {
    const sequence = node.kind === 2 ? this.p.step * remaining : final;
    const leaf = node.children.length === 0;
    const outputs = leaf ? this.leafOutputs(node) : this.childOutputs(node);
    const tx = { ...transaction(`${kindNames[node.kind]} ${idOf(node)}`, spent, sequence, 0, outputs), signers: node.range };
    const n = { node, spent, remaining, tx, distributions: this.distributions(node, spent), outputs: [] };
    if (leaf) this.hang(n);
    return n;
  }

  childOutputs(node) {
    return node.children.map((c) => [this.f.values.get(c), this.f.nodeScript(c.range)]);
  }

  leafOutputs(leaf) {
    const channels = members(leaf.range).map((c) => [this.f.capacity.get(c), channelOf(this.f.channels.get(c)).script]);
    const stocks = leaf.groups.map((g, i) => [this.f.stock.get(leaf)[i], this.f.stockScript(g)]).filter(([v]) => v > 0n);
    return [...channels, ...stocks];
  }

  // hang lists what a leaf pays, with the distributions of it.
  hang(n) {
    const { node: leaf, tx } = n;
    let at = 0;
    n.channels = members(leaf.range).map((client) => this.channel(leaf, client, outputOf(tx, at++), this.f.channels.get(client)));
    n.stocks = leaf.groups.map((owners, group) => (this.f.stock.get(leaf)[group] === 0n ? undefined
      : { leaf, group, owners, sales: 0, spent: outputOf(tx, at++) }));
    for (const c of n.channels) {
      if (this.f.sees([c.client, 1])) n.outputs.push(this.channelSpend(`distribution ${idOf(leaf)} channel ${c.client}`, c, true));
    }
    for (const s of n.stocks) {
      if (s && this.f.sees(s.owners)) n.outputs.push(this.stockSpend(`distribution ${idOf(leaf)} stock ${s.group}`, s, true));
    }
  }

  channel(leaf, client, spent, keys) {
    return { leaf, client, keys, spent: { ...spent, witness: channelOf(keys).witness_script } };
  }

  // timing is [nSequence, nLockTime] of a distribution or of poison.
  timing(distribution) { return distribution ? [final - 1, this.p.expiry] : [final, 0]; }

  channelSpend(name, c, distribution) {
    const tx = transaction(name, c.spent, ...this.timing(distribution), [this.f.payout(c.client, c.spent.value)]);
    return { ...tx, channel: c };
  }

  stockSpend(name, s, distribution) {
    const outputs = shares(s.spent.value, s.owners).map((v, i) => this.f.payout(s.owners[0] + i, v));
    return { ...transaction(name, s.spent, ...this.timing(distribution), outputs), signers: s.owners, stock: true };
  }

  // distributions are the one of an outpoint of the tree and those nested.
  distributions(node, spent) {
    const id = idOf(node);
    const make = (below, from, name) => {
      if (below.range[1] <= manyOwners) return [{ ...transaction(name, from, ...this.timing(true), this.claims(below.range)), signers: below.range }];
      let point = below;
      while (point.children.length === 1) [point] = point.children;
      const tx = { ...transaction(name, from, ...this.timing(true), this.childOutputs(point)), signers: below.range };
      return [tx, ...point.children.flatMap((child, i) => (this.f.sees(child.range)
        ? make(child, outputOf(tx, i), `distribution ${id} of ${idOf(child)}`) : []))];
    };
    return make(node, spent, `distribution ${id}`);
  }

  claims(range) {
    const share = new Map();
    for (const leaf of this.f.leaves) {
      if (!this.f.stock.has(leaf)) continue;
      leaf.groups.forEach((g, i) => shares(this.f.stock.get(leaf)[i], g).forEach((v, j) => share.set(g[0] + j, v)));
    }
    return members(range).map((c) => this.f.payout(c, this.f.capacity.get(c) + share.get(c)));
  }
}

export const listed = (n) => [n.tx, ...n.distributions, ...n.outputs];

// inFile brings transactions into the form of a vector: bytes where it has them.
export function inFile(list, wanted) {
  return list.map(({ name, value, txid, sighash, bytes }, i) => ({
    name, value: Number(value), txid, sighash, ...(wanted?.[i]?.bytes ? { bytes } : {}) }));
}

// checkClaim throws the fault of a claim.
export function checkClaim(claim, list) {
  const wrong = (field) => { throw new Fault('wrong-transaction', field, undefined, undefined); };
  const right = list.find((tx) => tx.name === claim.name);
  if (!right) wrong('name');
  if (right.bytes === claim.bytes) return;
  const a = RawTx.decode(unhex(claim.bytes)), b = RawTx.decode(unhex(right.bytes));
  const outpoint = (t) => `${hex(t.inputs[0].txid)}:${t.inputs[0].index}`;
  if (a.version !== b.version) wrong('version');
  if (a.inputs.length !== 1 || outpoint(a) !== outpoint(b)) wrong('outpoint');
  if (a.inputs[0].sequence !== b.inputs[0].sequence) wrong('nSequence');
  if (a.lockTime !== b.lockTime) wrong('nLockTime');
  wrong('outputs');
}

// tree recomputes a tree vector.
export function tree(v) {
  const f = new Factory(v.terms);
  const b = new Builder(f);
  const funding = b.funding(v);
  const list = [...b.below(f.levels[0][0], funding).values()].flatMap(listed);
  if (v.claim) checkClaim(v.claim, list);
  const missing = v.signed && list.find((tx) => !v.signed.includes(tx.name));
  if (missing) throw new Fault('missing-transaction', missing.name, undefined, undefined);
  return { funding_value: Number(funding.value), funding_script: funding.script, transactions: inFile(list, v.transactions) };
}
