package commitment

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/factory"
	"superscalar/wire/rule"
)

// Params is what does not change in the life of a channel. Arrays are by Side.
type Params struct {
	Type       Type
	Basepoints [2]Basepoints

	// DustLimit is dust_limit_satoshis that each side set: the least output
	// of its own commitment transaction, in sat.
	DustLimit [2]Sat

	// Delay is the number of blocks that each side waits for what is its own
	// on its own commitment transaction: to_self_delay that the other side
	// set.
	Delay [2]uint16

	// Memo is that of the side whose channel it is; nil computes all again.
	Memo *Memo

	// Rules are all, except in mutants.
	Rules rule.Set
}

// keeps reports whether a requirement is kept, as a whole and in the named part
// that a mutant can lose alone.
func (p *Params) keeps(id, part rule.ID) bool { return p.Rules.On(id) && p.Rules.On(id+part) }

// Funding is a funding output of a channel: what a commitment transaction or a
// closing transaction spends. Keys are the funding keys by Side.
type Funding struct {
	Outpoint btcwire.OutPoint
	Value    Sat
	Keys     [2]*btcec.PublicKey
}

// WitnessScript returns the 2-of-2 script of the output: the lesser key first
// (BOLT 3, "Funding Transaction Output").
func (f *Funding) WitnessScript() []byte {
	first, second := f.Keys[Opener].SerializeCompressed(), f.Keys[Accepter].SerializeCompressed()
	if bytes.Compare(first, second) > 0 {
		first, second = second, first
	}

	return factory.Channel{Keys: [2][33]byte{[33]byte(first), [33]byte(second)}, Known: true}.WitnessScript()
}

// Output returns the funding output.
func (f *Funding) Output() *btcwire.TxOut {
	return btcwire.NewTxOut(int64(f.Value), payTo(f.WitnessScript()))
}

// witness returns what spends the output with DER signatures by Side.
func (f *Funding) witness(signatures [2][]byte) btcwire.TxWitness {
	first, second := signatures[Opener], signatures[Accepter]
	if bytes.Compare(f.Keys[Opener].SerializeCompressed(), f.Keys[Accepter].SerializeCompressed()) > 0 {
		first, second = second, first
	}

	return btcwire.TxWitness{nil, first, second, f.WitnessScript()}
}

// HTLC is a payment that is pending in a commitment.
type HTLC struct {
	OfferedBy Side
	ID        uint64 // of those that OfferedBy offered
	Amount    MilliSat
	Hash      [32]byte // payment_hash
	Expiry    Height   // cltv_expiry, under 500,000,000
}

// State is what the commitment transaction of one side says. Balances are
// those before fee and anchors. Balances and HTLCs sum to the funding output,
// exactly.
type State struct {
	Number  Number
	Feerate Feerate // 0 with ZeroFee
	Balance [2]MilliSat
	HTLCs   []HTLC
}

// ErrState is the error of a State that no commitment transaction can have.
var ErrState = errors.New("impossible commitment")

const maxExpiry Height = 500_000_000 // BOLT 2: what is above is a time

// check refuses what package channel should not have come to.
func (p *Params) check(owner Side, f *Funding, s *State, point *btcec.PublicKey) error {
	switch {
	case owner > Accepter:
		return fmt.Errorf("a commitment of nobody: %w", ErrState)
	case !p.Basepoints[Opener].complete() || !p.Basepoints[Accepter].complete():
		return fmt.Errorf("a basepoint is missing: %w", ErrState)
	case f.Keys[Opener] == nil || f.Keys[Accepter] == nil:
		return fmt.Errorf("a funding key is missing: %w", ErrState)
	case point == nil:
		return fmt.Errorf("the per-commitment point is missing: %w", ErrState)
	case f.Value <= 0 || f.Value > factory.MaxSat:
		return fmt.Errorf("a funding output of %d sat: %w", int64(f.Value), ErrState)
	case s.Number > MaxNumber:
		return fmt.Errorf("number %d: %w", s.Number, ErrState)
	case p.Type == ZeroFee && s.Feerate != 0:
		return fmt.Errorf("a fee rate of %d with %s: %w", s.Feerate, p.Type, ErrState)
	}

	return p.checkAmounts(f, s)
}

func (p *Params) checkAmounts(f *Funding, s *State) error {
	left := ofSat(f.Value) // counted down: sums of a hostile state would overflow
	take := func(m MilliSat) bool {
		if m > left {
			return false
		}
		left -= m

		return true
	}
	var count [2]int
	for _, h := range s.HTLCs {
		switch {
		case h.OfferedBy > Accepter:
			return fmt.Errorf("HTLC %d is offered by nobody: %w", h.ID, ErrState)
		case h.Expiry >= maxExpiry:
			return fmt.Errorf("HTLC %d expires at %d: %w", h.ID, h.Expiry, ErrState)
		case !take(h.Amount):
			return fmt.Errorf("HTLC %d of %s is more than there is: %w", h.ID, h.Amount, ErrState)
		}
		count[h.OfferedBy]++
	}
	for side, n := range count {
		if n > p.Type.MaxHTLCs() {
			return fmt.Errorf("%d HTLCs of the %s: %w", n, Side(side), ErrState)
		}
	}
	if !take(s.Balance[Opener]) || !take(s.Balance[Accepter]) || left != 0 {
		return fmt.Errorf("balances of %s and %s do not sum to %d sat with the HTLCs: %w",
			s.Balance[Opener], s.Balance[Accepter], int64(f.Value), ErrState)
	}

	return nil
}
