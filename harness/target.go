package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/factory"
	"superscalar/refnode/transport"
)

// Target is an implementation under test.
type Target interface {
	// Kind names it in reports: "refnode", "wire", "exec", "lnd", "null:echo".
	Kind() string
	// Tier is the highest tier it can be tested in.
	Tier() Tier
	// Roles are the roles it can play.
	Roles() []Role
	// Acquire gives a running node in a role. seed is that of the case: a
	// target that starts a fresh node per case derives everything from it.
	Acquire(ctx context.Context, role Role, seed [32]byte) (Node, error)
	// Release takes the node back after the case.
	Release(Node)
	// Close ends everything the target started.
	Close() error
}

// Node is a node under test. It may also be a Dialer, Seller or Clocked.
type Node interface {
	Address() transport.Address
	Version() string // as it names itself, or ""
}

// Dialer is a node that can be told to dial a peer (tier driver).
type Dialer interface {
	Connect(ctx context.Context, to transport.Address) error
}

// Seller is a node that can be told to move liquidity (tier driver). For an
// LSP that is to open a channel inside a factory to the peer.
type Seller interface {
	Buy(ctx context.Context, peer transport.NodeID, amountSat uint64) error
}

// Chained is a node that shares a regtest chain with the suite (tier chain).
type Chained interface {
	Chain() (Regtest, error)
}

// Regtest is a chain on which the suite can mine.
type Regtest interface {
	chain.Interface
	Mine(blocks uint32) ([]chain.BlockID, error)
	MineWith(txs ...*btcwire.MsgTx) (chain.BlockID, error)
	FundOutputs(outs ...*btcwire.TxOut) (*btcwire.MsgTx, error)
}

// FactoryOrder is a factory that the target, an LSP, is told to create.
type FactoryOrder struct {
	Clients     []transport.NodeID
	CapacitySat uint64 // of each client's channel
	StockSat    uint64 // in a stock, for each client of its group
	Shape       factory.Shape
	Params      factory.Params
}

// Founder is an LSP that can be told to create a factory (tier chain).
type Founder interface {
	Found(ctx context.Context, order FactoryOrder) error
}

// Stocker is an LSP that can be told to move liquidity inside a factory: by a
// sale, or by an update.
type Stocker interface {
	Sell(ctx context.Context, factory [32]byte, buyer uint16, amountSat uint64, update bool) error
}

// Mover is an LSP that can be told to move the stock of one client's group to the
// channel of another client.
type Mover interface {
	Move(ctx context.Context, factory [32]byte, buyer, from uint16, amountSat uint64) error
}

// Restarter is a node that can be stopped and started again, at the same address
// with what it has stored (tier driver).
type Restarter interface {
	Restart(ctx context.Context) error
}

// Sleeper is a node that can be stopped, and started again when something has happened
// on the chain meanwhile (tier chain).
type Sleeper interface {
	Away(ctx context.Context, meanwhile func()) error
}

// Setter is a node that is set up for a case, before anybody connects.
type Setter interface{ Set(*Case) }

// Clocked is a node whose clock the suite sets, so that rules about seconds
// are tested without waiting.
type Clocked interface {
	Advance(time.Duration)
}

// ErrUnreachable wraps the failure to reach a target at all.
var ErrUnreachable = errors.New("target unreachable")

// tierIncludes reports whether tier have includes tier need.
func tierIncludes(have, need Tier) bool {
	order := []Tier{Wire, Driver, Chain}
	return slices.Index(order, need) <= slices.Index(order, have)
}

// remote is a target that is running already: NODEID@HOST:PORT.
type remote struct {
	addr     transport.Address
	role     Role
	deadline time.Duration
}

// NewRemote returns the target at addr, which plays role and is unreachable
// when it does not complete a handshake within deadline. Only tier wire can be
// tested: nobody can tell it to do anything.
func NewRemote(addr transport.Address, role Role, deadline time.Duration) Target {
	return &remote{addr, role, deadline}
}

func (t *remote) Kind() string                                          { return "wire" }
func (t *remote) Tier() Tier                                            { return Wire }
func (t *remote) Roles() []Role                                         { return []Role{t.role} }
func (t *remote) Acquire(context.Context, Role, [32]byte) (Node, error) { return t, nil }
func (t *remote) Release(Node)                                          {}
func (t *remote) Close() error                                          { return nil }

// Prepare implements Preparer.
func (t *remote) Prepare(ctx context.Context) error { return Reach(ctx, t.addr, t.deadline) }

func (t *remote) Address() transport.Address { return t.addr }
func (t *remote) Version() string            { return "" }

// Reach makes sure that a target is there before a run: a connection refused
// or a wrong node id is the operator's mistake, and hundreds of failed cases
// are no way to say so. It decides no case.
func Reach(ctx context.Context, addr transport.Address, deadline time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	c, err := transport.Dial(ctx, addr, transport.Options{Key: deriveKey([32]byte{}, "reach"), HandshakeTimeout: deadline})
	if err != nil {
		return fmt.Errorf("%w: is it running, and is the address right? %w", ErrUnreachable, err)
	}
	return c.Close()
}
