package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/transport"
	"superscalar/wire/rule"
)

// Raw is a TCP connection on which the suite makes or breaks the BOLT 8
// handshake itself, act by act.
type Raw struct {
	play    *Play
	nc      net.Conn
	Machine *transport.Machine
}

// DialRaw opens a TCP connection to the target and prepares an initiator.
func (p *Play) DialRaw() *Raw {
	d := net.Dialer{Timeout: p.deadline}
	nc, err := d.DialContext(p.ctx, "tcp", p.Node.Address().HostPort)
	if err != nil {
		p.controlFailed("a TCP connection opens", oneLine(err.Error()))
	}
	n := len(p.peers) + 1000
	m, err := transport.NewInitiator(deriveKey(p.seed, fmt.Sprintf("peer %d", n)), p.Node.Address().ID, p.ephemeral(nc), rule.Set{})
	if err != nil {
		_ = nc.Close()
		p.controlFailed("a handshake can be begun with the target's node id", oneLine(err.Error()))
	}
	return &Raw{play: p, nc: nc, Machine: m}
}

func (p *Play) ephemeral(nc net.Conn) *btcec.PrivateKey {
	return deriveKey(p.seed, "ephemeral "+nc.LocalAddr().String())
}

// Start returns act one.
func (r *Raw) Start() []byte {
	act, err := r.Machine.Start()
	if err != nil {
		panic(fmt.Sprintf("the suite cannot make act one: %v", err))
	}
	return act
}

// ActTwo reads the target's act two.
func (r *Raw) ActTwo() []byte {
	act2 := make([]byte, 50)
	_ = r.nc.SetReadDeadline(r.play.deadlineAt())
	if _, err := io.ReadFull(r.nc, act2); err != nil {
		r.play.controlFailed("act one is answered by act two", oneLine(err.Error()))
	}
	return act2
}

// ActThree reads the target's act two and returns the right act three. That
// act two comes is the positive control of a bad act three.
func (r *Raw) ActThree() []byte {
	act2 := r.ActTwo()
	act3, err := r.Machine.Feed(act2)
	if err != nil {
		r.play.controlFailed("act two is valid", oneLine(err.Error()))
	}
	return act3
}

// Write sends bytes as they are.
func (r *Raw) Write(b []byte) {
	r.play.event("sent %d raw bytes: %x", len(b), b)
	_ = r.nc.SetWriteDeadline(r.play.deadlineAt())
	_, _ = r.nc.Write(b)
}

// CloseWrite says that no more bytes come.
func (r *Raw) CloseWrite() {
	if t, ok := r.nc.(*net.TCPConn); ok {
		_ = t.CloseWrite()
	}
}

// Close closes the connection.
func (r *Raw) Close() { _ = r.nc.Close() }

// SilentlyClosed requires that the target closes the connection without
// sending a byte.
func (r *Raw) SilentlyClosed(id rule.ID, what string) {
	n, end := r.drain()
	if n == 0 && end == "" {
		return
	}
	received := end
	if n > 0 {
		received = fmt.Sprintf("%d bytes, then %s", n, orClosed(end))
	}
	r.play.fail(id, mismatch{message: what + ": the target did not just close", planted: -1,
		expected: []string{"closed, no byte sent"}, received: received})
}

// Closes requires that the target closes the connection, whatever it sends
// before.
func (r *Raw) Closes(id rule.ID, what string) {
	if _, end := r.drain(); end != "" {
		r.play.fail(id, mismatch{message: what + ": the target did not close", planted: -1,
			expected: []string{"closed"}, received: end})
	}
}

func orClosed(end string) string {
	if end == "" {
		return "closed"
	}
	return end
}

// drain reads to the end: how many bytes came, and "hung" when no end did.
func (r *Raw) drain() (n int, end string) {
	buf := make([]byte, 4096)
	_ = r.nc.SetReadDeadline(r.play.deadlineAt())
	for {
		k, err := r.nc.Read(buf)
		n += k
		if err == nil {
			continue
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			end = "hung"
		}
		r.play.event("read %d raw bytes, %s", n, orClosed(end))
		return n, end
	}
}

