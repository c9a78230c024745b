package factory_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire"
	"pgregory.net/rapid"

	"superscalar/refnode/factory"
	"superscalar/wire/rule"
)

func TestNewRefuses(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*factory.Terms)
		want  rule.ID
		hard  bool // going on without the rule is not possible
	}{
		{"capacity too small", func(te *factory.Terms) { te.Amounts.Capacities[3] = 9_999 }, rule.TREE001, false},
		{"negative capacity", func(te *factory.Terms) { te.Amounts.Capacities[3] = -1 }, rule.TREE022, true},
		{"capacity over all there is", func(te *factory.Terms) { te.Amounts.Capacities[3] = factory.MaxSat + 1 }, rule.TREE022, true},
		{"sum over all there is", func(te *factory.Terms) {
			te.Amounts.Capacities[3], te.Amounts.Capacities[4] = factory.MaxSat-1, factory.MaxSat-1
		}, rule.TREE022, true},
		{"stock too small for its owners", func(te *factory.Terms) { te.Amounts.Stocks[0] = 659 }, rule.TREE024, false},
		{"two clients with one key", func(te *factory.Terms) { te.Keys[4] = te.Keys[3] }, rule.SCRIPT006, false},
		{"a client with the LSP's key", func(te *factory.Terms) { te.Keys[0] = te.LSP }, rule.SCRIPT006, false},
		{"no key of the LSP", func(te *factory.Terms) { te.LSP = nil }, rule.SCRIPT006, true},
		{"a missing key", func(te *factory.Terms) { te.Keys[2] = nil }, rule.SCRIPT006, true},
		{"a capacity too few", func(te *factory.Terms) { te.Amounts.Capacities = te.Amounts.Capacities[1:] }, rule.CER013, true},
		{"a stock too many", func(te *factory.Terms) { te.Amounts.Stocks = append(te.Amounts.Stocks, 1000) }, rule.CER013, true},
		{"a payout key too few", func(te *factory.Terms) { te.Payouts = te.Payouts[1:] }, rule.CER013, true},
		{"a channel too many", func(te *factory.Terms) { te.Channels = append(te.Channels, te.Channels[0]) }, rule.CER013, true},
		{"a sum where everything is known", func(te *factory.Terms) { te.Amounts.Sums = [][]factory.Sat{{1}} }, rule.CER013, true},
		{"more sums than levels", func(te *factory.Terms) { te.Amounts.Sums = make([][]factory.Sat, 99) }, rule.CER013, true},
		{"a region that is no subtree", func(te *factory.Terms) { te.Amounts.Region.Count-- }, rule.CER013, true},
		{"no region", func(te *factory.Terms) { te.Amounts.Region = factory.Range{} }, rule.CER013, true},
		{"a region beyond the clients", func(te *factory.Terms) { te.Amounts.Region.First = 65_000 }, rule.CER013, true},
		{"a shape for fewer clients", func(te *factory.Terms) { te.Shape.Levels[0].Arity = 1 }, rule.TREE014, true},
		{"a wrong expiry", func(te *factory.Terms) { te.Params.Expiry++ }, rule.DELAY005, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			te := terms(t, 8, shapeOf(t, "kickoff 2 / ps 2"))
			tt.spoil(&te)
			_, err := factory.New(te, rule.Set{})
			wantRule(t, err, tt.want)
			f, err := factory.New(te, rule.Without(tt.want))
			if tt.hard {
				return
			}
			if err != nil {
				t.Fatalf("refused without %s: %v", tt.want, err)
			}
			_, err = f.Build(fundingPoint, factory.Whole())
			if tt.want == rule.TREE024 {
				wantRule(t, err, rule.DIST005) // of the same stock
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestClientRefusesSums(t *testing.T) {
	whole := build(t, terms(t, 300, shapeOf(t, "static 3 / static 10 / kickoff 1 / ps 4")))
	tests := []struct {
		name  string
		spoil func(*factory.Terms)
		want  rule.ID
	}{
		{"the sum of its own part", func(te *factory.Terms) { te.Amounts.Sums[0][0]++ }, rule.TREE022},
		{"a negative sum", func(te *factory.Terms) { te.Amounts.Sums[0][2] = -1 }, rule.TREE022},
		{"a sum too few", func(te *factory.Terms) { te.Amounts.Sums[0] = te.Amounts.Sums[0][:2] }, rule.CER013},
		{"no sums", func(te *factory.Terms) { te.Amounts.Sums = nil }, rule.CER013},
		{"a child under the dust limit", func(te *factory.Terms) { te.Amounts.Sums[0][1] = 329 }, rule.DIST005},
		{"no channel of its neighbour", func(te *factory.Terms) { te.Channels = te.Channels[1:] }, rule.CER013},
		{"a region too small", func(te *factory.Terms) { te.Amounts.Region.Count = 10 }, rule.CER013},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			te := must(whole.Factory().TermsFor(7))(t)
			te.Amounts.Sums = [][]factory.Sat{append([]factory.Sat{}, te.Amounts.Sums[0]...)}
			tt.spoil(&te)
			f, err := factory.New(te, rule.Set{})
			if err == nil {
				_, err = f.Build(fundingPoint, factory.PathOf(7))
			}
			wantRule(t, err, tt.want)
		})
	}
	te := must(whole.Factory().TermsFor(7))(t)
	if len(te.Amounts.Sums) != 1 || te.Amounts.Region.Count != 100 || len(te.Channels) != 10 || te.Channels[6].Known {
		t.Errorf("client 7 is told of %d sums, %d clients, %d channels", len(te.Amounts.Sums), te.Amounts.Region.Count, len(te.Channels))
	}
	if _, err := must(factory.New(te, rule.Set{}))(t).TermsFor(7); err == nil {
		t.Error("a client's terms can be cut down")
	}
	if _, err := whole.Factory().TermsFor(300); err == nil {
		t.Error("client 300 of 300 exists")
	}
}

func TestNoStockNoOutput(t *testing.T) {
	te := terms(t, 4, shapeOf(t, "kickoff 1 / ps 2"))
	te.Amounts.Stocks[0] = 0
	tree := build(t, te)
	leaf, _ := tree.Node(leafOf4)
	if leaf.Stocks[0] != nil || len(leaf.Tx.Msg.TxOut) != 4+1+1 || leaf.Stocks[1].Outpoint != (leaf.Tx.Output(4)) {
		t.Errorf("the leaf has %d outputs", len(leaf.Tx.Msg.TxOut))
	}
	if got := len(tree.Slots(0)); got != 4 {
		t.Errorf("client 0 has %d slots, want none for a stock", got)
	}
}

// TestMutantsBuildOtherwise makes sure that a broken building rule shows in the
// bytes, and that nothing panics.
func TestMutantsBuildOtherwise(t *testing.T) {
	te := terms(t, 5, shapeOf(t, "kickoff 2 / ps 2"))
	te.Amounts.Stocks[1] = 0
	right := build(t, te).AllSlots()
	for _, id := range []rule.ID{
		rule.TREE012, rule.TREE013, rule.TREE020, rule.TREE021, rule.TREE023, rule.SCRIPT001, rule.SCRIPT002,
		rule.SCRIPT004, rule.SCRIPT005, rule.DELAY001, rule.DIST002,
	} {
		t.Run(string(id), func(t *testing.T) {
			rules := rule.Without(id)
			f := must(factory.New(te, rules))(t)
			slots := must(f.Build(fundingPoint, factory.Whole()))(t).AllSlots()
			same := len(slots) == len(right)
			for i := range slots {
				same = same && slots[i].Txid == right[i].Txid && slots[i].Sighash == right[i].Sighash
			}
			if same {
				t.Error("the mutant builds the same")
			}
		})
	}
}

// TestAnythingMayBeProposed feeds random proposals with random rules switched
// off: an error or a tree, never a panic.
func TestAnythingMayBeProposed(t *testing.T) {
	ids := []rule.ID{
		rule.TREE001, rule.TREE002, rule.TREE010, rule.TREE011, rule.TREE012, rule.TREE013, rule.TREE014, rule.TREE015,
		rule.TREE021, rule.TREE022, rule.TREE023, rule.TREE024, rule.SCRIPT006, rule.DELAY001, rule.DELAY004, rule.DELAY005,
		rule.DIST002, rule.DIST003, rule.DIST005,
	}
	rapid.Check(t, func(t *rapid.T) {
		rules := rule.Without(rapid.SliceOf(rapid.SampledFrom(ids)).Draw(t, "off")...)
		n := rapid.IntRange(1, 12).Draw(t, "n")
		te := terms(t, n, factory.Shape{Leaf: factory.PS, Levels: []factory.Level{{Kind: factory.Kickoff, Arity: 12}, {Kind: factory.State, Arity: 4}}})
		te.Shape.Leaf = factory.LeafKind(rapid.IntRange(0, 3).Draw(t, "leaf"))
		te.Shape.Levels = nil
		for range rapid.IntRange(0, 5).Draw(t, "levels") {
			te.Shape.Levels = append(te.Shape.Levels, factory.Level{
				Kind:  factory.Kind(rapid.IntRange(0, 3).Draw(t, "kind")),
				Arity: uint8(rapid.IntRange(0, 5).Draw(t, "arity")),
			})
		}
		amount := rapid.Custom(func(t *rapid.T) factory.Sat { return factory.Sat(rapid.Int64().Draw(t, "amount")) })
		small := rapid.Custom(func(t *rapid.T) factory.Sat { return factory.Sat(rapid.Int64Range(0, 20_000).Draw(t, "amount")) })
		for i := range te.Amounts.Capacities {
			te.Amounts.Capacities[i] = rapid.OneOf(small, small, small, amount).Draw(t, "capacity")
		}
		te.Amounts.Stocks = rapid.SliceOfN(rapid.OneOf(small, amount), 0, 12).Draw(t, "stocks")
		if l, err := factory.NewLayout(n, te.Shape, rules); err == nil {
			te.Amounts.Stocks = rapid.SliceOfN(small, l.GroupCount(factory.NodeID{}), l.GroupCount(factory.NodeID{})).Draw(t, "fitting")
		}
		te.Params.States = rapid.Uint8().Draw(t, "states")
		te.Params.StockCSV = rapid.Uint16().Draw(t, "csv")
		f, err := factory.New(te, rules)
		if err != nil {
			var typed *factory.Error
			if !errors.As(err, &typed) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("untyped error %v", err)
			}

			return
		}
		tree, err := f.Build(wire.OutPoint{}, factory.Whole())
		if err == nil {
			_, _ = tree.Cover(0)
			_, _ = tree.ExitPath(0, 0)
			for _, tx := range tree.AllSlots() {
				tree.Descriptors(tx)
			}
		}
	})
}

