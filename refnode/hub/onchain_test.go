package hub_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/hub"
	"superscalar/refnode/node"
	"superscalar/refnode/payment"
	"superscalar/refnode/plugin"
	"superscalar/refnode/store"
)

// freeze lets a number of updates of a party's store pass and makes the next one
// hang, with everything that the party would do after it.
func (p *party) freeze(after int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.freezes, p.ice, p.frozen = after, make(chan struct{}), false
}

// thaw lets it go on, or fail with err.
func (p *party) thaw(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ice != nil {
		close(p.ice)
	}
	p.ice, p.refuses = nil, err
}

// hold pays a party that hangs when the HTLC is committed on the payer's side of
// its channel, and knows nothing of it yet. It returns the payment's hash.
func (p *party) hold(to *party, msat payment.Msat) payment.Hash {
	w := p.w
	w.t.Helper()
	inv, err := to.hub.Invoice(payment.InvoiceRequest{Amount: msat})
	check(w.t, err)
	to.freeze(1) // it takes the HTLC into its commitment, and not the end of that
	w.t.Cleanup(func() { to.thaw(nil) })
	_, err = p.hub.Pay(payment.PayRequest{Invoice: inv.Request, MaxFee: msat})
	check(w.t, err)
	w.until("the HTLC arrived", func() bool {
		to.mu.Lock()
		defer to.mu.Unlock()
		return to.frozen
	})
	return inv.Hash
}

// pass lets blocks come one by one.
func (w *world) pass(n int, parties ...*party) {
	w.t.Helper()
	for range n {
		w.mine(1, parties...)
	}
}

// with returns the channel with a peer.
func (p *party) with(peer *party) hub.Status {
	p.w.t.Helper()
	for _, c := range p.hub.Channels() {
		if c.Peer == peer.id() {
			return c
		}
	}
	p.w.t.Fatalf("%s has no channel with %s", p.name, peer.name)
	return hub.Status{}
}

func (p *party) state(h payment.Hash) payment.PaymentState {
	got, _ := p.hub.Payment(h)
	return got.State
}

// balance is what the wallet has, in sat.
func (p *party) balance() int64 {
	p.w.t.Helper()
	check(p.w.t, p.wallet.Sync(p.w.t.Context(), p.w.chain))
	return int64(p.wallet.Balance().Confirmed)
}

// force closes the channel with a peer and waits for its commitment.
func (p *party) force(peer *party) {
	w := p.w
	w.t.Helper()
	check(w.t, p.hub.CloseChannel(p.with(peer).ID, nil, true))
	w.until("the commitment is out", func() bool { return len(w.chain.Mempool()) > 0 })
}

// star is an LSP with clients, each with a channel and coins.
func star(w *world, names ...string) (l *party, clients []*party) {
	w.t.Helper()
	l = w.party("l", node.LSP)
	for _, name := range names {
		c := w.party(name, node.Client)
		l.coins(1_500_000)
		c.coins(100_000)
		c.coins(100_000)
		l.connect(c)
		l.channel(c, 1_000_000, 400_000_000)
		clients = append(clients, c)
	}
	for range 4 {
		l.coins(100_000)
	}
	for _, c := range clients {
		c.look()
	}
	l.look()
	return l, clients
}

// TestForceCloseWithHTLCs: a pays b, and b pays e, both through l, when the
// channel between l and b is closed by force. b claims what a paid with its
// preimage, l takes that from the chain and claims what a owes it; e tells l its
// preimage off the chain, l claims with it what b paid, and b learns from the
// chain that it paid.
func TestForceCloseWithHTLCs(t *testing.T) {
	for _, byLSP := range []bool{true, false} {
		t.Run(map[bool]string{true: "by-lsp", false: "by-client"}[byLSP], func(t *testing.T) {
			w := newWorld(t)
			l, c := star(w, "a", "b", "e")
			a, b, e := c[0], c[1], c[2]
			before := b.balance()
			toE := b.hold(e, 30_000_000)
			toB := a.hold(b, 50_000_000)
			if byLSP {
				l.force(b)
				b.thaw(nil)
			} else {
				l.stop() // it hears nothing of b's preimage but on the chain
				b.thaw(nil)
				b.force(l)
				w.mine(1, b)
				w.mine(1, b)
				l.start() // in the middle
				l.connect(a)
				l.connect(e)
			}
			w.mine(1, l, b)
			w.mine(1, l, b)
			w.until("the preimage came from the chain to the payer", func() bool {
				l.look()
				return a.state(toB) == payment.Succeeded
			})
			e.thaw(nil)
			// No block before that: however slow this machine is, nothing expires.
			w.until("the LSP has the preimage, and the payee its money", func() bool { return l.with(e).Remote == 430_000_000 })
			w.until("the LSP has what it forwarded, and the payer knows", func() bool {
				w.mine(1, l, b, a, e)
				return b.state(toE) == payment.Succeeded
			})
			l.restart()
			l.connect(a)
			l.connect(e)
			w.until("the other channels have no HTLC left", func() bool {
				return l.up() == 2 && l.with(a).Remote == 350_000_000-1000-5000 && l.with(e).Remote == 430_000_000
			})
			w.pass(160, l, b)
			if s := l.with(b); s.State() != "closed" {
				t.Errorf("the LSP has it %s: %s", s.State(), s.Failure)
			}
			if s := b.with(l); s.State() != "closed" {
				t.Errorf("the client has it %s: %s", s.State(), s.Failure)
			}
			// 400,000 at first, 50,000 received, 30,000 and a fee of 4 paid.
			if got := b.balance() - before; got < 415_000 || got > 420_000 {
				t.Errorf("the client got %d sat", got)
			}
			w.pass(100, l, b)
			w.erased(l)
			w.erased(b)
		})
	}
}

