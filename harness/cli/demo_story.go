package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"superscalar/harness/lab"
	"superscalar/harness/picture"
	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/wire"
)

// What everybody has in the demonstration, in sat.
const (
	demoCapacity = 100_000 // of each channel
	demoStock    = 60_000  // of each client's part of its group's stock
	demoPurchase = 50_000
)

// hero is the client that buys and leaves.
const hero = 0

// story is one run of the demonstration.
type story struct {
	demoFlags
	ctx    context.Context
	screen *demoScreen
	lab    *lab.Lab
	events chan ceremony.Event
	id     wire.CeremonyID // of the factory
	holds  []holding
}

// runDemo tells the story from the first block to the last. Whatever happens,
// nothing of the world stays behind.
func runDemo(e env, f demoFlags) (err error) {
	began := time.Now()
	s := &story{
		demoFlags: f, ctx: e.Context,
		screen: &demoScreen{out: e.Out, tty: isTerminal(e.Out) && !f.json, quiet: f.json, clients: f.clients, heard: map[wire.CeremonyType]int{}},
		// Every client causes a few events at most; nobody waits for a reader.
		events: make(chan ceremony.Event, 64+16*f.clients),
	}
	defer func() {
		if s.lab != nil {
			err = errors.Join(err, s.lab.Close())
		}
		if err != nil && e.Context.Err() != nil {
			s.screen.clear()
			err = exit(ExitFailed, "interrupted; nothing is left behind")
		}
	}()
	for _, chapter := range []func() error{s.world, s.create, s.draw, s.payInside, s.buy, s.payMore, s.leave} {
		if err := e.Context.Err(); err != nil {
			return err
		}
		if err := chapter(); err != nil {
			return err
		}
	}
	return s.finish(time.Since(began))
}

// world starts the chain and everybody.
func (s *story) world() error {
	s.screen.print("%s, %s leaves, seed %d: %s\n\n", count(s.clients, "client"), s.shapeOf.Leaf, s.seed, s.shapeOf)
	s.screen.now("world", "starting a chain, the LSP and "+count(s.clients, "client"))
	var err error
	s.lab, err = lab.New(s.ctx, lab.Options{
		Clients: s.clients, Seed: s.seed, Deadline: 5 * time.Minute,
		Coins: factory.Sat(s.clients)*(demoCapacity+demoStock) + 1_000_000, Channels: s.pays(),
		Report: func(e ceremony.Event) {
			select {
			case s.events <- e:
			default: // a reader that has given up
			}
		},
		Heard: func(_ int, m wire.Ceremony) { s.screen.heardOf(m) },
	})
	if err != nil {
		return fmt.Errorf("starting the world: %w", err)
	}
	s.screen.end(step{Name: "chain", Height: s.height(),
		Text: fmt.Sprintf("regtest at height %d, in this process, with the relay rules of Bitcoin Core", s.height())})
	s.screen.end(step{Name: "sockets", Height: s.height(),
		Text: fmt.Sprintf("%s connected to the LSP over BOLT 8 on 127.0.0.1, each with a store of its own", count(s.clients, "client"))})
	return nil
}

func (s *story) height() uint32 { return uint32(s.lab.Tip()) }

// await returns when the LSP reports an event of one of these kinds, and tells
// of those before it.
func (s *story) await(name string, kind ceremony.EventKind) (ceremony.Event, error) {
	for {
		select {
		case <-s.ctx.Done():
			return ceremony.Event{}, s.ctx.Err()
		case e := <-s.events:
			switch e.Kind {
			case kind:
				return e, nil
			case ceremony.EventFailed:
				return e, fmt.Errorf("%s failed: %s", name, e.Text)
			default:
				if text, ok := stages[e.Kind]; ok {
					s.screen.now(name, fmt.Sprintf(text, count(e.Clients, "client")))
				}
			}
		}
	}
}

// stages say what an event of a ceremony means.
var stages = map[ceremony.EventKind]string{
	ceremony.EventInvited:  "%s invited; each sends fresh keys",
	ceremony.EventProposed: "proposal sent to %s; each computes its path and checks every rule",
	ceremony.EventNonces:   "nonces of %s aggregated",
	ceremony.EventSigned:   "partial signatures of %s combined and verified",
	ceremony.EventStored:   "%s verified and stored their way out; only now the LSP signs the funding",
}

// create runs the ceremony and confirms the funding transaction.
func (s *story) create() error {
	order := ceremony.Order{Params: s.params, Stock: demoStock, Shape: func(int) factory.Shape { return s.shapeOf }}
	for _, c := range s.lab.Clients {
		order.Clients = append(order.Clients, ceremony.OrderClient{Peer: c.ID(), Capacity: demoCapacity})
	}
	var err error
	if s.id, err = s.lab.LSP.LSP.Create(order); err != nil {
		return fmt.Errorf("creating the factory: %w", err)
	}
	e, err := s.await("ceremony", ceremony.EventFunded)
	if err != nil {
		return err
	}
	s.id = e.Ceremony
	tree := s.tree()
	s.screen.end(step{Name: "signed", Height: s.height(), Text: fmt.Sprintf(
		"%s under MuSig2, %d of them by each client of the longest path", count(len(tree.AllSlots()), "signature"), len(tree.Slots(hero)))})
	return s.fund()
}

