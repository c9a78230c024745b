// One channel of a party, from the messages of both sides: framing and contents of every
// message, per-commitment secrets and points, the commitments that are signed, the numbers
// of channel_reestablish, and what the party holds after each step.

import { channelID } from './batch.mjs';
import { Mismatch, same } from './exchange.mjs';
import { commitmentPoint, commitmentSecret, other } from './ledger.mjs';
import { hex, publicKey, unhex } from './noise.mjs';
import { settled, stateOf } from './orders.mjs';
import { Fault } from './reader.mjs';
import { first, quiets, resumes, toLock } from './waits.mjs';

const kinds = { update_add_htlc: 'add', update_fulfill_htlc: 'fulfil', update_fail_htlc: 'fail', update_fee: 'fee' };
const noSignature = '00'.repeat(64);

// Watcher follows one channel of a party. u is what the party knows of updates of
// the factory.
export class Watcher {
  constructor(ledger, u, number) {
    Object.assign(this, { l: ledger, u, number, before: undefined, batch: {}, named: {}, delta: {}, ready: {}, shut: {}, quiet: {}, mute: false, failed: false, opened: false });
  }

  clone(u) {
    const { l, u: shared, ...rest } = this;
    return Object.assign(new Watcher(l.clone(), u, this.number), structuredClone(rest));
  }

  get id() { return channelID(this.l.facts.output.txid, this.l.facts.output.output); }

  get absorbed() { return this.u.into.includes(this.number); }

  // moves reports whether the update moves this channel.
  get moves() { return this.u.to !== undefined && (this.number === 0 || this.absorbed); }

  get frozen() { return (this.l.next ?? this.l.outputs.at(-1))?.absorbed === true; }

  // ends is the end of the connection.
  ends() {
    this.l.takesBack();
    Object.assign(this, { batch: {}, named: {}, delta: {}, quiet: {}, aborting: false, echoes: false, mute: true });
    if (this.l.next && !this.u.begun && this.u.at !== this.l.next.txid) this.calledOff = true;
    if (this.l.side === 'opener' && !this.opened) this.gone = true; // it remembers from funding_signed on (PCF-095)
  }

  connects() { // the record knows nothing of what was called off (8.4)
    if (this.calledOff) this.drops();
    this.calledOff = false;
  }

  // drops forgets a change, and keeps what was signed for it (CHG-026).
  drops() {
    const l = this.l, next = l.next;
    l.next = undefined;
    if (!next?.sent || next.absorbed) return;
    const was = l.theirs.find((t) => t.number === l.given && t.output.txid === next.txid);
    if (!l.calledOff.some((o) => o.number === l.given && JSON.stringify(o.state) === JSON.stringify(was.state))) l.calledOff.push(was);
  }

  seed(side) { return this.l.facts[side === 'opener' ? 'lsp' : 'client'].per_commitment_seed; }

  compare(seen) {
    const l = this.l;
    const holds = {
      commitment_number: l.own, revoked_by_peer: l.peer, funding_txids: l.outputs.map((o) => o.txid), ...(l.next ? { change_txid: l.next.txid } : {}),
      opener_msat: l.balance.opener, accepter_msat: l.balance.accepter, htlcs: l.htlcs, ...(l.replaced.length ? { replaced_txids: l.replaced } : {}),
      ...(l.calledOff.length ? { called_off_txids: l.calledOff.map((o) => o.output.txid) } : {}),
    };
    if (seen?.holds) this.before = seen.holds;
    if (!this.forgotten) same(`holds of channel ${this.number}`, holds, this.before ?? holds);
    if (seen?.state) this.state = seen.state;
    if (this.state) same(`state of channel ${this.number}`, stateOf(this), settled(this.state, this));
  }

  // said is a message of a side.
  said(by, m, h) {
    const l = this.l;
    const kind = kinds[m.name];
    if (kind && !h.fault && this.frozen) throw new Mismatch('an update on a channel that goes into another (CHG-018)');
    if (kind === 'fee' && !h.fault && l.zeroFee) throw new Mismatch('a feerate where commitments pay none (CHAN-034)');
    if (kind && !h.fault) l.adds({ kind, by, id: m.id, rate: m.feerate_per_kw, amount_msat: m.amount_msat, payment_hash: m.payment_hash, cltv_expiry: m.cltv_expiry });
    this[m.name]?.(by, m, h);
  }

