package factory

import "superscalar/wire/rule"

// Params are the parameters of section 4.1 in the order of record 2 of
// ceremony_proposal. Delays and durations are in blocks.
type Params struct {
	// Step is one step of a state's delay.
	Step uint16

	// States is K, the number of states a node can go through.
	States uint8

	// ConfirmBlocks is S: within it, a transaction that is bumped confirms.
	ConfirmBlocks uint16

	// MaxChain is the number of sales one stock output may chain, 0 exactly
	// for dw leaves.
	MaxChain uint8

	// StockCSV delays the LSP's claim of unsold stock.
	StockCSV uint16

	// OmissionDelay delays an omission transaction.
	OmissionDelay uint16

	// ToSelfDelay is that of the LSP's commitment transactions.
	ToSelfDelay uint16

	// Margin lies between the end of an exit and the expiry.
	Margin uint16

	// MaxFundingWait is the time in which the funding transaction confirms.
	MaxFundingWait uint16

	// Active is the time in which the factory is in use.
	Active uint16

	// Dying is the time in which clients move to the next factory.
	Dying uint16

	// TipHeight is the height of the LSP's best block when it proposes.
	TipHeight Height

	// Expiry is T: from this height on distributions are valid.
	Expiry Height
}

// DefaultParams returns the defaults of section 4.1 without heights; dw leaves
// chain no sales.
func DefaultParams(leaf LeafKind) Params {
	p := Params{
		Step: 144, States: 4, ConfirmBlocks: 12, MaxChain: 4,
		StockCSV: 144, OmissionDelay: 72, ToSelfDelay: 720, Margin: 144,
		MaxFundingWait: 144, Active: 4320, Dying: 432,
	}
	if leaf == DW {
		p.MaxChain = 0
	}

	return p
}

// EarlyWarningTime returns the blocks that any client's way out can take, its
// commitment not included: step * (K-1) * (state levels) + S * (levels +
// max_chain) (DELAY-004).
func (p Params) EarlyWarningTime(s Shape) Blocks {
	perState := Blocks(p.Step) * Blocks(max(p.States, 1)-1)
	confirm := Blocks(p.ConfirmBlocks) * (Blocks(len(s.Levels)) + Blocks(p.MaxChain))

	return perState*Blocks(s.StateLevels()) + confirm
}

// ExitTime returns the blocks from the start of an exit to its end: the path, a
// commitment, the delay of the LSP's claim, the claim and a margin (DELAY-005).
func (p Params) ExitTime(s Shape) Blocks {
	return p.EarlyWarningTime(s) + 2*Blocks(p.ConfirmBlocks) + Blocks(p.StockCSV) + Blocks(p.Margin)
}

// ExpiryFor returns T, computed from TipHeight (DELAY-005), and an error for a
// height that nLockTime would read as a time.
func (p Params) ExpiryFor(s Shape) (Height, error) {
	expiry := uint64(p.TipHeight) + uint64(p.MaxFundingWait) + uint64(p.Active) +
		uint64(p.Dying) + uint64(p.ExitTime(s))
	if expiry >= lockTimeThreshold {
		return 0, malformed(rule.DELAY005, "expiry", "height %d is not under 500,000,000", expiry)
	}

	return Height(expiry), nil
}

// ExitHeight returns T - exit_time: from this height on the LSP publishes, and
// nobody signs changes (DELAY-007, DELAY-008). It is 0 for an expiry that is
// smaller than the time an exit takes.
func (p Params) ExitHeight(s Shape) Height {
	return p.Expiry - min(p.Expiry, Height(p.ExitTime(s)))
}

// FundingEnd returns the last height at which the funding transaction may
// confirm, tip_height + max_funding_wait (CER-025, CER-034).
func (p Params) FundingEnd() Height { return p.TipHeight + Height(p.MaxFundingWait) }

// MaxOffline returns the longest time a client may be away (section 4).
func (p Params) MaxOffline() Blocks {
	shortest := Blocks(min(p.StockCSV, p.OmissionDelay, p.ToSelfDelay))

	return shortest - min(shortest, 2*Blocks(p.ConfirmBlocks))
}
