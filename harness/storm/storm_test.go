package storm

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/factory"
	"superscalar/refnode/payment"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// seedsVar makes TestStorm take so many seeds, firstVar begin with another one. storyVar
// is a file for what happens in a seed.
const (
	seedsVar = "STORM_SEEDS"
	firstVar = "STORM_FIRST"
	storyVar = "STORM_STORY"
)

// storm is a world with a factory, and what is drawn for it.
type storm struct {
	*world
	r      *rand.Rand
	id     wire.CeremonyID
	leaf   factory.LeafKind
	wide   bool // there is a state above the leaves
	bills  []*bill
	counts map[string]int
	blocks int  // since everything was quiet
	ends   bool // channels end on the chain

	outputs  map[btcwire.OutPoint]bool // every output that a channel was or may be on
	plan     plan
	records  []record
	loot     []*loot
	pocketed map[chainhash.Hash]*loot // the same, by their txids
	cheat    int                      // who turns thief, in the order of all
	thief    *party                   // nil: nobody cheats
	lastTree *factory.Tree            // the LSP's when somebody turned thief
}

// plan is how a storm ends.
type plan string

const (
	leaving  plan = "leaving"  // everybody leaves, one after the other
	cheating plan = "cheating" // somebody turns thief first
	staying  plan = "staying"  // nobody leaves before the factory expires
)

var plans = []plan{leaving, cheating, staying}

// bill is an invoice with who pays it.
type bill struct {
	payer, payee *party
	inv          payment.Invoice
	parts        bool // it is paid part by part, and the payer's router knows nothing of it
	sent         byte // how many parts
}

// shapes are the factories of storms, and how many clients they have.
var shapes = []struct {
	text    string
	clients int
}{
	{"kickoff 1 / dw 2", 2}, {"kickoff 1 / ps 2", 2}, {"kickoff 1 / dw 3", 3}, {"kickoff 1 / ps 3", 3}, {"static 2 / kickoff 1 / dw 2", 3},
	{"kickoff 1 / state 2 / kickoff 1 / dw 1", 2}, {"kickoff 1 / state 2 / kickoff 1 / ps 2", 4},
}

// newStorm makes the world of a seed; every client has some money. Nobody keeps the rules without.
func newStorm(t testing.TB, seed uint64, without ...rule.ID) *storm {
	t.Helper()
	drawn := shapes[seed%uint64(len(shapes))]
	shape, clients := drawn.text, drawn.clients
	s := &storm{r: rand.New(rand.NewPCG(seed, 1)), counts: map[string]int{}, outputs: map[btcwire.OutPoint]bool{}, pocketed: map[chainhash.Hash]*loot{}}
	s.plan = plans[seed%uint64(len(plans))]
	o := options{clients: clients, active: 2000, zeroFee: s.r.IntN(3) == 0, rules: rule.Without(without...)}
	s.cheat = max(0, s.r.IntN(2+clients)-1) // the LSP twice as often as another one
	if s.plan == staying || s.plan == cheating && s.cheat == 0 {
		o.active, o.poor = 1, s.r.IntN(1+clients)
	}
	s.world = newWorld(t, seed, o)
	s.handled = func(p *party, m wire.Message) {
		if s.plan != cheating || s.ends {
			return
		}
		if signed, ok := m.(*wire.CommitmentSigned); ok {
			s.pocket(p, signed.ChannelID)
		} else if m.Name() == "channel_ready" && p.hub != nil {
			for _, ch := range p.hub.Channels() {
				s.pocket(p, ch.ID)
			}
		}
	}
	s.id = s.found(shape, 12)
	s.leaf, s.wide = factory.DW, strings.Contains(shape, "state")
	if strings.Contains(shape, "ps") {
		s.leaf = factory.PS
	}
	for _, c := range s.clients {
		s.pay(s.lsp, c, payment.Msat(20_000_000+s.r.IntN(40_000_000)))
	}
	s.run()
	s.calm()
	return s
}

// pay begins a payment.
func (s *storm) pay(from, to *party, amount payment.Msat) {
	inv, err := to.hub.Invoice(payment.InvoiceRequest{Amount: amount})
	s.follow(to)
	if err != nil || from.hub == nil {
		return
	}
	s.send(&bill{payer: from, payee: to, inv: inv})
}

func (s *storm) send(b *bill) {
	fee := b.inv.Amount + 10_000_000
	if s.r.IntN(20) == 0 {
		fee = 0
	}
	_, err := b.payer.hub.Pay(payment.PayRequest{Invoice: b.inv.Request, MaxFee: fee})
	s.note("%s pays %s %d msat: %v", b.payer.name, b.payee.name, b.inv.Amount, err)
	s.bills = append(s.bills, b) // also after an error: it may be stored
	s.follow(b.payer)
}

