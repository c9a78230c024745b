package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/spf13/cobra"

	"superscalar/refnode/factory"
	"superscalar/wire/rule"
)

// planFlags are the flags of plan, as typed.
type planFlags struct {
	clients, maxBlocks, layers int
	step, maxChain             int
	feerate                    float64
	leaf                       string
	top                        int
	json                       bool
}

func newPlanCommand(e env) *cobra.Command {
	var f planFlags
	c := &cobra.Command{
		Use:   "plan",
		Short: "Find the shape of a factory: delays, cost of a way out, who has to be awake",
		Long: `Answers an operator's question: what tree for so many clients? It looks at
trees of up to three layers of states and four levels that split, leaves out
what is as bad as another in everything, and ranks the rest: first by the delay
of their states, then by the vbytes of a way out, the early warning time, the
signatures and the bytes sent to each client.

  delay      the most blocks that the states on a path can delay a way out
  warning    early warning time: delay, and confirm_blocks for every
             transaction and for every sale that may be chained (DELAY-004)
  txs vB sat what a client alone publishes, children that pay fees included,
             and what it costs at --feerate; sales that it bought come on top
  signs all  signatures at creation: each client's, and in all
  bytes      about what each client is sent at creation
  wake       the clients that the smallest update needs, and that a sale needs

Exit code 1 and one line on what limits it when no shape keeps --max-blocks.
Every node has at least three states: one that can change only once is hardly
better than one that cannot. All parameters are those of mainnet (section 4.1).`,
		Example: `  superscalar plan --clients 128
  superscalar plan --clients 128 --max-blocks 864 --layers 2 --feerate 25
  superscalar plan --clients 40 --leaf dw --top 3
  superscalar plan --clients 1024 --json`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error { return runPlan(c, e, f) },
	}
	fl := c.Flags()
	fl.IntVar(&f.clients, "clients", 0, "number of clients, 1 to 1024")
	fl.IntVar(&f.maxBlocks, "max-blocks", 720, "longest early warning time in blocks, at most 864")
	fl.IntVar(&f.layers, "layers", 0, "exactly so many layers of states, 1 to 3 (default: any)")
	fl.Float64Var(&f.feerate, "feerate", 10, "sat per vbyte for the cost of a way out")
	fl.StringVar(&f.leaf, "leaf", "ps", "kind of leaf: ps (sales add a transaction) or dw (sales replace the leaf)")
	fl.IntVar(&f.step, "step", 144, "one step of a state's delay in blocks")
	fl.IntVar(&f.maxChain, "max-chain", 4, "sales that one stock output may chain; ps leaves only")
	fl.IntVar(&f.top, "top", 6, "show so many shapes")
	fl.BoolVar(&f.json, "json", false, "print every shape as JSON")
	return c
}

// maxLayers is the largest number of layers that factory.Plan looks at.
const maxLayers = 3

func runPlan(c *cobra.Command, e env, f planFlags) error {
	r, err := f.request(c)
	if err != nil {
		return err
	}
	rows := factory.Plan(r)
	if len(rows) == 0 {
		return exit(ExitFailed, "%s", noShape(r))
	}
	if f.json {
		return writePlanJSON(e, r, rows)
	}
	writePlan(e.Out, r, rows, f.top)
	return nil
}

// request checks the flags. Bounds that SPEC.md sets are checked by the package
// that owns them.
func (f planFlags) request(c *cobra.Command) (factory.Request, error) {
	leaf, ok := leafKinds[f.leaf]
	changed := c.Flags().Changed
	switch {
	case !changed("clients"):
		return factory.Request{}, usage(c, "--clients is missing")
	case f.clients < 1 || f.clients > factory.MaxClients:
		return factory.Request{}, usage(c, "--clients %d: a factory has 1 to %d", f.clients, factory.MaxClients)
	case f.maxBlocks < 1 || f.maxBlocks > int(factory.MaxEarlyWarning):
		return factory.Request{}, usage(c, "--max-blocks %d: 1 to %d are possible (DELAY-004)", f.maxBlocks, factory.MaxEarlyWarning)
	case changed("layers") && (f.layers < 1 || f.layers > maxLayers):
		return factory.Request{}, usage(c, "--layers %d: 1 to %d are looked at", f.layers, maxLayers)
	case !(f.feerate >= 0.001 && f.feerate <= 100_000):
		return factory.Request{}, usage(c, "--feerate %g: 0.001 to 100000 sat per vbyte are possible", f.feerate)
	case !ok:
		return factory.Request{}, usage(c, "--leaf %q is neither ps nor dw", f.leaf)
	case leaf == factory.DW && changed("max-chain"):
		return factory.Request{}, usage(c, "--max-chain belongs to ps leaves: dw leaves chain no sales")
	case f.top < 1:
		return factory.Request{}, usage(c, "--top %d: at least 1", f.top)
	}
	p := factory.DefaultParams(leaf)
	for _, flag := range []struct {
		name       string
		value, top int
		set        func(int)
	}{
		{"step", f.step, math.MaxUint16, func(v int) { p.Step = uint16(v) }},
		{"max-chain", f.maxChain, math.MaxUint8, func(v int) { p.MaxChain = uint8(v) }},
	} {
		if !changed(flag.name) {
			continue
		}
		if flag.value < 0 || flag.value > flag.top {
			return factory.Request{}, usage(c, "--%s %d is out of bounds (SPEC.md section 4.1)", flag.name, flag.value)
		}
		flag.set(flag.value)
		if err := inBounds(p, leaf); err != nil {
			return factory.Request{}, usage(c, "--%s: %w", flag.name, err)
		}
	}
	return factory.Request{
		Clients: f.clients, MaxBlocks: factory.Blocks(f.maxBlocks), Layers: f.layers, Leaf: leaf, Params: p,
		FeeRate: factory.Sat(math.Round(f.feerate * 1000)),
	}, nil
}

