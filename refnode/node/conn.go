package node

import (
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"superscalar/refnode/peer"
	"superscalar/refnode/transport"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// lingerTime is how long a closed connection is read on, so that the peer
// gets our last words: closing a socket with unread bytes in it makes the
// system send a reset, which can overtake the warning.
const lingerTime = time.Second

// writeTimeout is how long a peer may refuse to read before it is dropped.
const writeTimeout = 30 * time.Second

// conn is one connection of a node. Its machine is driven by the read loop
// and by commands, one at a time.
type conn struct {
	node    *Node
	id      transport.NodeID
	tc      *transport.Conn
	dialled bool // by this node
	ended   atomic.Bool
	wake    chan struct{} // a plugin has something to say
	done    chan struct{} // the read loop is over
	gone    chan struct{} // and so is everything else: nothing is given to plugins and channels, or taken from them
	flushes sync.WaitGroup
	hanging hanging

	mu      sync.Mutex
	machine *peer.Machine
}

func (n *Node) newConn(tc *transport.Conn, dialled bool) *conn {
	id := tc.RemoteID()
	var tamper peer.Tamper
	if n.cfg.Tamper != nil {
		tamper = n.cfg.Tamper()
	}
	return &conn{node: n, id: id, tc: tc, dialled: dialled, wake: make(chan struct{}, 1), done: make(chan struct{}), gone: make(chan struct{}), machine: peer.New(peer.Config{
		Codec:       wire.Codec{Envelope: n.cfg.Envelope, Rules: n.cfg.Rules},
		Features:    peer.Features(),
		ChainHash:   Regtest,
		Plugins:     n.plugins,
		Keys:        n.channelKeys,
		TemporaryID: n.temporaryID,
		Channels:    n.channels(),
		Outside:     n.cfg.Outside,
		Tamper:      tamper,
	}, wire.Point(id))}
}

// channels keeps a nil of one interface from becoming a non-nil of another.
func (n *Node) channels() peer.Channels {
	if n.cfg.Channels == nil {
		return nil
	}
	return n.cfg.Channels
}

// serve runs the conversation until either side ends it.
func (c *conn) serve() {
	defer c.flushes.Wait()
	defer c.tc.Close()
	defer c.hanging.end()
	defer close(c.done)
	defer c.ended.Store(true)
	c.flushes.Go(c.flush)
	stop := c.initDeadline()
	defer stop()
	c.do(func(m *peer.Machine) []peer.Action { return m.Start() })
	for !c.over() {
		raw, err := c.tc.ReadMessage()
		if err != nil {
			c.log(err)
			return
		}
		c.node.traffic.received(len(raw))
		// What plugins said before this message came goes out before its
		// answer: a peer that pings knows then that it has heard everything.
		c.do(func(m *peer.Machine) []peer.Action { return slices.Concat(m.Flush(), m.Receive(raw), m.Flush()) })
	}
	c.linger()
}

// flush sends what plugins say unasked, until the read loop is over.
func (c *conn) flush() {
	for {
		select {
		case <-c.wake:
			c.do(func(m *peer.Machine) []peer.Action { return m.Flush() })
			if c.over() {
				c.hangUp()
			}
		case <-c.done:
			return
		}
	}
}

// initDeadline closes the connection 30 s after it was opened when init is
// not exchanged by then (TRN-010).
func (c *conn) initDeadline() (stop func()) {
	if !c.node.cfg.Rules.On(rule.TRN010) {
		return func() {}
	}
	clock := c.node.cfg.Clock
	left := InitTimeout - clock.Now().Sub(c.tc.Opened())
	t := clock.AfterFunc(max(left, 0), func() {
		c.mu.Lock()
		late := !c.machine.Ready()
		c.mu.Unlock()
		if late {
			c.close()
		}
	})
	return func() { t.Stop() }
}

// do lets the machine take an event and carries out what it asks for.
func (c *conn) do(event func(*peer.Machine) []peer.Action) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.act(event(c.machine))
}

// act carries out actions in order; messages that follow one another are written
// together. The caller holds c.mu.
func (c *conn) act(actions []peer.Action) {
	var messages [][]byte
	for _, a := range actions {
		if a, ok := a.(peer.Send); ok {
			messages = append(messages, a.Message)
			continue
		}
		if !c.write(messages) {
			return
		}
		messages = nil
		switch a := a.(type) {
		case peer.Event:
			c.node.cfg.Log.Info(string(a.Kind), "peer", c.id.String(), "text", a.Text)
		case peer.Close:
			c.node.cfg.Log.Info("closing", "peer", c.id.String(), "rule", string(a.Rule), "reason", a.Reason)
			c.ended.Store(true)
			return
		}
	}
	c.write(messages)
}

// write sends messages; false when the connection is over.
func (c *conn) write(messages [][]byte) bool {
	if len(messages) == 0 {
		return true
	}
	_ = c.tc.SetWriteDeadline(time.Now().Add(writeTimeout))
	for _, m := range messages {
		c.node.traffic.sent(len(m))
	}
	if err := c.tc.WriteMessages(messages...); err != nil {
		c.log(err)
		c.ended.Store(true)
		return false
	}
	return true
}

// over reports whether nothing more is said on the connection.
func (c *conn) over() bool { return c.ended.Load() }

// linger says that nothing more comes and reads on until the peer closes.
func (c *conn) linger() {
	if c.tc.CloseWrite() != nil {
		return
	}
	timer := c.node.cfg.Clock.AfterFunc(lingerTime, c.close)
	defer timer.Stop()
	for {
		if _, err := c.tc.ReadMessage(); err != nil {
			return
		}
	}
}

// hanging is the end of a connection whose read loop waits for the peer.
type hanging struct {
	mu    sync.Mutex
	began bool
	timer transport.Timer
}

// hangUp is linger for such a connection, once: what it reads yet is not looked at, and
// it is not read for long.
func (c *conn) hangUp() {
	h := &c.hanging
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.began {
		return
	}
	h.began = true
	if c.tc.CloseWrite() != nil {
		c.close()
		return
	}
	h.timer = c.node.cfg.Clock.AfterFunc(lingerTime, c.close)
}

// end says that the read loop is over.
func (h *hanging) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.began = true
	if h.timer != nil {
		h.timer.Stop()
	}
}

// order gives the machine an order of the operator.
func (c *conn) order(give func(*peer.Machine) ([]peer.Action, error)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	actions, err := give(c.machine)
	if err != nil {
		c.act(actions) // what else it had to say
		return err
	}
	if c.act(actions); c.over() {
		c.hangUp()
		return ErrNotConnected
	}
	return nil
}

func (c *conn) close() { _ = c.tc.Close() }

func (c *conn) log(err error) {
	if !errors.Is(err, io.EOF) {
		c.node.cfg.Log.Info("connection ended", "peer", c.id.String(), "error", err)
	}
}
