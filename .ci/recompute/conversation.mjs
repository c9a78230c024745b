// Conversations (SPEC.md 5 to 7): a second client that answers every message,
// beside the second pair of eyes on an LSP of lsp.mjs.

import { keySets, smallestCapacity } from './limits.mjs';
import { Coder, Mismatch, aggregateOK, checkSignatures, keysOf, no, ownNonces, reasonOf, reasons, same, signing, sorted } from './exchange.mjs';
import { lspAfter, tellLSP } from './lsp.mjs';
import { hex, publicKey, unhex } from './noise.mjs';
import { Fault } from './reader.mjs';
import { checkNodeKeys } from './scripts.mjs';
import { View, sameChange } from './view.mjs';

// Client is a client of one LSP.
class Client {
  constructor() {
    Object.assign(this, { held: new Map(), record: [], spent: [], attempt: undefined });
  }

  clone() {
    const copy = new Client();
    copy.record = [...this.record];
    copy.spent = [...this.spent];
    for (const [id, h] of this.held) {
      const view = h.view.clone();
      copy.held.set(id, { ...h, view, changes: h.changes.map((ch) => ({ ...ch, run: { ...ch.run } })) });
    }
    return copy;
  }

  // answer handles a message and returns messages, the abort in place of them.
  answer(m, step) {
    Object.assign(this, { step, signs: [] });
    try {
      return this.receive(m);
    } catch (e) {
      if (!(e instanceof Fault)) throw e;
      this.fault = e;
      if (e.ends !== false) this.end();
      return [{ name: 'ceremony_abort', ceremony_id: m.ceremony_id, reason: reasons.indexOf(reasonOf(e.rule)) }];
    }
  }

  receive(m) {
    const opens = ['ceremony_invite', 'ceremony_update', 'ceremony_sale', 'ceremony_poison'].includes(m.name);
    const mine = this.attempt?.id === m.ceremony_id;
    const stay = (rule, field) => { throw Object.assign(new Fault('refused', field, undefined, rule), { ends: false }); };
    if (m.name === 'ceremony_abort') {
      if (mine) this.end();
      return [];
    }
    if (mine && m.name !== 'ceremony_invite') return this.go(m);
    if (!opens) stay('CER-004', 'ceremony_id');
    if (this.attempt) stay('CER-006', 'ceremony_id');
    if (m.name === 'ceremony_invite') return this.invited(m, stay);
    this.attempt = { id: m.ceremony_id, phase: 0 };
    return this.begin(m);
  }

  invited(m, stay) {
    if (this.held.has(m.ceremony_id)) stay('CER-032', 'ceremony_id');
    if (m.capacity < smallestCapacity(this.v.chain)) stay('CER-032', 'capacity');
    if (m.factory && !this.held.has(m.factory)) stay('CER-041', 'factory');
    const keys = this.keys(m.factory ?? m.ceremony_id), channel = this.keys(m.ceremony_id).channel_keys[0];
    const join = {
      name: 'ceremony_join', ceremony_id: m.ceremony_id, factory_key: hex(publicKey(unhex(keys.factory_key))),
      channel_key: hex(publicKey(unhex(channel))), payout_key: hex(publicKey(unhex(keys.payout_key))).slice(2),
    };
    this.attempt = { id: m.ceremony_id, phase: 0, state: 'joined', invite: m, join };
    return [join];
  }

  keys(id) { return keysOf(this.v, `client ${this.v.client}`, id); }

  // go is a row of the client's table.
  go(m) {
    const a = this.attempt, phase = m.phase === a.phase;
    if (m.name === 'ceremony_proposal' && a.state === 'joined' && !a.invite.factory) return this.proposed(m);
    if (m.name === 'ceremony_sale' && a.state === 'joined' && a.invite.factory) return this.begin(m);
    if (m.name === 'ceremony_aggregate' && a.state === 'proposed' && phase) return this.aggregate(m);
    if (m.name === 'ceremony_signatures' && a.state === 'signing' && phase) return this.complete(m);
    if (m.name === 'ceremony_funded' && a.state === 'stored') { this.end(); return []; }
    return no('CER-007', 'type');
  }

