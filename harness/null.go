package harness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"superscalar/harness/driver"
	"superscalar/refnode/node"
	"superscalar/refnode/transport"
	"superscalar/wire"
)

// Nulls are the built-in peers that implement nothing. Each must score 0: a
// case one of them passes proves nothing about any implementation.
var Nulls = []string{"closed", "accept-close", "handshake-close", "silent", "echo", "error-all", "noop-driver"}

// null is one of them as a target. It takes every command, so that every case
// runs against it.
type null struct {
	kind  string
	world world
}

// NewNull returns the null peer of that name.
//
//	closed           nobody listens
//	accept-close     accepts and closes
//	handshake-close  completes BOLT 8, sends init, closes
//	silent           completes BOLT 8, sends init, then reads and says nothing
//	echo             the same, then sends back every message
//	error-all        the same, then answers every message with an error
//	noop-driver      a driver that says ok to every command and does nothing
//
// The init of the middle four offers every feature.
func NewNull(kind string) (Target, error) {
	for _, k := range Nulls {
		if k == kind {
			return &null{kind: kind}, nil
		}
	}
	return nil, fmt.Errorf("null peer %q is none of %v", kind, Nulls)
}

func (t *null) Kind() string  { return "null:" + t.kind }
func (t *null) Tier() Tier    { return Chain }
func (t *null) Roles() []Role { return []Role{node.LSP, node.Client} }
func (t *null) Close() error  { return t.world.close() }
func (t *null) Release(n Node) {
	n.(*nullNode).close()
}

func (t *null) Acquire(ctx context.Context, _ Role, seed [32]byte) (Node, error) {
	if t.kind == "noop-driver" {
		return acquireNoop(ctx)
	}
	n := &nullNode{kind: t.kind, world: &t.world, opts: transport.Options{Key: deriveKey(seed, "node")}}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	n.addr = transport.Address{ID: transport.NodeIDOf(n.opts.Key.PubKey()), HostPort: ln.Addr().String()}
	n.ln = ln
	if t.kind == "closed" {
		return n, ln.Close()
	}
	n.wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			n.serve(nc, func() (*transport.Conn, error) { return transport.Respond(context.Background(), nc, n.opts) })
		}
	})
	return n, nil
}

type nullNode struct {
	kind  string
	world *world
	opts  transport.Options
	addr  transport.Address
	ln    net.Listener

	mu    sync.Mutex
	open  []net.Conn
	ended bool
	wg    sync.WaitGroup
}

func (n *nullNode) Address() transport.Address                          { return n.addr }
func (n *nullNode) Version() string                                     { return "null" }
func (n *nullNode) Advance(time.Duration)                               {}
func (n *nullNode) Buy(context.Context, transport.NodeID, uint64) error { return nil }

// Chain implements Chained.
func (n *nullNode) Chain() (Regtest, error) { return n.world.open() }

// Found implements Founder, in word only.
func (n *nullNode) Found(context.Context, FactoryOrder) error { return nil }

// Connect dials like a node would, and then behaves like itself.
func (n *nullNode) Connect(_ context.Context, to transport.Address) error {
	if n.kind == "closed" {
		return errors.New("this peer dials nobody")
	}
	nc, err := net.Dial("tcp", to.HostPort)
	if err != nil {
		return err
	}
	n.serve(nc, func() (*transport.Conn, error) { return transport.Initiate(context.Background(), nc, to.ID, n.opts) })
	return nil
}

func (n *nullNode) serve(nc net.Conn, handshake func() (*transport.Conn, error)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended || n.kind == "accept-close" {
		_ = nc.Close()
		return
	}
	n.open = append(n.open, nc)
	n.wg.Go(func() {
		defer nc.Close()
		if tc, err := handshake(); err == nil {
			n.misbehave(tc)
		}
	})
}

// misbehave plays the peer after the handshake.
func (n *nullNode) misbehave(tc *transport.Conn) {
	defer tc.Close()
	var codec wire.Codec
	init, err := codec.Encode(&wire.Init{Features: everyFeature(), Networks: [][32]byte{node.Regtest}})
	if err != nil || tc.WriteMessage(init) != nil || n.kind == "handshake-close" {
		return
	}
	for {
		raw, err := tc.ReadMessage()
		if err != nil {
			return
		}
		switch n.kind {
		case "echo":
			err = tc.WriteMessage(raw)
		case "error-all":
			err = tc.WriteMessage(n.errorFor(codec, raw))
		}
		if err != nil {
			return
		}
	}
}

// errorFor is an error that names whatever channel a message may be about: as
// close as an error can come to an answer.
func (n *nullNode) errorFor(codec wire.Codec, raw []byte) []byte {
	m := &wire.ErrorMessage{Data: []byte("no")}
	if msg, err := codec.Decode(raw); err == nil {
		if id, ok := wire.ChannelOf(msg); ok {
			m.ChannelID = id
		}
		if id, ok := wire.ChangedChannel(msg); ok {
			m.ChannelID = id
		}
	}
	out, _ := codec.Encode(m) // 40 bytes always fit
	return out
}

// everyFeature has every optional bit up to the factories'.
func everyFeature() wire.Features {
	var f wire.Features
	for bit := wire.FeatureFactories + 1; bit > 0; bit -= 2 {
		f = f.With(bit)
	}
	return f
}

func (n *nullNode) close() {
	_ = n.ln.Close()
	n.mu.Lock()
	n.ended = true
	for _, nc := range n.open {
		_ = nc.Close()
	}
	n.mu.Unlock()
	n.wg.Wait()
}

// acquireNoop offers the suite a driver that says ok to everything, the
// nonsense command of the driver handshake included.
func acquireNoop(ctx context.Context) (Node, error) {
	suite, theirs := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer theirs.Close()
		driver.SayOK(theirs)
	}()
	c, err := driver.Attach(ctx, suite, driver.Options{})
	if err == nil {
		_ = c.Close()
		err = errors.New("a driver that does nothing was not noticed")
	}
	_ = suite.Close()
	<-done
	return nil, err
}
