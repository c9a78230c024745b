package participant_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"
	"go.uber.org/goleak"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/chain/embedded"
	"superscalar/refnode/control"
	"superscalar/refnode/node"
	"superscalar/refnode/participant"
	"superscalar/refnode/role/roletest"
	"superscalar/refnode/transport"
	"superscalar/refnode/wallet"
	"superscalar/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// side is a participant with what outlives its process.
type side struct {
	*participant.Participant
	t     *testing.T
	role  node.Role
	dir   string
	id    ceremony.Peer
	chain *roletest.Chain
	// name tells apart several of a role; channels gives it a hub.
	name     string
	channels bool
	zeroFee  bool
	opens    int

	mu   sync.Mutex
	told []string
}

func newSide(t *testing.T, role node.Role, c *embedded.Chain) *side {
	s := unopened(t, role, c)
	s.begin()
	return s
}

func unopened(t *testing.T, role node.Role, c *embedded.Chain) *side {
	return &side{t: t, role: role, dir: t.TempDir(), chain: &roletest.Chain{Interface: c}}
}

func (s *side) begin() {
	t := s.t
	t.Helper()
	key, err := s.derive("node", 0)
	if err != nil {
		t.Fatal(err)
	}
	copy(s.id[:], key.PubKey().SerializeCompressed())
	s.open()
	t.Cleanup(func() { _ = s.Close() })
}

func (s *side) derive(label string, index uint32) (*btcec.PrivateKey, error) {
	h := sha256.Sum256(fmt.Appendf(nil, "%s%s/%s/%d", s.role, s.name, label, index))
	key, _ := btcec.PrivKeyFromBytes(h[:])
	return key, nil
}

