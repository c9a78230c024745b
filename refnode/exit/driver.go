package exit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/factory"
	"superscalar/refnode/wallet"
	"superscalar/wire/rule"
)

// Config is what a driver works with.
type Config struct {
	Holder Holder
	Party  Party
	Rules  rule.Set
	Chain  chain.Interface
	// Wallet pays for children; nil pays for nothing.
	Wallet *wallet.Wallet
	// Payout is the client's payout key of the factory. With it, a client
	// without coins pays for what pays it out of that very output; nil: it
	// does not.
	Payout *btcec.PrivateKey
	// Fees is DefaultFees when zero.
	Fees Fees
}

// Claimer is a Holder that can claim unsold stock: *ceremony.Factory.
type Claimer interface {
	Claim(stock *factory.Stock, script []byte, fee factory.Sat) (*wire.MsgTx, error)
}

// Report is what one step did.
type Report struct {
	Height factory.Height
	Plan   Plan
	Sent   []Sent
}

// Sent is a transaction that was offered to the network.
type Sent struct {
	Action Action
	Txid   chainhash.Hash
	// Rate is that of the package, Fee what the child pays, in sat, or the
	// claim itself.
	Rate wallet.FeeRate
	Fee  factory.Sat
	// Raised is true when it replaces an earlier child.
	Raised bool
	// Err is why it was not taken, or could not be paid for. The next step
	// tries again.
	Err error
}

// Driver carries out the plans of a machine. It is for one goroutine. What it
// remembers are fees and first deadlines: after a restart it starts with low
// fees again and loses nothing else, since the wallet keeps reservations.
type Driver struct {
	cfg     Config
	machine *Machine
	leave   bool
	behind  bool // the wallet could not follow the chain in this step
	paths   []factory.ClientIndex
	efforts map[wire.OutPoint]*effort
}

// effort is what was tried to get an outpoint spent.
type effort struct {
	txid     chainhash.Hash // of the action; zero for a claim
	first    factory.Height // when it was tried first
	deadline factory.Height
	tried    []attempt
	script   []byte // that a claim pays
}

// attempt is a child, or a claim, that was submitted.
type attempt struct {
	txid  chainhash.Hash
	child *wallet.Child // nil for what no wallet paid
	rate  wallet.FeeRate
	fee   factory.Sat
}

// ErrConfig : a driver needs a holder and a chain, and fees that do not fall.
var ErrConfig = errors.New("invalid driver")

// ErrNoCoin : there is nothing to pay a child with.
var ErrNoCoin = errors.New("no confirmed coin to pay the fee")

// NewDriver returns a driver. The error is ErrConfig.
func NewDriver(c Config) (*Driver, error) {
	if c.Fees == (Fees{}) {
		c.Fees = DefaultFees
	}
	switch {
	case c.Holder == nil || c.Chain == nil:
		return nil, fmt.Errorf("%w: no holder or no chain", ErrConfig)
	}
	if err := c.Fees.Check(); err != nil {
		return nil, err
	}

	return &Driver{cfg: c, machine: New(c.Holder, c.Party, c.Rules), efforts: map[wire.OutPoint]*effort{}}, nil
}

// Leave starts the party's way out.
func (d *Driver) Leave() { d.leave = true }

// LeaveFor starts the LSP's way out for clients.
func (d *Driver) LeaveFor(clients []factory.ClientIndex) { d.paths = clients }

// Hold gives the driver the factory as it stands now. A ceremony must not
// change it while a step goes on: give it snapshots.
func (d *Driver) Hold(h Holder) {
	d.cfg.Holder = h
	d.machine.Hold(h)
}

// Step looks at the chain, decides and submits. Call it after each block and
// whenever the chain has changed. An error means that the backend did not
// answer: nothing is lost, call it again. A wallet that cannot follow the chain
// is such an error, but what pays for itself is published all the same.
func (d *Driver) Step(ctx context.Context) (Report, error) {
	failed := d.follow(ctx)
	view, err := look(ctx, d.cfg.Chain)
	if err != nil {
		return Report{}, errors.Join(failed, err)
	}
	report := Report{Height: view.Height()}
	coins, scant := d.coins()
	report.Plan = d.machine.Plan(view, Intent{Leave: d.leave, Paths: d.paths, Coins: coins, Scant: scant})
	if view.Err() != nil {
		return Report{}, errors.Join(failed, view.Err())
	}
	for _, a := range report.Plan.Publish {
		sent, tried, err := d.carryOut(view, a)
		if tried {
			report.Sent = append(report.Sent, sent)
		}
		failed = errors.Join(failed, err, view.Err())
	}
	if !d.behind {
		d.release(view, report.Plan)
	}

	return report, errors.Join(failed, view.Err())
}

// follow brings the wallet to the tip. One that is behind does not know its
// coins: it pays for nothing in this step, and gives back none.
func (d *Driver) follow(ctx context.Context) error {
	d.behind = false
	if d.cfg.Wallet == nil {
		return nil
	}
	if err := d.cfg.Wallet.Sync(ctx, d.cfg.Chain); err != nil {
		d.behind = true

		return fmt.Errorf("follow the wallet's coins: %w", err)
	}

	return nil
}

