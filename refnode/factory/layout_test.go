package factory_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"superscalar/refnode/factory"
	"superscalar/wire/rule"
)

func counts(ranges []factory.Range) []int {
	var c []int
	for _, r := range ranges {
		c = append(c, int(r.Count))
	}

	return c
}

func TestLayoutSplits(t *testing.T) {
	tests := []struct {
		name   string
		n      int
		shape  string
		leaves []int
		groups []int // of the first leaf
	}{
		{"one client", 1, "static 8 / kickoff 1 / ps 4", []int{1}, []int{1}},
		{"two clients, one leaf", 2, "kickoff 1 / ps 2", []int{2}, []int{2}},
		{"three clients in two groups", 3, "kickoff 1 / ps 2", []int{3}, []int{2, 1}},
		{"five clients over two leaves, larger first", 5, "kickoff 2 / ps 2", []int{3, 2}, []int{2, 1}},
		{"five clients, three groups", 5, "kickoff 1 / ps 3", []int{5}, []int{3, 2}},
		{"eight clients, fewer than the arity", 8, "static 16 / kickoff 1 / ps 2", []int{1, 1, 1, 1, 1, 1, 1, 1}, []int{1}},
		{"eight clients, uneven thrice", 8, "static 3 / kickoff 1 / dw 3", []int{3, 3, 2}, []int{3}},
		{"sixteen clients, four groups", 16, "kickoff 1 / ps 4", []int{16}, []int{4, 4, 4, 4}},
		{"seven clients, groups as even as can be", 7, "kickoff 1 / ps 3", []int{7}, []int{3, 2, 2}},
		{"127 clients", 127, "static 8 / kickoff 1 / ps 4", []int{16, 16, 16, 16, 16, 16, 16, 15}, []int{4, 4, 4, 4}},
		{"128 clients", 128, "static 8 / kickoff 1 / ps 4", []int{16, 16, 16, 16, 16, 16, 16, 16}, []int{4, 4, 4, 4}},
		{"two state layers", 7, "kickoff 1 / state 2 / kickoff 2 / dw 2", []int{2, 2, 2, 1}, []int{2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := must(factory.NewLayout(tt.n, shapeOf(t, tt.shape), rule.Set{}))(t)
			var leaves []factory.Range
			for i := range l.Width(l.Levels() - 1) {
				leaves = append(leaves, l.Range(factory.NodeID{Level: uint8(l.Levels() - 1), Position: uint16(i)}))
			}
			if diff := cmp.Diff(tt.leaves, counts(leaves)); diff != "" {
				t.Errorf("leaves (-want +got):\n%s", diff)
			}
			leaf, _ := l.Leaf(0)
			if diff := cmp.Diff(tt.groups, counts(l.Groups(leaf))); diff != "" {
				t.Errorf("groups (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLayoutRefuses(t *testing.T) {
	tests := []struct {
		name  string
		n     int
		shape string
		want  rule.ID
	}{
		{"no client", 0, "kickoff 1 / ps 4", rule.TREE001},
		{"1,025 clients", 1025, "static 200 / kickoff 1 / ps 4", rule.TREE001},
		{"ps leaf too full", 17, "kickoff 1 / ps 4", rule.TREE014},
		{"dw leaf too full", 5, "kickoff 1 / dw 4", rule.TREE014},
		{"leaf with more owners than a distribution pays", 201, "kickoff 1 / ps 15", rule.TREE014},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := factory.NewLayout(tt.n, shapeOf(t, tt.shape), rule.Set{})
			wantRule(t, err, tt.want)
		})
	}
}

func TestMutantsSplitOtherwise(t *testing.T) {
	s := shapeOf(t, "kickoff 2 / ps 2")
	l := must(factory.NewLayout(5, s, rule.Without(rule.TREE012)))(t)
	if got := l.Range(factory.NodeID{Level: 1}).Count; got != 2 {
		t.Errorf("without TREE-012 the first leaf covers %d clients, want 2", got)
	}
	l = must(factory.NewLayout(3, shapeOf(t, "kickoff 1 / ps 2"), rule.Without(rule.TREE013)))(t)
	if diff := cmp.Diff([]int{1, 2}, counts(l.Groups(factory.NodeID{Level: 1}))); diff != "" {
		t.Errorf("without TREE-013 (-want +got):\n%s", diff)
	}
	must(factory.NewLayout(17, shapeOf(t, "kickoff 1 / ps 4"), rule.Without(rule.TREE014)))(t)
}

// drawShape draws a shape that n clients fit.
func drawShape(t *rapid.T, n int) factory.Shape {
	for {
		var s factory.Shape
		s.Leaf = rapid.SampledFrom([]factory.LeafKind{factory.DW, factory.PS}).Draw(t, "leaf")
		arity := func(most int) uint8 { return uint8(rapid.IntRange(1, most).Draw(t, "arity")) }
		for range rapid.IntRange(0, 3).Draw(t, "statics") {
			s.Levels = append(s.Levels, factory.Level{Kind: factory.Static, Arity: arity(12)})
		}
		for range rapid.IntRange(1, 2).Draw(t, "pairs") {
			s.Levels = append(s.Levels,
				factory.Level{Kind: factory.Kickoff, Arity: arity(4)}, factory.Level{Kind: factory.State, Arity: arity(6)})
		}
		if _, err := factory.NewLayout(n, s, rule.Set{}); err == nil {
			return s
		}
		s.Levels = append([]factory.Level{{Kind: factory.Static, Arity: 200}}, s.Levels...)
		if _, err := factory.NewLayout(n, s, rule.Set{}); err == nil {
			return s
		}
	}
}

func TestLayoutProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 1024).Draw(t, "n")
		l := must(factory.NewLayout(n, drawShape(t, n), rule.Set{}))(t)
		for level := range l.Levels() {
			next, smallest, largest := 0, n, 0
			for i := range l.Width(level) {
				id := factory.NodeID{Level: uint8(level), Position: uint16(i)}
				r := l.Range(id)
				if int(r.First) != next || r.Count == 0 {
					t.Fatalf("%s covers %s, want it to start at %d", id, r, next)
				}
				next, smallest, largest = r.End(), min(smallest, int(r.Count)), max(largest, int(r.Count))
				checkFamily(t, l, id)
			}
			if next != n {
				t.Fatalf("level %d covers %d of %d clients", level, next, n)
			}
		}
		c := factory.ClientIndex(rapid.IntRange(0, n-1).Draw(t, "client"))
		checkPath(t, l, c)
	})
}

