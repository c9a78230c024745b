package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/channel"
	"superscalar/refnode/closing"
	"superscalar/refnode/exit"
	"superscalar/refnode/payment"
	"superscalar/refnode/store"
	"superscalar/refnode/transport"
	"superscalar/refnode/wallet"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Store is what the hub uses of a *store.Store, which is one.
type Store interface {
	Update(fn func(tx *store.Tx) error) error
	View(fn func(tx *store.Tx) error) error
}

// Config is what a hub is made of. Store, Key, Derive, Net and Rand are
// required.
type Config struct {
	Store  Store
	Key    *btcec.PrivateKey // node key
	Derive Derive
	Net    *chaincfg.Params
	Rand   io.Reader // safe for concurrent use
	Clock  transport.Clock
	Log    *slog.Logger
	Rules  rule.Set
	// Forward is true at the LSP (CHAN-013).
	Forward bool
	// Policy is what this node asks for forwarding.
	Policy Policy
	Limits channel.Limits
	// Script is paid what is ours of a channel that both sides close.
	Script []byte
	// Wallet pays for channels outside factories; nil: none are opened.
	Wallet Wallet
	// Coins pays for what ends on the chain, and takes what is claimed there;
	// nil: nothing is claimed.
	Coins *wallet.Wallet
	// Fees bound what is paid for it, exit.DefaultFees when zero.
	Fees exit.Fees
	// Broadcast publishes a transaction; nil publishes nothing. It is called
	// outside of any step and must not call back.
	Broadcast func(tx *btcwire.MsgTx, what string)
	// Factories answer for channels in factories, by protocol.
	Factories map[wire.ProtocolID]Factory
	// Notice hears what happened to payments; nil is silence. It must not call
	// back.
	Notice func(payment.Action)
}

// Policy is what a forwarding node asks for (BOLT 7).
type Policy struct {
	FeeBaseMsat uint32 // msat
	FeePPM      uint32 // millionths of the amount
	CLTVDelta   uint16 // blocks
}

// DefaultPolicy is what the reference LSP asks for.
var DefaultPolicy = Policy{FeeBaseMsat: 1000, FeePPM: 100, CLTVDelta: 40}

// Errors of orders.
var (
	ErrClosed       = errors.New("the hub is stopped")
	ErrNotConnected = errors.New("the peer is not connected")
	ErrNoChannel    = errors.New("no such channel")
)

// Hub runs channels and payments. It is safe for concurrent use.
type Hub struct {
	cfg  Config
	jobs chan job
	stop context.CancelFunc
	ctx  context.Context
	wg   sync.WaitGroup

	// What follows belongs to the goroutine that runs steps.
	channels []*entry // in the order of their salts
	router   *payment.Router
	online   map[wire.Point]wire.Features // negotiated features of connected peers
	leaving  map[wire.Point]bool          // those whose connection a channel ends
	height   payment.Height
	ticked   payment.UnixTime // what the router was told last; see step.tick
	block    chain.BlockID    // the last one the channels were shown
	opened   uint64           // channels that this process opened
	gone     []string         // channels whose records load found to be forgotten
	ahead    bool             // the store refused: what is in memory is ahead of it

	enforcer enforcer // what Look does on the chain

	mu      sync.Mutex
	trays   map[wire.Point]*tray
	known   map[name]bool // stored channels with an outpoint, for Pass
	wake    func(wire.Point)
	changed chan struct{} // closed when payments change
}

// Open reads the channels and payments of a store and starts the hub. height is
// that of the best block. Errors are those of the store and of records that
// cannot be read.
func Open(cfg Config, height payment.Height) (*Hub, error) {
	if cfg.Clock == nil {
		cfg.Clock = transport.RealClock{}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Policy == (Policy{}) {
		cfg.Policy = DefaultPolicy
	}
	h := &Hub{cfg: cfg, jobs: make(chan job, maxBatch), height: height,
		online: map[wire.Point]wire.Features{}, leaving: map[wire.Point]bool{}, trays: map[wire.Point]*tray{}, known: map[name]bool{}}
	h.enforcer.driver = closing.Driver{Wallet: cfg.Coins, Fees: cfg.Fees}
	h.ctx, h.stop = context.WithCancel(context.Background())
	st, err := h.load()
	if err != nil {
		return nil, err
	}
	if err := h.finish(st); err != nil {
		return nil, err
	}
	h.wg.Go(h.loop)
	return h, nil
}

// Attach says how the base node is told that messages wait for a peer.
func (h *Hub) Attach(wake func(wire.Point)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wake = wake
}

// Close stops the hub after the step that is going on.
func (h *Hub) Close() {
	h.stop()
	h.wg.Wait()
}

// load makes machines and router of what is stored, and lets them announce what
// is open.
func (h *Hub) load() (*step, error) {
	var records []payment.Record
	var entries []*entry
	var block chain.BlockID
	err := h.cfg.Store.View(func(tx *store.Tx) error {
		var err error
		if entries, err = h.readChannels(tx); err != nil {
			return err
		}
		if block, err = readBlock(tx); err != nil {
			return err
		}
		records, err = readPayments(tx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the channels: %w", err)
	}
	h.channels, h.block = entries, block
	h.publish(entries)
	h.freeCoins()
	h.height = max(h.height, payment.Height(block.Height))
	h.router, err = payment.Load(payment.Config{Key: payment.NewKey(h.cfg.Key), Net: h.cfg.Net, Forward: h.cfg.Forward, Rand: h.cfg.Rand, Rules: h.cfg.Rules}, records)
	if err != nil {
		return nil, fmt.Errorf("reading the payments: %w", err)
	}
	st := h.newStep()
	for _, salt := range h.gone {
		st.writes = append(st.writes, func(tx *store.Tx) error { return remove(tx, salt) })
	}
	h.gone = nil
	st.route(payment.Block{Height: h.height})
	st.route(payment.Tick{Now: h.now()})
	for _, c := range h.channels {
		c.machine.Block(channel.Height(h.height))
		c.machine.Restart()
		st.touch(c)
		st.fundAgain(c)
	}
	st.settle()
	st.route(payment.Started{})
	st.settle()
	return st, nil
}

func (h *Hub) now() payment.UnixTime { return payment.UnixTime(h.cfg.Clock.Now().Unix()) }

// after runs fn in a step of its own after a while.
func (h *Hub) after(d time.Duration, fn func(*step)) {
	h.cfg.Clock.AfterFunc(d, func() { h.post(fn) })
}
