package hub_test

import (
	"strings"
	"testing"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/node"
	"superscalar/refnode/payment"
)

// TestFundingThatPaysAnotherOutput: a funding transaction whose output is worth less
// than the channel, or somebody else's, or not there, buys nothing. Who takes its peer's
// word for it pays real money out for what it receives on such a channel.
func TestFundingThatPaysAnotherOutput(t *testing.T) {
	for _, row := range []struct {
		name  string
		cheat func(*btcwire.MsgTx)
	}{
		{"one sat less", func(tx *btcwire.MsgTx) { tx.TxOut[0].Value-- }},
		{"one sat more", func(tx *btcwire.MsgTx) { tx.TxOut[0].Value++ }},
		{"hardly anything", func(tx *btcwire.MsgTx) { tx.TxOut[0].Value = 1000 }},
		{"another script", func(tx *btcwire.MsgTx) { tx.TxOut[0].PkScript = tx.TxOut[1].PkScript }},
		{"the output is somewhere else", func(tx *btcwire.MsgTx) { tx.TxOut[0], tx.TxOut[1] = tx.TxOut[1], tx.TxOut[0] }},
		{"there is no such output", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			l, thief := w.party("l", node.LSP), w.party("thief", node.Client)
			thief.coins(2_000_000)
			thief.cheats = row.cheat
			if row.cheat == nil {
				thief.names = 7 // the transaction has two outputs
			}
			thief.connect(l)
			w.until("the nodes are connected", func() bool {
				return thief.node.OpenOutside([33]byte(l.id()), 1_000_000, 0) == nil
			})
			w.until("the funding transaction is out", func() bool { return len(w.chain.Mempool()) > 0 })
			if n := len(l.hub.Channels()); n != 1 {
				t.Fatalf("the LSP has %d channels before a block", n)
			}
			w.mine(3, l)
			if n := len(l.hub.Channels()); n != 0 {
				t.Fatalf("the LSP keeps %d channels on an output that is not there: %+v", n, l.hub.Channels()[0])
			}
			w.mine(1, l, thief) // and nothing of it is left to publish
			w.until("the thief knows", func() bool {
				c := thief.hub.Channels()
				return len(c) == 0 || c[0].Failure != ""
			})
			if len(w.chain.Mempool()) != 0 {
				t.Error("somebody published a commitment that spends nothing")
			}
			l.restart()
			if n := len(l.hub.Channels()); n != 0 {
				t.Errorf("%d channels are back after a restart", n)
			}
		})
	}
}

// TestFundingIsWorthIt: the payments of a channel whose output is what it should be go through.
func TestFundingIsWorthIt(t *testing.T) {
	w := newWorld(t)
	l, c := w.party("l", node.LSP), w.party("c", node.Client)
	c.coins(2_000_000)
	c.cheats = func(tx *btcwire.MsgTx) { tx.LockTime = 1 } // an honest change
	c.connect(l)
	c.channel(l, 1_000_000, 0)
	if p := c.pay(l, 1_000_000); p.State != payment.Succeeded {
		t.Fatal(p)
	}
	if f := l.hub.Channels()[0].Failure; strings.Contains(f, "funding") {
		t.Fatal(f)
	}
}
