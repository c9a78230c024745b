package participant_test

import (
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"testing"

	"superscalar/refnode/chain"
	"superscalar/refnode/chain/embedded"
	"superscalar/refnode/control"
	"superscalar/refnode/node"
	"superscalar/refnode/participant"
	"superscalar/refnode/transport"
)

// A node whose chain begins above a factory in its store would not see that the
// factory is funded, and never leave it: it does not start. One that begins at or
// below it does.
func TestBirthdayAboveAFactory(t *testing.T) {
	c, err := embedded.New(embedded.Config{Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Mine(120); err != nil {
		t.Fatal(err)
	}
	lsp, alice := newSide(t, node.LSP, c), newSide(t, node.Client, c)
	lsp.coins(c, 3_000_000, 3)
	lsp.Ceremonies().Connected(alice.id)
	made, err := c.Tip(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	order := control.Order{Clients: []transport.NodeID{transport.NodeID(alice.id)}, CapacitySat: 100_000, StockSat: 50_000}
	if _, err := lsp.Found(order); err != nil {
		t.Fatal(err)
	}
	carry(lsp, alice)
	for _, s := range []*side{lsp, alice} {
		s.until("made", func(now control.Standing) bool { return len(now.Factories) == 1 })
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	above, err := c.Mine(1)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*side{lsp, alice} {
		for _, tt := range []struct {
			born chain.BlockID
			want error
		}{{above[0], participant.ErrBirthday}, {made, nil}, {chain.BlockID{}, nil}} {
			p, err := participant.Open(participant.Config{
				Role: s.role, Path: s.dir, Derive: s.derive, Rand: &lockedRand{r: rand.NewChaCha8(sha256.Sum256([]byte("again")))},
				Chain: s.chain, Birthday: tt.born,
			})
			if !errors.Is(err, tt.want) {
				t.Errorf("%s at block %d: %v, want %v", s.role, tt.born.Height, err, tt.want)
			}
			if p != nil && err == nil {
				if err := p.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	}
}
