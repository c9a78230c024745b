package gen

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/factory"
	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// start of every conversation.
const startHeight = 900_000

func startTime() time.Time { return time.Unix(1_700_000_000, 0) }

// scene is an LSP and its clients with wires between them that a story can
// bend. Every party writes down what happens to it.
type scene struct {
	label   string
	parties map[int]*actor
	n       int // clients
	queue   []packet
	tested  int // the party whose conversation is wanted; it alone is bent
	bend    func(p packet) []wire.Ceremony
	lose    func(p packet) bool // on every wire
	fault   bool                // the next event of the tested party is what is wrong
	over    bool                // nothing more is delivered once the tested party has reacted
	stops   bool                // at the fault
}

// actor is a party with its diary.
type actor struct {
	*station
	keys  *derived
	steps []vectors.Happening
	first int // height at which it started
}

type packet struct {
	from, to int
	m        wire.Ceremony
}

// newScene starts everybody; before is a scene that all have lived through.
func newScene(label string, n int, before *scene, tested int, lspRules rule.Set) (*scene, error) {
	w := &scene{label: label, n: n, tested: tested, parties: map[int]*actor{}}
	for party := theLSP; party < n; party++ {
		rules := rule.Set{}
		if party == theLSP && tested != theLSP {
			rules = lspRules
		}
		a := &actor{station: newStation(party, rules), keys: newDerived(party)}
		a.station.keys = a.keys
		var from *disk
		if before != nil {
			old := before.parties[party]
			from, a.height = old.disk, old.height
			a.purse.n, a.purse.coin = old.purse.n, old.purse.coin
			for o := range old.spent {
				a.spent[o] = true
			}
		}
		a.first = int(a.height)
		var err error
		if a.disk, err = newDisk(rules, from); err == nil {
			err = a.start()
		}
		if err != nil {
			return nil, fmt.Errorf("%s does not start: %w", partyName(party), err)
		}
		w.parties[party] = a
	}
	return w, nil
}

func newStation(party int, rules rule.Set) *station {
	return &station{
		party: party, chain: factory.Other, rules: rules, now: startTime(), height: startHeight,
		spent: map[btcwire.OutPoint]bool{}, purse: &purse{},
	}
}

func (w *scene) lsp() *actor { return w.parties[theLSP] }

// happen lets something happen to a party and writes it down.
func (w *scene) happen(a *actor, h vectors.Happening, event func() reaction) {
	if a.party == w.tested && w.over {
		return
	}
	draw := sha256.Sum256(fmt.Appendf(nil, "superscalar vectors conversation randomness %s %s %d", w.label, partyName(a.party), len(a.steps)))
	a.draw = draw
	r := event()
	describeReaction(&h, r)
	if draws(h, r) {
		h.Randomness = draw[:]
	}
	if a.party == w.tested && w.fault {
		h.Fault, w.fault = true, false
		w.over = w.stops
	}
	a.steps = append(a.steps, h)
	for _, o := range r.sends {
		w.queue = append(w.queue, packet{a.party, o.to, o.m})
	}
}

// draws reports whether what a party says depends on its randomness.
func draws(h vectors.Happening, r reaction) bool {
	for _, o := range r.sends {
		switch o.m.Type() {
		case wire.TypeNonces, wire.TypeAggregate, wire.TypeInvite, wire.TypeUpdate, wire.TypePoison:
			return true
		}
	}
	return false
}

// run delivers messages in order until there are none.
func (w *scene) run() {
	for len(w.queue) > 0 {
		p := w.queue[0]
		w.queue = w.queue[1:]
		if w.lose != nil && w.lose(p) {
			continue
		}
		list := []wire.Ceremony{p.m}
		if w.bend != nil && p.to == w.tested {
			p.m = copied(p.m)
			list = w.bend(p)
		}
		for _, m := range list {
			w.deliver(packet{p.from, p.to, m})
		}
	}
}

// copied is a message that may be altered.
func copied(m wire.Ceremony) wire.Ceremony {
	raw, err := wire.Codec{}.EncodeCeremony(m)
	if err == nil {
		if again, err := (wire.Codec{}).DecodeCeremony(raw); err == nil {
			return again
		}
	}
	panic(fmt.Sprintf("a message of this package: %v", err))
}

