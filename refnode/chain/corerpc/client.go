// Package corerpc is the chain as a Bitcoin Core node shows it over JSON-RPC. It implements chain.Interface, and with it what SPEC.md
// (DELAY, DIST, POI) needs to see of confirmations and spends.
//
// It promises never to pass on an answer that it can know to be wrong. Blocks are followed by hash from the tip down; their proof of
// work, Merkle root, witness commitment and amounts are recomputed; a confirmed transaction is only reported when its block holds it; a
// header is hashed again. What does not fit is a *CallError that names the call. A best chain with less work than one shown before
// is ErrBehind. What no client can check is believed: that an output is still unspent, that the mempool is complete, and that the
// best chain shown is the best there is.
//
// Needed are Bitcoin Core 28 or later (submitpackage), not pruned above Options.Birthday. Confirmed transactions and spends come from
// the node's own indexes (txindex, txospenderindex) where it has them, and else from blocks that the client reads once, when the first
// such question comes. It holds no keys, and reads no clock but for the timeout of a call and the pause between looks for changes.
package corerpc

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"

	"superscalar/refnode/chain"
)

// idleConnections is how many connections stay open between calls.
const idleConnections = 4

// Client talks to one node. All methods may be called by any number of goroutines.
type Client struct {
	options Options
	url     string
	http    *http.Client
	login   atomic.Pointer[login]
	lastID  atomic.Uint64

	life    context.Context // ends with Close
	end     context.CancelFunc
	watcher sync.WaitGroup

	genesis chainhash.Hash
	view    view
	index   index

	mu      sync.Mutex
	changed chan struct{}
}

var _ chain.Interface = (*Client)(nil)

// New connects to a node and checks that it answers and is on the expected chain. It fails with ErrOptions, with ErrOtherChain, or as
// any call does. Close the client when done.
func New(ctx context.Context, options Options) (*Client, error) {
	url, err := options.endpoint()
	if err != nil {
		return nil, fmt.Errorf("connect to a node: %w", err)
	}
	as, err := options.credentials()
	if err != nil {
		return nil, fmt.Errorf("connect to a node: %w", err)
	}
	encryption, err := options.encryption()
	if err != nil {
		return nil, fmt.Errorf("connect to a node: %w", err)
	}
	options.Timeout = orDefault(options.Timeout, DefaultTimeout)
	options.Poll = orDefault(options.Poll, DefaultPoll)
	options.MaxAnswer = orDefault(options.MaxAnswer, DefaultMaxAnswer)
	c := &Client{
		options: options,
		url:     url,
		http: &http.Client{
			Transport: &http.Transport{
				DialContext:         new(net.Dialer).DialContext,
				MaxIdleConnsPerHost: idleConnections,
				TLSClientConfig:     encryption,
				DisableCompression:  true, // a small answer must not unpack to a huge one
			},
			// The password goes to the given address and nowhere else.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		changed: make(chan struct{}),
		view:    newView(),
		index:   newIndex(options.Birthday),
	}
	c.login.Store(&as)
	c.life, c.end = context.WithCancel(context.Background())
	if err := c.open(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("connect to the node at %s: %w", url, err)
	}
	return c, nil
}

// open checks the chain and starts to watch for changes.
func (c *Client) open(ctx context.Context) (err error) {
	if c.genesis, err = c.hashAt(ctx, 0); err != nil {
		return err
	}
	if params := c.options.Params; params != nil && c.genesis != *params.GenesisHash {
		return &CallError{Call: "getblockhash", Kind: ErrOtherChain, Detail: fmt.Sprintf("genesis block %v, want %v of %s", c.genesis, params.GenesisHash, params.Name)}
	}
	if _, err := c.tip(ctx); err != nil {
		return err
	}
	first, err := c.state(ctx)
	if err != nil {
		return err
	}
	ticks, stop := c.options.Ticks, func() {}
	if ticks == nil {
		ticker := time.NewTicker(c.options.Poll)
		ticks, stop = ticker.C, ticker.Stop
	}
	c.watcher.Go(func() {
		defer stop()
		c.watch(ticks, first)
	})
	return nil
}

// Close ends the client; calls under way and every later one fail with chain.ErrClosed, and Changed is closed for ever. It may be called
// more than once, and always returns nil.
func (c *Client) Close() error {
	c.end()
	c.watcher.Wait()
	c.mu.Lock()
	select {
	case <-c.changed:
	default:
		close(c.changed)
	}
	c.mu.Unlock()
	c.http.CloseIdleConnections()
	return nil
}

// enter checks the context and the client before a call.
func (c *Client) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.life.Err() != nil {
		return chain.ErrClosed
	}
	return nil
}

// gate lets one caller in at a time; unlike a mutex it can be left while waiting.
type gate chan struct{}

func newGate() gate { return make(gate, 1) }

func (g gate) enter(ctx context.Context) error {
	select {
	case g <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g gate) leave() { <-g }
