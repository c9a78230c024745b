package embedded

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/chain/policy"
)

// faucetRate is what the faucet pays, in sat per virtual byte.
const faucetRate = 1

// ErrFaucetEmpty is returned when no confirmed and mature coins are left; mining makes more.
var ErrFaucetEmpty = errors.New("faucet has not enough confirmed coins")

// faucet owns the coinbases.
type faucet struct {
	key    *btcec.PrivateKey
	script []byte
	// coins lists every output ever paid to the script, oldest first; whether one is still there the ledger knows.
	coins []wire.OutPoint
}

func newFaucet(seed uint64) (*faucet, error) {
	preimage := binary.BigEndian.AppendUint64([]byte("superscalar/embedded/faucet"), seed)
	digest := sha256.Sum256(preimage)
	key, public := btcec.PrivKeyFromBytes(digest[:])
	script, err := txscript.PayToTaprootScript(txscript.ComputeTaprootKeyNoScript(public))
	if err != nil {
		return nil, fmt.Errorf("make the faucet's script: %w", err)
	}
	return &faucet{key: key, script: script}, nil
}

// collect notes what a block pays to the faucet.
func (f *faucet) collect(block *ledgerBlock) {
	for _, tx := range block.Transactions {
		for i, out := range tx.TxOut {
			if bytes.Equal(out.PkScript, f.script) {
				f.coins = append(f.coins, wire.OutPoint{Hash: tx.TxHash(), Index: uint32(i)})
			}
		}
	}
}

// Fund submits a transaction of the faucet that pays amount (sat) to script, and returns the new outpoint. It confirms with the next
// Mine. It fails with ErrFaucetEmpty when too little is confirmed: for many payments use one FundOutputs.
func (c *Chain) Fund(script []byte, amount btcutil.Amount) (wire.OutPoint, error) {
	tx, err := c.FundOutputs(wire.NewTxOut(int64(amount), script))
	if err != nil {
		return wire.OutPoint{}, err
	}
	return wire.OutPoint{Hash: tx.TxHash(), Index: 0}, nil
}

// FundOutputs submits one transaction of the faucet: its output i is outs[i], change comes last. The transaction is shared: do not
// change it.
func (c *Chain) FundOutputs(outs ...*wire.TxOut) (*wire.MsgTx, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, fmt.Errorf("fund %d outputs: %w", len(outs), chain.ErrClosed)
	}
	tx := wire.NewMsgTx(2)
	for _, out := range outs {
		tx.AddTxOut(wire.NewTxOut(out.Value, bytes.Clone(out.PkScript)))
	}
	coins, err := c.selectCoins(tx)
	if err != nil {
		return nil, fmt.Errorf("fund %d outputs: %w", len(outs), err)
	}
	if err := c.faucet.sign(tx, coins); err != nil {
		return nil, fmt.Errorf("fund %d outputs: %w", len(outs), err)
	}
	if err := c.submit(tx); err != nil {
		return nil, fmt.Errorf("fund %d outputs: %w", len(outs), err)
	}
	return tx, nil
}

// selectCoins adds inputs, oldest coins first, until outputs and fee are paid, and then the change.
func (c *Chain) selectCoins(tx *wire.MsgTx) (map[wire.OutPoint]*wire.TxOut, error) {
	var need, have btcutil.Amount
	for _, out := range tx.TxOut {
		need += btcutil.Amount(out.Value)
	}
	coins := make(map[wire.OutPoint]*wire.TxOut)
	for _, outpoint := range c.faucet.coins {
		if coins[outpoint] != nil || !c.spendable(outpoint) {
			continue
		}
		out, _, _ := c.ledger.output(outpoint)
		coins[outpoint] = out
		have += btcutil.Amount(out.Value)
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: outpoint, Sequence: wire.MaxTxInSequenceNum - 2, Witness: wire.TxWitness{make([]byte, 64)}})
		fee := c.feeWithChange(tx)
		if have < need+fee {
			continue
		}
		if change := have - need - fee; change >= policy.DustLimit(c.faucet.script) {
			tx.AddTxOut(wire.NewTxOut(int64(change), c.faucet.script))
		}
		return coins, nil
	}
	return nil, fmt.Errorf("%v wanted, %v at hand: %w", need, have, ErrFaucetEmpty)
}

func (c *Chain) spendable(outpoint wire.OutPoint) bool {
	_, placed, ok := c.ledger.output(outpoint)
	if !ok {
		return false
	}
	if _, spent := c.pool.Spender(outpoint); spent {
		return false
	}
	return !placed.coinbase || c.ledger.Height()+1 >= placed.block.Height+chain.Height(c.params.CoinbaseMaturity)
}

// feeWithChange is the fee of tx with a change output that is not there yet.
func (c *Chain) feeWithChange(tx *wire.MsgTx) btcutil.Amount {
	change := wire.NewTxOut(0, c.faucet.script)
	weight := blockchain.GetTransactionWeight(btcutil.NewTx(tx)) + 4*int64(change.SerializeSize()+2)
	return btcutil.Amount((weight + 3) / 4 * faucetRate)
}

// sign signs every input by key path (BIP 86). The signatures are deterministic.
func (f *faucet) sign(tx *wire.MsgTx, coins map[wire.OutPoint]*wire.TxOut) error {
	fetcher := txscript.NewMultiPrevOutFetcher(coins)
	hashes := txscript.NewTxSigHashes(tx, fetcher)
	for i, in := range tx.TxIn {
		out := coins[in.PreviousOutPoint]
		signature, err := txscript.RawTxInTaprootSignature(tx, hashes, i, out.Value, out.PkScript, nil, txscript.SigHashDefault, f.key)
		if err != nil {
			return fmt.Errorf("sign input %d: %w", i, err)
		}
		in.Witness = wire.TxWitness{signature}
	}
	return nil
}
