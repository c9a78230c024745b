package mutant

import (
	"slices"
	"sync"

	"superscalar/refnode/node"
	"superscalar/refnode/peer"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// refuses makes a mutant that is stricter than a rule allows: it closes the
// connection on an incoming message for which f says so.
func refuses[M wire.Message](id string, r rule.ID, breaks, want string, f func(M) bool) Mutant {
	return Mutant{ID: id, Rule: r, Breaks: breaks, Want: want, Tamper: func() peer.Tamper {
		return peer.Tamper{In: func(raw []byte) bool {
			m, err := wire.Codec{}.Decode(raw)
			x, ok := m.(M)
			return err != nil || !ok || !f(x)
		}}
	}}
}

// remembers makes a mutant that refuses temporary ids it has seen on another
// connection.
func remembers(id string, r rule.ID, breaks string) Mutant {
	var mu sync.Mutex
	seen := map[wire.ChannelID]int{} // id -> the connection that used it
	connections := 0
	return Mutant{ID: id, Rule: r, Breaks: breaks, Want: "did not come", Tamper: func() peer.Tamper {
		mu.Lock()
		defer mu.Unlock()
		connections++
		self := connections
		return peer.Tamper{In: func(raw []byte) bool {
			m, err := wire.Codec{}.Decode(raw)
			open, ok := m.(*wire.OpenChannel)
			if err != nil || !ok {
				return true
			}
			mu.Lock()
			defer mu.Unlock()
			if _, used := seen[open.TemporaryChannelID]; !used {
				seen[open.TemporaryChannelID] = self
			}
			return seen[open.TemporaryChannelID] == self
		}}
	}}
}

// odd reports whether a message has records its reader does not know.
func odd(s wire.Stream) bool { return len(s) > 0 }

// strict are mutants that refuse what has to be accepted.
func strict() []Mutant {
	closes := "closed the connection without a word"
	return []Mutant{
		refuses("TRN-063/strict", rule.TRN063, "refuses a peer that works on several chains", closes, func(m *wire.Init) bool {
			return slices.ContainsFunc(m.Networks, func(h [32]byte) bool { return h != node.Regtest })
		}),
		refuses("TRN-066", rule.TRN066, "refuses an init with unknown odd records", closes, func(m *wire.Init) bool { return odd(m.Extra) }),
		refuses("PCF-014/piggyback", rule.PCF014, "refuses a piggyback with unknown odd records", closes, func(m *wire.Piggyback) bool { return odd(m.Extra) }),
		refuses("PCF-014/init", rule.PCF014, "refuses a factory_change_init with unknown odd records", closes, func(m *wire.ChangeInit) bool { return odd(m.Extra) }),
		refuses("PCF-014/ack", rule.PCF014, "refuses a factory_change_ack with unknown odd records", closes, func(m *wire.ChangeAck) bool { return odd(m.Extra) }),
		refuses("PCF-014/funding", rule.PCF014, "refuses a factory_change_funding with unknown odd records", closes, func(m *wire.ChangeFunding) bool { return odd(m.Extra) }),
		refuses("PCF-014/continue", rule.PCF014, "refuses a factory_change_continue with unknown odd records", closes, func(m *wire.ChangeContinue) bool { return odd(m.Extra) }),
		refuses("PCF-014/locked", rule.PCF014, "refuses a factory_change_locked with unknown odd records", closes, func(m *wire.ChangeLocked) bool { return odd(m.Extra) }),
		refuses("PCF-014/abort", rule.PCF014, "refuses a factory_change_abort with unknown odd records", closes, func(m *wire.ChangeAbort) bool { return odd(m.Extra) }),
		remembers("PCF-077", rule.PCF077, "refuses a temporary_channel_id used on an earlier connection"),
		remembers("PCF-078", rule.PCF078, "refuses a temporary_channel_id that another peer uses"),
		refuses("PCF-065/strict", rule.PCF065, "refuses an early warning time above 1,000 blocks", "did not come", func(m *wire.OpenChannel) bool {
			return m.ChannelInFactory != nil && m.ChannelInFactory.EarlyWarningTime > 1000
		}),
		refuses("PCF-065/zero-fee", rule.PCF065, "refuses commitments without a fee that it offers", "did not come", func(m *wire.OpenChannel) bool {
			return m.ChannelType.Bit(wire.FeatureZeroFee)
		}),
		refuses("PCF-074/strict", rule.PCF074, "refuses every accept_channel", closes, func(*wire.AcceptChannel) bool { return true }),
	}
}

// parts are mutants that lose one part of a rule that has several.
func parts() []Mutant {
	var out []Mutant
	for _, name := range []rule.ID{
		"chain-hash", "no-channel-type", "large-channel", "push-msat", "to-self-delay", "max-accepted-htlcs",
		"feerate-0", "feerate-huge", "dust-above-reserve", "dust-353", "all-pushed", "all-in-reserve",
		"zero-fee-htlcs", "zero-fee-feerate",
	} {
		id := rule.PCF072 + "/" + name
		out = append(out, Mutant{ID: string(id), Rule: rule.PCF072, Breaks: "opens a channel that breaks BOLT 2: " + string(name),
			Rules: rule.Without(id), Want: "answered with accept_channel"})
	}
	return out
}

// computed are mutants of what is computed: vectors kill them.
func computed() []Mutant {
	var out []Mutant
	for _, q := range rule.Embedded().Requirements {
		if q.Check == rule.ByVector {
			out = append(out, Mutant{ID: string(q.ID), Rule: q.ID, Breaks: "computes it wrong: " + q.Text, Rules: rule.Without(q.ID)})
		}
	}
	return out
}