// erased checks that nothing is kept of channels that are done, and that what is
// kept can be read.
func (w *world) erased(p *party) {
	w.t.Helper()
	done := 0
	for _, c := range p.hub.Channels() {
		if c.Closed {
			done++
		}
	}
	p.restart()
	left := 0
	check(w.t, p.store.View(func(tx *store.Tx) error {
		names, err := tx.Keys("closing")
		left = len(names)
		return err
	}))
	if done != 1 || left != 0 {
		w.t.Errorf("%s: %d channels are closed, %d keep a record", p.name, done, left)
	}
}

// TestTimeoutOnChain: the payee is gone for ever. The LSP takes back what it
// offered, and the payer's HTLC is failed in time: its channel lives on.
func TestTimeoutOnChain(t *testing.T) {
	w := newWorld(t)
	l, c := star(w, "a", "b")
	a, b := c[0], c[1]
	hash := a.hold(b, 50_000_000)
	b.thaw(errors.New("the disk is gone"))
	b.stop()
	before := l.balance()
	for i := 0; a.state(hash) == payment.InFlight; i++ {
		if i > 400 {
			t.Fatal("it never ends")
		}
		w.mine(1, l, a)
		if i%5 == 0 {
			l.restart()
			l.connect(a)
			w.until("both are back", func() bool { return a.up() == 1 })
		}
		w.until("the nodes are done", func() bool { return l.node != nil })
	}
	if s := a.state(hash); s != payment.Failed {
		t.Fatalf("the payment is %v", s)
	}
	w.until("the payer's channel is up", func() bool { return a.with(l).Link.Up && a.with(l).Local == 400_000_000 })
	w.pass(160, l)
	if s := l.with(b); s.State() != "closed" {
		t.Errorf("the LSP has it %s: %s", s.State(), s.Failure)
	}
	if got := l.balance() - before; got < 590_000 || got > 600_000 {
		t.Errorf("the LSP got %d sat of its 600,000", got)
	}
}

// backup copies what a party has on its disk while it is stopped.
func (p *party) backup() string {
	p.w.t.Helper()
	dir := filepath.Join(p.w.t.TempDir(), "backup")
	check(p.w.t, os.CopyFS(dir, os.DirFS(p.dir)))
	return dir
}

// old makes a client whose backup has an HTLC in its commitment and most of the
// money, which it pays back afterwards. It is stopped, its disk the backup.
func old(w *world) (l, b *party) {
	w.t.Helper()
	l, c := star(w, "b")
	b = c[0]
	hash := l.hold(b, 60_000_000)
	b.thaw(errors.New("the power is gone"))
	b.stop()
	dir := b.backup()
	b.thaw(nil)
	b.start()
	l.connect(b)
	w.until("the payment arrives", func() bool { return l.state(hash) == payment.Succeeded })
	w.until("the payee has it", func() bool { return b.up() == 1 && b.with(l).Local == 460_000_000 })
	if p := b.pay(l, 300_000_000); p.State != payment.Succeeded {
		w.t.Fatalf("%+v", p)
	}
	w.until("it is settled", func() bool { return l.with(b).Remote == 160_000_000 && b.with(l).Local == 160_000_000 })
	b.stop()
	b.dir = dir
	return l, b
}

// TestRevokedCommitment: a client comes back with an old disk and publishes its
// old commitment. It loses everything.
func TestRevokedCommitment(t *testing.T) {
	w := newWorld(t)
	l, b := old(w)
	b.start()
	before, client := l.balance(), b.balance()
	b.force(l)
	w.mine(1, l, b)
	l.restart()
	w.pass(160, l, b)
	if got := l.balance() - before; got < 990_000 {
		t.Errorf("the LSP got %d sat of 1,000,000", got)
	}
	if got := b.balance() - client; got > 0 {
		t.Errorf("the cheater gained %d sat", got)
	}
	if s := l.with(b); s.State() != "closed" {
		t.Errorf("the LSP has it %s: %s", s.State(), s.Failure)
	}
}

