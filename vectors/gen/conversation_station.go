package gen

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/refnode/ledger"
	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// theLSP is the number of the LSP among the parties; clients have theirs.
const theLSP = -1

// partyName is how the files call a party.
func partyName(party int) string {
	if party == theLSP {
		return "lsp"
	}
	return fmt.Sprintf("client %d", party)
}

// partyNumber is the reverse of partyName.
func partyNumber(name string) (party int, err error) {
	if name == "lsp" {
		return theLSP, nil
	}
	if _, err = fmt.Sscanf(name, "client %d", &party); err != nil || partyName(party) != name || party < 0 {
		return 0, fmt.Errorf("there is no party %q", name)
	}
	return party, nil
}

// peerOf is what the machines know a party by.
func peerOf(party int) wire.Point { return wire.Point{2, byte(party >> 8), byte(party)} }

func partyOf(id wire.Point) int { return int(id[1])<<8 | int(id[2]) }

var lspNode = wire.Point{2, 0xff}

// station is a machine of package ceremony with everything around it injected:
// keys, randomness, time, chain and disk. It is what writes conversations and
// what they are checked with.
type station struct {
	party  int
	chain  factory.Chain
	rules  rule.Set
	keys   ceremony.Keys
	now    time.Time
	height uint32
	spent  map[btcwire.OutPoint]bool
	out    bool // the funding transactions are not confirmed
	disk   *disk
	purse  *purse
	draw   [32]byte // what every draw of randomness returns

	client *ceremony.Client
	lsp    *ceremony.LSP
	state  string
	broken *ceremony.Failure // why a client ended its attempt, in this step
	known  map[chainhash.Hash]bool
	poison []*factory.Tx
	keeps  vectors.Keeps
}

// Read implements io.Reader.
func (s *station) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = s.draw[i%len(s.draw)]
	}
	return len(b), nil
}

// start begins, or begins again, with what the disk holds.
func (s *station) start() error {
	s.state, s.broken = "idle", nil
	s.known = map[chainhash.Hash]bool{}
	s.disk.signed = nil
	cfg := ceremony.Config{
		Rules: s.rules, Chain: s.chain, Rand: s, Keys: s.keys, Store: s.disk,
		Seen: func(o btcwire.OutPoint) (bool, error) { return s.spent[o], nil },
		Tip:  func() (factory.Height, error) { return factory.Height(s.height), nil },
		Funded: func(wire.CeremonyID, *factory.Tree) error {
			if s.out {
				return errors.New("the funding transaction is not confirmed")
			}
			return nil
		},
	}
	if s.party == theLSP {
		return s.startLSP(cfg)
	}
	var held []*ceremony.Held
	for _, id := range s.disk.factories() {
		h, err := ceremony.OpenHeld(cfg, id, s.disk.parts[id])
		if err != nil {
			return err
		}
		held = append(held, h)
	}
	failed := func(_ wire.CeremonyID, f *ceremony.Failure) { s.broken = f }
	s.client = ceremony.NewClient(ceremony.ClientConfig{Config: cfg, Failed: failed}, lspNode, held)
	s.keeps = s.kept()
	return nil
}

func (s *station) startLSP(cfg ceremony.Config) error {
	var all []*ceremony.Factory
	for _, id := range s.disk.factories() {
		f, err := ceremony.OpenFactory(cfg, id, s.disk.parts[id])
		if err != nil {
			return err
		}
		all = append(all, f)
	}
	s.lsp = ceremony.NewLSP(ceremony.LSPConfig{Config: cfg, Funder: s.purse}, all)
	s.keeps = s.kept()
	return nil
}

// said is a message of the station.
type said struct {
	to int
	m  wire.Ceremony
}

// reaction is what a station does about an event.
type reaction struct {
	sends     []said
	signs     []ledger.Entry
	broadcast *chainhash.Hash
	refused   error
	state     string
	keeps     vectors.Keeps
	kept      bool // keeps is not what it was
}

