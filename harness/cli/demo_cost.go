package cli

import (
	"fmt"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"
)

// bill is what transactions on the chain took.
type bill struct {
	transactions int
	vbytes, fee  int64
}

func (b bill) addTo(st *step) {
	st.Transactions += b.transactions
	st.VBytes += b.vbytes
	st.Fee += b.fee
}

// billOf looks a transaction up, its inputs too: the fee is what they leave.
func (s *story) billOf(id chainhash.Hash) (bill, error) {
	tx, found, err := s.lab.Chain.Transaction(s.ctx, id)
	if err != nil || !found {
		return bill{}, fmt.Errorf("transaction %s: found %t: %w", id, found, err)
	}
	fee := -total(tx.Tx)
	for _, in := range tx.Tx.TxIn {
		from := in.PreviousOutPoint
		previous, found, err := s.lab.Chain.Transaction(s.ctx, from.Hash)
		if err != nil || !found {
			return bill{}, fmt.Errorf("output %s: found %t: %w", from, found, err)
		}
		fee += previous.Tx.TxOut[from.Index].Value
	}
	weight := blockchain.GetTransactionWeight(btcutil.NewTx(tx.Tx))
	return bill{1, (weight + 3) / 4, fee}, nil
}

func total(tx *btcwire.MsgTx) int64 {
	var sum int64
	for _, out := range tx.TxOut {
		sum += out.Value
	}
	return sum
}
