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

// execTarget is an implementation behind a driver: "exec:COMMAND". One driver
// process and one node per role serve all cases.
type execTarget struct {
	command  string
	deadline time.Duration
	roles    []Role

	mu    sync.Mutex
	nodes map[Role]*execNode
}

// NewExec returns the target that the driver COMMAND drives, in the given
// roles. A command has deadline to answer; start and restart get ten times
// that, for nodes take their time to come up.
func NewExec(command string, roles []Role, deadline time.Duration) Target {
	return &execTarget{command: command, deadline: deadline, roles: roles, nodes: map[Role]*execNode{}}
}

func (t *execTarget) Kind() string  { return "exec" }
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
	c, err := driver.Spawn(ctx, t.command, driver.Options{Deadline: 10 * t.deadline, Env: ownProgram()})
	if err != nil {
		return nil, err
	}
	info, err := c.Start(ctx, driver.Role(role), "")
	if err == nil {
		var addr transport.Address
		addr, err = transport.ParseAddress(info.NodeID + "@" + info.Address)
		if err == nil {
			t.nodes[role] = &execNode{client: c, addr: addr, version: info.Version}
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
	client  *driver.Client
	addr    transport.Address
	version string
}

func (n *execNode) Address() transport.Address { return n.addr }
func (n *execNode) Version() string            { return n.version }

func (n *execNode) Connect(ctx context.Context, to transport.Address) error {
	return n.client.Connect(ctx, to.String())
}

func (n *execNode) Buy(ctx context.Context, peer transport.NodeID, amountSat uint64) error {
	return n.client.Buy(ctx, peer.String(), driver.Sat(amountSat))
}