func checkFamily(t *rapid.T, l *factory.Layout, id factory.NodeID) {
	children := l.Children(id)
	smallest, largest := uint16(1<<15), uint16(0)
	last := uint16(1 << 15)
	for _, child := range children {
		if parent, ok := l.Parent(child); !ok || parent != id {
			t.Fatalf("the parent of %s is %s, want %s", child, parent, id)
		}
		count := l.Range(child).Count
		if count > last {
			t.Fatalf("%s: larger parts come first", id)
		}
		last, smallest, largest = count, min(smallest, count), max(largest, count)
	}
	if len(children) > 0 && largest-smallest > 1 {
		t.Fatalf("%s: parts from %d to %d", id, smallest, largest)
	}
	total := 0
	for _, r := range l.Groups(id) {
		total += int(r.Count)
	}
	if l.IsLeaf(id) && total != int(l.Range(id).Count) {
		t.Fatalf("groups of %s cover %d clients", id, total)
	}
}

func checkPath(t *rapid.T, l *factory.Layout, c factory.ClientIndex) {
	path := l.Path(c)
	if len(path) != l.Levels() {
		t.Fatalf("path of %d transactions in %d levels", len(path), l.Levels())
	}
	for i, id := range path {
		if int(id.Level) != i || !l.Range(id).Contains(c) {
			t.Fatalf("path of client %d has %s, which covers %s", c, id, l.Range(id))
		}
	}
	leaf, group, ok := l.Group(c)
	if !ok || leaf != path[len(path)-1] || !l.Groups(leaf)[group].Contains(c) {
		t.Fatalf("client %d is not in group %d of %s", c, group, leaf)
	}
	region, _ := l.Region(c)
	parent, below := l.Parent(region)
	if l.Range(region).Count > factory.MaxOwners || below && l.Range(parent).Count <= factory.MaxOwners {
		t.Fatalf("region %s of client %d is not the highest of at most 200", region, c)
	}
}

func TestLowestState(t *testing.T) {
	l := must(factory.NewLayout(8, shapeOf(t, "kickoff 1 / state 2 / kickoff 1 / ps 2"), rule.Set{}))(t)
	full := func(factory.NodeID) uint8 { return 3 }
	tests := []struct {
		name      string
		clients   []factory.ClientIndex
		remaining func(factory.NodeID) uint8
		want      string // "" for none
	}{
		{"one client: its leaf", []factory.ClientIndex{5}, full, "3/1"},
		{"clients of one leaf", []factory.ClientIndex{4, 7}, full, "3/1"},
		{"clients of two leaves", []factory.ClientIndex{0, 7}, full, "1/0"},
		{"a leaf without states falls back", []factory.ClientIndex{0}, func(id factory.NodeID) uint8 { return 3 - id.Level }, "1/0"},
		{"nothing left", []factory.ClientIndex{0}, func(factory.NodeID) uint8 { return 0 }, ""},
		{"nobody", nil, full, ""},
		{"a client that does not exist", []factory.ClientIndex{9}, full, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id, ok := l.LowestState(tt.clients, tt.remaining, rule.Set{})
			if got := id.String(); ok != (tt.want != "") || ok && got != tt.want {
				t.Errorf("got %s %v, want %q", got, ok, tt.want)
			}
		})
	}
	if id, _ := l.LowestState([]factory.ClientIndex{5}, full, rule.Without(rule.DELAY010)); id.Level != 1 {
		t.Errorf("without DELAY-010 got %s, want level 1", id)
	}
}

func FuzzNewLayout(f *testing.F) {
	f.Add(uint16(128), "static 8 / kickoff 1 / ps 4")
	f.Add(uint16(1024), "static 1 / static 200 / kickoff 1 / state 3 / kickoff 2 / dw 7")
	f.Fuzz(func(t *testing.T, n uint16, text string) {
		s, err := factory.ParseShape(text)
		if err != nil {
			return
		}
		again, err := factory.ParseShape(s.String())
		if err != nil || again.String() != s.String() {
			t.Fatalf("%q reads back as %q (%v)", s, again, err)
		}
		l, err := factory.NewLayout(int(n), s, rule.Set{})
		if err == nil && l.Clients() != int(n) {
			t.Fatalf("%d clients, want %d", l.Clients(), n)
		}
	})
}
