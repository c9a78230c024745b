// Conversations of channels (SPEC.md 3.7, 3.8 and 8): a party with all its channels, step
// by step, from the messages alone. watcher.mjs follows one channel. Which orders are
// refused, what a party takes of a commitment in a block and when it leaves is decided in
// orders.mjs; the answer to a message that is a fault is not decided here.

import { messageOf } from './batch.mjs';
import { Mismatch, same } from './exchange.mjs';
import { Ledger, other } from './ledger.mjs';
import { unhex } from './noise.mjs';
import { obliged, refuses } from './orders.mjs';
import { Fault, readMessage } from './reader.mjs';
import { compares, judges, keepsBack, passes } from './waits.mjs';
import { Watcher } from './watcher.mjs';

// rightButLate are rules that fail an HTLC when it is committed: nothing is wrong with the
// message that does.
const rightButLate = ['CHG-030', 'CHAN-012'];

// Party follows all channels of a party: u is what it knows of updates of the
// factory.
class Party {
  constructor(side, facts) {
    this.side = side;
    this.facts = facts;
    this.u = { begun: false, pending: false, to: undefined, into: [], at: facts[0].output.txid, firsts: {}, height: facts[0].height, live: true, now: 0 };
    this.watchers = facts.filter((f, n) => n === 0 || f.output.txid !== facts[0].output.txid).map((f, n) => this.watch(f, n));
    this.u.watchers = this.watchers;
  }

  watch(facts, n) { return new Watcher(new Ledger(this.side, facts), this.u, n); }

  clone() {
    const { watchers, u, ...rest } = this;
    const copy = Object.assign(Object.create(Party.prototype), rest);
    const { watchers: all, ...own } = u;
    copy.u = structuredClone(own);
    copy.watchers = watchers.map((w) => w.clone(copy.u));
    copy.u.watchers = copy.watchers;
    return copy;
  }

  ends() {
    for (const w of this.watchers) w.ends();
    if (!this.u.begun) Object.assign(this.u, { to: undefined, into: [] });
  }

  // about is the channel of a message: the last one with its id.
  about(m) {
    if (m.name === 'funding_created') return this.watchers.findLast((w) => w.l.facts.open.temporary_channel_id === m.temporary_channel_id);
    const id = m.channel_id ?? m[m.name]?.channel_id ?? m.factory_change?.channel_id;
    return this.watchers.findLast((w) => w.id === id);
  }

  // step lets an event of a conversation happen.
  step(h, layouts) {
    if (h.event === 'reopen') {
      this.watchers.push(this.watch(this.facts[h.channel], h.channel));
      this.watchers.at(-1).state = 'opening';
    }
    const u = this.u, w = this.watchers[h.channel ?? 0];
    if (h.event === 'block') u.height = h.height;
    const failed = this.watchers.map((x) => x.failed);
    same('refused', refuses(this, w, h) === true, h.refused === true);
    if (!h.refused) this.orders(h, w);
    if (h.event === 'wait') this.waits(h);
    if (h.message) this.hears(other(this.side), messageOf(layouts, h.message), rightButLate.includes(h.rule) ? { ...h, fault: false } : h);
    for (const m of h.sends ?? []) this.hears(this.side, { ...messageOf(layouts, m), compare: m.compare }, { ...h, fault: false });
    if (h.fault && rightButLate.includes(h.rule)) same('fails the HTLC', h.sends?.some((m) => m.name === 'update_fail_htlc') === true, true);
    const owes = obliged(this, h, failed);
    for (const name of ['leaves', 'publishes', 'punishes']) same(name, owes[name], h[name]);
    if (h.closes) this.ends();
    if (h.fault) return;
    if (!h.closes) for (const x of this.watchers) keepsBack(x);
    this.watchers.forEach((x, n) => x.compare(n === 0 ? h : h.others?.find((o) => o.channel === n)));
  }

