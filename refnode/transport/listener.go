package transport

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"
)

// retryDelay is the pause after the system refused to accept a socket for
// want of something (descriptors, memory).
const retryDelay = 100 * time.Millisecond

// Listener accepts connections. Each handshake runs on its own and ends by
// itself after Options.HandshakeTimeout. There are never more than
// Options.MaxHandshakes unfinished ones: when one more comes, the oldest is
// dropped, so that sockets that say nothing never keep an honest peer waiting.
// To push an honest handshake out, an attacker has to open that many sockets
// within its round trips.
type Listener struct {
	opts   Options
	ln     net.Listener
	ready  chan *Conn
	ctx    context.Context // ends with the listener; cause says why
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup

	mu         sync.Mutex
	unfinished *list.List // of context.CancelCauseFunc, oldest first
}

// Listen listens on HOST:PORT; port 0 takes a free one, see Address.
func Listen(hostPort string, opts Options) (*Listener, error) {
	if opts.Key == nil {
		return nil, ErrNoKey
	}
	ln, err := net.Listen("tcp", hostPort)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", hostPort, err)
	}

	return NewListener(ln, opts)
}

// NewListener accepts from a listener that exists and owns it from here on.
func NewListener(ln net.Listener, opts Options) (*Listener, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		_ = ln.Close()
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	l := &Listener{
		opts:       opts,
		ln:         ln,
		ready:      make(chan *Conn),
		ctx:        ctx,
		cancel:     cancel,
		unfinished: list.New(),
	}
	l.wg.Go(l.loop)

	return l, nil
}

// Address returns what to give to Dial.
func (l *Listener) Address() Address {
	return Address{
		ID:       NodeIDOf(l.opts.Key.PubKey()),
		HostPort: l.ln.Addr().String(),
	}
}

// Accept returns the next connection whose handshake is complete. Handshakes
// that fail are not its business, see Options.OnHandshakeError. Errors: that
// of ctx, net.ErrClosed after Close, or the error of a socket that cannot
// accept any more.
func (l *Listener) Accept(ctx context.Context) (*Conn, error) {
	select {
	case conn := <-l.ready:
		return conn, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.ctx.Done():
		return nil, fmt.Errorf("accept: %w", context.Cause(l.ctx))
	}
}

// Close stops listening, drops every handshake under way and every connection
// that nobody accepted, and returns when all goroutines are gone. Accepted
// connections stay open. It may be called more than once.
func (l *Listener) Close() error {
	l.cancel(net.ErrClosed)
	err := l.ln.Close()
	l.wg.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}

	return err
}

// loop accepts sockets and starts their handshakes.
func (l *Listener) loop() {
	for l.ctx.Err() == nil {
		nc, err := l.ln.Accept()
		switch {
		case err == nil && l.opts.Rules.On(ruleSlots):
			ctx, finished := l.admit()
			l.wg.Go(func() { l.serve(ctx, nc, finished) })

		case err == nil:
			// Mutant: a silent socket keeps the next one waiting.
			l.serve(l.ctx, nc, func() {})

		case scarce(err):
			l.opts.OnHandshakeError(nil, fmt.Errorf("accept: %w",
				err))
			l.dropOldest(l.opts.MaxHandshakes / 2)
			l.pause()

		default:
			l.cancel(err)
		}
	}
}

// admit makes room for a handshake and returns its context, and what to call
// when it is over.
func (l *Listener) admit() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(l.ctx)
	l.dropOldest(l.opts.MaxHandshakes - 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	entry := l.unfinished.PushBack(cancel)

	return ctx, func() {
		cancel(nil)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.unfinished.Remove(entry)
	}
}

// dropOldest drops the oldest unfinished handshakes until keep are left.
func (l *Listener) dropOldest(keep int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.unfinished.Len() > keep {
		oldest := l.unfinished.Remove(l.unfinished.Front())
		oldest.(context.CancelCauseFunc)(ErrHandshakeDropped)
	}
}

// serve runs one handshake and hands the connection to Accept.
func (l *Listener) serve(ctx context.Context, nc net.Conn, finished func()) {
	conn, err := Respond(ctx, nc, l.opts)
	finished()
	if err != nil {
		if l.ctx.Err() == nil {
			l.opts.OnHandshakeError(nc.RemoteAddr(), err)
		}
		return
	}
	select {
	case l.ready <- conn:
	case <-l.ctx.Done():
		_ = conn.Close()
	}
}

// pause waits for retryDelay or the end of the listener.
func (l *Listener) pause() {
	over := make(chan struct{})
	timer := l.opts.Clock.AfterFunc(retryDelay, func() { close(over) })
	defer timer.Stop()
	select {
	case <-over:
	case <-l.ctx.Done():
	}
}

// scarce reports whether an accept failed for a reason that passes.
func scarce(err error) bool {
	for _, passing := range []error{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS,
		syscall.ENOMEM, syscall.ECONNABORTED,
	} {
		if errors.Is(err, passing) {
			return true
		}
	}

	return false
}
