package roletest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/chain/embedded"
	"superscalar/refnode/client"
	"superscalar/refnode/factory"
	"superscalar/refnode/lsp"
	"superscalar/refnode/role"
	"superscalar/refnode/store"
	"superscalar/refnode/transport"
	"superscalar/refnode/wallet"
	"superscalar/wire"
)

// World is an LSP and clients, each with a data directory and a view of the
// chain of its own.
type World struct {
	T       testing.TB
	Regtest *embedded.Chain
	Clock   *transport.ManualClock
	LSP     *Party
	Clients []*Party
	Events  []ceremony.Event // of the LSP

	starts atomic.Uint64
}

// Party is a role with what it keeps.
type Party struct {
	Name   string
	Peer   ceremony.Peer
	Chain  *Chain
	Disk   *Disk
	Store  *store.Store
	Wallet *wallet.Wallet // of the LSP
	LSP    *lsp.LSP
	Client *client.Client
	LSPs   []ceremony.Peer // whom the client takes invitations from, from its next start on
	// Reached are those that its owner has had the node dial.
	Reached []ceremony.Peer
	Failed  []error // why the client ended attempts

	dir string
}

// New makes a world in which the LSP has coins.
func New(t testing.TB, clients int) *World {
	t.Helper()
	w := &World{T: t, Clock: transport.NewManualClock(time.Unix(1_700_000_000, 0))}
	var err error
	if w.Regtest, err = embedded.New(embedded.Config{Seed: 3}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Regtest.Close() })
	w.Mine(120)
	w.LSP = w.party("lsp", ceremony.Peer{2, 0xff})
	for i := range clients {
		w.Clients = append(w.Clients, w.party(fmt.Sprintf("client %d", i), ceremony.Peer{3, byte(i)}))
	}
	for _, p := range append([]*Party{w.LSP}, w.Clients...) {
		w.Start(p)
	}
	script, err := w.LSP.Wallet.NewScript()
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := w.Regtest.Fund(script, 2_000_000); err != nil {
			t.Fatal(err)
		}
	}
	w.Mine(1)
	if err := w.LSP.Wallet.Sync(t.Context(), w.Regtest); err != nil { // within ShortTime it may not
		t.Fatal(err)
	}
	return w
}

func (w *World) party(name string, peer ceremony.Peer) *Party {
	return &Party{Name: name, Peer: peer, Chain: &Chain{Interface: w.Regtest}, dir: w.T.TempDir()}
}

// Mine adds blocks.
func (w *World) Mine(n uint32) {
	w.T.Helper()
	if _, err := w.Regtest.Mine(n); err != nil {
		w.T.Fatal(err)
	}
}

// Start opens a party's data directory and connects it.
func (w *World) Start(p *Party) {
	w.T.Helper()
	if err := w.TryStart(p); err != nil {
		w.T.Fatalf("%s: %v", p.Name, err)
	}
}

// TryStart is Start for a party that may not start.
func (w *World) TryStart(p *Party) (err error) {
	if p.Store, err = store.Open(p.dir); err != nil {
		return err
	}
	p.Disk = &Disk{Store: p.Store, left: -1}
	w.T.Cleanup(func() { _ = p.Store.Close() })
	if p == w.LSP {
		err = w.startLSP(p)
	} else {
		p.Client, err = client.New(client.Config{
			Bounds: factory.Other, Rand: w.random(), Derive: p.derive, Store: p.Disk, Chain: p.Chain, Clock: w.Clock, ChainTimeout: ShortTime,
			LSPs: p.LSPs, Reached: func(lsp ceremony.Peer) bool { return slices.Contains(p.Reached, lsp) },
			Failed: func(_ ceremony.Peer, _ wire.CeremonyID, reason error) { p.Failed = append(p.Failed, reason) },
		})
	}
	if err != nil {
		return err
	}
	for _, c := range w.Clients {
		if w.LSP.LSP != nil && (p == c || p == w.LSP) {
			w.LSP.LSP.Connected(c.Peer)
		}
	}
	return nil
}

