// Package cable is the wire between two nodes in somebody else's hands: a relay
// of TCP on 127.0.0.1 that holds back what one side sends, shows each piece that
// passes, and cuts the connection.
//
// It promises that nothing is lost, changed or reordered on a connection until
// that is cut. It cannot read what passes, since nodes encrypt: a piece is what
// one call to the system returned, which is a message or several of them. It
// implements no part of SPEC.md.
package cable

import (
	"net"
	"sync"
)

// Direction is the way that bytes go.
type Direction uint8

// The directions.
const (
	Forth Direction = iota // from the node that dials
	Back                   // to it
)

// Watch sees a piece before it goes on; false cuts the connection instead. Both
// directions call it, one at a time.
type Watch func(d Direction, bytes int) bool

// Cable relays connections to one address. It is safe for concurrent use.
type Cable struct {
	to       string
	listener net.Listener
	wg       sync.WaitGroup

	mu     sync.Mutex
	moved  *sync.Cond // held, closed or the connections have changed
	held   [2]bool
	watch  Watch
	conns  map[net.Conn]bool
	closed bool
}

// Lay listens on a free port and relays every connection to HOST:PORT.
func Lay(to string) (*Cable, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &Cable{to: to, listener: l, conns: map[net.Conn]bool{}}
	c.moved = sync.NewCond(&c.mu)
	c.wg.Go(c.accept)
	return c, nil
}

// Address is where to dial.
func (c *Cable) Address() string { return c.listener.Addr().String() }

// To changes where the connections that come next lead to: a node that starts
// again has another port.
func (c *Cable) To(address string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.to = address
}

// Hold keeps back what goes one way until Release.
func (c *Cable) Hold(d Direction) { c.hold(d, true) }

// Release lets it go on.
func (c *Cable) Release(d Direction) { c.hold(d, false) }

func (c *Cable) hold(d Direction, on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held[d] = on
	c.moved.Broadcast()
}

// Show has watch see every piece from now on; nil: nobody does.
func (c *Cable) Show(watch Watch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watch = watch
}

// Cut ends the connections that there are, with what is held back. New ones can
// be made.
func (c *Cable) Cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut()
}

func (c *Cable) cut() {
	for conn := range c.conns {
		_ = conn.Close()
	}
	clear(c.conns)
	c.moved.Broadcast()
}

// Close ends everything and waits for it.
func (c *Cable) Close() error {
	err := c.listener.Close()
	c.mu.Lock()
	c.closed = true
	c.cut()
	c.mu.Unlock()
	c.wg.Wait()
	return err
}

func (c *Cable) accept() {
	for {
		from, err := c.listener.Accept()
		if err != nil {
			return // closed
		}
		c.mu.Lock()
		address := c.to
		c.mu.Unlock()
		to, err := net.Dial("tcp", address)
		if err != nil {
			_ = from.Close() // the node that dialled sees that nobody is there
			continue
		}
		if !c.keep(from, to) {
			return
		}
		c.wg.Go(func() { c.relay(Forth, from, to) })
		c.wg.Go(func() { c.relay(Back, to, from) })
	}
}

// keep remembers a connection, unless everything is over.
func (c *Cable) keep(ends ...net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range ends {
		if c.closed {
			_ = e.Close()
		} else {
			c.conns[e] = true
		}
	}
	return !c.closed
}

// relay passes on what comes, and then ends both sides.
func (c *Cable) relay(d Direction, from, to net.Conn) {
	defer c.forget(from, to)
	piece := make([]byte, 1<<16)
	for {
		n, err := from.Read(piece)
		if n > 0 && (!c.pass(d, from, n) || write(to, piece[:n]) != nil) || err != nil {
			return
		}
	}
}

// forget ends a connection from both sides.
func (c *Cable) forget(ends ...net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range ends {
		_ = e.Close()
		delete(c.conns, e)
	}
	c.moved.Broadcast()
}

func write(to net.Conn, piece []byte) error {
	_, err := to.Write(piece)
	return err
}

// pass waits while pieces are held back; false: the connection has been cut.
func (c *Cable) pass(d Direction, from net.Conn, n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.held[d] && c.conns[from] {
		c.moved.Wait()
	}
	if !c.conns[from] {
		return false
	}
	if c.watch != nil && !c.watch(d, n) {
		c.cut()
		return false
	}
	return true
}
