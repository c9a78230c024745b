package factory_test

import (
	"crypto/rand"
	"fmt"
	"testing"

	"superscalar/refnode/factory"
	"superscalar/wire/rule"
)

// BenchmarkBuild measures everything from terms to sighashes, with nothing
// cached but the parsed keys, and what it takes a client that is sent node_keys.
func BenchmarkBuild(b *testing.B) {
	for _, n := range []int{128, 1024} {
		s := factory.DefaultShape(n)
		te := terms(b, n, s)
		whole := build(b, te)
		own := must(whole.Factory().TermsFor(1))(b)
		keys := must(whole.Factory().NodeKeys(1))(b)
		run := func(te factory.Terms, view factory.View, sent [][33]byte) func(*testing.B) {
			return func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					f := must(factory.New(te, rule.Set{}))(b)
					if sent != nil {
						if err := f.TakeNodeKeys(1, sent, rand.Reader); err != nil {
							b.Fatal(err)
						}
					}
					must(f.Build(fundingPoint, view))(b)
				}
			}
		}
		b.Run(fmt.Sprintf("clients=%d/lsp", n), run(te, factory.Whole(), nil))
		b.Run(fmt.Sprintf("clients=%d/client", n), run(own, factory.PathOf(1), nil))
		b.Run(fmt.Sprintf("clients=%d/client with node_keys", n), run(own, factory.PathOf(1), keys))
	}
}
