package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/harness/chainserver"
	"superscalar/refnode/chain/embedded"
)

// PaymentOptions shape a benchmark of payments.
type PaymentOptions struct {
	// Hops is 1 for payments from clients to the LSP and 2 for payments through
	// the LSP to other clients.
	Hops int
	// Channels is how many clients pay at the same time, each over a channel of its
	// own; with 2 hops as many are paid.
	Channels int
	// Flight is how many payments each of them has under way at a time.
	Flight int
	// Payments is how many are made in all, at least one by each client.
	Payments int
	// Msat is the amount of each.
	Msat    uint64
	Command []string // as in Options
}

// PaymentResult is one measurement of payments.
type PaymentResult struct {
	Node     string `json:"node"` // who was measured
	Hops     int    `json:"hops"`
	Channels int    `json:"channels"`
	Flight   int    `json:"in_flight_per_channel"`
	Payments int    `json:"payments"`
	Msat     uint64 `json:"amount_msat"`
	// Wall is from the first order to pay to the last payment that its payer
	// has stored as paid; Each is that divided by the number of payments.
	Wall time.Duration `json:"wall_ns"`
	Each time.Duration `json:"wall_per_payment_ns"`
	// Median and P95 are of the time from an order to pay to its end.
	Median time.Duration `json:"latency_median_ns"`
	P95    time.Duration `json:"latency_p95_ns"`
	// The CPU time of a payment, by whose process it was spent.
	PayerCPU time.Duration `json:"payer_cpu_ns"`
	LSPCPU   time.Duration `json:"lsp_cpu_ns"`
	PayeeCPU time.Duration `json:"payee_cpu_ns"`
	// Note says what is special about the measurement.
	Note string `json:"note,omitempty"`
}

// PerSecond is the throughput.
func (r PaymentResult) PerSecond() float64 {
	if r.Wall == 0 {
		return 0
	}
	return float64(r.Payments) / r.Wall.Seconds()
}

// PaymentGoals are what a measurement is to reach on a machine with 2 cores;
// most shapes have no goal.
func PaymentGoals(r PaymentResult) []Goal {
	if r.Node != Ours || r.Hops != 2 || r.Channels != 10 || r.Flight != 100 || r.Payments < 1000 {
		return nil
	}
	return []Goal{{"time per payment", fmt.Sprintf("%.2f ms", float64(r.Each.Microseconds())/1000), "under 2 ms", r.Each < 2*time.Millisecond}}
}

// Ours names the reference node in a PaymentResult.
const Ours = "superscalar"

// The channel of a client, in sat, and what the client has of it: a payer almost
// all, a payee nothing.
const (
	channelSat = 10_000_000
	payerMsat  = 9_000_000_000
)

// RunPayments measures payments: the LSP, the payers and the payees are three
// processes; each node in them has a store, keys and sockets of its own.
func RunPayments(ctx context.Context, o PaymentOptions) (res PaymentResult, err error) {
	res = PaymentResult{Node: Ours, Hops: o.Hops, Channels: o.Channels, Flight: o.Flight, Payments: o.Payments, Msat: o.Msat}
	dir, err := os.MkdirTemp("", "superscalar-bench-")
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	chain, err := embedded.New(embedded.Config{})
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, chain.Close()) }()
	server, err := chainserver.New(chain, chainserver.Options{})
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	cookie := filepath.Join(dir, "cookie")
	if err := server.WriteCookie(cookie); err != nil {
		return res, err
	}
	ctx, kill := context.WithCancel(ctx)
	defer kill()
	t := &trade{run: run{ctx: ctx, kill: kill, o: Options{Command: o.Command}, dir: dir}, o: o, chain: chain}
	t.base = order{Chain: server.Address(), Cookie: cookie}
	defer func() {
		if err != nil {
			kill()
		}
		err = errors.Join(err, t.stop())
	}()
	if err := t.setUp(); err != nil {
		return res, err
	}
	return res, t.measure(&res)
}

// trade is a measurement of payments under way. clients of run are the payers
// and, with 2 hops, the payees.
type trade struct {
	run
	o     PaymentOptions
	chain *embedded.Chain
}

