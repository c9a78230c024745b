package driver

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"
)

// Defaults of Options.
const (
	// DefaultDeadline bounds a command whose context has no deadline.
	DefaultDeadline = 10 * time.Second
	// DefaultGrace is how long Close waits before it kills.
	DefaultGrace = 5 * time.Second
)

// Options tune a client. The zero value works.
type Options struct {
	// Seed makes the nonsense of the handshake reproducible.
	Seed uint64
	// Deadline bounds a command whose context has no deadline of its own,
	// and the handshake. 0 means DefaultDeadline.
	Deadline time.Duration
	// Grace is how long Close waits for the driver to end by itself before
	// it kills the whole process group. 0 means DefaultGrace.
	Grace time.Duration
	// Env holds KEY=VALUE pairs added to the suite's own environment for a
	// spawned driver; later ones win.
	Env []string
	// Dir is the working directory of a spawned driver; "" is the suite's.
	Dir string
	// Listening is told the address ListenDialBack waits at, once it listens.
	Listening func(address string)
}

func (o Options) deadline() time.Duration {
	if o.Deadline > 0 {
		return o.Deadline
	}
	return DefaultDeadline
}

func (o Options) grace() time.Duration {
	if o.Grace > 0 {
		return o.Grace
	}
	return DefaultGrace
}

// link is the two-way stream to a driver: a pair of pipes or a TCP connection.
type link interface {
	io.ReadWriteCloser
	SetWriteDeadline(time.Time) error
}

// received is one line from the driver, or the error that ended the stream
// (with the unfinished line, if any).
type received struct {
	line []byte
	err  error
}

// Client is the suite's end of one driver. Its methods may be called from
// several goroutines; commands are sent one after the other. Every command
// returns a *Refusal when the driver said no and a *ProtocolError when the
// driver misbehaved. After a protocol error, or when a context ended between
// request and reply, each further call gives ErrDead with that first error in
// its chain. Close must be called in any case.
type Client struct {
	opts   Options
	link   link
	proc   *process // nil unless spawned
	stderr *tail    // nil unless spawned
	lines  chan received
	quit   chan struct{} // closed by Close
	read   chan struct{} // closed when the reader has ended
	turn   chan struct{} // holds one token: the right to send
	lastID uint64        // of the holder of turn

	mu   sync.Mutex
	dead error

	closing  sync.Once
	closeErr error
}

// Attach makes a client of a connection that reaches a driver already, and
// does the handshake. The client owns conn from here on, also when Attach
// fails. ctx bounds the handshake alone.
func Attach(ctx context.Context, conn net.Conn, opts Options) (*Client, error) {
	return newClient(conn, nil, nil, opts).greeted(ctx)
}

func newClient(l link, proc *process, stderr *tail, opts Options) *Client {
	c := &Client{
		opts: opts, link: l, proc: proc, stderr: stderr,
		lines: make(chan received), quit: make(chan struct{}), read: make(chan struct{}),
		turn: make(chan struct{}, 1),
	}
	c.turn <- struct{}{}
	go c.readLines()
	return c
}

// greeted does the handshake, and closes the client when it fails.
func (c *Client) greeted(ctx context.Context) (*Client, error) {
	if err := c.Handshake(ctx); err != nil {
		_ = c.Close() // the handshake's error says more
		return nil, err
	}
	return c, nil
}

func (c *Client) readLines() {
	defer close(c.read)
	in := bufio.NewReader(c.link)
	for {
		line, err := readLine(in)
		select {
		case c.lines <- received{line, err}:
		case <-c.quit:
			return
		}
		if err != nil {
			return
		}
	}
}

