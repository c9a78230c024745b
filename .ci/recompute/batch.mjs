// Signatures of one commitment on every funding output (SPEC.md 3.8): which
// messages are taken, and what they sign.

import { isDeepStrictEqual } from 'node:util';
import { commitment } from './commitment.mjs';
import { Mismatch } from './exchange.mjs';
import { Fault, readMessage, writeMessage } from './reader.mjs';
import { hex, unhex } from './noise.mjs';

const envelope = 32800, commitmentSigned = 132, largest = 20;

// messageOf reads a message and compares it with what the file says of it; the
// onion is in the bytes alone.
export function messageOf(layouts, said) {
  const read = readMessage(layouts, unhex(said.bytes), envelope);
  const again = writeMessage(layouts, read, envelope);
  if (again !== said.bytes) throw new Mismatch(`${said.name} is written as ${again}`);
  const fields = { ...read.fields };
  delete fields.onion_routing_packet;
  const want = { message: said.name, fields: said.fields ?? {}, records: said.records ?? {}, unknown_records: said.unknown_records ?? [] };
  const got = { message: read.message, fields, records: read.records ?? {}, unknown_records: read.unknown_records ?? [] };
  if (!isDeepStrictEqual(JSON.parse(JSON.stringify(got)), want)) throw new Mismatch(`${said.name} says ${JSON.stringify(got)}`);
  return { name: read.message, ...read.fields, ...read.records };
}

// channelID is that of the channel that an output funds.
export function channelID(txid, index) {
  const id = Uint8Array.from(unhex(txid));
  id[30] ^= index >> 8;
  id[31] ^= index & 255;
  return hex(id);
}

// taken returns, for each output, the message that signs for it.
function taken(v, messages) {
  let batch, ignored = 'start_batch';
  const refuse = (kind, field, rule) => { throw new Fault(kind, field, undefined, rule); };
  for (const [i, m] of messages.entries()) {
    if (batch) {
      if (m.name !== 'commitment_signed') refuse('warning', batch.list.length < v.outputs.length ? 'start_batch' : 'batch_size', 'PCF-131');
      if (m.channel_id !== v.channel_id) refuse('warning', 'channel_id', 'PCF-131');
      if (batch.list.push(m) === batch.size) return ordered(v, batch.list, messages.slice(i + 1));
      continue;
    }
    if (m.name === 'start_batch') {
      if (m.batch_size > largest) refuse('warning', 'batch_size', 'PCF-131');
      const type = m.message_type?.message_type;
      if (m.batch_size < 2) ignored = 'batch_size';
      else if (type !== commitmentSigned) ignored = 'message_type';
      else batch = { size: m.batch_size, list: [] };
      continue;
    }
    if (v.outputs.length > 1) refuse('error', ignored, 'PCF-133');
    if (m.funding_txid && m.funding_txid.funding_txid !== v.outputs[0].funding_txid) throw new Mismatch('signs for another output');
    return [m];
  }
  throw new Mismatch('there is no whole batch');
}

function ordered(v, list, rest) {
  const byTxid = new Map();
  for (const m of list) {
    if (!m.funding_txid) throw new Fault('error', 'funding_txid', undefined, 'PCF-133');
    byTxid.set(m.funding_txid.funding_txid, m);
  }
  return v.outputs.map((o) => {
    const m = byTxid.get(o.funding_txid);
    if (!m) throw new Fault('error', rest.some((x) => x.name === 'commitment_signed') ? 'batch_size' : 'funding_txid', undefined, 'PCF-133');
    return m;
  });
}

export function batch(v, layouts) {
  if (channelID(v.outputs[0].funding_txid, v.outputs[0].funding_output) !== v.channel_id) throw new Mismatch('another channel_id');
  const messages = v.messages.map((m) => messageOf(layouts, m));
  const list = taken(v, messages);
  v.outputs.forEach((o, i) => {
    const { signature, htlc_signatures } = list[i];
    const got = commitment({ ...v, ...o, signature, htlc_signatures });
    if (v.error) return;
    for (const name of ['commitment_tx', 'txid', 'sighash', 'htlc_txs', 'signature', 'htlc_signatures']) {
      if (!isDeepStrictEqual(got[name], o[name])) throw new Mismatch(`${name} on output ${i} is ${JSON.stringify(got[name])}`);
    }
  });
  return { taken: list.map((m) => m.funding_txid.funding_txid) };
}
