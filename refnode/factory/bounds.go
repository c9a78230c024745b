package factory

import "superscalar/wire/rule"

// Chain selects the column of the table of bounds (section 4.1).
type Chain uint8

// The columns.
const (
	Mainnet Chain = iota // bitcoin's main chain
	Other                // test chains, with delays a test can wait for
)

const (
	// MaxEarlyWarning bounds the early warning time (DELAY-004).
	MaxEarlyWarning Blocks = 864

	// MaxTipDistance bounds the distance of the LSP's tip (TREE-003).
	MaxTipDistance = 6

	// lockTimeThreshold is where nLockTime turns from heights to seconds.
	lockTimeThreshold = 500_000_000
)

type span struct{ min, max uint32 }

// bounds is the table of section 4.1, rows in its order.
var bounds = []struct {
	field          string
	value          func(Params) uint32
	mainnet, other span
}{
	{"step", func(p Params) uint32 { return uint32(p.Step) }, span{72, 288}, span{2, 288}},
	{"states", func(p Params) uint32 { return uint32(p.States) }, span{2, 16}, span{2, 16}},
	{"confirm_blocks", func(p Params) uint32 { return uint32(p.ConfirmBlocks) }, span{6, 36}, span{1, 36}},
	{"stock_csv", func(p Params) uint32 { return uint32(p.StockCSV) }, span{144, 1008}, span{4, 1008}},
	{"to_self_delay", func(p Params) uint32 { return uint32(p.ToSelfDelay) }, span{144, 2016}, span{4, 2016}},
	{"margin", func(p Params) uint32 { return uint32(p.Margin) }, span{72, 1008}, span{0, 1008}},
	{"max_funding_wait", func(p Params) uint32 { return uint32(p.MaxFundingWait) }, span{6, 1008}, span{1, 1008}},
	{"active", func(p Params) uint32 { return uint32(p.Active) }, span{1008, 8640}, span{1, 8640}},
	{"dying", func(p Params) uint32 { return uint32(p.Dying) }, span{144, 1008}, span{1, 1008}},
}

// MinCapacity returns the smallest capacity of a channel in sat (section 4.1).
func MinCapacity(chain Chain) Sat {
	if chain == Mainnet {
		return 10_000
	}

	return 1_000
}

// Check refuses parameters outside the bounds for the chain, the number of
// clients and the shape (TREE-001, TREE-002), an early warning time that is too
// long (DELAY-004) and an expiry that is not the sum it has to be (DELAY-005).
func (p Params) Check(chain Chain, clients int, s Shape, rules rule.Set) error {
	if clients < 1 || clients > MaxClients {
		return malformed(rule.TREE001, "n", "%d clients, allowed 1 to %d", clients, MaxClients)
	}
	for _, b := range bounds {
		allowed, v := b.other, b.value(p)
		if chain == Mainnet {
			allowed = b.mainnet
		}
		err := check(rules, rule.TREE001, b.field, v < allowed.min || v > allowed.max,
			"%d, allowed %d to %d", v, allowed.min, allowed.max)
		if err != nil {
			return err
		}
	}

	return first(p.checkChain(chain, s, rules), p.checkDelays(rules), p.checkHeights(s, rules))
}

// checkChain bounds max_chain, which a dw leaf does not have.
func (p Params) checkChain(chain Chain, s Shape, rules rule.Set) error {
	allowed := span{1, 32}
	if chain == Mainnet {
		allowed.min = 4
	}
	if s.Leaf == DW {
		allowed = span{0, 0}
	}
	v := uint32(p.MaxChain)

	return check(rules, rule.TREE001, "max_chain", v < allowed.min || v > allowed.max,
		"%d, allowed %d to %d", v, allowed.min, allowed.max)
}

// checkDelays bounds the delays that hang on each other.
func (p Params) checkDelays(rules rule.Set) error {
	v, s := uint32(p.OmissionDelay), uint32(p.ConfirmBlocks)

	return first(
		check(rules, rule.TREE001, "omission_delay", v <= s || v+s >= uint32(p.StockCSV),
			"%d, allowed over confirm_blocks %d and under stock_csv %d by more than that", v, s, p.StockCSV),
		check(rules, rule.TREE002, "step", uint32(p.Step) < 2*s,
			"%d, at least twice confirm_blocks %d", p.Step, s),
	)
}

// checkHeights compares the expiry with its formula.
func (p Params) checkHeights(s Shape, rules rule.Set) error {
	ewt := p.EarlyWarningTime(s)
	if err := check(rules, rule.DELAY004, "early warning time", ewt > MaxEarlyWarning,
		"%d blocks, at most %d", ewt, MaxEarlyWarning); err != nil {
		return err
	}
	expiry, err := p.ExpiryFor(s)
	if err != nil {
		return check(rules, rule.DELAY005, "expiry", true, "%d blocks after height %d is too late for a block height",
			p.ExitTime(s), p.TipHeight)
	}

	return check(rules, rule.DELAY005, "expiry", p.Expiry != expiry, "%d, must be %d", p.Expiry, expiry)
}

// CheckTip refuses parameters whose tip height is more than 6 blocks from the
// height of one's own best block (TREE-003).
func (p Params) CheckTip(own Height, rules rule.Set) error {
	distance := max(p.TipHeight, own) - min(p.TipHeight, own)

	return check(rules, rule.TREE003, "tip_height", distance > MaxTipDistance,
		"%d, own best block has height %d", p.TipHeight, own)
}
