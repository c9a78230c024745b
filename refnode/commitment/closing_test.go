package commitment

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	btcwire "github.com/btcsuite/btcd/wire"
	"pgregory.net/rapid"
)

func newClosing(p *pair, opener MilliSat, dust Sat) *Closing {
	return &Closing{
		Funding: p.Fund, Balance: [2]MilliSat{opener, ofSat(p.Fund.Value) - opener},
		Scripts:   [2][]byte{payToKey(testKey("opener's").PubKey()), payTo([]byte{0x51})},
		DustLimit: [2]Sat{dust, dust},
	}
}

// Both sides close: the accepter signs, the opener completes, and the fee is
// the opener's.
func TestClosing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPair(t)
		opener := MilliSat(rapid.Uint64Range(1_000_000, uint64(ofSat(p.Fund.Value))).Draw(t, "opener's"))
		c := newClosing(p, opener, 354)
		fee := Sat(rapid.Int64Range(0, 600).Draw(t, "fee"))
		signer := Side(rapid.IntRange(0, 1).Draw(t, "signer"))
		var drop []Side
		if rapid.Bool().Draw(t, "leaves out its own") {
			drop = []Side{signer}
		}
		sig, err := c.Sign(fee, p.Keys[signer], drop...)
		if errors.Is(err, ErrClosing) {
			return // nothing is left
		}
		if err != nil {
			t.Fatal(err)
		}
		tx, err := c.Verify(fee, signer, sig)
		if err != nil {
			t.Fatal(err)
		}
		checkClosing(t, c, tx, fee, drop)
		signed, err := c.Complete(tx, p.Keys[signer.Other()], sig)
		if err != nil {
			t.Fatal(err)
		}
		if err := execute(signed, map[btcwire.OutPoint]*btcwire.TxOut{p.Fund.Outpoint: p.Fund.Output()}); err != nil {
			t.Fatal(err)
		}
		openers := slices.ContainsFunc(tx.TxOut, func(o *btcwire.TxOut) bool { return bytes.Equal(o.PkScript, c.Scripts[Opener]) })
		if _, err := c.Verify(fee+1, signer, sig); openers && !errors.Is(err, ErrSignature) && !errors.Is(err, ErrClosing) {
			t.Fatalf("another fee: %v", err)
		}
		if _, err := c.Verify(fee, signer.Other(), sig); !errors.Is(err, ErrSignature) {
			t.Fatalf("another signer: %v", err)
		}
		if _, err := c.Verify(fee, signer, highS(sig)); !errors.Is(err, ErrHighS) && drop == nil {
			t.Fatalf("high S: %v", err)
		}
	})
}

func checkClosing(t *rapid.T, c *Closing, tx *btcwire.MsgTx, fee Sat, drop []Side) {
	t.Helper()
	want := map[string]Sat{}
	for side, balance := range c.Balance {
		amount := balance.Sat()
		if Side(side) == Opener {
			amount -= fee
		}
		if amount >= c.DustLimit[0] && (len(drop) == 0 || drop[0] != Side(side)) {
			want[string(c.Scripts[side])] = amount
		}
	}
	if len(tx.TxOut) != len(want) || tx.Version != 2 || tx.LockTime != 0 || tx.TxIn[0].Sequence != 0xffffffff {
		t.Fatalf("%d outputs, want %d", len(tx.TxOut), len(want))
	}
	for _, out := range tx.TxOut {
		if want[string(out.PkScript)] != Sat(out.Value) {
			t.Fatalf("an output of %d sat, want %d", out.Value, want[string(out.PkScript)])
		}
	}
	if len(tx.TxOut) == 2 && tx.TxOut[0].Value > tx.TxOut[1].Value {
		t.Fatal("outputs are not in order")
	}
}

func TestClosingThatCannotBe(t *testing.T) {
	p := newPair(Anchors, 100_000)
	for name, test := range map[string]struct {
		c    *Closing
		fee  Sat
		drop []Side
	}{
		"fee-above-balance":   {newClosing(p, 1_000_999, 354), 1001, nil},
		"negative-fee":        {newClosing(p, 50_000_000, 354), -1, nil},
		"nothing-left":        {newClosing(p, 100_000_000, 354), 99_647, nil},
		"both-left-out":       {newClosing(p, 50_000_000, 354), 100, []Side{Opener, Accepter}},
		"balances-do-not-sum": {&Closing{Funding: p.Fund, Balance: [2]MilliSat{50_000_000, 49_999_999}}, 0, nil},
		"balance-above-all":   {&Closing{Funding: p.Fund, Balance: [2]MilliSat{100_000_001, 0}}, 0, nil},
	} {
		if _, err := test.c.Build(test.fee, Opener, test.drop...); !errors.Is(err, ErrClosing) {
			t.Errorf("%s: %v, want %v", name, err, ErrClosing)
		}
	}
	c := newClosing(p, 50_000_000, 354)
	tx, err := c.Build(100, Opener)
	if err != nil {
		t.Fatal(err)
	}
	sig, _ := c.Sign(100, p.Keys[Opener])
	if _, err := c.Complete(tx, testKey("stranger"), sig); !errors.Is(err, ErrOwnKey) {
		t.Errorf("a stranger's key: %v", err)
	}
	if _, err := c.Complete(tx, p.Keys[Opener], sig); !errors.Is(err, ErrSignature) {
		t.Errorf("the own signature for the other's: %v", err)
	}
}

// An output of exactly the dust limit stays, one sat less goes to the fee.
func TestClosingAtTheDustLimit(t *testing.T) {
	p := newPair(Anchors, 100_000)
	for opener, want := range map[MilliSat]int{454_000: 2, 454_999: 2, 453_999: 1} {
		tx, err := newClosing(p, opener, 354).Build(100, Opener)
		if err != nil || len(tx.TxOut) != want {
			t.Errorf("the opener has %s: %d outputs, want %d, %v", opener, len(tx.TxOut), want, err)
		}
	}
}