  // orders are what the party itself, its router or its ceremony wants.
  orders(h, w) {
    const u = this.u;
    if (h.event === 'update' && h.output.txid !== u.at) Object.assign(u, { to: h.output, into: h.absorbs ?? [] });
    if (h.event === 'begin' || h.event === 'sign') u.begun = true;
    if (u.begun && (h.event === 'sign' || this.side === 'accepter')) u.pending = true; // the LSP signs last (8.4)
    if (h.event === 'store' && u.to) Object.assign(u, { at: u.to.txid, to: undefined, into: [], begun: false, pending: false });
    if (h.event === 'end' && !u.begun) u.live = false;
    if (h.event === 'poison') u.alone = u.at;
    if (h.event === 'usable') w.usable = true;
    if (h.event === 'shutdown') w.wants = true;
    if (h.event === 'drop' || h.event === 'forget') w.forgotten = true;
    if (h.event === 'confirmed' || h.event === 'spent') w.failed = true;
    if (h.event === 'disconnect') this.ends();
    if (h.event === 'connect') for (const x of this.watchers) x.connects();
  }

  // waits ends the connection where somebody has waited for too long.
  waits(h) {
    const rule = passes(this, h.seconds);
    same('closes', h.closes === true, rule !== undefined);
    if (h.fault) same('who waits too long', rule, h.rule);
  }

  // hears is a message of either side.
  hears(by, m, h) {
    const w = this.about(m);
    if (m.name === 'error' && m.channel_id === '00'.repeat(32)) { // CHAN-022
      for (const x of this.watchers) x.failed = true;
      return;
    }
    if (m.name === 'error') {
      if (w && !(by === this.side && this.watchers.some((x) => x.id === w.id && x.failed))) w.failed = true;
      return;
    }
    if (m.name === 'warning') return;
    if (h.fault && (!w && h.rule === 'PCF-106' || w?.forgotten)) { // CHAN-008, PCF-092
      const id = m[m.name]?.channel_id ?? m.factory_change?.channel_id ?? m.channel_id;
      same('error for the channel', h.sends.map((x) => [x.name, x.fields.channel_id]), [['error', id]]);
      return;
    }
    if (!w && !h.fault) throw new Mismatch(`${m.name} is for no channel`);
    if (w && by !== this.side) compares(judges(w, by, m), h);
    if (m.name === 'shutdown') w.shut[by] = true;
    (w ?? this.watchers[0]).said(by, m, h);
  }
}

const cache = new Map(); // of name and steps

// begins is the party as a conversation begins.
function begins(v, layouts, told) {
  if (v.after) {
    const before = told.get(v.after);
    const p = lived(before, v.after_steps ?? before.steps.length, layouts, told).clone();
    p.ends();
    return p;
  }
  const read = (bytes) => readMessage(layouts, unhex(bytes), 32800);
  const { others = [], ...zero } = v.channel;
  const facts = [zero, ...others].map((c) => {
    const open = read(c.open_channel), accept = read(c.accept_channel);
    return {
      ...c, height: zero.height, limits: zero.limits, open: open.fields, accept: accept.fields, type: open.records.channel_type.type,
      warning: open.records.channel_in_factory.factory_early_warning_time,
    };
  });
  return new Party(v.party === 'lsp' ? 'opener' : 'accepter', facts);
}

// lived is the party after n steps, its connection still there.
export function lived(v, n, layouts, told) {
  const key = `${v.name} ${n}`;
  if (!cache.has(key)) {
    const p = n === 0 ? begins(v, layouts, told) : lived(v, n - 1, layouts, told).clone();
    if (n > 0) p.step(v.steps[n - 1], layouts);
    cache.set(key, p);
  }
  return cache.get(key);
}

export function talk(v, layouts, told) {
  const p = begins(v, layouts, told);
  const wrongSignature = v.error?.rule === 'CHAN-032' && (v.error.field === 'signature' || v.error.field === 'htlc_signatures');
  v.steps.forEach((h, i) => {
    try {
      p.step({ ...h, wrongSignature, rule: v.error?.rule }, layouts);
    } catch (e) {
      if (e instanceof Mismatch || e instanceof Fault) throw new Mismatch(`step ${i} (${h.event}): ${e.message || JSON.stringify(e)}`);
      throw e;
    }
  });
  same('faults', v.steps.filter((h) => h.fault).length, v.error ? 1 : 0);
}
