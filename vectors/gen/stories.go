package gen

import (
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/vectors"
	"superscalar/wire/rule"
)

// stories are all histories. Capacities start at 20,000 + 37 * client, stocks
// at 100,001 + 59 * group (termsOf).
func stories() []story {
	var out []story
	for _, list := range [][]story{countdowns(), poisonStories(), saleStories(), refusedSales()} {
		out = append(out, list...)
	}
	return out
}

const (
	dwPair   = "kickoff 2 / dw 2"                       // 4 clients: leaves 1/0 and 1/1
	dwLayers = "kickoff 1 / state 2 / kickoff 1 / dw 2" // 4 clients: states 1/0, leaves 3/0 and 3/1
	psLeaf   = "kickoff 1 / ps 2"                       // 4 clients: leaf 1/0 with two groups
)

// countdowns are about counters (area DELAY).
func countdowns() []story {
	ids := func(list ...rule.ID) []rule.ID { return list }
	pair := func(remaining, moved int) vectors.Step { // from the stock of leaf 1/0 to client 0
		return updates("1/0", remaining, 9-remaining, sat(vectors.Uint(20_000+moved), 20_037), sat(vectors.Uint(100_001-moved)))
	}
	leaf := func(remaining, moved int) vectors.Step { // the same in two layers
		s := pair(remaining, moved)
		s.Level = 3
		return s
	}
	above := func(remaining int) vectors.Step {
		return updates("1/0", remaining, 20, sat(50_000, 20_037, 20_074, 20_111), sat(70_001, 100_060))
	}
	down := []vectors.Step{pair(2, 100), poisons("1/0"), pair(1, 5_000), poisons("1/0"), pair(0, 30_000), poisons("1/0")}
	spent := []vectors.Step{leaf(1, 10), poisons("3/0"), leaf(0, 20), poisons("3/0")}
	bad := func(name, shape, field string, rules []rule.ID, steps ...vectors.Step) story {
		return story{area: "DELAY", name: name, n: 4, groups: 2, shape: shape, field: field, rules: rules, steps: steps}
	}
	good := func(name, shape string, rules []rule.ID, steps ...vectors.Step) story {
		return bad(name, shape, "", rules, steps...)
	}
	claimed := func(s story, a alteration) story {
		s.claim = &a
		return s
	}
	less := pair(2, 100)
	less.Capacities = sat(19_999, 20_037)
	less.Stocks = sat(100_002)
	more := pair(2, 100)
	more.Stocks = sat(100_001)
	short := pair(2, 100)
	short.Stocks = sat(99_900)
	kickoff := pair(2, 100)
	kickoff.Level = 0
	kickoff.Capacities, kickoff.Stocks = above(0).Capacities, above(0).Stocks
	return []story{
		good("countdown", dwPair, ids(rule.DELAY001, rule.DELAY002, rule.CER041, rule.CER043, rule.PS005), down...),
		good("countdown-skips", dwPair, ids(rule.DELAY001, rule.DELAY002), pair(0, 100), poisons("0/0")),
		good("two-layers", dwLayers, ids(rule.DELAY001, rule.DELAY002, rule.DELAY003), then(spent, above(1), poisons("1/0"),
			updates("3/0", 1, 30, sat(60_000, 20_037), sat(60_001)), poisons("3/0"))...),
		good("failed-attempt-uses-a-step", dwPair, ids(rule.DELAY002), fails(pair(2, 100)), pair(1, 200)),
		good("same-state-again", dwPair, ids(rule.DELAY002), fails(pair(2, 100)), pair(2, 100)),
		good("other-leaf", dwPair, ids(rule.DELAY002), pair(2, 100), updates("1/1", 2, 5, sat(20_074, 20_111), sat(100_060))),
		good("lowest", dwLayers, ids(rule.DELAY010), lowest("3/0", 0), lowest("3/0", 1, 0), lowest("3/1", 3), lowest("1/0", 0, 3), lowest("1/0", 0, 1, 2, 3)),
		good("lowest-left", dwLayers, ids(rule.DELAY010), then(spent, lowest("1/0", 0), lowest("3/1", 2))...),

		bad("remaining-of-creation", dwPair, "remaining", ids(rule.DELAY002), pair(3, 100)),
		bad("remaining-above", dwPair, "remaining", ids(rule.DELAY002), pair(4, 100)),
		bad("remaining-again", dwPair, "remaining", ids(rule.DELAY002), pair(2, 100), poisons("1/0"), pair(2, 200)),
		bad("remaining-rises", dwPair, "remaining", ids(rule.DELAY002), pair(1, 100), poisons("1/0"), pair(2, 200)),
		bad("remaining-below-zero", dwPair, "remaining", ids(rule.DELAY002), then(down, pair(255, 40_000))...),
		bad("failed-attempt-counts", dwPair, "remaining", ids(rule.DELAY002), fails(pair(2, 100)), pair(2, 200)),
		bad("failed-twice-then-first", dwPair, "remaining", ids(rule.DELAY002), fails(pair(2, 100)), fails(pair(1, 200)), pair(2, 100)),
		bad("sum-more", dwPair, "amounts", ids(rule.CER043), more),
		bad("sum-less", dwPair, "amounts", ids(rule.CER043), short),
		bad("capacity-less", dwPair, "capacity", ids(rule.PS005), less),
		bad("no-state", dwPair, "node", ids(rule.CER041), kickoff),
		claimed(good("claim-without-step", dwPair, ids(rule.DELAY001), pair(2, 100)), alteration{"", "state 1/0", "nSequence", "", sequence(2)}),
		claimed(good("claim-sequence-of-creation", dwPair, ids(rule.DELAY001), pair(2, 100)), alteration{"", "state 1/0", "nSequence", "", sequence(3 * 144)}),
		claimed(good("claim-below-goes-on", dwLayers, ids(rule.DELAY003), then(spent, above(1))...), alteration{"", "state 3/0", "nSequence", "", sequence(1 * 96)}),
		claimed(good("claim-below-at-zero", dwLayers, ids(rule.DELAY003), then(spent, above(1))...), alteration{"", "state 3/1", "nSequence", "", sequence(0)}),
		bad("wrong-lowest-root", dwLayers, wrongNode, ids(rule.DELAY010), lowest("1/0", 0)),
		bad("wrong-lowest-used-up", dwLayers, wrongNode, ids(rule.DELAY010), then(spent, lowest("3/0", 0))...),
		bad("wrong-lowest-covers-one", dwLayers, wrongNode, ids(rule.DELAY010), lowest("3/0", 0, 2)),
	}
}

