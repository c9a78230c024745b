package role

import (
	"encoding/hex"
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
	ctx, cancel := p.Chain.context()
	defer cancel()
	if err := p.Wallet.Sync(ctx, p.Chain.Backend); err != nil {
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

// Reclaimer is a purse that can make sure that a funding transaction it signed
// does not confirm any more.
type Reclaimer interface {
	// TakeBack spends the coins of an attempt's funding transaction back to the
	// purse, for a higher fee the later it is, in blocks.
	TakeBack(id wire.CeremonyID, tx *btcwire.MsgTx, late uint32) error
}

// What TakeBack pays: the purse's rate and a step more at first, a step more every
// few blocks, never more than the limit.
const (
	takeBackBlocks = 6
	takeBackLimit  = 100_000 // sat per 1,000 vB
)

// TakeBack implements Reclaimer.
func (p *Purse) TakeBack(id wire.CeremonyID, tx *btcwire.MsgTx, late uint32) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	ctx, cancel := p.Chain.context()
	defer cancel()
	if err := p.Wallet.Sync(ctx, p.Chain.Backend); err != nil {
		return err
	}
	step := max(p.Rate, wallet.IncrementalRelay)
	rate := p.Rate + step*wallet.FeeRate(1+min(late/takeBackBlocks, takeBackLimit))
	back, err := p.Wallet.TakeBack(id.String(), tx, min(rate, max(p.Rate, takeBackLimit)))
	if err != nil {
		return fmt.Errorf("coins of attempt %s: %w", id, err)
	}
	return p.Chain.Submit(back)
}

// Settler is a purse whose reservations outlive the process.
type Settler interface {
	// Settle releases the coins of every attempt that keep does not know.
	Settle(keep func(wire.CeremonyID) bool) error
}

// Settle implements Settler. Reservations for other purposes stay.
func (p *Purse) Settle(keep func(wire.CeremonyID) bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range p.Wallet.Reservations() {
		var id wire.CeremonyID
		raw, err := hex.DecodeString(name)
		if err != nil || len(raw) != len(id) {
			continue
		}
		copy(id[:], raw)
		if keep(id) || p.unsigned[id] != nil {
			continue
		}
		if err := p.Wallet.Release(name); err != nil {
			return fmt.Errorf("coins of attempt %s: %w", id, err)
		}
	}
	return nil
}

// Broadcast implements ceremony.Funder.
func (p *Purse) Broadcast(tx *btcwire.MsgTx) error { return p.Chain.Submit(tx) }
