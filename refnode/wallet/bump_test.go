package wallet

import (
	"errors"
	"testing"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
	"pgregory.net/rapid"

	"superscalar/refnode/chain"
	"superscalar/refnode/chain/embedded"
)

func TestBumpChild(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w, b := funded(t, btcutil.Amount(rapid.Int64Range(400, 100_000).Draw(rt, "coin")))
		parent := b.truc(1000)
		for range rapid.IntRange(0, 50).Draw(rt, "outputs") {
			parent.AddTxOut(out(1000))
		}
		coin, err := w.ReserveCoin("bump", 1)
		must(rt, err)
		bump := Bump{ID: "bump", Parent: parent, Anchor: 1, ParentFee: btcutil.Amount(rapid.Int64Range(0, 500).Draw(rt, "parent fee"))}
		for range 3 {
			bump.Rate = max(bump.Rate, FeeRate(rapid.Int64Range(int64(MinFeeRate), 50_000).Draw(rt, "rate")))
			child, err := w.BumpChild(bump)
			var short *ShortError
			if errors.As(err, &short) {
				if short.Missing <= 0 || short.Missing > 100_000_000 {
					rt.Fatalf("missing %v", short)
				}
				return
			}
			must(rt, err)
			checkChild(rt, bump, coin, child)
			bump.Replaces = child
		}
	})
}

// checkChild checks a child against what was asked for.
func checkChild(t *rapid.T, b Bump, coin Coin, c *Child) {
	if c.Tx.Version != 3 || len(c.Tx.TxIn) != 2 || len(c.Tx.TxOut) != 1 || len(c.Tx.TxIn[0].Witness) != 0 {
		t.Fatalf("form of %v", c.Tx)
	}
	if c.VSize != vsize(c.Tx) || c.VSize != ChildVBytes || c.VSize > maxChildVBytes {
		t.Fatalf("%d vB, announced %d and %d", vsize(c.Tx), c.VSize, ChildVBytes)
	}
	if coin.Value != btcutil.Amount(c.Tx.TxOut[0].Value)+c.Fee || c.Tx.TxOut[0].Value < int64(dustLimit) {
		t.Fatalf("coin %d, output %d, fee %d", coin.Value, c.Tx.TxOut[0].Value, c.Fee)
	}
	want := max(b.Rate.Fee(vsize(b.Parent)+c.VSize)-b.ParentFee, IncrementalRelay.Fee(c.VSize))
	if b.Replaces != nil {
		want = max(want, b.Replaces.Fee+IncrementalRelay.Fee(c.VSize))
	}
	if c.Fee != want {
		t.Fatalf("fee %d, want %d", c.Fee, want)
	}
	if r := b.Replaces; r != nil && string(r.Tx.TxOut[0].PkScript) != string(c.Tx.TxOut[0].PkScript) {
		t.Fatalf("a replacement uses up a script")
	}
	checkScripts(t, c.Tx, []Coin{coin}, map[wire.OutPoint]*wire.TxOut{b.anchor(): b.Parent.TxOut[b.Anchor]})
}

func TestBumpRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(b *Bump)
		want   error
	}{
		{"no parent", func(b *Bump) { b.Parent = nil }, ErrArgument},
		{"version 2", func(b *Bump) { b.Parent.Version = 2 }, ErrArgument},
		{"no such output", func(b *Bump) { b.Anchor = 2 }, ErrArgument},
		{"not the anchor", func(b *Bump) { b.Anchor = 0 }, ErrArgument},
		{"rate", func(b *Bump) { b.Rate = 0 }, ErrArgument},
		{"parent fee", func(b *Bump) { b.ParentFee = -1 }, ErrArgument},
		{"unknown reservation", func(b *Bump) { b.ID = "x" }, ErrUnknownReservation},
		{"no id", func(b *Bump) { b.ID = "" }, ErrUnknownReservation},
		{"several coins", func(b *Bump) { b.ID = "two" }, ErrArgument},
		{"child of another parent", func(b *Bump) { b.Replaces = &Child{} }, ErrArgument},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, b := funded(t, 10_000, 10_000, 10_000)
			_, err := w.ReserveCoin("one", 1)
			must(t, err)
			_, err = w.FundTx("two", []*wire.TxOut{out(15_000)}, 1000)
			must(t, err)
			bump := Bump{ID: "one", Parent: b.truc(1000), Anchor: 1, Rate: 1000}
			c.change(&bump)
			if _, err := w.BumpChild(bump); !errors.Is(err, c.want) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

// TestOnAChain funds, bumps and replaces on a validating chain with Bitcoin Core's policy, through a reorganisation.
func TestOnAChain(t *testing.T) {
	c, err := embedded.New(embedded.Config{Seed: 7})
	must(t, err)
	defer func() { must(t, c.Close()) }()
	ctx := t.Context()
	w := newWallet(t, Options{})
	for range 2 {
		script, err := w.NewScript()
		must(t, err)
		_, err = c.Fund(script, 100_000)
		must(t, err)
	}
	must(t, w.Sync(ctx, c))
	if got := w.Balance().Confirmed; got != 0 {
		t.Fatalf("coins of the mempool: %v", got)
	}
	mine(t, c, w)
	if got := w.Balance().Available; got != 200_000 {
		t.Fatalf("balance %v", got)
	}

	// A funding transaction, as for a factory: to be spent by anybody here.
	u, err := w.FundTx("factory", []*wire.TxOut{wire.NewTxOut(50_000, anyone)}, SatPerVByte(2))
	must(t, err)
	signed, err := w.Sign(u)
	must(t, err)
	must(t, c.Submit(ctx, chain.Package{signed}))
	mine(t, c, w)
	must(t, w.Release("factory"))

	// A parent without a fee, a child for it, and a replacement.
	parent := wire.NewMsgTx(3)
	parent.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: signed.TxHash()}, nil, wire.TxWitness{{txscript.OP_TRUE}}))
	parent.AddTxOut(out(50_000))
	parent.AddTxOut(wire.NewTxOut(0, anchorScript))
	if err := c.Submit(ctx, chain.Package{parent}); err == nil {
		t.Fatal("the parent does not need a child")
	}
	_, err = w.ReserveCoin("bump", 20_000)
	must(t, err)
	bump := Bump{ID: "bump", Parent: parent, Anchor: 1, Rate: SatPerVByte(1)}
	for range 3 {
		child, err := w.BumpChild(bump)
		must(t, err)
		must(t, c.Submit(ctx, chain.Package{parent, child.Tx}))
		bump.Replaces = child // the same rate again: what it adds is enough to replace
	}
	before := w.Balance()
	mine(t, c, w)
	tx, found, err := c.Transaction(ctx, bump.Replaces.Tx.TxHash())
	if err != nil || !found || !tx.Confirmed {
		t.Fatalf("the last child: %v %v %v", tx.Position, found, err)
	}
	if got := w.Balance().Confirmed; got != before.Confirmed-bump.Replaces.Fee {
		t.Fatalf("balance %v, was %v, fee %v", got, before.Confirmed, bump.Replaces.Fee)
	}

	// The reorganisation takes the child out of its block; its coin is still reserved.
	must(t, c.Reorg(1, nil, nil))
	must(t, w.Sync(ctx, c))
	if got := w.Balance(); got != before {
		t.Fatalf("balance %v, was %v", got, before)
	}
	mine(t, c, w)
	if got := w.Balance().Confirmed; got != before.Confirmed-bump.Replaces.Fee {
		t.Fatalf("confirmed again: %v", got)
	}
}

// anyone is P2WSH of OP_TRUE.
var anyone = []byte{0x00, 0x20, 0x4a, 0xe8, 0x15, 0x72, 0xf0, 0x6e, 0x1b, 0x88, 0xfd, 0x5c, 0xed, 0x7a, 0x1a, 0x00, 0x09, 0x45, 0x43, 0x2e,
	0x83, 0xe1, 0x55, 0x1e, 0x6f, 0x72, 0x1e, 0xe9, 0xc0, 0x0b, 0x8c, 0xc3, 0x32, 0x60}

func mine(t *testing.T, c *embedded.Chain, w *Wallet) {
	t.Helper()
	_, err := c.Mine(1)
	must(t, err)
	must(t, w.Sync(t.Context(), c))
}
