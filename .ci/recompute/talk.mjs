// Conversations of channels (SPEC.md 3.7, 3.8 and 8): framing and contents of every
// message, channel ids, per-commitment secrets and points, the commitments that are
// signed, the numbers of channel_reestablish, and what the party holds after each
// step, from the messages alone. The answer to a fault is not decided here.

import { channelID, messageOf } from './batch.mjs';
import { Mismatch, same } from './exchange.mjs';
import { Ledger, commitmentPoint, commitmentSecret, other } from './ledger.mjs';
import { hex, publicKey, unhex } from './noise.mjs';
import { Fault, readMessage } from './reader.mjs';

const kinds = { update_add_htlc: 'add', update_fulfill_htlc: 'fulfil', update_fail_htlc: 'fail', update_fee: 'fee' };

// Watcher follows one party.
class Watcher {
  constructor(ledger) { Object.assign(this, { l: ledger, begun: false, pending: false, to: undefined, before: undefined, batch: {}, named: {}, delta: {}, at: ledger.facts.output.txid }); }

  clone() {
    const { l, ...rest } = this;
    return Object.assign(new Watcher(l.clone()), structuredClone(rest));
  }

  // ends is the end of the connection.
  ends() {
    this.l.takesBack();
    Object.assign(this, { batch: {}, named: {}, delta: {} });
    if (!this.begun) this.to = undefined;
    if (this.l.next && !this.begun && this.at !== this.l.next.txid) this.calledOff = true;
  }

  seed(side) { return this.l.facts[side === 'opener' ? 'lsp' : 'client'].per_commitment_seed; }

  // step lets an event of a conversation happen.
  step(h, layouts) {
    const me = this.l.side;
    if (h.event === 'update' && h.output.txid !== this.at) this.to = h.output;
    if ((h.event === 'begin' || h.event === 'sign') && !h.refused) this.begun = true;
    if (this.begun && (h.event === 'sign' || me === 'accepter')) this.pending = true; // the LSP signs last (8.4)
    if (h.event === 'store' && this.to) Object.assign(this, { at: this.to.txid, to: undefined, begun: false, pending: false });
    if (h.event === 'disconnect') this.ends();
    if (h.event === 'connect' && this.calledOff) { // the record knows nothing of it (8.4)
      this.l.next = undefined;
      this.calledOff = false;
    }
    if (h.message) this.said(other(me), messageOf(layouts, h.message), h);
    for (const m of h.sends ?? []) this.said(me, messageOf(layouts, m), { ...h, fault: false });
    if (h.closes) this.ends();
    if (!h.fault) this.compare(h);
  }

  compare(h) {
    const l = this.l;
    const holds = {
      commitment_number: l.own, revoked_by_peer: l.peer, funding_txids: l.outputs.map((o) => o.txid), ...(l.next ? { change_txid: l.next.txid } : {}),
      opener_msat: l.balance.opener, accepter_msat: l.balance.accepter, htlcs: l.htlcs, ...(l.replaced.length ? { replaced_txids: l.replaced } : {}),
    };
    if (h.holds) this.before = h.holds;
    same('holds', holds, this.before ?? holds);
  }

  // said is a message of a side.
  said(by, m, h) {
    const l = this.l, id = m.channel_id ?? m[m.name]?.channel_id ?? m.factory_change?.channel_id;
    const first = channelID(l.facts.output.txid, l.facts.output.output);
    if (id !== undefined && !h.fault && !['warning', 'error'].includes(m.name)) same('channel_id', id, first);
    const kind = kinds[m.name];
    if (kind && !h.fault) l.adds({ kind, by, id: m.id, rate: m.feerate_per_kw, amount_msat: m.amount_msat, payment_hash: m.payment_hash, cltv_expiry: m.cltv_expiry });
    this[m.name]?.(by, m, h);
  }

