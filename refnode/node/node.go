// Package node puts sockets around the base node: it listens, dials, runs one
// peer.Machine per connection and keeps one connection per peer.
//
// It implements TRN-010 and TRN-011 of SPEC.md; everything else about a
// conversation is decided in package peer. It keeps nothing on disk: identity
// is package datadir's, channels are package hub's.
package node

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/peer"
	"superscalar/refnode/plugin"
	"superscalar/refnode/transport"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Role is what a node is in a factory.
type Role string

// The roles.
const (
	LSP    Role = "lsp"
	Client Role = "client"
)

// Regtest is the chain hash of regtest: its genesis block's hash in wire
// order.
var Regtest = [32]byte{
	0x06, 0x22, 0x6e, 0x46, 0x11, 0x1a, 0x0b, 0x59, 0xca, 0xaf, 0x12, 0x60, 0x43, 0xeb, 0x5b, 0xbf,
	0x28, 0xc3, 0x4f, 0x3a, 0x5e, 0x33, 0x2a, 0x1f, 0xc7, 0xb2, 0xb7, 0x3c, 0xf1, 0x88, 0x91, 0x0f,
}

// InitTimeout is how long a connection may be open without init (TRN-010).
const InitTimeout = 30 * time.Second

// Config is what a node is made of. Role, Key, Derive and Rand are required.
type Config struct {
	Role   Role
	Key    *btcec.PrivateKey // node key
	Listen string            // HOST:PORT; port 0 takes a free one
	// Derive returns a secret for a label, hardened: channel keys come from it.
	Derive   func(label string) (*btcec.PrivateKey, error)
	Rand     io.Reader // for temporary ids and key salts
	Clock    transport.Clock
	Log      *slog.Logger
	Envelope wire.MsgType // 0 for the normative one (PCF-006)
	Loopback bool         // offer the test protocol (PCF-053)
	// LoopbackOrders takes what peers order of Loopback channels (PCF-162); nil
	// for a node without channels.
	LoopbackOrders func(payload []byte)
	// Ceremonies is the factory side of the node; nil for a base node that
	// takes part in no factory.
	Ceremonies plugin.Ceremonies
	// Channels are the node's channels; nil: it has none, and opening one ends at
	// accept_channel.
	Channels Channels
	// Outside says whether channels outside a factory are opened and taken.
	Outside bool
	// Keep reports whether a connection with a peer that the node dialled is
	// dialled again when it is lost; nil: none is.
	Keep func(peer plugin.PeerID) bool

	// Dialled hears of each address at which the node has reached a peer; nil:
	// nobody does. It must not call back.
	Dialled func(to transport.Address)

	// Rules and Tamper break one rule of a mutant. No command sets them.
	Rules  rule.Set
	Tamper func() peer.Tamper // called once per connection
}

// Channels are the channels of a node: package hub's.
type Channels interface {
	peer.Channels
	// Disconnected says that the connection with a peer is over.
	Disconnected(peer plugin.PeerID)
}

// Node is a running reference node.
type Node struct {
	cfg      Config
	listener *transport.Listener
	plugins  []plugin.Plugin
	ctx      context.Context
	stop     context.CancelFunc
	wg       sync.WaitGroup
	traffic  traffic

	mu    sync.Mutex
	conns map[transport.NodeID]*conn
	// reached is where peers were reached last, and dialling counts how often the
	// dialling of a lost one has begun.
	reached  map[transport.NodeID]transport.Address
	dialling map[transport.NodeID]uint64
}

// Errors of commands given to a node.
var (
	ErrNotConnected = errors.New("no connection with this peer")
	ErrClosed       = errors.New("the node is stopped")
	ErrUnsupported  = errors.New("this role cannot do that yet")
)

