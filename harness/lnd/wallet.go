package lnd

import (
	"context"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/chain/btcdrpc"
	"superscalar/refnode/chain/corerpc"
)

// Chain connects to the node's btcd: the chain as another party of the same
// regtest sees it, which owns nothing from before lnd started. Close it when done.
func (n *Node) Chain(ctx context.Context) (*btcdrpc.Client, error) {
	return btcdrpc.New(ctx, btcdrpc.Options{MineDirectly: true, Options: corerpc.Options{
		Address: n.btcd.host, User: n.btcd.user, Password: n.btcd.password, CertificateFile: n.btcd.certPath,
		Params: &chaincfg.RegressionNetParams, Poll: 50 * time.Millisecond, Birthday: startBlocks,
	}})
}

// Mine makes btcd mine blocks.
func (n *Node) Mine(ctx context.Context, blocks int) error { return n.btcd.mine(ctx, blocks) }

// Lncli runs a command of lncli and decodes the JSON that it prints.
func (n *Node) Lncli(ctx context.Context, result any, command string, args ...string) error {
	return n.cli.run(ctx, result, command, args...)
}

// Faucet pays from the block rewards of btcd, which go to the private key 1.
type Faucet struct {
	chain *btcdrpc.Client
	coins []*wire.MsgTx // mature coinbases, oldest first
}

// maturity is how many blocks a coinbase waits.
const maturity = 100

// NewFaucet collects the rewards that can be spent.
func NewFaucet(ctx context.Context, c *btcdrpc.Client) (*Faucet, error) {
	tip, err := c.Tip(ctx)
	if err != nil {
		return nil, err
	}
	f := &Faucet{chain: c}
	err = chain.Follow(ctx, c, chain.BlockID{}, func(u chain.Update) error {
		for _, b := range u.Connected {
			if b.Height > 0 && int(b.Height)+maturity <= int(tip.Height) {
				f.coins = append(f.coins, b.Transactions[0])
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Pay submits a transaction with an output of sat for an address; it confirms
// with the next block.
func (f *Faucet) Pay(ctx context.Context, address string, sat int64) error {
	const fee = 10_000
	to, err := btcutil.DecodeAddress(address, &chaincfg.RegressionNetParams)
	if err != nil {
		return fmt.Errorf("lnd: faucet: %w", err)
	}
	script, err := txscript.PayToAddrScript(to)
	if err != nil {
		return fmt.Errorf("lnd: faucet: %w", err)
	}
	if len(f.coins) == 0 {
		return fmt.Errorf("lnd: faucet: no reward is left")
	}
	from := f.coins[0]
	f.coins = f.coins[1:]
	spent := from.TxOut[0]
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: from.TxHash()}, nil, nil))
	tx.AddTxOut(wire.NewTxOut(sat, script))
	tx.AddTxOut(wire.NewTxOut(spent.Value-sat-fee, spent.PkScript))
	one := make([]byte, btcec.PrivKeyBytesLen)
	one[len(one)-1] = 1
	key, _ := btcec.PrivKeyFromBytes(one)
	hashes := txscript.NewTxSigHashes(tx, txscript.NewCannedPrevOutputFetcher(spent.PkScript, spent.Value))
	tx.TxIn[0].Witness, err = txscript.WitnessSignature(tx, hashes, 0, spent.Value, spent.PkScript, txscript.SigHashAll, key, true)
	if err != nil {
		return fmt.Errorf("lnd: faucet: %w", err)
	}
	return f.chain.Submit(ctx, chain.Package{tx})
}

// On is the same faucet over another connection.
func (f *Faucet) On(c *btcdrpc.Client) *Faucet {
	f.chain = c
	return f
}
