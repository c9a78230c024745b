package harness

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/hub"
	"superscalar/refnode/leaves"
	"superscalar/refnode/node"
	"superscalar/refnode/peer"
	noderole "superscalar/refnode/role"
	"superscalar/refnode/store"
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
	// NoChannels ends the opening of channels with accept_channel.
	NoChannels bool
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
	r.target, r.role, r.seed = t, role, seed
	r.factories = &factorySide{node: r, role: role, seed: seed, rules: t.opts.Rules}
	r.disk = &lazyStore{options: store.Options{Rules: t.opts.Rules, Random: r.factories.random("hub/store")}}
	if err := t.start(r, role, seed, "127.0.0.1:0"); err != nil {
		return nil, err
	}
	return r, nil
}

// start brings the node up, at first or again.
func (t *refnode) start(r *refnodeNode, role Role, seed [32]byte, listen string) error {
	f := r.factories
	if !t.opts.NoChannels && !r.bare {
		f.channels = noderole.NewChannels(leaves.Protocol, t.opts.Rules)
	}
	if f.dir != "" { // the hub asks the role about the channels that are stored
		if err := f.make(); err != nil {
			return err
		}
	}
	if err := t.openHub(r, role, seed); err != nil {
		return err
	}
	if f.dir != "" {
		if err := f.keep(); err != nil {
			return err
		}
	}
	cfg := node.Config{
		Role:     role,
		Key:      deriveKey(seed, "node"),
		Listen:   listen,
		Rand:     rand.NewChaCha8(derive(seed, "rand"+strings.Repeat(" again", r.restarts))),
		Clock:    r.clock,
		Envelope: t.opts.Envelope,
		Loopback: !t.opts.NoLoopback,
		Rules:    t.opts.Rules,
		Tamper:   t.opts.Tamper,

		Ceremonies:     r.factories,
		Channels:       r.hub,
		LoopbackOrders: r.orders,
		Derive: func(label string) (*btcec.PrivateKey, error) {
			return deriveKey(seed, label), nil
		},
	}
	if t.opts.NoChannels {
		cfg.Channels = nil
	}
	var err error
	if r.Node, err = node.Start(cfg); err != nil {
		return err
	}
	n := r.Node
	r.hub.Attach(func(id wire.Point) { n.Wake(transport.NodeID(id)) })
	return nil
}

func (t *refnode) Release(n Node) {
	r := n.(*refnodeNode)
	_ = r.Close()
	r.factories.close()
	r.hub.Close()
	r.disk.close()
	if r.saved != "" {
		_ = os.RemoveAll(r.saved)
	}
	_ = r.world.close()
}

type refnodeNode struct {
	*node.Node
	clock     *transport.ManualClock
	world     *world
	factories *factorySide
	hub       *hub.Hub
	disk      *lazyStore
	orders    func(payload []byte)

	target   *refnode
	role     Role
	seed     [32]byte
	restarts int
	bare     bool   // no channels in factories
	away     bool   // stopped, as the suite asked for: it sees nothing
	saved    string // folder of a backup, "" without
}

// Set implements Setter.
func (n *refnodeNode) Set(c *Case) {
	n.factories.coinless = c.Coinless
	if c.Bare {
		n.bare, n.factories.channels = true, nil
	}
}

// Restart implements Restarter: what is not stored is gone.
func (n *refnodeNode) Restart(context.Context) error { return n.again(func() error { return nil }) }

// Away implements Sleeper.
func (n *refnodeNode) Away(_ context.Context, meanwhile func()) error {
	n.away = true
	return n.again(func() error {
		meanwhile()
		n.away = false
		return nil
	})
}

// Save implements Reverter.
func (n *refnodeNode) Save(context.Context) error {
	return n.again(func() error {
		saved, err := os.MkdirTemp(memory(), "superscalar-backup-")
		if err != nil {
			return err
		}
		n.saved = saved
		return os.CopyFS(saved, os.DirFS(n.disk.dir))
	})
}

// Revert implements Reverter. Ceremonies are not set back.
func (n *refnodeNode) Revert(context.Context) error {
	return n.again(func() error {
		if err := os.RemoveAll(n.disk.dir); err != nil {
			return err
		}
		return os.CopyFS(n.disk.dir, os.DirFS(n.saved))
	})
}

// again stops the node, does something and starts it.
func (n *refnodeNode) again(while func() error) error {
	at := n.Address().HostPort
	_ = n.Close()
	n.factories.mu.Lock()
	n.factories.shut()
	n.factories.mu.Unlock()
	n.hub.Close()
	if err := n.disk.shut(); err != nil {
		return err
	}
	if err := while(); err != nil {
		return err
	}
	n.restarts++
	if err := n.target.start(n, n.role, n.seed, at); err != nil {
		return err
	}
	n.factories.mu.Lock()
	keeper := n.factories.keeper
	n.factories.mu.Unlock()
	if keeper != nil {
		_ = keeper.Check() // a node looks at once: until then its channels in factories take nothing
	}
	return nil
}

func (n *refnodeNode) Version() string         { return "superscalar/" + Version }
func (n *refnodeNode) Advance(d time.Duration) { n.clock.Advance(d) }

func (n *refnodeNode) Buy(_ context.Context, peer transport.NodeID, amountSat uint64) error {
	return n.Node.Buy(peer, amountSat)
}

// Version is the version of this suite and reference node.
const Version = "0.3"

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
