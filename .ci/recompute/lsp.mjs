// What an LSP says in a ceremony, checked with the views of its clients: the
// proposals, the sum of all nonces, complete signatures, who is to blame.

import { RawTx, Transaction } from '@scure/btc-signer';
import { nonceAggregate } from '@scure/btc-signer/musig2.js';
import { Mismatch, checkSignatures, keysOf, nonceOK, order, ownNonces, reasons, same, signing, sorted } from './exchange.mjs';
import { keySets } from './limits.mjs';
import { hex, publicKey, unhex } from './noise.mjs';
import { nodeKeys } from './scripts.mjs';
import { View, sameChange } from './view.mjs';

const nameOf = (m) => m.name.replace('ceremony_', '');

// LSP knows what its clients hold.
class LSP {
  constructor() { Object.assign(this, { held: new Map(), record: new Set(), used: new Set(), attempts: new Map(), coins: 0, coin: '' }); }

  // restarted is the LSP with what its disk holds.
  restarted() {
    const copy = new LSP();
    Object.assign(copy, { record: new Set(this.record), coins: this.coins, coin: this.coin, order: this.order });
    for (const [id, clients] of this.held) {
      copy.held.set(id, new Map([...clients].map(([party, h]) => [party, { view: h.view.clone(), last: h.last && { ...h.last, run: { ...h.last.run } } }])));
    }
    return copy;
  }
}

// Attempt is one attempt and where its members stand.
class Attempt {
  constructor(id, kind) { Object.assign(this, { id, kind, phase: 0, members: new Map(), state: 'inviting' }); }

  all() { return [...this.members.values()]; }

  last() { return this.run?.last ?? 0; }
}

// hears returns who is to blame for a message, and why; undefined when it is
// what the attempt waits for. It takes the message in.
function hears(lsp, from, m, fault) {
  const a = lsp.attempts.get(m.ceremony_id), member = a?.members.get(from);
  if (m.name === 'ceremony_abort') return member && { member, reason: reasons[m.reason] };
  if (!member) return { reason: 'unknown-ceremony' };
  const blame = (reason) => ({ member, reason });
  const phase = m.phase === a.phase;
  switch (nameOf(m)) {
    case 'join':
      if (member.owes !== 'join') break;
      return joined(lsp, a, member, m) ? undefined : blame(member.bought ? 'recorded' : 'keys');
    case 'nonces':
      if (member.owes === 'stored' || member.owes === 'nothing' && a.state === 'storing') {
        if (m.phase !== a.phase + 1 || member.owes === 'stored') break;
        member.early = m;
        return undefined;
      }
      if (member.owes !== 'nonces' || !phase) break;
      return nonces(lsp, member, m) ? undefined : blame('nonces');
    case 'partials':
      if (member.owes !== 'partials' || !phase) break;
      if (m.partial_signatures.length !== member.current.slots.length) return blame('partial-signature');
      if (m.partial_signatures.some((p) => BigInt('0x' + p) >= order)) return blame('partial-signature');
      Object.assign(member, { partials: m.partial_signatures, owes: 'nothing' });
      return fault ? wrongPartials(a, member) : undefined; // else the complete signatures tell
    case 'stored':
      if (member.owes !== 'stored' || !phase) break;
      member.owes = 'nothing';
      stored(lsp, a);
      return undefined;
  }
  return blame('unexpected');
}

function joined(lsp, a, member, m) {
  const lspKey = hex(publicKey(unhex(keysOf(lsp.v, 'lsp', a.factory ?? a.id).factory_key)));
  const other = a.all().some((x) => x.join && (x.join.factory_key === m.factory_key || x.join.channel_key === m.channel_key));
  if (!a.factory && (other || m.factory_key === lspKey)) return false;
  if (member.bought && member.bought !== m.channel_key) return false;
  Object.assign(member, { join: m, owes: 'nothing' });
  return true;
}

function nonces(lsp, member, m) {
  if (m.nonces.length !== member.current.slots.length) return false;
  for (const n of m.nonces) {
    if (lsp.used.has(n) || !nonceOK(n)) return false;
    lsp.used.add(n);
  }
  Object.assign(member, { nonces: m.nonces, owes: 'nothing' });
  return true;
}

