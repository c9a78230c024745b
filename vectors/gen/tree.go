package gen

import (
	"bytes"
	"fmt"
	"slices"

	"superscalar/refnode/factory"
	"superscalar/vectors"
	"superscalar/wire/rule"
)

// treeRules are what every whole tree decides.
var treeRules = []rule.ID{rule.TREE020, rule.TREE021, rule.TREE022, rule.SCRIPT001, rule.SCRIPT002, rule.SCRIPT004, rule.SCRIPT005,
	rule.DELAY001, rule.DIST001, rule.DIST002, rule.DIST006}

// treeCase is one whole tree. Above small clients only the transactions that
// client path signs have their bytes.
type treeCase struct {
	name   string
	n      int
	groups int
	shape  string
	path   int
	also   []rule.ID
	change func(*vectors.Terms)
}

const small = 16

var treeCases = []treeCase{
	{"1-dw", 1, 1, "kickoff 1 / dw 1", 0, nil, nil},
	{"1-ps", 1, 1, "kickoff 1 / ps 1", 0, nil, nil},
	{"2-dw", 2, 1, "kickoff 1 / dw 2", 0, nil, nil},
	{"2-ps", 2, 1, "static 1 / kickoff 1 / ps 2", 0, nil, nil},
	{"3-dw-uneven", 3, 2, "kickoff 2 / dw 2", 0, []rule.ID{rule.TREE012}, nil},
	{"3-ps-uneven", 3, 2, "kickoff 1 / ps 2", 0, []rule.ID{rule.TREE013}, nil},
	{"5-dw-two-layers", 5, 4, "kickoff 2 / state 2 / kickoff 1 / dw 2", 0, []rule.ID{rule.TREE012}, nil},
	{"5-ps-static", 5, 3, "static 2 / kickoff 1 / ps 2", 0, []rule.ID{rule.TREE013}, nil},
	{"8-dw-static", 8, 4, "static 2 / kickoff 2 / dw 2", 0, nil, nil},
	{"8-ps-without-stock", 8, 4, "static 2 / kickoff 1 / ps 2", 0, []rule.ID{rule.TREE023}, func(t *vectors.Terms) { t.Stocks[1], t.Stocks[2] = 0, 0 }},
	{"16-dw-two-statics", 16, 4, "static 2 / static 2 / kickoff 1 / dw 4", 0, nil, nil},
	{"16-ps-two-layers", 16, 6, "kickoff 1 / state 2 / kickoff 1 / ps 3", 0, []rule.ID{rule.TREE013}, nil},
	{"least-amounts", 3, 2, "kickoff 1 / ps 2", 0, []rule.ID{rule.TREE024, rule.TREE001}, func(t *vectors.Terms) {
		t.Capacities, t.Stocks = []vectors.Uint{10_000, 10_000, 10_000}, []vectors.Uint{660, 330}
	}},
	{"127-ps", 127, 32, "static 8 / kickoff 1 / ps 4", 126, []rule.ID{rule.TREE012, rule.TREE013}, nil},
	{"127-dw", 127, 32, "static 8 / static 4 / kickoff 1 / dw 4", 64, []rule.ID{rule.TREE012}, nil},
	{"128-ps", 128, 32, "static 8 / kickoff 1 / ps 4", 17, nil, nil},
	{"128-dw-two-layers", 128, 32, "static 4 / kickoff 1 / state 2 / kickoff 4 / dw 4", 100, nil, nil},
	{"201-ps-nested", 201, 56, "static 1 / static 2 / static 7 / kickoff 1 / ps 4", 150, []rule.ID{rule.DIST003, rule.DIST004}, nil},
}

