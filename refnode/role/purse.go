package role

import (
	"context"
	"fmt"
	"sync"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/wallet"
	"superscalar/wire"
)

// Purse implements ceremony.Funder with an on-chain wallet. It is safe for
// concurrent use.
type Purse struct {
	Wallet *wallet.Wallet
	Chain  Chain
	Rate   wallet.FeeRate

	mu       sync.Mutex
	unsigned map[wire.CeremonyID]*wallet.Unsigned
}

// Fund implements ceremony.Funder.
func (p *Purse) Fund(id wire.CeremonyID, out btcwire.TxOut) (*btcwire.MsgTx, uint32, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.Wallet.Sync(context.Background(), p.Chain.Backend); err != nil {
		return nil, 0, err
	}
	u, err := p.Wallet.FundTx(id.String(), []*btcwire.TxOut{&out}, p.Rate)
	if err != nil {
		return nil, 0, err
	}
	if p.unsigned == nil {
		p.unsigned = map[wire.CeremonyID]*wallet.Unsigned{}
	}
	p.unsigned[id] = u
	return u.Tx, 0, nil
}

// Sign implements ceremony.Funder.
func (p *Purse) Sign(id wire.CeremonyID, tx *btcwire.MsgTx) (*btcwire.MsgTx, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.unsigned[id]
	if u == nil || u.Tx.TxHash() != tx.TxHash() {
		return nil, fmt.Errorf("no coins are reserved for %s", id)
	}
	return p.Wallet.Sign(u)
}

// Release implements ceremony.Funder.
func (p *Purse) Release(id wire.CeremonyID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unsigned[id] != nil {
		delete(p.unsigned, id)
		_ = p.Wallet.Release(id.String()) // it was reserved: Fund did it
	}
}

// Broadcast implements ceremony.Funder.
func (p *Purse) Broadcast(tx *btcwire.MsgTx) error { return p.Chain.Submit(tx) }
