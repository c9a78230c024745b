package factory

import (
	"slices"

	"superscalar/wire/rule"
)

// Amounts says what the outputs below a transaction, the top, are worth: in
// detail for the clients of a region, as sums elsewhere. At creation the top is
// the root; for an update it is the state that is replaced.
type Amounts struct {
	// Sums has one list for each transaction from the top down that lies
	// strictly above the region: the values of its children in sat, by
	// position. Empty when the region is all that the top covers.
	Sums [][]Sat

	// Region are the clients known in detail: all that one transaction
	// covers.
	Region Range

	// Capacities are those of the region's clients, in sat.
	Capacities []Sat

	// Stocks has the stock of each group of each leaf of the region, in sat.
	Stocks []Sat
}

// ledger is what a party knows about the amounts of a tree, by place. What it
// has not been told is unknown. A ledger in use never changes.
type ledger struct {
	capacity []Sat   // by client
	share    []Sat   // by client: of the stock of its group
	stock    [][]Sat // by leaf and group, nil for an unknown leaf
	value    [][]Sat // by level and position
}

func newLedger(l *Layout) *ledger {
	g := &ledger{
		capacity: unknowns(l.clients), share: unknowns(l.clients),
		stock: make([][]Sat, l.Width(l.Levels()-1)),
	}
	for level := range l.levels {
		g.value = append(g.value, unknowns(l.Width(level)))
	}

	return g
}

func unknowns(n int) []Sat { return slices.Repeat([]Sat{unknown}, n) }

func (g *ledger) clone() *ledger {
	c := &ledger{
		capacity: slices.Clone(g.capacity), share: slices.Clone(g.share),
		stock: slices.Clone(g.stock), // the lists in it are replaced, never changed
	}
	for _, level := range g.value {
		c.value = append(c.value, slices.Clone(level))
	}

	return c
}

func (g *ledger) at(id NodeID) Sat { return g.value[id.Level][id.Position] }

// claim is what distributions pay a client: its capacity and its share.
func (g *ledger) claim(c ClientIndex) Sat { return g.capacity[c] + g.share[c] }

// enter writes amounts below top into the ledger and checks them: their number
// (CER-013), their bounds (TREE-001, TREE-024) and that they add up (TREE-022).
func (g *ledger) enter(l *Layout, top NodeID, a Amounts, least Sat, rules rule.Set) error {
	path, err := regionPath(l, top, a)
	if err != nil {
		return err
	}
	region := path[len(path)-1]
	if err := first(
		g.enterClients(a, least, rules),
		g.enterStocks(l, region, a, rules),
		g.sumUp(l, region),
	); err != nil {
		return err
	}

	return g.enterSums(l, path, a, rules)
}

// regionPath returns the transactions from the top to the one that covers the
// region, and checks that the lists have the lengths the layout gives.
func regionPath(l *Layout, top NodeID, a Amounts) ([]NodeID, error) {
	if !l.Has(top) || a.Region.Count == 0 || !l.Range(top).Covers(a.Region) {
		return nil, malformed(rule.CER013, "region", "clients %s are not below transaction %s", a.Region, top)
	}
	path := []NodeID{top}
	for range a.Sums {
		last := path[len(path)-1]
		if l.IsLeaf(last) {
			return nil, malformed(rule.CER013, "sums", "%d lists, more than there are levels", len(a.Sums))
		}
		path = append(path, l.childOf(last, a.Region.First))
	}
	region := path[len(path)-1]
	if l.Range(region) != a.Region {
		return nil, malformed(rule.CER013, "sums", "%d lists lead to clients %s, the region is %s",
			len(a.Sums), l.Range(region), a.Region)
	}
	if len(a.Capacities) != int(a.Region.Count) {
		return nil, malformed(rule.CER013, "capacities", "%d for %d clients", len(a.Capacities), a.Region.Count)
	}
	if groups := l.GroupCount(region); len(a.Stocks) != groups {
		return nil, malformed(rule.CER013, "stocks", "%d for %d groups", len(a.Stocks), groups)
	}
	for i, sums := range a.Sums {
		if children := len(l.Children(path[i])); len(sums) != children {
			return nil, malformed(rule.CER013, "sums", "%d for %d children of %s", len(sums), children, path[i])
		}
	}

	return path, nil
}

// inRange refuses what is no amount. Sums are checked after each addition, so
// they cannot run over.
func inRange(field string, v Sat) error {
	if v < 0 || v > MaxSat {
		return malformed(rule.TREE022, field, "%d sat is no amount", int64(v))
	}

	return nil
}

