// Who waits for whom in a change of a channel (SPEC.md 3.8): quiescence and its minute,
// factory_change_locked, the round behind it, and the answer to factory_change_abort.
// What a party has to send, and what comes at the wrong moment, is decided here from what
// both sides have said so far.

import { Mismatch, same } from './exchange.mjs';
import { irrevocable, other } from './ledger.mjs';

const minute = 60;

const both = (w) => w.quiet.opener && w.quiet.accepter;

// halfLocked reports whether one side has locked a change and the other has not.
const halfLocked = (w) => w.l.outputs.slice(1).some((o) => Boolean(o.opener) !== Boolean(o.accepter));

// clean reports whether no update of a side is on its way.
const clean = (w, side) => w.l.updates.every((u) => u.by !== side || u.stage === irrevocable);

// lives reports whether anything is said about a channel.
const lives = (w) => !w.mute && !w.failed && !w.forgotten && !w.gone && w.ready.opener && w.ready.accepter;

// quiets takes an stfu. Who began is the LSP where both did.
export function quiets(w, by, initiator) {
  if (by === w.l.side) {
    if (w.quiet[by]) throw new Mismatch('stfu twice');
    if (!mayQuiet(w)) throw new Mismatch('stfu has to wait: for a lock, a round, or an update');
  }
  w.quiet[by] = true;
  if (initiator && w.quiet.began !== 'opener') w.quiet.began = by;
  if (both(w)) limits(w);
  else if (by === w.l.side) w.quiet.limit = { at: w.u.now + minute, rule: 'PCF-173' };
}

// resumes goes back to quiescence after a reconnection, where a change is committed.
export function resumes(w) {
  if (!w.l.next) return;
  w.quiet = { opener: true, accepter: true };
  limits(w);
}

// limits is the end of quiescence: it has one where HTLCs are pending (PCF-146).
function limits(w) {
  w.quiet.limit = w.l.htlcs > 0 ? { at: w.u.now + minute, rule: 'PCF-146' } : undefined;
}

// mayQuiet reports whether the party may send stfu.
function mayQuiet(w) {
  const side = w.l.side, round = w.l.awaiting && clean(w, 'opener') && clean(w, 'accepter');
  return clean(w, side) && !halfLocked(w) && !w.owesRound && !round;
}

// toLock is the output whose factory_change_locked is due: what it replaces is dead. In
// quiescence it waits, and from the party's stfu on; but it answers the other side's lock
// as long as that has not sent stfu (PCF-172).
export function toLock(w) {
  const side = w.l.side, by = other(side);
  return w.l.outputs.slice(1).find((o) => o.txid === w.u.alone && !o[side] && !w.l.next && (!w.quiet[side] || o[by] && !w.quiet[by]));
}

// keepsBack throws where a party has not said what is due at the end of a step.
export function keepsBack(w) {
  if (!lives(w)) return;
  if (toLock(w)) throw new Mismatch('factory_change_locked is kept back (PCF-172)');
  if (w.owesRound && !w.l.awaiting && !both(w)) throw new Mismatch('the round is kept back (CHG-007)');
  if (w.quiet[other(w.l.side)] && !w.quiet[w.l.side] && mayQuiet(w)) throw new Mismatch('stfu is kept back');
}

// passes lets time pass for a party and returns the rule that ends the connection then.
export function passes(p, seconds) {
  p.u.now += seconds;
  return p.watchers.find((w) => lives(w) && w.quiet.limit?.at <= p.u.now)?.quiet.limit.rule;
}

// judges is the rule that a message of the other side is against, for the moment at which
// it comes. It has had no effect yet.
export function judges(w, by, m) {
  if (!lives(w)) return undefined;
  const l = w.l, pending = l.outputs.slice(1);
  if (m.name === 'factory_change_init') {
    if (w.aborting) return undefined;
    return both(w) && w.quiet.began === by && !w.quiet.asked && !l.next ? undefined : 'PCF-112';
  }
  if (m.name === 'factory_change_locked') return pending.some((o) => o.txid === m.factory_change_locked.locked_funding_txid) ? undefined : 'PCF-124';
  if (m.name !== 'commitment_signed') return undefined;
  const batch = w.batch[by];
  if (!batch && first(w, m)) return undefined;
  if (batch?.left > 1) return undefined;
  if (l.next || w.aborting) return 'PCF-138';
  return !batch && pending.length > 0 ? 'PCF-133' : undefined;
}

// first reports whether a commitment_signed is the first one on a new output; one for a
// change that the party has called off was on its way.
export function first(w, m) {
  const txid = m.funding_txid?.funding_txid;
  return txid !== undefined && (txid === w.l.next?.txid || w.aborting && txid === w.off);
}

// The moments that are decided here altogether, and how each is answered.
const decided = ['PCF-112', 'PCF-124', 'PCF-138'];
const answers = { 'PCF-112': ['warning', 'error'], 'PCF-124': ['warning', 'error'], 'PCF-133': ['error'], 'PCF-138': ['warning'] };

// alike are rules that a start_batch which is ignored leads to.
const alike = { 'PCF-132': 'PCF-133' };

// compares a judgement with what the file says.
export function compares(found, h) {
  const said = h.fault ? alike[h.rule] ?? h.rule : undefined;
  if (found === undefined) {
    if (decided.includes(said)) throw new Mismatch(`nothing is against ${said}`);
    return;
  }
  same('what a message is against', found, said);
  const last = h.sends?.at(-1)?.name;
  if (!answers[found].includes(last) || (last === 'warning') !== (h.closes === true)) throw new Mismatch(`${found} is answered with ${last}`);
}