// shared are all signers of a slot with their nonces and partial signatures.
function shared(a, tx) {
  return a.all().flatMap((x) => {
    const i = x.current.slots.findIndex((other) => other.sighash === tx.sighash);
    return i < 0 ? [] : [{ member: x, i, key: x.view.proposal.factory_keys[x.view.client], nonce: x.nonces[i] }];
  });
}

// wrongPartials finds, once the partial signatures are all there, or those of a
// buyer, whose are wrong.
function wrongPartials(a, member) {
  const buyer = a.kind === 'sale' && a.phase === 1 && member.party === a.buyer;
  if (!buyer && a.all().some((x) => !x.partials)) return undefined;
  const bad = a.all().filter((x) => x.partials && (buyer ? x === member : true) && !partialsOK(a, x));
  return bad.length > 0 ? { member: bad[0], bad, reason: 'partial-signature' } : undefined;
}

function partialsOK(a, member) {
  return member.current.slots.every((tx, i) => {
    const { session, keys, place } = signing(member.view, tx, unhex(a.aggregates.get(tx.sighash)));
    const nonceOf = new Map([[a.lspKey, a.own.get(tx.sighash)], ...shared(a, tx).map((s) => [s.key, s.nonce])]);
    const all = keys.map((k) => unhex(nonceOf.get(hex(k))));
    return session.partialSigVerify(unhex(member.partials[i]), all, place(member.view.proposal.factory_keys[member.view.client]));
  });
}

// stored goes on once everybody has stored a phase.
function stored(lsp, a) {
  if (a.all().some((x) => x.owes !== 'nothing')) return;
  if (a.kind === 'create') {
    lsp.held.set(a.id, new Map(a.all().map((x) => [x.party, { view: x.view }])));
    return;
  }
  for (const x of a.all()) x.view.stored(x.change.run, a.phase);
  if (a.phase === a.last()) {
    for (const x of a.all()) x.change.done = true;
    lsp.attempts.delete(a.id);
    return;
  }
  a.phase++;
  for (const x of a.all()) startPhase(x, a);
  for (const x of a.all()) if (x.early) { const m = x.early; x.early = undefined; if (!nonces(lsp, x, m)) a.lateBlame = { member: x, reason: 'nonces' }; }
}

function startPhase(x, a) {
  x.current = a.kind === 'create' ? x.view.creation() : x.view.phase(x.change.run, a.phase);
  Object.assign(x, { owes: 'nonces', nonces: undefined, partials: undefined });
  Object.assign(a, { state: 'proposed', own: new Map(), aggregates: new Map(), randomness: undefined });
}

// says checks a message of the LSP to a client.
function says(lsp, step, to, m) {
  const a = lsp.attempts.get(m.ceremony_id);
  const member = a?.members.get(to);
  switch (nameOf(m)) {
    case 'invite': return invites(lsp, step, to, m);
    case 'proposal': return proposes(lsp, a, member, m);
    case 'update': case 'sale': case 'poison': return changes(lsp, step, to, m);
    case 'aggregate': return aggregates(lsp, step, a, member, m);
    case 'signatures': {
      same('the phase', m.phase, a.phase);
      checkSignatures(member.view, member.current, m, (tx) => member.view.lspKeyOf(tx));
      Object.assign(member, { owes: 'stored' });
      a.state = 'storing';
      return undefined;
    }
    case 'funded': return funded(a, step, m);
  }
  return undefined; // ceremony_abort: see answers
}

function invites(lsp, step, to, m) {
  let a = lsp.attempts.get(m.ceremony_id);
  if (!a) {
    a = new Attempt(m.ceremony_id, m.factory ? 'sale' : 'create');
    Object.assign(a, { factory: m.factory, buyer: m.factory && to });
    const resumed = m.factory && lsp.held.get(m.factory).get(to).last?.m.ceremony_id === m.ceremony_id;
    if (!resumed) same('a new ceremony_id', m.ceremony_id, step.randomness);
    lsp.attempts.set(a.id, a);
  }
  if (m.factory === undefined) same('the capacity', m.capacity, lsp.order.capacities[Number(to.split(' ')[1])]);
  if (step.event === 'sell') same('the amount', m.capacity, step.order.amount);
  const last = m.factory && lsp.held.get(m.factory).get(to).last;
  const bought = last?.m.ceremony_id === m.ceremony_id ? last.bought : undefined;
  for (const [party, h] of (m.factory ? group(lsp, m.factory, to) : [])) a.members.set(party, { party, owes: 'nothing', view: h.view });
  a.members.set(to, { party: to, owes: 'join', capacity: m.capacity, bought, view: a.members.get(to)?.view });
}

