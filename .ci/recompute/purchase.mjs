// Stock that moves to a client by an update (SPEC.md 4.5 and 8.4): which state it replaces,
// what is below it afterwards, and whether a client agrees.

import { isDeepStrictEqual } from 'node:util';
import { History } from './history.mjs';
import { Fault } from './reader.mjs';

const state = 2;
const within = (c, [first, n]) => c >= first && c < first + n;

export function purchase(v) {
  const h = new History(v);
  for (const step of v.steps) h.step(step);
  if (v.op === 'agree') {
    const { level, position, remaining, capacities, stocks } = v.claim;
    h.opened(h.f.levels[level][position], { remaining, capacities, stocks, lsp_channel_key: v.terms.lsp_channel_key });
    return { agrees: true };
  }
  const update = planned(h, v.buyer, v.from_client ?? v.buyer, BigInt(v.amount));
  if (!v.claim) return { update };
  const wrong = ['level', 'remaining', 'clients', 'capacities', 'stocks'].find((k) => !isDeepStrictEqual(v.claim[k], update[k]) || k === 'level' && v.claim.position !== update.position);
  if (wrong) throw new Fault('wrong-update', wrong, undefined, undefined);
  return { update };
}

function planned(h, buyer, giver, amount) {
  const node = h.f.path(buyer).reverse().find((n) => n.kind === state && h.remaining(n) > 0 && within(giver, n.range));
  if (!node) throw new Fault('refused', 'node', undefined, undefined);
  const clients = Array.from({ length: node.range[1] }, (_, i) => node.range[0] + i);
  const stocks = leavesBelow(node).flatMap((leaf) => leaf.groups.map((group, g) => {
    const has = h.newest(leaf, g)?.spent.value ?? 0n;
    if (!within(giver, group)) return has;
    if (has < amount) throw new Fault('refused', 'amount', undefined, 'CHG-015');
    return has - amount;
  }));
  return {
    level: node.level, position: node.position, remaining: h.remaining(node) - 1, clients,
    capacities: clients.map((c) => Number(h.capacities(c) + (c === buyer ? amount : 0n))), stocks: stocks.map(Number),
  };
}

const leavesBelow = (node) => (node.children.length === 0 ? [node] : node.children.flatMap(leavesBelow));
