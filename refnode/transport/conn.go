package transport

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"superscalar/wire/rule"
)

// readBuffer is the size in bytes of the read buffer of a Conn: enough for
// header and body of most messages in one call to the system.
const readBuffer = 4096

// Conn is a connection after its handshake. One goroutine may read while any
// number write; Close may be called by anyone, more than once.
type Conn struct {
	nc     net.Conn
	m      *Machine
	opened time.Time
	rules  rule.Set

	// A read that ran into its deadline goes on where it stopped, so the
	// parts of a frame that came already are kept here.
	readMu  sync.Mutex
	in      *bufio.Reader
	header  [headerSize]byte
	headerN int
	body    []byte // nil until the header is complete
	bodyN   int
	readErr error // the forgery that ended reading

	writeMu  sync.Mutex
	writeErr error // the failure that ended writing

	closeOnce sync.Once
	closeErr  error
	closed    chan struct{}
}

// newConn returns the connection over nc of a machine that is done.
func newConn(nc net.Conn, m *Machine, opened time.Time, rules rule.Set) *Conn {
	return &Conn{
		nc:     nc,
		m:      m,
		opened: opened,
		rules:  rules,
		in:     bufio.NewReaderSize(nc, readBuffer),
		closed: make(chan struct{}),
	}
}

// RemoteID returns the proven id of the peer.
func (c *Conn) RemoteID() NodeID { return c.m.RemoteID() }

// LocalID returns the id of this node.
func (c *Conn) LocalID() NodeID { return c.m.LocalID() }

// RemoteAddr returns the network address of the peer.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// Opened returns when the handshake began, by Options.Clock.
func (c *Conn) Opened() time.Time { return c.opened }

// SetReadDeadline makes reads fail with os.ErrDeadlineExceeded from t on; the
// zero time means never. Such a failure loses nothing: with a later deadline
// the next ReadMessage goes on in the middle of the frame.
func (c *Conn) SetReadDeadline(t time.Time) error {
	return c.nc.SetReadDeadline(t)
}

// SetWriteDeadline makes writes fail from t on; the zero time means never. A
// frame cut in two cannot be mended, so such a failure closes the connection.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	return c.nc.SetWriteDeadline(t)
}

// ReadMessage returns the next message, whole, 0 to MaxMessageSize bytes.
// Errors:
//   - io.EOF, itself: the peer ended the stream between two messages;
//   - io.ErrUnexpectedEOF: it ended the stream inside a frame;
//   - ErrBadMAC: a frame did not verify; the connection is closed;
//   - os.ErrDeadlineExceeded: see SetReadDeadline;
//   - net.ErrClosed: Close was called;
//   - else the error of the socket.
func (c *Conn) ReadMessage() ([]byte, error) {
	c.readMu.Lock()
	defer c.readMu.Unlock()

	if c.readErr != nil {
		return nil, c.readErr
	}
	plain, err := c.readFrame()
	switch {
	case err == nil:
		return plain, nil
	case errors.Is(err, ErrBadMAC):
		return nil, c.forged(err)
	case err == io.EOF:
		return nil, err
	default:
		return nil, fmt.Errorf("read message from %s: %w", c.RemoteID(),
			c.orClosed(err))
	}
}

// readFrame reads and decrypts one frame, or what is missing of it.
func (c *Conn) readFrame() ([]byte, error) {
	if c.body == nil {
		err := fill(c.in, c.header[:], &c.headerN)
		if err == io.EOF && c.headerN > 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		size, err := c.m.decryptHeader(c.header[:])
		if err != nil {
			return nil, err
		}
		c.body = make([]byte, size)
	}
	err := fill(c.in, c.body, &c.bodyN)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	body := c.body
	c.headerN, c.body, c.bodyN = 0, nil, 0

	return c.m.decryptBody(body)
}

// fill reads into buf from n on until it is full and keeps count in n.
func fill(r io.Reader, buf []byte, n *int) error {
	for *n < len(buf) {
		k, err := r.Read(buf[*n:])
		*n += k
		if err != nil && *n < len(buf) {
			return err
		}
	}

	return nil
}

// forged ends the connection after a frame that does not verify.
func (c *Conn) forged(err error) error {
	if !c.rules.On(ruleMAC) {
		// Mutant: stay open and deaf until the peer goes away.
		_, _ = io.Copy(io.Discard, c.in)
	}
	c.readErr = fmt.Errorf("read message from %s: %w", c.RemoteID(), err)
	_ = c.Close()

	return c.readErr
}

// WriteMessage sends one message of 0 to MaxMessageSize bytes. Concurrent
// calls send whole messages one after the other. ErrMessageTooLarge sends
// nothing and leaves the connection as it was; any other error closes it, and
// every later call returns it again (net.ErrClosed after Close).
func (c *Conn) WriteMessage(message []byte) error { return c.WriteMessages(message) }

// WriteMessages sends messages in one go: the peer, and the system, have them
// together. Errors are those of WriteMessage; after ErrMessageTooLarge the
// messages before the one that is too large have been sent.
func (c *Conn) WriteMessages(messages ...[]byte) error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()

	if c.writeErr != nil {
		return c.writeErr
	}
	var frames []byte
	var tooLarge error
	for _, message := range messages {
		frame, err := c.m.EncryptMessage(message)
		if err != nil {
			tooLarge = err
			break
		}
		frames = append(frames, frame...)
	}
	if err := c.write(frames); err != nil {
		return err
	}

	return tooLarge
}

// write writes frames. The caller holds writeMu.
func (c *Conn) write(frames []byte) error {
	if len(frames) == 0 {
		return nil
	}
	if _, err := c.nc.Write(frames); err != nil {
		c.writeErr = fmt.Errorf("write message to %s: %w", c.RemoteID(),
			c.orClosed(err))
		_ = c.Close()

		return c.writeErr
	}

	return nil
}

// WriteForged sends a message whose frame has one bit flipped, at byte i of
// the frame (counted from its end when negative). Nothing can be sent after
// it: it is what a test does to see that the peer closes.
func (c *Conn) WriteForged(message []byte, i int) error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	frame, err := c.m.EncryptMessage(message)
	if err != nil {
		return err
	}
	frame[(i+len(frame))%len(frame)] ^= 1
	_, err = c.nc.Write(frame)

	return err
}

// CloseWrite ends the stream to the peer, which then reads io.EOF; reading
// goes on. It fails on a connection that is not TCP.
func (c *Conn) CloseWrite() error {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok {
		return fmt.Errorf("close one direction of a %T: %w", c.nc,
			errors.ErrUnsupported)
	}

	return half.CloseWrite()
}

// Close closes the connection and ends calls under way with net.ErrClosed.
func (c *Conn) Close() error {
	c.closeOnce.Do(func() {
		close(c.closed)
		c.closeErr = c.nc.Close()
	})

	return c.closeErr
}

// orClosed returns net.ErrClosed for what a socket says after Close.
func (c *Conn) orClosed(err error) error {
	select {
	case <-c.closed:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return net.ErrClosed
		}
	default:
	}

	return err
}
