package picture_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"superscalar/harness/picture"
	"superscalar/refnode/factory"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), -rewrite to accept:\n%s", path, diff)
	}
}

func text(t *testing.T, tree *factory.Tree, o picture.Options) string {
	t.Helper()
	var out strings.Builder
	if err := picture.Text(&out, tree, o); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestText(t *testing.T) {
	const binary8, binary128 = "static 2 / kickoff 1 / ps 2", "static 4 / static 8 / kickoff 1 / ps 2"
	for _, row := range []struct {
		name   string
		client factory.ClientIndex
		tree   func() *factory.Tree
	}{
		{"8-ps", 0, func() *factory.Tree { return newTree(t, 8, binary8, factory.Whole()) }},
		{"8-ps-sales", 0, func() *factory.Tree {
			return sold(t, sold(t, newTree(t, 8, binary8, factory.Whole()), 1, 50_000), 0, 70_000)
		}},
		{"8-dw-update", 0, func() *factory.Tree {
			return updated(t, newTree(t, 8, "static 2 / kickoff 1 / dw 4", factory.Whole()), 5, 50_000)
		}},
		{"8-one-leaf", 0, func() *factory.Tree { return newTree(t, 8, "kickoff 1 / ps 8", factory.Whole()) }},
		{"1-client", 0, func() *factory.Tree { return newTree(t, 1, "kickoff 1 / ps 2", factory.Whole()) }},
		{"128-ps", 0, func() *factory.Tree { return newTree(t, 128, binary128, factory.Whole()) }},
		{"128-ps-client-61", 61, func() *factory.Tree { return newTree(t, 128, binary128, factory.Whole()) }},
		{"128-two-layers", 127, func() *factory.Tree {
			return newTree(t, 128, "static 4 / kickoff 1 / state 8 / kickoff 1 / ps 2", factory.Whole())
		}},
		{"128-path-view", 61, func() *factory.Tree { return newTree(t, 128, binary128, factory.PathOf(61)) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			tree := row.tree()
			got := text(t, tree, picture.Options{Client: row.client})
			golden(t, row.name+".txt", got)
			if again := text(t, tree, picture.Options{Client: row.client}); again != got {
				t.Error("another picture of the same tree")
			}
			for line := range strings.Lines(got) {
				if n := utf8.RuneCountInString(line); n > 110 {
					t.Errorf("%d columns: %s", n, line)
				}
			}
		})
	}
}

// A text that would be longer than Lines is narrowed to one path; one that
// fits is drawn whole.
func TestTextNarrows(t *testing.T) {
	tree := newTree(t, 8, "static 2 / kickoff 1 / ps 2", factory.Whole())
	whole := text(t, tree, picture.Options{})
	lines := strings.Count(whole, "\n")
	if strings.Contains(whole, "...") || text(t, tree, picture.Options{Lines: lines}) != whole {
		t.Errorf("it is not whole:\n%s", whole)
	}
	narrow := text(t, tree, picture.Options{Lines: lines - 1})
	if !strings.Contains(narrow, "... 1 more kickoff  clients 4-7") {
		t.Errorf("it is not narrow:\n%s", narrow)
	}
}

type full struct{}

var errFull = errors.New("full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestTextTellsOfAFailingWriter(t *testing.T) {
	if err := picture.Text(full{}, newTree(t, 1, "kickoff 1 / ps 1", factory.Whole()), picture.Options{}); !errors.Is(err, errFull) {
		t.Errorf("error %v", err)
	}
}
