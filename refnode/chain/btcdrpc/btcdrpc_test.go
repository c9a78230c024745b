package btcdrpc

import (
	"testing"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

// The sentences are those of btcd v0.26.2.
func TestReasons(t *testing.T) {
	rows := []struct{ name, text, want string }{
		{"in the mempool", "TX rejected: already have transaction in mempool aa", chain.ReasonInMempool},
		{"confirmed", "TX rejected: transaction already exists in blockchain", chain.ReasonAlreadyKnown},
		{"missing parent", "TX rejected: orphan transaction aa references outputs of unknown or fully-spent transaction bb", chain.ReasonMissingInputs},
		{"relative lock", "TX rejected: transaction's sequence locks on inputs not met", chain.ReasonNonBIP68Final},
		{"fee", "TX rejected: transaction aa has 0 fees which is under the required amount of 150", chain.ReasonMinRelayFee},
		{"replacement", "TX rejected: aa: replacement transaction has an insufficient fee rate: needs more than 1, has 0", chain.ReasonInsufficientFee},
		{"anything else", "TX rejected: tx aa is too small", "tx aa is too small"},
	}
	for _, row := range rows {
		if got := reasonOf(row.text); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}

// TestBuild makes two blocks on one parent and one on another: all sound, all different.
func TestBuild(t *testing.T) {
	params := &chaincfg.RegressionNetParams
	tx := wire.NewMsgTx(3)
	tx.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: chainhash.Hash{1}}, Witness: wire.TxWitness{{1}}})
	tx.AddTxOut(wire.NewTxOut(1, []byte{0x51}))
	genesis := params.GenesisBlock.Header
	first, err := build(1, genesis, nil, params, []*wire.MsgTx{tx})
	if err != nil {
		t.Fatal(err)
	}
	other, err := build(1, genesis, []byte{0x52}, params, nil)
	if err != nil {
		t.Fatal(err)
	}
	second, err := build(2, first.Header, nil, params, nil)
	if err != nil {
		t.Fatal(err)
	}
	coinbases := make(map[chainhash.Hash]bool)
	for i, msg := range []*wire.MsgBlock{first, other, second} {
		block := btcutil.NewBlock(msg)
		if err := blockchain.CheckBlockSanity(block, params.PowLimit, blockchain.NewMedianTime()); err != nil {
			t.Errorf("block %d: %v", i, err)
		}
		if err := blockchain.ValidateWitnessCommitment(block); err != nil {
			t.Errorf("block %d: %v", i, err)
		}
		coinbases[msg.Transactions[0].TxHash()] = true
	}
	if len(coinbases) != 3 {
		t.Errorf("%d different coinbases, want 3", len(coinbases))
	}
}
