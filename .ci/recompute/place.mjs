// Messages out of place (SPEC.md 3.9): what a party does with a message that is right in
// itself, from where its conversation is.

import { messageOf } from './batch.mjs';
import { same } from './exchange.mjs';
import { commitmentSecret, other } from './ledger.mjs';
import { hex } from './noise.mjs';
import { stateOf } from './orders.mjs';
import { Fault } from './reader.mjs';
import { lived } from './talk.mjs';

const isUpdate = /^update_/;

export function place(v, layouts, told) {
  const before = told.get(v.in);
  if (!before || before.error) throw new Error(`${v.in} is no good conversation`);
  const p = lived(before, v.lived_steps, layouts, told);
  const m = messageOf(layouts, v.message);
  const by = other(p.side), w = p.about(m);
  const refuse = (kind, rule) => { throw new Fault(kind, m.name, undefined, rule); };
  if (m.name === 'warning') return 'ignored';
  if (w.failed) refuse('ignored', 'PCF-169');
  if (m.name === 'error') refuse('leaves', 'CHAN-021');
  if (w.mute && m.name !== 'channel_reestablish') refuse('warning', 'PCF-168');
  const update = isUpdate.test(m.name), works = update || m.name === 'commitment_signed' || m.name === 'stfu';
  if (works && (!w.ready.opener || !w.ready.accepter)) refuse('warning', 'PCF-166');
  if (update && w.quiet[by]) refuse('warning', 'PCF-167');
  if (stateOf(w) === 'over' && (m.name === 'stfu' || m.name === 'shutdown')) refuse('warning', 'PCF-170');
  if (m.name === 'revoke_and_ack') {
    same('per_commitment_secret', m.per_commitment_secret, hex(commitmentSecret(w.seed(by), w.l.peer))); // right in itself
    if (!w.l.awaiting) refuse('failed', 'PCF-171');
  }
  return 'taken';
}