func (w *scene) deliver(p packet) {
	to := w.parties[p.to]
	if to == nil {
		return
	}
	h := vectors.Happening{Event: "receive", From: partyName(p.from), Message: messageOf(p.m, "")}
	w.happen(to, h, func() reaction { return to.receive(p.from, copied(p.m)) })
}

// messageOf describes a message.
func messageOf(m wire.Ceremony, to string) *vectors.Said {
	raw, err := wire.Codec{}.EncodeCeremony(m)
	if err != nil {
		panic(fmt.Sprintf("a message of this package: %v", err))
	}
	d, ok := vectors.DecodeCeremony(m)
	if !ok {
		panic("a message of this package has no layout")
	}
	return &vectors.Said{To: to, Name: m.Name(), Bytes: raw, Records: d.Records}
}

// compares says how what a party says is compared.
func compares(m wire.Ceremony) string {
	switch m.Type() {
	case wire.TypeNonces:
		return "nonces"
	case wire.TypeAggregate:
		return "aggregate"
	case wire.TypePartials:
		return "partials"
	case wire.TypeSignatures:
		return "signatures"
	case wire.TypeAbort:
		return "abort"
	}
	return "exact"
}

// plain takes the words for people out of an abort.
func plain(m wire.Ceremony) wire.Ceremony {
	if x, ok := m.(*wire.Abort); ok {
		return &wire.Abort{Attempt: x.Attempt, Reason: x.Reason, Guilty: x.Guilty}
	}
	return m
}

// describeReaction writes down what a party did.
func describeReaction(h *vectors.Happening, r reaction) {
	h.Sends = describeSends(r.sends)
	for _, e := range r.signs {
		h.Signs = append(h.Signs, vectors.SignEntry{
			Txid: slices.Clone(e.Outpoint.Hash[:]), Output: vectors.Uint(e.Outpoint.Index), Kind: e.Kind.String(), Sequence: e.Sequence, Sighash: slices.Clone(e.Sighash[:]),
		})
	}
	if r.broadcast != nil {
		h.Broadcast = slices.Clone(r.broadcast[:])
	}
	h.Refused = r.refused != nil
	h.State = r.state
	if r.kept {
		h.Keeps = r.keeps
	}
}

func describeSends(list []said) []vectors.Said {
	var out []vectors.Said
	for _, o := range list {
		s := messageOf(plain(o.m), partyName(o.to))
		s.Compare = compares(o.m)
		out = append(out, *s)
	}
	return out
}

// The words in which stories are written.

// creates orders a factory for all clients and lets it happen.
func (w *scene) creates(shape string, change func(*vectors.PartyOrder)) {
	s := shapeOf(shape)
	p := defaultParameters(s)
	p.TipHeight, p.Expiry = 0, 0
	o := &vectors.PartyOrder{Parameters: &p, Shape: &s, Stock: 50_000}
	for i := range w.n {
		o.Capacities = append(o.Capacities, vectors.Uint(20_000+37*i))
	}
	coin := sha256.Sum256([]byte("superscalar vectors conversation coin " + w.label))
	o.Coin = coin[:]
	if change != nil {
		change(o)
	}
	w.orders("create", o)
}

// orders gives the LSP a command, and delivers.
func (w *scene) orders(event string, o *vectors.PartyOrder) {
	a := w.lsp()
	w.happen(a, vectors.Happening{Event: event, Order: o}, func() reaction { return a.order(event, o) })
	w.run()
}

// factoryID is the one factory there is.
func (w *scene) factoryID() wire.CeremonyID {
	list := w.lsp().station.lsp.Factories()
	if len(list) == 0 {
		return wire.CeremonyID{}
	}
	return list[len(list)-1].ID()
}

func (w *scene) purchase(event string, buyer, amount int) {
	id := w.factoryID()
	w.orders(event, &vectors.PartyOrder{Factory: id[:], Buyer: ptr(buyer), Amount: vectors.Uint(amount)})
}

func (w *scene) updates(buyer, amount int) { w.purchase("update", buyer, amount) }
func (w *scene) sells(buyer, amount int)   { w.purchase("sell", buyer, amount) }

func (w *scene) resumes() {
	id := w.factoryID()
	w.orders("resume", &vectors.PartyOrder{Factory: id[:]})
}