// Start begins to listen and to serve.
func Start(cfg Config) (*Node, error) {
	if cfg.Clock == nil {
		cfg.Clock = transport.RealClock{}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	codec := wire.Codec{Envelope: cfg.Envelope, Rules: cfg.Rules}
	n := &Node{
		cfg: cfg, conns: map[transport.NodeID]*conn{}, reached: map[transport.NodeID]transport.Address{}, dialling: map[transport.NodeID]uint64{},
	}
	n.plugins = []plugin.Plugin{plugin.NewSuperScalar(codec, cfg.Ceremonies)}
	if cfg.Loopback {
		loopback := plugin.NewLoopback(codec, n.randomReader())
		loopback.Orders = cfg.LoopbackOrders
		n.plugins = append(n.plugins, loopback)
	}
	var err error
	if n.listener, err = transport.Listen(cfg.Listen, n.transportOptions()); err != nil {
		return nil, err
	}
	n.ctx, n.stop = context.WithCancel(context.Background())
	n.wg.Go(n.accept)
	return n, nil
}

func (n *Node) transportOptions() transport.Options {
	opts := transport.Options{
		Key:   n.cfg.Key,
		Clock: n.cfg.Clock,
		Rules: n.cfg.Rules,
		OnHandshakeError: func(remote net.Addr, err error) {
			n.cfg.Log.Info("handshake failed", "remote", remote.String(), "error", err)
		},
	}
	if !n.cfg.Rules.On(rule.TRN013) {
		opts.Ephemeral = func() (*btcec.PrivateKey, error) { return n.cfg.Key, nil }
	}
	return opts
}

// Address is where the node can be reached.
func (n *Node) Address() transport.Address { return n.listener.Address() }

// Role is the node's role.
func (n *Node) Role() Role { return n.cfg.Role }

// Close stops the node and waits until nothing of it runs any more.
func (n *Node) Close() error {
	n.stop()
	err := n.listener.Close()
	n.mu.Lock()
	for _, c := range n.conns {
		c.close()
	}
	n.mu.Unlock()
	n.wg.Wait()
	return err
}

func (n *Node) accept() {
	for {
		tc, err := n.listener.Accept(n.ctx)
		if err != nil {
			return // closed
		}
		_ = n.add(tc, false)
	}
}

// Connect dials a peer. It returns when the handshake is complete, or when the
// node is stopped.
func (n *Node) Connect(ctx context.Context, to transport.Address) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(n.ctx, func() { cancel(ErrClosed) })
	defer stop()
	tc, err := transport.Dial(ctx, to, n.transportOptions())
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.reached[to.ID] = to
	n.mu.Unlock()
	if n.cfg.Dialled != nil {
		n.cfg.Dialled(to) // before the peer is heard: what it may do can depend on it
	}
	return n.add(tc, true)
}

// add serves a connection, unless there is one with the peer already that has
// to stay (TRN-011, TRN-012).
func (n *Node) add(tc *transport.Conn, dialled bool) error {
	c := n.newConn(tc, dialled)
	kept, replaced, err := n.take(c)
	if err != nil || !kept {
		_ = tc.Close()
		return err
	}
	go func() {
		defer n.wg.Done()
		if replaced != nil {
			if n.replaces(replaced, c) {
				<-replaced.gone // what it has read is not of the new connection, and nothing of that is sent on it
			}
			n.disconnected(c.id)
		}
		c.serve()
		last := n.isLast(c)
		if last {
			n.disconnected(c.id) // before anybody can take its place unseen
		}
		last = n.remove(c) && last
		close(c.gone)
		if last {
			n.lost(c.id)
		}
	}()
	return nil
}

// take makes c the peer's connection, if it is to be kept, and counts it in
// n.wg.
func (n *Node) take(c *conn) (kept bool, replaced *conn, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ctx.Err() != nil {
		return false, nil, ErrClosed
	}
	old := n.conns[c.id]
	if old != nil {
		if n.keeps(old, c) {
			return false, nil, nil
		}
		if n.replaces(old, c) {
			old.close()
		}
	}
	n.conns[c.id] = c
	n.wg.Add(1)
	return true, old, nil
}

// disconnected tells the plugins that the connection with a peer ended.
func (n *Node) disconnected(id transport.NodeID) {
	if n.cfg.Channels != nil {
		n.cfg.Channels.Disconnected(plugin.PeerID(id))
	}
	for _, p := range n.plugins {
		if t, ok := p.(plugin.Talker); ok {
			t.Disconnected(plugin.PeerID(id))
		}
	}
}

// Wake makes the connection with a peer send what plugins have to say to it.
// Without a connection it does nothing.
func (n *Node) Wake(id transport.NodeID) {
	n.mu.Lock()
	c := n.conns[id]
	n.mu.Unlock()
	if c == nil {
		return
	}
	select {
	case c.wake <- struct{}{}:
	default: // it is going to look anyway
	}
}

// keeps reports whether old stays and the new connection goes: they were
// dialled from opposite sides, and old by the side with the smaller id. One
// that only waits for the peer to hang up is not worth keeping.
func (n *Node) keeps(old, c *conn) bool {
	return !old.over() && old.dialled != c.dialled && n.cfg.Rules.On(rule.TRN012) && old.dialled == n.smaller(c.id)
}

// replaces reports whether the new connection takes the place of old.
func (n *Node) replaces(old, c *conn) bool {
	if old.dialled != c.dialled {
		return n.cfg.Rules.On(rule.TRN012)
	}
	return n.cfg.Rules.On(rule.TRN011)
}

// smaller reports whether this node's id is smaller than the peer's.
func (n *Node) smaller(peer transport.NodeID) bool {
	own := n.listener.Address().ID
	return bytes.Compare(own[:], peer[:]) < 0
}

// isLast reports whether no connection has taken the place of c.
func (n *Node) isLast(c *conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.conns[c.id] == c
}

// remove forgets a connection; false when another one had taken its place.
func (n *Node) remove(c *conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.conns[c.id] != c {
		return false
	}
	delete(n.conns, c.id)
	return true
}

// Peers returns the ids of connected peers, in increasing order.
func (n *Node) Peers() []transport.NodeID {
	n.mu.Lock()
	defer n.mu.Unlock()
	ids := make([]transport.NodeID, 0, len(n.conns))
	for id := range n.conns {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b transport.NodeID) int { return slices.Compare(a[:], b[:]) })
	return ids
}
