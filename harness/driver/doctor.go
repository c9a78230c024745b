package driver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
)

// Hooks is what Doctor needs of the suite: this package knows no Lightning.
type Hooks struct {
	// Role is what the node is started as; "" means RoleLSP.
	Role Role
	// Seed is passed to start, may be "".
	Seed string
	// Probe dials address and completes a BOLT 8 handshake with nodeID.
	// Required.
	Probe func(ctx context.Context, nodeID, address string) error
	// Peer opens a Lightning peer of the suite's for the node to dial. Without
	// it Doctor can only see that connect fails where nobody listens.
	Peer func(ctx context.Context) (Peer, error)
}

// Peer is a listening Lightning peer of the suite's.
type Peer interface {
	// Address is NODEID@HOST:PORT.
	Address() string
	// Arrived blocks until a node with this id has completed the BOLT 8
	// handshake, or ctx ends.
	Arrived(ctx context.Context, nodeID string) error
	// Close hangs up and stops listening.
	Close() error
}

// errStopped ends an examination that cannot go on.
var errStopped = errors.New("stopped")

// doctor is one examination.
type doctor struct {
	ctx    context.Context
	w      io.Writer
	hooks  Hooks
	client *Client
	node   Node   // as last started
	peer   Peer   // the suite's, nil until connect
	peerID string // the peer's node id once the node has arrived there
	total  int
	wrong  int
}

// Doctor examines a driver and prints one line per check on w: "ok" and what
// was seen, or "wrong", what is wrong and how to mend it. It runs every
// command, in the order of Commands, checks every reply against the schema,
// that nonsense and bad parameters are refused, that the node is reachable
// where the driver says and under the id it says, that stop closes the port,
// that restart keeps the node id, and, for a driver that it may end (one that
// open spawned), that nothing is left behind. A command may be answered with
// "unsupported". open makes a fresh client, and is called once or twice.
// Doctor returns an error that matches ErrUnwell when anything is wrong, and
// another one when the suite's own side fails. What it checks decides about the
// driver only, never about the node's conformance.
func Doctor(ctx context.Context, w io.Writer, open func(context.Context) (*Client, error), hooks Hooks) error {
	if hooks.Role == "" {
		hooks.Role = RoleLSP
	}
	if hooks.Probe == nil {
		return errors.New("driver: doctor: no Probe to reach the node with")
	}
	d := &doctor{ctx: ctx, w: w, hooks: hooks}
	err := d.examine(open)
	switch {
	case err != nil && !errors.Is(err, errStopped):
		return fmt.Errorf("driver: doctor: %w", err)
	case err == nil && d.wrong == 0:
		fmt.Fprintf(w, "%d checks, all ok\n", d.total)
		return nil
	case err != nil:
		fmt.Fprintf(w, "%d checks, %d wrong; the rest could not be checked\n", d.total, d.wrong)
	default:
		fmt.Fprintf(w, "%d checks, %d wrong\n", d.total, d.wrong)
	}
	return fmt.Errorf("driver: doctor: %w: %d of %d checks wrong", ErrUnwell, d.wrong, d.total)
}

func (d *doctor) examine(open func(context.Context) (*Client, error)) error {
	client, err := open(d.ctx)
	if err != nil {
		name := "open"
		if isProtocol(err) {
			name = "nonsense"
		}
		return d.fail(name, err.Error(), "", errStopped)
	}
	d.client = client
	d.pass("nonsense", "a made-up command is refused")
	err = d.commands()
	if closeErr := d.close(); err == nil {
		err = closeErr
	}
	if err != nil || !client.Spawned() {
		return err
	}
	return d.leftovers(open)
}

// commands runs every command once on one connection, stop twice.
func (d *doctor) commands() error {
	steps := []func() error{
		d.badLine, d.start, d.connect, d.buy, d.invoiceAndPay, d.leave, d.status, d.restart, d.stop,
	}
	defer func() {
		if d.peer != nil {
			_ = d.peer.Close()
		}
	}()
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (d *doctor) badLine() error {
	_, err := d.client.exchange(d.ctx, "a line of text", func(uint64) ([]byte, *uint64, error) {
		return []byte("this is not JSON"), nil, nil
	})
	return d.wantRefused("bad line", err, "a line that is not JSON", `answer it with "id":null, "ok":false and "code":"bad-request"`)
}

// badParams sends a command with parameters that must be refused.
func (d *doctor) badParams(cmd Command, params string) error {
	_, err := d.client.exchange(d.ctx, string(cmd), func(id uint64) ([]byte, *uint64, error) {
		return fmt.Appendf(nil, `{"id":%d,"cmd":%q%s}`, id, cmd, params), &id, nil
	})
	if errors.Is(err, ErrUnsupported) && cmd != CmdStart && cmd != CmdStop && cmd != CmdStatus {
		return nil // allowed, and reported with the command itself
	}
	return d.wantRefused(string(cmd), err, "the parameters {"+strings.TrimPrefix(params, ",")+"}", `check the parameters first, and refuse bad ones with "code":"bad-request"`)
}

func (d *doctor) wantRefused(check string, err error, what, mend string) error {
	switch {
	case errors.Is(err, ErrBadRequest):
		return d.pass(check, what+": refused")
	case isProtocol(err):
		return d.fail(check, what+": "+err.Error(), "", errStopped)
	case err == nil:
		return d.fail(check, what+": accepted", mend, nil)
	}
	return d.fail(check, what+": "+err.Error(), mend, nil)
}

// ask runs a command, and judges the reply's form. seen is whether the reply
// was an ok of the right form; a refusal is returned for the caller to judge.
func (d *doctor) ask(req Request, result any) (refusal *Refusal, seen bool, err error) {
	name := string(req.Cmd)
	line, err := d.client.call(d.ctx, req)
	if errors.As(err, &refusal) {
		if refusal.Code == CodeUnknownCommand {
			return nil, false, d.fail(name, err.Error(), `"unknown-command" is for names beyond the eight; use "unsupported"`, nil)
		}
		return refusal, false, nil
	}
	if err != nil {
		return nil, false, d.fail(name, err.Error(), "", errStopped)
	}
	faults := check(replyDef(req), line)
	for _, fault := range faults {
		d.fail(name, "the reply breaks the schema: "+fault, "see "+replyDef(req)+" in schema.json", nil)
	}
	if len(faults) > 0 {
		return nil, false, nil
	}
	if result != nil {
		if err := json.Unmarshal(line, result); err != nil {
			return nil, false, d.fail(name, "the reply cannot be read: "+err.Error(), "see "+replyDef(req)+" in schema.json", nil)
		}
	}
	return nil, true, nil
}

func (d *doctor) pass(check, seen string) error {
	d.total++
	fmt.Fprintf(d.w, "ok     %-9s %s\n", check, seen)
	return nil
}

// fail prints one wrong check and returns then, for the caller to pass on.
func (d *doctor) fail(check, seen, mend string, then error) error {
	d.total++
	d.wrong++
	if mend != "" {
		seen += "; to mend: " + mend
	}
	fmt.Fprintf(d.w, "wrong  %-9s %s\n", check, seen)
	return then
}

func isProtocol(err error) bool {
	var protocol *ProtocolError
	return errors.As(err, &protocol) || errors.Is(err, ErrDead)
}

// portClosed returns nil when nobody accepts connections at address.
func portClosed(ctx context.Context, address string) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err == nil {
		_ = conn.Close()
		return fmt.Errorf("somebody still accepts connections at %s", address)
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil
	}
	return err
}
