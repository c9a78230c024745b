package gen

import (
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/vectors"
	"superscalar/wire/rule"
)

// saleStories are about sales (area PS).
func saleStories() []story {
	chain := []vectors.Step{sells("1/0", 0, 0, 0, 30_000), sells("1/0", 0, 1, 1, 25_000), sells("1/0", 0, 2, 0, 10_000), sells("1/0", 0, 3, 1, 15_001)}
	good := func(name string, n int, shape string, steps []vectors.Step, rules ...rule.ID) story {
		return story{area: "PS", name: name, n: n, groups: 2, shape: shape, steps: steps, rules: rules}
	}
	all := []rule.ID{rule.PS001, rule.PS020, rule.PS021, rule.PS022}
	return []story{
		good("one", 4, psLeaf, chain[:1], all...),
		good("chain", 4, psLeaf, chain, append(all, rule.PS002, rule.PS003)...),
		good("sold-out", 4, psLeaf, []vectors.Step{sells("1/0", 0, 0, 1, 60_001), sells("1/0", 0, 1, 0, 40_000)}, append(all, rule.PS003)...),
		good("sold-out-at-once", 4, psLeaf, []vectors.Step{sells("1/0", 1, 0, 2, 100_060)}, append(all, rule.PS003)...),
		good("least-change", 4, psLeaf, []vectors.Step{sells("1/0", 0, 0, 1, 99_341)}, rule.PS003, rule.PS021),
		good("group-of-one", 3, psLeaf, []vectors.Step{sells("1/0", 1, 0, 2, 50_000), sells("1/0", 1, 1, 2, 49_730)}, append(all, rule.PS003)...),
		good("two-groups", 4, psLeaf, []vectors.Step{chain[0], sells("1/0", 1, 0, 3, 10_000), chain[1]}, all...),
		good("merged", 4, psLeaf, append(chain[:2:2], updates("1/0", 2, 40, sat(50_000, 45_037, 20_074, 20_111), sat(45_001, 100_060)), poisons("1/0"),
			sells("1/0", 0, 0, 0, 45_001)), append(all, rule.PS005)...),
	}
}

// refusedSales are sales that break a rule, and transactions that are not
// those of a sale.
func refusedSales() []story {
	first, second := sells("1/0", 0, 0, 0, 30_000), sells("1/0", 0, 1, 1, 25_000)
	chain := []vectors.Step{first, second, sells("1/0", 0, 2, 0, 10_000), sells("1/0", 0, 3, 1, 15_000)}
	bad := func(name, shape, field string, id rule.ID, steps ...vectors.Step) story {
		return story{area: "PS", name: "refuse-" + name, n: 4, groups: 2, shape: shape, field: field, rules: []rule.ID{id}, steps: steps}
	}
	claim := func(name string, id rule.ID, tx, field string, alter func(*btcwire.MsgTx), steps ...vectors.Step) story {
		s := bad("claim-"+name, psLeaf, "", id, steps...)
		s.name, s.claim = "claim-"+name, &alteration{"", tx, field, id, alter}
		return s
	}
	lsp := taproot(publicKey("lsp", 0)[1:])
	shrink := updates("1/0", 2, 40, sat(49_999, 20_037, 20_074, 20_111), sat(70_002, 100_060))
	return []story{
		bad("spent-stock", psLeaf, "sales_before", rule.PS001, first, sells("1/0", 0, 0, 1, 25_000)),
		bad("stock-to-come", psLeaf, "sales_before", rule.PS001, sells("1/0", 0, 1, 0, 25_000)),
		bad("buyer-of-other-group", psLeaf, "buyer", rule.PS001, sells("1/0", 0, 0, 2, 30_000)),
		bad("more-than-there-is", psLeaf, "amount", rule.PS001, sells("1/0", 0, 0, 0, 100_002)),
		bad("more-than-is-left", psLeaf, "amount", rule.PS001, first, sells("1/0", 0, 1, 1, 70_002)),
		bad("nothing-left", psLeaf, "stock", rule.PS001, sells("1/0", 0, 0, 0, 100_001), sells("1/0", 0, 1, 0, 10_000)),
		bad("fifth", psLeaf, "sales_before", rule.PS002, append(chain[:4:4], sells("1/0", 0, 4, 0, 10_000))...),
		bad("dw", dwPair, "sales_before", rule.PS002, sells("1/0", 0, 0, 0, 30_000)),
		bad("amount-9999", psLeaf, "amount", rule.PS003, sells("1/0", 0, 0, 0, 9_999)),
		bad("amount-0", psLeaf, "amount", rule.PS003, sells("1/0", 0, 0, 0, 0)),
		bad("change-659", psLeaf, "change", rule.PS003, sells("1/0", 0, 0, 0, 99_342)),
		bad("change-1", psLeaf, "change", rule.PS003, sells("1/0", 0, 0, 0, 100_000)),
		bad("no-group", psLeaf, "stock", rule.CER041, sells("1/0", 2, 0, 0, 30_000)),
		bad("sold-capacity-taken-back", psLeaf, "capacity", rule.PS005, first, shrink),
		claim("change-first", rule.PS001, "sale 1/0 stock 0", "outputs", swaps(0, 1), first),
		claim("change-to-lsp", rule.PS001, "sale 1/0 stock 0", "outputs", func(m *btcwire.MsgTx) { m.TxOut[1].PkScript = lsp }, first),
		claim("smaller-channel", rule.PS001, "sale 1/0 stock 0", "outputs", moves(1_000, 0, 1), first),
		claim("sale-of-spent-stock", rule.PS001, "sale 1/0 stock 0", "outpoint", func(m *btcwire.MsgTx) { m.TxIn[0].PreviousOutPoint.Hash[31] ^= 1 }, first, second),
		claim("omission-of-other-output", rule.PS020, "omission 1/0 stock 0", "outpoint", func(m *btcwire.MsgTx) { m.TxIn[0].PreviousOutPoint.Index++ }, first),
		claim("omission-shared", rule.PS021, "omission 1/0 stock 0", "outputs", moves(15_000, 0, 1), first),
		claim("omission-to-other-buyer", rule.PS021, "omission 1/0 stock 0", "outputs", moves(30_000, 0, 1), first),
		claim("omission-buyer-only", rule.PS021, "omission 1/0 stock 0", "outputs", func(m *btcwire.MsgTx) {
			m.TxOut[0].Value += m.TxOut[1].Value
			m.TxOut = append(m.TxOut[:1], m.TxOut[2:]...)
		}, first),
		claim("omission-rest-to-lsp", rule.PS021, "omission 1/0 stock 0", "outputs", func(m *btcwire.MsgTx) { m.TxOut[1].PkScript = lsp }, first, second),
		claim("omission-at-once", rule.PS022, "omission 1/0 stock 0", "nSequence", sequence(0xffffffff), first),
		claim("omission-with-the-csv", rule.PS022, "omission 1/0 stock 0", "nSequence", sequence(144), first, second),
	}
}