// fund confirms the funding transaction and looks at it as a client does.
func (s *story) fund() error {
	before := s.height()
	if _, err := s.lab.Chain.Mine(1); err != nil {
		return err
	}
	hero := s.lab.Clients[hero].Client
	if err := hero.Usable(s.held(), 1); err != nil {
		return fmt.Errorf("the funding transaction: %w", err)
	}
	funding := s.tree().Funding()
	bill, err := s.billOf(funding.Hash)
	if err != nil {
		return err
	}
	st := step{Name: "funded", Height: s.height(), Blocks: s.height() - before, Text: fmt.Sprintf(
		"%s sat in one output, %.8s:%d, confirmed; the factory expires at height %s", figure(int64(s.tree().Factory().Value())), funding.Hash, funding.Index, figure(int64(s.terms().Params.Expiry)))}
	bill.addTo(&st)
	s.screen.end(st)
	return nil
}

// factory is the LSP's side of the factory, held the client's.
func (s *story) factory() *ceremony.Factory { return s.lab.LSP.LSP.Factory(s.id) }
func (s *story) tree() *factory.Tree        { return s.factory().Tree() }
func (s *story) terms() factory.Terms       { return s.tree().Factory().Terms() }
func (s *story) held() *ceremony.Held       { return s.heldBy(hero) }

func (s *story) heldBy(client int) *ceremony.Held {
	return s.lab.Clients[client].Client.Held(s.lab.LSP.ID(), s.id)
}

// draw shows the tree.
func (s *story) draw() error {
	var text strings.Builder
	if err := picture.Text(&text, s.tree(), picture.Options{Client: hero, Lines: 16}); err != nil {
		return err
	}
	s.screen.block(strings.TrimSuffix(text.String(), "\n"))
	s.screen.print("\n")
	return nil
}

// buy moves stock to the hero.
func (s *story) buy() error {
	purchase := ceremony.Purchase{Factory: s.id, Buyer: hero, Amount: demoPurchase}
	start, what := s.lab.LSP.LSP.Sell, s.sold
	if s.shapeOf.Leaf == factory.DW {
		start, what = s.lab.LSP.LSP.Update, s.updated
	}
	if _, err := start(purchase); err != nil {
		return fmt.Errorf("the purchase: %w", err)
	}
	e, err := s.await("purchase", ceremony.EventChanged)
	if err != nil {
		return err
	}
	st := step{Name: "purchase", Height: s.height(), Text: fmt.Sprintf("client %d buys %s sat, %s awake: ",
		hero, figure(demoPurchase), count(e.Clients, "client"))}
	what(&st)
	cover, err := s.held().Tree().Cover(hero)
	if err != nil {
		return err
	}
	st.Notes = append(st.Notes, fmt.Sprintf("whatever the LSP does from now on, client %d has its channels, or gets at least %s of the %s sat in them",
		hero, figure(int64(cover)), figure(int64(s.held().Tree().Capacities(hero)))))
	s.screen.end(st)
	return nil
}

// sold says what a sale changed.
func (s *story) sold(st *step) {
	tree := s.tree()
	leaf, group, _ := tree.Factory().Layout().Group(hero)
	sales := tree.Sales(leaf, group)
	sale := sales[len(sales)-1]
	left := factory.Sat(0)
	if sale.Change != nil {
		left = sale.Change.Value
	}
	st.Text += fmt.Sprintf("sale %.8s makes a channel, %s sat of stock left", sale.Tx.Txid, figure(int64(left)))
	st.Notes = append(st.Notes, fmt.Sprintf("no delay is added; an omission pays client %d if the LSP keeps the sale to itself", hero))
}

// updated says what an update changed.
func (s *story) updated(st *step) {
	leaf, _ := s.tree().Factory().Layout().Leaf(hero)
	n, _ := s.tree().Node(leaf)
	p := s.terms().Params
	former := uint32(p.Step) * (uint32(p.States) - 1)
	st.Text += fmt.Sprintf("leaf %s is replaced, nSequence %d by %d", leaf, former, n.Tx.Sequence())
	st.Notes = append(st.Notes, fmt.Sprintf("it is valid %d blocks before the old one, whose outputs poison gives to the clients", p.Step))
}

// finish says who has what, and how to go on.
func (s *story) finish(took time.Duration) error {
	if s.svg != "" {
		if err := writeSVG(s.svg, s.tree()); err != nil {
			return err
		}
		s.screen.end(step{Name: "picture", Height: s.height(), Text: "the tree after the purchase is in " + s.svg})
	}
	if s.json {
		return s.screen.json(s.demoFlags, s.holds)
	}
	s.screen.print("\n")
	for _, h := range s.holds {
		s.screen.beside(h.Who, h.Text)
	}
	s.screen.print("\nThis took %.1f s. Go on with:\n%s", took.Seconds(), next(s.demoFlags))
	return nil
}

// next are commands to go on with.
func next(f demoFlags) string {
	var out strings.Builder
	rows := [][2]string{
		{"superscalar demo --exit " + otherExit(f.exit), "another way out"},
		{"superscalar plan --clients 128", "shapes for your number of clients, and their cost"},
		{"superscalar conform", "test an implementation against SPEC.md"},
	}
	if statics := len(f.shapeOf.Levels) - 2*f.shapeOf.StateLevels(); statics == 0 && f.clients >= 8 {
		rows = append([][2]string{{fmt.Sprintf("superscalar demo --shape 'static 2 / kickoff 1 / %s 4'", f.shapeOf.Leaf), "a tree with branches"}}, rows...)
	}
	for _, row := range rows {
		fmt.Fprintf(&out, "  %-54s  %s\n", row[0], row[1])
	}
	return out.String()
}

// otherExit is the next way out to look at.
func otherExit(now string) string {
	switch now {
	case exitUnilateral:
		return exitExpiry
	case exitExpiry:
		return exitCheat + " --leaf dw"
	default:
		return exitUnilateral
	}
}