func TestDescriptors(t *testing.T) {
	// The example of BIP-380.
	if sum, ok := factory.Checksum("raw(deadbeef)"); !ok || sum != "89f8spxm" {
		t.Errorf("checksum %q %v, want 89f8spxm", sum, ok)
	}
	if _, ok := factory.Checksum("raw(é)"); ok {
		t.Error("a character that descriptors do not have passes")
	}
	tree := build(t, terms(t, 3, shapeOf(t, "kickoff 1 / ps 3")))
	leaf, _ := tree.Node(leafOf4)
	input, outputs := tree.Descriptors(leaf.Tx)
	wants := []string{"wsh(sortedmulti(2,", "wsh(sortedmulti(2,", "wsh(sortedmulti(2,", "tr(musig(", "raw(51024e73)#"}
	if !strings.HasPrefix(input, "tr(musig(") || len(outputs) != len(wants) {
		t.Fatalf("input %s, outputs %v", input, outputs)
	}
	for i, want := range wants {
		if !strings.HasPrefix(outputs[i], want) {
			t.Errorf("output %d is %s, want %s...", i, outputs[i], want)
		}
	}
	if want := ",and_v(v:pk("; !strings.Contains(outputs[3], want) || !strings.Contains(outputs[3], "older(144)))#") {
		t.Errorf("stock %s", outputs[3])
	}
	_, outputs = tree.Descriptors(leaf.Stocks[0].Distribution)
	if !strings.HasPrefix(outputs[0], "rawtr(") {
		t.Errorf("payout %s", outputs[0])
	}
	own := buildFor(t, tree, 1)
	node, _ := own.Node(leafOf4)
	_, outputs = own.Descriptors(node.Tx)
	if !strings.HasPrefix(outputs[0], "raw(0020") || !strings.HasPrefix(outputs[1], "wsh(") {
		t.Errorf("a client sees %v", outputs)
	}
}
