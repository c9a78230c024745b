// Package picture draws the tree of a factory: as text for a terminal (Text)
// and as one self-contained SVG file (SVG).
//
// It promises the same bytes for the same tree, and shows the tree as it
// stands: counters, sales and what is left of each stock. It draws what
// section 4 of SPEC.md defines and checks nothing: the tree was computed, and
// checked, by package factory.
package picture

import (
	"fmt"
	"strconv"
	"strings"

	"superscalar/refnode/factory"
)

// figure writes a number with commas between thousands.
func figure(v int64) string {
	digits := strconv.FormatInt(v, 10)
	var out strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			out.WriteByte(',')
		}
		out.WriteRune(d)
	}
	return out.String()
}

func sat(v factory.Sat) string { return figure(int64(v)) + " sat" }

// clients names the clients of a range.
func clients(r factory.Range) string {
	if r.Count == 1 {
		return fmt.Sprintf("client %d", r.First)
	}
	return fmt.Sprintf("clients %d-%d", r.First, r.End()-1)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return figure(int64(n)) + " " + what + "s"
}

// short is the beginning of a transaction's id.
func short(tx *factory.Tx) string { return tx.Txid.String()[:8] }

// role is what a transaction of the tree is called.
func role(t *factory.Tree, n *factory.Node) string {
	if t.Factory().Layout().IsLeaf(n.ID) {
		return "leaf"
	}
	return n.Kind.String()
}

// head is what the whole picture is about, in one line.
func head(t *factory.Tree) string {
	f := t.Factory()
	return fmt.Sprintf("%s and the LSP, %s: %s", count(f.Layout().Clients(), "client"), sat(f.Value()), f.Layout().Shape())
}

// stock is what one group of a leaf has: its newest stock output, nil when it
// never had one or all is sold, and the sales before it.
type stock struct {
	owners factory.Range
	newest *factory.Stock
	sales  []*factory.Sale
}

// left is what is still for sale, in sat.
func (s stock) left() factory.Sat {
	if s.newest == nil {
		return 0
	}
	return s.newest.Value
}

// stocks lists what the groups of a leaf have, those without stock left out.
func stocks(t *factory.Tree, leaf *factory.Node) []stock {
	var out []stock
	for g, owners := range t.Factory().Layout().Groups(leaf.ID) {
		s := stock{owners: owners, sales: t.Sales(leaf.ID, uint8(g))}
		s.newest, _ = t.NewestStock(leaf.ID, uint8(g))
		if s.newest != nil || len(s.sales) > 0 {
			out = append(out, s)
		}
	}
	return out
}
