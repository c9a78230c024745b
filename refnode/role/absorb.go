package role

import (
	"errors"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// What channels that an update absorbs give, and what the one takes that stays
// (section 8.4 of SPEC.md).

// gave notes what an absorbed channel gives to the one that stays, which waits for it.
func (c *Channels) gave(e *entry, m *channel.Machine, to wire.Txid) {
	given, ok := m.Given(to)
	if !ok || e.next.given != nil {
		return
	}
	e.next.given = &given
	if stays := c.entries[channelKey{e.Peer, e.next.Into}]; stays != nil {
		c.orderOf(OrderMove, stays, "")
	}
}

// goesInto reports whether an update takes a channel into another one.
func (e *entry) goesInto(stays *entry) bool {
	return e.next != nil && e.Peer == stays.Peer && e.next.Into == stays.LSPKey && e.next.Outpoint == stays.next.Outpoint
}

// absorbs reports whether an update takes other channels into this one.
func (c *Channels) absorbs(stays *entry) bool {
	for _, e := range c.entries {
		if e.goesInto(stays) && (c.rules.On(rule.CHG022+"/empty") || e.next.given != nil && e.next.given[commitment.Accepter] > 0) {
			return true
		}
	}
	return false
}

// parts are the contributions of both sides to the change of a channel, by channel.Side:
// of one that is absorbed all that they have (CHG-017), of one that stays what they took
// out of those (CHG-019). False while a channel that it absorbs is not committed, or
// one that is absorbed has an HTLC.
func (c *Channels) parts(e *entry, m *channel.Machine) (sat [2]int64, ok bool) {
	if e.next.Absorbed() {
		whole, ok := m.Whole()
		if !c.rules.On(rule.CHG017) && whole[m.Side] > 0 {
			whole[m.Side]--
		}
		return [2]int64{-whole[0], -whole[1]}, ok || !c.rules.On(rule.CHG020)
	}
	for _, other := range c.entries {
		if !other.goesInto(e) {
			continue
		}
		if other.next.given == nil {
			return sat, false
		}
		if !c.rules.On(rule.CHG019) {
			continue
		}
		sat[commitment.Accepter] += other.next.given[commitment.Accepter]
	}
	sat[commitment.Opener] = int64(e.next.Value) - int64(m.Value()) - sat[commitment.Accepter]
	return sat, true
}

// hasOthers reports whether a client has other channels in a factory. The caller holds
// c.mu.
func (c *Channels) hasOthers(e *entry) bool {
	for _, other := range c.entries {
		if other != e && other.Peer == e.Peer && other.Factory == e.Factory && other.opened && !other.Absorbed() {
			return true
		}
	}
	return false
}

// errTakesOther : CHG-028.
var errTakesOther = errors.New("a channel takes something else than those that it absorbs give (CHG-028)")

// takesAll fails when what the client brings into a channel that stays, added in sat, is
// not what it takes out of those that are absorbed, as they are committed now: one of
// them may have been called off alone and changed again (CHG-028).
func (c *Channels) takesAll(to ceremony.ChannelOutput, added int64) error {
	c.mu.Lock()
	e := c.of(to)
	if e == nil || e.next == nil || e.next.Outpoint != to.Outpoint || to.Absorbed() || !c.rules.On(rule.CHG028) {
		c.mu.Unlock()
		return nil
	}
	var absorbed []ceremony.ChannelOutput
	for _, other := range c.entries {
		if other.goesInto(e) {
			absorbed = append(absorbed, other.next.ChannelOutput)
		}
	}
	c.mu.Unlock()
	for _, o := range absorbed {
		err := c.ask(o, func(m *channel.Machine) error {
			sat, ok := m.Given(fundingTxid(o))
			if !ok {
				return errTakesOther
			}
			added -= sat[commitment.Accepter]
			return nil
		})
		if err != nil {
			return err
		}
	}
	if added != 0 {
		return errTakesOther
	}
	return nil
}