// handle lets something happen and collects what the station does.
func (s *station) handle(event func() ([]said, error)) (r reaction) {
	s.disk.signed, s.purse.broadcast, s.broken = nil, nil, nil
	r.sends, r.refused = event()
	r.signs, r.broadcast = s.disk.signed, s.purse.broadcast
	s.state = s.stateAfter(r)
	r.state = s.state
	r.keeps = s.kept()
	r.kept = !sameKeeps(r.keeps, s.keeps)
	s.keeps = r.keeps
	return r
}

// states names the row of section 5.3 that a party is in once it has said
// something.
var states = map[wire.CeremonyType]string{
	wire.TypeJoin: "joined", wire.TypeNonces: "proposed", wire.TypePartials: "signing", wire.TypeStored: "stored",
	wire.TypeInvite: "inviting", wire.TypeProposal: "proposed", wire.TypeUpdate: "proposed", wire.TypeSale: "proposed",
	wire.TypePoison: "proposed", wire.TypeAggregate: "signing", wire.TypeSignatures: "storing", wire.TypeFunded: "funded",
}

func (s *station) stateAfter(r reaction) string {
	state := s.state
	for _, o := range r.sends {
		if next, ok := states[o.m.Type()]; ok {
			state = next
		}
	}
	busy := false
	if s.client != nil {
		busy = s.client.Busy()
	} else {
		_, busy = s.lsp.Deadline()
	}
	if !busy && state != "funded" || state == "funded" && len(r.sends) == 0 {
		return "idle"
	}
	return state
}

// receive hands over a message.
func (s *station) receive(from int, m wire.Ceremony) reaction {
	return s.handle(func() ([]said, error) {
		if s.client != nil {
			return answers(s.client.Receive(s.now, m)), nil
		}
		return outs(s.lsp.Receive(s.now, peerOf(from), m)), nil
	})
}

func answers(list []wire.Ceremony) (out []said) {
	for _, m := range list {
		out = append(out, said{theLSP, m})
	}
	return out
}

func outs(list []ceremony.Out) (out []said) {
	for _, o := range list {
		out = append(out, said{partyOf(o.To), o.Message})
	}
	return out
}

func (s *station) disconnected(from int) reaction {
	return s.handle(func() ([]said, error) {
		if s.client != nil {
			s.client.Disconnected()
			return nil, nil
		}
		return outs(s.lsp.Disconnected(s.now, peerOf(from))), nil
	})
}

func (s *station) wait(d time.Duration) reaction {
	s.now = s.now.Add(d)
	return s.handle(func() ([]said, error) {
		if s.client != nil {
			return answers(s.client.Tick(s.now)), nil
		}
		return outs(s.lsp.Tick(s.now)), nil
	})
}

// sees is a step in which the chain changes.
func (s *station) sees(height uint32, spent []btcwire.OutPoint, unfunded bool) reaction {
	s.height, s.out = height, unfunded
	for _, o := range spent {
		s.spent[o] = true
	}
	return s.handle(func() ([]said, error) { return nil, nil })
}

func (s *station) restart() (r reaction, err error) {
	r = s.handle(func() ([]said, error) {
		err = s.start()
		return nil, nil
	})
	return r, err
}

// order is a command of the LSP's operator.
func (s *station) order(event string, o *vectors.PartyOrder) reaction {
	return s.handle(func() ([]said, error) {
		list, err := s.command(event, o)
		return outs(list), err
	})
}

