package gen

import (
	"fmt"

	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// What an LSP does wrong, to client 0 unless another one is named.

// wrong is a bad scenario: the reason that is given, and what is at fault.
func wrong(name, after string, n, party int, reason wire.Reason, field string, id rule.ID, run func(w *scene)) scenario {
	guilty := "lsp"
	if party == theLSP {
		guilty = "client"
	}
	return scenario{
		name: "bad-" + name, after: after, n: n, parties: []int{party}, rules: []rule.ID{id}, run: run,
		bad: &vectors.Failure{Kind: slug(reason.String()), Field: field, Rule: id, Guilty: guilty},
	}
}

// kind is a scenario whose fault is answered with something else than an abort.
func (s scenario) kind(kind string) scenario { s.bad.Kind = kind; return s }

// guilty names the clients that the abort names.
func (s scenario) guilty(clients ...int) scenario { s.bad.Signers = clients; return s }

// letting is an LSP that does not keep rules itself.
func (s scenario) letting(ids ...rule.ID) scenario { s.lenient = rule.Without(ids...); return s }

// says is a sentence about it.
func (s scenario) says(comment string) scenario { s.comment = comment; return s }

// alters plants a fault in the first message of its type, from anybody.
func alters[M wire.Ceremony](w *scene, f func(m M)) { altersFrom(w, nil, 0, f) }

// altersFrom plants it in the first message of its type and phase from one of
// some parties.
func altersFrom[M wire.Ceremony](w *scene, from []int, phase uint8, f func(m M)) {
	putsInstead(w, from, phase, func(m M) []wire.Ceremony {
		f(m)
		return []wire.Ceremony{m}
	})
}

// putsInstead has the first such message replaced; the last of what stands in its
// place is what is wrong.
func putsInstead[M wire.Ceremony](w *scene, from []int, phase uint8, f func(m M) []wire.Ceremony) {
	done := false
	w.bend = func(p packet) []wire.Ceremony {
		m, ok := p.m.(M)
		if done || !ok || phaseOf(p.m) != phase || from != nil && p.from != from[0] {
			return []wire.Ceremony{p.m}
		}
		done = true
		list := f(m)
		for _, x := range list[:len(list)-1] {
			w.deliver(packet{p.from, p.to, x})
		}
		w.fault = true
		return list[len(list)-1:]
	}
}

// foreignPoint is a point that no party has.
func foreignPoint(what string) (p wire.Point) {
	copy(p[:], publicKey("conversation "+what, 0))
	return p
}

func foreignID(what string) (id wire.CeremonyID) {
	copy(id[:], publicKey("conversation id "+what, 0)[1:])
	return id
}

// wrongProposals are creations with a wrong proposal.
func wrongProposals() []scenario {
	var out []scenario
	// in bends the proposal of an LSP that lets some rules be. It has no
	// node_keys, which would be a second fault where keys or sets of clients
	// change.
	in := func(name string, reason wire.Reason, field string, id rule.ID, f func(m *wire.Proposal)) {
		out = append(out, wrong("proposal-"+name, "", 2, 0, reason, field, id, func(w *scene) {
			alters(w, func(m *wire.Proposal) {
				m.NodeKeys = nil
				f(m)
			})
			w.creates(psOnly, nil)
		}))
	}
	// aggregates bends node_keys: of everybody and of two groups.
	aggregates := func(name string, f func(m *wire.Proposal)) {
		s := wrong("proposal-node-keys-"+name, "", 3, 0, wire.ReasonKeys, "node_keys", rule.CER047, func(w *scene) {
			alters(w, f)
			w.creates(psThree, nil)
		})
		s.rules = append(s.rules, rule.SIGN020)
		out = append(out, s)
	}
	aggregates("wrong", func(m *wire.Proposal) { m.NodeKeys[2] = m.FactoryKeys[2] })
	aggregates("opposite", func(m *wire.Proposal) { m.NodeKeys[0][0] ^= 1 })
	aggregates("swapped", func(m *wire.Proposal) { m.NodeKeys[1], m.NodeKeys[2] = m.NodeKeys[2], m.NodeKeys[1] })
	aggregates("no-point", func(m *wire.Proposal) { m.NodeKeys[1] = [33]byte{} })
	aggregates("too-few", func(m *wire.Proposal) { m.NodeKeys = m.NodeKeys[:2] })
	aggregates("too-many", func(m *wire.Proposal) { m.NodeKeys = append(m.NodeKeys, m.NodeKeys[0]) })
	// by has the LSP compute a factory that it should not propose.
	by := func(name string, reason wire.Reason, field string, id rule.ID, change func(o *vectors.PartyOrder), off ...rule.ID) {
		out = append(out, wrong("proposal-"+name, "", 2, 0, reason, field, id, func(w *scene) {
			alters(w, func(*wire.Proposal) {})
			w.creates(psOnly, change)
		}).letting(append(off, id)...))
	}
	type set = func(p *vectors.Parameters)
	for _, c := range []struct {
		name, field string
		id          rule.ID
		set         set
	}{
		{"step-1", "parameters", rule.TREE001, func(p *vectors.Parameters) { p.Step, p.ConfirmBlocks = 1, 0 }},
		{"states-1", "parameters", rule.TREE001, func(p *vectors.Parameters) { p.States = 1 }},
		{"states-17", "parameters", rule.TREE001, func(p *vectors.Parameters) { p.States, p.Step = 17, 24 }},
		{"confirm-blocks-37", "parameters", rule.TREE001, func(p *vectors.Parameters) { p.ConfirmBlocks = 37 }},
		{"max-chain-0", "parameters", rule.TREE001, func(p *vectors.Parameters) { p.MaxChain = 0 }},
		{"stock-csv-1009", "parameters", rule.TREE001, func(p *vectors.Parameters) { p.StockCSV = 1009 }},
		{"omission-delay", "parameters", rule.TREE001, func(p *vectors.Parameters) { p.OmissionDelay = 144 }},
		{"to-self-delay-3", "parameters", rule.TREE001, func(p *vectors.Parameters) { p.ToSelfDelay = 3 }},
		{"margin-1009", "parameters", rule.TREE001, func(p *vectors.Parameters) { p.Margin = 1009 }},
		{"active-0", "parameters", rule.TREE001, func(p *vectors.Parameters) { p.Active = 0 }},
		{"step-under-two-confirm-blocks", "parameters", rule.TREE002, func(p *vectors.Parameters) { p.Step = 23 }},
		{"early-warning-time", "parameters", rule.DELAY004, func(p *vectors.Parameters) { p.Step = 288 }},
	} {
		by(c.name, wire.ReasonParameters, c.field, c.id, func(o *vectors.PartyOrder) { c.set(o.Parameters) })
	}
	in("tip-height-above", wire.ReasonParameters, "parameters", rule.TREE003, func(m *wire.Proposal) { m.Parameters.TipHeight += 7; m.Parameters.Expiry += 7 })
	in("tip-height-below", wire.ReasonParameters, "parameters", rule.TREE003, func(m *wire.Proposal) { m.Parameters.TipHeight -= 7; m.Parameters.Expiry -= 7 })
	in("expiry-early", wire.ReasonParameters, "parameters", rule.DELAY005, func(m *wire.Proposal) { m.Parameters.Expiry-- })
	in("expiry-late", wire.ReasonParameters, "parameters", rule.DELAY005, func(m *wire.Proposal) { m.Parameters.Expiry++ })

	in("shape-without-leaf", wire.ReasonShape, "shape", rule.TREE010, func(m *wire.Proposal) { m.Shape.Levels = m.Shape.Levels[:1] })
	in("shape-static-below", wire.ReasonShape, "shape", rule.TREE010, func(m *wire.Proposal) { m.Shape.Levels[0].Kind = 0 })
	in("shape-leaf-kind", wire.ReasonShape, "shape", rule.TREE011, func(m *wire.Proposal) { m.Shape.Leaf = 3 })
	in("shape-small-leaf", wire.ReasonShape, "shape", rule.TREE014, func(m *wire.Proposal) { m.Shape.Levels[1].Arity = 1 })

	in("key-twice", wire.ReasonKeys, "factory_keys", rule.SCRIPT006, func(m *wire.Proposal) { m.FactoryKeys[1] = m.FactoryKeys[0] })
	in("key-of-lsp", wire.ReasonKeys, "factory_keys", rule.SCRIPT006, func(m *wire.Proposal) { m.FactoryKeys[1] = m.LSPFactoryKey })
	in("channel-script-form", wire.ReasonKeys, "channel_scripts", rule.SCRIPT003, func(m *wire.Proposal) { m.ChannelScripts[1][0] = 0x51 })
	in("factory-key", wire.ReasonKeys, "factory_keys", rule.CER011, func(m *wire.Proposal) { m.FactoryKeys[0] = foreignPoint("factory") })
	in("payout-key", wire.ReasonKeys, "owners", rule.CER011, func(m *wire.Proposal) {
		k := foreignPoint("payout")
		copy(m.Owners[0].PayoutKey[:], k[1:])
	})
	in("channel-script", wire.ReasonKeys, "channel_scripts", rule.CER011, func(m *wire.Proposal) { m.ChannelScripts[0][20] ^= 1 })
	in("lsp-channel-key", wire.ReasonKeys, "lsp_channel_key", rule.CER011, func(m *wire.Proposal) { m.LSPChannelKey = foreignPoint("lsp channel") })
	in("client-index", wire.ReasonKeys, "client_index", rule.CER011, func(m *wire.Proposal) { m.ClientIndex = 1 })
	in("path-of-another", wire.ReasonKeys, "client_index", rule.CER011, func(m *wire.Proposal) {
		m.ClientIndex = 1
		m.FactoryKeys[0], m.FactoryKeys[1] = m.FactoryKeys[1], m.FactoryKeys[0]
	})

	in("capacity-less", wire.ReasonAmounts, "owners", rule.CER012, func(m *wire.Proposal) { m.Owners[0].Capacity -= 1_000; m.Owners[1].Capacity += 1_000 })
	in("funding-more", wire.ReasonAmounts, "funding", rule.CER013, func(m *wire.Proposal) { m.Funding.Value++ })
	in("funding-less", wire.ReasonAmounts, "funding", rule.CER013, func(m *wire.Proposal) { m.Funding.Value-- })
	in("owner-missing", wire.ReasonAmounts, "owners", rule.CER013, func(m *wire.Proposal) { m.Owners = m.Owners[:1] })
	in("stock-too-many", wire.ReasonAmounts, "stocks", rule.CER013, func(m *wire.Proposal) { m.Stocks = append(m.Stocks, 50_000) })
	in("channel-script-missing", wire.ReasonAmounts, "channel_scripts", rule.CER013, func(m *wire.Proposal) { m.ChannelScripts = m.ChannelScripts[:1] })
	by("share-of-dust", wire.ReasonAmounts, "stocks", rule.TREE024, func(o *vectors.PartyOrder) { o.Stock = 300 }, rule.DIST005)
	return out
}

// wrongCreations are creations that go wrong after the proposal, and messages
// that belong to none.
func wrongCreations() []scenario {
	var out []scenario
	add := func(s scenario) { out = append(out, s) }
	in := func(name string, reason wire.Reason, field string, id rule.ID, plant func(w *scene)) scenario {
		return wrong(name, "", 2, 0, reason, field, id, func(w *scene) {
			plant(w)
			w.creates(psOnly, nil)
		})
	}
	aggregate := func(name, field string, id rule.ID, f func(m *wire.AggregateNonces)) {
		add(in("aggregate-"+name, wire.ReasonNonces, field, id, func(w *scene) { alters(w, f) }))
	}
	aggregate("too-few", "aggregate_nonces", rule.CER020, func(m *wire.AggregateNonces) { m.Nonces = m.Nonces[1:] })
	aggregate("too-many", "aggregate_nonces", rule.CER020, func(m *wire.AggregateNonces) { m.Nonces = append(m.Nonces, m.Nonces[0]) })
	aggregate("no-point", "aggregate_nonces", rule.SIGN004, func(m *wire.AggregateNonces) { m.Nonces[0][0] = 5 })
	aggregate("half-zero", "aggregate_nonces", rule.SIGN004, func(m *wire.AggregateNonces) { clear(m.Nonces[1][:32]) })

	signature := func(name, field string, id rule.ID, f func(m *wire.Signatures)) {
		add(in("signatures-"+name, wire.ReasonSignature, field, id, func(w *scene) { alters(w, f) }))
	}
	signature("wrong", "signatures", rule.CER022, func(m *wire.Signatures) { m.Signatures[1][40] ^= 1 })
	signature("swapped", "signatures", rule.CER022, func(m *wire.Signatures) { m.Signatures[0], m.Signatures[1] = m.Signatures[1], m.Signatures[0] })
	signature("missing", "signatures", rule.CER022, func(m *wire.Signatures) { m.Signatures = m.Signatures[1:] })
	signature("channel-missing", "channel_signatures", rule.CER022, func(m *wire.Signatures) { m.Channels = nil })
	signature("channel-wrong", "channel_signatures", rule.SIGN007, func(m *wire.Signatures) { m.Channels[0][40] ^= 1 })
	signature("channel-high-s", "channel_signatures", rule.SIGN007, func(m *wire.Signatures) { m.Channels[0] = highS(m.Channels[0]) })

	add(in("unexpected-aggregate", wire.ReasonUnexpected, "type", rule.CER007, func(w *scene) {
		putsInstead(w, nil, 0, func(m *wire.Proposal) []wire.Ceremony {
			return []wire.Ceremony{&wire.AggregateNonces{Attempt: m.Attempt}}
		})
	}))
	add(in("unexpected-signatures", wire.ReasonUnexpected, "type", rule.CER007, func(w *scene) {
		putsInstead(w, nil, 0, func(m *wire.AggregateNonces) []wire.Ceremony {
			return []wire.Ceremony{&wire.Signatures{Attempt: m.Attempt}}
		})
	}))
	add(in("funded-before-signatures", wire.ReasonUnexpected, "type", rule.CER007, func(w *scene) {
		putsInstead(w, nil, 0, func(m *wire.Signatures) []wire.Ceremony { return []wire.Ceremony{&wire.Funded{Attempt: m.Attempt}} })
	}))
	add(in("unexpected-phase", wire.ReasonUnexpected, "phase", rule.CER007, func(w *scene) {
		alters(w, func(m *wire.AggregateNonces) { m.Phase = 1 })
	}))
	add(in("second-proposal", wire.ReasonUnexpected, "type", rule.CER007, func(w *scene) {
		putsInstead(w, nil, 0, func(m *wire.Proposal) []wire.Ceremony { return []wire.Ceremony{m, m} })
	}))
	add(in("second-aggregate", wire.ReasonUnexpected, "type", rule.CER021, func(w *scene) {
		putsInstead(w, nil, 0, func(m *wire.AggregateNonces) []wire.Ceremony {
			again := *m
			again.Nonces = append([][66]byte{m.Nonces[1], m.Nonces[0]}, m.Nonces[2:]...)
			return []wire.Ceremony{m, &again}
		})
	}))
	add(in("equivocation", wire.ReasonSignature, "signatures", rule.CER022, func(w *scene) {
		altered := false
		w.bend = func(p packet) []wire.Ceremony {
			switch m := p.m.(type) {
			case *wire.AggregateNonces:
				m.Nonces[0], m.Nonces[1], altered = m.Nonces[1], m.Nonces[0], true
			case *wire.Abort:
				if altered {
					fake := &wire.Signatures{Attempt: m.Attempt, Signatures: make([][64]byte, 5), Channels: make([][64]byte, 1)}
					for i := range fake.Signatures {
						copy(fake.Signatures[i][:], newSource(fmt.Sprintf("equivocation %d", i)).bytes(64))
					}
					w.fault = true
					return []wire.Ceremony{fake}
				}
			}
			return []wire.Ceremony{p.m}
		}
	}).says("The LSP sends this client other aggregates than the others; the partial signatures do not combine, and it makes something up."))

	add(wrong("silent-lsp", "", 2, 0, wire.ReasonDeadline, "ceremony_proposal", rule.CER033, func(w *scene) {
		w.lose = func(p packet) bool { return p.m.Type() == wire.TypeProposal }
		w.creates(psOnly, nil)
		w.waitsFor(0, 115)
		w.fault = true
		w.waitsFor(0, 5)
	}))
	add(wrong("aggregate-after-reconnect", "", 2, 0, wire.ReasonUnknownCeremony, "ceremony_id", rule.CER031, func(w *scene) {
		w.lose = func(p packet) bool { return p.m.Type() == wire.TypeAggregate }
		w.creates(psOnly, nil)
		w.disconnects(0)
		n := heard[*wire.Nonces](w, theLSP)
		w.says(theLSP, &wire.AggregateNonces{Attempt: n.Attempt, Nonces: n.Nonces})
	}))
	add(wrong("unknown-ceremony", "", 1, 0, wire.ReasonUnknownCeremony, "ceremony_id", rule.CER004, func(w *scene) {
		w.says(theLSP, &wire.Funded{Attempt: wire.Attempt{Ceremony: foreignID("stale")}, Transaction: []byte{1}})
	}))
	add(wrong("stale-attempt", "", 2, 0, wire.ReasonUnknownCeremony, "ceremony_id", rule.CER004, func(w *scene) {
		putsInstead(w, nil, 0, func(m *wire.AggregateNonces) []wire.Ceremony {
			m.Ceremony = foreignID("stale")
			return []wire.Ceremony{m}
		})
		w.creates(psOnly, nil)
	}))
	add(wrong("unknown-abort", "", 1, 0, 0, "ceremony_id", rule.CER005, func(w *scene) {
		w.says(theLSP, &wire.Abort{Attempt: wire.Attempt{Ceremony: foreignID("stale")}, Reason: wire.ReasonRestart})
	}).kind("ignored"))
	add(wrong("second-invitation", "", 2, 0, wire.ReasonBusy, "ceremony_id", rule.CER006, func(w *scene) {
		putsInstead(w, nil, 0, func(m *wire.Proposal) []wire.Ceremony {
			return []wire.Ceremony{&wire.Invite{Attempt: wire.Attempt{Ceremony: foreignID("second")}, Capacity: 20_000}}
		})
		w.creates(psOnly, nil)
	}))
	add(wrong("id-of-a-factory", "create-ps-1", 1, 0, wire.ReasonRefused, "ceremony_id", rule.CER032, func(w *scene) {
		w.says(theLSP, &wire.Invite{Attempt: wire.Attempt{Ceremony: w.factoryID()}, Capacity: 20_000})
	}))
	add(wrong("coin-of-another-attempt", "", 1, 0, wire.ReasonRecorded, "funding", rule.PS011, func(w *scene) {
		w.lose = func(p packet) bool { return p.m.Type() == wire.TypePartials }
		w.creates(psOnly, nil)
		w.lose = nil
		first := heard[*wire.Proposal](w, 0)
		w.disconnects(0)
		w.bend = func(p packet) []wire.Ceremony {
			switch m := p.m.(type) {
			case *wire.Proposal:
				m.Funding = first.Funding
			case *wire.AggregateNonces:
				w.fault = true
			}
			return []wire.Ceremony{p.m}
		}
		w.creates(psOnly, nil)
	}).says("The second attempt is on the funding output of the first, whose kickoff the client has signed; it shows when the client is about to sign."))
	return out
}

// highS is a signature with the other S, which is as valid to ECDSA alone.
func highS(sig [64]byte) [64]byte {
	n := [32]byte(unhex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"))
	borrow := 0
	for i := 31; i >= 0; i-- {
		d := int(n[i]) - int(sig[32+i]) - borrow
		borrow = 0
		if d < 0 {
			d, borrow = d+256, 1
		}
		sig[32+i] = byte(d)
	}
	return sig
}