// TestDataLoss: a client comes back with an old disk and says so. It publishes
// nothing (CHAN-023), the LSP does, and the client has what is its own now.
func TestDataLoss(t *testing.T) {
	w := newWorld(t)
	l, b := old(w)
	b.start()
	before := b.balance()
	l.connect(b)
	w.until("the LSP publishes its commitment", func() bool { return len(w.chain.Mempool()) > 0 })
	w.pass(12, l, b)
	if got := b.balance() - before; got < 159_000 || got > 160_000 {
		t.Errorf("the client got %d sat of its 160,000", got)
	}
	w.until("the LSP knows why", func() bool { return l.with(b).Failure != "" })
}

// TestMutualClose: both have their shares, and nothing is left.
func TestMutualClose(t *testing.T) {
	w := newWorld(t)
	l, c := star(w, "b")
	b := c[0]
	deals := func(want bool) {
		t.Helper()
		if l.hub.Deals(plugin.PeerID(b.id())) != want || b.hub.Deals(plugin.PeerID(l.id())) != want {
			t.Errorf("each of them deals with the other: not %v", want)
		}
	}
	deals(true)
	if l.hub.Deals(plugin.PeerID(l.id())) {
		t.Error("it deals with itself")
	}
	check(t, l.hub.CloseChannel(l.with(b).ID, nil, false))
	w.until("the closing transaction is out", func() bool { return len(w.chain.Mempool()) > 0 })
	tx := w.chain.Mempool()[0]
	w.pass(110, l, b)
	spend, _, err := w.chain.Spend(t.Context(), tx.TxIn[0].PreviousOutPoint)
	if err != nil || !spend.Confirmed || len(spend.Tx.TxOut) != 2 || spend.Tx.TxOut[0].Value != 400_000 || !bytes.Equal(spend.Tx.TxOut[0].PkScript, b.closesTo()) {
		t.Errorf("it ends by %+v, %v", spend.Tx, err)
	}
	deals(false)
	w.erased(l)
	w.erased(b)
}

// TestAPreimageInTheBlocksThatGiveUp: the LSP is shown many blocks at once. The payee has
// claimed what it was paid in one of the first, and by the last the HTLC of the payer would
// have to be failed (CHAN-040): the LSP takes the preimage, and what the payer owes it.
func TestAPreimageInTheBlocksThatGiveUp(t *testing.T) {
	const margin = 4 // blocks before the expiry: the first at which the router asks
	w := newWorld(t)
	l, c := star(w, "a", "b")
	a, b := c[0], c[1]
	hash := a.hold(b, 50_000_000)
	l.stop() // it hears nothing of b's preimage but on the chain
	b.thaw(nil)
	l.start()
	l.connect(a)
	expiry := w.expiry(l)
	first := expiry - margin - chain.MaxUpdate
	if w.tip() > first {
		t.Fatalf("the HTLC expires at %d, and it is %d: too soon for what the test shows", expiry, w.tip())
	}
	for w.tip() < first {
		w.mine(1, l)
	}
	b.force(l)
	for range 3 {
		w.mine(1, b)
	}
	w.mine(expiry - margin + 1 - w.tip())
	l.look()
	w.until("the preimage came from the chain to the payer", func() bool { return a.state(hash) != payment.InFlight })
	if s := a.state(hash); s != payment.Succeeded {
		t.Errorf("the payment is %v, and the LSP paid the payee", s)
	}
}

// TestForceAfterMutualClose: the closing transaction lies in the mempool and does not confirm.
// On the order of one side its commitment replaces it, although the peer has failed the channel
// in between; each has its share, less what it cost.
func TestForceAfterMutualClose(t *testing.T) {
	for _, failed := range []bool{false, true} {
		w := newWorld(t)
		l, c := star(w, "b")
		b := c[0]
		channel := l.with(b)
		funding := btcwire.OutPoint{Hash: [32]byte(channel.Txid), Index: uint32(channel.Index)}
		before := [2]int64{l.balance(), b.balance()}
		check(t, l.hub.CloseChannel(channel.ID, nil, false))
		w.until("the closing transaction is out", func() bool { return len(w.chain.Mempool()) > 0 })
		together := w.chain.Mempool()[0].TxHash()
		w.until("both have it", func() bool { return l.with(b).Closed && b.with(l).Closed })
		if failed {
			check(t, b.hub.CloseChannel(channel.ID, nil, true))
			w.until("the LSP hears of it", func() bool { return l.with(b).Failure != "" })
		}
		check(t, l.hub.CloseChannel(channel.ID, nil, true))
		l.look()
		spend, found, err := w.chain.Spend(t.Context(), funding)
		check(t, err)
		if !found || spend.Tx.TxHash() == together {
			t.Fatalf("failed %v: the closing transaction is still what spends the output", failed)
		}
		w.pass(160, l, b)
		for i, p := range []*party{l, b} {
			share := []int64{600_000, 400_000}[i]
			if got := p.balance() - before[i]; got < share-20_000 || got > share {
				t.Errorf("failed %v: %s got %d sat of its %d", failed, p.name, got, share)
			}
			if s := p.with(map[*party]*party{l: b, b: l}[p]); s.State() != "closed" {
				t.Errorf("failed %v: %s has it %s", failed, p.name, s.State())
			}
		}
		w.pass(100, l, b)
		w.erased(l)
		w.erased(b)
	}
}
