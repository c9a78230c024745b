// Expiries of HTLCs (SPEC.md 3.7).

import { Fault } from './reader.mjs';

const claim = 18;
const furthest = 2016;

function spare(rule, expiry, least) {
  if (expiry < least) throw new Fault('refused', 'cltv_expiry', undefined, rule);
  return expiry - least;
}

export function htlcExpiry(v) {
  const warning = v.early_warning_time;
  const claimed = { receive: 'PCF-087', release: 'PCF-094', offer: 'PCF-099' };
  if (v.op in claimed) return { blocks: spare(claimed[v.op], v.cltv_expiry, v.height + warning + claim) };
  if (v.op === 'forward') return { blocks: spare('PCF-088', v.cltv_expiry, v.outgoing_cltv_value + warning + v.cltv_expiry_delta) };
  if (v.op === 'final') return { blocks: spare('CHAN-016', v.cltv_expiry, v.height + v.cltv_expiry_delta + 1) };
  if (v.op === 'pay') return { blocks: v.cltv_expiry + warning };
  if (warning + claim >= furthest) throw new Fault('refused', 'early_warning_time', undefined, 'PCF-069');
  return { blocks: Math.min(warning + v.cltv_expiry_delta, furthest - 1) };
}