// setUp runs the children and opens the channels.
func (t *trade) setUp() (err error) {
	if t.lsp, err = t.child(false); err != nil {
		return err
	}
	o := t.base
	o.Cmd, o.Role, o.Dir, o.Count = "trade", "lsp", filepath.Join(t.dir, "lsp"), 1
	lsp, err := t.lsp.ask(o)
	if err != nil {
		return err
	}
	if err := t.fund(lsp.Script); err != nil {
		return err
	}
	roles := []string{"payer", "payee"}[:t.o.Hops]
	for i, role := range roles {
		c, err := t.child(false)
		if err != nil {
			return err
		}
		t.clients = append(t.clients, c)
		o.Role, o.Dir, o.Count = role, filepath.Join(t.dir, role), t.o.Channels
		who, err := c.ask(o)
		if err != nil {
			return err
		}
		if _, err := c.ask(order{Cmd: "meet", Peer: lsp.Address}); err != nil {
			return err
		}
		push := []uint64{payerMsat, 0}[i]
		if _, err := t.lsp.ask(order{Cmd: "open", Clients: who.IDs, Sat: channelSat, Msat: push}); err != nil {
			return err
		}
	}
	if _, err := t.chain.Mine(confirmations); err != nil {
		return err
	}
	if err := t.look(); err != nil {
		return err
	}
	_, err = all(t.everybody(), order{Cmd: "ready"})
	return err
}

func (t *trade) everybody() []*child { return append([]*child{t.lsp}, t.clients...) }

// fund gives the LSP coins for its channels, one for each.
func (t *trade) fund(to string) error {
	script, err := hexBytes(to)
	if err != nil {
		return err
	}
	var coins []*btcwire.TxOut
	for range t.o.Hops * t.o.Channels {
		coins = append(coins, btcwire.NewTxOut(channelSat+100_000, script))
	}
	if _, err := t.chain.FundOutputs(coins...); err != nil {
		return err
	}
	if _, err := t.chain.Mine(1); err != nil {
		return err
	}
	_, err = t.lsp.ask(order{Cmd: "look"})
	return err
}

// look lets everybody see the chain.
func (t *trade) look() error {
	_, err := all(t.everybody(), order{Cmd: "look"})
	return err
}

// measure has the payees make invoices, and the payers pay them.
func (t *trade) measure(res *PaymentResult) error {
	payee := t.lsp
	if t.o.Hops == 2 {
		payee = t.clients[1]
	}
	list, err := payee.ask(order{Cmd: "invoices", Count: t.o.Payments, Msat: t.o.Msat})
	if err != nil {
		return err
	}
	before, err := t.spent()
	if err != nil {
		return err
	}
	paid, err := t.clients[0].ask(order{Cmd: "pay", Clients: list.IDs, Count: t.o.Flight, Msat: t.o.Msat})
	if err != nil {
		return err
	}
	after, err := t.spent()
	if err != nil {
		return err
	}
	n := time.Duration(t.o.Payments)
	res.finish(time.Duration(paid.Wall), paid.Latencies)
	cpu := []*time.Duration{&res.LSPCPU, &res.PayerCPU, &res.PayeeCPU}
	for i := range after {
		*cpu[i] = (after[i] - before[i]) / n
	}
	return nil
}

// spent is the CPU time of everybody.
func (t *trade) spent() (list []time.Duration, err error) {
	answers, err := all(t.everybody(), order{Cmd: "spent"})
	for _, a := range answers {
		list = append(list, time.Duration(a.CPU))
	}
	return list, err
}

// finish fills in the times, out of the latencies in ns.
func (r *PaymentResult) finish(wall time.Duration, latencies []int64) {
	slices.Sort(latencies)
	at := func(percent int) time.Duration {
		if len(latencies) == 0 {
			return 0
		}
		return time.Duration(latencies[min(len(latencies)-1, len(latencies)*percent/100)])
	}
	r.Wall, r.Each = wall, wall/time.Duration(max(1, r.Payments))
	r.Median, r.P95 = at(50), at(95)
}