func (s *station) command(event string, o *vectors.PartyOrder) (list []ceremony.Out, err error) {
	if s.lsp == nil || o == nil {
		return nil, fmt.Errorf("%q needs an order and an LSP", event)
	}
	p := ceremony.Purchase{Amount: factory.Sat(o.Amount)}
	copy(p.Factory[:], o.Factory)
	if o.Buyer != nil {
		p.Buyer = factory.ClientIndex(*o.Buyer)
	}
	switch event {
	case "create":
		copy(s.purse.coin[:], o.Coin)
		_, list, err = s.lsp.Create(s.now, creationOrder(o))
	case "update":
		_, list, err = s.lsp.Update(s.now, p)
	case "sell":
		_, list, err = s.lsp.Sell(s.now, p)
	case "resume":
		_, list, err = s.lsp.Resume(s.now, p.Factory)
	case "poison":
		if o.Level == nil || o.Position == nil {
			return nil, fmt.Errorf("poison of which node?")
		}
		_, list, err = s.lsp.Poison(s.now, p.Factory, factory.NodeID{Level: uint8(*o.Level), Position: uint16(*o.Position)})
	default:
		err = fmt.Errorf("no order %q", event)
	}
	return list, err
}

func creationOrder(o *vectors.PartyOrder) ceremony.Order {
	out := ceremony.Order{Params: factoryParams(*o.Parameters), Stock: factory.Sat(o.Stock)}
	shape := factoryShape(*o.Shape)
	out.Shape = func(int) factory.Shape { return shape }
	for i, c := range o.Capacities {
		out.Clients = append(out.Clients, ceremony.OrderClient{Peer: peerOf(i), Capacity: factory.Sat(c)})
	}
	return out
}

// kept is what is on the disk, and what has become complete since the last time.
func (s *station) kept() (k vectors.Keeps) {
	var fresh []chainhash.Hash
	add := func(tree *factory.Tree, signature func(*factory.Tx) ([64]byte, bool)) {
		if due, err := tree.Poisons(factory.NodeID{}); err == nil {
			s.poison = append(s.poison, due...)
		}
		for _, t := range append(transactionsOf(tree), s.poison...) {
			if t == nil || s.known[t.Txid] {
				continue
			}
			if _, ok := signature(t); ok {
				s.known[t.Txid] = true
				fresh = append(fresh, t.Txid)
			}
		}
	}
	if s.client != nil {
		for _, h := range s.client.Factories() {
			k.Factories++
			if n := len(h.Changes); n > 0 {
				k.Begun, k.Phases = h.Changes[n-1].Begun, vectors.Uint(len(h.Changes[n-1].Phases))
			}
			add(h.Tree(), h.Signature)
		}
	}
	if s.lsp != nil {
		for _, f := range s.lsp.Factories() {
			k.Factories++
			k.Pending = k.Pending || f.Interrupted() != ""
			add(f.Tree(), f.Signature)
		}
	}
	slices.SortFunc(fresh, func(a, b chainhash.Hash) int { return bytes.Compare(a[:], b[:]) })
	for _, h := range fresh {
		k.Txids = append(k.Txids, slices.Clone(h[:]))
	}
	return k
}

// transactionsOf lists what hangs on a tree.
func transactionsOf(t *factory.Tree) []*factory.Tx {
	var out []*factory.Tx
	for _, n := range t.Nodes() {
		out = append(append(out, n.Tx, n.Distribution), n.Nested...)
		for _, c := range n.Channels {
			out = append(out, c.Distribution)
		}
		for g, stock := range n.Stocks {
			if stock != nil {
				out = append(out, stock.Distribution)
			}
			for _, sale := range t.Sales(n.ID, uint8(g)) {
				out = append(out, sale.Tx, sale.Omission, sale.NewChannel.Distribution)
				if sale.Change != nil {
					out = append(out, sale.Change.Distribution)
				}
			}
		}
	}
	return out
}

func sameKeeps(a, b vectors.Keeps) bool {
	same := func(x, y vectors.Hex) bool { return bytes.Equal(x, y) }
	return a.Factories == b.Factories && a.Begun == b.Begun && a.Phases == b.Phases && a.Pending == b.Pending &&
		(len(a.Txids) == 0 || slices.EqualFunc(a.Txids, b.Txids, same))
}

// byReceiver brings messages into an order that only says what each receiver
// gets.
func byReceiver(list []said) []said {
	out := slices.Clone(list)
	slices.SortStableFunc(out, func(a, b said) int { return cmp.Compare(a.to, b.to) })
	return out
}
