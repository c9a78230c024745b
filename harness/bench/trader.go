package bench

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/chain/corerpc"
	"superscalar/refnode/hub"
	"superscalar/refnode/node"
	"superscalar/refnode/payment"
	"superscalar/refnode/store"
	"superscalar/refnode/transport"
	"superscalar/refnode/wallet"
	"superscalar/wire"
)

// trader is a node with channels: with a store, a wallet, keys, sockets and a chain
// client of its own.
type trader struct {
	name   string
	chain  *corerpc.Client
	store  *store.Store
	wallet *wallet.Wallet
	hub    *hub.Hub
	node   *node.Node

	mu   sync.Mutex
	ends map[payment.Hash]chan payment.Action // how payments ended, or will
}

// derive is a key of a label. Names are known to all, coins are of regtest.
func (t *trader) derive(label string) (*btcec.PrivateKey, error) {
	sum := sha256.Sum256([]byte("bench/" + t.name + "/" + label))
	k, _ := btcec.PrivKeyFromBytes(sum[:])
	return k, nil
}

// newTrader starts a node.
func newTrader(ctx context.Context, o order, name string) (t *trader, err error) {
	t = &trader{name: name, ends: map[payment.Hash]chan payment.Action{}}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%s: %w", name, err), t.close())
		}
	}()
	role := node.Client
	if o.Role == "lsp" {
		role = node.LSP
	}
	dir := filepath.Join(o.Dir, name)
	if err = os.MkdirAll(dir, 0o700); err != nil {
		return t, err
	}
	t.chain, err = corerpc.New(ctx, corerpc.Options{Address: o.Chain, CookieFile: o.Cookie, Params: &chaincfg.RegressionNetParams, Poll: polling})
	if err != nil {
		return t, err
	}
	if t.store, err = store.Open(dir); err != nil {
		return t, err
	}
	if t.wallet, err = wallet.New(wallet.Options{
		Keys: func(i uint32) (*btcec.PrivateKey, error) { return t.derive(fmt.Sprint("wallet/", i)) },
		Save: func(b []byte) error { return t.store.Put("wallet", "state", b) },
	}); err != nil {
		return t, err
	}
	key, _ := t.derive("node")
	tip, err := t.chain.Tip(ctx)
	if err != nil {
		return t, err
	}
	if t.hub, err = hub.Open(hub.Config{
		Store: t.store, Key: key, Net: &chaincfg.RegressionNetParams, Rand: rand.Reader, Derive: t.derive, Forward: role == node.LSP,
		Wallet: t, Coins: t.wallet, Script: append([]byte{0, 20}, make([]byte, 20)...),
		Broadcast: func(tx *btcwire.MsgTx, _ string) { _ = t.chain.Submit(ctx, chain.Package{tx}) },
		Notice:    t.hear,
	}, payment.Height(tip.Height)); err != nil {
		return t, err
	}
	if t.node, err = node.Start(node.Config{
		Role: role, Key: key, Listen: "127.0.0.1:0", Rand: rand.Reader, Channels: t.hub, Outside: true, Derive: t.derive,
	}); err != nil {
		return t, err
	}
	t.hub.Attach(func(id wire.Point) { t.node.Wake(transport.NodeID(id)) })
	return t, t.hub.Look(ctx, t.chain)
}

func (t *trader) close() (err error) {
	if t.node != nil {
		err = t.node.Close()
	}
	if t.hub != nil {
		t.hub.Close()
	}
	if t.store != nil {
		err = errors.Join(err, t.store.Close())
	}
	if t.chain != nil {
		err = errors.Join(err, t.chain.Close())
	}
	return err
}

// Fund implements hub.Wallet.
func (t *trader) Fund(id string, out *btcwire.TxOut) (*btcwire.MsgTx, uint32, error) {
	u, err := t.wallet.FundTx(id, []*btcwire.TxOut{out}, wallet.SatPerVByte(5))
	if err != nil {
		return nil, 0, err
	}
	tx, err := t.wallet.Sign(u)
	return tx, 0, err
}

// Release implements hub.Wallet.
func (t *trader) Release(id string) { _ = t.wallet.Release(id) }

// hear takes a notice of the router.
func (t *trader) hear(a payment.Action) {
	switch a := a.(type) {
	case payment.PaymentSucceeded:
		t.end(a.Hash) <- a
	case payment.PaymentFailed:
		t.end(a.Hash) <- a
	}
}

// end is where the end of a payment is told.
func (t *trader) end(h payment.Hash) chan payment.Action {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ends[h] == nil {
		t.ends[h] = make(chan payment.Action, 1)
	}
	return t.ends[h]
}