func (s *side) open() {
	s.t.Helper()
	var err error
	var key *btcec.PrivateKey
	if s.channels {
		if key, err = s.derive("node", 0); err != nil {
			s.t.Fatal(err)
		}
	}
	s.opens++
	seed := sha256.Sum256(fmt.Appendf(nil, "%s%s/%d", s.role, s.name, s.opens))
	s.Participant, err = participant.Open(participant.Config{
		Role: s.role, Path: s.dir, Derive: s.derive, Rand: &lockedRand{r: rand.NewChaCha8(seed)}, Chain: s.chain,
		Retry: time.Millisecond, NodeKey: key, ZeroFee: s.zeroFee,
		Tell: func(line string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.told = append(s.told, line)
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

type lockedRand struct {
	mu sync.Mutex
	r  *rand.ChaCha8
}

func (l *lockedRand) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(p)
}

// index of the first line with a part, -1 when there is none.
func (s *side) line(part string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, text := range s.told {
		if strings.Contains(text, part) {
			return i
		}
	}
	return -1
}

// until asks for the status until it is as wanted.
func (s *side) until(what string, wanted func(control.Standing) bool) control.Standing {
	s.t.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		now, err := s.Standing(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		if wanted(now) {
			return now
		}
		if time.Now().After(end) {
			s.t.Fatalf("never %s: %+v; %q", what, now, s.told)
		}
	}
}

func (s *side) coins(c *embedded.Chain, sat btcutil.Amount, count int) {
	s.t.Helper()
	text, err := s.Address()
	if err != nil {
		s.t.Fatal(err)
	}
	a, err := btcutil.DecodeAddress(text, &chaincfg.RegressionNetParams)
	if err != nil {
		s.t.Fatal(err)
	}
	script, err := txscript.PayToAddrScript(a)
	if err != nil {
		s.t.Fatal(err)
	}
	for range count {
		if _, err := c.Fund(script, sat); err != nil {
			s.t.Fatal(err)
		}
	}
	if _, err := c.Mine(1); err != nil {
		s.t.Fatal(err)
	}
}

// carry brings messages over until nobody has any.
func carry(lsp, client *side) {
	for again := true; again; {
		again = false
		for _, m := range lsp.Ceremonies().Outgoing(client.id) {
			again = true
			client.Ceremonies().Receive(lsp.id, m)
		}
		for _, m := range client.Ceremonies().Outgoing(lsp.id) {
			again = true
			lsp.Ceremonies().Receive(client.id, m)
		}
	}
}

// at wants the way out of the only factory to have looked at a height.
func at(height uint32) func(control.Standing) bool {
	return func(s control.Standing) bool {
		return len(s.Factories) == 1 && s.Factories[0].Exit != nil && s.Factories[0].Exit.Height == height
	}
}

// A client leaves by a command, through a restart and while its chain dies; its
// status says what it does, what it waits for, and what it costs.
func TestLeave(t *testing.T) {
	c, err := embedded.New(embedded.Config{Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	mine := func(n uint32) uint32 {
		t.Helper()
		if _, err := c.Mine(n); err != nil {
			t.Fatal(err)
		}
		tip, err := c.Tip(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return uint32(tip.Height)
	}
	mine(120)
	lsp, alice := newSide(t, node.LSP, c), newSide(t, node.Client, c)
	lsp.coins(c, 3_000_000, 3)
	lsp.Ceremonies().Connected(alice.id)
	if _, err := alice.Leave(control.Departure{}); !errors.Is(err, participant.ErrNotOurs) {
		t.Errorf("leaving without a factory: %v", err)
	}
	if _, err := lsp.Found(control.Order{Clients: []transport.NodeID{transport.NodeID(alice.id)}, CapacitySat: 100_000, StockSat: 50_000}); err != nil {
		t.Fatal(err)
	}
	carry(lsp, alice)
	height := mine(1)
	before := alice.until("looking", at(height)).Factories[0]
	if e := before.Exit; e.Leaving || len(e.Published)+len(e.Waiting) != 0 || e.NextHeight != before.ExpiryHeight || e.Cost.VBytes == 0 {
		t.Errorf("before it leaves: %+v", e)
	}
	if _, err := lsp.Leave(control.Departure{}); !errors.Is(err, node.ErrUnsupported) {
		t.Errorf("an LSP told to leave: %v", err)
	}
	if _, err := alice.Leave(control.Departure{Factory: &wire.CeremonyID{1}}); !errors.Is(err, participant.ErrNotOurs) {
		t.Errorf("leaving another factory: %v", err)
	}

	out, err := alice.Leave(control.Departure{})
	if err != nil {
		t.Fatal(err)
	}
	cost := out.Cost
	start, most := wallet.FeeRate(cost.FeeRate), wallet.FeeRate(cost.MaxFeeRate)
	if out.FactoryID != before.FactoryID || cost != before.Exit.Cost || cost.FeeSat < uint64(start.Fee(int64(cost.VBytes))) || cost.MaxFeeSat < uint64(most.Fee(int64(cost.VBytes))) {
		t.Errorf("the cost: %+v, before %+v", out, before.Exit.Cost)
	}
	if !strings.Contains(out.Detail, "the wallet has 0 sat") || !strings.Contains(out.Detail, fmt.Sprint(cost.VBytes)) {
		t.Errorf("in words: %s", out.Detail)
	}
	waits := alice.until("waiting for a coin", func(s control.Standing) bool { return len(s.Factories[0].Exit.Waiting) == 1 }).Factories[0].Exit
	if w := waits.Waiting[0]; !waits.Leaving || w.Kind != "kickoff" || !strings.Contains(w.Error, "no confirmed coin") || len(w.Txid) != 64 {
		t.Errorf("without a coin: %+v", waits)
	}
	alice.coins(c, 100_000, 2)
	published := alice.until("publishing", func(s control.Standing) bool { return len(s.Factories[0].Exit.Published) == 1 }).Factories[0].Exit
	if p := published.Published[0]; p.Kind != "kickoff" || p.Height != 0 || p.FeeSat == 0 || p.Rule != "DELAY-004" || len(published.Waiting) != 0 {
		t.Errorf("with a coin: %+v", published)
	}
	// What is told follows what is done: the line may still be on its way.
	alice.until("telling what was published", func(control.Standing) bool { return alice.line("published kickoff") >= 0 })
	if told, sent := alice.line("leaving: "), alice.line("published kickoff"); told < 0 || sent < told {
		t.Errorf("the cost is told at line %d, the kickoff published at line %d of %q", told, sent, alice.told)
	}

	if err := alice.Close(); err != nil {
		t.Fatal(err)
	}
	lsp.chain.Set(roletest.Faults{Err: errors.New("no LSP does it for her")})
	mine(1)
	alice.chain.Set(roletest.Faults{Err: errors.New("the chain is gone")})
	alice.open()
	silent := alice.until("without a chain", func(s control.Standing) bool { return s.Chain != "" })
	if len(silent.Factories) != 1 || silent.Factories[0].State != control.StateBuilding {
		t.Errorf("without a chain: %+v", silent)
	}
	mine(500)
	alice.chain.Set(roletest.Faults{})
	alice.until("publishing its state", func(s control.Standing) bool {
		e := s.Factories[0].Exit
		return e != nil && len(e.Published) == 2 && e.Published[0].Height > 0 && e.Published[1].Kind == "state"
	})
	height = mine(1)
	done := alice.until("out", at(height)).Factories[0].Exit
	var vbytes uint64
	for _, p := range done.Published {
		vbytes += p.VBytes
	}
	if len(done.Published) != cost.Transactions || vbytes != cost.VBytes || done.Published[1].Height != height || len(done.Waiting) != 0 || !done.Leaving {
		t.Errorf("at the end: %+v, previewed %+v", done, cost)
	}
	if done.Published[0].Txid != published.Published[0].Txid {
		t.Error("another kickoff after the restart")
	}
	if err := lsp.Close(); err != nil {
		t.Fatal(err)
	}
}
