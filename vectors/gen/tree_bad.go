package gen

import (
	"fmt"
	"slices"
	"strings"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/vectors"
	"superscalar/wire/rule"
)

// refusedTerms have one fault each.
func refusedTerms() ([]vectors.Vector, error) {
	var out []vectors.Vector
	for _, c := range []struct {
		name   string
		rule   rule.ID
		field  string
		change func(*vectors.Terms)
	}{
		{"key-twice", rule.SCRIPT006, "factory_keys", func(t *vectors.Terms) { t.Keys[4] = t.Keys[1] }},
		{"key-of-lsp", rule.SCRIPT006, "factory_keys", func(t *vectors.Terms) { t.Keys[2] = t.LSPKey }},
		{"capacity-9999", rule.TREE001, "capacity", func(t *vectors.Terms) { t.Capacities[3] = 9_999 }},
		{"capacity-999-other", rule.TREE001, "capacity", func(t *vectors.Terms) { t.Chain, t.Capacities[0] = "other", 999 }},
		{"capacity-0", rule.TREE001, "capacity", func(t *vectors.Terms) { t.Capacities[0] = 0 }},
		{"stock-1", rule.TREE024, "stock", func(t *vectors.Terms) { t.Stocks[0] = 1 }},
		{"stock-659-for-two", rule.TREE024, "stock", func(t *vectors.Terms) { t.Stocks[0] = 659 }},
		{"stock-329-for-one", rule.TREE024, "stock", func(t *vectors.Terms) { t.Stocks[1] = 329 }},
		{"capacities-short", rule.CER013, "capacities", func(t *vectors.Terms) { t.Capacities = t.Capacities[:4] }},
		{"capacities-long", rule.CER013, "capacities", func(t *vectors.Terms) { t.Capacities = append(t.Capacities, 20_000) }},
		{"stocks-short", rule.CER013, "stocks", func(t *vectors.Terms) { t.Stocks = t.Stocks[:2] }},
		{"stocks-long", rule.CER013, "stocks", func(t *vectors.Terms) { t.Stocks = append(t.Stocks, 0) }},
		{"payout-keys-short", rule.CER013, "payout_keys", func(t *vectors.Terms) { t.PayoutKeys = t.PayoutKeys[:4] }},
		{"expiry", rule.DELAY005, "expiry", func(t *vectors.Terms) { t.Parameters.Expiry++ }},
		{"leaf-full", rule.TREE014, "leaf", func(t *vectors.Terms) { t.Shape.Levels[0].Arity, t.Shape.Levels[2].Arity = 1, 2 }},
	} {
		t := termsOf(5, 3, "static 2 / kickoff 1 / ps 2")
		c.change(&t)
		v := treeVector("tree-refuse-"+c.name, t, c.rule)
		v.Outcome = fault("refused", c.field, -1, c.rule)
		out = append(out, v)
	}
	for _, d := range []vectors.Uint{1, ^vectors.Uint(0)} { // one more, one less
		t, err := nestedTerms()
		if err != nil {
			return nil, err
		}
		t.Sums = [][]vectors.Uint{t.Sums[0], slices.Clone(t.Sums[1])}
		t.Sums[1][1] += d
		v := treeVector(fmt.Sprintf("tree-refuse-sum-%d", int64(d)), t, rule.TREE022)
		if int64(d) < 0 {
			v.Name = "tree-refuse-sum-less"
		}
		v.Outcome = fault("refused", "sum", -1, rule.TREE022)
		out = append(out, v)
	}
	t, err := nestedTerms()
	if err != nil {
		return nil, err
	}
	t.Sums = t.Sums[1:]
	v := treeVector("tree-refuse-sums-short", t, rule.CER013)
	v.Outcome = fault("refused", "sums", -1, rule.CER013)
	return append(out, v), nil
}

// nestedTerms are client 150's of 201.
func nestedTerms() (vectors.Terms, error) {
	return termsFor(termsOf(201, 56, "static 1 / static 2 / static 7 / kickoff 1 / ps 4"), 150)
}

