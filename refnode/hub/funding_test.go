package hub_test

import (
	"errors"
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

// TestCoinsOfAChannelThatNeverWas: the peer goes away before it has signed. The coins
// that were to fund the channel can be spent again, at once, and after a crash.
func TestCoinsOfAChannelThatNeverWas(t *testing.T) {
	for _, crash := range []bool{false, true} {
		w := newWorld(t)
		l, c := w.party("l", node.LSP), w.party("c", node.Client)
		l.coins(2_000_000)
		l.connect(c)
		c.mu.Lock()
		c.refuses = errors.New("no room") // for the commitment: it hangs up
		c.mu.Unlock()
		if crash { // what the client says is lost, and then the process
			l.mu.Lock()
			l.refuses = errors.New("no room here either")
			l.mu.Unlock()
		}
		w.until("the nodes are connected", func() bool { return l.node.OpenOutside([33]byte(c.id()), 1_000_000, 0) == nil })
		if crash {
			w.until("coins are reserved", func() bool { return len(l.wallet.Reservations()) > 0 })
			l.mu.Lock()
			l.refuses = nil
			l.mu.Unlock()
			l.restart()
		}
		w.until("the LSP has forgotten the channel", func() bool { return len(l.hub.Channels()) == 0 })
		w.until("its coins are free", func() bool { return len(l.wallet.Reservations()) == 0 })
	}
}

// TestUnfundedChannelsAreBounded: what costs a peer nothing does not fill the disk.
func TestUnfundedChannelsAreBounded(t *testing.T) {
	w := newWorld(t)
	l, c := w.party("l", node.LSP), w.party("c", node.Client)
	for range 6 {
		c.coins(100_000)
	}
	c.cheats = func(tx *btcwire.MsgTx) { tx.LockTime = 499_999_999 } // a height: never in a block
	c.connect(l)
	for i := range 6 {
		w.until("the nodes are connected", func() bool { return c.node.OpenOutside([33]byte(l.id()), 50_000, 0) == nil })
		if i < 4 {
			w.until("the channel is stored", func() bool { return len(l.hub.Channels()) == i+1 })
		} else {
			w.until("the attempt has failed", func() bool { return c.wasted() > i-4 })
		}
	}
	if n := len(l.hub.Channels()); n != 4 {
		t.Errorf("the LSP keeps %d channels that nobody has funded, want 4", n)
	}
	for _, s := range c.hub.Channels() { // failing them makes no room
		check(t, c.hub.CloseChannel(s.ID, nil, true))
	}
	w.until("the LSP knows", func() bool {
		for _, s := range l.hub.Channels() {
			if s.Failure == "" {
				return false
			}
		}
		return true
	})
	w.until("the nodes are connected", func() bool { return c.node.OpenOutside([33]byte(l.id()), 50_000, 0) == nil })
	w.until("the attempt has failed", func() bool { return c.wasted() == 3 })
	if n := len(c.wallet.Reservations()); n != 4 {
		t.Errorf("coins are reserved for %d channels, want 4", n)
	}
	if n := len(l.hub.Channels()); n != 4 {
		t.Errorf("%d channels", n)
	}
	w.mine(2016, l) // and after two weeks they go, failed or not
	if n := len(l.hub.Channels()); n != 0 {
		t.Errorf("%d channels after 2,016 blocks: %+v", n, l.hub.Channels()[0])
	}
}