// disconnects ends the connection between the LSP and a client.
func (w *scene) disconnects(client int) {
	w.queue = slices.DeleteFunc(w.queue, func(p packet) bool { return p.from == client || p.to == client })
	a, b := w.parties[client], w.lsp()
	w.happen(a, vectors.Happening{Event: "disconnect", From: "lsp"}, func() reaction { return a.disconnected(theLSP) })
	w.happen(b, vectors.Happening{Event: "disconnect", From: partyName(client)}, func() reaction { return b.disconnected(client) })
	w.queue = slices.DeleteFunc(w.queue, func(p packet) bool { return p.to == client })
	w.run()
}

// waitsFor lets time pass for a party.
func (w *scene) waitsFor(party, seconds int) {
	a := w.parties[party]
	w.happen(a, vectors.Happening{Event: "wait", Seconds: vectors.Uint(seconds)},
		func() reaction { return a.wait(time.Duration(seconds) * time.Second) })
}

// restarts ends and starts the process of a party; its connections end, too.
func (w *scene) restarts(party int) {
	a := w.parties[party]
	w.happen(a, vectors.Happening{Event: "restart"}, func() reaction {
		r, err := a.restart()
		if err != nil {
			panic(fmt.Sprintf("%s: %s does not start again: %v", w.label, partyName(party), err))
		}
		return r
	})
}

// dies ends the process of a party, with its connections, and starts it again.
func (w *scene) dies(party int) {
	w.queue = slices.DeleteFunc(w.queue, func(p packet) bool { return p.from == party || p.to == party })
	w.restarts(party)
	for other := theLSP; other < w.n; other++ {
		if other == party || other != theLSP && party != theLSP {
			continue
		}
		a := w.parties[other]
		w.happen(a, vectors.Happening{Event: "disconnect", From: partyName(party)}, func() reaction { return a.disconnected(party) })
	}
	w.queue = slices.DeleteFunc(w.queue, func(p packet) bool { return p.to == party })
	w.run()
}

// says puts a message of a party to the tested one, as what is wrong.
func (w *scene) says(from int, m wire.Ceremony) {
	w.fault = true
	w.deliver(packet{from, w.tested, m})
	w.run()
}

// heard is the last message of its type that a party received.
func heard[M wire.Ceremony](w *scene, party int) (out M) {
	for _, h := range w.parties[party].steps {
		if h.Message == nil {
			continue
		}
		if m, err := (wire.Codec{}).DecodeCeremony(h.Message.Bytes); err == nil {
			if x, ok := m.(M); ok {
				out = x
			}
		}
	}
	return out
}

// chainOf lets a party see a height, and outpoints spent.
func (w *scene) chainOf(party, height int, spent ...btcwire.OutPoint) {
	a := w.parties[party]
	h := vectors.Happening{Event: "chain", Height: uint32(height)}
	for _, o := range spent {
		h.Spent = append(h.Spent, vectors.ChainPoint{Txid: slices.Clone(o.Hash[:]), Output: vectors.Uint(o.Index)})
	}
	w.happen(a, h, func() reaction { return a.sees(uint32(height), spent, false) })
}

// unfunded lets a party see that the funding transaction is not confirmed.
func (w *scene) unfunded(party int) {
	a := w.parties[party]
	h := vectors.Happening{Event: "chain", Height: a.height, Unfunded: true}
	w.happen(a, h, func() reaction { return a.sees(a.height, nil, true) })
}

// kickoff is the outpoint of the lowest kickoff above client 0.
func (w *scene) kickoff() btcwire.OutPoint {
	t := w.lsp().station.lsp.Factories()[0].Tree()
	path := t.Factory().Layout().Path(0)
	n, _ := t.Node(path[len(path)-2])
	return n.Tx.Outpoint()
}

// keysOf are the keys of everybody, the tested party's first.
func (w *scene) keysOf() []vectors.PartyKeys {
	out := append([]vectors.PartyKeys{}, w.parties[w.tested].keys.list()...) // [] in a file, not null
	for party := theLSP; party < w.n; party++ {
		if party != w.tested {
			out = append(out, w.parties[party].keys.list()...)
		}
	}
	return out
}
