package gen

import (
	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// wrongChanges are updates and poison that an LSP should not propose.
func wrongChanges() []scenario {
	var out []scenario
	in := func(name string, reason wire.Reason, field string, id rule.ID, f func(m *wire.Update)) {
		out = append(out, wrong("update-"+name, "create-dw-2", 2, 0, reason, field, id, func(w *scene) {
			alters(w, f)
			w.updates(0, 5_000)
		}))
	}
	later := func(name, after string, reason wire.Reason, field string, id rule.ID, run func(w *scene)) {
		out = append(out, wrong(name, after, 2, 0, reason, field, id, run))
	}
	in("capacity-more", wire.ReasonAmounts, "capacities", rule.CER043, func(m *wire.Update) { m.Capacities[0]++ })
	in("stock-less", wire.ReasonAmounts, "stocks", rule.CER043, func(m *wire.Update) { m.Stocks[0]-- })
	in("capacity-shrinks", wire.ReasonAmounts, "capacities", rule.PS005, func(m *wire.Update) { m.Capacities[1] -= 37; m.Capacities[0] += 37 })
	in("capacities-missing", wire.ReasonAmounts, "capacities", rule.CER013, func(m *wire.Update) { m.Capacities = m.Capacities[:1] })
	in("remaining-of-creation", wire.ReasonRecorded, "remaining", rule.DELAY002, func(m *wire.Update) { m.Remaining = 3 })
	in("remaining-above", wire.ReasonRecorded, "remaining", rule.DELAY002, func(m *wire.Update) { m.Remaining = 200 })
	in("unknown-factory", wire.ReasonRefused, "factory", rule.CER041, func(m *wire.Update) { m.Factory[0] ^= 1 })
	in("channel-script", wire.ReasonKeys, "channel_scripts", rule.CER011, func(m *wire.Update) { m.ChannelScripts[0][20] ^= 1 })
	in("stock-of-dust", wire.ReasonAmounts, "stocks", rule.TREE024, func(m *wire.Update) { m.Capacities[0] += m.Stocks[0] - 600; m.Stocks[0] = 600 })

	later("update-remaining-again", "update-dw-2", wire.ReasonRecorded, "remaining", rule.DELAY002, func(w *scene) {
		alters(w, func(m *wire.Update) { m.Remaining = 2 })
		w.updates(0, 5_000)
	})
	later("update-before-poison", "interrupted-update-poison", wire.ReasonRecorded, "node", rule.POI006, func(w *scene) {
		w.says(theLSP, another(w, 1))
	})
	later("poison-of-live-leaf", "create-dw-2", wire.ReasonRefused, "node", rule.POI002, func(w *scene) {
		w.says(theLSP, &wire.Poison{Attempt: wire.Attempt{Ceremony: foreignID("poison")}, Factory: w.factoryID(), Node: wire.NodeRecord{Level: 1}})
	})
	later("update-while-sale-is-hidden", "hidden-sale", wire.ReasonRecorded, "factory", rule.POI009, func(w *scene) {
		w.says(theLSP, another(w, 2))
	})
	later("update-kickoff-out", "create-dw-2", wire.ReasonChain, "node", rule.DELAY006, func(w *scene) {
		w.chainOf(0, startHeight+1, w.kickoff())
		alters(w, func(*wire.Update) {})
		w.updates(0, 5_000)
	})
	later("update-of-unfunded-factory", "create-dw-2", wire.ReasonChain, "factory", rule.CER044, func(w *scene) {
		w.unfunded(0)
		alters(w, func(*wire.Update) {})
		w.updates(0, 5_000)
	})
	later("update-at-exit-height", "create-dw-2", wire.ReasonChain, "factory", rule.DELAY007, func(w *scene) {
		w.chainOf(0, int(w.exitHeight()))
		alters(w, func(*wire.Update) {})
		w.updates(0, 5_000)
	})
	later("poison-kickoff-out", "create-dw-2", wire.ReasonChain, "node", rule.POI008, func(w *scene) {
		altersFrom(w, nil, 2, func(*wire.AggregateNonces) {})
		plant := w.bend
		w.bend = func(p packet) []wire.Ceremony {
			list := plant(p)
			if w.fault {
				w.fault = false
				w.chainOf(0, startHeight+1, w.kickoff())
				w.fault = true
			}
			return list
		}
		w.updates(0, 5_000)
	})
	for phase := range uint8(3) {
		later("update-signature-wrong-"+string('0'+rune(phase)), "create-dw-2", wire.ReasonSignature, "signatures", rule.CER022, func(w *scene) {
			altersFrom(w, nil, phase, func(m *wire.Signatures) { m.Signatures[0][40] ^= 1 })
			w.updates(0, 5_000)
		})
	}
	later("update-channel-signature-missing", "create-dw-2", wire.ReasonSignature, "channel_signatures", rule.CER022, func(w *scene) {
		alters(w, func(m *wire.Signatures) { m.Channels = nil })
		w.updates(0, 5_000)
	})
	later("update-state-before-what-is-below", "create-dw-2", wire.ReasonUnexpected, "phase", rule.CER007, func(w *scene) {
		altersFrom(w, nil, 0, func(m *wire.AggregateNonces) { m.Phase = 1 })
		w.updates(0, 5_000)
	})
	later("update-second-aggregate", "create-dw-2", wire.ReasonUnexpected, "type", rule.CER021, func(w *scene) {
		putsInstead(w, nil, 1, func(m *wire.AggregateNonces) []wire.Ceremony { return []wire.Ceremony{m, m} })
		w.updates(0, 5_000)
	})
	later("update-in-an-attempt", "create-dw-2", wire.ReasonBusy, "ceremony_id", rule.CER006, func(w *scene) {
		putsInstead(w, nil, 0, func(m *wire.AggregateNonces) []wire.Ceremony { return []wire.Ceremony{another(w, 1)} })
		w.updates(0, 5_000)
	})
	return out
}

// another is an update like the last one that client 0 heard of, in a new
// attempt, or else one of the leaf of the first two clients.
func another(w *scene, remaining uint8) *wire.Update {
	m := &wire.Update{
		Factory: w.factoryID(), Node: wire.NodeRecord{Level: 1}, Remaining: remaining,
	}
	tree := w.lsp().station.lsp.Factories()[0].Tree()
	var total uint64
	for c := range w.n {
		channel := tree.Channels(clientIndex(c))[0]
		m.Capacities = append(m.Capacities, uint64(tree.Capacities(clientIndex(c))))
		m.ChannelScripts = append(m.ChannelScripts, channel.Channel.Script)
		total += m.Capacities[c]
	}
	m.Stocks = []uint64{uint64(tree.Factory().Value()) - total}
	m.Ceremony = foreignID("another update")
	return m
}

// exitHeight is the height at which the LSP leaves.
func (w *scene) exitHeight() uint32 {
	t := w.lsp().station.lsp.Factories()[0].Tree().Factory().Terms()
	return uint32(t.Params.ExitHeight(t.Shape))
}

// wrongSales are sales that an LSP should not propose.
func wrongSales() []scenario {
	var out []scenario
	later := func(name, after string, party int, reason wire.Reason, field string, id rule.ID, run func(w *scene)) scenario {
		return wrong("sale-"+name, after, 2, party, reason, field, id, run)
	}
	add := func(s scenario) { out = append(out, s) }
	once := func(name, after string, run func(w *scene)) {
		out = append(out, scenario{name: name, after: after, n: 2, parties: []int{0, 1, theLSP}, rules: []rule.ID{rule.PS001}, run: run})
	}
	once("create-ps-2-max-chain-1", "", func(w *scene) {
		w.creates(psOnly, func(o *vectors.PartyOrder) { o.Parameters.MaxChain = 1 })
	})
	out[len(out)-1].rules = []rule.ID{rule.CER010, rule.DIST001}
	once("sale-ps-2-max-chain-1", "create-ps-2-max-chain-1", func(w *scene) { w.sells(0, 20_000) })

	in := func(name string, reason wire.Reason, field string, id rule.ID, f func(m *wire.Sale)) {
		add(later(name, "create-ps-2", 0, reason, field, id, func(w *scene) {
			alters(w, f)
			w.sells(0, 20_000)
		}))
	}
	other := func(name string, reason wire.Reason, field string, id rule.ID, f func(m *wire.Sale)) {
		add(later(name, "create-ps-2", 1, reason, field, id, func(w *scene) {
			alters(w, f)
			w.sells(0, 20_000)
		}))
	}
	in("less-than-agreed", wire.ReasonAmounts, "amount", rule.CER012, func(m *wire.Sale) { m.Amount -= 1_000 })
	in("channel-script", wire.ReasonKeys, "channel_script", rule.CER011, func(m *wire.Sale) { m.ChannelScript[20] ^= 1 })
	in("lsp-channel-key", wire.ReasonKeys, "lsp_channel_key", rule.CER011, func(m *wire.Sale) { m.LSPChannelKey = foreignPoint("sold") })
	other("unknown-factory", wire.ReasonRefused, "factory", rule.CER041, func(m *wire.Sale) { m.Factory[0] ^= 1 })
	other("sales-before", wire.ReasonAmounts, "stock", rule.PS001, func(m *wire.Sale) { m.Before = 1 })
	other("more-than-stock", wire.ReasonAmounts, "amount", rule.PS001, func(m *wire.Sale) { m.Amount = 100_001 })
	other("small-amount", wire.ReasonAmounts, "amount", rule.PS003, func(m *wire.Sale) { m.Amount = 999 })
	other("change-of-dust", wire.ReasonAmounts, "amount", rule.PS003, func(m *wire.Sale) { m.Amount = 100_000 - 659 })
	add(later("not-asked-before", "create-ps-2", 1, wire.ReasonAmounts, "buyer", rule.CER012, func(w *scene) {
		alters(w, func(m *wire.Sale) { m.Buyer = 1 })
		w.sells(0, 20_000)
	}))
	add(later("second-on-one-stock", "sale-ps-2", 1, wire.ReasonAmounts, "stock", rule.PS001, func(w *scene) {
		alters(w, func(m *wire.Sale) { m.Before = 0 })
		w.sells(0, 30_000)
	}))
	add(later("one-too-many", "sale-ps-2-max-chain-1", 1, wire.ReasonRecorded, "stock", rule.PS002, func(w *scene) {
		alters(w, func(*wire.Sale) {})
		w.sells(0, 30_000)
	}).letting(rule.PS002))
	add(later("while-another-is-hidden", "hidden-sale", 0, wire.ReasonRecorded, "stock", rule.POI009, func(w *scene) {
		m := &wire.Sale{Attempt: wire.Attempt{Ceremony: foreignID("second sale")}, Factory: w.factoryID(), Leaf: wire.NodeRecord{Level: 1}, Buyer: 1, Amount: 30_000, LSPChannelKey: foreignPoint("sold")}
		script := [34]byte{0, 32, 1}
		m.ChannelScript = script[:]
		w.says(theLSP, m)
	}).says("A second sale of one stock, while the first may still come out."))
	add(later("kickoff-out", "create-ps-2", 1, wire.ReasonChain, "stock", rule.PS004, func(w *scene) {
		w.chainOf(1, startHeight+1, w.kickoff())
		alters(w, func(*wire.Sale) {})
		w.sells(0, 20_000)
	}))
	add(later("of-unfunded-factory", "create-ps-2", 1, wire.ReasonChain, "factory", rule.CER044, func(w *scene) {
		w.unfunded(1)
		alters(w, func(*wire.Sale) {})
		w.sells(0, 20_000)
	}))
	add(later("signature-wrong", "create-ps-2", 0, wire.ReasonSignature, "signatures", rule.CER022, func(w *scene) {
		altersFrom(w, nil, 1, func(m *wire.Signatures) { m.Signatures[1][40] ^= 1 })
		w.sells(0, 20_000)
	}))
	add(later("omission-missing", "create-ps-2", 0, wire.ReasonSignature, "signatures", rule.CER022, func(w *scene) {
		altersFrom(w, nil, 1, func(m *wire.Signatures) { m.Signatures = m.Signatures[1:] })
		w.sells(0, 20_000)
	}))
	add(later("without-omission", "create-ps-2", 1, wire.ReasonNonces, "aggregate_nonces", rule.CER020, func(w *scene) {
		altersFrom(w, nil, 1, func(m *wire.AggregateNonces) { m.Nonces = m.Nonces[1:] })
		w.sells(0, 20_000)
	}).says("The LSP wants the sale without its omission."))
	return out
}
