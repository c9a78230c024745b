package storm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/refnode/payment"
	"superscalar/refnode/peer"
	"superscalar/wire"
)

// strideVar makes TestCrashAnywhereInAChange leave points out: of each kind and party it
// takes one in so many.
const strideVar = "STORM_STRIDE"

const (
	bought   = 9_000                   // sat
	half     = payment.Msat(2_000_000) // of an invoice that is paid in two parts
	patience = 60 * time.Second        // when a test gives up on something that hangs
)

// change is a factory over sockets, with an HTLC on its way in either direction, before a
// sale to client a. The disks are copied, so that each point begins with it.
type change struct {
	*storm
	copies  string
	bills0  []*bill
	order   ceremony.Purchase
	orders  int
	retries int // connections that were made again
}

// newChange creates the factory, and stops everybody.
func newChange(t *testing.T) *change {
	c := &change{storm: &storm{world: newWorld(t, 1, options{clients: 2, sockets: true, active: 2000}), r: rand.New(rand.NewPCG(1, 1)), leaf: factory.DW, counts: map[string]int{}}}
	c.connectAll()
	id, err := c.lsp.lsp.Create(c.world.order("kickoff 1 / dw 2", 4))
	c.check(err)
	c.until("the factory is funded", func() bool { return len(c.lsp.lsp.Factories()) == 1 && len(c.chain.Mempool()) > 0 })
	_, err = c.chain.Mine(1)
	c.check(err)
	for _, p := range c.all() {
		c.until("the factory is known", func() bool { return p.isLSP() || len(p.client.Factories()) == 1 })
		c.check(p.wallet.Sync(context.Background(), c.chain))
		c.check(p.hub.Look(context.Background(), c.chain))
		c.check(p.leaves.Check())
	}
	c.id, c.order = id, ceremony.Purchase{Factory: id, Buyer: 0, Amount: bought}
	c.until("it is quiet", func() bool { return c.noise() == "" })
	a := c.clients[0]
	inv, err := a.hub.Invoice(payment.InvoiceRequest{Amount: 30_000_000})
	c.check(err)
	_, err = c.lsp.hub.Pay(payment.PayRequest{Invoice: inv.Request})
	c.check(err)
	c.bills0 = append(c.bills0, &bill{payer: c.lsp, payee: a, inv: inv})
	c.until("it is paid", func() bool { return a.local() == 30_000_000 && c.noise() == "" })
	for _, way := range [][2]*party{{c.lsp, a}, {a, c.lsp}} {
		inv, err := way[1].hub.Invoice(payment.InvoiceRequest{Amount: 2 * half})
		c.check(err)
		b := &bill{payer: way[0], payee: way[1], inv: inv, parts: true}
		c.bills0 = append(c.bills0, b)
		c.check(c.part(b, a.hub.Channels()[0].ID, half))
		c.until("a part is held", func() bool { return c.invoice(b).Held == half })
	}
	c.until("it is committed", func() bool { return c.moving() == "" })
	c.copies = filepath.Join(c.dir, "copies")
	for _, p := range c.all() {
		p.stop()
		c.check(os.CopyFS(filepath.Join(c.copies, p.name), os.DirFS(p.dir)))
	}
	return c
}

// again begins with the copies.
func (c *change) again() {
	c.bills, c.orders = nil, 0
	for _, b := range c.bills0 {
		same := *b
		c.bills = append(c.bills, &same)
	}
	for _, p := range c.all() {
		p.stop()
	}
	c.clock = newClock() // parts wait for a minute only
	for _, p := range c.all() {
		p.set(nil)
		c.check(os.RemoveAll(p.dir))
		c.check(os.CopyFS(p.dir, os.DirFS(filepath.Join(c.copies, p.name))))
		p.told, p.traffic, p.signed, p.spends = nil, nil, map[string][]byte{}, map[string][32]byte{}
		c.check(p.start())
	}
	c.connectAll()
	c.until("the channels are up", func() bool { return c.moving() == "" })
}

func (c *change) connectAll() {
	c.t.Helper()
	const enough = 2 * time.Second // one that ends at once is made again
	for _, p := range c.clients {
		for end := time.Now().Add(patience); ; {
			ctx, cancel := context.WithTimeout(context.Background(), enough)
			err := p.node.Connect(ctx, c.lsp.node.Address())
			if err == nil {
				err = c.lsp.lsp.Await(ctx, p.id())
			}
			cancel()
			if err == nil {
				break
			}
			if time.Now().After(end) {
				c.fail("%s does not connect: %v, %q", p.name, err, c.stories())
			}
			c.retries++
		}
	}
}

// until looks again and again whether something has happened that other goroutines do.
func (c *change) until(what string, happened func() bool) {
	c.t.Helper()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(patience); !happened(); <-again.C {
		if time.Now().After(end) {
			c.fail("it never came to pass that %s: %s, %q", what, c.moving(), c.stories())
		}
	}
}

// moving says which channel is not in use on one output alone, the same on both sides.
func (c *change) moving() string {
	for _, q := range c.all() {
		for _, ch := range c.channels(q) {
			if !ch.Link.Up || !ch.Alone {
				return q.name + " has a channel that is not up"
			}
		}
	}
	pairs, problem := c.pairs()
	if problem != "" {
		return problem
	}
	for _, p := range pairs {
		for i, x := range p.sides {
			q := []*party{c.lsp, p.client}[i]
			switch {
			case x.Failure != "":
				c.fail("%s fails a channel: %s", q.name, x.Failure)
			case len(x.Fundings) != 1 || x.Fundings[0].Txid != p.sides[0].Fundings[0].Txid:
				return q.name + " has another output"
			case x.SignedNumber != x.Revoked.Next() || len(x.HTLCs) != len(p.sides[0].HTLCs):
				return q.name + " is not done"
			}
		}
	}
	return ""
}

