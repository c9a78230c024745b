package chainserver

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"superscalar/refnode/chain"
	"superscalar/refnode/chain/chaintest"
	"superscalar/refnode/chain/corerpc"
	"superscalar/refnode/chain/embedded"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func newChain(t *testing.T) *embedded.Chain {
	t.Helper()
	c, err := embedded.New(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func newServer(t *testing.T, c *embedded.Chain, options Options) *Server {
	t.Helper()
	s, err := New(c, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func dial(t *testing.T, options corerpc.Options) *Remote {
	t.Helper()
	options.Poll = 5 * time.Millisecond
	r, err := Dial(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// TestBackends runs the table of behaviours on every backend that is at hand.
func TestBackends(t *testing.T) {
	remote := func(options Options, birthday chain.Height) func(t *testing.T) chaintest.Chain {
		return func(t *testing.T) chaintest.Chain {
			client := newServer(t, newChain(t), options).Client()
			client.Birthday = birthday
			return dial(t, client)
		}
	}
	backends := []chaintest.Backend{
		{Name: "embedded", Open: func(t *testing.T) chaintest.Chain { return newChain(t) }},
		{Name: "server", Open: remote(Options{}, 0)},
		{Name: "server, late birthday", Open: remote(Options{}, embedded.ActivationBlocks)},
		{Name: "server with indexes", Open: remote(Options{Indexes: true}, 0)},
	}
	chaintest.Run(t, append(backends, bitcoinds()...)...)
}
