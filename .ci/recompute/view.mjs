// What a client sees of a factory, from messages alone: the transactions that
// it co-signs in each phase of a ceremony (SPEC.md 5.2 to 7).

import { isDeepStrictEqual } from 'node:util';
import { History } from './history.mjs';
import { delays } from './limits.mjs';
import { channelOutput, leafHash, leafScript } from './scripts.mjs';
import { idOf, refuse } from './tree.mjs';
import { unhex } from './noise.mjs';

const within = ([first, c], client) => client >= first && client < first + c;
const is = (message, what) => message.name === `ceremony_${what}`;

// flat is a decoded message with the records of one field of the same name
// unpacked: {name, ceremony_id, phase, nonces, ...}.
export function flat({ name, records }) {
  const out = { name };
  for (const [record, fields] of Object.entries(records ?? {})) {
    out[record] = Object.keys(fields).length === 1 && record in fields ? fields[record] : fields;
  }
  return out;
}

// termsOf brings a proposal into the form of terms.
function termsOf(p, chain) {
  return {
    chain, parameters: p.parameters, shape: p.shape, client: p.client_index, lsp_factory_key: p.lsp_factory_key, factory_keys: p.factory_keys,
    capacities: p.owners.map((o) => o.capacity), payout_keys: p.owners.map((o) => o.payout_key), stocks: p.stocks,
    channel_keys: p.channel_scripts, lsp_channel_key: p.lsp_channel_key,
  };
}

// Seen is a history in the view of one client: of other channels it knows the
// script.
class Seen extends History {
  channelsAfter(node, step) {
    const channels = new Map(this.f.channels);
    const first = this.leafOf(this.v.terms.client).range[0];
    step.channels.forEach((script, i) => { if (first + i !== this.v.terms.client) channels.set(first + i, script); });
    return channels;
  }

  leafOf(client) { return this.f.path(client).at(-1); }
}

// View is a factory as its client holds it, with its changes.
export class View {
  // The client's channel key is what it joined with.
  constructor(proposal, chain, channelKey) {
    Object.assign(this, { client: proposal.client_index, proposal, parameters: proposal.parameters, due: new Map() });
    const terms = termsOf(proposal, chain);
    const n = terms.factory_keys.length;
    if (this.client >= n) refuse('CER-011', 'client_index');
    this.h = new Seen({ terms: this.checked(terms), funding_txid: proposal.funding.txid, funding_output: proposal.funding.output });
    const leaf = this.h.leafOf(this.client), i = this.client - leaf.range[0];
    if (terms.channel_keys.length !== leaf.range[1]) refuse('CER-013', 'channel_scripts');
    if (terms.channel_keys.some((s) => !s.startsWith('0020'))) refuse('SCRIPT-003', 'channel_scripts');
    const own = [channelKey, proposal.lsp_channel_key];
    if (channelOutput(own).script !== terms.channel_keys[i]) refuse('CER-011', 'channel_scripts');
    this.withChannels(leaf, terms.channel_keys, own);
    if (this.h.built.get(this.h.f.levels[0][0]).spent.value !== BigInt(proposal.funding.value)) refuse('CER-013', 'funding');
  }

  // checked gives terms whose channels can be built: they are filled in later.
  checked(terms) { return { ...terms, channel_keys: terms.factory_keys }; }

  // withChannels builds the tree with the channels that the proposal says.
  withChannels(leaf, scripts, own) {
    const { h } = this;
    scripts.forEach((script, i) => h.f.channels.set(leaf.range[0] + i, leaf.range[0] + i === this.client ? own : script));
    h.rebuild();
  }

  path() { return this.h.f.path(this.client); }

  node({ level, position }) { return this.h.f.levels[level]?.[position]; }

  exitHeight() { return this.parameters.expiry - delays(this.parameters, this.proposal.shape).exit_time; }

  mine(list) { return list.filter((tx) => (tx.channel ? tx.channel.client === this.client : within(tx.signers, this.client))); }

  // slots are the transactions of a list that are co-signed with BIP-327;
  // channels those on channel outputs.
  split(list) {
    const mine = this.mine(list);
    return { slots: mine.filter((tx) => !tx.channel), channels: mine.filter((tx) => tx.channel) };
  }

  // creation is the phase in which a factory is created.
  creation() {
    const nodes = this.path().map((node) => this.h.built.get(node));
    return this.split([...nodes.flatMap((n) => [n.tx, ...n.distributions]), ...nodes.at(-1).outputs]);
  }

  // sessionOf is how a slot is signed: keys and merkle root.
  sessionOf(tx) {
    const { lsp_factory_key: lsp, factory_keys: keys, parameters } = this.proposal;
    const [first, c] = tx.signers;
    const root = tx.stock ? leafHash(leafScript(lsp.slice(2), parameters.stock_csv)) : new Uint8Array(0);
    return { keys: [...keys.slice(first, first + c), lsp].map(unhex), root };
  }

