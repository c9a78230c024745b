package picture

import (
	_ "embed"
	"fmt"
	"html"
	"io"
	"strings"

	"superscalar/refnode/factory"
)

//go:embed style.css
var style string

// Measures in pixels. The tree grows to the right, a column a level; the
// outputs of a leaf are lines of chips.
const (
	margin    = 20
	header    = 92 // title and legend
	column    = 132
	boxWidth  = 104
	boxHeight = 24
	gap       = 4  // between chips
	chipSize  = 20 // height of a chip, and width for a number of two digits
	stockSize = 64
	line      = 26 // height of a line of chips
	leafGap   = 10
	perLine   = 12 // channels in a line of chips
)

// SVG writes the tree as one self-contained SVG file: no script, no font and
// no picture from elsewhere, colours for light and dark screens, and an id,
// amounts and delays in the title of everything that can be pointed at. A
// writer that fails ends it with its error.
func SVG(w io.Writer, t *factory.Tree) error {
	d := &canvas{tree: t, layout: t.Factory().Layout(), middle: map[factory.NodeID]int{}}
	d.bottom = header + margin
	d.place(factory.NodeID{})
	d.draw()
	_, err := io.WriteString(w, d.whole())
	return err
}

// canvas is an SVG in the making.
type canvas struct {
	tree   *factory.Tree
	layout *factory.Layout
	middle map[factory.NodeID]int // height at which a transaction stands
	bottom int                    // first free pixel below
	right  int
	body   strings.Builder
}

// place gives every transaction in view its height: a leaf takes as many lines
// as it has, the others stand in the middle of their children.
func (d *canvas) place(id factory.NodeID) {
	n, ok := d.tree.Node(id)
	if !ok {
		return
	}
	if d.layout.IsLeaf(id) {
		height := len(d.rows(n)) * line
		d.middle[id] = d.bottom + height/2
		d.bottom += height + leafGap
		return
	}
	first, last := -1, -1
	for _, child := range d.layout.Children(id) {
		d.place(child)
		if at, ok := d.middle[child]; ok {
			if first < 0 {
				first = at
			}
			last = at
		}
	}
	d.middle[id] = (first + last) / 2
}

func (d *canvas) put(format string, args ...any) { fmt.Fprintf(&d.body, format+"\n", args...) }

func left(level int) int { return margin + level*column }

// draw draws edges first, so that boxes lie on top.
func (d *canvas) draw() {
	for _, n := range d.tree.Nodes() {
		if parent, ok := d.layout.Parent(n.ID); ok {
			x, y := left(int(parent.Level))+boxWidth, d.middle[parent]
			x2, y2 := left(int(n.ID.Level)), d.middle[n.ID]
			d.put(`<path class="edge" d="M%d %dC%d %d %d %d %d %d"/>`, x, y, x+14, y, x2-14, y2, x2, y2)
		}
	}
	for _, n := range d.tree.Nodes() {
		d.box(n)
		if d.layout.IsLeaf(n.ID) {
			d.outputs(n)
		}
	}
}

// box draws one transaction.
func (d *canvas) box(n *factory.Node) {
	x, y := left(int(n.ID.Level)), d.middle[n.ID]
	label := fmt.Sprintf("%s %s", role(d.tree, n), n.ID)
	title := fmt.Sprintf("%s %s\ntxid %s\nspends %s\n%s and the LSP sign\n%d vB", role(d.tree, n), n.ID, n.Tx.Txid, sat(n.Value),
		clients(n.Clients), n.Tx.VSize())
	if n.Kind == factory.State {
		label = fmt.Sprintf("%s · %d", n.ID, n.Tx.Sequence())
		title += fmt.Sprintf("\nnSequence %d, %s left", n.Tx.Sequence(), count(int(d.tree.Remaining(n.ID)), "replacement"))
	}
	d.put(`<g class="tx %s"><title>%s</title><rect x="%d" y="%d" width="%d" height="%d" rx="5"/><text x="%d" y="%d">%s</text></g>`,
		n.Kind, html.EscapeString(title), x, y-boxHeight/2, boxWidth, boxHeight, x+boxWidth/2, y+4, label)
	d.right = max(d.right, x+boxWidth)
}

// item is a chip: an output of a leaf or of a sale.
type item struct {
	class, label, title string
	width               int
}

// rows lists the outputs of a leaf in lines: a group a line, its channels, the
// channels it sold, its stock.
func (d *canvas) rows(n *factory.Node) [][]item {
	var rows [][]item
	have := stocks(d.tree, n)
	for _, owners := range d.layout.Groups(n.ID) {
		var items []item
		for _, ch := range n.Channels {
			if owners.Contains(ch.Client) {
				items = append(items, channelItem("channel", ch))
			}
		}
		for _, s := range have {
			if s.owners == owners {
				items = append(items, s.items()...)
			}
		}
		rows = append(rows, inLines(items)...)
	}
	return rows
}

