package wallet

import (
	"errors"
	"testing"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/wire"
	"pgregory.net/rapid"
)

func TestFundRefuses(t *testing.T) {
	for _, c := range []struct {
		name    string
		id      string
		outputs []*wire.TxOut
		rate    FeeRate
		want    error
	}{
		{"no id", "", []*wire.TxOut{out(1000)}, 1000, ErrArgument},
		{"id in use", "used", []*wire.TxOut{out(1000)}, 1000, ErrReserved},
		{"no outputs", "a", nil, 1000, ErrArgument},
		{"nil output", "a", []*wire.TxOut{nil}, 1000, ErrArgument},
		{"no script", "a", []*wire.TxOut{wire.NewTxOut(1000, nil)}, 1000, ErrArgument},
		{"dust", "a", []*wire.TxOut{out(329)}, 1000, ErrArgument},
		{"negative", "a", []*wire.TxOut{out(-1)}, 1000, ErrArgument},
		{"too much", "a", []*wire.TxOut{out(btcutil.MaxSatoshi), out(btcutil.MaxSatoshi)}, 1000, ErrArgument},
		{"rate zero", "a", []*wire.TxOut{out(1000)}, 0, ErrArgument},
		{"rate absurd", "a", []*wire.TxOut{out(1000)}, MaxFeeRate + 1, ErrArgument},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, _ := funded(t, 20_000, 30_000)
			_, err := w.ReserveCoin("used", 1)
			must(t, err)
			before := w.Balance()
			if _, err := w.FundTx(c.id, c.outputs, c.rate); !errors.Is(err, c.want) {
				t.Fatalf("got %v", err)
			}
			if w.Balance() != before {
				t.Error("something was reserved")
			}
		})
	}
}

// TestMissingIsEnough : a coin of exactly what was missing makes it possible.
func TestMissingIsEnough(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var values []btcutil.Amount
		for _, v := range rapid.SliceOfN(rapid.Int64Range(330, 100_000), 0, 8).Draw(rt, "coins") {
			values = append(values, btcutil.Amount(v))
		}
		w, b := funded(t, values...)
		outputs := []*wire.TxOut{out(btcutil.Amount(rapid.Int64Range(100_000, 900_000).Draw(rt, "output")))}
		rate := FeeRate(rapid.Int64Range(100, 100_000).Draw(rt, "rate"))
		u, err := w.FundTx("a", outputs, rate)
		var short *ShortError
		if errors.As(err, &short) {
			must(rt, w.Process(b.mine(b.pay(t, w, short.Missing))))
			u, err = w.FundTx("a", outputs, rate)
		}
		if err != nil {
			rt.Fatalf("with %v more: %v", short, err)
		}
		checkFunded(rt, u, outputs, rate)
	})
}

func TestManyOutputsAndInputs(t *testing.T) {
	for _, c := range []struct {
		name           string
		outputs, coins int
	}{
		{"251 outputs", 251, 3}, {"252 outputs, a third byte with change", 252, 3}, {"253 outputs", 253, 3}, {"300 coins", 1, 300},
	} {
		t.Run(c.name, func(t *testing.T) {
			values := make([]btcutil.Amount, c.coins)
			for i := range values {
				values[i] = 1_000_000
			}
			w, _ := funded(t, values...)
			outputs := make([]*wire.TxOut, c.outputs)
			for i := range outputs {
				outputs[i] = out(btcutil.Amount((c.coins*1_000_000 - 500_000) / c.outputs))
			}
			u, err := w.FundTx("a", outputs, SatPerVByte(5))
			must(t, err)
			checkFunded(t, u, outputs, SatPerVByte(5))
			signed, err := w.Sign(u)
			must(t, err)
			if vsize(signed) != u.VSize {
				t.Errorf("%d vB, announced %d", vsize(signed), u.VSize)
			}
			checkScripts(t, signed, u.Inputs, nil)
		})
	}
}

func TestSignRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(t *testing.T, w *Wallet, b *blocks, u *Unsigned)
		want   error
	}{
		{"released", func(t *testing.T, w *Wallet, _ *blocks, _ *Unsigned) { must(t, w.Release("a")) }, ErrUnknownReservation},
		{"of another id", func(_ *testing.T, _ *Wallet, _ *blocks, u *Unsigned) { u.ID = "b" }, ErrUnknownReservation},
		{"a foreign coin", func(_ *testing.T, _ *Wallet, _ *blocks, u *Unsigned) {
			u.Tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: 9}, nil, nil))
		}, ErrCoinGone},
		{"spent", func(t *testing.T, w *Wallet, b *blocks, u *Unsigned) { must(t, w.Process(b.mine(u.Tx))) }, ErrCoinGone},
		{"undone", func(t *testing.T, w *Wallet, b *blocks, _ *Unsigned) { must(t, w.Process(b.undo())) }, ErrCoinGone},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, b := funded(t, 20_000)
			u, err := w.FundTx("a", []*wire.TxOut{out(1000)}, 1000)
			must(t, err)
			c.change(t, w, b, u)
			if _, err := w.Sign(u); !errors.Is(err, c.want) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestFeeRate(t *testing.T) {
	for _, c := range []struct {
		name   string
		rate   FeeRate
		vbytes int64
		want   btcutil.Amount
		text   string
	}{
		{"whole", SatPerVByte(10), 153, 1530, "10.000 sat/vB"}, {"rounded up", 1001, 153, 154, "1.001 sat/vB"},
		{"least", MinFeeRate, 1, 1, "0.100 sat/vB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.rate.Fee(c.vbytes); got != c.want || c.rate.String() != c.text {
				t.Fatalf("%d, %s", int64(got), c.rate)
			}
		})
	}
}
