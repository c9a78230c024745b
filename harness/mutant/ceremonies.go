package mutant

import (
	"superscalar/refnode/peer"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// ceremonies are mutants of the factory side that take more than one check off,
// or that say something else than they should.
func ceremonies() []Mutant {
	return []Mutant{
		{
			ID: "TREE-024", Rule: rule.TREE024, Breaks: "takes stocks whose shares are dust", Want: "did not refuse it",
			Rules: rule.Without(rule.TREE024, rule.DIST005),
		},
		{
			ID: "TREE-010", Rule: rule.TREE010, Breaks: "takes any order of levels", Want: "did not refuse it",
			Rules: rule.Without(rule.TREE010, rule.TREE014),
		},
		says("CER-010", rule.CER010, "sends partial signatures for something else", "", func(m *wire.Partials) []wire.Ceremony {
			m.Partials[0][31] ^= 1
			return []wire.Ceremony{m}
		}),
		says("CER-010/lsp", rule.CER010, "proposes another factory than it signs", "", func(m *wire.Proposal) []wire.Ceremony {
			m.Funding.Txid[0] ^= 1
			return []wire.Ceremony{m}
		}),
		{ID: "SIGN-021", Rule: rule.SIGN021, Breaks: "sends aggregates in another order", Want: "node_keys for client", Rules: rule.Without(rule.SIGN021), Vectors: true},
		says("SIGN-021/wrong", rule.SIGN021, "sends one wrong aggregate to client 0", "node_keys for client 0", func(m *wire.Proposal) []wire.Ceremony {
			if m.ClientIndex == 0 && len(m.NodeKeys) > 1 {
				m.NodeKeys[len(m.NodeKeys)-1] = m.NodeKeys[0]
			}
			return []wire.Ceremony{m}
		}),
		{ID: "CER-021", Rule: rule.CER021, Breaks: "signs again for a second aggregate", Want: "are sent once", Tamper: signsAgain},
		says("POI-001", rule.POI001, "signs no poison", "", func(m *wire.Nonces) []wire.Ceremony {
			if m.Phase == 2 {
				return nil
			}
			return []wire.Ceremony{m}
		}),
		{ID: "PS-012", Rule: rule.PS012, Breaks: "sends the nonces of the first attempt again", Want: "each nonce is fresh", Tamper: repeatsNonces},
		says("DIST-007", rule.DIST007, "hands out no signatures on channel outputs", "", func(m *wire.Signatures) []wire.Ceremony {
			m.Channels = nil
			return []wire.Ceremony{m}
		}),
		{ID: "DIST-001", Rule: rule.DIST001, Breaks: "signs no distributions", Rules: rule.Without(rule.DIST001)},
	}
}

// says is a mutant that alters one kind of ceremony message on its way out.
func says[M wire.Ceremony](id string, r rule.ID, breaks, want string, f func(M) []wire.Ceremony) Mutant {
	bend := ceremonyOut(func(m wire.Ceremony) []wire.Ceremony {
		if x, ok := m.(M); ok {
			return f(x)
		}
		return []wire.Ceremony{m}
	})
	return Mutant{ID: id, Rule: r, Breaks: breaks, Want: want, Tamper: func() peer.Tamper { return peer.Tamper{Out: bend} }}
}

// signsAgain sends its last partial signatures again where an honest client
// ends the attempt because of a second aggregate.
func signsAgain() peer.Tamper {
	var last *wire.Partials
	return peer.Tamper{Out: ceremonyOut(func(m wire.Ceremony) []wire.Ceremony {
		switch m := m.(type) {
		case *wire.Partials:
			last = m
		case *wire.Abort:
			if m.Reason == wire.ReasonUnexpected && last != nil {
				return []wire.Ceremony{last}
			}
		}
		return []wire.Ceremony{m}
	})}
}

// repeatsNonces sends the nonces of an earlier message of the same phase and
// number again.
func repeatsNonces() peer.Tamper {
	first := map[[2]int][][66]byte{}
	return peer.Tamper{Out: ceremonyOut(func(m wire.Ceremony) []wire.Ceremony {
		x, ok := m.(*wire.Nonces)
		if !ok {
			return []wire.Ceremony{m}
		}
		key := [2]int{int(x.Phase), len(x.Nonces)}
		if old := first[key]; old != nil {
			x.Nonces = old
		} else {
			first[key] = x.Nonces
		}
		return []wire.Ceremony{x}
	})}
}

// ceremonyOut alters ceremony messages inside their envelopes.
func ceremonyOut(f func(wire.Ceremony) []wire.Ceremony) func(wire.Message) []wire.Message {
	var codec wire.Codec
	return func(m wire.Message) []wire.Message {
		p, ok := m.(*wire.Piggyback)
		if !ok || p.ProtocolID != codec.SuperScalarID() {
			return []wire.Message{m}
		}
		c, err := codec.DecodeCeremony(p.Payload)
		if err != nil || c == nil {
			return []wire.Message{m}
		}
		var out []wire.Message
		for _, y := range f(c) {
			if payload, err := codec.EncodeCeremony(y); err == nil {
				out = append(out, &wire.Piggyback{ProtocolID: p.ProtocolID, Payload: payload})
			}
		}
		return out
	}
}
