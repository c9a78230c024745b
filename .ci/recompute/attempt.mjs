// Channels that are being opened, up to accept_channel (SPEC.md 3.7 and 3.9): which ids are
// in use with whom, and what is answered.

import { same } from './exchange.mjs';
import { unhex } from './noise.mjs';
import { Fault, readMessage } from './reader.mjs';

export function attempt(layouts, v) {
  const open = [new Map(), new Map()]; // by peer: id to 'theirs', 'ours' or 'accepted'
  v.steps.forEach((h, i) => {
    const with_ = open[h.peer];
    let answer, id, rule;
    if (h.event === 'connect') with_.clear();
    else if (h.event === 'open') with_.set(h.temporary_channel_id, 'ours');
    else ({ answer, id, rule } = reacts(with_, readMessage(layouts, unhex(h.message), 32800)));
    same(`answer in step ${i}`, [answer, id, with_.size], [h.answer, h.answer_id, h.attempts]);
    if (h.fault !== (rule !== undefined || undefined)) throw new Error(`step ${i}: a fault is ${h.fault}`);
    if (rule) throw new Fault('error', 'temporary_channel_id', undefined, rule);
  });
}

function reacts(open, { message, fields: f }) {
  const id = f.temporary_channel_id ?? f.channel_id;
  const refuse = (rule) => {
    open.delete(id);
    return { answer: 'error', id, rule };
  };
  switch (message) {
    case 'open_channel':
      if (open.has(id)) return refuse('PCF-075');
      open.set(id, 'theirs');
      return { answer: 'accept_channel', id };
    case 'accept_channel':
      if (!open.has(id)) return refuse('PCF-079');
      if (open.get(id) !== 'ours') return refuse('PCF-165');
      open.set(id, 'accepted');
      return {};
    case 'error':
      open.delete(id);
      return {};
  }
  throw new Error(`no way to receive ${message}`);
}