// wrongNode is the field of a lowest state that is not.
const wrongNode = "level"

// poisonStories are about poison (area POI).
func poisonStories() []story {
	ids := func(list ...rule.ID) []rule.ID { return list }
	pair := func(remaining, moved int) vectors.Step {
		return updates("1/0", remaining, 9-remaining, sat(vectors.Uint(20_000+moved), 20_037), sat(vectors.Uint(100_001-moved)))
	}
	leaf := func(remaining, moved int) vectors.Step {
		s := pair(remaining, moved)
		s.Level = 3
		return s
	}
	above := updates("1/0", 1, 20, sat(50_000, 20_037, 20_074, 20_111), sat(70_001, 100_060))
	sold := []vectors.Step{sells("1/0", 0, 0, 0, 30_000), sells("1/0", 0, 1, 1, 25_000), sells("1/0", 1, 0, 3, 100_060)}
	merged := updates("1/0", 2, 40, sat(50_000, 45_037, 20_074, 120_171), sat(45_001, 0))
	story4 := func(name, shape, field string, rules []rule.ID, steps ...vectors.Step) story {
		return story{area: "POI", name: name, n: 4, groups: 2, shape: shape, field: field, rules: rules, steps: steps}
	}
	claim := func(name string, id rule.ID, tx, field string, alter func(*btcwire.MsgTx), shape string, steps ...vectors.Step) story {
		s := story4("claim-"+name, shape, "", ids(id), steps...)
		s.claim = &alteration{"", tx, field, id, alter}
		return s
	}
	old := []vectors.Step{pair(2, 100), poisons("1/0")}
	all := ids(rule.POI003, rule.POI004)
	lsp := taproot(publicKey("lsp", 0)[1:])
	return []story{
		story4("leaf", dwPair, "", all, old...),
		story4("nothing-is-due", dwPair, "", ids(rule.POI002), poisons("0/0")),
		story4("live-leaf-is-spared", dwPair, "", ids(rule.POI002, rule.POI003), pair(2, 100), poisons("1/1"), poisons("0/0"), poisons("0/0")),
		story4("failed-attempt-alone", dwPair, "", ids(rule.POI002), fails(pair(2, 100)), poisons("1/0")),
		story4("failed-attempts", dwPair, "", ids(rule.POI005, rule.POI003), fails(pair(2, 100)), fails(pair(1, 200)), pair(0, 300), poisons("1/0")),
		story4("below-replaced-state", dwLayers, "", ids(rule.POI005, rule.POI003, rule.POI004), leaf(1, 10), poisons("3/0"), above, poisons("1/0")),
		story4("failed-below-replaced-state", dwLayers, "", ids(rule.POI005), fails(leaf(1, 10)), above, poisons("1/0")),
		story4("chained-sales", psLeaf, "", ids(rule.POI005, rule.POI003, rule.POI004), then(sold, merged, poisons("1/0"))...),
		story4("poisoned-then-next", dwPair, "", ids(rule.POI006), then(old, pair(1, 200))...),

		story4("change-before-poison", dwPair, "node", ids(rule.POI006), pair(2, 100), pair(1, 200)),
		story4("change-after-poison-of-other", dwPair, "node", ids(rule.POI006), pair(2, 100), poisons("1/1"), pair(1, 200)),
		story4("change-above-before-poison", dwLayers, "node", ids(rule.POI006), leaf(1, 10), above),
		story4("sale-before-poison", psLeaf, "node", ids(rule.POI006), then(sold, merged, sells("1/0", 0, 0, 0, 20_000))...),
		story4("change-below-failed-attempt", dwLayers, "node", ids(rule.POI005), fails(above), leaf(1, 10)),
		story4("sale-below-failed-attempt", "kickoff 1 / state 1 / kickoff 1 / ps 2", "node", ids(rule.POI005),
			fails(updates("1/0", 1, 20, sat(20_000, 20_037, 20_074, 20_111), sat(100_001, 100_060))), sells("3/0", 0, 0, 0, 20_000)),
		claim("live-stock", rule.POI002, "poison 0 1/0 stock 0", "name", nil, dwPair, poisons("1/0")),
		claim("live-channel", rule.POI002, "poison 1 1/1 channel 2", "name", nil, dwPair, pair(2, 100), poisons("0/0")),
		claim("stock-to-one", rule.POI003, "poison 0 1/0 stock 0", "outputs", moves(50_000, 1, 0), dwPair, old...),
		claim("remainder-to-highest", rule.POI003, "poison 0 1/0 stock 0", "outputs", moves(1, 0, 1), dwPair, old...),
		claim("stock-to-lsp", rule.POI003, "poison 0 1/0 stock 0", "outputs", func(m *btcwire.MsgTx) { m.TxOut[1].PkScript = lsp }, dwPair, old...),
		claim("channel-shared", rule.POI004, "poison 1 1/0 channel 0", "outputs", func(m *btcwire.MsgTx) {
			inserts(1, 5_000, lsp)(m)
			m.TxOut[0].Value -= 5_000
		}, dwPair, old...),
		claim("channel-to-other", rule.POI004, "poison 1 1/0 channel 0", "outputs",
			func(m *btcwire.MsgTx) { m.TxOut[0].PkScript = taproot(publicKey("payout", 1)[1:]) }, dwPair, old...),
		claim("delayed", rule.TREE020, "poison 0 1/0 stock 0", "nSequence", sequence(144), dwPair, old...),
		claim("at-expiry", rule.TREE020, "poison 2 1/0 channel 1", "nLockTime", lockTime(900_000), dwPair, old...),
		claim("new-stock", rule.POI002, "poison 0 1/0 stock 0", "outpoint",
			func(m *btcwire.MsgTx) { m.TxIn[0].PreviousOutPoint.Hash[0] ^= 1 }, dwPair, old...),
	}
}