func (w *World) startLSP(p *Party) (err error) {
	saved, _, err := p.Store.Get("wallet", "state")
	if err != nil {
		return err
	}
	p.Wallet, err = wallet.New(wallet.Options{
		Keys:  func(i uint32) (*btcec.PrivateKey, error) { return p.derive("wallet", i) },
		Saved: saved, Save: func(state []byte) error { return p.Store.Put("wallet", "state", state) },
	})
	if err != nil {
		return err
	}
	p.LSP, err = lsp.New(lsp.Config{
		Bounds: factory.Other, Rand: w.random(), Derive: p.derive, Store: p.Disk, Chain: p.Chain, Clock: w.Clock, ChainTimeout: ShortTime,
		Wallet: &role.Purse{Wallet: p.Wallet, Chain: role.Chain{Backend: p.Chain, Timeout: ShortTime}, Rate: wallet.SatPerVByte(5)},
		Report: func(e ceremony.Event) { w.Events = append(w.Events, e) },
	})
	return err
}

// ShortTime bounds questions to a chain that hangs.
const ShortTime = 500 * time.Millisecond

// random is new at each start, as that of a machine is.
func (w *World) random() io.Reader {
	return rand.NewChaCha8(sha256.Sum256(fmt.Appendf(nil, "start %d", w.starts.Add(1))))
}

func (p *Party) derive(label string, index uint32) (*btcec.PrivateKey, error) {
	h := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%d", p.Name, label, index))
	key, _ := btcec.PrivKeyFromBytes(h[:])
	return key, nil
}

// Restart ends a party as a crash does, tells the others, and starts it again.
func (w *World) Restart(p *Party) {
	w.T.Helper()
	w.Stop(p)
	w.Start(p)
}

// Stop ends a party.
func (w *World) Stop(p *Party) {
	w.T.Helper()
	if p == w.LSP {
		p.LSP.Close()
		for _, c := range w.Clients {
			c.Client.Disconnected(p.Peer)
		}
	} else {
		p.Client.Close()
		w.LSP.LSP.Disconnected(p.Peer)
	}
	if err := p.Store.Close(); err != nil {
		w.T.Fatal(err)
	}
}

// Run carries messages until nobody has anything to say. bend may swallow some;
// nil carries all.
func (w *World) Run(bend func(toLSP bool, client int, m wire.Ceremony) bool) {
	for again := true; again; {
		again = false
		for i, c := range w.Clients {
			for _, m := range w.LSP.LSP.Outgoing(c.Peer) {
				again = true
				if bend == nil || bend(false, i, m) {
					c.Client.Receive(w.LSP.Peer, m)
				}
			}
			for _, m := range c.Client.Outgoing(w.LSP.Peer) {
				again = true
				if bend == nil || bend(true, i, m) {
					w.LSP.LSP.Receive(c.Peer, m)
				}
			}
		}
	}
}

// Create orders a factory of all clients and carries the messages.
func (w *World) Create(shape string, bend func(toLSP bool, client int, m wire.Ceremony) bool) (wire.CeremonyID, error) {
	s, err := factory.ParseShape(shape)
	if err != nil {
		w.T.Fatal(err)
	}
	o := ceremony.Order{Shape: func(int) factory.Shape { return s }, Params: factory.DefaultParams(s.Leaf), Stock: 50_000}
	for _, c := range w.Clients {
		o.Clients = append(o.Clients, ceremony.OrderClient{Peer: c.Peer, Capacity: 100_000})
	}
	id, err := w.LSP.LSP.Create(o)
	if err == nil {
		w.Run(bend)
	}
	return id, err
}

// Factory makes a factory and confirms it.
func (w *World) Factory(shape string) wire.CeremonyID {
	w.T.Helper()
	id, err := w.Create(shape, nil)
	if err != nil || len(w.LSP.LSP.Factories()) != 1 {
		w.T.Fatalf("no factory: %v, %v", err, w.Events)
	}
	w.Mine(1)
	return id
}

// Broadcast reports whether the funding transaction of a factory is known to
// the network.
func (w *World) Broadcast(id wire.CeremonyID) bool {
	w.T.Helper()
	f := w.LSP.LSP.Factory(id)
	if f == nil {
		return false
	}
	_, found, err := w.Regtest.Transaction(context.Background(), f.Outpoint.Hash)
	if err != nil {
		w.T.Fatal(err)
	}
	return found
}
