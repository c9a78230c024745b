package participant_test

import (
	"fmt"
	"testing"
	"time"

	"superscalar/refnode/chain/embedded"
	"superscalar/refnode/control"
	"superscalar/refnode/node"
	"superscalar/refnode/transport"
)

// town is a chain with an LSP and clients whose factories have channels.
type town struct {
	t       *testing.T
	chain   *embedded.Chain
	lsp     *socket
	clients []*socket
}

func newTown(t *testing.T, clients int) *town {
	t.Helper()
	c, err := embedded.New(embedded.Config{Seed: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := c.Mine(120); err != nil {
		t.Fatal(err)
	}
	w := &town{t: t, chain: c, lsp: townsman(t, node.LSP, c, "")}
	for i := range clients {
		w.clients = append(w.clients, townsman(t, node.Client, c, fmt.Sprint(i)))
	}
	w.lsp.coins(c, 3_000_000, 3)
	w.connect()
	return w
}

func townsman(t *testing.T, r node.Role, c *embedded.Chain, name string) *socket {
	t.Helper()
	s := &socket{side: unopened(t, r, c)}
	s.name, s.channels = name, true
	s.begin()
	s.listen()
	t.Cleanup(func() { _ = s.node.Close() })
	return s
}

func (w *town) all() []*socket { return append([]*socket{w.lsp}, w.clients...) }

func (w *town) connect() {
	w.t.Helper()
	for _, c := range w.clients {
		c.connect(w.lsp)
	}
}

func (w *town) mine(n uint32) {
	w.t.Helper()
	if _, err := w.chain.Mine(n); err != nil {
		w.t.Fatal(err)
	}
}

// found creates a factory of all clients and waits until it is funded.
func (w *town) found() {
	w.t.Helper()
	order := control.Order{CapacitySat: 200_000, StockSat: 50_000}
	for _, c := range w.clients {
		order.Clients = append(order.Clients, transport.NodeID(c.id))
	}
	if _, err := w.lsp.Found(order); err != nil {
		w.t.Fatal(err)
	}
	for _, s := range w.all() {
		s.until("funded", func(now control.Standing) bool { return len(now.Factories) == 1 })
	}
}

// ready waits until every channel is in use, n at each client.
func (w *town) ready(n int) {
	w.t.Helper()
	for _, c := range w.clients {
		c.eventually(fmt.Sprintf("%d channels are ready", n), func() bool { return c.up() == n })
	}
	w.lsp.eventually("its channels are ready", func() bool { return w.lsp.up() == n*len(w.clients) })
}

// up counts the channels that take HTLCs.
func (s *socket) up() (n int) {
	for _, c := range s.Hub().Channels() {
		if c.Link.Up && c.Instance != nil && (s.role == node.LSP || c.Policy.Known) {
			n++
		}
	}
	return n
}

func (s *socket) eventually(what string, happened func() bool) {
	s.t.Helper()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(30 * time.Second); !happened(); <-again.C {
		if time.Now().After(end) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.t.Fatalf("%s%s: never: %s: %+v, told %q", s.role, s.name, what, s.Channels(), s.told)
		}
	}
}

// pay pays an invoice of the other.
func (s *socket) pay(to *socket, msat uint64) {
	s.t.Helper()
	inv, err := to.Invoice(msat, "")
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.Pay(s.t.Context(), control.Pay{Bolt11: inv.Bolt11, MaxFeeMsat: msat}); err != nil {
		s.t.Fatalf("%s%s pays %s%s %d msat: %v", s.role, s.name, to.role, to.name, msat, err)
	}
}

// local waits until a client has msat in its channels.
func (s *socket) local(msat uint64) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("it has %d msat", msat), func() bool {
		sum := uint64(0)
		for _, c := range s.Channels() {
			sum += c.LocalMsat
		}
		return sum == msat
	})
}
