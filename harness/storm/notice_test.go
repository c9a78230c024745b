package storm

import (
	"fmt"
	"testing"

	"superscalar/wire/rule"
)

// judge takes the first thing that is wrong for an answer.
type judge struct{ testing.TB }

type verdict string

func (j judge) Fatalf(format string, args ...any) { panic(verdict(fmt.Sprintf(format, args...))) }
func (j judge) Fatal(args ...any)                 { panic(verdict(fmt.Sprint(args...))) }

// wrong is what is wrong with a seed when nobody keeps a rule, "": nothing.
func wrong(t *testing.T, seed uint64, id rule.ID) (what string) {
	defer func() {
		if r := recover(); r != nil {
			v, ok := r.(verdict)
			if !ok {
				panic(r)
			}
			what = string(v)
		}
	}()
	s := newStorm(judge{t}, seed, id)
	s.rage()
	s.finish()
	return ""
}

// TestStormsNotice makes nodes that do not keep a rule, and wants a storm to end badly: they
// do not punish, do not publish what pays them when the factory has expired, or keep their
// poison of replaced leaves to themselves.
func TestStormsNotice(t *testing.T) {
	t.Parallel()
	if testing.Short() || raced {
		t.Skip("storms of nodes that keep all rules run already")
	}
	for id, first := range map[rule.ID]uint64{rule.CHAN025: 4, rule.DIST009: 2, rule.POI007: 25} {
		t.Run(string(id), func(t *testing.T) {
			const tries = 8
			for i := range uint64(tries) {
				if what := wrong(t, first+i*uint64(len(plans)), id); what != "" {
					t.Logf("%.200s", what)
					return
				}
			}
			t.Errorf("%d storms ended well", tries)
		})
	}
}
