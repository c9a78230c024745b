package channel_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"superscalar/refnode/channel"
	"superscalar/wire"
)

// factory_change_locked and stfu cross: neither side waits for the other. The one that
// has sent stfu locks first, since the other one may not answer before that.
func TestLockedMeetsStfu(t *testing.T) {
	for starter := range 2 {
		p := opened(t, setting{})
		txid := p.changeTo(continued)
		p.startChange(starter, -1, 0) // stfu is on its way
		p.do(1-starter, func(m *channel.Machine) { p.must(m.Lock(txid)) })
		p.drain()
		p.do(starter, func(m *channel.Machine) { p.must(m.Lock(txid)) })
		p.drain()
		for _, n := range p.nodes {
			if len(n.m.Fundings) != 1 || n.m.Fundings[0].Txid != txid {
				t.Fatalf("the %s has not locked: %v", n.name, last(p.sent, 6))
			}
		}
		if n := count(p.sent, "factory_change_init"); n != 2 {
			t.Errorf("%d factory_change_init, 2 wanted: %v", n, last(p.sent, 6))
		}
	}
}

// spot is a place in the search: two machines, what travels between them, and what has
// not been ordered yet.
type spot struct {
	m     [2]*channel.Machine
	queue [2][][]byte
	asks  [2][]wire.Txid // changes that the peer has locked and the plugin has not answered for
	left  []string       // orders that may still be given
	from  *spot
	how   string
}

// trace is how a spot was reached.
func (s *spot) trace() string {
	var steps []string
	for ; s.from != nil; s = s.from {
		steps = append(steps, s.how)
	}
	slices.Reverse(steps)
	return strings.Join(steps, "; ")
}

func (s *spot) mark() [32]byte {
	h := sha256.New()
	for i, m := range s.m {
		mark := m.Mark()
		h.Write(mark[:])
		for _, raw := range s.queue[i] {
			fmt.Fprintf(h, "%d %x", i, raw)
		}
		fmt.Fprintf(h, "%x", s.asks[i])
	}
	fmt.Fprint(h, s.left)
	return [32]byte(h.Sum(nil))
}

// search visits every spot that can be reached from a channel by a set of orders, in
// every order of the messages and orders of both sides.
type search struct {
	t       *testing.T
	txid    wire.Txid // the change that is continued at the start
	seen    map[[32]byte]bool
	rests   int
	visited int
}

// next returns the spot after an input of machine i; nil when the input was refused.
func (x *search) next(s *spot, i int, how string, input func(*channel.Machine) error) *spot {
	x.t.Helper()
	m, err := s.m[i].Fork()
	if err != nil {
		x.t.Fatal(err)
	}
	if input(m) != nil {
		return nil
	}
	n := &spot{m: s.m, from: s, how: fmt.Sprintf("%d %s", i, how), left: s.left}
	n.m[i] = m
	for k := range 2 {
		n.queue[k], n.asks[k] = slices.Clone(s.queue[k]), slices.Clone(s.asks[k])
	}
	x.carry(n, i)
	return n
}

// carry carries out what machine i says. Its plugin agrees to everything at once, but
// for the lock of a change.
func (x *search) carry(n *spot, i int) {
	x.t.Helper()
	m := n.m[i]
	for {
		actions := m.Take()
		if len(actions) == 0 { // as a hub does
			m.Commit()
			if actions = m.Take(); len(actions) == 0 {
				return
			}
		}
		for _, a := range actions {
			switch a := a.(type) {
			case channel.Send:
				switch msg := a.Message.(type) {
				case *wire.Stfu:
					if m.OwesRound() {
						x.t.Fatalf("stfu before the round of CHG-007\n%s", n.trace())
					}
				case *wire.Warning:
					x.t.Fatalf("a warning: %s\n%s", msg.Data, n.trace())
				case *wire.ErrorMessage:
					x.t.Fatalf("an error: %s\n%s", msg.Data, n.trace())
				}
				raw, err := wire.Codec{}.Encode(a.Message)
				if err != nil {
					x.t.Fatal(err)
				}
				n.queue[1-i] = append(n.queue[1-i], raw)
			case channel.Disconnect:
				if a.Reason != "nothing to do in quiescence" {
					x.t.Fatalf("a disconnection: %s\n%s", a.Reason, n.trace())
				}
				x.again(n)
				return
			case channel.HTLCReceived:
				x.fine(m.Fail(a.ID, []byte("no")))
			case channel.AskChange:
				x.fine(m.AnswerChange(a.ID, 0, nil, ""))
			case channel.AskChangeOutpoint:
				x.fine(m.ChangeOutpoint(a.ID, wire.Txid(fill(byte(0x90+len(m.Fundings)+len(m.Replaced)))), 1))
			case channel.AskContinue:
				x.fine(m.ChangePending())
				x.fine(m.ChangeStored())
			case channel.AskLock:
				n.asks[i] = append(n.asks[i], a.Txid)
			case channel.ChangeLocked:
				m.Round()
			}
		}
	}
}