// group are the clients that share a stock with one of them.
function group(lsp, factory, party) {
  const clients = lsp.held.get(factory), { view } = clients.get(party);
  const [first, c] = view.h.leafOf(view.client).groups.find(([f, n]) => view.client >= f && view.client < f + n);
  return [...clients].filter(([, h]) => h.view.client >= first && h.view.client < first + c);
}

function proposes(lsp, a, member, m) {
  if (a.state === 'inviting') {
    a.state = 'proposed';
    lsp.coins++;
    for (const [party, x] of a.members) if (!x.join) a.members.delete(party); // left out
  }
  const secret = keysOf(lsp.v, 'lsp', a.id);
  a.lspKey = hex(publicKey(unhex(secret.factory_key)));
  const view = new View(m, lsp.v.chain, member.join.channel_key);
  const { tip_height, expiry } = m.parameters; // View has checked the expiry
  same('parameters', sorted(m.parameters), sorted({ ...lsp.order.parameters, tip_height: lsp.height, expiry }));
  same('tip_height', tip_height, lsp.height);
  same('shape', sorted(m.shape), sorted(lsp.order.shape));
  same('lsp_factory_key', m.lsp_factory_key, a.lspKey);
  same('lsp_channel_key', m.lsp_channel_key, hex(publicKey(unhex(secret.channel_keys[m.client_index]))));
  same('factory_keys', m.factory_keys, a.all().map((x) => x.join.factory_key));
  same('owners', m.owners, a.all().map((x) => ({ capacity: x.capacity, payout_key: x.join.payout_key })));
  same('the client', a.all()[m.client_index].party, member.party);
  same('node_keys', m.node_keys, nodeKeys(keySets(view.h.f.levels, view.client), m.factory_keys, m.lsp_factory_key));
  const root = view.h.built.get(view.h.f.levels[0][0]).spent;
  same('the funding transaction', fundingTxid(lsp.coin, lsp.coins, root), m.funding.txid);
  Object.assign(member, { view });
  startPhase(member, a);
}

// fundingTxid is the transaction that an attempt's coin pays.
function fundingTxid(coin, index, root) {
  const bytes = RawTx.encode({
    version: 2, segwitFlag: false, lockTime: 0,
    inputs: [{ txid: unhex(coin).reverse(), index, finalScriptSig: new Uint8Array(0), sequence: 0xffffffff }],
    outputs: [{ amount: root.value, script: unhex(root.script) }],
  });
  const tx = Transaction.fromRaw(bytes, { allowUnknownInputs: true, allowUnknownOutputs: true, disableScriptCheck: true, allowUnknown: true });
  return hex(unhex(tx.id).reverse());
}

function changes(lsp, step, to, m) {
  let a = lsp.attempts.get(m.ceremony_id);
  if (!a) lsp.attempts.set(m.ceremony_id, a = new Attempt(m.ceremony_id, nameOf(m)));
  const h = lsp.held.get(m.factory).get(to), secret = keysOf(lsp.v, 'lsp', m.factory);
  const buyer = m.name === 'ceremony_sale' && m.buyer === h.view.client;
  const join = a.members.get(to)?.join;
  const keys = buyer ? [join.channel_key, m.lsp_channel_key] : undefined;
  if (m.name === 'ceremony_sale') same('lsp_channel_key', m.lsp_channel_key, hex(publicKey(unhex(keysOf(lsp.v, 'lsp', m.ceremony_id).channel_keys[0]))));
  if (!h.last || h.last.done || !sameChange(h.last.m, m)) h.last = { m, run: h.view.open(m, keys) };
  h.last.m = m;
  if (buyer) h.last.bought = join.channel_key;
  a.run = h.last.run;
  a.lspKey = hex(publicKey(unhex(secret.factory_key)));
  a.factory = m.factory;
  const member = { party: to, join, view: h.view, change: h.last };
  a.members.delete(to);
  a.members.set(to, member);
  startPhase(member, a);
}