  proposed(m) {
    const a = this.attempt, { join } = a;
    const view = new View(m, this.v.chain, join.channel_key);
    if (m.factory_keys[m.client_index] !== join.factory_key) no('CER-011', 'factory_keys');
    const owner = m.owners[m.client_index];
    if (owner.payout_key !== join.payout_key) no('CER-011', 'owners');
    if (m.node_keys) checkNodeKeys(m.node_keys, keySets(view.h.f.levels, view.client), m.factory_keys, m.lsp_factory_key, () => no('CER-047', 'node_keys'));
    if (Math.abs(m.parameters.tip_height - this.height) > 6) no('TREE-003', 'parameters');
    if (owner.capacity < a.invite.capacity) no('CER-012', 'owners');
    Object.assign(a, { view, proposal: m, current: view.creation(), secret: this.keys(m.ceremony_id).factory_key });
    return [this.nonces()];
  }

  nonces() {
    const a = this.attempt;
    a.own = ownNonces(a.view, a.current.slots, unhex(a.secret), this.step.randomness);
    a.state = 'proposed';
    return { name: 'ceremony_nonces', ceremony_id: a.id, phase: a.phase, nonces: a.own.map((n) => hex(n.public)) };
  }

  aggregate(m) {
    const a = this.attempt, { slots } = a.current;
    if (m.aggregate_nonces.length !== slots.length) no('CER-020', 'aggregate_nonces');
    if (!m.aggregate_nonces.every(aggregateOK)) no('SIGN-004', 'aggregate_nonces');
    this.checkChain();
    slots.forEach((tx) => this.remember(tx));
    if (a.change && !a.change.run.poison && a.phase === 1) a.change.begun = true;
    this.record.push(...this.signs);
    const partials = slots.map((tx, i) => {
      const { session } = signing(a.view, tx, unhex(m.aggregate_nonces[i]));
      return hex(session.sign(a.own[i].secret, unhex(a.secret))); // verifies it, too
    });
    a.state = 'signing';
    return [{ name: 'ceremony_partials', ceremony_id: a.id, phase: a.phase, partial_signatures: partials }];
  }

  // remember puts a transaction on record (PS-010 to PS-012).
  remember(tx) {
    const kind = tx.name.split(' ')[0];
    const e = { txid: tx.spent.txid, output: tx.spent.index, kind, sequence: tx.sequence, sighash: tx.sighash };
    const before = this.record.filter((x) => x.txid === e.txid && x.output === e.output && x.kind === kind);
    if (before.some((x) => x.sighash === e.sighash)) return;
    if (kind !== 'state' && before.length > 0) no('PS-011', 'sighash');
    if (before.some((x) => x.sequence <= e.sequence)) no('DELAY-002', 'sequence');
    this.signs.push(e);
  }

  complete(m) {
    const a = this.attempt;
    checkSignatures(a.view, a.current, m, (tx) => a.view.lspKeyOf(tx));
    const stored = { name: 'ceremony_stored', ceremony_id: a.id, phase: a.phase };
    if (!a.change) {
      this.held.set(a.id, { view: a.view, changes: [] });
      a.state = 'stored';
      return [stored];
    }
    const { change: ch, view } = a;
    view.stored(ch.run, a.phase);
    ch.phases = Math.max(ch.phases, a.phase + 1);
    if (a.phase === ch.run.last) { this.end(); return [stored]; }
    a.phase++;
    return [stored, this.offer()];
  }

  offer() {
    const a = this.attempt;
    this.checkChain();
    a.current = a.view.phase(a.change.run, a.phase);
    return this.nonces();
  }

  begin(m) {
    const a = this.attempt, h = this.held.get(m.factory);
    if (!h) no('CER-041', 'factory');
    Object.assign(a, { view: h.view, held: h, secret: this.keys(m.factory).factory_key });
    const buyer = m.name === 'ceremony_sale' && m.buyer === h.view.client;
    const last = h.changes.at(-1);
    if (last && sameChange(last.m, m)) {
      if (buyer) this.agreed(m);
      a.change = last;
      return [this.offer()];
    }
    this.makeRoom(h, last);
    if (buyer) this.agreed(m);
    const run = h.view.open(m, buyer ? [a.join.channel_key, m.lsp_channel_key] : undefined);
    a.change = { m, run, begun: false, phases: 0 };
    h.changes.push(a.change);
    return [this.offer()];
  }

  // agreed checks that the buyer was asked before.
  agreed(m) {
    const { invite } = this.attempt;
    if (!invite || invite.factory !== m.factory || m.amount < invite.capacity) no('CER-012', 'amount');
  }

