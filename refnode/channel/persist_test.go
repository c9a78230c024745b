package channel_test

import (
	"slices"
	"testing"

	"superscalar/refnode/channel"
	"superscalar/wire"
)

// Whatever binds a side is stored before it leaves, also when each input is a
// step of its own.
func TestStoredBeforeSent(t *testing.T) {
	p := opened(t, setting{})
	a, b := p.nodes[0].m, p.nodes[1].m
	take := func(m *channel.Machine, name string) []wire.Message {
		t.Helper()
		acts := m.Take()
		var out []wire.Message
		stored := false
		for _, act := range acts {
			switch act := act.(type) {
			case channel.Persist:
				stored = true
			case channel.Send:
				if !stored && act.Message.Name() == name {
					t.Errorf("%s leaves before it is stored", name)
				}
				out = append(out, act.Message)
			}
		}
		if names := messages(acts); !slices.Contains(names, name) {
			t.Fatalf("sent %v, want %s", names, name)
		}
		return out
	}
	to := func(m *channel.Machine, msgs []wire.Message) {
		for _, msg := range msgs {
			m.Receive(msg)
		}
	}
	_, err := a.Add(channel.AddHTLC{Amount: 5_000_000, Hash: p.hash(), Expiry: 1000, Onion: make([]byte, 1366)})
	p.must(err)
	to(b, take(a, "update_add_htlc"))
	a.Commit()
	to(b, take(a, "commitment_signed"))
	to(a, take(b, "revoke_and_ack"))
	a.Take()
	b.Commit()
	to(a, take(b, "commitment_signed"))
	to(b, take(a, "revoke_and_ack"))
	if _, stored := find[channel.Persist](b.Take()); !stored {
		t.Error("a revoke_and_ack of the peer is not stored")
	}
	p.must(b.Fail(0, []byte("no")))
	to(a, take(b, "update_fail_htlc"))
	p.must(a.Shutdown(nil))
	b.Commit()
	to(a, take(b, "commitment_signed"))
	to(b, take(a, "revoke_and_ack"))
	b.Take()
	a.Commit()
	to(b, take(a, "commitment_signed"))
	to(a, take(b, "revoke_and_ack"))
}

// The same for the steps of a change, each with what the plugin says.
func TestChangeStoredBeforeSent(t *testing.T) {
	p := opened(t, setting{})
	txid := p.changeTo(committed)
	m := p.nodes[0].m
	first := func(what string) {
		t.Helper()
		acts := m.Take()
		if len(acts) == 0 {
			t.Fatalf("%s does nothing", what)
		}
		if _, stored := acts[0].(channel.Persist); !stored {
			t.Errorf("%s: first %T, want the state stored", what, acts[0])
		}
	}
	p.must(m.ChangePending())
	first("ChangePending")
	p.must(m.ChangeStored())
	first("ChangeStored")
	p.inject(0, &wire.ChangeContinue{Outpoint: wire.ChangeOutpoint{ChannelID: m.ChannelID(), FundingTxid: txid, FundingOutputIndex: 2}})
	p.must(m.Lock(txid))
	first("Lock")
}
