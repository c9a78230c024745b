package harness

import (
	"cmp"
	"fmt"
	"slices"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Factory is the factory that the suite's LSP created with the target, with
// every signature but the clients' own on channel outputs.
func (s *LSPScript) Factory() *ceremony.Factory {
	f := s.lsp.Factory(s.Funded)
	if f == nil {
		s.play.controlFailed("a factory is created", s.received())
	}
	return f
}

// Held is the factory as client i keeps it.
func (s *ClientsScript) Held(i int) *ceremony.Held {
	for _, m := range slices.Backward(s.Got[i]) {
		if m.Type() != wire.TypeFunded {
			continue
		}
		if held := s.machines[i].Held(m.ID()); held != nil {
			return held
		}
	}
	s.play.controlFailed("a factory is created", s.received(i))
	return nil
}

// Nodes are the transactions of the tree as the clients together see it, root
// first.
func (s *ClientsScript) Nodes() (out []*factory.Node) {
	for i := range s.Peers {
		for _, n := range s.Held(i).Tree().Nodes() {
			if !slices.ContainsFunc(out, func(x *factory.Node) bool { return x.ID == n.ID }) {
				out = append(out, n)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b *factory.Node) int { return cmp.Compare(a.ID.Level, b.ID.Level) })
	return out
}

// MineTo mines until the best block has a height.
func (p *Play) MineTo(height factory.Height) {
	if tip := p.Tip(); tip < height {
		p.Mine(uint32(height - tip))
	}
}

// Publish puts a transaction of a factory into a block of its own, as a miner
// can, in the first block in which it is valid when what it spends has just been
// confirmed. Nothing else is confirmed until then.
func (p *Play) Publish(f interface {
	Complete(*factory.Tx) (*btcwire.MsgTx, error)
}, tx *factory.Tx) {
	signed, err := f.Complete(tx)
	if err != nil {
		panic(fmt.Sprintf("the suite cannot complete its %s: %v", tx.Kind, err))
	}
	if delay := tx.Sequence(); tx.Kind == factory.KindState && delay > 1 {
		p.MineEmpty(int(delay) - 1)
	}
	p.Mine(0, signed)
}

// Spender finds the transaction that spends an outpoint, in a block or in the
// mempool.
func (p *Play) Spender(o btcwire.OutPoint) (tx *btcwire.MsgTx, found bool) {
	spend, found, err := p.Chain().Spend(p.ctx, o)
	if err != nil {
		p.controlFailed("the suite's chain answers", oneLine(err.Error()))
	}
	return spend.Tx, found
}

// Published requires that the target publishes a transaction; why is when it
// has to, "its kickoff is confirmed".
func (p *Play) Published(id rule.ID, tx *factory.Tx, why string) bool {
	ok := p.Eventually(func() bool {
		spender, found := p.Spender(tx.Outpoint())
		return found && spender.TxHash() == tx.Txid
	})
	if !ok {
		p.fail(id, mismatch{
			message: fmt.Sprintf("the target did not publish the %s of transaction %s: %s", tx.Kind, tx.Node, why), planted: -1,
			expected: []string{fmt.Sprintf("%s %s, in the mempool or in a block", tx.Kind, tx.Txid)}, received: p.spentBy(tx.Outpoint()),
		})
	}
	return ok
}

// Spent requires that the target spends an outpoint; what says which it is.
func (p *Play) Spent(id rule.ID, o btcwire.OutPoint, what string) bool {
	ok := p.Eventually(func() bool {
		_, found := p.Spender(o)
		return found
	})
	if !ok {
		p.fail(id, mismatch{
			message: "the target did not spend " + what, planted: -1, expected: []string{"a transaction that spends " + o.String()}, received: p.spentBy(o),
		})
	}
	return ok
}

// spentBy says what spends an outpoint.
func (p *Play) spentBy(o btcwire.OutPoint) string {
	tx, found := p.Spender(o)
	if !found {
		return fmt.Sprintf("nothing spends %s at height %d", o, p.Tip())
	}
	return fmt.Sprintf("%s spends %s at height %d", tx.TxHash(), o, p.Tip())
}
