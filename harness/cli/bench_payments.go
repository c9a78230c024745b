package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"superscalar/harness/bench"
	"superscalar/harness/lnd"
)

// paymentFlags are the flags of bench payments.
type paymentFlags struct {
	hops     string
	channels string
	flight   string
	payments int
	sat      uint64
	runs     int
	lnd      bool
	check    bool
	json     bool
}

// Bounds of the flags.
const (
	maxBenchChannels = 10
	maxBenchFlight   = 100
	maxBenchPayments = 10_000
	maxBenchSat      = 10_000
	maxBenchRuns     = 20
)

// perPlace is how many payments a row makes at most for each that it has in
// flight: one after the other they take long.
const perPlace = 50

func newBenchPayments(e env) *cobra.Command {
	var f paymentFlags
	c := &cobra.Command{
		Use:   "payments",
		Short: "Make payments, one at a time and many, and say what they took",
		Long: `Makes payments for each combination of hops, channels and payments in flight.
With 1 hop clients pay the LSP, with 2 they pay other clients through it. The
LSP, all payers and all payees are a process each; every node in them has a
store on the disk, keys, sockets and a channel of its own, and nothing is shared
but the sockets. A payment counts when its payer has stored that it is paid.
Invoices are made before.

  payments   how many were made: at most 50 for each one in flight
  each       wall time divided by payments
  median     of the time from the order to pay to the end of a payment; p95 is
             that of the 95th of 100
  CPU        of one payment, by process

With --lnd the same is measured with lnd, at the version that this program pins:
three lnds, the one in the middle with as many channels to either side as there
are payers in the row. They run only while they are measured, and every row of ours
has the one of lnd below it.

Timings are those of this machine, its disk included, at this moment: leave it
alone meanwhile. With --runs each row is measured so many times and the run
with the shortest wall time is printed.`,
		Example: `  superscalar bench payments --channels 1,10 --flight 1,100
  superscalar bench payments --hops 2 --channels 10 --flight 100 --runs 3 --check
  superscalar bench payments --lnd
  superscalar bench payments --hops 2 --channels 1,2,5,10 --flight 1,10,100 --lnd`,
		Args: takes(),
		RunE: func(*cobra.Command, []string) error {
			rows, err := f.rows()
			if err != nil {
				return err
			}
			return benchPayments(e, f, rows)
		},
	}
	fs := c.Flags()
	fs.StringVar(&f.hops, "hops", "1,2", "1: to the LSP, 2: to another client; `N[,N]`")
	fs.StringVar(&f.channels, "channels", "1,10", "numbers of payers, each with a channel, `N[,N...]`, from 1 to 10")
	fs.StringVar(&f.flight, "flight", "1,10,100", "payments in flight on each channel, `N[,N...]`, from 1 to 100")
	fs.IntVar(&f.payments, "payments", 1000, "payments of a row, `N` from 1 to 10000")
	fs.Uint64Var(&f.sat, "sat", 1000, "amount of a payment in `sat`, from 1 to 10000; below 354 it is dust on the commitments")
	fs.IntVar(&f.runs, "runs", 1, "how often a row is measured, `N` from 1 to 20")
	fs.BoolVar(&f.lnd, "lnd", false, "also measure lnd: build it, start payer, middle and payee, and print a row beside each of ours")
	fs.BoolVar(&f.check, "check", false, "compare with what is to be reached; exit 1 when a number misses it")
	fs.BoolVar(&f.json, "json", false, "print JSON, one object for each row")
	return c
}

// rows are the combinations, in the order of the flags.
func (f *paymentFlags) rows() (rows []bench.PaymentOptions, err error) {
	hops, err := numbers("--hops", f.hops, 2)
	if err != nil {
		return nil, err
	}
	channels, err := numbers("--channels", f.channels, maxBenchChannels)
	if err != nil {
		return nil, err
	}
	flights, err := numbers("--flight", f.flight, maxBenchFlight)
	if err != nil {
		return nil, err
	}
	switch {
	case f.payments < 1 || f.payments > maxBenchPayments:
		return nil, exit(ExitUsage, "--payments %d is no number from 1 to %d", f.payments, maxBenchPayments)
	case f.sat < 1 || f.sat > maxBenchSat:
		return nil, exit(ExitUsage, "--sat %d is no number from 1 to %d", f.sat, maxBenchSat)
	case f.runs < 1 || f.runs > maxBenchRuns:
		return nil, exit(ExitUsage, "--runs %d is no number from 1 to %d", f.runs, maxBenchRuns)
	}
	for _, h := range hops {
		for _, c := range channels {
			for _, n := range flights {
				rows = append(rows, bench.PaymentOptions{
					Hops: h, Channels: c, Flight: n, Payments: min(f.payments, perPlace*c*n), Msat: 1000 * f.sat,
				})
			}
		}
	}
	return rows, nil
}

// numbers reads a list of numbers from 1 to most.
func numbers(flag, text string, most int) (list []int, err error) {
	for _, part := range strings.Split(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || n < 1 || n > most {
			return nil, exit(ExitUsage, "%s %q: %q is no number from 1 to %d", flag, text, part, most)
		}
		list = append(list, n)
	}
	return list, nil
}

