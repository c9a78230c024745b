package gen

import (
	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// scenarios are all conversations. Capacities are 20,000 + 37 * client, stocks
// 50,000 for each client of a group.
func scenarios() []scenario {
	var out []scenario
	for _, list := range [][]scenario{creationsTold(), changesTold(), interruptionsTold(), wrongCreations(), wrongProposals(), wrongChanges(), wrongSales(), wrongClients(), wrongClientsInChanges()} {
		out = append(out, list...)
	}
	return out
}

const (
	psOnly   = "kickoff 1 / ps 2"
	dwOnly   = "kickoff 1 / dw 2"
	psThree  = "kickoff 2 / ps 2"
	dwStatic = "static 3 / kickoff 1 / dw 2"
)

// creationsTold are creations without a fault.
func creationsTold() []scenario {
	lsp := []rule.ID{rule.CER002, rule.CER023, rule.DIST007, rule.CER046, rule.SIGN021}
	client := []rule.ID{rule.CER003}
	both := []int{0, theLSP}
	create := func(name, shape string, n int, breaks bool, parties ...int) scenario {
		return scenario{name: "create-" + name, n: n, parties: parties, rules: []rule.ID{rule.CER010, rule.DIST001}, breaks: breaks,
			by:  map[int][]rule.ID{theLSP: lsp, 0: client},
			run: func(w *scene) { w.creates(shape, nil) }}
	}
	layers := create("dw-4-two-layers", dwLayers, 4, false, both...)
	layers.run = func(w *scene) { w.creates(dwLayers, func(o *vectors.PartyOrder) { o.Parameters.States = 2 }) }
	return []scenario{
		create("ps-1", psOnly, 1, true, both...), create("dw-1", dwOnly, 1, true, both...),
		create("ps-2", psOnly, 2, false, 0, 1, theLSP), create("dw-2", dwOnly, 2, false, 0, 1, theLSP),
		create("ps-3", psThree, 3, false, 2, theLSP), create("dw-5-static", dwStatic, 5, false, 4, theLSP),
		layers,
	}
}

// changesTold are changes without a fault.
func changesTold() []scenario {
	var out []scenario
	add := func(name, after string, n int, rules []rule.ID, run func(w *scene), parties ...int) *scenario {
		out = append(out, scenario{name: name, after: after, n: n, parties: parties, rules: rules, run: run})
		return &out[len(out)-1]
	}
	ids := func(list ...rule.ID) []rule.ID { return list }
	update := func(buyer, amount int) func(w *scene) { return func(w *scene) { w.updates(buyer, amount) } }
	sell := func(buyer, amount int) func(w *scene) { return func(w *scene) { w.sells(buyer, amount) } }
	poison := ids(rule.CER040, rule.POI001)

	add("update-dw-1", "create-dw-1", 1, poison, update(0, 5_000), 0, theLSP).breaks = true
	add("update-dw-2", "create-dw-2", 2, poison, update(1, 10_000), 0, theLSP)
	add("update-dw-2-again", "update-dw-2", 2, ids(rule.POI006, rule.DELAY002), update(0, 20_000), 0, theLSP)
	add("update-leaf-two-layers", "create-dw-4-two-layers", 4, ids(rule.DELAY010, rule.POI001), update(0, 10_000), 0, theLSP)
	add("update-wide-two-layers", "update-leaf-two-layers", 4, ids(rule.DELAY010, rule.DELAY003, rule.POI001, rule.POI005), update(0, 7_000), 0, theLSP)
	add("sale-ps-1", "create-ps-1", 1, ids(rule.PS020, rule.PS001), sell(0, 20_000), 0, theLSP).breaks = true
	add("sale-ps-2", "create-ps-2", 2, ids(rule.PS020, rule.PS001, rule.PS014), sell(0, 20_000), 0, 1, theLSP)
	add("sale-ps-2-again", "sale-ps-2", 2, ids(rule.PS001, rule.PS021), sell(1, 30_000), 0, 1, theLSP)
	add("sale-ps-2-all", "create-ps-2", 2, ids(rule.PS001, rule.PS020), sell(1, 100_000), 1, theLSP)
	add("update-ps-2-after-sale", "sale-ps-2", 2, ids(rule.POI005, rule.POI001), nil, 0, theLSP).run = func(w *scene) {
		w.updates(0, 10_000)
	}
	return out
}

// interruptionsTold are changes that stop in the middle and go on.
func interruptionsTold() []scenario {
	var out []scenario
	add := func(name, after string, n int, rules []rule.ID, run func(w *scene)) {
		out = append(out, scenario{name: name, after: after, n: n, parties: []int{0, theLSP}, rules: rules, run: run})
	}
	ids := func(list ...rule.ID) []rule.ID { return list }
	// stop loses a message of the last client, whose connection ends then.
	stop := func(w *scene, t wire.CeremonyType, phase uint8, change func()) {
		gone := false
		w.lose = func(p packet) bool {
			last := max(p.from, p.to) == w.n-1
			gone = gone || last && p.m.Type() == t && phaseOf(p.m) == phase
			return gone && last
		}
		change()
		w.lose = nil
		w.disconnects(w.n - 1)
	}
	update := func(w *scene) func() { return func() { w.updates(0, 5_000) } }
	sale := func(w *scene) func() { return func() { w.sells(0, 20_000) } }
	add("interrupted-update-state", "create-dw-2", 2, ids(rule.CER031), func(w *scene) { stop(w, wire.TypePartials, 1, update(w)) })
	add("resumed-update-state", "interrupted-update-state", 2, ids(rule.DELAY002, rule.POI001), func(w *scene) { w.resumes() })
	add("interrupted-update-stored", "create-dw-2", 2, ids(rule.CER031), func(w *scene) { stop(w, wire.TypeStored, 1, update(w)) })
	add("resumed-update-stored", "interrupted-update-stored", 2, ids(rule.CER040, rule.POI001), func(w *scene) { w.resumes() })
	add("interrupted-update-poison", "create-dw-2", 2, ids(rule.CER031), func(w *scene) { stop(w, wire.TypeAggregate, 2, update(w)) })
	add("resumed-update-poison", "interrupted-update-poison", 2, ids(rule.POI001), func(w *scene) { w.resumes() })
	add("dropped-update-below", "create-dw-2", 2, ids(rule.CER031), func(w *scene) {
		stop(w, wire.TypePartials, 0, update(w))
		w.updates(1, 7_000)
	})
	add("interrupted-sale", "create-ps-2", 2, ids(rule.CER031), func(w *scene) { stop(w, wire.TypePartials, 1, sale(w)) })
	add("resumed-sale", "interrupted-sale", 2, ids(rule.PS020), func(w *scene) { w.resumes() })
	add("restart-in-update", "create-dw-2", 2, ids(rule.CER040, rule.POI001), func(w *scene) {
		w.lose = func(p packet) bool { return p.m.Type() == wire.TypeSignatures && phaseOf(p.m) == 1 && p.to == 0 }
		w.updates(0, 5_000)
		w.lose = nil
		w.dies(0)
		w.resumes()
	})
	add("restart-in-creation", "", 2, ids(rule.CER031), func(w *scene) {
		w.lose = func(p packet) bool { return p.m.Type() == wire.TypeSignatures }
		w.creates(psOnly, nil)
		w.lose = nil
		w.dies(theLSP)
	})
	out = append(out, scenario{name: "hidden-sale", after: "create-ps-2", n: 2, parties: []int{0}, rules: ids(rule.PS001),
		comment: "Client 0 signs a sale and is not shown it complete.",
		run: func(w *scene) {
			w.lose = func(p packet) bool { return p.m.Type() == wire.TypeSignatures && phaseOf(p.m) == 1 }
			w.sells(1, 20_000)
			w.lose = nil
			w.disconnects(0)
		}})
	return out
}

// phaseOf is the phase of a message that has one, else 0.
func phaseOf(m wire.Ceremony) uint8 {
	switch m := m.(type) {
	case *wire.Nonces:
		return m.Phase
	case *wire.AggregateNonces:
		return m.Phase
	case *wire.Partials:
		return m.Phase
	case *wire.Signatures:
		return m.Phase
	case *wire.Stored:
		return m.Phase
	}
	return 0
}