  // An HTLC that would bring what a client risks above its limit has to fail (CHAN-012).
  update_add_htlc(by, m, h) {
    const limit = this.l.facts.limits?.max_exposure_msat;
    if (h.fault || limit === undefined || by === this.l.side || this.l.side !== 'accepter') return;
    if (this.l.towards > limit) this.l.updates.at(-1).refused = true;
  }

  // fails compares who fails an HTLC for a limit: that of the client, or the end of the
  // factory, whenever it was offered (CHG-030).
  fails(by, m, refused) {
    const add = this.l.updates.find((x) => x.kind === 'add' && x.by === other(by) && x.id === m.id);
    if (by === this.l.side && add) same('a limit', refused, add.refused === true || this.u.height >= (this.l.facts.limits?.until ?? Infinity));
  }

  update_fail_htlc(by, m, h) { if (m.compare) this.fails(by, m, m.compare === 'failure'); }

  update_fulfill_htlc(by, m, h) { this.fails(by, m, false); }

  funding_created(by, m, h) {
    const l = this.l, o = { ...l.facts.output, delta: {} };
    if (!h.fault || h.fault && m.funding_txid === o.txid && m.funding_output_index === o.output) l.outputs = [o];
    if (!h.fault) same('outpoint', [m.funding_txid, m.funding_output_index], [o.txid, o.output]);
    if (l.outputs.length > 0) this.looks('accepter', 0, l.outputs[0], m, h);
    if (h.fault && h.rule === 'CHAN-035') {
      const first = this.u.firsts[`${o.txid} ${o.output}`];
      if (!first || first === l.firstOfPeer(o)) throw new Mismatch('the first commitment is not another one');
    }
  }

  funding_signed(by, m, h) {
    const l = this.l, o = l.outputs[0];
    this.looks('opener', 0, o, m, h);
    this.opened = !h.fault;
    if (by !== l.side) return;
    const name = `${o.txid} ${o.output}`, first = l.firstOfPeer(o); // CHAN-035
    same('the first commitment on the output', first, this.u.firsts[name] ?? first);
    this.u.firsts[name] = first;
  }

  // looks at signatures, which are wrong where the file says so.
  looks(owner, number, output, m, h) {
    if (output.absorbed) {
      same('signatures where there is no commitment', [m.signature, m.htlc_signatures], [noSignature, []]);
      return;
    }
    const bad = h.fault && h.wrongSignature;
    try {
      this.l.verify(owner, number, output, m);
    } catch (e) {
      if (e instanceof Fault && bad) return;
      throw e;
    }
    if (bad) throw new Mismatch('the signature is right, the file calls it wrong');
  }

  channel_ready(by, m) {
    this.ready[by] = true;
    same('second_per_commitment_point', m.second_per_commitment_point, commitmentPoint(this.seed(by), 1));
  }

  start_batch(by, m, h) {
    if (!h.fault && m.batch_size >= 2 && m.message_type?.message_type === 132) this.batch[by] = { left: m.batch_size, list: [] };
  }

