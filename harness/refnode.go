package harness

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"math/rand/v2"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/node"
	"superscalar/refnode/peer"
	"superscalar/refnode/transport"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// RefnodeOptions shape the reference node as a target. The zero value is the
// node as it is in use, with Loopback offered.
type RefnodeOptions struct {
	Envelope wire.MsgType // 0 for the normative one
	// Rules and Tamper make it a mutant.
	Rules  rule.Set
	Tamper func() peer.Tamper // called once per connection
	// NoLoopback leaves the test protocol out.
	NoLoopback bool
}

// refnode is the reference node in this process, a fresh one per case. The
// suite talks to it over sockets only, but for its clock and its commands.
type refnode struct {
	opts RefnodeOptions
}

// NewRefnode returns the reference node as a target.
func NewRefnode(opts RefnodeOptions) Target { return &refnode{opts: opts} }

func (t *refnode) Kind() string  { return "refnode" }
func (t *refnode) Tier() Tier    { return Chain }
func (t *refnode) Roles() []Role { return []Role{node.LSP, node.Client} }
func (t *refnode) Close() error  { return nil }

// refnodeEpoch is where the clocks of reference nodes under test begin.
var refnodeEpoch = time.Unix(1_800_000_000, 0)

func (t *refnode) Acquire(_ context.Context, role Role, seed [32]byte) (Node, error) {
	r := &refnodeNode{clock: transport.NewManualClock(refnodeEpoch), world: &world{}}
	r.factories = &factorySide{node: r, role: role, seed: seed, rules: t.opts.Rules}
	cfg := node.Config{
		Role:     role,
		Key:      deriveKey(seed, "node"),
		Listen:   "127.0.0.1:0",
		Rand:     rand.NewChaCha8(derive(seed, "rand")),
		Clock:    r.clock,
		Envelope: t.opts.Envelope,
		Loopback: !t.opts.NoLoopback,
		Rules:    t.opts.Rules,
		Tamper:   t.opts.Tamper,

		Ceremonies: r.factories,
		Derive: func(label string) (*btcec.PrivateKey, error) {
			return deriveKey(seed, label), nil
		},
	}
	var err error
	r.Node, err = node.Start(cfg)
	return r, err
}

func (t *refnode) Release(n Node) {
	r := n.(*refnodeNode)
	_ = r.Close()
	r.factories.close()
	_ = r.world.close()
}

type refnodeNode struct {
	*node.Node
	clock     *transport.ManualClock
	world     *world
	factories *factorySide
}

func (n *refnodeNode) Version() string         { return "superscalar/" + Version }
func (n *refnodeNode) Advance(d time.Duration) { n.clock.Advance(d) }

func (n *refnodeNode) Buy(_ context.Context, peer transport.NodeID, amountSat uint64) error {
	return n.Node.Buy(peer, amountSat)
}

// Version is the version of this suite and reference node.
const Version = "0.2"

// derive makes independent secrets out of a seed.
func derive(seed [32]byte, label string) (out [32]byte) {
	h := hmac.New(sha256.New, seed[:])
	h.Write([]byte(label))
	copy(out[:], h.Sum(nil))
	return out
}

func deriveKey(seed [32]byte, label string) *btcec.PrivateKey {
	s := derive(seed, label)
	k, _ := btcec.PrivKeyFromBytes(s[:])
	return k
}
