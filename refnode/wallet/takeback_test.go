package wallet

import (
	"errors"
	"testing"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/wire"
	"pgregory.net/rapid"

	"superscalar/refnode/chain"
	"superscalar/refnode/chain/embedded"
)

// Whatever was funded: everything comes back but a fee that replaces it, and asking again gives the same transaction.
func TestTakeBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w, _ := funded(t, 40_000, 50_000, 60_000, 70_000)
		u, err := w.FundTx("a", []*wire.TxOut{out(btcutil.Amount(rapid.Int64Range(330, 190_000).Draw(rt, "output")))},
			FeeRate(rapid.Int64Range(100, 20_000).Draw(rt, "rate")))
		must(rt, err)
		rate := FeeRate(rapid.Int64Range(100, 40_000).Draw(rt, "rate back"))
		back, err := w.TakeBack("a", u.Tx, rate)
		must(rt, err)
		again, err := w.TakeBack("a", u.Tx, rate)
		must(rt, err)
		if back.TxHash() != again.TxHash() {
			rt.Fatal("another transaction the second time")
		}
		checkScripts(rt, back, u.Inputs, nil)
		fee := sum(u.Inputs) - btcutil.Amount(back.TxOut[0].Value)
		size := vsize(back)
		if len(back.TxIn) != len(u.Tx.TxIn) || len(back.TxOut) != 1 || fee != max(rate.Fee(size), u.Fee+IncrementalRelay.Fee(size)) {
			rt.Fatalf("%d inputs of %d, fee %d for %d vB after a fee of %d", len(back.TxIn), len(u.Tx.TxIn), fee, size, u.Fee)
		}
		if _, ours := w.indexes[string(back.TxOut[0].PkScript)]; !ours {
			rt.Fatal("it pays somebody else")
		}
	})
}

func TestTakeBackRefuses(t *testing.T) {
	w, b := funded(t, 2_000, 60_000)
	u, err := w.FundTx("a", []*wire.TxOut{out(50_000)}, 1_000)
	must(t, err)
	small, err := w.FundTx("small", []*wire.TxOut{out(400)}, 1_000)
	must(t, err)
	var short *ShortError
	for _, c := range []struct {
		name string
		id   string
		tx   *wire.MsgTx
		rate FeeRate
		want error
	}{
		{"rate zero", "a", u.Tx, 0, ErrArgument},
		{"no inputs", "a", wire.NewMsgTx(2), 1_000, ErrArgument},
		{"of another id", "b", u.Tx, 1_000, ErrUnknownReservation},
		{"of nobody", "", u.Tx, 1_000, ErrUnknownReservation},
		{"not ours", "a", b.truc(1_000), 1_000, ErrCoinGone},
	} {
		if _, err := w.TakeBack(c.id, c.tx, c.rate); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := w.TakeBack("small", small.Tx, SatPerVByte(50)); !errors.As(err, &short) {
		t.Errorf("a fee above the coin: %v", err)
	}
	must(t, w.Process(b.mine(u.Tx)))
	if _, err := w.TakeBack("a", u.Tx, 1_000); !errors.Is(err, ErrCoinGone) {
		t.Errorf("after it confirmed: %v", err)
	}
}

// On a chain with Bitcoin Core's policy it takes the place of what it is for, and a higher rate its own.
func TestTakeBackReplaces(t *testing.T) {
	c, err := embedded.New(embedded.Config{Seed: 8})
	must(t, err)
	defer func() { must(t, c.Close()) }()
	w := newWallet(t, Options{})
	for range 2 {
		script, err := w.NewScript()
		must(t, err)
		_, err = c.Fund(script, 100_000)
		must(t, err)
	}
	mine(t, c, w)
	u, err := w.FundTx("factory", []*wire.TxOut{wire.NewTxOut(150_000, anyone)}, SatPerVByte(5))
	must(t, err)
	signed, err := w.Sign(u)
	must(t, err)
	must(t, c.Submit(t.Context(), chain.Package{signed}))
	var back *wire.MsgTx
	for _, rate := range []FeeRate{SatPerVByte(1), SatPerVByte(10), SatPerVByte(12), SatPerVByte(12)} {
		back, err = w.TakeBack("factory", u.Tx, rate)
		must(t, err)
		must(t, c.Submit(t.Context(), chain.Package{back}))
	}
	mine(t, c, w)
	if _, found, err := c.Transaction(t.Context(), signed.TxHash()); found || err != nil {
		t.Errorf("what was taken back is still there: %v", err)
	}
	if got, want := w.Balance().Available, btcutil.Amount(back.TxOut[0].Value); got != want {
		t.Errorf("%d sat are free, want %d", got, want)
	}
}
