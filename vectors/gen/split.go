package gen

import (
	"fmt"
	"reflect"
	"slices"

	"superscalar/refnode/factory"
	"superscalar/vectors"
	"superscalar/wire/rule"
)

func splits() (vectors.File, error) {
	f := file("TREE", "split", "SPEC.md 4.2",
		"A shape over n clients: levels has, for each level from the root, the number of clients of each transaction; groups has, for each leaf, the number of clients of each group. In a bad vector one of them is wrong, or the shape is refused. Kinds of level and leaf are the numbers of SPEC.md 4.2.")
	for i, c := range []struct {
		n     int
		shape string
		rules []rule.ID
	}{
		{1, "kickoff 1 / dw 1", []rule.ID{rule.TREE010, rule.TREE011}},
		{1, "static 8 / static 8 / kickoff 1 / ps 4", []rule.ID{rule.TREE010, rule.TREE012}},
		{2, "kickoff 2 / ps 1", []rule.ID{rule.TREE011, rule.TREE013}},
		{3, "kickoff 2 / dw 2", []rule.ID{rule.TREE012, rule.TREE014}},
		{5, "kickoff 1 / ps 3", []rule.ID{rule.TREE013}},
		{7, "kickoff 1 / ps 3", []rule.ID{rule.TREE013}},
		{8, "kickoff 3 / state 2 / kickoff 1 / dw 2", []rule.ID{rule.TREE010, rule.TREE012}},
		{16, "static 3 / kickoff 1 / ps 3", []rule.ID{rule.TREE012, rule.TREE013}},
		{16, "kickoff 1 / ps 4", []rule.ID{rule.TREE014}},
		{127, "static 8 / kickoff 1 / ps 4", []rule.ID{rule.TREE012, rule.TREE013}},
		{128, "static 10 / static 3 / kickoff 1 / dw 5", []rule.ID{rule.TREE012}},
		{200, "kickoff 1 / dw 200", []rule.ID{rule.TREE010, rule.TREE014}},
		{1000, "static 7 / static 11 / kickoff 1 / ps 4", []rule.ID{rule.TREE012, rule.TREE013}},
		{2, "static 1 / static 1 / static 1 / static 1 / static 1 / static 1 / static 1 / static 1 / static 1 / static 1 / static 1 / static 1 / static 1 / static 1 / kickoff 1 / dw 2",
			[]rule.ID{rule.TREE010}},
	} {
		s := shapeOf(c.shape)
		levels, groups := splitByHand(c.n, s)
		name := fmt.Sprintf("split-%d-%d", i, c.n)
		f.Vectors = append(f.Vectors, &vectors.Split{Head: head(name, c.rules...), Clients: vectors.Uint(c.n), Shape: s, Levels: levels, Groups: groups})
		f.Vectors = append(f.Vectors, wrongSplits(name, vectors.Uint(c.n), s, levels, groups)...)
	}
	f.Vectors = append(f.Vectors, refusedShapes()...)
	return f, nil
}

// even splits c into m parts, larger ones first.
func even(c, m int) []vectors.Uint {
	out := make([]vectors.Uint, m)
	for i := range out {
		out[i] = vectors.Uint((c + m - 1 - i) / m)
	}
	return out
}

// splitByHand follows TREE-012 and TREE-013 without package factory.
func splitByHand(n int, s vectors.Shape) (levels, groups [][]vectors.Uint) {
	levels = [][]vectors.Uint{{vectors.Uint(n)}}
	for i, l := range s.Levels {
		if i == len(s.Levels)-1 {
			break
		}
		var below []vectors.Uint
		for _, c := range levels[i] {
			below = append(below, even(int(c), min(int(l.Arity), int(c)))...)
		}
		levels = append(levels, below)
	}
	k := int(s.Levels[len(s.Levels)-1].Arity)
	for _, c := range levels[len(levels)-1] {
		if s.Leaf == 1 {
			groups = append(groups, []vectors.Uint{c})
		} else {
			groups = append(groups, even(int(c), (int(c)+k-1)/k))
		}
	}
	return levels, groups
}

// wrongSplits have the same parts in another order, or filled up one after the
// other.
func wrongSplits(name string, n vectors.Uint, s vectors.Shape, levels, groups [][]vectors.Uint) []vectors.Vector {
	var out []vectors.Vector
	bad := func(what, field string, id rule.ID, levels, groups [][]vectors.Uint) {
		out = append(out, &vectors.Split{Head: head(name+"-"+what, id), Clients: n, Shape: s, Levels: levels, Groups: groups,
			Outcome: fault("wrong-split", field, -1, id)})
	}
	last := len(levels) - 1
	if turned := reversed(levels[last]); !slices.Equal(turned, levels[last]) {
		wrong := slices.Clone(levels)
		wrong[last] = turned
		bad("smaller-first", "levels", rule.TREE012, wrong, groups)
	}
	for i, leaf := range groups {
		if turned := reversed(leaf); !slices.Equal(turned, leaf) {
			wrong := slices.Clone(groups)
			wrong[i] = turned
			bad("smaller-group-first", "groups", rule.TREE013, levels, wrong)
			if last := leaf[len(leaf)-1]; last > 1 {
				wrong = slices.Clone(groups)
				wrong[i] = slices.Clone(leaf)
				wrong[i][0]++
				wrong[i][len(leaf)-1]--
				bad("groups-filled-up", "groups", rule.TREE013, levels, wrong)
			}
			break
		}
	}
	return out
}

