// The answer to an open_channel, from SPEC.md 3.7 and the receiver's rules of
// BOLT 2, as far as a vector tells what the receiver knows. "Unreasonable" is
// taken at its ends only: no feerate at all, a delay of 65,535 blocks.

import { unhex } from './noise.mjs';
import { Fault, fieldOffset, readMessage } from './reader.mjs';

const bits = { staticKey: 12, largeChannels: 18, anchors: 22, dualFund: 28, zeroFee: 40, scidAlias: 46, zeroConf: 50 };

function has(field, bit) {
  const b = unhex(field);
  const i = b.length - 1 - (bit >> 3);
  return i >= 0 && ((b[i] >> (bit & 7)) & 1) === 1;
}

const offers = (field, bit) => has(field, bit) || has(field, bit + 1);

// setBits lists all bits of a field.
function setBits(field) {
  return Array.from({ length: 4 * field.length }, (_, i) => i).filter((i) => has(field, i));
}

// decide returns 'accept', or throws the Fault the channel fails with.
export function decide(layouts, v) {
  const m = readMessage(layouts, unhex(v.open_channel), 32800);
  const f = m.fields, r = m.records ?? {};
  const refuse = (rule, field) => {
    throw new Fault('refused', field, fieldOffset(layouts.find((l) => l.name === 'open_channel'), field), rule);
  };
  const inFactory = r.channel_in_factory;
  if (!inFactory && offers(v.negotiated, bits.dualFund)) refuse('PCF-072', 'channel_in_factory');
  if (!inFactory) throw new Error('a channel outside a factory: the vectors do not say');
  const type = r.channel_type?.type;
  if (type === undefined) refuse('PCF-072', 'channel_type');
  if (!v.common.includes(inFactory.factory_protocol_id)) refuse('PCF-060', 'channel_in_factory');
  if (!has(type, bits.zeroConf)) refuse('PCF-062', 'channel_type');
  if (!has(type, bits.scidAlias)) refuse('PCF-063', 'channel_type');
  if (f.channel_flags & 1) refuse('PCF-064', 'channel_flags');
  if (inFactory.factory_early_warning_time > 1997) refuse('PCF-069', 'channel_in_factory');
  const core = setBits(type).filter((b) => b !== bits.scidAlias && b !== bits.zeroConf).join();
  const anchors = core === `${bits.staticKey},${bits.anchors}`;
  if (!anchors && !(core === `${bits.zeroFee}` && offers(v.negotiated, bits.zeroFee))) refuse('PCF-098', 'channel_type');
  bolt2(v, f, anchors, refuse);
  return 'accept';
}

function bolt2(v, f, anchors, refuse) {
  const n = (name) => BigInt(f[name]);
  const funding = n('funding_satoshis'), push = n('push_msat'), reserve = n('channel_reserve_satoshis');
  const dust = n('dust_limit_satoshis'), feerate = n('feerate_per_kw');
  if (f.chain_hash !== v.chain_hash) refuse('PCF-072', 'chain_hash');
  if (funding >= 1n << 24n && !offers(v.negotiated, bits.largeChannels)) refuse('PCF-072', 'funding_satoshis');
  if (push > 1000n * funding) refuse('PCF-072', 'push_msat');
  if (f.to_self_delay === 65535) refuse('PCF-072', 'to_self_delay');
  if (f.max_accepted_htlcs > (anchors ? 483 : 114)) refuse('PCF-072', 'max_accepted_htlcs');
  if (anchors !== (feerate !== 0n)) refuse('PCF-072', 'feerate_per_kw'); // without a fee it is 0, and only then
  if (dust > reserve || dust < 354n) refuse('PCF-072', 'dust_limit_satoshis');
  // BOLT 3: 1,124 weight units without HTLCs and two anchors of 330 sat.
  const fee = anchors ? (feerate * 1124n) / 1000n + 660n : 0n;
  const funder = (1000n * funding - push) / 1000n;
  if (funder < fee) refuse('PCF-072', 'push_msat');
  if (funder - fee <= reserve && push / 1000n <= reserve) refuse('PCF-072', 'channel_reserve_satoshis');
}
