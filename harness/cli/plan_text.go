package cli

import (
	"fmt"
	"io"
	"strings"

	"superscalar/refnode/factory"
)

// writePlan prints the best shapes, why the first is recommended, and how to
// see it at work.
func writePlan(w io.Writer, r factory.Request, rows []factory.Row, top int) {
	fmt.Fprintf(w, "%s, %s leaves, early warning time at most %s blocks, %s sat/vB\n\n",
		count(r.Clients, "client"), r.Leaf, figure(int64(r.MaxBlocks)), rate(r.FeeRate))
	fmt.Fprintln(w, "      blocks      way out of one client    signatures     bytes  wake for")
	fmt.Fprintln(w, " #  delay warning  txs      vB        sat  client    all  a client  update sale  shape")
	for i, row := range rows[:min(top, len(rows))] {
		fmt.Fprintf(w, "%2d  %5d %7d  %3d  %6s  %9s  %6d  %5s  %8s  %6d %4d  %s\n", i+1, row.Delay, row.EarlyWarning,
			row.ExitTxs, figure(row.ExitVBytes), figure(int64(row.ExitCost)), row.Signatures, figure(int64(row.AllSignatures)),
			figure(row.Bytes), row.Awake, row.Group, row.Shape)
	}
	if more := len(rows) - top; more > 0 {
		fmt.Fprintf(w, "    ... %s more (--top %d, or --json)\n", figure(int64(more)), len(rows))
	}
	fmt.Fprintf(w, "\n%s\n\nSee it at work:\n  %s\n", wrapped(explain(rows[0]), 100), demoCommand(r, rows[0]))
}

// explain says in two sentences why the first shape is recommended and what it
// asks of people.
func explain(row factory.Row) string {
	p := row.Params
	layers := count(row.Shape.StateLevels(), "layer")
	first := fmt.Sprintf("Shape 1 is recommended: with %s of %d states, %d blocks apart, its %d blocks of delay are the least of these, "+
		"and no other shape with that delay has a smaller way out: %s, %s vB with the children that pay for them.",
		layers, p.States, p.Step, row.Delay, count(row.ExitTxs, "transaction"), figure(row.ExitVBytes))
	chain := "a sale replaces the leaf"
	if row.Shape.Leaf == factory.PS {
		chain = fmt.Sprintf("a stock output sells up to %d times and each sale adds %d vB to the way out of those who bought", p.MaxChain, row.SaleVBytes)
	}
	return first + " " + fmt.Sprintf("A client that leaves alone has its channel on the chain within %d blocks (%.1f days); a sale needs %s awake, the smallest update %s, and %s.",
		row.EarlyWarning, float64(row.EarlyWarning)/144, count(row.Group, "client"), count(row.Awake, "client"), chain)
}

// demoCommand builds a shape in the demonstration.
func demoCommand(r factory.Request, row factory.Row) string {
	leaf := ""
	if r.Leaf == factory.DW {
		leaf = " --leaf dw"
	}
	return fmt.Sprintf("superscalar demo --clients %d%s --shape '%s'", r.Clients, leaf, row.Shape)
}

// noShape says what limits a request that no shape meets, and what would help.
func noShape(r factory.Request) string {
	where := ""
	if r.Layers > 0 {
		where = " in " + count(r.Layers, "layer") + " of states"
	}
	text := fmt.Sprintf("no shape for %s%s has an early warning time of at most %d blocks: ", count(r.Clients, "client"), where, r.MaxBlocks)
	least, ok := leastBlocks(r)
	if ok {
		p := least.Params
		text += fmt.Sprintf("the least is %d, %d of delay (%s of %d states, %d blocks apart) and %d to confirm each of %s",
			least.EarlyWarning, least.Delay, count(least.Shape.StateLevels(), "layer"), p.States, p.Step, p.ConfirmBlocks,
			count(len(least.Shape.Levels), "transaction"))
		if p.MaxChain > 0 {
			text += " and " + count(int(p.MaxChain), "sale")
		}
	} else {
		text += fmt.Sprintf("it takes more than the %d that SPEC.md allows (DELAY-004)", factory.MaxEarlyWarning)
	}
	if help := whatHelps(r, least, ok); len(help) > 0 {
		text += "; what helps: " + strings.Join(help, ", or ")
	}
	return text
}

// leastBlocks finds the shape of the smallest early warning time, false when
// none keeps the bound of DELAY-004. More blocks never make a shape
// impossible, so halving finds it.
func leastBlocks(r factory.Request) (factory.Row, bool) {
	low, high := factory.Blocks(0), factory.MaxEarlyWarning+1 // none, some
	var found []factory.Row
	for low+1 < high {
		r.MaxBlocks = (low + high) / 2
		if rows := factory.Plan(r); len(rows) > 0 {
			high, found = r.MaxBlocks, rows
		} else {
			low = r.MaxBlocks
		}
	}
	if len(found) == 0 {
		return factory.Row{}, false
	}
	return found[0], true
}

// whatHelps lists single changes of the command line that find a shape.
func whatHelps(r factory.Request, least factory.Row, ok bool) []string {
	var help []string
	if ok {
		help = append(help, fmt.Sprintf("--max-blocks %d", least.EarlyWarning))
	}
	try := func(change func(*factory.Request), text string) {
		other := r
		change(&other)
		if len(factory.Plan(other)) > 0 {
			help = append(help, text)
		}
	}
	if r.Layers > 1 {
		try(func(o *factory.Request) { o.Layers = r.Layers - 1 }, fmt.Sprintf("--layers %d", r.Layers-1))
	}
	const smallestStep, fewestSales = 72, 4 // mainnet's bounds, section 4.1
	if r.Params.Step > smallestStep {
		try(func(o *factory.Request) { o.Params.Step = smallestStep }, fmt.Sprintf("--step %d", smallestStep))
	}
	if r.Params.MaxChain > fewestSales {
		try(func(o *factory.Request) { o.Params.MaxChain = fewestSales }, fmt.Sprintf("--max-chain %d", fewestSales))
	}
	return help
}