func reversed(list []vectors.Uint) []vectors.Uint {
	out := slices.Clone(list)
	slices.Reverse(out)
	return out
}

func refusedShapes() []vectors.Vector {
	level := func(kind, arity uint8) vectors.Level { return vectors.Level{Kind: kind, Arity: arity} }
	static, kickoff, state := level(0, 2), level(1, 2), level(2, 4)
	var out []vectors.Vector
	for _, c := range []struct {
		name   string
		n      vectors.Uint
		leaf   uint8
		levels []vectors.Level
		field  string
		rule   rule.ID
	}{
		{"no-level", 2, 2, []vectors.Level{}, "levels", rule.TREE010},
		{"leaf-only", 2, 2, []vectors.Level{state}, "levels", rule.TREE010},
		{"statics-only", 2, 2, []vectors.Level{static, static}, "levels", rule.TREE010},
		{"ends-in-kickoff", 2, 2, []vectors.Level{kickoff, state, kickoff}, "levels", rule.TREE010},
		{"state-before-kickoff", 2, 2, []vectors.Level{state, kickoff}, "kind", rule.TREE010},
		{"two-kickoffs", 2, 2, []vectors.Level{kickoff, kickoff}, "kind", rule.TREE010},
		{"static-below-kickoff", 2, 2, []vectors.Level{kickoff, static}, "kind", rule.TREE010},
		{"static-below-state", 2, 2, []vectors.Level{kickoff, state, static, state}, "kind", rule.TREE010},
		{"unknown-kind", 2, 2, []vectors.Level{kickoff, level(3, 4)}, "kind", rule.TREE010},
		{"arity-0", 2, 2, []vectors.Level{level(1, 0), state}, "arity", rule.TREE010},
		{"arity-201", 2, 2, []vectors.Level{level(1, 201), state}, "arity", rule.TREE010},
		{"17-levels", 2, 2, append(slices.Repeat([]vectors.Level{static}, 15), kickoff, state), "levels", rule.TREE010},
		{"leaf-0", 2, 0, []vectors.Level{kickoff, state}, "leaf", rule.TREE011},
		{"leaf-3", 2, 3, []vectors.Level{kickoff, state}, "leaf", rule.TREE011},
		{"dw-leaf-full", 5, 1, []vectors.Level{level(1, 1), state}, "leaf", rule.TREE014},
		{"ps-leaf-full", 17, 2, []vectors.Level{level(1, 1), state}, "leaf", rule.TREE014},
		{"one-leaf-of-two-full", 9, 1, []vectors.Level{kickoff, state}, "leaf", rule.TREE014},
	} {
		out = append(out, &vectors.Split{Head: head("split-"+c.name, c.rule), Clients: c.n, Shape: vectors.Shape{Leaf: c.leaf, Levels: c.levels},
			Outcome: fault("refused", c.field, -1, c.rule)})
	}
	return out
}

func (r runner) split(v *vectors.Split) error {
	l, err := factory.NewLayout(int(v.Clients), factoryShape(v.Shape), r.rules)
	goOn, mismatch := refusal(v, err)
	if !goOn {
		return mismatch
	}
	levels, groups := countsOf(l)
	wrong := ""
	switch {
	case !reflect.DeepEqual(levels, v.Levels):
		wrong = "levels"
	case !reflect.DeepEqual(groups, v.Groups):
		wrong = "groups"
	}
	switch {
	case v.Error == nil && wrong != "":
		return fmt.Errorf("%s are %v and %v, want %v and %v", wrong, levels, groups, v.Levels, v.Groups)
	case v.Error == nil:
		return nil
	case wrong == "":
		return fmt.Errorf("the split is right, want %s", v.Error.Kind)
	case v.Error.Kind != "wrong-split" || wrong != v.Error.Field:
		return fmt.Errorf("%s are wrong, want %s at %s", wrong, v.Error.Kind, v.Error.Field)
	}
	return nil
}

func countsOf(l *factory.Layout) (levels, groups [][]vectors.Uint) {
	for level := range l.Levels() {
		var counts []vectors.Uint
		for i := range l.Width(level) {
			id := factory.NodeID{Level: uint8(level), Position: uint16(i)}
			counts = append(counts, vectors.Uint(l.Range(id).Count))
			if !l.IsLeaf(id) {
				continue
			}
			var parts []vectors.Uint
			for _, g := range l.Groups(id) {
				parts = append(parts, vectors.Uint(g.Count))
			}
			groups = append(groups, parts)
		}
		levels = append(levels, counts)
	}
	return levels, groups
}