// Handshake sends a command that does not exist, its name drawn with
// Options.Seed, and requires the code "unknown-command". A driver that says ok
// is refused with ErrNonsenseAccepted, one that says anything else with
// ErrBadReply. Spawn, ListenDialBack and Attach have done it already.
func (c *Client) Handshake(ctx context.Context) error {
	name := nonsense(c.opts.Seed)
	_, err := c.call(ctx, Request{Cmd: Command(name)})
	switch {
	case errors.Is(err, ErrUnknownCommand):
		return nil
	case err == nil:
		return c.die(name, ErrNonsenseAccepted, "said ok to a command that does not exist", nil)
	}
	var refusal *Refusal
	if errors.As(err, &refusal) {
		did := fmt.Sprintf("answered a command that does not exist with code %q instead of %q", refusal.Code, CodeUnknownCommand)
		return c.die(name, ErrBadReply, did, nil)
	}
	return err
}

// nonsense is a word of 10 to 16 letters. No prefix, no digits: nothing a
// driver could recognise it by.
func nonsense(seed uint64) string {
	random := rand.New(rand.NewPCG(seed, 0x6e6f6e73656e7365))
	word := make([]byte, 10+random.IntN(7))
	for i := range word {
		word[i] = byte('a' + random.IntN(26))
	}
	return string(word)
}

// call numbers and sends a request and returns the line of the reply. A well formed refusal comes back as *Refusal.
func (c *Client) call(ctx context.Context, req Request) ([]byte, error) {
	return c.exchange(ctx, string(req.Cmd), func(id uint64) ([]byte, *uint64, error) {
		req.ID = id
		line, err := json.Marshal(req)
		if err == nil && len(line) > MaxLine {
			err = errTooLong
		}
		return line, &id, err
	})
}

// exchange sends one line, made by compose for a fresh id, and reads one.
// compose also names the id the reply must carry, nil for null.
func (c *Client) exchange(ctx context.Context, name string, compose func(id uint64) ([]byte, *uint64, error)) ([]byte, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.opts.deadline())
		defer cancel()
	}
	select {
	case <-c.turn:
		defer func() { c.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, fmt.Errorf("driver: %s: not sent: %w", name, context.Cause(ctx))
	}
	if err := c.outOfUse(); err != nil {
		return nil, fmt.Errorf("driver: %s: not sent: %w since: %w", name, ErrDead, err)
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("driver: %s: not sent: %w", name, context.Cause(ctx))
	}
	c.lastID++
	line, wantID, err := compose(c.lastID)
	if err != nil {
		return nil, fmt.Errorf("driver: %s: not sent: %w", name, err)
	}
	if err := c.send(ctx, line); err != nil {
		return nil, c.hush(ctx, name, "did not read its input")
	}
	select {
	case got := <-c.lines:
		return c.judge(ctx, name, got, wantID)
	case <-c.quit:
		return nil, fmt.Errorf("driver: %s: interrupted: %w", name, ErrClosed)
	case <-ctx.Done():
		return nil, c.hush(ctx, name, "sent no reply")
	}
}

// send writes one line. It reports only that ctx ended: when the driver has
// gone away the reader knows better why.
func (c *Client) send(ctx context.Context, line []byte) error {
	stop := context.AfterFunc(ctx, func() { _ = c.link.SetWriteDeadline(time.Unix(1, 0)) })
	_, err := c.link.Write(append(line, '\n'))
	if !stop() || errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("cut short")
	}
	return nil
}