// stories are the last that everybody told and that went over their sockets.
func (c *change) stories() (all []string) {
	for _, p := range c.all() {
		p.mu.Lock()
		all = append(append(append(all, p.name+":"), lastOf(p.told)...), lastOf(p.traffic)...)
		p.mu.Unlock()
	}
	return all
}

// lastOf is what fits on a screen.
func lastOf(lines []string) []string { return lines[max(0, len(lines)-60):] }

// sell orders the sale.
func (c *change) sell() {
	if _, err := c.lsp.lsp.Update(c.order); err == nil {
		c.orders++
	}
}

// completed reports whether everybody is on the new output.
func (c *change) completed() bool {
	f := c.lsp.lsp.Factories()[0] // of a world that has one
	return f.Interrupted == "" && f.Tree.Capacities(0) == capacity+bought && c.moving() == ""
}

// point makes the sale with a fault at a party, goes on until it is complete, and checks
// that nothing was lost. False: the fault had no occasion.
func (c *change) point(at *party, f *fault) bool {
	c.again()
	at.set(f)
	c.sell()
	c.until("the sale is over, or stands still", func() bool { return f.hasFired() || c.completed() })
	fired := f.hasFired()
	if fired {
		if f.kind.dies() {
			at.stop()
			at.set(nil)
			c.check(at.start())
		}
		at.set(nil)
		c.recover()
	}
	at.set(nil)
	c.until("it is complete", c.completed)
	c.afterwards()
	return fired
}

// recover brings everybody back, and orders again where the sale was called off.
func (c *change) recover() {
	c.t.Helper()
	enough := 300 * time.Millisecond // until everybody connects again; on a busy machine a sale takes longer
	for range 12 {
		c.connectAll()
		for end := time.Now().Add(enough); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
			if c.completed() {
				return
			}
			f := c.lsp.lsp.Factories()[0]
			if f.Interrupted == "" && f.Tree.Capacities(0) == capacity && c.moving() == "" {
				c.sell()
			}
		}
		c.clock.Advance(4 * time.Second)
		enough = min(2*enough, patience)
	}
	c.fail("it is not completed: %s, %q", c.moving(), c.stories())
}

// afterwards lets the HTLCs settle, and checks what everybody has.
func (c *change) afterwards() {
	c.t.Helper()
	for _, b := range c.bills {
		if b.parts {
			c.check(c.part(b, c.clients[0].hub.Channels()[0].ID, half))
			c.until("it is settled", func() bool { return c.invoice(b).State == payment.Settled })
		}
	}
	c.until("it is quiet", func() bool { return c.noise() == "" })
	c.holds()
}

// tamper stands between a connection and its messages. A connection that was cut says and
// hears nothing any more; the next one is a new one.
func (p *party) tamper() peer.Tamper {
	cut := false // used by one goroutine at a time
	return peer.Tamper{
		In: func(raw []byte) bool {
			f := p.fault()
			p.heard("gets " + messageName(raw))
			if cut || f.isDead() {
				return false
			}
			if f == nil || !f.hit(true) {
				return true
			}
			cut = true
			return f.kind == cutAfter
		},
		Out: func(m wire.Message) []wire.Message {
			if cut || p.fault().isDead() {
				return nil
			}
			p.heard("says " + nameOf(m))
			if signed, ok := m.(*wire.CommitmentSigned); ok {
				p.signs(signed)
			}
			return []wire.Message{m}
		},
	}
}

// heard remembers what went over the sockets of a party, for a failure.
func (p *party) heard(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.traffic = append(p.traffic, what)
}

// TestCrashAnywhereInAChange makes a sale that moves the channels of two clients, over
// sockets and with stores, while HTLCs are on their way. Each time one thing goes wrong at
// the next point: every message and every write of every node, with every kind of fault.
// The points are found by going on until none is left.
func TestCrashAnywhereInAChange(t *testing.T) {
	t.Parallel()
	stride := 1
	if testing.Short() || raced {
		stride = 7
	}
	if text := os.Getenv(strideVar); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("%s=%s", strideVar, text)
		}
		stride = n
	}
	c := newChange(t)
	all, repeated := 0, 0
	var text []string
	for _, k := range kinds {
		points := 0
		for i, p := range c.all() {
			for at := i % stride; ; at += stride {
				c.t = named{t, fmt.Sprintf("%s number %d of %s: ", k, at, p.name)}
				fired := c.point(p, newFault(k, at))
				if t.Failed() {
					t.FailNow()
				}
				if !fired {
					break
				}
				points++
				if c.orders > 1 {
					repeated++
				}
			}
		}
		const least = 20 // of each kind
		if points < least/stride {
			t.Errorf("only %d x %s", points, k)
		}
		all += points
		text = append(text, fmt.Sprintf("%d x %s", points, k))
	}
	every := "every one"
	if stride > 1 {
		every = fmt.Sprintf("one in %d", stride)
	}
	t.Logf("%d points, %s: %s; %d sales were ordered again, %d connections made again", all, every, strings.Join(text, ", "), repeated, c.retries)
}

// named says at which point something was wrong.
type named struct {
	testing.TB
	at string
}

func (n named) Fatalf(format string, args ...any) {
	n.Helper()
	n.TB.Fatalf(n.at+format, args...)
}

func (n named) Errorf(format string, args ...any) {
	n.Helper()
	n.TB.Errorf(n.at+format, args...)
}

func (n named) Fatal(args ...any) {
	n.Helper()
	n.TB.Fatal(append([]any{n.at}, args...)...)
}
