// What a party of a channel conversation has to refuse, where it stands, and what it
// does about the chain (SPEC.md 3.8 and 8).

import { Transaction } from '@scure/btc-signer';
import { commitment, penalty, unsigned } from './commitment.mjs';
import { commitmentSecret, irrevocable, other } from './ledger.mjs';
import { hex, unhex } from './noise.mjs';

// committed reports whether both sides have signed for the change of a channel.
const committed = (w) => w.l.next?.sent && w.l.next?.got;

// refuses reports whether an order is not to be followed.
export function refuses(p, w, h) {
  const u = p.u, l = w.l;
  const moved = () => p.watchers.filter((x) => x.moves);
  const onNew = (x) => x.l.outputs.some((o) => o.txid === u.to.txid);
  switch (h.event) {
    case 'make': return !w.opened; // CHAN-001, CHAN-002
    case 'add': return w.frozen || u.height >= (l.facts.limits?.until ?? Infinity) || h.htlc.cltv_expiry < u.height + l.facts.warning + 18; // CHG-018, CHAN-011, PCF-086
    case 'begin': return !moved().every((x) => onNew(x) || (p.side === 'opener' ? committed(x) : x.l.next?.got)) || takesOther(p); // CHG-001, CHG-002, CHG-028
    case 'abort': return u.pending; // PCF-140
    case 'change': return !w.ready.opener || !w.ready.accepter || w.wants || w.shut.opener || w.shut.accepter || l.next !== undefined || w.aborting; // PCF-111
    case 'update': {
      if (h.output.txid === u.at || u.begun && h.output.txid === u.to?.txid) return false; // it completes what was interrupted
      const all = [p.watchers[0], ...(h.absorbs ?? []).map((n) => p.watchers[n])];
      return all.some((x) => x.l.outputs.length > 1 || x.aborting) // CHG-012, CHG-014
        || all.slice(1).some((x) => x.l.htlcs > 0) // CHG-020
        || p.side === 'opener' && (all.some((x) => inRound(x.l)) // CHG-012, CHG-022
          || all.length > 1 && p.watchers[0].l.calledOff.some((o) => o.output.txid === h.output.txid)); // CHG-027
    }
    default: return false;
  }
}

// inRound reports whether a commitment without updates waits for its revoke_and_ack.
const inRound = (l) => l.awaiting && l.updates.every((u) => u.kind === 'add' && u.stage === irrevocable);

// takesOther reports whether the channel that stays takes something else of the client
// than those that it absorbs give (CHG-028).
function takesOther(p) {
  const next = p.watchers[0].l.next;
  if (!next || p.u.into.length === 0) return false;
  return p.u.into.reduce((n, i) => n + (p.watchers[i].l.next?.delta.accepter ?? NaN), next.delta.accepter) !== 0;
}

// settled is a state as far as messages tell it: a change may be negotiated before
// anything is said about it.
export const settled = (state, w) => (state !== 'negotiating' ? state : w.l.outputs.length > 1 ? 'continued' : 'normal');

// stateOf is where a channel stands, after the tables of 3.8 and 8.4.
export function stateOf(w) {
  const l = w.l;
  if (w.gone) return 'forgotten';
  if (w.failed) return 'failed';
  if (w.forgotten) return 'forgotten';
  if (!w.ready.opener || !w.ready.accepter) return 'opening';
  if (l.outputs.length === 1 && l.outputs[0].absorbed) return 'over';
  if (l.next) return committed(w) ? 'committed' : 'funded';
  return l.outputs.length > 1 ? 'continued' : 'normal';
}

// obliged is what a party does beside its messages.
export function obliged(p, h, failed) {
  const out = {};
  const leaves = p.watchers.some((w, n) => w.usable && (w.failed && !w.forgotten && !failed[n] || h.event === 'block' && close(p, w)));
  if (leaves) out.leaves = true; // CHAN-010, CHAN-021
  if (h.event === 'confirmed') out.publishes = [latest(p.watchers[0], h.txid)];
  if (h.event === 'spent') {
    const taken = punished(p, h.transaction);
    if (taken) out.punishes = taken;
  }
  return out;
}

// close reports whether an HTLC is so close to its expiry that the way out has to
// start (PCF-089, PCF-090).
function close(p, w) {
  if (w.failed) return false;
  const l = w.l, height = p.u.height, warning = l.facts.warning;
  return l.updates.filter((u) => u.kind === 'add').some((u) => {
    if (u.by === p.side) return height + warning >= u.cltv_expiry;
    const known = l.updates.some((x) => x.kind === 'fulfil' && x.by === p.side && x.id === u.id);
    return known && height >= u.cltv_expiry - warning - 18;
  });
}

// latest is the party's commitment on an output, complete (CHAN-024).
function latest(w, txid) {
  const o = w.l.outputs.find((x) => x.txid === txid);
  return commitment(o.mine).signed_commitment_tx;
}

// punished is what a party takes of a commitment that the other side has revoked
// (CHAN-025, CHG-026).
function punished(p, bytes) {
  const raw = Transaction.fromRaw(unhex(bytes), { allowUnknownInputs: true, allowUnknownOutputs: true, disableScriptCheck: true, allowUnknown: true });
  for (const w of p.watchers) {
    const l = w.l;
    const was = l.theirs.find((t) => unsigned(t.state).txid === hex(unhex(raw.id).reverse()));
    if (!was || was.number >= l.peer) continue;
    const names = { opener: 'lsp', accepter: 'client' };
    const secret = commitmentSecret(l.facts[names[other(p.side)]].per_commitment_seed, was.number);
    const { outputs, key } = penalty(was.state, l.facts[names[p.side]].revocation_basepoint_secret, secret);
    return { commitment_number: was.number, revocation_privkey: key, outputs };
  }
  return undefined;
}
