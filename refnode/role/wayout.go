package role

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/chain"
	"superscalar/refnode/exit"
	"superscalar/refnode/factory"
	"superscalar/refnode/wallet"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Exit is a factory as its way out needs it.
type Exit struct {
	LSP   ceremony.Peer // whose factory it is; zero on the LSP's own side
	ID    wire.CeremonyID
	Party exit.Party
	// Holder is a snapshot: no ceremony changes it.
	Holder exit.Holder
	// Payout is the client's payout key, nil on the LSP's side.
	Payout *btcec.PrivateKey
	// Leave is true when the client was told to leave.
	Leave bool
	// Paths are the clients whose paths an LSP publishes now.
	Paths []factory.ClientIndex
}

// WayOutConfig is what a way out is made of. Exits and Chain are required.
type WayOutConfig struct {
	// Exits returns the factories of the role, each with a fresh snapshot. What
	// it returns beside an error is looked after all the same.
	Exits func() ([]Exit, error)
	Rules rule.Set
	Chain chain.Interface
	// Wallet pays for children; nil pays for nothing.
	Wallet *wallet.Wallet
	Fees   exit.Fees // exit.DefaultFees when zero
	// Timeout bounds the look at one factory, DefaultChainTimeout when 0.
	Timeout time.Duration
	// Retry is how long to wait after a look that failed, 5 s when 0.
	Retry time.Duration
	// Tell hears what happens, one line each; nil is silence. It must not call
	// back.
	Tell func(string)
}

const defaultRetry = 5 * time.Second

// WayOut looks after the way out of every factory of a role, with a driver of
// package exit for each: at its start, after each block, and when it is woken.
// What goes wrong with one factory does not keep it from the others, and is
// tried again. It is safe for concurrent use.
type WayOut struct {
	cfg   WayOutConfig
	woken chan struct{}

	step    sync.Mutex // held while it looks
	drivers map[exitKey]*exit.Driver
	done    map[exitKey]bool // looked at, without a failure, since the last Step began

	mu       sync.Mutex
	progress map[exitKey]*Progress
	silent   string        // why the chain did not answer last time
	looked   chain.BlockID // at the best block at the last look that succeeded
	stepped  chan struct{} // closed and replaced after each look
}

type exitKey struct {
	lsp ceremony.Peer
	id  wire.CeremonyID
}

// Progress is what the way out of a factory had done after a look.
type Progress struct {
	// Height is that of the best block at the last look that succeeded, Plan
	// what it found.
	Height factory.Height
	Plan   exit.Plan
	// Sent are the last attempts to publish, by the outpoint spent.
	Sent map[btcwire.OutPoint]exit.Sent
	// Err is why the last look failed, nil when it did not.
	Err error

	told      map[btcwire.OutPoint]string // the last line about an outpoint
	confirmed []exit.Confirmed            // what was told of
}

// NewWayOut returns a way out that has not looked yet. The error is
// exit.ErrConfig.
func NewWayOut(cfg WayOutConfig) (*WayOut, error) {
	if cfg.Fees == (exit.Fees{}) {
		cfg.Fees = exit.DefaultFees
	}
	cfg.Timeout, cfg.Retry = cmp.Or(cfg.Timeout, DefaultChainTimeout), cmp.Or(cfg.Retry, defaultRetry)
	if cfg.Tell == nil {
		cfg.Tell = func(string) {}
	}
	if cfg.Exits == nil || cfg.Chain == nil {
		return nil, fmt.Errorf("%w: no factories or no chain", exit.ErrConfig)
	}
	if err := cfg.Fees.Check(); err != nil {
		return nil, err
	}
	return &WayOut{cfg: cfg, woken: make(chan struct{}, 1), drivers: map[exitKey]*exit.Driver{},
		progress: map[exitKey]*Progress{}, stepped: make(chan struct{})}, nil
}

// Fees are the fee rates between which it pays.
func (w *WayOut) Fees() exit.Fees { return w.cfg.Fees }