// Incoming is a TCP listener of the suite that the target is told to dial.
type Incoming struct {
	play *Play
	ln   net.Listener
	key  *btcec.PrivateKey
}

// Listen opens a listener for the target to dial. Each has a node id of its
// own: a node does not dial a peer that it is connected with.
func (p *Play) Listen() *Incoming {
	return p.ListenAs(func(transport.NodeID) bool { return true })
}

// ListenAs is Listen with a node id that suits the case; about every second id
// has to.
func (p *Play) ListenAs(suits func(transport.NodeID) bool) *Incoming {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(fmt.Sprintf("the suite cannot listen: %v", err))
	}
	for {
		p.listeners++
		key := deriveKey(p.seed, fmt.Sprintf("listener %d", p.listeners))
		if suits(transport.NodeIDOf(key.PubKey())) {
			return &Incoming{play: p, ln: ln, key: key}
		}
	}
}

// Close stops listening.
func (in *Incoming) Close() { _ = in.ln.Close() }

// accept tells the target to dial and takes the connection.
func (in *Incoming) accept() net.Conn {
	p := in.play
	dialer, ok := p.Node.(Dialer)
	if !ok {
		p.Unsupported("the target cannot be told to dial")
	}
	to := transport.Address{ID: transport.NodeIDOf(in.key.PubKey()), HostPort: in.ln.Addr().String()}
	// Twice the deadline: were it the same, giving up on a target that hangs
	// would close the connection just before the case calls it hung.
	ctx, cancel := context.WithTimeout(p.ctx, 2*p.deadline)
	said := make(chan error, 1)
	go func() { // the driver answers when the handshake is over, or never
		defer cancel()
		said <- dialer.Connect(ctx, to)
	}()
	_ = in.ln.(*net.TCPListener).SetDeadline(p.deadlineAt())
	nc, err := in.ln.Accept()
	if err != nil {
		received := "no connection"
		select {
		case err := <-said:
			if err != nil {
				received += "; told to connect it answered: " + oneLine(err.Error())
			}
		default:
			received += ", and no answer to the command"
		}
		p.controlFailed("the target dials when told to", received)
	}
	context.AfterFunc(p.ctx, func() { _ = nc.Close() })
	return nc
}

// AcceptRaw takes a connection of the target up to act one, and returns it
// with the right act two.
func (in *Incoming) AcceptRaw() (*Raw, []byte) {
	p, nc := in.play, in.accept()
	m, err := transport.NewResponder(in.key, p.ephemeral(nc), rule.Set{})
	if err != nil {
		panic(fmt.Sprintf("the suite cannot respond: %v", err))
	}
	act1 := make([]byte, 50)
	_ = nc.SetReadDeadline(p.deadlineAt())
	if _, err := io.ReadFull(nc, act1); err != nil {
		p.controlFailed("the target sends act one", oneLine(err.Error()))
	}
	act2, err := m.Feed(act1)
	if err != nil {
		p.controlFailed("act one is valid", oneLine(err.Error()))
	}
	return &Raw{play: p, nc: nc, Machine: m}, act2
}

// DialBack dials the target with the node id of the listener, to which the
// target has dialled before.
func (in *Incoming) DialBack() (*Peer, error) {
	p := in.play
	return p.tryDial(transport.Options{Key: in.key, HandshakeTimeout: p.deadline})
}

// Accept takes a connection of the target with its handshake done.
func (in *Incoming) Accept() *Peer {
	p, nc := in.play, in.accept()
	tc, err := transport.Respond(p.ctx, nc, transport.Options{Key: in.key, HandshakeTimeout: p.deadline})
	if err != nil {
		p.controlFailed("the target completes the handshake", oneLine(err.Error()))
	}
	p.event("handshake complete, dialled by %s", tc.RemoteID())
	return p.adopt(tc)
}
