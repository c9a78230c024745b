package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"superscalar/harness/lnd"
	"superscalar/refnode/chain"
)

// LND is lnd with channels, on which payments are measured: the payer, the node in the
// middle and, with 2 hops, the payee are one lnd each, with as many channels between two
// of them as there are payers in RunPayments. Payments are ordered over REST, on
// connections that stay open: what a request costs lnd is in its CPU time, and what
// the program that orders needs of the same two cores is in the time per payment.
type LND struct {
	ctx                  context.Context
	bin                  lnd.Binaries
	dir                  string
	o                    PaymentOptions // hops and channels; what is measured now
	nodes                []*lnd.Node
	middle, payer, payee *lnd.Node
	spentMsat            uint64 // by the payer, in all
}

// StartLND starts lnds and opens channels. Stop them.
func StartLND(ctx context.Context, bin lnd.Binaries, dir string, hops, channels int) (*LND, error) {
	l := &LND{ctx: ctx, bin: bin, dir: dir, o: PaymentOptions{Hops: hops, Channels: channels}}
	return l, l.start()
}

// startAttempts is how often lnds are started that do not come up in time: on a machine
// that has much else to do they are slow.
const startAttempts = 3

func (l *LND) start() (err error) {
	for range startAttempts {
		if l.nodes, err = lnd.StartLine(l.ctx, l.bin, l.dir, l.o.Hops+1); err == nil || l.ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return err
	}
	l.middle, l.payer, l.payee, l.spentMsat = l.nodes[0], l.nodes[1], l.nodes[0], 0
	if l.o.Hops == 2 {
		l.payee = l.nodes[2]
	}
	if err := l.setUp(); err != nil {
		return l.stop(err)
	}
	return nil
}

// Stop ends the lnds.
func (l *LND) Stop() error { return l.stop(nil) }

func (l *LND) stop(err error) error {
	nodes := l.nodes
	l.nodes = nil
	return lnd.StopLine(nodes, err)
}

// Measure makes payments: o has the hops and channels of StartLND. When the payer has
// not enough left for them, other lnds are started first.
func (l *LND) Measure(o PaymentOptions) (res PaymentResult, err error) {
	l.o = o
	res = PaymentResult{Hops: o.Hops, Channels: o.Channels, Flight: o.Flight, Payments: o.Payments, Msat: o.Msat}
	wanted := uint64(o.Payments+1) * (o.Msat + lndFeeMsat)
	if most := uint64(o.Channels) * payerMsat / 10 * 8; l.spentMsat > 0 && l.spentMsat+wanted > most { // the rest is reserve, and what payments leave uneven
		if err := l.Stop(); err != nil {
			return res, err
		}
		if err := l.start(); err != nil {
			return res, err
		}
	}
	l.spentMsat += wanted
	res.Node = "lnd " + strings.Fields(l.middle.Version)[0]
	res.Note = "payer and payee are one lnd each; ordered by REST"
	return res, l.measure(&res)
}

// lndFeeMsat is more than what the lnd in the middle takes for a payment.
const lndFeeMsat = 2_000

// setUp gives the node in the middle coins and has it open the channels, as the
// LSP does in RunPayments.
func (l *LND) setUp() error {
	c, err := l.middle.Chain(l.ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	faucet, err := lnd.NewFaucet(l.ctx, c)
	if err != nil {
		return err
	}
	var to struct {
		Address string `json:"address"`
	}
	if err := l.middle.Lncli(l.ctx, &to, "newaddress", "p2wkh"); err != nil {
		return err
	}
	total := int64(l.o.Hops*l.o.Channels)*channelSat + 10_000_000
	if err := faucet.Pay(l.ctx, to.Address, total); err != nil {
		return err
	}
	if err := l.mine(c, 3); err != nil {
		return err
	}
	for _, n := range l.nodes[1:] {
		if err := l.middle.Connect(l.ctx, n.NodeID+"@"+n.Address); err != nil {
			return err
		}
		if err := l.open(n); err != nil {
			return err
		}
		if err := l.mine(c, confirmations); err != nil {
			return err
		}
	}
	return l.active()
}

// mine mines blocks until every lnd has seen them.
func (l *LND) mine(c chain.Interface, n int) error {
	if err := l.middle.Mine(l.ctx, n); err != nil {
		return err
	}
	tip, err := c.Tip(l.ctx)
	if err != nil {
		return err
	}
	return l.until("every lnd has seen the new blocks", func() bool {
		for _, n := range l.nodes {
			var info struct {
				Height uint32 `json:"block_height"`
				Synced bool   `json:"synced_to_chain"`
			}
			if n.Lncli(l.ctx, &info, "getinfo") != nil || !info.Synced || chain.Height(info.Height) < tip.Height {
				return false
			}
		}
		return true
	})
}

// open opens the channels with one node.
func (l *LND) open(to *lnd.Node) error {
	push := 0
	if to == l.payer {
		push = payerMsat / 1000
	}
	for range l.o.Channels {
		var answer struct{}
		err := l.middle.Lncli(l.ctx, &answer, "openchannel", "--node_key="+to.NodeID, fmt.Sprint("--local_amt=", channelSat),
			fmt.Sprint("--push_amt=", push), "--sat_per_vbyte=5", "--min_confs=0")
		if err != nil {
			return err
		}
	}
	return nil
}

// active waits until every channel takes payments.
func (l *LND) active() error {
	return l.until("the channels of lnd are active", func() bool {
		for i, n := range l.nodes {
			want := l.o.Channels
			if i == 0 {
				want *= l.o.Hops
			}
			var list struct {
				Channels []struct{} `json:"channels"`
			}
			if n.Lncli(l.ctx, &list, "listchannels", "--active_only") != nil || len(list.Channels) != want {
				return false
			}
		}
		return true
	})
}

func (l *LND) until(what string, happened func() bool) error {
	ctx, cancel := context.WithTimeout(l.ctx, 2*patience)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for !happened() {
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("it did not come to pass within %s that %s", 2*patience, what)
		}
	}
	return nil
}

