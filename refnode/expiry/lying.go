package expiry

import "superscalar/wire/rule"

// Lying is an HTLC that lies in a channel, and what would make it harmless.
type Lying struct {
	Expiry Height
	// EarlyWarning is that of the channel; of the incoming one for Forwarded.
	EarlyWarning Blocks
	// Preimage is true when this node knows the preimage.
	Preimage bool
	// Trimmed is true when the HTLC is on neither commitment (BOLT 3), so that a way out
	// would bring nothing. For Forwarded it is the outgoing HTLC that is trimmed, on a
	// channel of a factory that has not failed.
	Trimmed bool
}

// Offered says whether an HTLC that this node has offered may lie, and for how many blocks
// more, before the plugin has to be warned of it (PCF-089). One that has been paid for costs
// nothing any more.
func (l Limits) Offered(x Lying) (spare Blocks, err error) {
	if x.Preimage || x.Trimmed {
		return Forever, nil
	}
	return l.atLeast(rule.PCF089, x.Expiry, l.Height, x.EarlyWarning, 1)
}

// Claimed says the same of one that this node has received, and whose preimage it has given
// (PCF-090). Without the preimage there is nothing to claim.
func (l Limits) Claimed(x Lying) (spare Blocks, err error) {
	if !x.Preimage || x.Trimmed {
		return Forever, nil
	}
	return l.atLeast(rule.PCF090, x.Expiry, l.Height, x.EarlyWarning, ClaimMargin, 1)
}

// Forwarded says whether an HTLC that the LSP has forwarded may lie, and for how many blocks
// more, before it has to be failed, since the outgoing one has no end (CHAN-040). It stays
// once its sender leaves for the chain: that cannot be undone.
func (l Limits) Forwarded(x Lying) (spare Blocks, err error) {
	leaves := uint64(l.Height)+uint64(x.EarlyWarning) >= uint64(x.Expiry)
	if x.Preimage || x.Trimmed || leaves {
		return Forever, nil
	}
	return l.atLeast(rule.CHAN040, x.Expiry, l.Height, x.EarlyWarning, GiveUpMargin, 1)
}