// reservation names the coin that pays for whatever spends an outpoint: two
// transactions that compete for it never both confirm.
func reservation(o wire.OutPoint) string { return reservationPrefix + o.String() }

const reservationPrefix = "exit/"

// saleVBytes is the size of a sale with a change output, in vbytes.
const saleVBytes = 167

// coins reports whether the wallet has a coin for a bump, or has one in use for
// it, and whether all such coins are too small to pay the first fee rate for a
// sale.
func (d *Driver) coins() (some, scant bool) {
	if d.cfg.Wallet == nil || d.behind {
		return false, false
	}
	enough := d.cfg.Fees.Start.Fee(saleVBytes+wallet.ChildVBytes) + factory.MinShare
	scant = true
	for _, c := range d.cfg.Wallet.Coins() {
		if !c.Coinbase && (c.Reserved == "" || strings.HasPrefix(c.Reserved, reservationPrefix)) {
			some = true
			scant = scant && c.Value < enough
		}
	}

	return some, some && scant
}

// effort finds or starts what is done about an outpoint.
func (d *Driver) effort(a Action, tip factory.Height) *effort {
	var txid chainhash.Hash
	if a.Tx != nil {
		txid = a.Tx.Txid
	}
	e := d.efforts[a.Outpoint]
	if e == nil || e.txid != txid {
		e = &effort{txid: txid, first: tip, deadline: a.Deadline}
		d.efforts[a.Outpoint] = e
	}
	e.deadline = min(e.deadline, a.Deadline)

	return e
}

// carryOut submits an action if there is anything to submit. The error is the
// backend's.
func (d *Driver) carryOut(view snapshot, a Action) (sent Sent, tried bool, err error) {
	e := d.effort(a, view.Height())
	fees := d.cfg.Fees
	if a.Interim {
		fees.Max = max(fees.Start, fees.Max/2)
	}
	rate := fees.At(e.first, e.deadline, view.Height())
	before, others := d.inMempool(view, a, e)
	if view.Err() != nil || before != nil && rate < before.rate+wallet.IncrementalRelay {
		return Sent{}, false, nil // paid well enough so far
	}
	if a.Pending && others && view.Height() < e.first+(e.deadline-min(e.first, e.deadline))/2 {
		return Sent{}, false, nil // somebody else pays; help from half-time on
	}
	for {
		sent = d.submit(view, a, e, before, rate)
		if !outbid(sent.Err) || rate >= fees.Max || sent.Rate < rate { // the last: the coin pays no more
			break
		}
		rate = min(2*rate, fees.Max)
	}
	var refused *chain.Rejection
	var short *wallet.ShortError
	switch {
	case chain.IsRejection(sent.Err, chain.ReasonAlreadyKnown):
		return Sent{}, false, nil // it was confirmed meanwhile
	case sent.Err == nil, errors.As(sent.Err, &refused), errors.As(sent.Err, &short), errors.Is(sent.Err, ErrNoCoin):
		return sent, true, nil
	}

	return sent, true, sent.Err
}

// outbid reports whether an attempt failed because what is in the mempool pays
// more.
func outbid(err error) bool {
	return chain.IsRejection(err, chain.ReasonInsufficientFee) || chain.IsRejection(err, chain.ReasonPackageRBF)
}

// inMempool finds our own attempt that pays for an action now, or tells that
// somebody else's child does.
func (d *Driver) inMempool(view snapshot, a Action, e *effort) (before *attempt, others bool) {
	at := a.Outpoint
	if a.Tx != nil {
		at = a.Tx.Anchor()
	}
	spend, found := view.Spend(at)
	if !found || spend.Confirmed {
		return nil, false
	}
	for i := range e.tried {
		if e.tried[i].txid == spend.Txid {
			return &e.tried[i], false
		}
	}

	return nil, true
}

// release gives back the coins of outpoints that were spent long ago.
func (d *Driver) release(view snapshot, p Plan) {
	if d.cfg.Wallet == nil {
		return
	}
	for _, id := range d.cfg.Wallet.Reservations() {
		text, ours := strings.CutPrefix(id, reservationPrefix)
		if !ours {
			continue
		}
		o, err := wire.NewOutPointFromString(text)
		if err != nil {
			continue
		}
		if slices.ContainsFunc(p.Publish, func(a Action) bool { return a.Outpoint == *o }) {
			continue
		}
		spend, found := view.Spend(*o)
		if found && spend.Confirmed && view.Height() >= spend.Height+buried {
			delete(d.efforts, *o)
			_ = d.cfg.Wallet.Release(id) // it was in the list; what does not work now works next time
		}
	}
}

// buried is the number of blocks after which a coin that was meant for a bump
// is free again. It is a matter of economy only: a reorganisation that is
// deeper takes another coin.
const buried = 6
