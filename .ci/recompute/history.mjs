// What happens to a factory: updates, sales and poison (SPEC.md 4.5, 5.4, 6.2
// and 7).

import { isDeepStrictEqual } from 'node:util';
import { Fault } from './reader.mjs';
import { smallestCapacity } from './limits.mjs';
import { Builder, Factory, channelOf, checkClaim, idOf, inFile, listed, refuse, shares, transaction } from './tree.mjs';

const state = 2;
const inside = (range, outer) => range[0] >= outer[0] && range[0] + range[1] <= outer[0] + outer[1];
const overlap = (a, b) => a[0] < b[0] + b[1] && b[0] < a[0] + a[1];
const isLeaf = (node) => node.children.length === 0;

export class History {
  constructor(v) {
    this.v = v;
    this.f = new Factory(v.terms);
    this.rebuild();
    Object.assign(this, { sales: new Map(), signed: new Map(), failed: [], replaced: [] });
  }

  rebuild() {
    const b = new Builder(this.f);
    this.built = b.below(this.f.levels[0][0], b.funding(this.v));
  }

  salesOf(leaf, group) { return this.sales.get(`${idOf(leaf)} ${group}`) ?? []; }

  remaining(node) { return Math.min(this.signed.get(node) ?? 255, this.built.get(node).remaining); }

  // settled refuses changes while poison is due or an attempt above failed.
  settled(range, level) {
    if (this.replaced.some((old) => overlap(old.n.node.range, range))) refuse('POI-006', 'node');
    if (this.failed.some(({ node }) => node.level < level && overlap(node.range, range))) refuse('POI-005', 'node');
  }

  capacities(client) {
    const sold = [...this.sales.values()].flat().filter((s) => s.buyer === client);
    return sold.reduce((a, s) => a + s.amount, this.f.capacity.get(client));
  }

  // changed is the factory with other amounts and channels below a node.
  changed(node, step) {
    const f = Object.assign(Object.create(Factory.prototype), this.f);
    f.capacity = new Map(this.f.capacity);
    f.stock = new Map(this.f.stock);
    const values = f.enter(node, step.capacities, step.stocks);
    if (values.get(node) !== this.f.values.get(node)) refuse('CER-043', 'amounts');
    step.capacities.forEach((c, i) => { if (BigInt(c) < this.capacities(node.range[0] + i)) refuse('PS-005', 'capacity'); });
    f.values = new Map([...this.f.values, ...values]);
    f.channels = this.channelsAfter(node, step);
    return f;
  }

  channelsAfter(node, step) {
    const channels = new Map(this.f.channels);
    for (let c = node.range[0]; c < node.range[0] + node.range[1]; c++) channels.set(c, [this.v.terms.channel_keys[c], step.lsp_channel_key]);
    return channels;
  }

  // opened computes an update and changes nothing.
  opened(node, step) {
    if (node.kind !== state) refuse('CER-041', 'node');
    this.settled(node.range, node.level);
    const f = this.changed(node, step);
    const built = new Builder(f).below(node, this.built.get(node).spent, step.remaining);
    const [top, ...below] = built.values();
    const again = this.failed.some((u) => u.txid === top.tx.txid && u.remaining === this.remaining(node));
    if (!again && step.remaining >= this.remaining(node)) refuse('DELAY-002', 'remaining');
    return { node, built, f, top, below, remaining: step.remaining, txid: top.tx.txid };
  }

  update(node, step) {
    const u = this.opened(node, step);
    if (step.do === 'update') this.replace(u, u.f);
    else this.fail(u);
    return [u.top.tx, ...u.top.outputs, ...u.below.flatMap(listed)];
  }

  fail(u) {
    this.signed.set(u.node, Math.min(u.remaining, this.remaining(u.node)));
    if (!this.failed.some((x) => x.txid === u.txid)) this.failed.push(u);
  }

  replace(u, f) {
    for (const [node, n] of this.built) {
      if (isLeaf(node) && inside(node.range, u.node.range)) {
        this.replaced.push({ n, sales: node.groups.map((_, g) => this.salesOf(node, g)) });
      }
    }
    this.failed = this.failed.filter((x) => {
      if (x.txid === u.txid) return false;
      if (x.node.level < u.node.level || !inside(x.node.range, u.node.range)) return true;
      for (const [node, n] of x.built) if (isLeaf(node)) this.replaced.push({ n, sales: node.groups.map(() => []) });
      return false;
    });
    for (const [node, n] of u.built) {
      this.built.set(node, n);
      this.signed.delete(node);
      for (const g of (node.groups ?? []).keys()) this.sales.delete(`${idOf(node)} ${g}`);
    }
    this.f = f;
  }

  dueBelow(node) { return this.replaced.filter((old) => inside(old.n.node.range, node.range)); }

  poison(node) {
    const due = this.dueBelow(node), list = this.poisonOf(due);
    this.replaced = this.replaced.filter((old) => !due.includes(old));
    return list;
  }