  // ownKeys are the keys of the channel that the client has from the start.
  ownKeys() { return this.h.f.channels.get(this.client); }

  // open computes a change; the buyer of a sale says the keys of its channel.
  open(m, keys) {
    if (is(m, 'update')) return this.openUpdate(m);
    if (is(m, 'sale')) return this.openSale(m, keys);
    const node = this.node(m.node);
    if (!node || !within(node.range, this.client)) refuse('CER-041', 'node');
    const due = this.h.dueBelow(node);
    const list = due.length > 0 ? this.h.poisonOf(due) : this.due.get(idOf(node)) ?? [];
    if (list.length === 0) refuse('POI-002', 'node');
    return { m, node, last: 0, reached: 0, poison: list };
  }

  openUpdate(m) {
    const node = this.node(m.node);
    if (!node || !within(node.range, this.client)) refuse('CER-041', 'node');
    const leaf = this.h.leafOf(this.client);
    if (m.channel_scripts.length !== leaf.range[1]) refuse('CER-013', 'channel_scripts');
    if (channelOutput(this.ownKeys()).script !== m.channel_scripts[this.client - leaf.range[0]]) refuse('CER-011', 'channel_scripts');
    const u = this.h.opened(node, { capacities: m.capacities, stocks: m.stocks, remaining: m.node.remaining, channels: m.channel_scripts });
    return { m, node, last: 2, reached: 0, u };
  }

  openSale(m, keys) {
    const leaf = this.node(m.stock);
    if (!leaf) refuse('CER-041', 'stock');
    if (keys && channelOutput(keys).script !== m.channel_script) refuse('CER-011', 'channel_script');
    const step = { group: m.stock.group, buyer: m.buyer, amount: m.amount, sales_before: m.stock.sales_before, channel: keys ?? m.channel_script };
    const before = new Map(this.h.sales);
    const list = this.h.sale(leaf, step);
    const after = this.h.sales;
    this.h.sales = before; // not yet
    return { m, node: leaf, last: 1, reached: 0, sale: list, after };
  }

  // phase are the transactions of a phase of a change.
  phase(ch, phase) {
    if (ch.poison) return this.split(ch.poison);
    if (ch.sale) {
      const [sale, omission, ...rest] = ch.sale;
      return this.split(phase === 0 ? rest : [omission, sale]);
    }
    if (phase === 1) return this.split([ch.u.top.tx]);
    if (phase === 2) return this.split(this.due.get(idOf(ch.node)));
    const nodes = [ch.u.top, ...ch.u.below];
    return this.split(nodes.flatMap((n) => [...(n === ch.u.top ? [] : [n.tx, ...n.distributions]), ...n.outputs]));
  }

  // stored takes in a phase that is complete.
  stored(ch, phase) {
    if (phase < ch.reached) return;
    ch.reached = phase + 1;
    const id = idOf(ch.node);
    if (ch.poison || phase === 2) {
      const due = this.h.dueBelow(ch.node);
      this.h.replaced = this.h.replaced.filter((old) => !due.includes(old));
    } else if (ch.sale && phase === 1) {
      this.h.sales = ch.after;
    } else if (ch.u && phase === 1) {
      this.h.replace(ch.u, ch.u.f);
      this.due.set(id, this.h.poisonOf(this.h.dueBelow(ch.node)));
    }
  }

  // failed uses up the step of a state that was signed and is not complete.
  failed(ch) { if (ch.u && ch.reached < 2) this.h.fail(ch.u); }

  // lspKeyOf is the LSP's key of the channel that a transaction spends.
  lspKeyOf(tx) { return tx.channel.keys[1]; }

  // kickoffs are the outpoints that kickoffs above a change spend.
  kickoffs(ch) {
    return this.path().filter((n) => n.level < ch.node.level && n.kind === 1).map((n) => this.h.built.get(n).spent)
      .map(({ txid, index }) => ({ txid, output: index }));
  }

  clone() {
    const copy = Object.assign(Object.create(View.prototype), this, { due: new Map(this.due) });
    copy.h = Object.assign(Object.create(Object.getPrototypeOf(this.h)), this.h, {
      built: new Map(this.h.built), sales: new Map(this.h.sales), signed: new Map(this.h.signed),
      failed: [...this.h.failed], replaced: [...this.h.replaced],
    });
    return copy;
  }
}

// sameChange says whether two messages ask for the same change. The id of an
// update or of poison is that of an attempt.
export function sameChange(a, b) {
  if (a.name !== b.name) return false;
  const strip = (m) => (is(m, 'sale') ? m : { ...m, ceremony_id: '' });
  return isDeepStrictEqual(strip(a), strip(b));
}