// aggregates checks that an aggregate is the sum of what the signers sent and
// of the LSP's own nonce.
function aggregates(lsp, step, a, member, m) {
  a.randomness ??= step.randomness;
  a.state = 'signing';
  const { slots } = member.current;
  same('the phase', m.phase, a.phase);
  same('the number of aggregates', m.aggregate_nonces.length, slots.length);
  const secret = unhex(keysOf(lsp.v, 'lsp', a.factory ?? a.id).factory_key);
  slots.forEach((tx, i) => {
    if (!a.aggregates.has(tx.sighash)) {
      const [own] = ownNonces(member.view, [tx], secret, a.randomness);
      a.own.set(tx.sighash, hex(own.public));
      a.aggregates.set(tx.sighash, hex(nonceAggregate([...shared(a, tx).map((s) => unhex(s.nonce)), own.public])));
    }
    same('an aggregate nonce', m.aggregate_nonces[i], a.aggregates.get(tx.sighash));
  });
  member.owes = 'partials';
}

function funded(a, step, m) {
  const tx = Transaction.fromRaw(unhex(m.funding_tx), { allowUnknownInputs: true, allowUnknownOutputs: true, disableScriptCheck: true, allowUnknown: true });
  same('what is broadcast', hex(unhex(tx.id).reverse()), step.broadcasts);
  same('the funding transaction', step.broadcasts, a.all()[0].view.proposal.funding.txid);
  a.over = true;
}

// aborted checks the aborts that answer a fault, and ends the attempt.
function aborted(lsp, a, blame, aborts) {
  const index = (x) => (a.kind === 'create' && a.state === 'inviting' ? undefined : x?.view?.client);
  const guilty = blame.bad ?? (blame.member ? [blame.member] : []);
  const expected = a.all().filter((x) => guilty.includes(x) || a.kind !== 'create' || a.state !== 'inviting').map((x) => {
    const named = a.kind === 'create' && guilty.includes(x) ? x : guilty[0];
    return [x.party, a.kind !== 'create' || guilty.includes(x) || guilty.length === 0 ? blame.reason : 'restart', index(named) ?? blame.client?.(x)];
  });
  const byParty = (list) => list.sort(([x], [y]) => (x < y ? -1 : 1)).map(([party, reason, client]) => [party, reason, client ?? -1]);
  same('the aborts', byParty(aborts.map(([to, m]) => [to, reasons[m.reason], m.guilty])), byParty(expected));
  if (a.kind === 'create' && a.state === 'inviting') {
    for (const x of guilty) a.members.delete(x.party);
    return;
  }
  lsp.attempts.delete(a.id);
  const begun = a.kind !== 'poison' && (a.phase > 1 || a.phase === 1 && a.aggregates?.size > 0);
  for (const x of a.all()) {
    if (!x.change) continue;
    if (begun) x.view.failed(x.change.run);
    else x.change.done = true;
  }
}

// tellLSP runs a conversation of an LSP and checks everything that it says.
export function tellLSP(v, coder, lsp) {
  Object.assign(lsp, { v, height: v.height, state: 'idle' });
  v.steps.forEach((step, i) => {
    try {
      tellStep(v, coder, lsp, step);
    } catch (e) {
      e.message = `step ${i} (${step.event}): ${e.message}`;
      throw e;
    }
  });
  return lsp;
}

