package payment

import (
	"bytes"
	"testing"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// lspLinks are two clients and one node outside, as their LSP sees them.
func lspLinks(in, out Blocks) []Link {
	from, to, outside := inFactory(1, in), inFactory(2, out), inFactory(3, 0)
	from.Peer, to.Peer, outside.Peer = nodeID(payer), nodeID(other), nodeID(5)
	return []Link{from, to, outside}
}

// hop is an HTLC for the LSP to forward.
func hop(t testing.TB, id uint64, amount Msat, expiry Height, p hopPayload) sent {
	t.Helper()
	return send(t, HTLCKey{channelID(1), id}, amount, expiry, Hash{7}, []byte{lsp, other}, p.encode(), hopPayload{Amount: 1, Expiry: 1}.encode())
}

// Every way in which a forward can be refused, each limit one below, at and one
// above. The fee is 1,000 msat plus 100 ppm, the delta 40 blocks, the early
// warning times 100 (in) and 200 (out), the height 1,000.
func TestForwardFailures(t *testing.T) {
	const ewtIn, ewtOut, delta, amount, charge = 100, 200, 40, 1_000_000, 1100
	soonest := Height(1000 + ewtOut + 18)
	ok := Code(0)
	type change struct {
		htlc   Msat
		expiry Height
		pay    hopPayload
		desk   *desk
		late   func(*HTLCReceived) // changes what arrives
	}
	arrives := func(f func(*HTLCReceived)) func(*change) { return func(c *change) { c.late = f } }
	cases := []struct {
		name string
		off  []rule.ID
		edit func(*change)
		want Code
	}{
		{"as asked", nil, func(c *change) {}, ok},
		{"unknown channel", nil, func(c *change) { c.pay.SCID = 77 }, UnknownNextPeer},
		{"fee one below", nil, func(c *change) { c.htlc-- }, FeeInsufficient},
		{"fee one above", nil, func(c *change) { c.htlc++ }, ok},
		{"more than arrived", nil, func(c *change) { c.pay.Amount = c.htlc + 1 }, FeeInsufficient},
		{"more than there is", nil, func(c *change) { c.pay.Amount = 1<<64 - 1 }, FeeInsufficient},
		{"minimum one below", nil, func(c *change) { c.pay.Amount = 999 }, AmountBelowMinimum},
		{"minimum", nil, func(c *change) { c.pay.Amount = 1000 }, ok},
		{"minimum of the peer", nil, func(c *change) { c.desk.links[1].HTLCMinimum = amount + 1 }, AmountBelowMinimum},
		{"delta one below", nil, func(c *change) { c.expiry = c.pay.Expiry + delta - 1 }, IncorrectCLTVExpiry},
		{"delta without early warning time", nil, func(c *change) { c.expiry = c.pay.Expiry + delta }, IncorrectCLTVExpiry},
		{"the same without PCF-088", []rule.ID{rule.PCF088}, func(c *change) { c.expiry = c.pay.Expiry + delta }, ok},
		{"PCF-088 one below", nil, func(c *change) { c.expiry-- }, IncorrectCLTVExpiry},
		{"PCF-088 one above", nil, func(c *change) { c.expiry++ }, ok},
		{"PCF-099 one below", nil, func(c *change) { c.pay.Expiry, c.expiry = soonest-1, soonest-1+ewtIn+delta }, ExpiryTooSoon},
		{"PCF-099 at the limit", nil, func(c *change) { c.pay.Expiry, c.expiry = soonest, soonest+ewtIn+delta }, ok},
		{"PCF-099 one above", nil, func(c *change) { c.pay.Expiry, c.expiry = soonest+1, soonest+1+ewtIn+delta }, ok},
		{"one below without PCF-099", []rule.ID{rule.PCF099}, func(c *change) { c.pay.Expiry, c.expiry = soonest-1, soonest-1+ewtIn+delta }, ok},
		{"PCF-087 one below", []rule.ID{rule.PCF088, rule.PCF099}, func(c *change) { c.pay.Expiry, c.expiry = 1077, 1117 }, ExpiryTooSoon},
		{"PCF-087 at the limit", []rule.ID{rule.PCF088, rule.PCF099}, func(c *change) { c.pay.Expiry, c.expiry = 1078, 1118 }, ok},
		{"one below without PCF-087", []rule.ID{rule.PCF088, rule.PCF099, rule.PCF087}, func(c *change) { c.pay.Expiry, c.expiry = 1077, 1117 }, ok},
		{"the channel says too late", nil, arrives(func(e *HTLCReceived) { e.Refuse = RefuseExpiry }), ExpiryTooSoon},
		{"the channel says too much", nil, arrives(func(e *HTLCReceived) { e.Refuse = RefuseLimit }), TemporaryChannelFailure},
		{"outside one below", nil, func(c *change) { c.pay.SCID, c.pay.Expiry = 3, 1011 }, ExpiryTooSoon},
		{"outside at the limit", nil, func(c *change) { c.pay.SCID, c.pay.Expiry = 3, 1012 }, ok},
		{"furthest", nil, func(c *change) { c.pay.Expiry, c.expiry = 1000+2016, 9000 }, ok},
		{"too far", nil, func(c *change) { c.pay.Expiry, c.expiry = 1000+2017, 9000 }, ExpiryTooFar},
		{"expiry of everything", nil, func(c *change) { c.pay.Expiry, c.expiry = 1<<32-1, 1<<32-1 }, IncorrectCLTVExpiry},
		{"channel is down", nil, func(c *change) { c.desk.links[1].Up = false }, TemporaryChannelFailure},
		{"just enough", nil, func(c *change) { c.desk.links[1].CanSend = amount }, ok},
		{"too little", nil, func(c *change) { c.desk.links[1].CanSend = amount - 1 }, TemporaryChannelFailure},
		{"channel refuses", nil, func(c *change) { c.desk.refuse = map[wire.ChannelID]bool{channelID(2): true} }, TemporaryChannelFailure},
		{"back where it came from", nil, func(c *change) { c.pay.SCID, c.pay.Expiry = 1, 1400; c.expiry = 2000 }, TemporaryChannelFailure},
		{"path key", nil, arrives(func(e *HTLCReceived) { p := nodeID(5); e.PathKey = &p }), InvalidOnionBlinding},
		{"payment data for a hop", nil, func(c *change) { c.pay.PaymentData = true }, InvalidOnionPayload},
		{"no scid", nil, func(c *change) { c.pay.SCID = 0 }, InvalidOnionPayload},
		{"unknown incoming channel", nil, func(c *change) { c.desk.links = c.desk.links[1:] }, TemporaryNodeFailure},
		{"version", nil, arrives(func(e *HTLCReceived) { e.Onion[0] = 1 }), InvalidOnionVersion},
		{"key", nil, arrives(func(e *HTLCReceived) { e.Onion[1] = 9 }), InvalidOnionKey},
		{"hmac", nil, arrives(func(e *HTLCReceived) { e.Onion[1365] ^= 1 }), InvalidOnionHMAC},
		{"hash", nil, arrives(func(e *HTLCReceived) { e.Hash[0]++ }), InvalidOnionHMAC},
	}
	for _, c := range cases {
		b := newBench(t, lsp, true, rule.Without(c.off...), lspLinks(ewtIn, ewtOut)...)
		x := change{
			htlc: amount + charge, expiry: 1300 + ewtIn + delta, desk: b.desk,
			pay: hopPayload{Amount: amount, Expiry: 1300, SCID: 2},
		}
		c.edit(&x)
		s := hop(t, 0, x.htlc, x.expiry, x.pay)
		if x.late != nil {
			x.late(&s.event)
		}
		b.do(s.event)
		got := ok
		if len(b.desk.commands) > 0 {
			if cmd := b.last(); cmd.code != 0 {
				got = cmd.code
			} else {
				_, f := failureOf(t, s.session, s.nodes, cmd)
				got = f.Code
				if want := forwardData(f.Code, x.htlc, x.pay); !bytes.Equal(f.Data, want) {
					t.Errorf("%s: data %x, want %x", c.name, f.Data, want)
				}
			}
		}
		if (got == ok) != (len(b.desk.added) == 1) || got != c.want {
			t.Errorf("%s: %v and %d HTLCs offered, want %v", c.name, got, len(b.desk.added), c.want)
		}
	}
}

// forwardData is what BOLT 4 asks a failure to carry, without a channel_update.
func forwardData(c Code, in Msat, p hopPayload) []byte {
	none := []byte{0, 0}
	switch c {
	case FeeInsufficient:
		return append(u64(uint64(in)), none...)
	case AmountBelowMinimum:
		return append(u64(uint64(p.Amount)), none...)
	case IncorrectCLTVExpiry:
		return append(u32(uint32(p.Expiry)), none...)
	case ExpiryTooSoon, TemporaryChannelFailure:
		return none
	case InvalidOnionPayload:
		if p.PaymentData {
			return []byte{8, 0, 0}
		}
		return []byte{6, 0, 0}
	}
	return nil
}

// forwarded is a forward that is in flight.
func forwarded(t *testing.T) (*bench, sent) {
	b := newBench(t, lsp, true, rule.Set{}, lspLinks(100, 200)...)
	s := send(t, HTLCKey{channelID(1), 0}, 2_001_200, 1500, Preimage{3}.Hash(), []byte{lsp, other},
		hopPayload{Amount: 2_000_000, Expiry: 1300, SCID: 2}.encode(), hopPayload{Amount: 2_000_000, Expiry: 1300}.encode())
	b.do(s.event)
	if len(b.desk.added) != 1 {
		t.Fatal("not forwarded")
	}
	return b, s
}

// What goes out is what the onion says, with the onion for the next node, and it
// names the HTLC that it forwards.
func TestForwardOffers(t *testing.T) {
	b, s := forwarded(t)
	o := b.desk.added[0]
	if o.channel != channelID(2) || o.add.Amount != 2_000_000 || o.add.Expiry != 1300 || o.add.Hash != s.event.Hash ||
		!bytes.Equal(o.add.Origin[:], HTLCKey{channelID(1), 0}.bytes()) {
		t.Errorf("%+v", o)
	}
	p, err := peel(testKey(other), o.add.Onion, s.event.Hash)
	if err != nil || !p.final {
		t.Errorf("the next node reads %+v, %v", p, err)
	}
}

// The preimage goes upstream at once, in the same step, once; it earns the fee; it
// is given again after a restart until the HTLC is removed, and so is
// announcing the HTLC again.
func TestForwardFulfilled(t *testing.T) {
	b, s := forwarded(t)
	b.restart()
	b.do(s.event)
	if len(b.desk.added) != 1 || len(b.desk.commands) != 0 {
		t.Fatal("forwarded twice")
	}
	b.do(HTLCFulfilled{channelID(2), 0, Preimage{4}})
	if len(b.desk.commands) != 0 {
		t.Fatal("a wrong preimage goes upstream")
	}
	b.do(HTLCFulfilled{channelID(2), 0, Preimage{3}})
	if c := b.last(); c.key != (HTLCKey{channelID(1), 0}) || c.preimage != (Preimage{3}) || !c.forwarded {
		t.Fatalf("%+v", c)
	}
	if n, _ := notice[Forwarded](b); n.Fee != 1200 || n.Out != (HTLCKey{channelID(2), 0}) {
		t.Errorf("%+v", n)
	}
	b.do(HTLCFulfilled{channelID(2), 0, Preimage{3}})
	b.do(HTLCFailed{Channel: channelID(2), ID: 0})
	if len(b.desk.commands) != 0 {
		t.Fatal("a repetition does something")
	}
	b.restart()
	if c := b.last(); c.preimage != (Preimage{3}) || !c.forwarded {
		t.Fatalf("after a restart %+v", c)
	}
	b.do(s.event)
	if c := b.last(); c.preimage != (Preimage{3}) {
		t.Fatalf("announced again %+v", c)
	}
	b.do(HTLCRemoved{channelID(1), 0})
	b.restart()
	if len(b.desk.commands) != 0 || len(b.store) != 1 {
		t.Errorf("%d commands, %d records: only the onion is remembered", len(b.desk.commands), len(b.store))
	}
}

// What downstream says comes out at the payer: its reason under our layer, the
// rest as our own failure, malformed onions with the code and the hash that the
// peer gave.
func TestForwardFailed(t *testing.T) {
	theirs := failure(IncorrectDetails, u64(5), u32(6))
	cases := []struct {
		name string
		off  []rule.ID
		fail HTLCFailed
		from int
		want Failure
	}{
		{"reason", nil, HTLCFailed{}, 1, theirs},
		{"malformed", nil, HTLCFailed{Malformed: &Malformed{SHA: [32]byte{9}, Code: InvalidOnionHMAC}}, 0, failure(InvalidOnionHMAC, append([]byte{9}, make([]byte, 31)...))},
		{"malformed without BADONION", nil, HTLCFailed{Malformed: &Malformed{Code: 5}}, 0, failure(TemporaryChannelFailure)},
		{"on the chain", nil, HTLCFailed{}, 0, failure(PermanentChannelFailure)},
		{"dropped", nil, HTLCFailed{Dropped: true}, 0, failure(TemporaryChannelFailure)},
		{"reason without CHAN-017", []rule.ID{rule.CHAN017}, HTLCFailed{}, 0, failure(PermanentChannelFailure)},
	}
	for _, c := range cases {
		b := newBench(t, lsp, true, rule.Without(c.off...), lspLinks(100, 200)...)
		s := hop(t, 0, 2_001_200, 1500, hopPayload{Amount: 2_000_000, Expiry: 1300, SCID: 2})
		b.do(s.event)
		next, err := peel(testKey(other), b.desk.added[0].add.Onion, s.event.Hash)
		if err != nil {
			t.Fatal(err)
		}
		c.fail.Channel = channelID(2)
		if c.name[:6] == "reason" {
			c.fail.Reason = obfuscate(next.secret, true, theirs.packet())
		}
		b.restart()
		b.do(c.fail)
		from, f := failureOf(t, s.session, s.nodes, b.last())
		if from != c.from || f.Code != c.want.Code || !bytes.Equal(f.Data, c.want.Data) {
			t.Errorf("%s: %v %x from %d", c.name, f.Code, f.Data, from)
		}
		b.do(c.fail)
		if len(b.desk.commands) != 0 {
			t.Errorf("%s: failed twice", c.name)
		}
	}
}

// A client never forwards (CHAN-013), not even what would be fine.
func TestClientDoesNotForward(t *testing.T) {
	for _, c := range []struct {
		rules rule.Set
		want  int
	}{{rule.Set{}, 0}, {rule.Without(rule.CHAN013), 1}} {
		b := newBench(t, lsp, false, c.rules, lspLinks(100, 200)...)
		s := hop(t, 0, 2_001_200, 1500, hopPayload{Amount: 2_000_000, Expiry: 1300, SCID: 2})
		b.do(s.event)
		if len(b.desk.added) != c.want {
			t.Fatalf("%d HTLCs offered, want %d", len(b.desk.added), c.want)
		}
		if c.want == 0 {
			if _, f := failureOf(t, s.session, s.nodes, b.last()); f.Code != UnknownNextPeer {
				t.Errorf("failed with %v", f.Code)
			}
		}
	}
}

// An onion is processed once: a copy in another HTLC is failed whatever became of
// the first, until its expiry has passed; the same HTLC is no copy.
func TestReplay(t *testing.T) {
	b, s := forwarded(t)
	b.restart()
	again := s.event
	again.ID = 1
	b.do(again)
	if c := b.last(); c.code != InvalidOnionHMAC || len(b.desk.added) != 1 {
		t.Fatalf("%+v", c)
	}
	b.height = 1500
	b.do(Block{1500})
	again.ID = 2
	b.do(again)
	if c := b.last(); c.code != InvalidOnionHMAC {
		t.Fatalf("%+v", c)
	}
	b.do(Block{1501})
	again.ID = 3
	b.do(again)
	if c := b.last(); c.reason == nil || len(b.desk.added) != 1 {
		t.Errorf("once it is forgotten the policy refuses it: %+v", c)
	}
}

// When the named channel cannot carry it another with the same peer does, the
// one that can send most, if the early warning times allow it; never another
// peer's, and nothing but the named one when it goes back to its sender.
func TestNonStrictForwarding(t *testing.T) {
	second, third, late := inFactory(12, 200), inFactory(13, 200), inFactory(14, 900)
	second.CanSend, third.CanSend, late.CanSend = 3_000_000, 4_000_000, 5_000_000
	for _, l := range []*Link{&second, &third, &late} {
		l.Peer = nodeID(other)
	}
	b := newBench(t, lsp, true, rule.Set{}, append(lspLinks(100, 200), second, third, late)...)
	b.desk.links[1].CanSend = 0
	b.do(hop(t, 0, 2_001_200, 1500, hopPayload{Amount: 2_000_000, Expiry: 1300, SCID: 2}).event)
	if len(b.desk.added) != 1 || b.desk.added[0].channel != channelID(13) {
		t.Fatalf("%+v", b.desk.added)
	}
	back := inFactory(15, 200)
	back.Peer = nodeID(payer)
	b.desk.links = append(b.desk.links, back, back)
	b.desk.links[6].SCIDs, b.desk.links[6].CanSend = []SCID{50}, 0
	b.desk.links[7].Channel = channelID(16)
	s := hop(t, 1, 2_001_200, 1500, hopPayload{Amount: 2_000_000, Expiry: 1300, SCID: 50})
	b.do(s.event)
	if _, f := failureOf(t, s.session, s.nodes, b.last()); f.Code != TemporaryChannelFailure || len(b.desk.added) != 1 {
		t.Errorf("%v", f.Code)
	}
}

// A received HTLC that is gone takes its circuit with it.
func TestIncomingRemovedFirst(t *testing.T) {
	b, _ := forwarded(t)
	b.do(HTLCRemoved{channelID(1), 0})
	b.do(HTLCFulfilled{channelID(2), 0, Preimage{3}})
	if len(b.desk.commands) != 0 || len(b.r.out) != 0 {
		t.Errorf("%d commands, %d offered HTLCs", len(b.desk.commands), len(b.r.out))
	}
}