// again ends the connection and makes a new one.
func (x *search) again(n *spot) {
	x.t.Helper()
	n.queue, n.how = [2][][]byte{}, n.how+", a new connection"
	for i, m := range n.m {
		m, err := m.Fork()
		x.fine(err)
		n.m[i] = m
		m.Disconnected()
		m.Take()
	}
	for i, m := range n.m {
		m.Connected()
		x.carry(n, i)
	}
}

func (x *search) fine(err error) {
	x.t.Helper()
	if err != nil && err != channel.ErrNotNow {
		x.t.Fatal(err)
	}
}

// ways are the spots one step from s.
func (x *search) ways(s *spot) (out []*spot) {
	add := func(n *spot) {
		if n != nil {
			out = append(out, n)
		}
	}
	for i := range 2 {
		if len(s.queue[i]) > 0 {
			msg, err := wire.Codec{}.Decode(s.queue[i][0])
			x.fine(err)
			short := *s
			short.queue[i] = s.queue[i][1:]
			n := x.next(&short, i, "hears "+msg.Name(), func(m *channel.Machine) error { m.Receive(msg); return nil })
			n.from = s
			add(n)
		}
		if len(s.asks[i]) > 0 {
			txid := s.asks[i][0]
			short := *s
			short.asks[i] = s.asks[i][1:]
			n := x.next(&short, i, "locks when asked", func(m *channel.Machine) error { x.fine(m.Lock(txid)); return nil })
			n.from = s
			add(n)
		}
	}
	for k, order := range s.left {
		if k > 0 && s.left[k-1] == order {
			continue
		}
		n := x.order(s, order)
		if n != nil {
			n.left = slices.Delete(slices.Clone(s.left), k, k+1)
			add(n)
		}
	}
	return out
}

// order gives an order, "0 locks"; nil when it is refused.
func (x *search) order(s *spot, order string) *spot {
	if order == "the line breaks" {
		n := *s
		n.from, n.how = s, ""
		x.again(&n)
		return &n
	}
	i := int(order[0] - '0')
	return x.next(s, i, order[2:], func(m *channel.Machine) error {
		switch order[2:] {
		case "locks":
			return m.Lock(x.txid)
		case "begins a change":
			return m.StartChange(0, nil)
		case "offers":
			hash := sha256.Sum256([]byte(order))
			_, err := m.Add(channel.AddHTLC{Origin: channel.Origin{1}, Amount: 5_000_000, Hash: hash, Expiry: 1000, Onion: make([]byte, 1366)})
			return err
		case "shuts down":
			return m.Shutdown(nil)
		}
		panic(order)
	})
}

// run visits everything.
func (x *search) run(first *spot) {
	x.t.Helper()
	todo := []*spot{first}
	for len(todo) > 0 {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		mark := s.mark()
		if x.seen[mark] {
			continue
		}
		x.seen[mark] = true
		x.visited++
		if len(s.queue[0])+len(s.queue[1])+len(s.asks[0])+len(s.asks[1]) == 0 {
			x.rests++
			for i, m := range s.m {
				if m.Quieting() || m.HalfLocked() || m.InRound() || len(m.HTLCs) > 0 {
					x.t.Fatalf("nothing travels, and node %d waits (quieting %v, half locked %v, in a round %v, %d HTLCs): %s",
						i, m.Quieting(), m.HalfLocked(), m.InRound(), len(m.HTLCs), s.trace())
				}
			}
		}
		todo = append(todo, x.ways(s)...)
	}
}

// TestNobodyWaits looks at every order in which the messages of a lock, of changes that
// both sides begin, of payments and of shutdown can cross, and where the line can break: wherever nothing travels any
// more and no plugin is asked, no side is quiescent, half locked or in a round, and
// nobody has been warned; and no side says stfu while it owes a round.
func TestNobodyWaits(t *testing.T) {
	for _, row := range []struct {
		name   string
		orders []string
	}{
		{"both lock, one changes", []string{"0 begins a change", "0 locks", "1 locks"}},
		{"both lock, the other changes", []string{"1 begins a change", "0 locks", "1 locks"}},
		{"both lock, both change", []string{"0 begins a change", "1 begins a change", "0 locks", "1 locks"}},
		{"one locks, both change, an HTLC", []string{"0 begins a change", "1 begins a change", "0 locks", "1 offers"}},
		{"a change, a lock and an HTLC", []string{"0 offers", "1 begins a change", "1 locks"}},
		{"both lock, one changes, the line breaks", []string{"0 begins a change", "0 locks", "1 locks", "the line breaks"}},
		{"one locks, the other changes, the line breaks twice", []string{"0 begins a change", "1 locks", "the line breaks", "the line breaks"}},
		{"a shutdown, a lock and a change", []string{"0 begins a change", "1 locks", "1 shuts down"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := opened(t, setting{})
			x := &search{t: t, txid: p.changeTo(continued), seen: map[[32]byte]bool{}}
			for i := range p.nodes {
				p.do(i, func(m *channel.Machine) { m.Block(500) })
			}
			first := &spot{left: row.orders}
			for i, n := range p.nodes {
				first.m[i] = n.m
			}
			x.run(first)
			t.Logf("%d spots, %d of them at rest", x.visited, x.rests)
		})
	}
}