func trees() (vectors.File, error) {
	f := file("TREE", "tree", "SPEC.md 4 and 6.1",
		"From terms and funding outpoint follow all transactions that are signed when the factory is created, every state at K-1. With client, terms are what that client is told and the transactions are those of its path. Transactions stand in level order, each with its distributions behind it, and are named: \"static L/P\", \"kickoff L/P\", \"state L/P\" for the one at level L, position P; \"distribution L/P\" of the outpoint that it spends; \"distribution L/P of M/Q\" of the output that one pays for M/Q; \"distribution L/P channel C\" of the channel of client C; \"distribution L/P stock G\" of the stock of group G. txid and funding_txid are in the byte order of transactions; bytes are without witness; sighash is that of BIP-341, for channels that of BIP-143. Large trees have bytes for one client's path only. In a bad vector the terms are refused, or claim, said to be the transaction of that name, is wrong in field, or signed, the names of all that is to be signed, lacks the one that field names.")
	for _, c := range treeCases {
		t := termsOf(c.n, c.groups, c.shape)
		if c.change != nil {
			c.change(&t)
		}
		v := treeVector("tree-"+c.name, t, append(append([]rule.ID{}, treeRules...), c.also...)...)
		if err := fillTree(v, factory.ClientIndex(c.path), c.n <= small); err != nil {
			return f, fmt.Errorf("%s: %w", v.Name, err)
		}
		f.Vectors = append(f.Vectors, v)
	}
	for _, c := range []struct {
		name  string
		n     int
		group int
		shape string
		of    int
		also  []rule.ID
	}{
		{"5-client-4", 5, 3, "static 2 / kickoff 1 / ps 2", 4, []rule.ID{rule.CER013}},
		{"402-client-300-nested-twice", 402, 112, "static 2 / static 2 / static 7 / kickoff 1 / ps 4", 300, []rule.ID{rule.DIST003, rule.DIST004, rule.CER013}},
	} {
		t, err := termsFor(termsOf(c.n, c.group, c.shape), c.of)
		if err != nil {
			return f, err
		}
		v := treeVector("tree-"+c.name, t, append(append([]rule.ID{}, treeRules...), c.also...)...)
		if err := fillTree(v, factory.ClientIndex(c.of), true); err != nil {
			return f, fmt.Errorf("%s: %w", v.Name, err)
		}
		f.Vectors = append(f.Vectors, v)
	}
	refused, err := refusedTerms()
	if err != nil {
		return f, err
	}
	claims, err := wrongClaims()
	f.Vectors = append(append(f.Vectors, refused...), claims...)
	return f, err
}

func treeVector(name string, t vectors.Terms, rules ...rule.ID) *vectors.Tree {
	v := &vectors.Tree{Head: head(name, rules...), Terms: t}
	v.FundingTxid, v.FundingOutput = fundingOutpoint()
	return v
}

// termsFor is what client c is told of complete terms.
func termsFor(t vectors.Terms, c int) (vectors.Terms, error) {
	terms, _, err := factoryTerms(t)
	if err != nil {
		return t, err
	}
	f, err := factory.New(terms, rule.Set{})
	if err != nil {
		return t, err
	}
	part, err := f.TermsFor(factory.ClientIndex(c))
	if err != nil {
		return t, err
	}
	client, region := vectors.Uint(c), part.Amounts.Region
	t.Client, t.Sums, t.Stocks = &client, nil, nil
	for _, list := range part.Amounts.Sums {
		t.Sums = append(t.Sums, uintsOf(list))
	}
	t.Capacities = t.Capacities[region.First:region.End()]
	t.PayoutKeys = t.PayoutKeys[region.First:region.End()]
	t.Stocks = uintsOf(part.Amounts.Stocks)
	first := int(part.ChannelsFirst)
	t.ChannelKeys = t.ChannelKeys[first : first+len(part.Channels)]
	return t, nil
}

func uintsOf(list []factory.Sat) []vectors.Uint {
	out := make([]vectors.Uint, len(list))
	for i, v := range list {
		out[i] = vectors.Uint(v)
	}
	return out
}

// fillTree writes what follows from the terms: bytes of everything, or of what
// client c signs.
func fillTree(v *vectors.Tree, c factory.ClientIndex, everything bool) error {
	tree, err := (runner{}).build(v.Terms, v.FundingTxid, v.FundingOutput)
	if err != nil {
		return err
	}
	funding, err := tree.Factory().Funding()
	if err != nil {
		return err
	}
	value := vectors.Uint(funding.Value)
	v.FundingValue, v.FundingScript = &value, funding.PkScript
	for _, n := range namedTree(tree) {
		v.Transactions = append(v.Transactions, n.describe(everything || n.tx.Signers.Contains(c)))
	}
	return nil
}

// named is a transaction with its name in the vectors.
type named struct {
	name string
	tx   *factory.Tx
}

func (n named) describe(withBytes bool) vectors.Transaction {
	out := vectors.Transaction{Name: n.name, Value: vectors.Uint(n.tx.PrevOut.Value),
		Txid: bytes.Clone(n.tx.Txid[:]), Sighash: bytes.Clone(n.tx.Sighash[:])}
	if withBytes {
		out.Bytes = serialized(n.tx)
	}
	return out
}