// Wake makes Run look again now.
func (w *WayOut) Wake() {
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

// Run looks at once, after each block and when it is woken, until ctx ends or
// the chain is closed. Looks that failed are repeated, the others are not.
func (w *WayOut) Run(ctx context.Context) {
	var at chain.BlockID
	began, looked := false, false // at block at: to look at all, and done with it
	for {
		changed := w.cfg.Chain.Changed()
		tip, err := w.tip(ctx)
		if err == nil && (!looked || tip != at) {
			if began && tip == at {
				err = w.rest(ctx)
			} else {
				err = w.Step(ctx)
			}
			at, began, looked = tip, true, err == nil
			w.noteLook(tip, err)
		}
		if errors.Is(err, chain.ErrClosed) || ctx.Err() != nil {
			return
		}
		w.noteSilence(err)
		var retry <-chan time.Time
		if err != nil {
			retry, changed = time.After(w.cfg.Retry), nil
		}
		select {
		case <-changed:
		case <-retry:
		case <-w.woken:
			began, looked = false, false
		case <-ctx.Done():
			return
		}
	}
}

func (w *WayOut) tip(ctx context.Context) (chain.BlockID, error) {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	defer cancel()
	return w.cfg.Chain.Tip(ctx)
}

// noteLook wakes those who wait for a look.
func (w *WayOut) noteLook(tip chain.BlockID, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		w.looked = tip
	}
	close(w.stepped)
	w.stepped = make(chan struct{})
}

// Looked returns when Run has done what a best block, or a higher one, asks for; the error is
// that of ctx.
func (w *WayOut) Looked(ctx context.Context, at chain.BlockID) error {
	for {
		w.mu.Lock()
		looked, stepped := w.looked, w.stepped
		w.mu.Unlock()
		if looked == at || looked.Height > at.Height {
			return nil
		}
		select {
		case <-stepped:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the way out at block %d: %w", at.Height, ctx.Err())
		}
	}
}

// noteSilence tells when it begins, when something else fails, and when it ends
// that looks fail.
func (w *WayOut) noteSilence(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	w.mu.Lock()
	before := w.silent
	w.silent = text
	w.mu.Unlock()
	switch {
	case text != "" && before != text:
		w.cfg.Tell(fmt.Sprintf("way out: %s; trying again every %s", text, w.cfg.Retry))
	case text == "" && before != "":
		w.cfg.Tell("way out: it goes on")
	}
}

// Step looks once at every factory and publishes what is to be published. The
// error joins those of the factories.
func (w *WayOut) Step(ctx context.Context) error {
	w.step.Lock()
	defer w.step.Unlock()
	w.done = map[exitKey]bool{}
	return w.lookAtRest(ctx)
}

// rest looks at the factories that a Step failed to look at.
func (w *WayOut) rest(ctx context.Context) error {
	w.step.Lock()
	defer w.step.Unlock()
	return w.lookAtRest(ctx)
}

// lookAtRest looks at what is not done. The caller holds w.step.
func (w *WayOut) lookAtRest(ctx context.Context) error {
	exits, err := w.cfg.Exits()
	errs := []error{err}
	for _, e := range exits {
		key := exitKey{e.LSP, e.ID}
		if w.done[key] {
			continue
		}
		if err := w.look(ctx, e); err != nil {
			errs = append(errs, fmt.Errorf("factory %.8s: %w", e.ID, err))
			continue
		}
		w.done[key] = true
	}
	if err == nil {
		w.forget(exits)
	}
	return errors.Join(errs...)
}

// forget drops what is kept of factories that the role has no more.
func (w *WayOut) forget(exits []Exit) {
	known := map[exitKey]bool{}
	for _, e := range exits {
		known[exitKey{e.LSP, e.ID}] = true
	}
	maps.DeleteFunc(w.drivers, func(k exitKey, _ *exit.Driver) bool { return !known[k] })
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.DeleteFunc(w.progress, func(k exitKey, _ *Progress) bool { return !known[k] })
}

// look is one step of one factory.
func (w *WayOut) look(ctx context.Context, e Exit) error {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	defer cancel()
	key := exitKey{e.LSP, e.ID}
	d := w.drivers[key]
	if d == nil {
		var err error
		d, err = exit.NewDriver(exit.Config{
			Holder: e.Holder, Party: e.Party, Rules: w.cfg.Rules, Chain: w.cfg.Chain, Wallet: w.cfg.Wallet, Payout: e.Payout, Fees: w.cfg.Fees,
		})
		if err != nil {
			return err
		}
		w.drivers[key] = d
	}
	d.Hold(e.Holder)
	if e.Leave {
		d.Leave()
	}
	d.LeaveFor(e.Paths)
	report, err := d.Step(ctx)
	w.note(key, report, err)
	return err
}

