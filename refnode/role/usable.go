package role

import (
	"bytes"
	"errors"
	"fmt"

	"superscalar/refnode/chain"
	"superscalar/refnode/factory"
	"superscalar/wire/rule"
)

// ErrNotUsable is wrapped by Usable when the chain answered and the factory
// cannot be used, ErrNeverUsable when that cannot change without a
// reorganisation.
var (
	ErrNotUsable   = errors.New("the factory is not usable")
	ErrNeverUsable = errors.New("nor will it be")
)

// Usable reports how many confirmations the funding transaction of a factory
// has, and whether it can be used: its funding output is on the chain as
// proposed, unspent, confirmed in time, with at least wanted confirmations
// (CER-025, CER-026). It asks the chain each time, so a reorganisation takes it
// away again.
func (c Chain) Usable(t *factory.Tree, rules rule.Set, wanted uint32) (confirmations uint32, err error) {
	want, err := t.Factory().Funding()
	if err != nil {
		return 0, err
	}
	tip, err := c.Tip()
	if err != nil {
		return 0, err
	}
	out, found, err := c.Output(t.Funding())
	if err != nil {
		return 0, err
	}
	p := t.Factory().Terms().Params
	last := chain.Height(p.TipHeight) + chain.Height(p.MaxFundingWait)
	switch {
	case !found:
		return 0, c.unfunded(t, chain.Height(tip), last)
	case int64(out.Value) != want.Value || !bytes.Equal(out.Script, want.PkScript):
		return 0, fmt.Errorf("%w, %w: its funding output is not the one proposed", ErrNotUsable, ErrNeverUsable)
	case out.Confirmed && out.Block.Height > last && rules.On(rule.CER025):
		return 0, fmt.Errorf("%w, %w: funded at height %d, promised until %d", ErrNotUsable, ErrNeverUsable, out.Block.Height, last)
	}
	confirmations = out.Confirmations(chain.Height(tip))
	if confirmations < wanted {
		return confirmations, fmt.Errorf("%w: %d of %d confirmations", ErrNotUsable, confirmations, wanted)
	}
	return confirmations, nil
}

// Funded reports whether a factory may change (CER-044): its funding transaction is
// on the chain as proposed, confirmed in time, with at least wanted confirmations.
// That its output has been spent since does not matter here: a factory that
// somebody is leaving goes on elsewhere in the tree. The error is one of Usable.
func (c Chain) Funded(t *factory.Tree, rules rule.Set, wanted uint32) error {
	want, err := t.Factory().Funding()
	if err != nil {
		return err
	}
	at := t.Funding()
	tx, found, err := c.Transaction(at.Hash)
	if err != nil {
		return err
	}
	tip, err := c.Tip()
	if err != nil {
		return err
	}
	end := chain.Height(t.Factory().Terms().Params.FundingEnd())
	switch {
	case !found && chain.Height(tip) >= end:
		return fmt.Errorf("%w, %w: no funding output on the chain, promised until height %d", ErrNotUsable, ErrNeverUsable, end)
	case !found:
		return fmt.Errorf("%w: no funding output on the chain", ErrNotUsable)
	case int(at.Index) >= len(tx.Tx.TxOut) || tx.Tx.TxOut[at.Index].Value != want.Value || !bytes.Equal(tx.Tx.TxOut[at.Index].PkScript, want.PkScript):
		return fmt.Errorf("%w, %w: its funding output is not the one proposed", ErrNotUsable, ErrNeverUsable)
	case tx.Confirmed && tx.Block.Height > end && rules.On(rule.CER025):
		return fmt.Errorf("%w, %w: funded at height %d, promised until %d", ErrNotUsable, ErrNeverUsable, tx.Block.Height, end)
	}
	if n := tx.Confirmations(chain.Height(tip)); n < wanted {
		return fmt.Errorf("%w: %d of %d confirmations", ErrNotUsable, n, wanted)
	}
	return nil
}

// unfunded says why there is no funding output.
func (c Chain) unfunded(t *factory.Tree, tip, last chain.Height) error {
	spent, err := c.Seen(t.Funding())
	switch {
	case err != nil:
		return err
	case spent:
		return fmt.Errorf("%w, %w: its funding output is spent", ErrNotUsable, ErrNeverUsable)
	case tip >= last: // the next block comes too late
		return fmt.Errorf("%w, %w: no funding output on the chain, promised until height %d", ErrNotUsable, ErrNeverUsable, last)
	default:
		return fmt.Errorf("%w: no funding output on the chain", ErrNotUsable)
	}
}