  funding_created(by, m, h) {
    const l = this.l, o = { ...l.facts.output, delta: {} };
    if (!h.fault || h.fault && m.funding_txid === o.txid && m.funding_output_index === o.output) l.outputs = [o];
    if (!h.fault) same('outpoint', [m.funding_txid, m.funding_output_index], [o.txid, o.output]);
    if (l.outputs.length > 0) this.looks('accepter', 0, l.outputs[0], m, h);
  }

  funding_signed(by, m, h) { this.looks('opener', 0, this.l.outputs[0], m, h); }

  // looks at signatures, which are wrong where the file says so.
  looks(owner, number, output, m, h) {
    const bad = h.fault && h.wrongSignature;
    try {
      this.l.verify(owner, number, output, m);
    } catch (e) {
      if (e instanceof Fault && bad) return;
      throw e;
    }
    if (bad) throw new Mismatch('the signature is right, the file calls it wrong');
  }

  channel_ready(by, m) { same('second_per_commitment_point', m.second_per_commitment_point, commitmentPoint(this.seed(by), 1)); }

  start_batch(by, m, h) {
    if (!h.fault && m.batch_size >= 2 && m.message_type?.message_type === 132) this.batch[by] = { left: m.batch_size, list: [] };
  }

  commitment_signed(by, m, h) {
    const l = this.l, mine = by === l.side, txid = m.funding_txid?.funding_txid;
    if (h.fault && !h.wrongSignature) return;
    if (l.next && txid === l.next.txid) { // the first on a new output
      this.looks(other(by), mine ? l.given : l.own, l.next, m, h);
      return;
    }
    const b = this.batch[by] ?? { left: 1, list: [] };
    b.list.push(m);
    if (--b.left > 0) return;
    delete this.batch[by];
    if (mine) this.gives(b.list, h);
    else this.gets(b.list, h);
  }

  // each looks at the signatures for every output.
  each(owner, number, list, h) {
    for (const o of this.l.outputs) {
      const m = list.find((x) => x.funding_txid?.funding_txid === o.txid) ?? (this.l.outputs.length === 1 && list.length === 1 ? list[0] : undefined);
      if (!m) throw new Mismatch(`no signature for ${o.txid}`);
      const last = m === list.at(-1);
      this.looks(owner, number, o, m, { ...h, wrongSignature: h.wrongSignature && last });
    }
  }

  gives(list, h) {
    const l = this.l;
    if (!l.awaiting) {
      l.given++;
      this.each(other(l.side), l.given, list, h);
      l.signs(l.side);
    } else { // sent again: what was signed then is what the peer lacks
      this.each(other(l.side), l.given, list, h);
    }
  }

  gets(list, h) {
    const l = this.l;
    this.each(l.side, l.own + 1, list, h);
    if (h.fault) return;
    l.own++;
    l.signs(other(l.side));
    l.revokes(l.side);
  }

  revoke_and_ack(by, m, h) {
    const l = this.l, mine = by === l.side, n = mine ? l.own - 1 : l.peer;
    const right = m.per_commitment_secret === hex(commitmentSecret(this.seed(by), n));
    if (right === !!h.fault) throw new Mismatch(`per_commitment_secret of ${n} is ${right ? 'right' : 'wrong'}`);
    if (h.fault) return;
    same('next_per_commitment_point', m.next_per_commitment_point, commitmentPoint(this.seed(by), n + 2));
    if (mine) return;
    l.peer++;
    l.revokes(by);
  }

  channel_reestablish(by, m, h) {
    const l = this.l;
    if (by !== l.side) {
      this.takesLocked(by, m.my_current_funding_locked?.txid);
      return;
    }
    same('channel_reestablish', [m.next_commitment_number, m.next_revocation_number, m.my_current_per_commitment_point], [l.own + 1, l.peer, commitmentPoint(this.seed(by), l.own)]);
    const secret = l.peer > 0 ? hex(commitmentSecret(this.seed(other(by)), l.peer - 1)) : '00'.repeat(32);
    same('your_last_per_commitment_secret', m.your_last_per_commitment_secret, secret);
    same('next_funding', m.next_funding?.txid, l.next && !l.next.gotContinue ? l.next.txid : undefined);
    same('my_current_funding_locked', m.my_current_funding_locked?.txid, l.lastLocked ?? l.facts.output.txid);
  }

