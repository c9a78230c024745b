package payment

import (
	"testing"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// A forwarded HTLC whose outgoing one has no end is failed in the three blocks before its
// sender leaves for the chain (CHAN-040): neither before, nor when that is too late, nor on a
// channel that is on its way to the chain, nor at the first sight of it after a start.
func TestAForwardWithoutAnEnd(t *testing.T) {
	const ewt, expiry = 100, 1500 // the sender leaves at block 1,400
	blocks := func(from, to Height) (all []Height) {
		for h := from; h <= to; h++ {
			all = append(all, h)
		}
		return all
	}
	for _, c := range []struct {
		name    string
		off     []rule.ID
		heights []Height
		edit    func(*bench)
		want    Height // at which it is failed; 0: never
	}{
		{"block by block", nil, blocks(1390, 1410), nil, 1397},
		{"the blocks come together", nil, []Height{1390, 1398, 1399, 1400}, nil, 1399},
		{"too late", nil, []Height{1390, 1400, 1401, 1450}, nil, 0},
		{"the sight of it is too late", nil, []Height{1390, 1399, 1400}, nil, 0},
		{"the same block twice", nil, []Height{1390, 1398, 1398}, nil, 0},
		{"a reorganisation", nil, []Height{1396, 1395, 1396, 1397}, nil, 1397},
		{"the channel has failed", nil, blocks(1390, 1410), func(b *bench) { b.desk.links[0].Failed = true }, 0},
		{"the channel shuts down", nil, blocks(1390, 1410), func(b *bench) { b.desk.links[0].Receives = false }, 1397},
		{"on no commitment: the preimage may still come", nil, blocks(1390, 1410), func(b *bench) { b.desk.links[1].InFactory, b.desk.links[1].Untrimmed = true, 1_000_001 }, 0},
		{"the least that is on a commitment", nil, blocks(1390, 1410), func(b *bench) { b.desk.links[1].InFactory, b.desk.links[1].Untrimmed = true, 1_000_000 }, 1397},
		{"on no commitment of a channel that has failed", nil, blocks(1390, 1410), func(b *bench) {
			b.desk.links[1].InFactory, b.desk.links[1].Untrimmed, b.desk.links[1].Failed = true, 1_000_001, true
		}, 1397},
		{"outside a factory it ends on the chain", nil, blocks(1390, 1410), func(b *bench) { b.desk.links[1].Untrimmed, b.desk.links[1].InFactory = 1_000_001, false }, 1397},
		{"its end is known", nil, blocks(1390, 1410), func(b *bench) { b.do(HTLCFulfilled{channelID(2), 0, Preimage{7}}) }, 0},
		{"outside", nil, blocks(1490, 1510), func(b *bench) { b.desk.links[0].EarlyWarning = 0 }, 1497},
		{"without the rule", []rule.ID{rule.CHAN040}, blocks(1390, 1410), nil, 0},
	} {
		b := newBench(t, lsp, true, rule.Without(c.off...), lspLinks(ewt, 0)...)
		hash := Preimage{7}.Hash()
		s := send(t, HTLCKey{channelID(1), 0}, 1_100_000, expiry, hash, []byte{lsp, other}, hopPayload{Amount: 1_000_000, Expiry: 1300, SCID: 2}.encode(), hopPayload{Amount: 1, Expiry: 1}.encode())
		b.do(s.event)
		if len(b.desk.added) != 1 {
			t.Fatalf("%s: the HTLC is not forwarded", c.name)
		}
		if c.edit != nil {
			c.edit(b)
		}
		b.height = c.heights[0]
		b.restart()
		b.do(Looked{})
		b.desk.commands = nil
		got := Height(0)
		for _, h := range c.heights[1:] {
			b.do(Block{h})
			if len(b.desk.commands) > 0 {
				t.Fatalf("%s: failed at %d, before the chain was looked at", c.name, h)
			}
			b.do(Looked{})
			if len(b.desk.commands) > 0 {
				got = h
				break
			}
		}
		if got != c.want {
			t.Errorf("%s: failed at %d, want %d", c.name, got, c.want)
		}
		if got == 0 {
			continue
		}
		if _, f := failureOf(t, s.session, s.nodes, b.last()); f.Code != PermanentChannelFailure {
			t.Errorf("%s: failed with %v", c.name, f.Code)
		}
		b.desk.commands = nil
		b.do(HTLCFulfilled{channelID(2), 0, Preimage{7}}) // too late for this node
		b.do(HTLCFailed{Channel: channelID(2), ID: 0})
		b.do(Block{got + 1})
		b.do(Looked{})
		if len(b.desk.commands) != 0 {
			t.Errorf("%s: an HTLC that was failed is resolved again", c.name)
		}
	}
}

// What became of a forwarded HTLC is not known when the node could not look after its outgoing
// channel: the preimage may be in a block. It stays, and every other one is failed (CHAN-040).
func TestAForwardWhoseEndCannotBeLookedFor(t *testing.T) {
	in, out := channelID(1), channelID(2)
	for _, c := range []struct {
		name   string
		except []wire.ChannelID
		want   bool // it is failed
	}{
		{"every channel was looked after", nil, true},
		{"the outgoing one was not", []wire.ChannelID{channelID(9), out}, false},
		{"the incoming one was not", []wire.ChannelID{in}, true},
		{"another one was not", []wire.ChannelID{channelID(9)}, true},
	} {
		b := newBench(t, lsp, true, rule.Set{}, lspLinks(100, 0)...)
		s := send(t, HTLCKey{in, 0}, 1_100_000, 1500, Preimage{7}.Hash(), []byte{lsp, other}, hopPayload{Amount: 1_000_000, Expiry: 1300, SCID: 2}.encode(), hopPayload{Amount: 1, Expiry: 1}.encode())
		b.do(s.event)
		b.desk.links[1].Failed = true
		b.desk.commands = nil
		for h := Height(1396); h <= 1398; h++ {
			b.do(Block{h})
			b.do(Looked{Except: c.except})
		}
		if got := len(b.desk.commands) > 0; got != c.want {
			t.Errorf("%s: failed %v, want %v", c.name, got, c.want)
		}
		if c.want {
			continue
		}
		b.do(Looked{}) // at the same block: nothing more to wait for
		if len(b.desk.commands) == 0 {
			t.Errorf("%s: not failed once it was looked after", c.name)
		}
	}
}