// pay makes one payment and returns how long it took.
func (t *trader) pay(ctx context.Context, invoice string, fee payment.Msat) (time.Duration, error) {
	begin := time.Now()
	p, err := t.hub.Pay(payment.PayRequest{Invoice: invoice, MaxFee: fee})
	if err != nil {
		return 0, err
	}
	select {
	case a := <-t.end(p.Hash):
		if failed, ok := a.(payment.PaymentFailed); ok {
			return 0, fmt.Errorf("payment failed: %s", failed.Reason)
		}
		return time.Since(begin), nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// stream pays invoices, at most flight at a time.
func (t *trader) stream(ctx context.Context, invoices []string, flight int, fee payment.Msat) ([]int64, error) {
	next := make(chan string)
	go func() {
		defer close(next)
		for _, invoice := range invoices {
			select {
			case next <- invoice:
			case <-ctx.Done():
				return
			}
		}
	}()
	var mu sync.Mutex
	var latencies []int64
	var errs []error
	var wg sync.WaitGroup
	for range flight {
		wg.Go(func() {
			for invoice := range next {
				took, err := t.pay(ctx, invoice, fee)
				mu.Lock()
				latencies = append(latencies, int64(took))
				if err != nil {
					errs = append(errs, err)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(errs) > 0 {
		return nil, errs[0]
	}
	return latencies, ctx.Err()
}

// tradeOrder carries out an order of a benchmark of payments.
func (p *party) tradeOrder(o order) (a answer, err error) {
	switch o.Cmd {
	case "trade":
		return p.startTraders(o)
	case "meet":
		to, err := transport.ParseAddress(o.Peer)
		if err != nil {
			return a, err
		}
		return a, p.each(func(t *trader) error { return t.node.Connect(p.ctx, to) })
	case "look":
		return a, p.each(func(t *trader) error {
			return errors.Join(t.wallet.Sync(p.ctx, t.chain), t.hub.Look(p.ctx, t.chain))
		})
	case "open":
		return a, p.openChannels(o)
	case "ready":
		return a, p.each(p.ready)
	case "invoices":
		return p.invoices(o)
	case "pay":
		return p.payAll(o)
	case "spent":
		return answer{CPU: int64(cpuTime())}, nil
	default:
		return a, fmt.Errorf("unknown order %q", o.Cmd)
	}
}

func (p *party) each(do func(*trader) error) error {
	errs := make([]error, len(p.traders))
	var wg sync.WaitGroup
	for i, t := range p.traders {
		wg.Go(func() { errs[i] = do(t) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (p *party) startTraders(o order) (a answer, err error) {
	for i := range o.Count {
		t, err := newTrader(p.ctx, o, fmt.Sprintf("%s-%d", o.Role, i))
		if err != nil {
			return a, err
		}
		p.traders = append(p.traders, t)
		id := t.node.Address().ID
		a.IDs = append(a.IDs, hex.EncodeToString(id[:]))
		a.Address = t.node.Address().String()
	}
	script, err := p.traders[0].wallet.NewScript()
	a.Script = hex.EncodeToString(script)
	return a, err
}

// openChannels opens a channel to each client and waits until the funding
// transactions are out.
func (p *party) openChannels(o order) error {
	lsp := p.traders[0]
	for _, id := range o.Clients {
		raw, err := hexBytes(id)
		if err != nil {
			return err
		}
		before := len(lsp.hub.Channels())
		err = p.until("init is exchanged", func() bool {
			return lsp.node.OpenOutside(transport.NodeID(raw), o.Sat, o.Msat) == nil
		})
		if err == nil {
			err = p.until("the channel has a funding transaction", func() bool { return len(lsp.hub.Channels()) > before })
		}
		if err != nil {
			return err
		}
		err = p.until("it is out", func() bool {
			c := lsp.hub.Channels()
			var pool []string
			return lsp.chain.Call(p.ctx, "getrawmempool", &pool) == nil && len(pool) == len(c)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// ready waits until every channel takes payments.
func (p *party) ready(t *trader) error {
	return p.until("the channels of "+t.name+" are ready", func() bool {
		for _, c := range t.hub.Channels() {
			if !c.Link.Up || t.name != "lsp-0" && !c.Policy.Known {
				return false
			}
		}
		return true
	})
}

// patience is how long something may take that takes no time.
const patience = time.Minute

// until looks again and again whether something has happened.
func (p *party) until(what string, happened func() bool) error {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for !happened() {
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("it did not come to pass within %s that %s", patience, what)
		}
	}
	return nil
}

// invoices makes invoices, in turn by each payee.
func (p *party) invoices(o order) (a answer, err error) {
	a.IDs = make([]string, o.Count)
	errs := make([]error, o.Count)
	var wg sync.WaitGroup
	slots := make(chan struct{}, 64)
	for i := range o.Count {
		slots <- struct{}{}
		wg.Go(func() {
			inv, err := p.traders[i%len(p.traders)].hub.Invoice(payment.InvoiceRequest{Amount: payment.Msat(o.Msat)})
			a.IDs[i], errs[i] = inv.Request, err
			<-slots
		})
	}
	wg.Wait()
	return a, errors.Join(errs...)
}

// payAll pays invoices, in turn by each payer, Count at a time.
func (p *party) payAll(o order) (a answer, err error) {
	shares := make([][]string, len(p.traders))
	for i, invoice := range o.Clients {
		shares[i%len(shares)] = append(shares[i%len(shares)], invoice)
	}
	fee := payment.Msat(o.Msat + 10_000) // more than any policy of these nodes asks for
	var mu sync.Mutex
	begin := time.Now()
	at := map[*trader]int{}
	for i, t := range p.traders {
		at[t] = i
	}
	err = p.each(func(t *trader) error {
		latencies, err := t.stream(p.ctx, shares[at[t]], o.Count, fee)
		mu.Lock()
		defer mu.Unlock()
		a.Latencies = append(a.Latencies, latencies...)
		return err
	})
	a.Wall = int64(time.Since(begin))
	return a, err
}
