package factory_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"superscalar/refnode/factory"
	"superscalar/wire/rule"
)

// sameTx compares everything that a transaction and its signature depend on.
func sameTx(t fataler, a, b *factory.Tx) {
	t.Helper()
	switch {
	case !bytes.Equal(serialize(t, a.Msg), serialize(t, b.Msg)):
		t.Fatal("bytes differ: ", a.Kind, a.Node, a.Below)
	case a.Sighash != b.Sighash || a.Txid != b.Txid || a.Kind != b.Kind || a.Node != b.Node || a.Below != b.Below ||
		a.Group != b.Group || a.Sales != b.Sales || a.Signers != b.Signers || a.Remaining != b.Remaining:
		t.Fatal("heads differ: ", a.Kind, a.Node, a.Below)
	case a.PrevOut.Value != b.PrevOut.Value || !bytes.Equal(a.PrevOut.PkScript, b.PrevOut.PkScript):
		t.Fatal("spent outputs differ: ", a.Kind, a.Node, a.Below)
	case a.Key != nil && a.Key.OutputKey() != b.Key.OutputKey():
		t.Fatal("keys differ: ", a.Kind, a.Node, a.Below)
	}
}

// sameSlots compares what a client signs in both views.
func sameSlots(t fataler, lsp, client []*factory.Tx) {
	t.Helper()
	if len(lsp) != len(client) {
		t.Fatal("the LSP sees ", len(lsp), " slots, the client ", len(client))
	}
	for i := range lsp {
		sameTx(t, lsp[i], client[i])
	}
}

// checkView compares the tree of a client with the LSP's.
func checkView(t fataler, whole *factory.Tree, c factory.ClientIndex) {
	t.Helper()
	own := buildFor(t, whole, c)
	sameSlots(t, whole.Slots(c), own.Slots(c))
	sameSlots(t, own.Slots(c), own.AllSlots())
	var filtered []*factory.Tx
	for _, tx := range whole.AllSlots() {
		if tx.Signers.Contains(c) {
			filtered = append(filtered, tx)
		}
	}
	sameSlots(t, whole.Slots(c), filtered)
	ours, theirs := own.Channels(c), whole.Channels(c)
	if len(ours) != 1 || len(theirs) != 1 {
		t.Fatal("not one channel")
	}
	sameTx(t, theirs[0].Distribution, ours[0].Distribution)
	if a, b := must(whole.Cover(c))(t), must(own.Cover(c))(t); a != b || a != theirs[0].Value {
		t.Fatal("cover ", a, " and ", b, " of a capacity of ", theirs[0].Value)
	}
}

func TestViewsAgree(t *testing.T) {
	tests := []struct {
		name  string
		n     int
		shape string
	}{
		{"one client", 1, "kickoff 1 / ps 4"},
		{"three clients, dw", 3, "kickoff 1 / dw 4"},
		{"five clients, two leaves", 5, "kickoff 2 / ps 2"},
		{"sixteen clients, two state layers", 16, "kickoff 1 / state 4 / kickoff 1 / ps 2"},
		{"127 clients", 127, "static 8 / kickoff 1 / ps 4"},
		{"300 clients, nested distributions", 300, "static 3 / static 10 / kickoff 1 / ps 4"},
		{"1,024 clients, nested twice", 1024, "static 1 / static 2 / static 4 / static 16 / kickoff 1 / ps 3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			whole := build(t, terms(t, tt.n, shapeOf(t, tt.shape)))
			step := 1 // small factories: every client
			if tt.n > 20 {
				step = tt.n/4 + 1
			}
			for c := 0; c < tt.n; c += step {
				checkView(t, whole, factory.ClientIndex(c))
			}
		})
	}
}

func TestViewsAgreeOnRandomTrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "n")
		if rapid.IntRange(0, 49).Draw(t, "large") == 0 {
			n += 190 // some regions are smaller than the factory then
		}
		s := drawShape(t, n)
		whole := drawTree(t, n, s)
		for _, c := range rapid.SliceOfN(rapid.IntRange(0, n-1), 1, 4).Draw(t, "clients") {
			checkView(t, whole, factory.ClientIndex(c))
		}
	})
}

// drawTree draws amounts, stocks of 0 among them.
func drawTree(t *rapid.T, n int, s factory.Shape) *factory.Tree {
	te := terms(t, n, s)
	for i := range te.Amounts.Capacities {
		te.Amounts.Capacities[i] = factory.Sat(rapid.Int64Range(10_000, 1e9).Draw(t, "capacity"))
	}
	for i := range te.Amounts.Stocks {
		te.Amounts.Stocks[i] = factory.Sat(rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(330*200, 1e9)).Draw(t, "stock"))
	}

	return build(t, te)
}

// everyTx lists all transactions of a tree, those of channels included.
func everyTx(tree *factory.Tree) []*factory.Tx {
	txs := tree.AllSlots()
	for _, n := range tree.Nodes() {
		for _, channel := range n.Channels {
			if channel.Distribution != nil {
				txs = append(txs, channel.Distribution)
			}
		}
	}

	return txs
}

func TestTransactionsOfRandomTrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "n")
		tree := drawTree(t, n, drawShape(t, n))
		spent := map[[36]byte]int{}
		for _, tx := range everyTx(tree) {
			checkTx(t, tree, tx)
			op := tx.Outpoint()
			spent[[36]byte(append(op.Hash[:], byte(op.Index>>8), byte(op.Index), byte(tx.Kind), 0))]++
		}
		for outpoint, count := range spent {
			if count != 1 {
				t.Fatalf("%d transactions of one kind on %x", count, outpoint)
			}
		}
	})
}

