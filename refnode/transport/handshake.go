package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"superscalar/wire/rule"
)

const (
	// DefaultHandshakeTimeout is how long a peer has for its handshake.
	DefaultHandshakeTimeout = 30 * time.Second

	// DefaultMaxHandshakes is how many handshakes a Listener has under
	// way at most.
	DefaultMaxHandshakes = 512
)

// Options says how to make connections. Only Key is required.
type Options struct {
	// Key is the node key, whose public key is the local node id.
	Key *btcec.PrivateKey

	// Ephemeral returns a fresh key for each handshake. Nil draws it from
	// the random source of the system.
	Ephemeral func() (*btcec.PrivateKey, error)

	// HandshakeTimeout is how long the peer has from the first byte to the
	// last one of the handshake. Zero means DefaultHandshakeTimeout.
	HandshakeTimeout time.Duration

	// MaxHandshakes is how many unfinished handshakes a Listener keeps.
	// One more drops the oldest. Zero means DefaultMaxHandshakes.
	MaxHandshakes int

	// Clock measures HandshakeTimeout. Nil means RealClock.
	Clock Clock

	// OnHandshakeError, if set, hears of every handshake that failed at a
	// Listener, on several goroutines at once. It must not call Close.
	OnHandshakeError func(remote net.Addr, err error)

	// Rules are the requirements to keep: all in the zero value, and
	// fewer only in a mutant.
	Rules rule.Set
}

// withDefaults fills in what is zero.
func (o Options) withDefaults() (Options, error) {
	if o.Key == nil {
		return o, ErrNoKey
	}
	if o.Ephemeral == nil {
		o.Ephemeral = btcec.NewPrivateKey
	}
	if o.HandshakeTimeout <= 0 {
		o.HandshakeTimeout = DefaultHandshakeTimeout
	}
	if o.MaxHandshakes <= 0 {
		o.MaxHandshakes = DefaultMaxHandshakes
	}
	if o.Clock == nil {
		o.Clock = RealClock{}
	}
	if o.OnHandshakeError == nil {
		o.OnHandshakeError = func(net.Addr, error) {}
	}

	return o, nil
}

// Dial connects to a node and completes the handshake. Connecting and
// handshake have HandshakeTimeout each, and end with ctx. A failed handshake
// gives a *HandshakeError.
func Dial(ctx context.Context, to Address, opts Options) (*Conn, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	nc, err := connect(ctx, to.HostPort, opts)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", to, err)
	}
	conn, err := Initiate(ctx, nc, to.ID, opts)
	if err != nil {
		return nil, fmt.Errorf("handshake with %s: %w%s", to, err,
			hint(err))
	}

	return conn, nil
}

// connect opens the socket.
func connect(ctx context.Context, hostPort string, o Options) (net.Conn, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := o.Clock.AfterFunc(o.HandshakeTimeout, func() {
		cancel(ErrHandshakeTimeout)
	})
	defer timer.Stop()

	var dialer net.Dialer
	nc, err := dialer.DialContext(ctx, "tcp", hostPort)
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}

	return nc, err
}

// hint explains the failure that a wrong node id causes: the responder may
// not say anything, so it looks like a broken peer.
func hint(err error) string {
	var failed *HandshakeError
	hungUp := errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
	if errors.As(err, &failed) && failed.Class == Act2ReadFailed && hungUp {
		return " (the peer hung up: is the node id right?)"
	}

	return ""
}

// Initiate completes the handshake as the dialling side of a connection that
// exists. It owns nc from here on and closes it when it fails.
func Initiate(ctx context.Context, nc net.Conn, remote NodeID,
	opts Options) (*Conn, error) {

	return open(ctx, nc, opts, func(o Options, eph *btcec.PrivateKey) (
		*Machine, error) {

		return NewInitiator(o.Key, remote, eph, o.Rules)
	})
}

// Respond completes the handshake as the dialled side of a connection that
// exists. It owns nc from here on and closes it when it fails.
func Respond(ctx context.Context, nc net.Conn, opts Options) (*Conn, error) {
	return open(ctx, nc, opts, func(o Options, eph *btcec.PrivateKey) (
		*Machine, error) {

		return NewResponder(o.Key, eph, o.Rules)
	})
}

// open runs a handshake over nc.
func open(ctx context.Context, nc net.Conn, opts Options,
	build func(Options, *btcec.PrivateKey) (*Machine, error)) (*Conn, error) {

	m, opts, err := prepare(opts, build)
	if err != nil {
		_ = nc.Close()
		return nil, err
	}
	opened := opts.Clock.Now()
	if err := shake(ctx, nc, m, opts); err != nil {
		_ = nc.Close()
		return nil, err
	}

	return newConn(nc, m, opened, opts.Rules), nil
}

// prepare builds the machine of a new handshake.
func prepare(opts Options,
	build func(Options, *btcec.PrivateKey) (*Machine, error)) (
	*Machine, Options, error) {

	opts, err := opts.withDefaults()
	if err != nil {
		return nil, opts, err
	}
	ephemeral, err := opts.Ephemeral()
	if err != nil {
		return nil, opts, fmt.Errorf("draw ephemeral key: %w", err)
	}
	m, err := build(opts, ephemeral)

	return m, opts, err
}

// shake exchanges the acts. When the time is up or ctx ends, the socket is
// closed under the exchange, which then fails with the reason.
func shake(ctx context.Context, nc net.Conn, m *Machine, o Options) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := o.Clock.AfterFunc(o.HandshakeTimeout, func() {
		if o.Rules.On(ruleTimeout) {
			cancel(ErrHandshakeTimeout)
		}
	})
	defer timer.Stop()
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = nc.Close()
		close(closed)
	})

	err := exchange(ctx, nc, m)
	if failed := (*HandshakeError)(nil); errors.As(err, &failed) {
		refuse(ctx, nc, failed, timer, o.Rules)
	}
	if !stop() {
		<-closed
		if err == nil {
			err = fmt.Errorf("handshake: %w", context.Cause(ctx))
		}
	}

	return err
}

// exchange sends and reads acts until the machine is done.
func exchange(ctx context.Context, nc net.Conn, m *Machine) error {
	out, err := m.Start()
	for {
		if err != nil {
			return err
		}
		if err := send(ctx, nc, out); err != nil {
			return err
		}
		if m.Done() {
			return nil
		}
		act := make([]byte, m.Need())
		n, err := io.ReadFull(nc, act)
		if err != nil {
			return m.readFailed(n, reason(ctx, err))
		}
		out, err = m.Feed(act)
		if err != nil {
			return err
		}
	}
}

// send writes an act, if there is one.
func send(ctx context.Context, nc net.Conn, act []byte) error {
	if len(act) == 0 {
		return nil
	}
	if _, err := nc.Write(act); err != nil {
		return fmt.Errorf("send act: %w", reason(ctx, err))
	}

	return nil
}

// reason replaces the error of a socket that was closed because ctx ended by
// the reason for that.
func reason(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}

	return err
}

// refuse does between a failed act and the closing of the socket what BOLT 8
// demands: nothing. Everything in it is a mutant.
func refuse(ctx context.Context, nc net.Conn, failed *HandshakeError,
	timer Timer, rules rule.Set) {

	if !rules.On(ruleOf(failed.Class)) {
		// Stay open, silent, until the listener or ctx ends it.
		timer.Stop()
		_, _ = io.Copy(io.Discard, nc)
		<-ctx.Done()
	} else if !rules.On(ruleSilent) {
		_, _ = nc.Write(make([]byte, 50))
	}
}
