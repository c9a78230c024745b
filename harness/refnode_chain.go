package harness

import (
	"fmt"
	"sync"

	"github.com/btcsuite/btcd/btcec/v2"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/chain/embedded"
	"superscalar/refnode/wallet"
)

// world is the regtest chain of one node under test, made when the node first
// needs it: cases run side by side, and some of them mine.
type world struct {
	once  sync.Once
	chain *embedded.Chain
	paid  chain.BlockID // the block before the coins of the purse
	err   error
}

// Coins wait for the node in a few outputs: one that pays for a transaction is
// not there for another before a block holds both.
const (
	purseCoins = 8
	purseSat   = 5_000_000
)

func (w *world) open() (*embedded.Chain, error) {
	w.once.Do(func() {
		if w.chain, w.err = embedded.New(embedded.Config{Seed: 1}); w.err != nil {
			return
		}
		var mined []chain.BlockID
		if mined, w.err = w.chain.Mine(embedded.ActivationBlocks + 120); w.err == nil {
			w.paid = mined[len(mined)-1]
			w.err = w.fill()
		}
	})
	return w.chain, w.err
}

// fill pays the purse.
func (w *world) fill() error {
	purse, err := w.purse(false)
	if err != nil {
		return err
	}
	script, err := purse.NewScript()
	if err != nil {
		return err
	}
	var outs []*btcwire.TxOut
	for range purseCoins {
		outs = append(outs, &btcwire.TxOut{Value: purseSat, PkScript: script})
	}
	tx, err := w.chain.FundOutputs(outs...)
	if err != nil {
		return err
	}
	_, err = w.chain.MineWith(tx)
	return err
}

// purse is the wallet with those coins, or another one that has none.
func (w *world) purse(empty bool) (*wallet.Wallet, error) {
	keys := purseKeys
	if empty {
		keys = func(index uint32) (*btcec.PrivateKey, error) { return purseKeys(index + 1<<20) }
	}
	return wallet.New(wallet.Options{Keys: keys, Birthday: w.paid})
}

// purseKeys are the keys of the purse.
func purseKeys(index uint32) (*btcec.PrivateKey, error) {
	return deriveKey([32]byte{}, fmt.Sprintf("purse %d", index)), nil
}

func (w *world) close() error {
	w.once.Do(func() { w.err = chain.ErrClosed })
	if w.chain == nil {
		return nil
	}
	return w.chain.Close()
}