// checkTx checks what section 4.4 says of every transaction.
func checkTx(t fataler, tree *factory.Tree, tx *factory.Tx) {
	t.Helper()
	var sum int64
	for _, out := range tx.Msg.TxOut {
		sum += out.Value
	}
	last := tx.Msg.TxOut[len(tx.Msg.TxOut)-1]
	p := tree.Factory().Terms().Params
	wantSequence, wantLock := uint32(0xffffffff), uint32(0)
	switch tx.Kind {
	case factory.KindState:
		wantSequence = uint32(p.Step) * uint32(tx.Remaining)
	case factory.KindDistribution:
		wantSequence, wantLock = 0xfffffffe, uint32(p.Expiry)
	case factory.KindOmission:
		wantSequence = uint32(p.OmissionDelay)
	}
	switch {
	case sum != tx.PrevOut.Value:
		t.Fatal(tx.Kind, " pays ", sum, " of ", tx.PrevOut.Value)
	case last.Value != 0 || !bytes.Equal(last.PkScript, []byte{0x51, 2, 0x4e, 0x73}):
		t.Fatal(tx.Kind, " does not end in P2A")
	case tx.VSize() > 10_000:
		t.Fatal(tx.Kind, " has ", tx.VSize(), " vB")
	case tx.Msg.Version != 3 || len(tx.Msg.TxIn) != 1 || len(tx.Msg.TxIn[0].SignatureScript) != 0:
		t.Fatal(tx.Kind, " has a wrong head")
	case tx.Sequence() != wantSequence || tx.Msg.LockTime != wantLock:
		t.Fatal(tx.Kind, " has nSequence ", tx.Sequence(), " and nLockTime ", tx.Msg.LockTime)
	}
}

func TestFundingIsTheSumOfAll(t *testing.T) {
	te := terms(t, 300, shapeOf(t, "static 20 / kickoff 1 / ps 4"))
	whole := build(t, te)
	var sum factory.Sat
	for _, v := range append(append([]factory.Sat{}, te.Amounts.Capacities...), te.Amounts.Stocks...) {
		sum += v
	}
	out := must(whole.Factory().Funding())(t)
	if factory.Sat(out.Value) != sum {
		t.Errorf("funding of %d sat, want %d", out.Value, sum)
	}
	root, _ := whole.Node(factory.NodeID{})
	if !bytes.Equal(root.Tx.PrevOut.PkScript, out.PkScript) || root.Tx.Outpoint() != fundingPoint {
		t.Error("the root does not spend the funding output")
	}
}

func TestDistributionsNest(t *testing.T) {
	whole := build(t, terms(t, 1000, shapeOf(t, "static 1 / static 3 / static 30 / kickoff 1 / ps 4")))
	root, _ := whole.Node(factory.NodeID{})
	if got := len(root.Distribution.Msg.TxOut); got != 3+1 {
		t.Fatalf("the distribution of the funding output has %d outputs, want one for each of 3 children and P2A", got)
	}
	// Each of the 3 covers over 200 clients again and pays its 30 children.
	if got := len(root.Nested); got != 3+3*30 {
		t.Fatalf("%d nested distributions, want 93", got)
	}
	paid := map[factory.ClientIndex]int{}
	for _, nested := range root.Nested {
		for _, c := range nested.Payees {
			paid[c]++
		}
	}
	for c := range 1000 {
		if paid[factory.ClientIndex(c)] != 1 {
			t.Fatalf("client %d is paid %d times", c, paid[factory.ClientIndex(c)])
		}
	}
	checkView(t, whole, 999)
}

func TestSizes(t *testing.T) {
	tests := []struct {
		name   string
		n      int
		shape  string
		kind   factory.TxKind
		vbytes int64
	}{
		{"distribution to 200 owners", 200, "static 20 / kickoff 1 / ps 4", factory.KindDistribution, 8681},
		{"kickoff of one child", 4, "kickoff 1 / ps 2", factory.KindKickoff, 124},
		{"leaf of 4 clients and 2 stocks", 4, "kickoff 1 / ps 2", factory.KindState, 339},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, tx := range build(t, terms(t, tt.n, shapeOf(t, tt.shape))).AllSlots() {
				if tx.Kind == tt.kind {
					if tx.VSize() != tt.vbytes {
						t.Errorf("%d vB, want %d", tx.VSize(), tt.vbytes)
					}

					return
				}
			}
			t.Error("there is no such transaction")
		})
	}
}

func TestBuildRefusesWhatDoesNotRelay(t *testing.T) {
	build(t, terms(t, 200, shapeOf(t, "kickoff 1 / dw 200")))
	build(t, terms(t, 200, shapeOf(t, "kickoff 1 / ps 15")))

	// 200 clients in 50 groups of 4: only without TREE-014 is there such a
	// leaf, of over 10,000 vB.
	te := terms(t, 200, shapeOf(t, "kickoff 1 / ps 15"))
	te.Shape = shapeOf(t, "kickoff 1 / ps 4")
	for len(te.Amounts.Stocks) < 50 {
		te.Amounts.Stocks = append(te.Amounts.Stocks, 50_000)
	}
	f := must(factory.New(te, rule.Without(rule.TREE014)))(t)
	_, err := f.Build(fundingPoint, factory.Whole())
	wantRule(t, err, rule.TREE015)
}
