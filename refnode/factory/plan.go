package factory

import (
	"cmp"
	"slices"

	"superscalar/wire/rule"
)

// Request asks for shapes. Zero fields take the defaults named with them.
type Request struct {
	// Clients is the number of clients, 1 to 1,024.
	Clients int

	// MaxBlocks bounds the early warning time (864, DELAY-004).
	MaxBlocks Blocks

	// Layers is the number of state levels, 0 for any.
	Layers int

	// Leaf is the kind of leaf (ps).
	Leaf LeafKind

	// Params are where step, confirm_blocks, max_chain and the most states
	// per node come from (the defaults of section 4.1).
	Params Params

	// MinStates is the fewest states per node that are of use (3: a leaf
	// that can be changed only once is hardly better than a static one).
	MinStates uint8

	// FeeRate is in sat per 1,000 vbytes (10,000).
	FeeRate Sat

	// ChildVBytes is the size of a child that pays through the P2A (152: one
	// taproot input and one output besides the P2A).
	ChildVBytes int64
}

// Row is a shape and what it means for those who use it. Where clients differ,
// it says what the one with the largest path has.
type Row struct {
	Shape  Shape
	Params Params

	// Delay is the longest sum of delays of states on a path; EarlyWarning
	// adds the confirmations (DELAY-004).
	Delay, EarlyWarning Blocks

	// ExitTxs, ExitVBytes and ExitCost are those of a way out without sales,
	// a child for each transaction included. Each sale in a chain adds one
	// transaction, SaleVBytes with its child.
	ExitTxs    int
	ExitVBytes int64
	ExitCost   Sat
	SaleVBytes int64

	// Signatures are what a client co-signs with BIP-327 at creation,
	// AllSignatures what the LSP does.
	Signatures, AllSignatures int

	// Bytes is about what a client is sent at creation.
	Bytes int64

	// Awake is the number of clients that the smallest update needs, Group
	// the number that a sale needs, buyer included.
	Awake, Group int
}

// withDefaults fills in what the request leaves out.
func (r Request) withDefaults() Request {
	if r.Leaf == 0 {
		r.Leaf = PS
	}
	if r.Params == (Params{}) {
		r.Params = DefaultParams(r.Leaf)
	}
	r.MaxBlocks = cmp.Or(min(r.MaxBlocks, MaxEarlyWarning), MaxEarlyWarning)
	r.MinStates = cmp.Or(r.MinStates, 3)
	r.FeeRate = cmp.Or(r.FeeRate, 10_000)
	r.ChildVBytes = cmp.Or(r.ChildVBytes, 152)

	return r
}

// Plan returns shapes that keep the bounds, each with as many states per node as
// fit, ranked by delay, exit size, early warning time, signatures and bytes. It
// leaves out a shape when another is as good in each of these and in the
// clients that have to be awake, and better in one. No row means that there is
// no shape. Kickoffs have arity 1, so that an exit starts nobody else's clock.
func Plan(r Request) []Row {
	r = r.withDefaults()
	if r.Clients < 1 || r.Clients > MaxClients {
		return nil
	}
	var rows []Row
	seen := map[string]bool{}
	for _, s := range r.candidates() {
		if text := s.String(); !seen[text] {
			seen[text] = true
			if row, ok := r.evaluate(s); ok {
				rows = append(rows, row)
			}
		}
	}
	slices.SortFunc(rows, compareRows)

	return undominated(rows)
}

// DefaultShape returns the shape that is recommended for a number of clients:
// the first for an early warning time of 720 blocks. It is the zero Shape for
// numbers outside 1 to 1,024.
func DefaultShape(clients int) Shape {
	rows := Plan(Request{Clients: clients, MaxBlocks: 720})
	if len(rows) == 0 {
		return Shape{}
	}

	return rows[0].Shape
}