  commitment_signed(by, m, h) {
    const l = this.l, mine = by === l.side, txid = m.funding_txid?.funding_txid;
    if (h.fault && h.rule === 'CHG-021') {
      if (m.signature === noSignature && m.htlc_signatures.length === 0) throw new Mismatch('there are no signatures');
      return;
    }
    if (h.fault && h.rule === 'PCF-138') { // nothing but the moment is wrong
      const on = [...(this.batch[by]?.list ?? []), m].find((x) => x.funding_txid.funding_txid === l.outputs[0].txid);
      this.looks(l.side, l.own + 1, l.outputs[0], on, {});
    }
    if (h.fault && !h.wrongSignature) return;
    if (!this.batch[by] && first(this, m)) {
      if (!l.next) return; // it was on its way when the change was called off
      this.looks(other(by), mine ? l.given : l.own, l.next, m, h);
      if (!h.fault) l.next[mine ? 'sent' : 'got'] = true;
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
      this.owesRound = false;
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
    l.calledOff = l.calledOff.filter((o) => o.number >= l.peer); // on record now
    l.revokes(by);
  }

  stfu(by, m, h) { if (!h.fault) quiets(this, by, m.initiator === 1); }

  channel_reestablish(by, m, h) {
    const l = this.l;
    if (by !== l.side) {
      this.mute = false;
      this.takesLocked(by, m.my_current_funding_locked?.txid);
      this.asked = m.next_funding?.txid;
      resumes(this);
      return;
    }
    same('channel_reestablish', [m.next_commitment_number, m.next_revocation_number, m.my_current_per_commitment_point], [l.own + 1, l.peer, commitmentPoint(this.seed(by), l.own)]);
    const secret = l.peer > 0 ? hex(commitmentSecret(this.seed(other(by)), l.peer - 1)) : '00'.repeat(32);
    same('your_last_per_commitment_secret', m.your_last_per_commitment_secret, secret);
    same('next_funding', m.next_funding?.txid, l.next && !l.next.gotContinue ? l.next.txid : undefined);
    same('my_current_funding_locked', m.my_current_funding_locked?.txid, this.ready[by] ? l.lastLocked ?? l.facts.output.txid : undefined);
  }

  contributes(by, m) {
    if (!this.absorbed) this.shares(); // those that it absorbs come first (CHG-017)
    same('funding_pubkey', m.factory_change.funding_pubkey, hex(publicKey(unhex(this.l.facts[by === 'opener' ? 'lsp' : 'client'].funding_privkey))));
    this.delta[by] = m.factory_change.funding_contribution_satoshis;
  }

  factory_change_init(by, m, h) {
    if (h.fault) return;
    this.contributes(by, m);
    this.quiet.asked = true;
  }

  factory_change_ack(by, m, h) { if (!h.fault) this.contributes(by, m); }

  factory_change_funding(by, m, h) {
    const l = this.l, r = m.factory_change_funding;
    if (h.fault) return;
    same('new outpoint', [r.funding_txid, r.funding_output_index], [this.u.to.txid, this.u.to.output]);
    this.named[by] = true;
    if (!this.named.opener || !this.named.accepter) return;
    const shares = this.shares();
    same('contributions', [this.delta.opener, this.delta.accepter], [shares.opener, shares.accepter]);
    l.next = { ...this.u.to, delta: { ...this.delta }, ...(this.absorbed ? { absorbed: true, sent: true, got: true } : {}) };
    this.named = {};
  }

  // shares are the contributions of both sides: all that a channel holds which is
  // absorbed (CHG-017), and in the one that stays what the client took out of those, the
  // rest of the difference being the LSP's (CHG-004, CHG-019).
  shares() {
    const whole = (msat) => Math.floor(msat / 1000);
    if (this.absorbed) return { opener: -whole(this.l.balance.opener), accepter: -whole(this.l.balance.accepter) };
    let accepter = 0;
    for (const n of this.u.into) {
      const given = this.u.watchers[n].l.next;
      if (!given?.absorbed) throw new Mismatch(`channel ${n} is not committed (CHG-017)`);
      accepter -= given.delta.accepter;
    }
    return { opener: this.u.to.satoshis - this.l.outputs[0].satoshis - accepter, accepter };
  }

  factory_change_abort(by, m, h) {
    if (by === this.l.side) {
      if (!this.echoes) this.callsOff();
      this.echoes = false;
    } else if (this.aborting) this.aborting = false;
    else this.echoes = true;
    if (!h.fault && !this.u.pending) {
      this.drops();
      this.quiet = {};
    }
  }

  // callsOff waits for the other side's factory_change_abort. off is where the change led.
  callsOff() {
    this.aborting = true;
    this.off = this.l.next?.txid ?? (this.named[this.l.side] ? this.u.to?.txid : this.asked);
  }

  factory_change_continue(by, m, h) {
    const l = this.l;
    if (h.fault || !l.next) return;
    same('continued', m.factory_change_continue.funding_txid, l.next.txid);
    l.next[by === l.side ? 'sentContinue' : 'gotContinue'] = true;
    if (!l.next.sentContinue || !l.next.gotContinue) return;
    l.outputs.push(l.next);
    l.next = undefined;
    this.quiet = {};
  }

  factory_change_locked(by, m, h) {
    if (h.fault) return;
    const txid = m.factory_change_locked.locked_funding_txid;
    if (by === this.l.side) {
      same('factory_change_locked that is due', txid, toLock(this)?.txid);
      this.l.lastLocked = txid;
    }
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
    this.owesRound = true;
  }
}
