// Parameters, shapes and splits (SPEC.md 4.1, 4.2 and 4.5).

import { Fault } from './reader.mjs';

const kinds = { static: 0, kickoff: 1, state: 2 };
const leaves = { dw: 1, ps: 2 };

const refuse = (rule, field) => { throw new Fault('refused', field, undefined, rule); };

// The table of section 4.1: mainnet, then other chains.
const bounds = {
  step: [[72, 288], [2, 288]],
  states: [[2, 16], [2, 16]],
  confirm_blocks: [[6, 36], [1, 36]],
  stock_csv: [[144, 1008], [4, 1008]],
  to_self_delay: [[144, 2016], [4, 2016]],
  margin: [[72, 1008], [0, 1008]],
  max_funding_wait: [[6, 1008], [1, 1008]],
  active: [[1008, 8640], [1, 8640]],
  dying: [[144, 1008], [1, 1008]],
};

export const smallestCapacity = (chain) => (chain === 'mainnet' ? 10000 : 1000);

const count = (shape, kind) => shape.levels.filter((l) => l.kind === kind).length;

export function delays(p, shape) {
  const warning = p.step * (p.states - 1) * count(shape, kinds.state) + p.confirm_blocks * (shape.levels.length + p.max_chain);
  const exit = warning + p.confirm_blocks + p.stock_csv + p.confirm_blocks + p.margin;
  return { early_warning_time: warning, exit_time: exit, exit_height: p.expiry - exit };
}

export function checkShape(shape) {
  const { levels } = shape;
  if (levels.length < 1 || levels.length > 16) refuse('TREE-010', 'levels');
  if (!Object.values(leaves).includes(shape.leaf)) refuse('TREE-011', 'leaf');
  let statics = 0;
  while (statics < levels.length && levels[statics].kind === kinds.static) statics++;
  const rest = levels.slice(statics);
  if (rest.length === 0 || rest.length % 2 !== 0) refuse('TREE-010', 'levels');
  rest.forEach((l, i) => { if (l.kind !== kinds.kickoff + (i % 2)) refuse('TREE-010', 'kind'); });
  if (levels.some((l) => l.arity < 1 || l.arity > 200)) refuse('TREE-010', 'arity');
}

export function checkParameters(chain, n, p, shape) {
  const outside = (v, [low, high]) => v < low || v > high;
  if (outside(n, [1, 1024])) refuse('TREE-001', 'n');
  for (const [name, rows] of Object.entries(bounds)) {
    if (outside(p[name], rows[chain === 'mainnet' ? 0 : 1])) refuse('TREE-001', name);
  }
  const sales = shape.leaf === leaves.dw ? [0, 0] : [chain === 'mainnet' ? 4 : 1, 32];
  if (outside(p.max_chain, sales)) refuse('TREE-001', 'max_chain');
  if (outside(p.omission_delay, [p.confirm_blocks + 1, p.stock_csv - p.confirm_blocks - 1])) refuse('TREE-001', 'omission_delay');
  if (p.step < 2 * p.confirm_blocks) refuse('TREE-002', 'step');
  const { early_warning_time, exit_time } = delays(p, shape);
  if (early_warning_time > 864) refuse('DELAY-004', 'early_warning_time');
  const expiry = p.tip_height + p.max_funding_wait + p.active + p.dying + exit_time;
  if (p.expiry !== expiry || expiry >= 500000000) refuse('DELAY-005', 'expiry');
}

// limits decides on a parameters vector.
export function limits(v) {
  checkShape(v.shape);
  checkParameters(v.chain, v.n, v.parameters, v.shape);
  if (Math.abs(v.parameters.tip_height - v.own_height) > 6) refuse('TREE-003', 'tip_height');
  return delays(v.parameters, v.shape);
}

// parts splits a range of clients [first, count] into m, larger ones first.
function parts([first, c], m) {
  const out = [];
  for (let i = 0, at = first; i < m; i++) {
    const size = Math.floor(c / m) + (i < c % m ? 1 : 0);
    out.push([at, size]);
    at += size;
  }
  return out;
}

// layout gives the transactions of each level, with the clients each covers,
// its children and, for a leaf, its groups.
export function layout(n, shape) {
  checkShape(shape);
  const levels = [[{ range: [0, n] }]];
  const arity = shape.levels.at(-1).arity;
  shape.levels.forEach((level, i) => {
    for (const node of levels[i]) Object.assign(node, { level: i, kind: level.kind, position: levels[i].indexOf(node), children: [] });
    if (i === shape.levels.length - 1) return;
    const below = [];
    for (const node of levels[i]) {
      node.children = parts(node.range, Math.min(level.arity, node.range[1])).map((range) => ({ range, parent: node }));
      below.push(...node.children);
    }
    levels.push(below);
  });
  const most = shape.leaf === leaves.dw ? arity : arity * arity;
  for (const leaf of levels.at(-1)) {
    const c = leaf.range[1];
    if (c > most) refuse('TREE-014', 'leaf');
    leaf.groups = shape.leaf === leaves.dw ? [leaf.range] : parts(leaf.range, Math.ceil(c / arity));
  }
  return levels;
}

// keySets are the ranges of clients over whose keys a client aggregates
// (SPEC.md 5.1), from a layout.
export function keySets(levels, client) {
  const sets = [levels[0][0].range];
  for (let node = levels[0][0]; node; node = node.children.find((c) => client >= c.range[0] && client < c.range[0] + c.range[1])) {
    sets.push(...node.children.map((c) => c.range), ...(node.groups ?? []));
  }
  return sets.filter((s, i) => sets.findIndex((t) => String(t) === String(s)) === i);
}

// split decides on a split vector.
export function split(v) {
  const levels = layout(v.n, v.shape);
  const counts = levels.map((level) => level.map((node) => node.range[1]));
  const groups = levels.at(-1).map((leaf) => leaf.groups.map(([, c]) => c));
  const wrong = (field) => { throw new Fault('wrong-split', field, undefined, undefined); };
  if (v.levels && JSON.stringify(counts) !== JSON.stringify(v.levels)) wrong('levels');
  if (v.groups && JSON.stringify(groups) !== JSON.stringify(v.groups)) wrong('groups');
  return { levels: counts, groups };
}