func compareRows(a, b Row) int {
	return cmp.Or(
		cmp.Compare(a.Delay, b.Delay),
		cmp.Compare(a.ExitVBytes, b.ExitVBytes),
		cmp.Compare(a.EarlyWarning, b.EarlyWarning),
		cmp.Compare(a.AllSignatures, b.AllSignatures),
		cmp.Compare(a.Bytes, b.Bytes),
		// Ties go to the smaller arities, leaf first.
		slices.CompareFunc(backward(a.Shape), backward(b.Shape), func(x, y Level) int {
			return cmp.Compare(x.Arity, y.Arity)
		}),
	)
}

func backward(s Shape) []Level {
	levels := slices.Clone(s.Levels)
	slices.Reverse(levels)

	return levels
}

// undominated keeps the rows that no other row beats.
func undominated(rows []Row) []Row {
	var kept []Row
	for _, row := range rows {
		// A row that beats this one sorts before it.
		if !slices.ContainsFunc(kept, func(k Row) bool { return k.beats(row) }) {
			kept = append(kept, row)
		}
	}

	return kept
}

func (k Row) beats(row Row) bool {
	return k.Delay <= row.Delay && k.ExitVBytes <= row.ExitVBytes && k.EarlyWarning <= row.EarlyWarning &&
		k.AllSignatures <= row.AllSignatures && k.Bytes <= row.Bytes && k.Awake <= row.Awake && k.Group <= row.Group &&
		k.Params.States >= row.Params.States
}

// splits are the arities of static and inner state levels that are tried.
var splits = []int{2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 25, 32, 50, 64, 100, 128, 200}

const (
	// maxTriple bounds the arities where three levels split: with larger
	// ones two levels are enough.
	maxTriple = 16

	// maxLayers bounds the state levels that are looked at: at the smallest
	// step, more of them still delay more than they are worth.
	maxLayers = 3

	// everyLeaf is the arity up to which all leaves are tried.
	everyLeaf = 20
)

// candidates lists shapes to look at.
func (r Request) candidates() []Shape {
	layers := []int{r.Layers}
	if r.Layers == 0 {
		layers = nil
		for i := 1; i <= maxLayers; i++ {
			layers = append(layers, i)
		}
	}
	var shapes []Shape
	for _, count := range layers {
		if count < 1 || count > maxLayers || !r.fits(count) {
			continue
		}
		for arity := 2; arity <= maxArity; arity++ {
			size := arity
			if r.Leaf == PS {
				size *= arity
			}
			if size > 2*MaxOwners {
				break
			}
			if arity > everyLeaf && !slices.Contains(splits, arity) {
				continue
			}
			leaf := Level{State, uint8(arity)}
			leaves := (r.Clients + min(size, MaxOwners) - 1) / min(size, MaxOwners)
			shapes = r.pairs(shapes, []Level{{Kickoff, 1}, leaf}, leaves, count-1, 4-count)
		}
	}

	return shapes
}

// fits reports whether so many state levels leave room for anything.
func (r Request) fits(layers int) bool {
	p := r.Params
	p.States = r.MinStates

	return p.EarlyWarningTime(Shape{Levels: slices.Repeat([]Level{{State, 1}}, layers)}) <= r.MaxBlocks
}

// pairs puts state layers on top of below, which has to be there so often, and
// then up to so many static levels.
func (r Request) pairs(shapes []Shape, below []Level, times, layers, statics int) []Shape {
	if layers == 0 {
		return r.statics(shapes, below, times, statics)
	}
	for _, arity := range splits {
		if arity > max(times, 2) {
			break
		}
		above := slices.Concat([]Level{{Kickoff, 1}, {State, uint8(arity)}}, below)
		shapes = r.pairs(shapes, above, (times+arity-1)/arity, layers-1, statics)
	}

	return shapes
}

// statics puts up to so many static levels on top.
func (r Request) statics(shapes []Shape, below []Level, times, levels int) []Shape {
	if times == 1 {
		return append(shapes, Shape{Leaf: r.Leaf, Levels: below})
	}
	if levels == 0 {
		return shapes
	}
	if times <= maxArity {
		shapes = append(shapes, Shape{Leaf: r.Leaf, Levels: slices.Concat([]Level{{Static, uint8(times)}}, below)})
	}
	if levels == 1 {
		return shapes
	}
	for _, arity := range splits {
		if arity >= times || levels == 2 && arity > maxTriple {
			break
		}
		above := slices.Concat([]Level{{Static, uint8(arity)}}, below)
		shapes = r.statics(shapes, above, (times+arity-1)/arity, levels-1)
	}

	return shapes
}