func serialized(tx *factory.Tx) vectors.Hex {
	var b bytes.Buffer
	_ = tx.Msg.SerializeNoWitness(&b) // a bytes.Buffer does not fail
	return b.Bytes()
}

// namedTree lists the transactions of a tree in the order of the vectors.
func namedTree(t *factory.Tree) []named {
	var out []named
	for _, n := range t.Nodes() {
		out = append(out, namedNode(n)...)
	}
	return out
}

func namedNode(n *factory.Node) []named {
	return append([]named{{fmt.Sprintf("%s %s", n.Kind, n.ID), n.Tx}}, namedDistributions(n)...)
}

func namedDistributions(n *factory.Node) []named {
	out := []named{{fmt.Sprintf("distribution %s", n.ID), n.Distribution}}
	for _, nested := range n.Nested {
		out = append(out, named{fmt.Sprintf("distribution %s of %s", n.ID, nested.Below), nested})
	}
	return append(out, namedOutputs(n)...)
}

// namedOutputs are the distributions of what a leaf pays.
func namedOutputs(n *factory.Node) []named {
	var out []named
	for _, c := range n.Channels {
		if c.Distribution != nil {
			out = append(out, named{fmt.Sprintf("distribution %s channel %d", n.ID, c.Client), c.Distribution})
		}
	}
	for g, s := range n.Stocks {
		if s != nil && s.Distribution != nil {
			out = append(out, named{fmt.Sprintf("distribution %s stock %d", n.ID, g), s.Distribution})
		}
	}
	return out
}

func (r runner) tree(v *vectors.Tree) error {
	tree, err := r.build(v.Terms, v.FundingTxid, v.FundingOutput)
	goOn, mismatch := refusal(v, err)
	if !goOn {
		return mismatch
	}
	if v.Claim != nil {
		return sameClaim(v, v.Claim, namedTree(tree))
	}
	if v.Signed != nil {
		return missingTransaction(v, namedTree(tree))
	}
	funding, err := tree.Factory().Funding()
	if err != nil {
		return err
	}
	if v.FundingValue == nil || uint64(funding.Value) != uint64(*v.FundingValue) {
		return fmt.Errorf("funding value is %d", funding.Value)
	}
	if err := sameBytes("funding script", funding.PkScript, v.FundingScript); err != nil {
		return err
	}
	if v.Error != nil {
		return fmt.Errorf("accepted, want %s", v.Error.Kind)
	}
	return sameTransactions(namedTree(tree), v.Transactions)
}

func sameTransactions(got []named, want []vectors.Transaction) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d transactions, want %d", len(got), len(want))
	}
	for i, w := range want {
		g := got[i].describe(w.Bytes != nil)
		if g.Name != w.Name || g.Value != w.Value {
			return fmt.Errorf("transaction %d is %s over %d sat, want %s over %d", i, g.Name, g.Value, w.Name, w.Value)
		}
		for _, c := range []struct {
			what      string
			got, want vectors.Hex
		}{{"bytes", g.Bytes, w.Bytes}, {"txid", g.Txid, w.Txid}, {"sighash", g.Sighash, w.Sighash}} {
			if err := sameBytes(c.what+" of "+g.Name, c.got, c.want); err != nil {
				return err
			}
		}
	}
	return nil
}

// sameClaim finds what is wrong with a claim.
func sameClaim(v vectors.Vector, c *vectors.Claim, list []named) error {
	field, err := wrongPart(c, list)
	want := v.Fails()
	switch {
	case err != nil:
		return err
	case field == "":
		return fmt.Errorf("%s is as claimed", c.Name)
	case want == nil || want.Kind != "wrong-transaction" || want.Field != field:
		return fmt.Errorf("%s is wrong in %s, want %+v", c.Name, field, want)
	}
	return nil
}

// missingTransaction finds the transaction that is not to be signed.
func missingTransaction(v *vectors.Tree, list []named) error {
	missing := ""
	for _, n := range list {
		if !slices.Contains(v.Signed, n.name) {
			missing = n.name
			break
		}
	}
	if missing == "" || v.Error == nil || v.Error.Kind != "missing-transaction" || v.Error.Field != missing {
		return fmt.Errorf("%q is missing, want %+v", missing, v.Error)
	}
	return nil
}
