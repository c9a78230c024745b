package hub_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"superscalar/refnode/channel"
	"superscalar/refnode/node"
	"superscalar/refnode/payment"
	"superscalar/refnode/peer"
	"superscalar/refnode/store"
	"superscalar/wire"
)

// kind is what goes wrong at a point.
type kind string

const (
	cutBefore kind = "disconnect before a message" // it arrives, and is not read
	cutAfter  kind = "disconnect after a message"  // it is handled, and no answer leaves
	refusal   kind = "refused write"               // once
	dieBefore kind = "crash before a write"        // nothing of the step is stored
	dieAfter  kind = "crash after a write"         // all of it is, and nothing has left
)

var kinds = []kind{cutBefore, cutAfter, refusal, dieBefore, dieAfter}

func (k kind) ofMessages() bool { return k == cutBefore || k == cutAfter }
func (k kind) dies() bool       { return k == dieBefore || k == dieAfter }

var errFault = errors.New("the disk does not answer")

// fault goes wrong at one point of one party: at the write or message number at,
// counted from 0 since the fault was set.
type fault struct {
	kind  kind
	at    int
	fired chan struct{}

	mu   sync.Mutex
	seen int
	dead bool // the process: it stores nothing and says nothing any more
}

func newFault(k kind, at int) *fault { return &fault{kind: k, at: at, fired: make(chan struct{})} }

// hit counts a write or a message, and reports whether it is the one.
func (f *fault) hit(message bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if message != f.kind.ofMessages() || f.seen > f.at {
		return false
	}
	f.seen++
	if f.seen <= f.at {
		return false
	}
	f.dead = f.kind.dies()
	close(f.fired)
	return true
}

func (f *fault) isDead() bool {
	if f == nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dead
}

// update stands between the hub and its store.
func (f *fault) update(s *store.Store, fn func(*store.Tx) error) error {
	if f.isDead() {
		return errFault
	}
	if !f.hit(false) {
		return s.Update(fn)
	}
	if f.kind == dieAfter {
		if err := s.Update(fn); err != nil {
			return err
		}
	}
	return errFault
}

// tamper stands between a connection and its messages. A connection that was cut
// says and hears nothing any more; the next one is a new one.
func (p *party) tamper() peer.Tamper {
	cut := false // used by one goroutine at a time
	return peer.Tamper{
		In: func(raw []byte) bool {
			f := p.fault()
			if cut || f.isDead() {
				return false
			}
			if f == nil || !ofPayment(raw) || !f.hit(true) {
				return true
			}
			cut = true
			return f.kind == cutAfter
		},
		Out: func(m wire.Message) []wire.Message {
			if cut || p.fault().isDead() || p.mutes(m) {
				return nil
			}
			if signed, ok := m.(*wire.CommitmentSigned); ok {
				p.signs(signed)
			}
			return []wire.Message{m}
		},
	}
}

// mutes reports whether a message does not leave.
func (p *party) mutes(m wire.Message) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mute == m.Name()
}

// ofPayment reports whether a message is one of those that move HTLCs:
// update_add_htlc to update_fail_malformed_htlc.
func ofPayment(raw []byte) bool {
	typ, err := wire.TypeOf(raw)
	return err == nil && typ >= 128 && typ <= 135
}

func (p *party) fault() *fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.trouble
}

func (p *party) set(f *fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trouble = f
}

// signs remembers what was signed for a commitment of the peer. A number is signed
// once, and again only as it was.
func (p *party) signs(m *wire.CommitmentSigned) {
	if p.listening() {
		return // a benchmark, which this would slow down
	}
	s := p.machine(m.ChannelID)
	if s == nil {
		return // the hub is stopped: nothing leaves
	}
	raw, err := wire.Codec{}.Encode(m)
	if err != nil {
		p.w.t.Error(err)
	}
	name := fmt.Sprintf("%s/%s", m.ChannelID, fmt.Sprint(s.SignedNumber))
	p.mu.Lock()
	defer p.mu.Unlock()
	if before, again := p.signed[name]; again && !bytes.Equal(before, raw) {
		p.w.t.Errorf("%s signed commitment %s twice", p.name, name)
	}
	if p.signed == nil {
		p.signed = map[string][]byte{}
	}
	p.signed[name] = raw
}

// machine is what a channel machine holds, nil when there is none.
func (p *party) machine(id wire.ChannelID) *channel.State {
	for _, s := range p.hub.States() {
		if s.ID == id {
			return s
		}
	}
	return nil
}

// line is a payer and a payee with an LSP between them.
type line struct {
	*world
	a, l, b *party
}

func newLine(t *testing.T) *line {
	w := newWorld(t)
	n := &line{world: w, a: w.party("a", node.Client), l: w.party("l", node.LSP), b: w.party("b", node.Client)}
	for _, c := range []*party{n.a, n.b} {
		n.l.coins(1_500_000)
		n.l.connect(c)
		n.l.channel(c, 1_000_000, 400_000_000)
	}
	n.a.look()
	n.quiet()
	return n
}

func (n *line) all() []*party { return []*party{n.a, n.l, n.b} }