// leafKinds are the values of --leaf.
var leafKinds = map[string]factory.LeafKind{"ps": factory.PS, "dw": factory.DW}

// inBounds checks single parameters against mainnet's column of section 4.1.
// What hangs on the shape is the planner's to decide.
func inBounds(p factory.Params, leaf factory.LeafKind) error {
	smallest := factory.Shape{Leaf: leaf, Levels: []factory.Level{{Kind: factory.Kickoff, Arity: 1}, {Kind: factory.State, Arity: 1}}}
	err := p.Check(factory.Mainnet, 1, smallest, rule.Set{})
	var bad *factory.Error
	if errors.As(err, &bad) && (bad.Rule == rule.TREE001 || bad.Rule == rule.TREE002) {
		return err
	}
	return nil
}

// planJSON is the form of plan --json.
type planJSON struct {
	Clients   int        `json:"clients"`
	MaxBlocks uint32     `json:"max_blocks"`
	Leaf      string     `json:"leaf"`
	FeeRate   float64    `json:"feerate_sat_per_vbyte"`
	Command   string     `json:"demo_command"` // for the first shape, the recommended one
	Shapes    []shapeRow `json:"shapes"`       // best first
}

type shapeRow struct {
	Shape         string `json:"shape"`
	Layers        int    `json:"state_layers"`
	States        uint8  `json:"states"`
	Step          uint16 `json:"step_blocks"`
	MaxChain      uint8  `json:"max_chain"`
	Delay         uint32 `json:"delay_blocks"`
	EarlyWarning  uint32 `json:"early_warning_blocks"`
	ExitTxs       int    `json:"exit_transactions"`
	ExitVBytes    int64  `json:"exit_vbytes"`
	ExitCost      int64  `json:"exit_cost_sat"`
	SaleVBytes    int64  `json:"sale_vbytes"`
	Signatures    int    `json:"signatures_per_client"`
	AllSignatures int    `json:"signatures_in_all"`
	Bytes         int64  `json:"bytes_per_client"`
	AwakeUpdate   int    `json:"clients_awake_for_update"`
	AwakeSale     int    `json:"clients_awake_for_sale"`
}

func writePlanJSON(e env, r factory.Request, rows []factory.Row) error {
	out := planJSON{
		Clients: r.Clients, MaxBlocks: uint32(r.MaxBlocks), Leaf: r.Leaf.String(), FeeRate: float64(r.FeeRate) / 1000,
		Command: demoCommand(r, rows[0]),
	}
	for _, w := range rows {
		out.Shapes = append(out.Shapes, shapeRow{
			Shape: w.Shape.String(), Layers: w.Shape.StateLevels(), States: w.Params.States, Step: w.Params.Step, MaxChain: w.Params.MaxChain,
			Delay: uint32(w.Delay), EarlyWarning: uint32(w.EarlyWarning),
			ExitTxs: w.ExitTxs, ExitVBytes: w.ExitVBytes, ExitCost: int64(w.ExitCost), SaleVBytes: w.SaleVBytes,
			Signatures: w.Signatures, AllSignatures: w.AllSignatures, Bytes: w.Bytes, AwakeUpdate: w.Awake, AwakeSale: w.Group,
		})
	}
	enc := json.NewEncoder(e.Out)
	enc.SetIndent("", "  ")
	if err := enc.Encode(out); err != nil {
		return fmt.Errorf("writing the plan: %w", err)
	}
	return nil
}
