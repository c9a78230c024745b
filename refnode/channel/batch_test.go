package channel_test

import (
	"testing"

	"superscalar/refnode/channel"
	"superscalar/wire"
)

// A batch is one start_batch and one commitment_signed for each output;
// everything else about it has a reaction (PCF-130 to PCF-136).
func TestBatches(t *testing.T) {
	kind := uint16(132)
	other := uint16(133)
	for _, c := range []struct {
		name  string
		stage int
		msgs  func(p *pair, good []*wire.CommitmentSigned, id wire.ChannelID) []wire.Message
		want  string
		acks  int
	}{
		{"as it should be", continued, func(_ *pair, g []*wire.CommitmentSigned, id wire.ChannelID) []wire.Message {
			return []wire.Message{&wire.StartBatch{ChannelID: id, BatchSize: 2, MessageType: &kind}, g[0], g[1]}
		}, "nothing", 1},
		{"in another order", continued, func(_ *pair, g []*wire.CommitmentSigned, id wire.ChannelID) []wire.Message {
			return []wire.Message{&wire.StartBatch{ChannelID: id, BatchSize: 2, MessageType: &kind}, g[1], g[0]}
		}, "nothing", 1},
		{"more than 20", continued, func(_ *pair, _ []*wire.CommitmentSigned, id wire.ChannelID) []wire.Message {
			return []wire.Message{&wire.StartBatch{ChannelID: id, BatchSize: 21, MessageType: &kind}}
		}, "warn", 0},
		{"one twice", continued, func(_ *pair, g []*wire.CommitmentSigned, id wire.ChannelID) []wire.Message {
			return []wire.Message{&wire.StartBatch{ChannelID: id, BatchSize: 2, MessageType: &kind}, g[0], g[0]}
		}, "fail", 0},
		{"without funding_txid", continued, func(_ *pair, g []*wire.CommitmentSigned, id wire.ChannelID) []wire.Message {
			bare := *g[1]
			bare.FundingTxid = nil
			return []wire.Message{&wire.StartBatch{ChannelID: id, BatchSize: 2, MessageType: &kind}, g[0], &bare}
		}, "fail", 0},
		{"of another channel", continued, func(_ *pair, g []*wire.CommitmentSigned, id wire.ChannelID) []wire.Message {
			alien := *g[1]
			alien.ChannelID = fill(9)
			return []wire.Message{&wire.StartBatch{ChannelID: id, BatchSize: 2, MessageType: &kind}, g[0], &alien}
		}, "warn", 0},
		{"broken by a ping's cousin", continued, func(p *pair, g []*wire.CommitmentSigned, id wire.ChannelID) []wire.Message {
			return []wire.Message{&wire.StartBatch{ChannelID: id, BatchSize: 2, MessageType: &kind}, g[0], base(p.nodes[0].m, 134, uint32(300))}
		}, "warn", 0},
		{"of another type", continued, func(_ *pair, g []*wire.CommitmentSigned, id wire.ChannelID) []wire.Message {
			return []wire.Message{&wire.StartBatch{ChannelID: id, BatchSize: 2, MessageType: &other}, g[0]}
		}, "fail", 0}, // ignored, and the single one is none (PCF-133)
		{"size 1 for one output", locked, func(_ *pair, g []*wire.CommitmentSigned, id wire.ChannelID) []wire.Message {
			return []wire.Message{&wire.StartBatch{ChannelID: id, BatchSize: 1, MessageType: &kind}, g[0]}
		}, "nothing", 1},
		{"without a type for one output", locked, func(_ *pair, g []*wire.CommitmentSigned, id wire.ChannelID) []wire.Message {
			return []wire.Message{&wire.StartBatch{ChannelID: id, BatchSize: 2}, g[0]}
		}, "nothing", 1},
		{"for an output that is none any more", locked, func(_ *pair, g []*wire.CommitmentSigned, id wire.ChannelID) []wire.Message {
			old := *g[0]
			txid := wire.Txid(fill(0xf0))
			old.FundingTxid = &txid
			return []wire.Message{&wire.StartBatch{ChannelID: id, BatchSize: 2, MessageType: &kind}, &old, g[0]}
		}, "nothing", 1},
		{"only for an output that is none any more", locked, func(_ *pair, g []*wire.CommitmentSigned, id wire.ChannelID) []wire.Message {
			old := *g[0]
			txid := wire.Txid(fill(0xf0))
			old.FundingTxid = &txid
			return []wire.Message{&wire.StartBatch{ChannelID: id, BatchSize: 2, MessageType: &kind}, &old, &old}
		}, "fail", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := opened(t, setting{})
			p.changeTo(c.stage)
			p.honest = false
			m := p.nodes[1].m
			_, err := m.Add(channel.AddHTLC{Amount: 5_000_000, Hash: p.hash(), Expiry: 1000, Onion: make([]byte, 1366)})
			p.must(err)
			m.Commit()
			var good []*wire.CommitmentSigned
			var acts []channel.Action
			for _, a := range m.Take() {
				s, ok := a.(channel.Send)
				if !ok {
					continue
				}
				switch msg := s.Message.(type) {
				case *wire.CommitmentSigned:
					good = append(good, msg)
				case *wire.Base:
					p.inject(0, msg)
				}
			}
			for _, msg := range c.msgs(p, good, m.ChannelID()) {
				acts = append(acts, p.inject(0, msg)...)
			}
			got, text := reaction(acts)
			if got != c.want {
				t.Fatalf("%s: %s, want %s", got, text, c.want)
			}
			if n := count(prefixed(messages(acts)), "revoke_and_ack"); n != c.acks {
				t.Errorf("%d revoke_and_ack, want %d", n, c.acks)
			}
		})
	}
}

func prefixed(names []string) (out []string) {
	for _, n := range names {
		out = append(out, "node: "+n)
	}
	return out
}
