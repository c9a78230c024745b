// Package role is what both roles of a node share: disk, chain and clock
// behind the interfaces of package ceremony, and the tray in which messages
// wait until the base node fetches them.
//
// Packages lsp and client put the machines of package ceremony around it.
package role

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/chain"
	"superscalar/refnode/factory"
	"superscalar/refnode/ledger"
	"superscalar/refnode/store"
	"superscalar/wire"
)

// Derive returns the key of a label and an index: datadir.Dir.DeriveKey.
type Derive func(label string, index uint32) (*btcec.PrivateKey, error)

// Keys implements ceremony.Keys: each key has a label with the whole id of its
// attempt, so that none is used in two attempts (CER-003).
type Keys struct {
	Derive Derive
	// LSP is whose ceremonies they are for: two LSPs that choose the same
	// ceremony_id do not get the same keys. It is zero for an LSP's own keys.
	LSP ceremony.Peer
}

// Factory implements ceremony.Keys.
func (k Keys) Factory(id wire.CeremonyID) (*btcec.PrivateKey, error) {
	return k.Derive(k.label("factory", id), 0)
}

// Channel implements ceremony.Keys.
func (k Keys) Channel(id wire.CeremonyID, index uint32) (*btcec.PrivateKey, error) {
	return k.Derive(k.label("channel", id), index)
}

// Payout implements ceremony.Keys.
func (k Keys) Payout(id wire.CeremonyID) (*btcec.PrivateKey, error) {
	return k.Derive(k.label("payout", id), 0)
}

// label fits an id into the 64 characters of a label.
func (k Keys) label(use string, id wire.CeremonyID) string {
	sum := sha256.Sum256(append(k.LSP[:], id[:]...))
	return use + "/" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// Store is what roles use of a *store.Store, which is one.
type Store interface {
	Sign(factory [32]byte, entries []ledger.Entry) error
	PutFactory(id [32]byte, part string, data []byte) error
	Update(fn func(tx *store.Tx) error) error
	Factory(id [32]byte) (parts map[string][]byte, found bool, err error)
	Factories() (ids [][32]byte, err error)
}

// Disk implements ceremony.Store.
type Disk struct{ Store Store }

// Sign implements ceremony.Store.
func (d Disk) Sign(id wire.CeremonyID, entries []ledger.Entry) error {
	return d.Store.Sign([32]byte(id), entries)
}

// Put implements ceremony.Store.
func (d Disk) Put(id wire.CeremonyID, part string, data []byte) error {
	return d.Store.PutFactory([32]byte(id), part, data)
}

// Chain answers what ceremonies ask of the chain. A backend that does not
// answer within Timeout is an error: nothing is signed then.
type Chain struct {
	Backend chain.Interface
	Timeout time.Duration // DefaultChainTimeout when 0
}

// DefaultChainTimeout is how long a question to the chain may take.
const DefaultChainTimeout = 60 * time.Second

func (c Chain) context() (context.Context, context.CancelFunc) {
	d := c.Timeout
	if d == 0 {
		d = DefaultChainTimeout
	}
	return context.WithTimeout(context.Background(), d)
}

// Tip is the height of the best block.
func (c Chain) Tip() (factory.Height, error) {
	ctx, cancel := c.context()
	defer cancel()
	tip, err := c.Backend.Tip(ctx)
	return factory.Height(tip.Height), err
}

// Seen reports whether a transaction that spends the outpoint is confirmed or
// in the mempool.
func (c Chain) Seen(o btcwire.OutPoint) (bool, error) {
	ctx, cancel := c.context()
	defer cancel()
	_, found, err := c.Backend.Spend(ctx, o)
	return found, err
}

// Known reports whether a transaction is confirmed or in the mempool.
func (c Chain) Known(txid chainhash.Hash) (bool, error) {
	ctx, cancel := c.context()
	defer cancel()
	_, found, err := c.Backend.Transaction(ctx, txid)
	return found, err
}

// Transaction finds a transaction that is confirmed or in the mempool.
func (c Chain) Transaction(txid chainhash.Hash) (chain.Transaction, bool, error) {
	ctx, cancel := c.context()
	defer cancel()
	return c.Backend.Transaction(ctx, txid)
}

// Spend finds the transaction, confirmed or in the mempool, that spends an
// outpoint.
func (c Chain) Spend(o btcwire.OutPoint) (chain.Spend, bool, error) {
	ctx, cancel := c.context()
	defer cancel()
	return c.Backend.Spend(ctx, o)
}

// Output finds an unspent output.
func (c Chain) Output(o btcwire.OutPoint) (chain.Output, bool, error) {
	ctx, cancel := c.context()
	defer cancel()
	return c.Backend.Output(ctx, o)
}

// Submit offers a transaction, or a parent with its child.
func (c Chain) Submit(txs ...*btcwire.MsgTx) error {
	ctx, cancel := c.context()
	defer cancel()
	if err := c.Backend.Submit(ctx, chain.Package(txs)); err != nil && !chain.IsRejection(err, chain.ReasonAlreadyKnown) {
		return fmt.Errorf("submit %s: %w", txs[0].TxHash(), err)
	}
	return nil
}