// measure has the payee make invoices and the payer pay them.
func (l *LND) measure(res *PaymentResult) error {
	payer, err := l.payer.REST()
	if err != nil {
		return err
	}
	defer payer.Close()
	payee, err := l.payee.REST()
	if err != nil {
		return err
	}
	defer payee.Close()
	invoices := make([]string, l.o.Payments+1)
	if err := inParallel(20, len(invoices), func(i int) (err error) {
		invoices[i], err = l.invoice(payee)
		return err
	}); err != nil {
		return err
	}
	// The first one shows that gossip has told the payer of the route.
	var last error
	if err := l.until("lnd makes a payment", func() bool {
		last = l.pay(payer, invoices[0])
		return last == nil
	}); err != nil {
		return fmt.Errorf("%w: %w", err, last)
	}
	invoices = invoices[1:]
	before := l.spent()
	latencies := make([]int64, len(invoices))
	begin := time.Now()
	err = inParallel(l.o.Channels*l.o.Flight, len(invoices), func(i int) error {
		start := time.Now()
		defer func() { latencies[i] = int64(time.Since(start)) }()
		return l.pay(payer, invoices[i])
	})
	res.finish(time.Since(begin), latencies)
	after := l.spent()
	n := time.Duration(l.o.Payments)
	cpu := []*time.Duration{&res.LSPCPU, &res.PayerCPU, &res.PayeeCPU}
	for i := range after {
		*cpu[i] = (after[i] - before[i]) / n
	}
	return err
}

func (l *LND) spent() (list []time.Duration) {
	for _, n := range l.nodes {
		list = append(list, n.CPUTime())
	}
	return list
}

func (l *LND) invoice(c *lnd.Client) (request string, err error) {
	var made struct {
		Request string `json:"payment_request"`
	}
	order := map[string]any{"value_msat": fmt.Sprint(l.o.Msat)}
	err = c.Post(l.ctx, "/v1/invoices", order, func(b json.RawMessage) (bool, error) { return true, json.Unmarshal(b, &made) })
	return made.Request, err
}

// pay pays and waits for the end of it.
func (l *LND) pay(c *lnd.Client, invoice string) error {
	order := map[string]any{
		"payment_request": invoice, "timeout_seconds": 120, "fee_limit_msat": fmt.Sprint(l.o.Msat + 10_000), "max_parts": 1, "no_inflight_updates": true,
	}
	return c.Post(l.ctx, "/v2/router/send", order, func(b json.RawMessage) (bool, error) {
		var update struct {
			Result struct {
				Status string `json:"status"`
				Reason string `json:"failure_reason"`
			} `json:"result"`
			Error *struct {
				Message string `json:"message"`
			} `json:"error"`
		}
		if err := json.Unmarshal(b, &update); err != nil {
			return false, err
		}
		switch {
		case update.Error != nil:
			return false, fmt.Errorf("lnd: payment: %s", update.Error.Message)
		case update.Result.Status == "FAILED":
			return false, fmt.Errorf("lnd: payment failed: %s", update.Result.Reason)
		}
		return update.Result.Status == "SUCCEEDED", nil
	})
}

// inParallel calls do for 0 to n-1, so many at a time, and returns an error of one.
func inParallel(width, n int, do func(i int) error) error {
	next := make(chan int, n)
	for i := range n {
		next <- i
	}
	close(next)
	errs := make([]error, min(width, n))
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			for i := range next {
				if errs[w] = do(i); errs[w] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