function tellStep(v, coder, lsp, step) {
  if (step.order?.coin) Object.assign(lsp, { coin: step.order.coin, order: step.order });
  if (step.event === 'chain') lsp.height = step.height;
  const before = step.message && lsp.attempts.get(step.message.records.ceremony_id.ceremony_id);
  let blames = [];
  if (step.event === 'receive') {
    const m = coder.check(step.message), a = lsp.attempts.get(m.ceremony_id);
    const blame = hears(lsp, step.from, m, step.fault) ?? a?.lateBlame;
    if (blame) blames.push([a, blame]);
    if (blame?.reason === 'unknown-ceremony') {
      same('the answer', (step.sends ?? []).map((s) => [s.to, reasons[coder.check(s).reason]]), [[step.from, 'unknown-ceremony']]);
      return;
    }
  } else if (step.event === 'disconnect' || step.event === 'wait') {
    blames = missing(lsp, step);
  } else if (step.event === 'restart') {
    const fresh = lsp.restarted();
    Object.assign(lsp, fresh, { v });
  }
  if (blames.length > 0 && !step.fault && step.event !== 'disconnect') throw new Mismatch(`${blames[0][1].reason} where nothing is wrong`);
  const sent = (step.sends ?? []).map((s) => [s.to, coder.check(s)]);
  let aborts = sent.filter(([, m]) => m.name === 'ceremony_abort');
  if (step.fault && v.error.kind === 'chain' && aborts.length > 0) { // the LSP's own chain: nobody is named
    const a = lsp.attempts.get(aborts[0][1].ceremony_id);
    blames = [[a, { reason: 'chain' }]];
  }
  for (const [a, blame] of blames) {
    aborted(lsp, a, blame, aborts.filter(([, m]) => m.ceremony_id === a.id));
    aborts = aborts.filter(([, m]) => m.ceremony_id !== a.id);
    if (step.fault) same('the reason', blame.reason, v.error.kind);
  }
  same('aborts that nobody deserves', aborts, []);
  for (const [to, m] of sent) says(lsp, step, to, m);
  for (const a of lsp.attempts.values()) complete(a, sent);
  for (const [id, a] of lsp.attempts) if (a.over) lsp.attempts.delete(id);
  recorded(lsp, step, before, sent);
  if (step.event !== 'receive' && step.refused !== undefined) same('refused', step.refused, true);
  for (const [, m] of sent) lsp.state = states[nameOf(m)] ?? lsp.state;
  if (lsp.attempts.size === 0 && !sent.some(([, m]) => m.name === 'ceremony_funded')) lsp.state = 'idle';
  same('the state', step.state, lsp.state);
}

const states = {
  invite: 'inviting', proposal: 'proposed', update: 'proposed', sale: 'proposed', poison: 'proposed', aggregate: 'signing',
  signatures: 'storing', funded: 'funded',
};

// complete checks that everybody hears what everybody has to hear, and that the
// LSP waits for somebody.
function complete(a, sent) {
  const parties = a.all().map((x) => x.party).sort();
  const names = new Set(sent.filter(([, m]) => m.ceremony_id === a.id).map(([, m]) => nameOf(m)));
  for (const name of names) {
    const buyerFirst = name === 'aggregate' && a.kind === 'sale' && a.phase === 1;
    if (name === 'invite' || name === 'abort' || buyerFirst) continue;
    same(`who hears ${name}`, sent.filter(([, m]) => m.ceremony_id === a.id && nameOf(m) === name).map(([to]) => to).sort(), parties);
  }
  if (!a.over && a.all().every((x) => x.owes === 'nothing')) throw new Mismatch('the LSP waits for nobody');
}

// missing are those whose connection ended, or who kept silent.
function missing(lsp, step) {
  const out = [];
  for (const a of lsp.attempts.values()) {
    const owes = (x) => x.owes !== 'nothing';
    const gone = step.event === 'wait' ? a.all().filter(owes)
      : a.all().filter((x) => x.party === step.from && !(a.kind === 'create' && a.state === 'storing' && !owes(x)));
    if (gone.length > 0) out.push([a, { member: gone[0], bad: a.kind === 'create' ? gone : undefined, reason: 'deadline' }]);
  }
  return out;
}

// recorded compares what is put on record with what is signed in this step: all
// of a phase, in any order.
function recorded(lsp, step, a, sent) {
  const completed = sent.some(([, m]) => m.name === 'ceremony_signatures');
  if (!completed && !step.signs) return;
  const entries = new Set();
  for (const { current } of a.all()) {
    for (const tx of [...current.slots, ...current.channels]) {
      const e = { txid: tx.spent.txid, output: tx.spent.index, kind: tx.name.split(' ')[0], sequence: tx.sequence, sighash: tx.sighash };
      const id = JSON.stringify(sorted(e));
      if (!lsp.record.has(id)) entries.add(id);
    }
  }
  const got = (step.signs ?? []).map((e) => JSON.stringify(sorted(e)));
  same('what is put on record', got.sort(), [...entries].sort());
  got.forEach((id) => lsp.record.add(id));
}

const ends = new Map();

// lspAfter is the LSP at the start of a conversation.
export function lspAfter(v, coder, all) {
  if (!v.after) return new LSP();
  if (!ends.has(v.after)) {
    const before = all.get(v.after);
    ends.set(v.after, tellLSP(before, coder, lspAfter(before, coder, all)));
  }
  return ends.get(v.after).restarted();
}