// quiet waits until every channel is up and nobody has anything to say, and checks
// that both sides of each have the same commitments, with all the money in them.
func (n *line) quiet() {
	n.t.Helper()
	for _, c := range []*party{n.a, n.b} {
		var x, y *channel.State
		n.until("the channel of "+c.name+" is quiet", func() bool {
			if c.up() != 1 || n.l.up() != 2 || !c.hub.Channels()[0].Policy.Known {
				return false
			}
			x = c.machine(c.hub.Channels()[0].ID)
			y = n.l.machine(x.ID)
			return len(x.HTLCs)+len(y.HTLCs)+len(x.Feerates)+len(y.Feerates) == 0 &&
				x.SignedNumber == x.Revoked.Next() && y.SignedNumber == y.Revoked.Next()
		})
		if x.LocalNumber != y.SignedNumber || y.LocalNumber != x.SignedNumber {
			n.t.Errorf("%s has commitments %d and %d, the LSP %d and %d", c.name, x.LocalNumber, x.SignedNumber, y.SignedNumber, y.LocalNumber)
		}
		if x.Balance != y.Balance || x.Balance[0]+x.Balance[1] != 1_000_000_000 {
			n.t.Errorf("%s has balances %v, the LSP %v", c.name, x.Balance, y.Balance)
		}
		if x.Failure+y.Failure != "" {
			n.t.Errorf("%s: the channel failed: %q, %q", c.name, x.Failure, y.Failure)
		}
	}
}

// own is what everybody has, in the order of all.
func (n *line) own() (sums [3]payment.Msat) {
	for i, p := range n.all() {
		for _, c := range p.hub.Channels() {
			sums[i] += c.Local
		}
	}
	return sums
}

// run makes one payment with a fault at a party, and checks that it ended the same
// way for everybody. False: the fault had no occasion.
func (n *line) run(at *party, f *fault) (fired, settled bool) {
	n.t.Helper()
	const amount = 1_000_000
	before := n.own()
	inv, err := n.b.hub.Invoice(payment.InvoiceRequest{Amount: amount})
	check(n.t, err)
	at.set(f)
	_, err = n.a.hub.Pay(payment.PayRequest{Invoice: inv.Request, MaxFee: amount})
	if err != nil && at != n.a {
		n.t.Fatal(err)
	}
	n.until("the payment is over, or stands still", func() bool {
		over := n.over(inv.Hash) // first: a node that dies while it is asked knows of nothing in flight
		select {
		case <-f.fired:
			fired = true
		default:
		}
		return fired || over
	})
	if fired {
		n.recover(at, f)
	}
	at.set(nil)
	n.until("the payment is over", func() bool { return n.over(inv.Hash) })
	n.quiet()
	paid, _ := n.a.hub.Payment(inv.Hash)
	settled = paid.State == payment.Succeeded
	if got := n.invoice(inv.Hash); settled != (got.State == payment.Settled) || settled && paid.Preimage.Hash() != inv.Hash {
		n.t.Errorf("for the payer it is %s, for the payee %s", paid.State, got.State)
	}
	want := before
	if settled {
		want[0], want[1], want[2] = want[0]-amount-paid.Fee, want[1]+paid.Fee, want[2]+amount
	}
	if got := n.own(); got != want {
		n.t.Errorf("payer, LSP and payee have %v, not %v", got, want)
	}
	return fired, settled
}

// recover brings everybody back after a fault.
func (n *line) recover(at *party, f *fault) {
	n.t.Helper()
	if f.kind.dies() {
		at.stop()
		at.set(nil)
		at.start()
	}
	at.set(nil)
	n.l.connect(n.a)
	n.l.connect(n.b)
}

// over reports whether the payer has nothing in flight: it may have forgotten a
// payment that it had not stored.
func (n *line) over(h payment.Hash) bool {
	p, found := n.a.hub.Payment(h)
	if found && p.State == payment.InFlight {
		return false
	}
	for _, p := range n.all() {
		for _, s := range p.hub.States() {
			if len(s.HTLCs) > 0 || s.SignedNumber > s.Revoked.Next() {
				return false
			}
		}
	}
	return true
}

func (n *line) invoice(h payment.Hash) payment.Invoice {
	for _, i := range n.b.hub.Invoices() {
		if i.Hash == h {
			return i
		}
	}
	return payment.Invoice{}
}

// named says at which point something was wrong.
type named struct {
	*testing.T
	at string
}

func (n named) Fatalf(format string, args ...any) {
	n.Helper()
	n.T.Fatalf(n.at+format, args...)
}

func (n named) Errorf(format string, args ...any) {
	n.Helper()
	n.T.Errorf(n.at+format, args...)
}

// TestCrashAnywhereInAPayment makes one payment after the other from a client to
// another through the LSP, over sockets and with stores on the disk. Each has one
// thing go wrong, at the next point: every message and every write of every node,
// with every kind of fault. The points are found by going on until none is left.
func TestCrashAnywhereInAPayment(t *testing.T) {
	n := newLine(t)
	points, settled := map[kind]int{}, 0
	for _, k := range kinds {
		for _, p := range n.all() {
			for at := 0; ; at++ {
				n.t = named{t, fmt.Sprintf("%s number %d of %s: ", k, at, p.name)}
				fired, paid := n.run(p, newFault(k, at))
				if t.Failed() {
					t.FailNow()
				}
				if !fired {
					if !paid {
						n.t.Errorf("without a fault a payment failed: %+v", n.a.hub.Payments()[len(n.a.hub.Payments())-1])
					}
					break
				}
				points[k]++
				if paid {
					settled++
				}
			}
		}
	}
	all := 0
	var text []string
	for _, k := range slices.Sorted(maps.Keys(points)) {
		all += points[k]
		text = append(text, fmt.Sprintf("%d x %s", points[k], k))
	}
	t.Logf("%d points, every one: %s; %d payments settled, %d failed", all, strings.Join(text, ", "), settled, all-settled)
	const least = 10 // of each kind: one payment is two hops of five messages and more
	for _, k := range kinds {
		if points[k] < least {
			t.Errorf("only %d x %s", points[k], k)
		}
	}
}
