package payment

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/btcsuite/btcd/chaincfg"

	"superscalar/refnode/expiry"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Config is what a router needs. Key and Net have no default.
type Config struct {
	Key Key
	Net *chaincfg.Params
	// Forward is true at the LSP. A client never forwards (CHAN-013).
	Forward bool
	// Rand is where session keys, payment secrets and preimages come from;
	// nil: the system.
	Rand  io.Reader
	Rules rule.Set
	// FinalDelta is what invoices ask for besides the early warning time, in
	// blocks, at least 18; 0: DefaultFinalDelta.
	FinalDelta Blocks
	// MPPTimeout is how long an incomplete set of parts is held, in seconds;
	// 0: DefaultMPPTimeout.
	MPPTimeout int64
	// MaxParts is the most parts a payment may have in flight, MaxAttempts the
	// most it may try in all; 0: 16 and 64.
	MaxParts, MaxAttempts int
	// History is how many invoices and how many payments that are over are kept at
	// least, HistoryTime for how many seconds each is; 0: DefaultHistory and
	// DefaultHistoryTime.
	History     int
	HistoryTime int64
}

// ErrConfig is a configuration that no router can work with.
var ErrConfig = errors.New("configuration of the router")

func (c *Config) complete() error {
	if c.Key == nil || c.Net == nil {
		return fmt.Errorf("%w: no key or no network", ErrConfig)
	}
	c.FinalDelta = cmp.Or(c.FinalDelta, DefaultFinalDelta)
	c.MPPTimeout = cmp.Or(c.MPPTimeout, DefaultMPPTimeout)
	c.MaxParts = cmp.Or(c.MaxParts, 16)
	c.MaxAttempts = cmp.Or(c.MaxAttempts, 64)
	c.History = cmp.Or(c.History, DefaultHistory)
	c.HistoryTime = cmp.Or(c.HistoryTime, DefaultHistoryTime)
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.FinalDelta < expiry.ClaimMargin || c.FinalDelta >= expiry.Furthest || c.MPPTimeout < 0 || c.MaxParts < 0 || c.MaxAttempts < 0 || c.History < 0 || c.HistoryTime < 0 {
		return fmt.Errorf("%w: a value is out of bounds", ErrConfig)
	}
	return nil
}

// Router is the machine. It is not safe for concurrent use.
type Router struct {
	cfg    Config
	self   wire.Point
	height Height
	now    UnixTime

	invoices map[Hash]*invoice
	payments map[Hash]*payment
	incoming map[HTLCKey]*incoming
	seen     map[[32]byte]seenOnion
	spent    map[Hash]bool // paid, and forgotten but for the hash

	// What follows is rebuilt from the records.
	open map[Hash]*invoice  // invoices that wait for their payment
	sets map[Hash][]HTLCKey // held parts, by key
	out  map[HTLCKey]origin // offered HTLCs that are in flight
	wake UnixTime           // when a Tick was last asked for; 0: not

	// What follows is of the step that is going on.
	channels Channels
	changes  map[string][]byte // nil value: deleted
	notices  []Action
}

// origin says whose an offered HTLC is.
type origin struct {
	forward *HTLCKey // the received HTLC that it forwards
	payment Hash     // or the payment
	part    uint64   // and part that it belongs to
}

// New makes a router without a past.
func New(cfg Config) (*Router, error) { return Load(cfg, nil) }

// Load makes a router of every record that its Persist actions wrote. Give it
// Block, Tick and Started next. Errors: ErrConfig, ErrRecord.
func Load(cfg Config, records []Record) (*Router, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	r := &Router{
		cfg: cfg, invoices: map[Hash]*invoice{}, payments: map[Hash]*payment{}, incoming: map[HTLCKey]*incoming{},
		seen: map[[32]byte]seenOnion{}, spent: map[Hash]bool{}, open: map[Hash]*invoice{}, sets: map[Hash][]HTLCKey{}, out: map[HTLCKey]origin{}, changes: map[string][]byte{},
	}
	copy(r.self[:], cfg.Key.PubKey().SerializeCompressed())
	if err := r.load(records); err != nil {
		return nil, err
	}
	return r, nil
}

// Handle takes an event in, gives commands to the channels and returns what the
// node has to do, a Persist first if anything changed.
func (r *Router) Handle(channels Channels, event Event) []Action {
	r.channels = channels
	switch e := event.(type) {
	case HTLCReceived:
		r.received(e)
	case HTLCFulfilled:
		r.fulfilled(e)
	case HTLCFailed:
		r.failed(e)
	case HTLCRemoved:
		r.removed(e)
	case Block:
		r.block(e.Height)
	case Looked:
		r.giveUp(e.Except)
	case Tick:
		r.tick(e.Now)
	case Started:
		r.repeat()
	}
	return r.finish()
}

// finish ends a step: the changed records, then what the node is told.
func (r *Router) finish() []Action {
	var actions []Action
	if len(r.changes) > 0 {
		var p Persist
		for _, key := range slices.Sorted(maps.Keys(r.changes)) {
			if value := r.changes[key]; value != nil {
				p.Puts = append(p.Puts, Record{Key: []byte(key), Value: value})
			} else {
				p.Deletes = append(p.Deletes, []byte(key))
			}
		}
		actions = append(actions, p)
	}
	actions = append(actions, r.notices...)
	if next := r.deadline(); next != 0 && next != r.wake {
		actions = append(actions, Wake{At: next})
		r.wake = next
	}
	r.channels, r.changes, r.notices = nil, map[string][]byte{}, nil
	return actions
}

func (r *Router) notice(a Action) { r.notices = append(r.notices, a) }

// block takes in a height. Held parts whose claim would come too late fail
// (PCF-094), and what is long over is forgotten.
func (r *Router) block(h Height) {
	r.height = h
	for _, hash := range sortedHashes(r.sets) {
		if r.late(r.sets[hash]) {
			r.failSet(hash, r.wrongDetails)
		}
	}
	r.forget()
	r.forgetInvoices()
	r.forgetPayments()
}

// tick takes in the time: sets that waited long enough fail, invoices expire.
func (r *Router) tick(now UnixTime) {
	r.now = now
	for _, hash := range sortedHashes(r.sets) {
		if now >= r.setDeadline(hash) {
			r.failSet(hash, func(*incoming) Failure { return failure(MPPTimeout) })
		}
	}
	for _, hash := range sortedHashes(r.open) {
		if inv := r.open[hash]; now >= inv.Expires {
			r.endInvoice(inv, Expired)
		}
	}
}

// deadline is the next time at which tick has something to do, 0 when there is
// none. A time that has passed already is due at once.
func (r *Router) deadline() UnixTime {
	var next UnixTime
	earlier := func(t UnixTime) {
		if next == 0 || t < next {
			next = t
		}
	}
	for hash := range r.sets {
		earlier(r.setDeadline(hash))
	}
	for _, inv := range r.open {
		earlier(inv.Expires)
	}
	return next
}

// repeat gives every decision that a channel may have missed once more.
func (r *Router) repeat() {
	for _, key := range slices.SortedFunc(maps.Keys(r.incoming), compareKeys) {
		r.resolve(r.incoming[key])
	}
}

func sortedHashes[V any](m map[Hash]V) []Hash {
	return slices.SortedFunc(maps.Keys(m), func(a, b Hash) int { return slices.Compare(a[:], b[:]) })
}

// limits are the rules of expiries at the height of the router.
func (r *Router) limits() expiry.Limits { return expiry.Limits{Height: r.height, Rules: r.cfg.Rules} }
