package leaves_test

import (
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/chainhash"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/channel"
	"superscalar/refnode/factory"
	"superscalar/refnode/hub"
	"superscalar/refnode/leaves"
	"superscalar/refnode/role"
	"superscalar/refnode/role/roletest"
	"superscalar/wire"
)

// standing is a factory of an LSP that is confirmed, with the keeper of its channels.
func standing(t *testing.T, confirmations uint32) (*office, *roletest.World, ceremony.ChannelOutput) {
	t.Helper()
	w := roletest.New(t, 2)
	shape, err := factory.ParseShape("kickoff 1 / dw 2")
	if err != nil {
		t.Fatal(err)
	}
	order := ceremony.Order{Shape: func(int) factory.Shape { return shape }, Params: factory.DefaultParams(factory.DW), Stock: 50_000}
	for _, c := range w.Clients {
		order.Clients = append(order.Clients, ceremony.OrderClient{Peer: c.Peer, Capacity: 100_000})
	}
	id, err := w.LSP.LSP.Create(order)
	if err != nil {
		t.Fatal(err)
	}
	w.Run(nil)
	w.Mine(1)
	o := newOfficeOf(t, leaves.Config{LSP: w.LSP.LSP, Confirmations: confirmations, Coins: func(factory.Sat) bool { return true },
		Chain: role.Chain{Backend: w.LSP.Chain, Timeout: roletest.ShortTime}})
	for _, f := range w.LSP.LSP.Factories() {
		if f.ID == id {
			at := output()
			c := f.Tree.Channels(0)[0]
			at.Peer, at.Factory, at.Attempt, at.Client, at.Outpoint = w.Clients[0].Peer, id, id, 0, c.Outpoint
			at.LSPKey = wire.Point(c.Channel.Keys[0]) // whosever: no two channels have a key in common
			return o, w, at
		}
	}
	t.Fatalf("no factory: %v", w.Events)
	return nil, nil, ceremony.ChannelOutput{}
}

// file gives the registry a channel on an output, and returns how the hub names it.
func (o *office) file(at ceremony.ChannelOutput) hub.Channel {
	o.registry.Restore(at)
	o.registry.RestoreOpened(at.Peer, at.LSPKey, wire.ChannelID{7}, true)
	return hub.Channel{Peer: at.Peer, ID: wire.ChannelID{7}, Open: &wire.OpenChannel{Keys: wire.ChannelKeys{Funding: at.LSPKey}}}
}

// bent are a channel whose outpoint an update has moved here and not in the tree yet,
// and what is none of the tree's channels: with another key, or of another client.
func bent(at ceremony.ChannelOutput) (moved ceremony.ChannelOutput, strange []ceremony.ChannelOutput) {
	moved = at
	moved.Outpoint.Hash = chainhash.Hash{10}
	key, client := at, at
	key.LSPKey[5] ^= 1
	client.Client = 1
	return moved, []ceremony.ChannelOutput{key, client}
}

// A factory that may not be used yet suspends the channels in it, one that an update is
// moving at this moment, too, and no other.
func TestCheckFindsChannelsByKey(t *testing.T) {
	o, _, at := standing(t, 10)
	moved, strange := bent(at)
	about := o.file(moved)
	o.registry.SetUse(moved, channel.Use{})
	if err := o.keeper.Check(); err != nil {
		t.Fatal(err)
	}
	if !o.registry.Use(about.Peer, about.Open).Suspended {
		t.Error("a channel that is moving is used in a factory that may not be")
	}
	for _, at := range strange {
		o, _, _ := standing(t, 10)
		about := o.file(at)
		o.registry.SetUse(at, channel.Use{})
		if err := o.keeper.Check(); err != nil {
			t.Fatal(err)
		}
		if o.registry.Use(about.Peer, about.Open).Suspended {
			t.Errorf("a channel that is not the factory's is suspended: client %d, key %x", at.Client, at.LSPKey)
		}
	}
}

// A channel takes no HTLC before somebody has looked what its factory may be used for: a
// process that has just started may have neither the chain nor the bound that a client
// without coins has (CER-026, CHAN-012, CHG-030).
func TestNobodyHasLookedYet(t *testing.T) {
	o, _, at := standing(t, 1)
	about := o.file(at)
	if !o.registry.Use(about.Peer, about.Open).Suspended {
		t.Error("a channel is used before anybody has looked")
	}
	if err := o.keeper.Check(); err != nil {
		t.Fatal(err)
	}
	if o.registry.Use(about.Peer, about.Open).Suspended {
		t.Error("a channel is not used after somebody has looked")
	}
}

// An HTLC that comes close to its expiry in a channel that an update is moving starts
// the way out (CHAN-010); one in what is no channel of the factory does not.
func TestAWarningOfAMovingChannel(t *testing.T) {
	o, w, at := standing(t, 1)
	moved, strange := bent(at)
	o.registry.Hear(o.file(strange[0]), channel.EarlyWarning{Expiry: 500})
	o.keeper.Settle()
	if f := w.LSP.LSP.Factories()[0]; len(f.Paths) != 0 {
		t.Errorf("the LSP leaves for %v, which have no such channel", f.Paths)
	}
	for range 2 { // with every block
		o.registry.Hear(o.file(moved), channel.EarlyWarning{Expiry: 500})
	}
	o.keeper.Settle()
	if f := w.LSP.LSP.Factories()[0]; len(f.Paths) != 1 || f.Paths[0] != 0 {
		t.Errorf("the LSP leaves for %v", f.Paths)
	}
	if line := <-o.told; !strings.Contains(line, "leaving") {
		t.Errorf("it says %q", line)
	}
	if len(o.told) != 0 {
		t.Errorf("it leaves twice: %q", <-o.told)
	}
}

// A warning that comes when the factory may not be left yet is not the last one: with a
// block that says so, the way out starts.
func TestAWarningThatCameTooEarly(t *testing.T) {
	o, w, at := standing(t, 3)
	about := o.file(at)
	for i := range 3 {
		o.registry.Hear(about, channel.EarlyWarning{Expiry: 500})
		o.keeper.Settle()
		if left := len(w.LSP.LSP.Factories()[0].Paths) > 0; left != (i == 2) {
			t.Errorf("at %d confirmations it leaves: %v", i+1, left)
		}
		w.Mine(1)
	}
}