func benchPayments(e env, f paymentFlags, rows []bench.PaymentOptions) error {
	self, err := os.Executable()
	if err != nil {
		return exit(ExitBroken, "%w", err)
	}
	nodes := []measurer{func(rows []bench.PaymentOptions) ([]bench.PaymentResult, error) {
		return f.each(rows, func(o bench.PaymentOptions) (bench.PaymentResult, error) { return bench.RunPayments(e.Context, o) })
	}}
	if f.lnd {
		bin, err := lnd.BuildCached(e.Context, e.Err)
		if err != nil {
			return exit(ExitUsage, "%s", oneLine(err.Error()))
		}
		dir, err := os.MkdirTemp("", "superscalar-bench-")
		if err != nil {
			return exit(ExitUsage, "a temporary folder: %w", err)
		}
		defer os.RemoveAll(dir)
		nodes = append(nodes, func(rows []bench.PaymentOptions) ([]bench.PaymentResult, error) { return f.lnds(e, bin, dir, rows) })
	}
	var results []bench.PaymentResult
	for _, group := range alike(rows) {
		for i := range group {
			group[i].Command = []string{self, "bench", "party"}
		}
		rows, err := sideBySide(group, nodes)
		if err != nil {
			if !f.json {
				printPayments(e, results) // it took long
			}
			return exit(ExitFailed, "%d hops, %d channels: %s", group[0].Hops, group[0].Channels, oneLine(err.Error()))
		}
		results = append(results, rows...)
		for _, r := range rows {
			if !f.json {
				continue
			}
			if err := json.NewEncoder(e.Out).Encode(r); err != nil {
				return err
			}
		}
	}
	if !f.json {
		printPayments(e, results)
	}
	if !f.check {
		return nil
	}
	return checkPayments(e, results)
}

// measurer measures rows with the same hops and channels on one kind of node.
type measurer func([]bench.PaymentOptions) ([]bench.PaymentResult, error)

// alike groups rows with the same hops and channels.
func alike(rows []bench.PaymentOptions) (groups [][]bench.PaymentOptions) {
	for i, o := range rows {
		if i == 0 || o.Hops != rows[i-1].Hops || o.Channels != rows[i-1].Channels {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], o)
	}
	return groups
}

// sideBySide measures rows on every kind of node, one kind after the other, so that
// none has another one beside it, and puts the results of a row one below the other.
func sideBySide(group []bench.PaymentOptions, nodes []measurer) (rows []bench.PaymentResult, err error) {
	all := make([][]bench.PaymentResult, len(nodes))
	for i, node := range nodes {
		if all[i], err = node(group); err != nil {
			return nil, err
		}
	}
	for k := range group {
		for i := range nodes {
			rows = append(rows, all[i][k])
		}
	}
	return rows, nil
}

// each measures every row several times, and keeps the quickest.
func (f *paymentFlags) each(rows []bench.PaymentOptions, one func(bench.PaymentOptions) (bench.PaymentResult, error)) (all []bench.PaymentResult, err error) {
	for _, o := range rows {
		var best bench.PaymentResult
		for i := range f.runs {
			r, err := one(o)
			if err != nil {
				return nil, fmt.Errorf("%d in flight: %w", o.Flight, err)
			}
			if i == 0 || r.Wall < best.Wall {
				best = r
			}
		}
		all = append(all, best)
	}
	return all, nil
}

// lnds measures rows on lnds that are started once.
func (f *paymentFlags) lnds(e env, bin lnd.Binaries, dir string, rows []bench.PaymentOptions) (all []bench.PaymentResult, err error) {
	l, err := bench.StartLND(e.Context, bin, dir, rows[0].Hops, rows[0].Channels)
	if err != nil {
		return nil, fmt.Errorf("lnd: %w", err)
	}
	defer func() { err = errors.Join(err, l.Stop()) }()
	return f.each(rows, l.Measure)
}

func printPayments(e env, results []bench.PaymentResult) {
	w := tabwriter.NewWriter(e.Out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "node\thops\tchannels\tin flight\tpayments\tsat\teach\tper second\tmedian\tp95\tpayer CPU\tLSP CPU\tpayee CPU\t  ")
	for _, r := range results {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%s\t%.0f\t%s\t%s\t%s\t%s\t%s\t  %s\n", r.Node, r.Hops, r.Channels, r.Flight, r.Payments, r.Msat/1000,
			hundredths(r.Each), r.PerSecond(), millis(r.Median), millis(r.P95), spent(r.PayerCPU), spent(r.LSPCPU), spent(r.PayeeCPU), r.Note)
	}
	_ = w.Flush()
}

// spent is a CPU time, which nobody measured when it is 0.
func spent(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return hundredths(d)
}

func hundredths(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000)
}

// checkPayments says of every row with a number to reach whether it was.
func checkPayments(e env, results []bench.PaymentResult) error {
	missed := 0
	for _, r := range results {
		for _, g := range bench.PaymentGoals(r) {
			verdict := "reached"
			if !g.Reached {
				verdict = "MISSED"
				missed++
			}
			fmt.Fprintf(e.Out, "%-8s %d hops, %d channels, %d in flight: %s %s, to reach %s\n", verdict, r.Hops, r.Channels, r.Flight, g.What, g.Got, g.Want)
		}
	}
	if missed > 0 {
		return exit(ExitFailed, "%d of the numbers were missed", missed)
	}
	return nil
}