// amount is dust, middling, or about as much as there is, in msat.
func (s *storm) amount() payment.Msat {
	switch s.r.IntN(6) {
	case 0:
		return payment.Msat(1_000 + s.r.IntN(400_000))
	case 1:
		return payment.Msat(60_000_000 + s.r.IntN(60_000_000))
	default:
		return payment.Msat(1_500_000 + s.r.IntN(15_000_000))
	}
}

// action is something that may happen, as often as its weight says.
type action struct {
	name   string
	weight int
	do     func() bool // false: there was no occasion
}

func (s *storm) actions() []action {
	return []action{
		{"messages", 800, s.someMessage},
		{"payments", 100, s.somePayment},
		{"second payers", 6, s.secondPayer},
		{"parts", 12, s.somePart},
		{"changes", 20, s.someChange},
		{"disconnects", 12, s.someCut},
		{"connects", 40, s.someConnect},
		{"crashes", 6, s.someCrash},
		{"faults of a disk", 12, s.someFault},
		{"restarts", 40, s.someStart},
		{"blocks", 10, s.someBlock},
		{"times", 3, s.someTime},
		{"reorganisations", 3, s.someReorg},
		{"records", 8, s.someRecord},
	}
}

// steps draws and does.
func (s *storm) steps(n int, actions []action) {
	sum := 0
	for _, a := range actions {
		sum += a.weight
	}
	for range n {
		x := s.r.IntN(sum)
		for _, a := range actions {
			if x -= a.weight; x < 0 {
				if a.do() {
					s.counts[a.name]++
				}
				break
			}
		}
		if s.t.Failed() {
			s.fail("after a step")
		}
	}
}

// tell writes the story of a storm.
func (s *storm) tell() {
	name := os.Getenv(storyVar)
	if name == "" {
		return
	}
	story := s.log
	for _, p := range append(s.all(), s.doubles...) {
		story = append(append(story, p.name+" told:"), p.told...)
	}
	s.check(os.WriteFile(name, []byte(strings.Join(story, "\n")+"\n"), 0o600))
}

// fail ends the test with what happened last.
func (s *storm) fail(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("seed %d: %s: %q", s.seed, fmt.Sprintf(format, args...), s.tail())
}

// rage lets things happen until it is quiet again, several times.
func (s *storm) rage() {
	for range 4 {
		s.steps(300, s.actions())
		s.see()
		s.calm()
		s.see()
	}
}

// TestStorm lets everything happen in an order that seeds draw, and checks what must
// hold whenever everything is quiet. A seed that fails is run alone by its name:
// -run 'TestStorm/seed=7$'.
func TestStorm(t *testing.T) {
	t.Parallel()
	seeds, first := len(shapes)+len(plans), 0
	if testing.Short() || raced {
		seeds = 2
	}
	for name, into := range map[string]*int{seedsVar: &seeds, firstVar: &first} {
		if text := os.Getenv(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			*into = n
		}
	}
	var mu sync.Mutex
	counts := map[string]int{}
	for seed := first; seed < first+seeds; seed++ {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			s := newStorm(t, uint64(seed))
			defer s.tell()
			s.rage()
			s.finish()
			mu.Lock()
			defer mu.Unlock()
			for name, n := range s.counts {
				counts[name] += n
			}
		})
	}
	t.Cleanup(func() {
		var text []string
		for name, n := range counts {
			text = append(text, fmt.Sprintf("%d %s", n, name))
		}
		slices.Sort(text)
		t.Logf("%d seeds: %s", seeds, strings.Join(text, ", "))
	})
}

// A seed tells the same story again, message by message and block by block.
func TestSeedsReproduce(t *testing.T) {
	t.Parallel()
	const seed = 1
	var logs [2][]string
	for i := range logs {
		s := newStorm(t, seed)
		s.rage()
		s.finish()
		logs[i] = s.log
	}
	for i := range max(len(logs[0]), len(logs[1])) {
		if i >= len(logs[0]) || i >= len(logs[1]) || logs[0][i] != logs[1][i] {
			t.Fatalf("line %d is not the same: %q, %q", i, logs[0][i:min(i+1, len(logs[0]))], logs[1][i:min(i+1, len(logs[1]))])
		}
	}
	t.Logf("twice the same %d lines", len(logs[0]))
}
