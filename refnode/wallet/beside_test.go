package wallet

import (
	"errors"
	"testing"

	"github.com/btcsuite/btcd/wire"
)

// A coin is signed beside an input of somebody else, whose output the signature
// covers; coins that are not reserved for the id are not.
func TestSignBeside(t *testing.T) {
	w, b := funded(t, 50_000, 60_000)
	coin, err := w.ReserveCoin("ours", 55_000)
	must(t, err)
	other, err := w.ReserveCoin("another", 40_000)
	must(t, err)
	foreign := b.foreign()
	foreign.AddTxOut(out(7_000))
	at := wire.OutPoint{Hash: foreign.TxHash()}
	make := func(coins ...Coin) *wire.MsgTx {
		tx := wire.NewMsgTx(2)
		tx.AddTxIn(wire.NewTxIn(&at, nil, wire.TxWitness{{1, 2, 3}}))
		for _, c := range coins {
			tx.AddTxIn(wire.NewTxIn(&c.Outpoint, nil, nil))
		}
		tx.AddTxOut(out(66_000))
		return tx
	}
	others := map[wire.OutPoint]*wire.TxOut{at: foreign.TxOut[0]}
	tx := make(coin)
	must(t, w.SignBeside("ours", tx, others))
	if len(tx.TxIn[0].Witness) != 1 || len(tx.TxIn[0].Witness[0]) != 3 {
		t.Error("the witness of the other input is not what it was")
	}
	checkScripts(t, tx, []Coin{coin}, others)
	for name, test := range map[string]struct {
		id     string
		tx     *wire.MsgTx
		others map[wire.OutPoint]*wire.TxOut
	}{
		"a coin of another purpose":      {"ours", make(coin, other), others},
		"an input that is nobody's":      {"ours", make(coin), nil},
		"no coin":                        {"ours", make(), others},
		"a reservation there is none of": {"nobody", make(coin), others},
	} {
		if err := w.SignBeside(test.id, test.tx, test.others); !errors.Is(err, ErrArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
