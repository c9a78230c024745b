// A channel that opens on an output which a ceremony makes: what the receiver of
// open_channel or accept_channel decides, and what their senders may say (SPEC.md 3.7
// and 8.1, BOLT 2).

import { sha256 } from '@noble/hashes/sha2.js';
import { hex, unhex } from './noise.mjs';
import { decide } from './open.mjs';
import { Fault, readMessage } from './reader.mjs';

const protocol = hex(sha256(Uint8Array.from(Buffer.from('SuperScalar/1', 'ascii'))));
const negotiated = ''; // of the features that a decision asks for none
const least = 354n, most = 3n * least, longest = 144, blocksAtMost = 2016;

const bits = (type) => (type === undefined ? [] : [...unhex(type)].reverse().flatMap((b, i) => [0, 1, 2, 3, 4, 5, 6, 7].filter((k) => (b >> k) & 1).map((k) => 8 * i + k)));

export function opening(layouts, v) {
  const open = readMessage(layouts, unhex(v.open_channel), 32800);
  const accept = v.accept_channel && readMessage(layouts, unhex(v.accept_channel), 32800);
  const asks = rules[v.op](v, open, accept, layouts);
  for (const [bad, field, rule] of asks) {
    if (bad) throw new Fault(v.op.startsWith('say') ? 'must-not-say' : 'refused', field, undefined, rule);
  }
  return v.op.startsWith('say') ? 'right' : 'accept';
}

const rules = {
  'take-open': (v, { fields: f, records: r }, _, layouts) => {
    decide(layouts, { negotiated, common: [protocol], chain_hash: f.chain_hash, open_channel: v.open_channel });
    const a = v.asked, in_ = r.channel_in_factory;
    return [
      [BigInt(f.dust_limit_satoshis) > most, 'dust_limit_satoshis', 'CHAN-036'],
      [in_.factory_instance_id !== a.factory_instance_id, 'channel_in_factory', 'PCF-061'],
      [f.funding_pubkey !== a.lsp_channel_key, 'funding_pubkey', 'PCF-061'],
      [!a.live, 'channel_in_factory', 'CHAN-004'],
      [f.funding_satoshis !== a.satoshis, 'funding_satoshis', 'CHAN-004'],
      [f.push_msat !== 0, 'push_msat', 'CHAN-004'],
      [in_.factory_early_warning_time !== a.early_warning_time, 'channel_in_factory', 'PCF-061'],
      [f.to_self_delay > longest, 'to_self_delay', 'CHAN-005'],
      [BigInt(f.channel_reserve_satoshis) > most, 'channel_reserve_satoshis', 'CHAN-037'],
    ];
  },
  'take-accept': (v, { fields: o, records: ro }, { fields: f, records: r = {} }) => [
    [r.channel_type?.type !== ro.channel_type.type, 'channel_type', 'PCF-074'],
    [f.minimum_depth !== 0, 'minimum_depth', 'PCF-074'],
    [f.channel_reserve_satoshis < o.dust_limit_satoshis, 'channel_reserve_satoshis', 'PCF-074'],
    [f.dust_limit_satoshis > Math.min(o.channel_reserve_satoshis, f.channel_reserve_satoshis) || BigInt(f.dust_limit_satoshis) < least, 'dust_limit_satoshis', 'PCF-074'],
    [f.max_accepted_htlcs > (bits(ro.channel_type.type).includes(40) ? 114 : 483), 'max_accepted_htlcs', 'PCF-074'],
    [f.to_self_delay > blocksAtMost, 'to_self_delay', 'PCF-074'],
    [f.channel_reserve_satoshis >= o.funding_satoshis, 'channel_reserve_satoshis', 'PCF-074'],
    [BigInt(f.dust_limit_satoshis) > most, 'dust_limit_satoshis', 'CHAN-036'],
    [f.funding_pubkey !== v.asked.channel_key, 'funding_pubkey', 'CHAN-003'],
  ],
  'say-open': (v, { fields: f, records: r }) => {
    const a = v.asked, in_ = r.channel_in_factory, type = bits(r.channel_type?.type);
    return [
      [f.funding_pubkey !== a.lsp_channel_key, 'funding_pubkey', 'CHAN-003'],
      [f.funding_satoshis !== a.satoshis, 'funding_satoshis', 'CHAN-004'],
      [f.to_self_delay > longest, 'to_self_delay', 'CHAN-005'],
      [f.channel_reserve_satoshis !== f.dust_limit_satoshis, 'channel_reserve_satoshis', 'PCF-097'],
      [(f.channel_flags & 1) !== 0, 'channel_flags', 'PCF-067'],
      [!type.includes(46) || !type.includes(50), 'channel_type', 'PCF-067'],
      [in_.factory_protocol_id !== protocol, 'channel_in_factory', 'PCF-066'],
    ];
  },
  'say-accept': (v, { fields: o, records: ro }, { fields: f, records: r = {} }) => [
    [f.temporary_channel_id !== o.temporary_channel_id, 'temporary_channel_id', 'PCF-073'],
    [f.minimum_depth !== 0, 'minimum_depth', 'PCF-073'],
    [r.channel_type?.type !== ro.channel_type.type, 'channel_type', 'PCF-073'],
    [Math.max(f.dust_limit_satoshis, o.dust_limit_satoshis) > f.channel_reserve_satoshis, 'channel_reserve_satoshis', 'PCF-073'],
    [f.dust_limit_satoshis > o.channel_reserve_satoshis, 'dust_limit_satoshis', 'PCF-073'],
    [100 * f.channel_reserve_satoshis < o.funding_satoshis, 'channel_reserve_satoshis', 'PCF-096'],
    [f.to_self_delay !== v.asked.to_self_delay, 'to_self_delay', 'CHAN-006'],
    [f.funding_pubkey !== v.asked.channel_key, 'funding_pubkey', 'CHAN-003'],
  ],
};