// judge turns what was received into a reply's line or a refusal, or puts the
// client out of use.
func (c *Client) judge(ctx context.Context, name string, got received, wantID *uint64) ([]byte, error) {
	switch {
	case errors.Is(got.err, errTooLong):
		return nil, c.die(name, ErrOversized, "wrote a line longer than 1 MiB, starting "+excerpt(got.line, 80), nil)
	case got.err != nil:
		return nil, c.gone(ctx, name, got)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(got.line, &fields); err != nil || fields == nil {
		did := "wrote " + excerpt(got.line, 80) + " where one JSON reply was due"
		return nil, c.die(name, ErrGarbage, did, nil)
	}
	wanted := "null"
	if wantID != nil {
		wanted = fmt.Sprint(*wantID)
	}
	if id, ok := fields["id"]; !ok || string(id) != wanted {
		did := "answered with id " + excerpt(id, 80) + " where " + wanted + " was due"
		if !ok {
			did = "answered without an id where " + wanted + " was due"
		}
		return nil, c.die(name, ErrWrongID, did, nil)
	}
	switch string(fields["ok"]) {
	case "true":
		return got.line, nil
	case "false":
	default:
		return nil, c.die(name, ErrBadReply, `answered without "ok" true or false: `+excerpt(got.line, 80), nil)
	}
	if faults := check("refusal", got.line); len(faults) > 0 {
		return nil, c.die(name, ErrBadReply, "sent a refusal that breaks the schema: "+faults[0], nil)
	}
	refusal := &Refusal{Command: name}
	_ = json.Unmarshal(fields["error"], &refusal.Message) // strings, says the schema
	_ = json.Unmarshal(fields["code"], &refusal.Code)
	return nil, refusal
}

// gone explains an ended stream, waiting a moment for the process to follow.
func (c *Client) gone(ctx context.Context, name string, got received) error {
	did := "hung up instead of answering"
	if c.proc != nil {
		did = "closed its stdout instead of answering, and runs on"
		timer := time.NewTimer(c.opts.grace())
		defer timer.Stop()
		select {
		case <-c.proc.done:
			did = c.proc.epitaph() + " instead of answering"
			select { // its last words follow the end of the process
			case <-c.stderr.done:
			case <-timer.C:
			case <-ctx.Done():
			}
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	if len(got.line) > 0 {
		did += ", after the unfinished line " + excerpt(got.line, 80)
	}
	return c.die(name, ErrDied, did, got.err)
}

// hush is silence until the context ended.
func (c *Client) hush(ctx context.Context, name, did string) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, context.DeadlineExceeded) {
		return c.die(name, ErrSilent, did+" before the deadline", cause)
	}
	return c.die(name, ErrSilent, did+" before the caller gave up", cause)
}

// die puts the client out of use and returns the reason. The link stays open
// until Close, so that a spawned driver is ended in one place only.
func (c *Client) die(name string, kind error, did string, cause error) error {
	err := &ProtocolError{Kind: kind, Command: name, Did: did, Cause: cause}
	if c.stderr != nil {
		err.Stderr = c.stderr.last()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead == nil {
		c.dead = err
	}
	if errors.Is(c.dead, ErrClosed) {
		return fmt.Errorf("driver: %s: interrupted: %w", name, ErrClosed)
	}
	return err
}

func (c *Client) outOfUse() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead
}

// Spawned says whether the driver is a process that Close ends and waits for.
func (c *Client) Spawned() bool { return c.proc != nil }

// Stderr returns the last lines, 20 at most, of a spawned driver's stderr.
func (c *Client) Stderr() []string {
	if c.stderr == nil {
		return nil
	}
	return c.stderr.last()
}

// Close ends the driver: its input ends, and a spawned one gets SIGTERM with
// its whole process group, Options.Grace to clean up, then SIGKILL. It returns
// ErrKilled in that last case, so that the caller can tell that something may
// have been left undone. Calls in flight end with ErrClosed. Closing twice
// returns the first result.
func (c *Client) Close() error {
	c.closing.Do(func() {
		c.mu.Lock()
		if c.dead == nil {
			c.dead = ErrClosed
		}
		c.mu.Unlock()
		close(c.quit)
		if p, ok := c.link.(*pipes); ok {
			_ = p.in.Close()
		}
		if c.proc != nil {
			if err := c.proc.end(c.opts.grace()); err != nil {
				c.closeErr = fmt.Errorf("driver: %w: it did not end within %v of SIGTERM; to mend: stop the node and exit on SIGTERM and on the end of its input", err, c.opts.grace())
			}
		}
		_ = c.link.Close() // only wakes the reader
		<-c.read
		if p, ok := c.link.(*pipes); ok {
			_ = p.stderr.Close()
			<-c.stderr.done
		}
	})
	return c.closeErr
}
