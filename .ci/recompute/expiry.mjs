// Expiries of HTLCs (SPEC.md 3.7).

import { Fault } from './reader.mjs';

const claim = 18;
const furthest = 2016;

function spare(rule, expiry, least) {
  if (expiry < least) throw new Fault('refused', 'cltv_expiry', undefined, rule);
  return expiry - least;
}

// An HTLC that lies: how many more blocks it may, by the table of SPEC.md 8.2.
const lying = {
  offered: (v) => ({ ends: 'PCF-089', from: v.cltv_expiry - v.early_warning_time, harmless: v.preimage }),
  claimed: (v) => ({ ends: 'PCF-090', from: v.cltv_expiry - v.early_warning_time - claim, harmless: !v.preimage }),
  forwarded: (v) => {
    const leaves = v.cltv_expiry - v.early_warning_time;
    return { ends: 'CHAN-040', from: leaves - 3, harmless: v.preimage || v.height >= leaves };
  },
};

function lie(v) {
  const { ends, from, harmless } = lying[v.op](v);
  if (harmless || v.trimmed) return { unbounded: true };
  if (v.height >= from) throw new Fault('refused', 'cltv_expiry', undefined, ends);
  return { blocks: from - v.height - 1 };
}

export function htlcExpiry(v) {
  const warning = v.early_warning_time;
  const claimed = { receive: 'PCF-087', release: 'PCF-094', offer: 'PCF-099' };
  if (v.op in claimed) return { blocks: spare(claimed[v.op], v.cltv_expiry, v.height + warning + claim) };
  if (v.op === 'forward') return { blocks: spare('PCF-088', v.cltv_expiry, v.outgoing_cltv_value + warning + v.cltv_expiry_delta) };
  if (v.op === 'final') return { blocks: spare('CHAN-016', v.cltv_expiry, v.height + v.cltv_expiry_delta + 1) };
  if (v.op in lying) return lie(v);
  if (v.op === 'pay') return { blocks: v.cltv_expiry + warning };
  if (warning + claim >= furthest) throw new Fault('refused', 'early_warning_time', undefined, 'PCF-069');
  return { blocks: Math.min(warning + v.cltv_expiry_delta, furthest - 1) };
}
