package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"superscalar/harness/driver"
	"superscalar/refnode/node"
	"superscalar/refnode/transport"
)

// execTarget is an implementation behind a driver. One driver and one node per
// role serve all cases.
type execTarget struct {
	kind     string
	open     func(context.Context) (*driver.Client, error)
	deadline time.Duration
	roles    []Role

	mu    sync.Mutex
	nodes map[Role]*execNode
}

// NewExec returns the target that the driver COMMAND drives, in the given
// roles ("exec:COMMAND"). A driver has ten times the deadline to answer, for
// nodes take their time to come up. seed picks the nonsense command.
func NewExec(command string, roles []Role, deadline time.Duration, seed uint64) Target {
	opts := driver.Options{Seed: seed, Deadline: 10 * deadline, Env: ownProgram()}
	return newDriven("exec", roles, deadline, func(ctx context.Context) (*driver.Client, error) {
		return driver.Spawn(ctx, command, opts)
	})
}

// NewDialBack returns the target of a driver that connects to hostport
// ("tcp:HOST:PORT"), in one role; listening hears the address to dial.
func NewDialBack(hostport string, role Role, deadline time.Duration, listening func(string)) Target {
	opts := driver.Options{Deadline: 10 * deadline, Listening: listening}
	return newDriven("tcp", []Role{role}, deadline, func(ctx context.Context) (*driver.Client, error) {
		return driver.ListenDialBack(ctx, hostport, opts)
	})
}

func newDriven(kind string, roles []Role, deadline time.Duration, open func(context.Context) (*driver.Client, error)) Target {
	return &execTarget{kind: kind, open: open, deadline: deadline, roles: roles, nodes: map[Role]*execNode{}}
}

func (t *execTarget) Kind() string  { return t.kind }
func (t *execTarget) Tier() Tier    { return Driver }
func (t *execTarget) Roles() []Role { return t.roles }
func (t *execTarget) Release(Node)  {}

// Prepare starts a node in every role, so that a driver that does not work is
// one message and not hundreds.
func (t *execTarget) Prepare(ctx context.Context) error {
	for _, role := range t.roles {
		n, err := t.Acquire(ctx, role, [32]byte{})
		if err != nil {
			return fmt.Errorf("%w: %w", ErrUnreachable, err)
		}
		if err := Reach(ctx, n.Address(), t.deadline); err != nil {
			return err
		}
	}
	return nil
}

func (t *execTarget) Acquire(ctx context.Context, role Role, _ [32]byte) (Node, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.nodes[role]; n != nil {
		return n, nil
	}
	c, err := t.open(ctx)
	if err != nil {
		return nil, err
	}
	info, err := c.Start(ctx, driver.Role(role), "")
	if err == nil {
		var addr transport.Address
		addr, err = transport.ParseAddress(info.NodeID + "@" + info.Address)
		if err == nil {
			t.nodes[role] = &execNode{target: t, client: c, addr: addr, version: info.Version}
			return t.nodes[role], nil
		}
	}
	return nil, errors.Join(err, c.Close())
}

// ownProgram tells the driver templates where this program is, unless the
// operator did.
func ownProgram() []string {
	if self, err := os.Executable(); err == nil && os.Getenv("SUPERSCALAR") == "" {
		return []string{"SUPERSCALAR=" + self}
	}
	return nil
}

func (t *execTarget) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []error
	for _, role := range []Role{node.LSP, node.Client} {
		if n := t.nodes[role]; n != nil {
			all = append(all, n.client.Close())
		}
	}
	return errors.Join(all...)
}

type execNode struct {
	target  *execTarget
	client  *driver.Client
	addr    transport.Address
	version string
}

func (n *execNode) Address() transport.Address { return n.addr }
func (n *execNode) Version() string            { return n.version }

// Connect and Buy drop a driver that broke the protocol: it is dead for good,
// and the next case gets a new one.
func (n *execNode) Connect(ctx context.Context, to transport.Address) error {
	return n.check(n.client.Connect(ctx, to.String()))
}

func (n *execNode) Buy(ctx context.Context, peer transport.NodeID, amountSat uint64) error {
	return n.check(n.client.Buy(ctx, peer.String(), driver.Sat(amountSat)))
}

func (n *execNode) check(err error) error {
	var broken *driver.ProtocolError
	if errors.As(err, &broken) || errors.Is(err, driver.ErrDead) {
		n.target.drop(n)
	}
	return err
}

// drop forgets a node whose driver is of no further use.
func (t *execTarget) drop(n *execNode) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for role, x := range t.nodes {
		if x == n {
			delete(t.nodes, role)
			_ = n.client.Close()
		}
	}
}