  contributes(by, m) {
    same('funding_pubkey', m.factory_change.funding_pubkey, hex(publicKey(unhex(this.l.facts[by === 'opener' ? 'lsp' : 'client'].funding_privkey))));
    this.delta[by] = m.factory_change.funding_contribution_satoshis;
  }

  factory_change_init(by, m, h) { if (!h.fault) this.contributes(by, m); }

  factory_change_ack(by, m, h) { if (!h.fault) this.contributes(by, m); }

  factory_change_funding(by, m, h) {
    const l = this.l, r = m.factory_change_funding;
    if (h.fault) return;
    same('new outpoint', [r.funding_txid, r.funding_output_index], [this.to.txid, this.to.output]);
    this.named[by] = true;
    if (!this.named.opener || !this.named.accepter) return;
    same('contributions', this.delta.opener + this.delta.accepter, this.to.satoshis - l.outputs[0].satoshis);
    l.next = { ...this.to, delta: { ...this.delta } };
    this.named = {};
  }

  factory_change_abort(by, m, h) {
    if (!h.fault && !this.pending) this.l.next = undefined;
  }

  factory_change_continue(by, m, h) {
    const l = this.l;
    if (h.fault || !l.next) return;
    same('continued', m.factory_change_continue.funding_txid, l.next.txid);
    l.next[by === l.side ? 'sentContinue' : 'gotContinue'] = true;
    if (!l.next.sentContinue || !l.next.gotContinue) return;
    l.outputs.push(l.next);
    l.next = undefined;
  }

  factory_change_locked(by, m, h) {
    if (h.fault) return;
    const txid = m.factory_change_locked.locked_funding_txid;
    if (by === this.l.side) this.l.lastLocked = txid;
    this.takesLocked(by, txid);
  }

  takesLocked(by, txid) {
    const l = this.l, o = l.outputs.slice(1).find((x) => x.txid === txid);
    if (!o) return;
    o[by] = true;
    if (!o.opener || !o.accepter) return;
    for (const side of ['opener', 'accepter']) l.balance[side] += 1000 * o.delta[side];
    l.replaced = [...l.replaced, ...l.outputs.filter((x) => x !== o).map((x) => x.txid)];
    l.outputs = [{ ...o, delta: {} }];
  }
}

const cache = new Map(); // of name and steps

// begins is the party as a conversation begins.
function begins(v, layouts, told) {
  if (v.after) {
    const before = told.get(v.after);
    const w = lived(before, v.after_steps ?? before.steps.length, layouts, told).clone();
    w.ends();
    return w;
  }
  const read = (bytes) => readMessage(layouts, unhex(bytes), 32800).fields;
  const facts = { ...v.channel, open: read(v.channel.open_channel), accept: read(v.channel.accept_channel) };
  return new Watcher(new Ledger(v.party === 'lsp' ? 'opener' : 'accepter', facts));
}

// lived is the party after n steps, its connection still there.
function lived(v, n, layouts, told) {
  const key = `${v.name} ${n}`;
  if (!cache.has(key)) {
    const w = n === 0 ? begins(v, layouts, told) : lived(v, n - 1, layouts, told).clone();
    if (n > 0) w.step(v.steps[n - 1], layouts);
    cache.set(key, w);
  }
  return cache.get(key);
}

export function talk(v, layouts, told) {
  const w = begins(v, layouts, told);
  const wrongSignature = v.error?.rule === 'CHAN-032' && (v.error.field === 'signature' || v.error.field === 'htlc_signatures');
  v.steps.forEach((h, i) => {
    try {
      w.step({ ...h, wrongSignature }, layouts);
    } catch (e) {
      if (e instanceof Mismatch || e instanceof Fault) throw new Mismatch(`step ${i} (${h.event}): ${e.message || JSON.stringify(e)}`);
      throw e;
    }
  });
  same('faults', v.steps.filter((h) => h.fault).length, v.error ? 1 : 0);
}
