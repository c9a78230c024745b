package harness

import (
	"bytes"
	"context"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/role"
	"superscalar/wire"
)

// MineEmpty mines blocks that leave out what waits in the mempool.
func (p *Play) MineEmpty(blocks int) {
	for range blocks {
		if _, err := p.Chain().MineWith(); err != nil {
			p.controlFailed("the suite's chain grows", oneLine(err.Error()))
		}
	}
	p.event("mined %d empty blocks", blocks)
}

// Conflict finds another transaction, confirmed or in the mempool, that spends an
// input of tx.
func (p *Play) Conflict(tx *btcwire.MsgTx) (other *btcwire.MsgTx, found bool) {
	for _, in := range tx.TxIn {
		spend, found, err := p.Chain().Spend(p.ctx, in.PreviousOutPoint)
		if err != nil {
			p.controlFailed("the suite's chain answers", oneLine(err.Error()))
		}
		if found && spend.Tx.TxHash() != tx.TxHash() {
			return spend.Tx, true
		}
	}
	return nil, false
}

// Eventually waits for what the target does on the chain, until its deadline. It
// looks again whenever the chain or its mempool has changed.
func (p *Play) Eventually(holds func() bool) bool {
	ctx, cancel := context.WithTimeout(p.ctx, p.deadline)
	defer cancel()
	for {
		changed := p.Chain().Changed()
		if holds() {
			return true
		}
		if n, ok := p.Node.(Watcher); ok && n.Watched() {
			return holds()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// confirm mines the funding transaction when it waits: without it nothing changes
// (CER-044).
func (s *ClientsScript) confirm() {
	if s.plan.Unfunded {
		return
	}
	tx, found, err := s.play.Chain().Transaction(s.play.ctx, chainhash.Hash(s.FundingTxid()))
	if err != nil {
		s.play.controlFailed("the suite's chain answers", oneLine(err.Error()))
	}
	if found && !tx.Confirmed {
		s.play.Mine(1)
	}
}

// Watcher is a target that looks at its chain when the suite has mined, before the
// suite goes on: nothing has to be waited for.
type Watcher interface {
	Watched() bool
}

// Funding is the transaction of the first ceremony_funded.
func (s *ClientsScript) Funding() *btcwire.MsgTx {
	for _, m := range s.Got[0] {
		x, ok := m.(*wire.Funded)
		if !ok {
			continue
		}
		var tx btcwire.MsgTx
		if err := tx.Deserialize(bytes.NewReader(x.Transaction)); err != nil {
			s.play.controlFailed("the funding transaction is one", oneLine(err.Error()))
		}
		return &tx
	}
	s.play.controlFailed("a factory is funded", s.received(0))
	return nil
}

// watchedChain tells a node in this process when the suite has mined, as its owner
// does, and waits until it has looked.
type watchedChain struct {
	Regtest
	node *refnodeNode
}

// Mine implements Regtest.
func (w watchedChain) Mine(blocks uint32) ([]chain.BlockID, error) {
	mined, err := w.Regtest.Mine(blocks)
	w.look()
	return mined, err
}

// MineWith implements Regtest.
func (w watchedChain) MineWith(txs ...*btcwire.MsgTx) (chain.BlockID, error) {
	block, err := w.Regtest.MineWith(txs...)
	w.look()
	return block, err
}

func (w watchedChain) look() {
	n := w.node
	if n.away {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), role.DefaultChainTimeout)
	defer cancel()
	_ = n.hub.Look(ctx, w.Regtest) // channels look first: they answer at once
	f := n.factories
	f.mu.Lock()
	lsp, wayout, keeper := f.lsp, f.wayout, f.keeper
	f.mu.Unlock()
	if keeper != nil {
		_ = keeper.Check()
	}
	if lsp != nil {
		_ = lsp.CheckFunding() // what it does shows on the chain
	}
	if wayout == nil {
		return
	}
	if tip, err := w.Tip(ctx); err == nil {
		_ = wayout.Looked(ctx, tip) // so does what this does
	}
	n.Settle()
}

// Settler is a target that the suite can ask to do what it does in other threads.
type Settler interface {
	Settle()
}

// Settle implements Settler.
func (n *refnodeNode) Settle() { n.factories.settle() }

// Watched implements Watcher.
func (n *refnodeNode) Watched() bool { return true }
