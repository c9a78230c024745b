package role_test

import (
	"testing"

	"superscalar/refnode/channel"
	"superscalar/refnode/hub"
	"superscalar/refnode/role"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// A channel on an output that stands is not replaced after it failed.
func TestAStandingChannelIsNotReplaced(t *testing.T) {
	for _, other := range []bool{false, true} {
		c := role.NewChannels(superscalar, rule.Set{})
		c.Restore(expected()) // stands since long
		c.RestoreOpened(theLSP, public(1), wire.ChannelID{3}, true)
		o := expected()
		if other { // an attempt at another factory that names the same lsp_channel_key
			o.Factory, o.Attempt, o.Outpoint.Index = wire.CeremonyID{6}, wire.CeremonyID{6}, 4
		} // else a complete sale, offered once more
		c.Expect(o)
		open := fitting(c)
		open.ToSelfDelay = role.MaxClientDelay
		c.Hear(hub.Channel{Peer: theLSP, ID: wire.ChannelID{3}, Open: open}, channel.Closed{Reason: "the LSP sent an error"})
		if err := c.CheckChannel(theLSP, open); err == nil {
			t.Errorf("other factory %v: the failed channel, which is on its way to the chain, is forgotten for a new one", other)
		}
	}
}

// An attempt of a stranger with the id of a factory forgets nothing; nor does one
// that only moves channels, whoever has it.
func TestAStrangerForgetsNothing(t *testing.T) {
	c := role.NewChannels(superscalar, rule.Set{})
	c.Restore(expected())
	c.RestoreOpened(theLSP, public(1), wire.ChannelID{3}, true)
	c.Forget(wire.Point{2, 8}, expected().Attempt)
	c.CallOff(theLSP, expected().Attempt)
	if _, err := c.FundingKey(theLSP, fitting(c)); err != nil {
		t.Errorf("forgotten: %v", err)
	}
	c.Forget(theLSP, expected().Attempt)
	if _, err := c.FundingKey(theLSP, fitting(c)); err == nil {
		t.Error("its own LSP does not forget it")
	}
}

// A stranger's attempt with the id of another one neither ends nor keeps that one.
func TestAStrangerEndsNoAttempt(t *testing.T) {
	for name, end := range map[string]func(*role.Channels, wire.Point){
		"kept":      func(c *role.Channels, p wire.Point) { c.Keep(p, expected().Attempt) },
		"forgotten": func(c *role.Channels, p wire.Point) { c.Forget(p, expected().Attempt) },
	} {
		c := role.NewChannels(superscalar, rule.Set{})
		c.Expect(expected())
		end(c, wire.Point{2, 8})
		if err := c.CheckOutpoint(theLSP, fitting(c), wire.Txid(expected().Outpoint.Hash), 3); err != nil {
			t.Errorf("%s by a stranger: %v", name, err)
		}
		end(c, theLSP)
		if c.CheckOutpoint(theLSP, fitting(c), wire.Txid(expected().Outpoint.Hash), 3) == nil {
			t.Errorf("%s by its LSP: it goes on", name)
		}
	}
}