// wrongClaims alter one transaction each.
func wrongClaims() ([]vectors.Vector, error) {
	var out []vectors.Vector
	claim := func(v *vectors.Tree, list []named, a alteration) error {
		c, err := a.altered(list)
		v.Claim, v.Outcome = c, fault("wrong-transaction", a.field, -1, a.rule)
		out = append(out, v)
		return err
	}
	plain := termsOf(5, 3, "static 2 / kickoff 1 / ps 2")
	plain.Stocks[1] = 0 // client 2 alone is a group without stock
	v := treeVector("", plain)
	tree, err := (runner{}).build(plain, v.FundingTxid, v.FundingOutput)
	if err != nil {
		return nil, err
	}
	list := namedTree(tree)
	stock := list[slices.IndexFunc(list, func(n named) bool { return n.name == "distribution 2/0 stock 0" })].tx
	for _, a := range alterations(stock.PrevOut.PkScript, plain) {
		if err := claim(treeVector("tree-claim-"+a.what, plain, a.rule), list, a); err != nil {
			return nil, err
		}
	}

	out = append(out, withoutOne(plain, list, rule.DIST001, "0/0", "2/1", "2/0 stock 0", "2/1 channel 4")...)

	nested, err := nestedTerms()
	if err != nil {
		return nil, err
	}
	if tree, err = (runner{}).build(nested, v.FundingTxid, v.FundingOutput); err != nil {
		return nil, err
	}
	list = namedTree(tree)
	out = append(out, withoutOne(nested, list, rule.DIST004, "0/0 of 2/1", "1/0 of 2/1")...)
	for _, a := range nestedAlterations(list) {
		if err := claim(treeVector("tree-claim-"+a.what, nested, a.rule), list, a); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// alterations are of a tree of 5 clients: leaves 2/0 with clients 0 to 2, where
// client 2 has no stock, and 2/1 with clients 3 and 4.
func alterations(stockScript []byte, t vectors.Terms) []alteration {
	p := t.Parameters
	return []alteration{
		{"version-2", "kickoff 1/0", "version", rule.TREE020, version2},
		{"distribution-version-2", "distribution 0/0", "version", rule.TREE020, version2},
		{"kickoff-rbf", "kickoff 1/1", "nSequence", rule.TREE020, sequence(0xfffffffd)},
		{"static-delay", "static 0/0", "nSequence", rule.TREE020, sequence(432)},
		{"state-lock-time", "state 2/0", "nLockTime", rule.TREE020, lockTime(p.Expiry)},
		{"distribution-final", "distribution 1/0", "nSequence", rule.TREE020, sequence(0xffffffff)},
		{"distribution-early", "distribution 2/1", "nLockTime", rule.TREE020, lockTimeBy(-1)},
		{"channel-distribution-late", "distribution 2/0 channel 1", "nLockTime", rule.TREE020, lockTimeBy(1)},
		{"children-swapped", "static 0/0", "outputs", rule.TREE020, swaps(0, 1)},
		{"stock-first", "state 2/1", "outputs", rule.TREE020, swaps(0, 2)},
		{"channels-swapped", "state 2/0", "outputs", rule.TREE020, swaps(0, 1)},
		{"wrong-output", "kickoff 1/1", "outpoint", rule.TREE020, func(m *btcwire.MsgTx) { m.TxIn[0].PreviousOutPoint.Index = 0 }},
		{"state-at-k", "state 2/0", "nSequence", rule.DELAY001, sequence(uint32(p.Step) * uint32(p.States))},
		{"state-without-step", "state 2/1", "nSequence", rule.DELAY001, sequence(uint32(p.States) - 1)},
		{"state-in-seconds", "state 2/1", "nSequence", rule.DELAY001, sequence(1<<22 | uint32(p.Step)*(uint32(p.States)-1))},
		{"state-disabled", "state 2/0", "nSequence", rule.DELAY001, sequence(0xffffffff)},
		{"fee-of-one", "kickoff 1/0", "outputs", rule.TREE021, pays(0, -1)},
		{"one-too-many", "state 2/0", "outputs", rule.TREE021, pays(0, 1)},
		{"distribution-fee", "distribution 0/0", "outputs", rule.TREE021, pays(4, -240)},
		{"children-other-values", "static 0/0", "outputs", rule.TREE022, moves(1000, 0, 1)},
		{"empty-stock", "state 2/0", "outputs", rule.TREE023, inserts(4, 0, stockScript)},
		{"no-anchor", "kickoff 1/0", "outputs", rule.SCRIPT004, withoutAnchor},
		{"anchor-first", "distribution 2/0", "outputs", rule.SCRIPT004, anchorFirst},
		{"anchor-other-script", "state 2/1", "outputs", rule.SCRIPT004, func(m *btcwire.MsgTx) { m.TxOut[len(m.TxOut)-1].PkScript = []byte{0x51} }},
		{"payout-tweaked", "distribution 2/1", "outputs", rule.SCRIPT005, tweaks(0)},
		{"payout-to-other", "distribution 1/1", "outputs", rule.DIST002, swaps(0, 1)},
		{"remainder-to-highest", "distribution 2/0 stock 0", "outputs", rule.DIST002, moves(1, 0, 1)},
		{"capacity-only", "distribution 2/1", "outputs", rule.DIST002, inserts(2, 500, taproot(t.LSPKey[1:]))},
		{"lsp-takes-share", "distribution 2/0 stock 0", "outputs", rule.DIST002, func(m *btcwire.MsgTx) {
			moves(1000, 0, 1)(m)
			m.TxOut[1].PkScript = taproot(t.LSPKey[1:])
		}},
		{"channel-shared", "distribution 2/1 channel 3", "outputs", rule.DIST006, func(m *btcwire.MsgTx) {
			inserts(1, 5_000, taproot(t.LSPKey[1:]))(m)
			m.TxOut[0].Value -= 5_000
		}},
		{"channel-to-lsp", "distribution 2/1 channel 4", "outputs", rule.DIST006, func(m *btcwire.MsgTx) { m.TxOut[0].PkScript = taproot(t.LSPKey[1:]) }},
	}
}

// nestedAlterations are of a factory with more than 200 owners, whose root has
// one child and that two.
func nestedAlterations(list []named) []alteration {
	find := func(name string) *btcwire.MsgTx {
		return list[slices.IndexFunc(list, func(n named) bool { return n.name == name })].tx.Msg
	}
	onlyChild, inner := find("static 0/0"), find("static 1/0")
	return []alteration{
		{"nested-stops-at-only-child", "distribution 0/0", "outputs", rule.DIST003, replaces(onlyChild.TxOut[0])},
		{"nested-children-swapped", "distribution 1/0", "outputs", rule.DIST003, swaps(0, 1)},
		{"nested-pays-first-child", "distribution 0/0", "outputs", rule.DIST003, func(m *btcwire.MsgTx) {
			m.TxOut[0].Value += m.TxOut[1].Value
			m.TxOut = slices.Delete(m.TxOut, 1, 2)
		}},
		{"nested-spends-tree", "distribution 0/0 of 2/1", "outpoint", rule.DIST004, spends(btcwire.OutPoint{Hash: inner.TxHash(), Index: 1})},
		{"nested-not-at-expiry", "distribution 1/0 of 2/1", "nLockTime", rule.DIST004, lockTime(0)},
	}
}

// withoutOne are trees of which all is to be signed but one distribution.
func withoutOne(t vectors.Terms, list []named, id rule.ID, distributions ...string) []vectors.Vector {
	var out []vectors.Vector
	for _, d := range distributions {
		v := treeVector(slug("tree-without-distribution", strings.ReplaceAll(d, "/", "-")), t, id)
		missing := "distribution " + d
		for _, n := range list {
			if n.name != missing {
				v.Signed = append(v.Signed, n.name)
			}
		}
		v.Outcome = fault("missing-transaction", missing, -1, id)
		out = append(out, v)
	}
	return out
}
