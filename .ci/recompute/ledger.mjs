// What one side knows of its channel, from the messages of both: updates, what
// each commitment says, and on which outputs (BOLT 2 and 3, SPEC.md 3.8).

import { commitment, secretBelow, unsigned } from './commitment.mjs';
import { Mismatch } from './exchange.mjs';
import { hex, publicKey, unhex } from './noise.mjs';

export const other = (side) => (side === 'opener' ? 'accepter' : 'opener');
const names = { opener: 'lsp', accepter: 'client' };

// How far an update has come: sent, signed by its sender, revoked by the
// receiver, signed by the receiver, revoked by the sender.
const sent = 0, signed = 1, acked = 2, returned = 3;
export const irrevocable = 4;

// commitmentSecret is that of a commitment number.
export const commitmentSecret = (seed, n) => secretBelow(unhex(seed), 48, (1n << 48n) - 1n - BigInt(n));
export const commitmentPoint = (seed, n) => hex(publicKey(commitmentSecret(seed, n)));

export class Ledger {
  constructor(side, facts) {
    Object.assign(this, {
      side, facts, own: 0, peer: 0, given: 0, updates: [], nextID: { opener: 0, accepter: 0 }, outputs: [], next: undefined, replaced: [],
      theirs: [], calledOff: [], zeroFee: isZeroFee(facts.type),
      balance: { opener: 1000 * facts.open.funding_satoshis, accepter: 0 }, feerate: facts.open.feerate_per_kw,
    });
  }

  clone() {
    const copy = Object.assign(new Ledger(this.side, this.facts), structuredClone({ ...this, facts: undefined }));
    copy.facts = this.facts;
    return copy;
  }

  get awaiting() { return this.given > this.peer; }

  // adds takes an update; one that is there already was sent again.
  adds(u) {
    const same = (x) => x.kind === u.kind && x.by === u.by && x.id === u.id && x.rate === u.rate && x.stage < irrevocable;
    if (!this.updates.some(same)) this.updates.push({ ...u, stage: sent });
  }

  // move brings updates of a side from some stages one further.
  move(by, from) {
    for (const u of this.updates) if (u.by === by && u.stage === from) u.stage++;
  }

  // signs is a commitment_signed of a side that is new.
  signs(by) {
    this.move(by, sent);
    this.move(other(by), acked);
  }

  revokes(by) {
    this.move(other(by), signed);
    this.move(by, returned);
    this.settle();
  }

  // settle books removals and feerates that are irrevocable.
  settle() {
    for (const u of this.updates.filter((x) => x.stage === irrevocable)) {
      if (u.kind === 'fee') this.feerate = u.rate;
      if (u.kind !== 'fulfil' && u.kind !== 'fail') continue;
      const added = this.updates.find((x) => x.kind === 'add' && x.by === other(u.by) && x.id === u.id);
      if (u.kind === 'fulfil') {
        this.balance[added.by] -= added.amount_msat;
        this.balance[u.by] += added.amount_msat;
      }
      this.updates = this.updates.filter((x) => x !== added && x !== u);
    }
    this.updates = this.updates.filter((x) => !(x.kind === 'fee' && x.stage === irrevocable));
  }

  // takesBack drops what nobody signed: the connection has ended.
  takesBack() { this.updates = this.updates.filter((u) => u.stage !== sent); }

  // towards is what the HTLCs of the other side sum to, in msat.
  get towards() { return this.updates.filter((u) => u.kind === 'add' && u.by !== this.side).reduce((n, u) => n + u.amount_msat, 0); }

  // firstOfPeer is the id of the LSP's commitment 0 on an output, as the client signs it.
  firstOfPeer(output) {
    return unsigned(this.says('opener', 0, output, {})).txid;
  }

  get htlcs() { return this.updates.filter((u) => u.kind === 'add').length; }

  // says is what the commitment of owner with a number says on an output, what
  // its signer has told at the moment it signs included.
  says(owner, number, output, extra) {
    const signer = other(owner), least = { [signer]: sent, [owner]: acked };
    const within = (u) => u.stage >= least[u.by];
    const removed = (h) => this.updates.find((u) => (u.kind === 'fulfil' || u.kind === 'fail') && u.by === other(h.by) && u.id === h.id && within(u));
    const balance = { ...this.balance };
    for (const side of ['opener', 'accepter']) balance[side] += 1000 * (output.delta?.[side] ?? 0);
    const htlcs = [];
    for (const h of this.updates.filter((u) => u.kind === 'add' && within(u))) {
      const end = removed(h);
      if (!end) {
        balance[h.by] -= h.amount_msat;
        htlcs.push({ offered_by: h.by, id: h.id, amount_msat: h.amount_msat, payment_hash: h.payment_hash, cltv_expiry: h.cltv_expiry });
      } else if (end.kind === 'fulfil') {
        balance[h.by] -= h.amount_msat;
        balance[end.by] += h.amount_msat;
      }
    }
    const rate = this.updates.filter((u) => u.kind === 'fee' && within(u)).at(-1)?.rate ?? this.feerate;
    const { open, accept } = this.facts;
    const mine = { opener: open, accepter: accept }[owner], theirs = { opener: accept, accepter: open }[owner];
    return {
      channel_type: this.zeroFee ? 'zero_fee_commitments' : 'option_anchors', owner, funding_txid: output.txid, funding_output: output.output, funding_satoshis: output.satoshis,
      commitment_number: number, per_commitment_point: commitmentPoint(this.facts[names[owner]].per_commitment_seed, number),
      opener: sideOf(this.facts.lsp), accepter: sideOf(this.facts.client), dust_limit_satoshis: mine.dust_limit_satoshis,
      to_self_delay: theirs.to_self_delay, feerate_per_kw: rate, opener_msat: balance.opener, accepter_msat: balance.accepter, htlcs, ...extra,
    };
  }

  // verify looks at the signatures of a message for the commitment of owner.
  verify(owner, number, output, m) {
    const state = this.says(owner, number, output, { signature: m.signature, htlc_signatures: m.htlc_signatures ?? [] });
    const got = commitment(state);
    if (got.signature !== m.signature) throw new Mismatch(`signature on ${output.txid} is ${got.signature}, the file says ${m.signature}`);
    if (owner === this.side) output.mine = state;
    else this.theirs.push({ number, output: { txid: output.txid }, state });
  }
}

// isZeroFee reports whether commitments of a channel type pay no fee: bit 40 is set.
function isZeroFee(type) {
  const b = unhex(type), i = b.length - 1 - 5;
  return i >= 0 && (b[i] & 1) === 1;
}

const sideOf = (s) => ({
  funding_privkey: s.funding_privkey, htlc_basepoint_secret: s.htlc_basepoint_secret,
  revocation_basepoint: hex(publicKey(unhex(s.revocation_basepoint_secret))), payment_basepoint: hex(publicKey(unhex(s.payment_basepoint_secret))),
  delayed_payment_basepoint: hex(publicKey(unhex(s.delayed_payment_basepoint_secret))),
});
