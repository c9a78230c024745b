package factory_test

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/factory"
	"superscalar/refnode/musig"
	"superscalar/wire/rule"
)

// keyAt derives the i-th secret key of a role; the same in every run.
func keyAt(role string, i int) *btcec.PrivateKey {
	seed := sha256.Sum256(fmt.Appendf(nil, "%s/%d", role, i))
	key, _ := btcec.PrivKeyFromBytes(seed[:])

	return key
}

type pair struct {
	role string
	i    int
}

var publicKeys sync.Map // of pair: computing one takes a while

func publicAt(role string, i int) *musig.PublicKey {
	if key, ok := publicKeys.Load(pair{role, i}); ok {
		return key.(*musig.PublicKey)
	}
	key, err := musig.NewPublicKey(keyAt(role, i).PubKey())
	if err != nil {
		panic(err)
	}
	publicKeys.Store(pair{role, i}, key)

	return key
}

func channelAt(i, generation int) factory.Channel {
	c, err := factory.NewChannel(
		publicAt("channel", i).Bytes(), publicAt(fmt.Sprint("lsp channel ", generation), 0).Bytes())
	if err != nil {
		panic(err)
	}

	return c
}

var fundingPoint = wire.OutPoint{Hash: chainhash.Hash{1, 2, 3}, Index: 1}

// shapeOf reads a shape that the test knows to be right.
func shapeOf(tb testing.TB, text string) factory.Shape {
	tb.Helper()
	s, err := factory.ParseShape(text)
	if err != nil {
		tb.Fatal(err)
	}

	return s
}

type fataler interface {
	Helper()
	Fatal(args ...any)
}

// must stops a test that cannot go on.
func must[T any](v T, err error) func(fataler) T {
	return func(tb fataler) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}

		return v
	}
}

// terms returns a proposal for n clients with uneven capacities and stocks.
func terms(tb fataler, n int, s factory.Shape) factory.Terms {
	tb.Helper()
	layout := must(factory.NewLayout(n, s, rule.Set{}))(tb)
	t := factory.Terms{
		Shape: s, Params: factory.DefaultParams(s.Leaf),
		LSP:     publicAt("lsp", 0),
		Amounts: factory.Amounts{Region: factory.Range{Count: uint16(n)}},
	}
	if s.StateLevels() > 1 {
		t.Params.States, t.Params.Step = 3, 96
	}
	t.Params.TipHeight = 900_000
	t.Params.Expiry = must(t.Params.ExpiryFor(s))(tb)
	for i := range n {
		t.Keys = append(t.Keys, publicAt("client", i))
		t.Amounts.Capacities = append(t.Amounts.Capacities, factory.Sat(10_000+i*7))
		t.Payouts = append(t.Payouts, publicAt("payout", i).XOnly())
		t.Channels = append(t.Channels, channelAt(i, 0))
	}
	for i := range layout.GroupCount(factory.NodeID{}) {
		t.Amounts.Stocks = append(t.Amounts.Stocks, factory.Sat(100_000+i*13))
	}

	return t
}

// build returns the LSP's tree.
func build(tb fataler, t factory.Terms) *factory.Tree {
	tb.Helper()
	f := must(factory.New(t, rule.Set{}))(tb)

	return must(f.Build(fundingPoint, factory.Whole()))(tb)
}

// buildFor returns the tree of client c from what the LSP tells it.
func buildFor(tb fataler, whole *factory.Tree, c factory.ClientIndex) *factory.Tree {
	tb.Helper()
	t := must(whole.Factory().TermsFor(c))(tb)
	f := must(factory.New(t, rule.Set{}))(tb)

	return must(f.Build(whole.Funding(), factory.PathOf(c)))(tb)
}

// wantRule fails unless err names the requirement.
func wantRule(tb testing.TB, err error, want rule.ID) {
	tb.Helper()
	got, ok := factory.RuleOf(err)
	if !ok || got != want {
		tb.Fatalf("error %v, want one that names %q", err, want)
	}
}

func serialize(tb fataler, tx *wire.MsgTx) []byte {
	tb.Helper()
	var b writer
	if err := tx.Serialize(&b); err != nil {
		tb.Fatal(err)
	}

	return b
}

type writer []byte

func (w *writer) Write(p []byte) (int, error) {
	*w = append(*w, p...)

	return len(p), nil
}