// evaluate fills in a row, false when the shape keeps a bound with no number
// of states.
func (r Request) evaluate(s Shape) (Row, bool) {
	l, err := NewLayout(r.Clients, s, rule.Set{})
	if err != nil {
		return Row{}, false
	}
	p := r.Params
	for p.EarlyWarningTime(s) > r.MaxBlocks && p.States > r.MinStates {
		p.States--
	}
	row := Row{
		Shape: s, Params: p, EarlyWarning: p.EarlyWarningTime(s),
		Delay:      Blocks(p.Step) * Blocks(max(p.States, 1)-1) * Blocks(s.StateLevels()),
		SaleVBytes: sizeOf(2) + r.ChildVBytes,
	}
	if row.EarlyWarning > r.MaxBlocks || !row.measure(l, r) {
		return Row{}, false
	}

	return row, true
}

// measure looks at client 0: the first parts of a split are the largest.
func (row *Row) measure(l *Layout, r Request) bool {
	path := l.Path(0)
	for _, id := range path {
		outputs := len(l.Children(id))
		if l.IsLeaf(id) {
			outputs = int(l.Range(id).Count) + len(l.Groups(id))
			row.Awake = int(l.Range(id).Count)
			row.Group = int(l.Groups(id)[0].Count)
		}
		if sizeOf(outputs) > MaxVBytes {
			return false
		}
		row.ExitTxs++
		row.ExitVBytes += sizeOf(outputs) + r.ChildVBytes
		row.Signatures += 2 + l.nestedOnPath(id, 0)
	}
	row.Signatures++ // the distribution of the stock
	row.ExitCost = (Sat(row.ExitVBytes)*r.FeeRate + 999) / 1000
	for _, id := range l.Nodes() {
		row.AllSignatures += 2 + len(l.Groups(id)) + l.nestedBelow(id)
	}
	row.Bytes = row.bytes(l)

	return true
}

// sizeOf is the size in vbytes of a signed transaction with so many outputs of
// 34 bytes of script besides the P2A: 43 bytes each.
func sizeOf(outputs int) int64 {
	const head, anchor = 4 + 1 + 41 + 4, 13
	count := 1
	if outputs+1 >= 253 {
		count = 3
	}
	weight := 4*int64(head+count+43*outputs+anchor) + 2 + keyWitness

	return (weight + 3) / 4
}

// nestedOnPath counts the nested distributions of id that client c signs.
func (l *Layout) nestedOnPath(id NodeID, c ClientIndex) int {
	count := 0
	for l.nests(id, rule.Set{}) {
		id = l.childOf(l.nestingPoint(id), c)
		count++
	}

	return count
}

// nestedBelow counts all nested distributions of id.
func (l *Layout) nestedBelow(id NodeID) int {
	if !l.nests(id, rule.Set{}) {
		return 0
	}
	children := l.Children(l.nestingPoint(id))
	count := len(children)
	for _, child := range children {
		count += l.nestedBelow(child)
	}

	return count
}

// bytes adds up the records that a client is sent at creation (section 5.2).
func (row *Row) bytes(l *Layout) int64 {
	const (
		// messages is for the heads of an invitation, a proposal,
		// aggregates, signatures and the funding transaction.
		messages = 5*60 + 28 + 250
		point    = 33
	)
	region, _ := l.Region(0)
	sums := 0
	for _, id := range l.Path(0)[:region.Level] {
		sums += len(l.Children(id))
	}
	proposal := point*(l.Clients()+2+len(l.KeySets(0))) + 8*sums + (8+32)*int(l.Range(region).Count) +
		8*l.GroupCount(region) + 34*row.Awake + 2*len(row.Shape.Levels)
	signatures := (66+64)*row.Signatures + 64

	return int64(messages + proposal + signatures)
}
