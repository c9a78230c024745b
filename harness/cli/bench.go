package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"superscalar/harness/bench"
	"superscalar/refnode/factory"
)

// benchFlags are the flags of bench factory.
type benchFlags struct {
	clients   string
	shape     string
	processes bool
	check     bool
	json      bool
	seed      uint64
}

func newBenchCommand(e env) *cobra.Command {
	party := &cobra.Command{
		Use: "party", Hidden: true, Args: takes(), Short: "Be one side of a benchmark",
		Long: `Is one side of a benchmark: 'superscalar bench factory' and 'bench payments' start
it and give it orders on its input, one JSON object a line. It answers on its
output and ends when its input does.`,
		Example: "  superscalar bench party </dev/null",
		RunE: func(c *cobra.Command, _ []string) error {
			collectLess()
			return bench.Party(e.Context, e.In, e.Out)
		},
	}
	return group(&cobra.Command{
		Use:   "bench",
		Short: "Measure the reference implementation",
		Long: `Measures the reference implementation on this machine, and says with --check
whether it reaches what it is meant to.`,
		Example: "  superscalar bench factory --clients 8,64,127 --check",
	}, newBenchFactory(e), newBenchPayments(e), party)
}

func newBenchFactory(e env) *cobra.Command {
	var f benchFlags
	c := &cobra.Command{
		Use:   "factory",
		Short: "Create factories of several sizes and say what it took",
		Long: `Creates a factory for each number of clients: an LSP in a process of its own,
the clients in another one (or one each, with --processes), over BOLT 8 sockets
on this machine, with durable stores, on a regtest chain that a third process
serves. Nothing is shared but the sockets. With --processes each client has one
core: GOMAXPROCS=1.

  wall      from the first dial to the last client that knows it is funded
  connect   the part until every client is connected
  signing   the part from the proposal to the last stored signature
  LSP CPU   of the LSP's process; client CPU is that of one client
  bytes     everything the LSP sent and received, with what BOLT 8 adds
  largest   the largest message that the LSP sent
  storage   of one client
  change    CPU of the LSP for one change in one leaf afterwards: a sale where
            leaves are ps, an update where they are dw

Timings are those of this machine at this moment: leave it alone meanwhile.`,
		Example: `  superscalar bench factory --clients 8,64,127
  superscalar bench factory --clients 127 --processes --json`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			list, err := parseClients(f.clients)
			if err != nil {
				return err
			}
			var shape factory.Shape
			if f.shape != "" {
				if shape, err = factory.ParseShape(f.shape); err != nil {
					return exit(ExitUsage, "--shape: %w", err)
				}
			}
			return benchFactory(e, f, list, shape)
		},
	}
	fs := c.Flags()
	fs.StringVar(&f.clients, "clients", "8,64,127", "numbers of clients, `N[,N...]`, each from 1 to 1024")
	fs.StringVar(&f.shape, "shape", "", "`shape` of the tree; the recommended one of each size when left out")
	fs.BoolVar(&f.processes, "processes", false, "run every client as a process of its own (up to 127)")
	fs.BoolVar(&f.check, "check", false, "compare with what is to be reached; exit 1 when a number misses it")
	fs.BoolVar(&f.json, "json", false, "print JSON, one object for each size")
	fs.Uint64Var(&f.seed, "seed", 1, "`number` that decides all keys")
	return c
}

// maxProcesses is how many client processes a machine is asked for.
const maxProcesses = 127

func parseClients(text string) ([]int, error) {
	var out []int
	for _, part := range strings.Split(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || n < 1 || n > factory.MaxClients {
			return nil, exit(ExitUsage, "--clients %q: %q is no number from 1 to %d", text, part, factory.MaxClients)
		}
		out = append(out, n)
	}
	return out, nil
}

func benchFactory(e env, f benchFlags, list []int, shape factory.Shape) error {
	self, err := os.Executable()
	if err != nil {
		return exit(ExitBroken, "%w", err)
	}
	var results []bench.Result
	for _, n := range list {
		if f.processes && n > maxProcesses {
			return exit(ExitUsage, "--processes with %d clients: at most %d", n, maxProcesses)
		}
	}
	for _, n := range list {
		r, err := bench.Run(e.Context, bench.Options{
			Clients: n, Shape: shape, Processes: f.processes, Seed: f.seed, Command: []string{self, "bench", "party"},
		})
		if err != nil {
			return exit(ExitFailed, "%d clients: %w", n, err)
		}
		results = append(results, r)
		if f.json {
			if err := json.NewEncoder(e.Out).Encode(r); err != nil {
				return err
			}
		}
	}
	if !f.json {
		printBench(e, results)
	}
	if f.check {
		return checkBench(e, results)
	}
	return nil
}

func printBench(e env, results []bench.Result) {
	w := tabwriter.NewWriter(e.Out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "clients\twall\tconnect\tsigning\tLSP CPU\tclient CPU\tbytes\tlargest\tstorage\tchange\t  shape")
	for _, r := range results {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t  %s\n", r.Clients, seconds(r.Wall), seconds(r.Connect), seconds(r.Signing),
			seconds(r.LSPCPU), millis(r.ClientCPU), size(r.Bytes), size(r.Largest), size(r.Storage), millis(r.Change), r.Shape)
	}
	_ = w.Flush()
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

func millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

func size(n uint64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	default:
		return fmt.Sprintf("%d B", n)
	}
}

// checkBench says of every number that is to be reached whether it was.
func checkBench(e env, results []bench.Result) error {
	missed := 0
	for _, r := range results {
		for _, g := range bench.Goals(r) {
			verdict := "reached"
			if !g.Reached {
				verdict = "MISSED"
				missed++
			}
			fmt.Fprintf(e.Out, "%-8s %d clients: %s %s, to reach %s\n", verdict, r.Clients, g.What, g.Got, g.Want)
		}
	}
	if missed > 0 {
		return exit(ExitFailed, "%d of the numbers were missed", missed)
	}
	return nil
}