func channelItem(class string, ch factory.ChannelOutput) item {
	title := fmt.Sprintf("channel of client %d\n%s\noutpoint %s", ch.Client, sat(ch.Value), ch.Outpoint)
	if ch.Sales > 0 {
		title = fmt.Sprintf("sale %d: %s", ch.Sales, title)
	}
	label := fmt.Sprint(ch.Client)
	return item{class, label, title, chipSize + 7*max(0, len(label)-2)}
}

// items are the channels sold from a stock, then what is left of it.
func (s stock) items() []item {
	var items []item
	for _, sale := range s.sales {
		items = append(items, channelItem("sold", sale.NewChannel))
	}
	if s.newest != nil {
		title := fmt.Sprintf("stock of %s\n%s for sale, %s so far\noutpoint %s", clients(s.owners), sat(s.left()),
			count(len(s.sales), "sale"), s.newest.Outpoint)
		items = append(items, item{"stock", brief(s.left()), title, stockSize})
	}
	return items
}

// brief writes an amount in a few characters.
func brief(v factory.Sat) string {
	switch {
	case v >= 1e8:
		return fmt.Sprintf("%.1f btc", float64(v)/1e8)
	case v >= 1e6:
		return fmt.Sprintf("%.1fM sat", float64(v)/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%.0fk sat", float64(v)/1e3)
	}
	return sat(v)
}

// inLines breaks items into lines of about perLine channels.
func inLines(items []item) [][]item {
	var rows [][]item
	for len(items) > perLine+1 {
		rows, items = append(rows, items[:perLine]), items[perLine:]
	}
	if len(items) > 0 {
		rows = append(rows, items)
	}
	return rows
}

// outputs draws the chips of a leaf.
func (d *canvas) outputs(n *factory.Node) {
	rows := d.rows(n)
	start := left(d.layout.Levels())
	top := d.middle[n.ID] - len(rows)*line/2
	edge, y := left(int(n.ID.Level))+boxWidth, d.middle[n.ID]
	d.put(`<path class="edge" d="M%d %dH%dM%d %dV%d"/>`, edge, y, start-10, start-10, top+2, top+len(rows)*line-2)
	for r, items := range rows {
		x := start
		for _, it := range items {
			y := top + r*line + line/2
			d.put(`<g class="%s"><title>%s</title><rect x="%d" y="%d" width="%d" height="%d" rx="%d"/><text x="%d" y="%d">%s</text></g>`,
				it.class, html.EscapeString(it.title), x, y-chipSize/2, it.width, chipSize, radius(it.class), x+it.width/2, y+4, it.label)
			x += it.width + gap
			d.right = max(d.right, x)
		}
	}
}

// radius tells channels, which are round, from stocks.
func radius(class string) int {
	if class == "stock" {
		return 3
	}
	return chipSize / 2
}

// whole puts the head, the legend and the body together.
func (d *canvas) whole() string {
	legend, end := d.legend()
	width, height := max(d.right, end)+margin, d.bottom+margin-leafGap
	title := html.EscapeString("SuperScalar factory: " + head(d.tree))
	terms := d.tree.Factory().Terms()
	note := fmt.Sprintf("funding output %s · early warning time %d blocks · expires at height %s", d.tree.Funding(),
		terms.Params.EarlyWarningTime(terms.Shape), figure(int64(terms.Params.Expiry)))
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-labelledby="title">`+"\n",
		width, height, width, height)
	fmt.Fprintf(&out, "<title id=\"title\">%s</title>\n<style>\n%s</style>\n", title, style)
	fmt.Fprintf(&out, `<rect class="paper" width="%d" height="%d"/>`+"\n", width, height)
	fmt.Fprintf(&out, `<text class="head" x="%d" y="32">%s</text>`+"\n", margin, title)
	fmt.Fprintf(&out, `<text class="note" x="%d" y="52">%s</text>`+"\n", margin, html.EscapeString(note))
	out.WriteString(legend)
	out.WriteString(d.body.String())
	out.WriteString("</svg>\n")
	return out.String()
}

// legend explains the colours, and says where it ends.
func (d *canvas) legend() (text string, end int) {
	var out strings.Builder
	x := margin
	const y, letter = 76, 6.4
	for _, entry := range []struct {
		class string
		text  string
	}{
		{"tx static", "static: splits, no delay"},
		{"tx kickoff", "kickoff: starts the clock"},
		{"tx state", "state: place · nSequence in blocks"},
		{"channel", "channel and its client"},
		{"sold", "channel bought"},
		{"stock", "stock for sale"},
	} {
		rx := 4
		if entry.class == "channel" || entry.class == "sold" {
			rx = 8
		}
		fmt.Fprintf(&out, `<g class="%s legend"><rect x="%d" y="%d" width="16" height="16" rx="%d"/><text x="%d" y="%d">%s</text></g>`+"\n",
			entry.class, x, y-12, rx, x+22, y+1, entry.text)
		x += 22 + int(letter*float64(len(entry.text))) + 18
	}
	return out.String(), x
}
