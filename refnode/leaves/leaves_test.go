package leaves_test

import (
	"crypto/sha256"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/channel"
	"superscalar/refnode/factory"
	"superscalar/refnode/hub"
	"superscalar/refnode/leaves"
	"superscalar/refnode/peer"
	"superscalar/refnode/role"
	"superscalar/refnode/store"
	"superscalar/refnode/transport"
	"superscalar/wire"
	"superscalar/wire/rule"
)

func secret(label string) (*btcec.PrivateKey, error) {
	sum := sha256.Sum256([]byte(label))
	key, _ := btcec.PrivKeyFromBytes(sum[:])
	return key, nil
}

func public(label string) wire.Point {
	key, _ := secret(label)
	return wire.Point(key.PubKey().SerializeCompressed())
}

// office is a keeper with what it keeps, and what it tells.
type office struct {
	registry *role.Channels
	keeper   *leaves.Keeper
	told     chan string
}

func newOffice(t *testing.T) *office { return newOfficeOf(t, leaves.Config{}) }

// newOfficeOf is newOffice for a role.
func newOfficeOf(t *testing.T, cfg leaves.Config) *office {
	t.Helper()
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	o := &office{registry: role.NewChannels(leaves.Protocol, rule.Set{}), told: make(chan string, 10)}
	key, _ := secret("node")
	h, err := hub.Open(hub.Config{
		Store: s, Key: key, Net: &chaincfg.RegressionNetParams, Rand: rand.NewChaCha8([32]byte{1}), Derive: secret,
		Factories: map[wire.ProtocolID]hub.Factory{leaves.Protocol: o.registry},
	}, 100)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	cfg.Registry, cfg.Hub, cfg.Leave, cfg.Tell = o.registry, h, func() {}, func(s string) { o.told <- s }
	o.keeper = leaves.New(cfg)
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() { defer close(ended); o.keeper.Run(done) }()
	t.Cleanup(func() { close(done); <-ended })
	return o
}

// output is one of the LSP's with a client.
func output() ceremony.ChannelOutput {
	key, _ := secret("lsp")
	return ceremony.ChannelOutput{
		Peer: public("client"), Attempt: wire.CeremonyID{5}, Factory: wire.CeremonyID{5},
		Outpoint: btcwire.OutPoint{Hash: chainhash.Hash{9}, Index: 1}, Value: 100_000,
		LSPKey: public("lsp"), Key: key, Theirs: public("client channel"),
		Params: factory.DefaultParams(factory.DW), Shape: factory.DefaultShape(1),
	}
}

// An output that a ceremony of the LSP makes gets a channel of its value, on its key;
// without anybody who opens channels that is told.
func TestAnOutputIsOpened(t *testing.T) {
	o := newOffice(t)
	o.registry.Expect(output())
	if line := <-o.told; !strings.Contains(line, "nothing opens channels") {
		t.Errorf("it says %q", line)
	}
	opened := make(chan peer.InFactory, 1)
	o.keeper.Attach(func(id transport.NodeID, in peer.InFactory) error {
		if wire.Point(id) != output().Peer {
			t.Errorf("opened with %x", id)
		}
		opened <- in
		return nil
	})
	o.registry.Expect(output()) // the attempt goes on
	in := <-opened
	want := output()
	if in.FundingSat != uint64(want.Value) || in.Funding != want.LSPKey || in.ToSelfDelay != role.MaxClientDelay ||
		in.In.ProtocolID != leaves.Protocol || in.In.InstanceID != [32]byte(want.Factory) ||
		in.In.EarlyWarningTime != uint16(want.Params.EarlyWarningTime(want.Shape)) {
		t.Errorf("it opens %+v", in)
	}
}

// What a channel tells of a change becomes what its owner hears: what is due for it
// (CHG-008).
func TestWhatIsDueIsTold(t *testing.T) {
	o := newOffice(t)
	at := output()
	o.registry.Restore(at)
	about := hub.Channel{Peer: at.Peer, ID: wire.ChannelID{7}, Open: &wire.OpenChannel{Keys: wire.ChannelKeys{Funding: at.LSPKey}}}
	o.registry.Hear(about, channel.ReplacedRevoked{})
	if line := <-o.told; !strings.Contains(line, "due now") {
		t.Errorf("it says %q", line)
	}
}

// A channel that does not exist cannot move, and what is said about it moves nothing.
func TestAChannelThatIsNotThere(t *testing.T) {
	o := newOffice(t)
	at := output()
	to := at
	to.Outpoint.Hash = chainhash.Hash{10}
	for range 2 {
		if err := o.registry.CanMove(to); err != ceremony.ErrNoChannel {
			t.Errorf("it can move: %v", err)
		}
		if o.registry.Moved(to) || o.registry.Begin(to) == nil {
			t.Error("it has moved")
		}
		o.registry.Restore(at)
		o.registry.RestoreOpened(at.Peer, at.LSPKey, wire.ChannelID{7}, true) // the hub has forgotten it
		o.registry.Move(to)
		o.registry.Stands(to)
		o.keeper.Settle()
	}
}