// note keeps and tells what a step did.
func (w *WayOut) note(key exitKey, r exit.Report, err error) {
	w.mu.Lock()
	p := w.progress[key]
	if p == nil {
		p = &Progress{Sent: map[btcwire.OutPoint]exit.Sent{}, told: map[btcwire.OutPoint]string{}}
		w.progress[key] = p
	}
	p.Err = err
	var lines []string
	if r.Height > 0 { // it came as far as a plan
		p.Height, p.Plan = r.Height, r.Plan
		lines = p.news(r)
	}
	w.mu.Unlock()
	for _, line := range lines {
		w.cfg.Tell(fmt.Sprintf("factory %.8s: %s", key.id, line))
	}
}

// news are lines about what is new in a report.
func (p *Progress) news(r exit.Report) (lines []string) {
	for _, c := range r.Plan.Confirmed {
		if !slices.ContainsFunc(p.confirmed, func(x exit.Confirmed) bool { return x.Tx.Txid == c.Tx.Txid && x.Height == c.Height }) {
			lines = append(lines, fmt.Sprintf("%s %.8s is in block %d", c.Tx.Kind, c.Tx.Txid, c.Height))
		}
	}
	p.confirmed = r.Plan.Confirmed
	for _, a := range r.Plan.Unpaid {
		lines = p.tell(lines, a.Outpoint, fmt.Sprintf("%s %.8s waits for a confirmed coin to pay its fee (%s, %s)", a.Kind(), a.Tx.Txid, a.Reason, a.Rule))
	}
	for _, s := range r.Sent {
		a := s.Action
		if s.Err != nil {
			lines = p.tell(lines, a.Outpoint, fmt.Sprintf("%s waits: %s", a.Kind(), s.Err))
			p.Sent[a.Outpoint] = s
			continue
		}
		what := "published"
		if s.Raised {
			what = "fee raised"
		}
		p.Sent[a.Outpoint] = s
		lines = p.tell(lines, a.Outpoint, fmt.Sprintf("%s %s %.8s at %s, %d sat, wanted by block %d (%s, %s)",
			what, a.Kind(), cmp.Or(txidOf(a), s.Txid.String()), s.Rate, s.Fee, a.Deadline, a.Reason, a.Rule))
	}
	return lines
}

// txidOf is that of the transaction of the tree that an action publishes, ""
// for a claim.
func txidOf(a exit.Action) string {
	if a.Tx == nil {
		return ""
	}
	return a.Tx.Txid.String()
}

// tell adds a line unless it is the last that was told about an outpoint.
func (p *Progress) tell(lines []string, o btcwire.OutPoint, line string) []string {
	if p.told[o] == line {
		return lines
	}
	p.told[o] = line
	return append(lines, line)
}

// Progress returns how the way out of a factory stands; found is false before
// the first look. lsp is zero on the LSP's side.
func (w *WayOut) Progress(lsp ceremony.Peer, id wire.CeremonyID) (p Progress, found bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	q := w.progress[exitKey{lsp, id}]
	if q == nil {
		return p, false
	}
	p = *q
	p.Sent, p.told, p.confirmed = maps.Clone(q.Sent), nil, nil
	return p, true
}

// Waiting are the attempts of the last look that failed, and what had no coin
// to pay for it, by deadline.
func (p Progress) Waiting() (out []exit.Sent) {
	for _, a := range p.Plan.Publish {
		if s, tried := p.Sent[a.Outpoint]; tried && s.Err != nil {
			out = append(out, s)
		}
	}
	for _, a := range p.Plan.Unpaid {
		out = append(out, exit.Sent{Action: a, Err: exit.ErrNoCoin})
	}
	slices.SortStableFunc(out, func(a, b exit.Sent) int { return cmp.Compare(a.Action.Deadline, b.Action.Deadline) })
	return out
}
