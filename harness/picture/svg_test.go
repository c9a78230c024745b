package picture_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"superscalar/harness/picture"
	"superscalar/refnode/factory"
)

// drawn is what a test wants to know of an SVG.
type drawn struct {
	XMLName xml.Name `xml:"svg"`
	Width   int      `xml:"width,attr"`
	Height  int      `xml:"height,attr"`
	Title   string   `xml:"title"`
	Style   string   `xml:"style"`
	Groups  []group  `xml:"g"`
	Paths   []struct {
		Class string `xml:"class,attr"`
	} `xml:"path"`
}

type group struct {
	Class string `xml:"class,attr"`
	Title string `xml:"title"`
	Text  string `xml:"text"`
	Rect  struct {
		X      int `xml:"x,attr"`
		Y      int `xml:"y,attr"`
		Width  int `xml:"width,attr"`
		Height int `xml:"height,attr"`
	} `xml:"rect"`
}

// of returns the groups of a class, those of the legend left out.
func (d drawn) of(class string) []group {
	var out []group
	for _, g := range d.Groups {
		if strings.HasPrefix(g.Class, class) && !strings.HasSuffix(g.Class, "legend") {
			out = append(out, g)
		}
	}
	return out
}

func svg(t *testing.T, tree *factory.Tree) (string, drawn) {
	t.Helper()
	var out strings.Builder
	if err := picture.SVG(&out, tree); err != nil {
		t.Fatal(err)
	}
	var d drawn
	if err := xml.Unmarshal([]byte(out.String()), &d); err != nil {
		t.Fatalf("it is no XML: %v", err)
	}
	return out.String(), d
}

func TestSVG(t *testing.T) {
	for _, row := range []struct {
		name   string
		tree   func() *factory.Tree
		stocks int
		sold   int
	}{
		{"1", func() *factory.Tree { return newTree(t, 1, "kickoff 1 / ps 2", factory.Whole()) }, 1, 0},
		{"8 with sales", func() *factory.Tree {
			return sold(t, sold(t, newTree(t, 8, "static 2 / kickoff 1 / ps 2", factory.Whole()), 1, 50_000), 0, 70_000)
		}, 3, 2},
		{"8 with an update", func() *factory.Tree {
			return updated(t, newTree(t, 8, "static 2 / kickoff 1 / dw 4", factory.Whole()), 5, 50_000)
		}, 2, 0},
		{"40 in one leaf", func() *factory.Tree { return newTree(t, 40, "kickoff 1 / dw 40", factory.Whole()) }, 1, 0},
		{"128", func() *factory.Tree {
			return newTree(t, 128, "static 4 / static 8 / kickoff 1 / ps 2", factory.Whole())
		}, 64, 0},
		{"128 in two layers", func() *factory.Tree {
			return newTree(t, 128, "static 4 / kickoff 1 / state 8 / kickoff 1 / ps 2", factory.Whole())
		}, 64, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			tree := row.tree()
			text, d := svg(t, tree)
			if again, _ := svg(t, tree); again != text {
				t.Error("another picture of the same tree")
			}
			checkTransactions(t, tree, d)
			for class, want := range map[string]int{
				"channel": tree.Factory().Layout().Clients(), "stock": row.stocks, "sold": row.sold,
			} {
				if got := len(d.of(class)); got != want {
					t.Errorf("%d of class %s, want %d", got, class, want)
				}
			}
			checkPlaces(t, d)
		})
	}
}

// checkTransactions looks for each transaction of the tree: its colour, its id
// and its amount, and for a state its delay.
func checkTransactions(t *testing.T, tree *factory.Tree, d drawn) {
	t.Helper()
	boxes := d.of("tx")
	if len(boxes) != len(tree.Nodes()) {
		t.Fatalf("%d boxes for %d transactions", len(boxes), len(tree.Nodes()))
	}
	for i, n := range tree.Nodes() {
		g := boxes[i]
		if g.Class != "tx "+n.Kind.String() || !strings.Contains(g.Title, "txid "+n.Tx.Txid.String()) || !strings.Contains(g.Title, " sat\n") {
			t.Errorf("%s: class %q, title %q", n.ID, g.Class, g.Title)
		}
		if delay := fmt.Sprint(n.Tx.Sequence()); n.Kind == factory.State &&
			(!strings.HasSuffix(g.Text, "· "+delay) || !strings.Contains(g.Title, "nSequence "+delay+",")) {
			t.Errorf("%s has nSequence %s: %q, %q", n.ID, delay, g.Text, g.Title)
		}
	}
}

// checkPlaces wants everything inside the picture, apart from each other, and
// explained.
func checkPlaces(t *testing.T, d drawn) {
	t.Helper()
	for i, g := range d.Groups {
		if g.Rect.X < 0 || g.Rect.Y < 0 || g.Rect.X+g.Rect.Width > d.Width || g.Rect.Y+g.Rect.Height > d.Height {
			t.Errorf("%q is outside: %+v of %d x %d", g.Title, g.Rect, d.Width, d.Height)
		}
		if g.Title == "" && !strings.HasSuffix(g.Class, "legend") {
			t.Errorf("%q has no title", g.Text)
		}
		for _, h := range d.Groups[:i] {
			if g.Rect.X < h.Rect.X+h.Rect.Width && h.Rect.X < g.Rect.X+g.Rect.Width &&
				g.Rect.Y < h.Rect.Y+h.Rect.Height && h.Rect.Y < g.Rect.Y+g.Rect.Height {
				t.Fatalf("%q lies on %q", g.Text, h.Text)
			}
		}
	}
}

// The file needs nothing else, suits light and dark screens, and its legend
// explains every class that has a colour.
func TestSVGIsSelfContained(t *testing.T) {
	text, d := svg(t, newTree(t, 8, "static 2 / kickoff 1 / ps 2", factory.Whole()))
	for _, foreign := range []string{"href", "url(", "@import", "<script", "<image", "<use"} {
		if strings.Contains(text, foreign) {
			t.Errorf("%q is in it", foreign)
		}
	}
	light, dark, found := strings.Cut(d.Style, "@media (prefers-color-scheme: dark)")
	if !found {
		t.Fatal("no colours for dark screens")
	}
	for _, class := range []string{"static", "kickoff", "state", "channel", "sold", "stock"} {
		rule := "." + class + " rect { fill:"
		if !strings.Contains(light, rule) || !strings.Contains(dark, rule) {
			t.Errorf("class %s has no colour for both", class)
		}
		explained := false
		for _, g := range d.Groups {
			explained = explained || strings.HasSuffix(g.Class, class+" legend") && g.Text != ""
		}
		if !explained {
			t.Errorf("the legend leaves %s out", class)
		}
	}
	if d.Title == "" || len(d.Paths) == 0 {
		t.Errorf("title %q, %d edges", d.Title, len(d.Paths))
	}
}

// A client sees its path alone; the picture is of that.
func TestSVGOfAPath(t *testing.T) {
	tree := newTree(t, 8, "static 2 / kickoff 1 / ps 2", factory.PathOf(5))
	_, d := svg(t, tree)
	checkTransactions(t, tree, d)
	if got := len(d.of("channel")); got != 4 {
		t.Errorf("%d channels, the leaf has 4", got)
	}
}

func TestSVGTellsOfAFailingWriter(t *testing.T) {
	var w io.Writer = full{}
	if err := picture.SVG(w, newTree(t, 1, "kickoff 1 / ps 1", factory.Whole())); !errors.Is(err, errFull) {
		t.Errorf("error %v", err)
	}
}