func (g *ledger) enterClients(a Amounts, least Sat, rules rule.Set) error {
	for i, v := range a.Capacities {
		c := a.Region.First + ClientIndex(i)
		if err := first(
			inRange("capacity", v),
			check(rules, rule.TREE001, "capacity", v < least, "%d sat for client %d, at least %d", v, c, least),
		); err != nil {
			return err
		}
		g.capacity[c], g.share[c] = v, 0
	}

	return nil
}

func (g *ledger) enterStocks(l *Layout, region NodeID, a Amounts, rules rule.Set) error {
	from, to := l.leaves(l.Range(region))
	next := 0
	for leaf := from; leaf < to; leaf++ {
		groups := l.groups[leaf]
		g.stock[leaf] = slices.Clone(a.Stocks[next : next+len(groups)])
		next += len(groups)
		for i, owners := range groups {
			v := g.stock[leaf][i]
			if err := first(inRange("stock", v), checkStock(v, owners, rules)); err != nil {
				return err
			}
			for c, share := range shares(v, owners) {
				g.share[int(owners.First)+c] = share
			}
		}
	}

	return nil
}

// checkStock bounds a stock from below (TREE-024).
func checkStock(v Sat, owners Range, rules rule.Set) error {
	least := MinShare * Sat(owners.Count)

	return check(rules, rule.TREE024, "stock", v != 0 && v < least,
		"%d sat for clients %s, at least %d", v, owners, least)
}

// shares splits an amount equally; the lowest index gets what is left over
// (section 6.1).
func shares(v Sat, owners Range) []Sat {
	n := Sat(owners.Count)
	parts := slices.Repeat([]Sat{v / n}, int(n))
	parts[0] += v % n

	return parts
}

// sumUp computes the values from the leaves of the region to its top.
func (g *ledger) sumUp(l *Layout, region NodeID) error {
	ids := l.Below(region)
	for _, id := range slices.Backward(ids) {
		sum, err := g.sumOf(l, id)
		if err != nil {
			return err
		}
		g.value[id.Level][id.Position] = sum
	}

	return nil
}

func (g *ledger) sumOf(l *Layout, id NodeID) (Sat, error) {
	var parts []Sat
	if r := l.Range(id); l.IsLeaf(id) {
		parts = slices.Concat(g.capacity[r.First:r.End()], g.stock[id.Position])
	}
	for _, child := range l.Children(id) {
		parts = append(parts, g.at(child))
	}

	return total(id.String(), parts)
}

// total adds amounts and refuses a sum over the number of satoshi there are.
func total(field string, parts []Sat) (Sat, error) {
	var sum Sat
	for _, v := range parts {
		sum += v
		if err := inRange(field, sum); err != nil {
			return 0, err
		}
	}

	return sum, nil
}

// enterSums goes from the region up to the top: the value of the child on the
// path is known already, those of its siblings are taken from the lists.
func (g *ledger) enterSums(l *Layout, path []NodeID, a Amounts, rules rule.Set) error {
	for i, sums := range slices.Backward(a.Sums) {
		id := path[i]
		for j, child := range l.Children(id) {
			if err := inRange("sum", sums[j]); err != nil {
				return err
			}
			if child != path[i+1] {
				g.value[child.Level][child.Position] = sums[j]

				continue
			}
			if err := check(rules, rule.TREE022, "sum", sums[j] != g.at(child),
				"%d sat for %s, whose parts sum to %d", sums[j], child, g.at(child)); err != nil {
				return err
			}
		}
		sum, err := g.sumOf(l, id)
		if err != nil {
			return err
		}
		g.value[id.Level][id.Position] = sum
	}

	return nil
}

// amounts reads back what a client is told of the amounts below top.
func (g *ledger) amounts(l *Layout, top NodeID, c ClientIndex) Amounts {
	region := top
	var a Amounts
	for l.Range(region).Count > MaxOwners && !l.IsLeaf(region) {
		var sums []Sat
		for _, child := range l.Children(region) {
			sums = append(sums, g.at(child))
		}
		a.Sums = append(a.Sums, sums)
		region = l.childOf(region, c)
	}
	a.Region = l.Range(region)
	a.Capacities = slices.Clone(g.capacity[a.Region.First:a.Region.End()])
	from, to := l.leaves(a.Region)
	for leaf := from; leaf < to; leaf++ {
		a.Stocks = append(a.Stocks, g.stock[leaf]...)
	}

	return a
}
