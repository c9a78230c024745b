package factory_test

import (
	"fmt"
	"testing"

	"superscalar/refnode/factory"
	"superscalar/wire/rule"
)

// BenchmarkBuild measures everything from terms to sighashes, with nothing
// cached but the parsed keys.
func BenchmarkBuild(b *testing.B) {
	for _, n := range []int{128, 1024} {
		s := factory.DefaultShape(n)
		te := terms(b, n, s)
		whole := build(b, te)
		own := must(whole.Factory().TermsFor(1))(b)
		run := func(te factory.Terms, view factory.View) func(*testing.B) {
			return func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					f := must(factory.New(te, rule.Set{}))(b)
					must(f.Build(fundingPoint, view))(b)
				}
			}
		}
		b.Run(fmt.Sprintf("clients=%d/lsp", n), run(te, factory.Whole()))
		b.Run(fmt.Sprintf("clients=%d/client", n), run(own, factory.PathOf(1)))
	}
}
