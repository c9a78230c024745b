package picture

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"superscalar/refnode/factory"
)

// Options shape a text.
type Options struct {
	// Client is the client whose path is always drawn.
	Client factory.ClientIndex

	// Lines is how long the text may get before everything off the path of
	// Client is gathered; 32 when 0.
	Lines int
}

// defaultLines fits a terminal beside what else is said.
const defaultLines = 32

// Text writes the tree with box-drawing characters, one transaction a line, at
// most about 100 columns. A tree that is too long is drawn along the path of
// one client only, and each run of transactions beside it becomes one line, "... 12
// more". A writer that fails ends it with its error.
func Text(w io.Writer, t *factory.Tree, o Options) error {
	if o.Lines == 0 {
		o.Lines = defaultLines
	}
	d := &drawing{tree: t, layout: t.Factory().Layout(), client: o.Client}
	d.line("", "%s", head(t))
	d.subtree(factory.NodeID{}, "", "└─ ", "   ")
	if len(d.lines) > o.Lines {
		d.lines, d.narrow = d.lines[:1], true
		d.subtree(factory.NodeID{}, "", "└─ ", "   ")
	}
	_, err := io.WriteString(w, strings.Join(d.lines, "\n")+"\n")
	return err
}

// drawing is a text in the making.
type drawing struct {
	tree   *factory.Tree
	layout *factory.Layout
	client factory.ClientIndex
	narrow bool // only the path of client
	lines  []string
}

func (d *drawing) line(prefix, format string, args ...any) {
	d.lines = append(d.lines, prefix+fmt.Sprintf(format, args...))
}

// subtree draws a transaction and what is below it. A kickoff and its only
// state share a line. Transactions that are not in view are left out.
func (d *drawing) subtree(id factory.NodeID, indent, branch, below string) {
	n, ok := d.tree.Node(id)
	if !ok {
		return
	}
	text := ""
	for {
		text += d.label(n)
		children := d.layout.Children(n.ID)
		if n.Kind != factory.Kickoff || len(children) != 1 {
			break
		}
		only, ok := d.tree.Node(children[0])
		if !ok {
			break
		}
		text, n = text+" ── ", only
	}
	d.line(indent+branch, "%s  %s, %s", text, clients(n.Clients), sat(n.Value))
	indent += below
	if d.layout.IsLeaf(n.ID) {
		d.leaf(n, indent)
		return
	}
	d.children(d.layout.Children(n.ID), indent)
}

// label is one transaction: kind, place, id, and the delay of a state.
func (d *drawing) label(n *factory.Node) string {
	text := fmt.Sprintf("%s %s %s", role(d.tree, n), n.ID, short(n.Tx))
	if n.Kind == factory.State {
		text += fmt.Sprintf(" nSequence %d", n.Tx.Sequence())
	}
	return text
}

// children draws the transactions below one. Runs beside the path are
// gathered when the drawing is narrow.
func (d *drawing) children(ids []factory.NodeID, indent string) {
	ids = slices.DeleteFunc(ids, func(id factory.NodeID) bool { _, ok := d.tree.Node(id); return !ok })
	for i := 0; i < len(ids); {
		run := i
		for d.narrow && run < len(ids) && !d.layout.Range(ids[run]).Contains(d.client) {
			run++
		}
		branch, below := "├─ ", "│  "
		if max(run, i+1) == len(ids) {
			branch, below = "└─ ", "   "
		}
		if run > i {
			d.gathered(ids[i:run], indent+branch)
			i = run
		} else {
			d.subtree(ids[i], indent, branch, below)
			i++
		}
	}
}

// gathered draws one line for a run of siblings.
func (d *drawing) gathered(ids []factory.NodeID, prefix string) {
	covered := d.layout.Range(ids[0])
	covered.Count = uint16(d.layout.Range(ids[len(ids)-1]).End() - int(covered.First))
	var value factory.Sat
	for _, id := range ids {
		if n, ok := d.tree.Node(id); ok {
			value += n.Value
		}
	}
	what := d.layout.Kind(ids[0]).String()
	if len(ids) > 1 {
		what += "s"
	}
	d.line(prefix, "... %d more %s  %s, %s", len(ids), what, clients(covered), sat(value))
}

// leaf draws the outputs of a leaf: a line of channels, then the stocks.
func (d *drawing) leaf(n *factory.Node, indent string) {
	lines := d.channels(n)
	for _, s := range stocks(d.tree, n) {
		for i, sale := range s.sales {
			lines = append(lines, fmt.Sprintf("sale %d %s of the stock of %s  channel of client %d, %s",
				i+1, short(sale.Tx), clients(s.owners), sale.Buyer, sat(sale.Amount)))
		}
		if s.newest != nil {
			lines = append(lines, fmt.Sprintf("stock of %s  %s for sale", clients(s.owners), sat(s.left())))
		}
	}
	for i, text := range lines {
		branch := "├─ "
		if i == len(lines)-1 {
			branch = "└─ "
		}
		d.line(indent+branch, "%s", text)
	}
}

// channels puts neighbours with the same capacity together and shows the first
// few of such runs.
func (d *drawing) channels(n *factory.Node) []string {
	const most, perLine = 6, 3
	var runs []string
	for i := 0; i < len(n.Channels); {
		first, end := n.Channels[i], i+1
		for end < len(n.Channels) && n.Channels[end].Value == first.Value {
			end++
		}
		run := fmt.Sprintf("%s  %s", clients(factory.Range{First: first.Client, Count: uint16(end - i)}), sat(first.Value))
		if end-i > 1 {
			run += " each"
		}
		runs = append(runs, run)
		i = end
	}
	if len(runs) > most {
		runs = append(runs[:most], fmt.Sprintf("... %d more runs of clients", len(runs)-most))
	}
	title := "channels of "
	if len(n.Channels) == 1 {
		title = "channel of "
	}
	var lines []string
	for row := range slices.Chunk(runs, perLine) {
		lines = append(lines, title+strings.Join(row, "; "))
	}
	return lines
}