  makeRoom(h, last) {
    if (!last || last.phases > last.run.last) return;
    if (!last.begun && !last.run.poison) { h.changes.pop(); return; }
    if (last.run.sale) no('POI-009', 'factory');
  }

  checkChain() {
    const { view, change } = this.attempt;
    if (!change) return;
    if (this.unfunded && !change.run.poison && this.attempt.phase < 2) no('CER-044', 'factory');
    if (this.height >= view.exitHeight()) no('DELAY-007', 'factory');
    const out = view.kickoffs(change.run).some((o) => this.spent.some((s) => s.txid === o.txid && s.output === o.output));
    if (out) no(change.run.sale ? 'PS-004' : 'DELAY-006', 'node');
  }

  end() {
    const a = this.attempt;
    this.attempt = undefined;
    if (!a?.change) return;
    const { change: ch, held: h } = a;
    if (!ch.begun && ch.phases === 0) h.changes = h.changes.filter((x) => x !== ch);
    else if (ch.begun && ch.phases === 1) a.view.failed(ch.run);
  }
}

// tellClient runs a conversation of a client and compares every answer.
function tellClient(v, coder, client) {
  client.v = v;
  client.height = v.height;
  v.steps.forEach((step, i) => {
    const where = `step ${i} (${step.event})`;
    let answers = [];
    client.fault = undefined;
    client.signs = [];
    if (step.event === 'receive') answers = client.answer(coder.check(step.message), step);
    else if (step.event === 'chain') Object.assign(client, { height: step.height, unfunded: step.unfunded, spent: [...client.spent, ...(step.spent ?? [])] });
    else if (step.event === 'disconnect' || step.event === 'restart') client.end();
    else if (step.event === 'wait') answers = client.waited(step.seconds);
    (step.sends ?? []).forEach((s) => coder.check(s));
    same(`${where}: what is sent`, answers.map((m) => ({ to: 'lsp', bytes: coder.bytes(m) })), (step.sends ?? []).map(({ to, bytes }) => ({ to, bytes })));
    same(`${where}: what is put on record`, client.signs.map(sorted), (step.signs ?? []).map(sorted));
    same(`${where}: whether something is going on`, client.attempt !== undefined, step.state !== 'idle');
    if (client.attempt) same(`${where}: the state`, client.attempt.state, step.state);
    if (step.fault) checkFault(v, client.fault, answers[0]);
    else if (client.fault) throw new Mismatch(`${where}: refused (${client.fault.message}) where nothing is wrong`);
    if (answers.length > 0) client.silent = 0;
  });
  return client;
}

Client.prototype.waited = function waited(seconds) {
  this.silent = (this.silent ?? 0) + seconds;
  if (this.silent < 120 || !this.attempt) return [];
  const { id } = this.attempt;
  this.end();
  return [{ name: 'ceremony_abort', ceremony_id: id, reason: reasons.indexOf('deadline') }];
};

// The same fault by another name.
const alias = { 'CER-021': 'CER-007', 'POI-008': 'DELAY-006', 'CER-031': 'CER-004', 'SIGN-007': 'CER-022' };

function checkFault(v, fault, answer) {
  if (v.error.kind === 'ignored') return same('the answer to the fault', answer, undefined);
  same('the reason', reasons[answer?.reason], v.error.kind);
  if (!fault) return same('the rule', 'CER-033', v.error.rule);
  if (fault.rule !== v.error.rule && alias[v.error.rule] !== fault.rule) same('the rule', fault.rule, v.error.rule);
  return undefined;
}

// conversation recomputes a conversation; all are those of every file, by name.
export function conversation(v, layouts, all) {
  const coder = new Coder(layouts);
  if (v.party === 'client') return void tellClient(v, coder, clientAfter(v, coder, all));
  return void tellLSP(v, coder, lspAfter(v, coder, all));
}

const ends = new Map();

// clientAfter is the client at the start of a conversation.
function clientAfter(v, coder, all) {
  if (!v.after) return new Client();
  if (!ends.has(v.after)) {
    const before = all.get(v.after);
    const client = tellClient(before, coder, clientAfter(before, coder, all));
    client.end();
    ends.set(v.after, client);
  }
  return ends.get(v.after).clone();
}