  poisonOf(due) {
    const b = new Builder(this.f), list = [];
    for (const { n, sales } of due) {
      const id = idOf(n.node), sold = sales.flat();
      for (const stock of n.stocks) {
        if (!stock) continue;
        const changes = sales[stock.group].map((s) => s.change).filter(Boolean);
        for (const s of [stock, ...changes]) list.push(b.stockSpend(`poison ${list.length} ${id} stock ${s.group}`, s, false));
      }
      for (const c of [...n.channels, ...sold.map((s) => s.channel)]) {
        list.push(b.channelSpend(`poison ${list.length} ${id} channel ${c.client}`, c, false));
      }
    }
    return list;
  }

  // newest is the stock output that the next sale spends.
  newest(leaf, group) {
    const sales = this.salesOf(leaf, group);
    return sales.length > 0 ? sales.at(-1).change : this.built.get(leaf).stocks[group];
  }

  sale(leaf, step) {
    const { group, buyer } = step, amount = BigInt(step.amount);
    if (!leaf.groups?.[group]) refuse('CER-041', 'stock');
    const owners = leaf.groups[group], sales = this.salesOf(leaf, group), stock = this.newest(leaf, group);
    if (!stock) refuse('PS-001', 'stock');
    if (!inside([buyer, 1], owners)) refuse('PS-001', 'buyer');
    if (amount > stock.spent.value) refuse('PS-001', 'amount');
    this.settled(owners, Infinity);
    if (step.sales_before !== sales.length) refuse('PS-001', 'sales_before');
    if (sales.length >= this.f.parameters.max_chain) refuse('PS-002', 'sales_before');
    if (amount < BigInt(smallestCapacity(this.v.terms.chain))) refuse('PS-003', 'amount');
    const change = stock.spent.value - amount;
    if (change > 0n && change < 330n * BigInt(owners[1])) refuse('PS-003', 'change');
    return this.sell(leaf, step, stock, amount, change);
  }

  sell(leaf, step, stock, amount, change) {
    const { group, buyer } = step, keys = step.channel ?? [step.channel_key, step.lsp_channel_key];
    const b = new Builder(this.f), name = `${idOf(leaf)} stock ${group}`;
    const outputs = [[amount, channelOf(keys).script], ...(change > 0n ? [[change, stock.spent.script]] : [])];
    const by = { signers: stock.owners, stock: true };
    const sale = { ...transaction(`sale ${name}`, stock.spent, 0xffffffff, 0, outputs), ...by };
    const spent = (index) => ({ txid: sale.txid, index, value: outputs[index][0], script: outputs[index][1] });
    const parts = shares(change, stock.owners).map((v, i) => [stock.owners[0] + i, v]);
    const paid = parts.map(([c, v]) => [c, c === buyer ? v + amount : v]).filter(([, v]) => v > 0n).map(([c, v]) => this.f.payout(c, v));
    const omission = { ...transaction(`omission ${name}`, stock.spent, this.f.parameters.omission_delay, 0, paid), ...by };
    const channel = b.channel(leaf, buyer, spent(0), keys);
    const left = change > 0n ? { ...stock, sales: stock.sales + 1, spent: spent(1) } : undefined;
    this.sales.set(`${idOf(leaf)} ${group}`, [...this.salesOf(leaf, group), { buyer, amount, channel, change: left }]);
    return [sale, omission, ...(left ? [b.stockSpend(`distribution ${name}`, left, true)] : []),
      b.channelSpend(`distribution ${idOf(leaf)} channel ${buyer}`, channel, true)];
  }

  lowest(node, { clients }) {
    const all = (n) => clients.every((c) => inside([c, 1], n.range));
    const found = this.f.path(clients[0]).reverse().find((n) => n.kind === state && this.remaining(n) > 0 && all(n));
    if (found !== node) throw new Fault('wrong-node', 'level', undefined, 'DELAY-010');
    return [];
  }

  step(step) {
    const node = this.f.levels[step.level][step.position];
    switch (step.do) {
      case 'update': case 'failed-update': return this.update(node, step);
      case 'sale': return this.sale(node, step);
      case 'poison': return this.poison(node);
      case 'lowest': return this.lowest(node, step);
    }
    throw new Error(`no way to do ${step.do}`);
  }
}

// history runs the steps of a vector; what is wrong before the last step of a
// bad one is not its fault.
export function history(v) {
  const h = new History(v);
  v.steps.forEach((step, i) => {
    const last = i === v.steps.length - 1;
    let list;
    try {
      list = h.step(step);
    } catch (e) {
      throw last || !(e instanceof Fault) ? e : new Error(`step ${i}: ${e.message}`);
    }
    if (last && v.claim) return checkClaim(v.claim, list);
    if (last && v.error) return;
    if (!isDeepStrictEqual(inFile(list, step.transactions), step.transactions ?? [])) throw new Error(`step ${i} has other transactions`);
  });
  return {};
}
