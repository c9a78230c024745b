// Package embedded runs btcd's chain in process on regtest: real blocks, real consensus checks, and the mempool of package policy
// in front of them. It implements chain.Interface for tests, demos and benchmarks, and mines on demand.
//
// It promises that CSV, segwit and taproot are active from the first call on (the first 432 blocks are mined by New), that equal seeds
// and equal calls lead to equal blocks, and that nothing depends on a clock: blocks are 600 seconds apart, whatever the wall says.
// It stands where SPEC.md (DELAY, DIST, POI) needs blocks to pass. It does not talk to any network, and its proof of work is the trivial one of regtest.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/database"
	_ "github.com/btcsuite/btcd/database/ffldb" // the only database btcd comes with; it has none in memory
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/chain/policy"
)

const (
	// ActivationBlocks is how many blocks New mines: on btcd's regtest CSV, segwit and taproot are active from height 431 on. Before
	// that a test of any of them passes for the wrong reason.
	ActivationBlocks = 432

	databaseType  = "ffldb"
	databaseDir   = "blocks"
	utxoCacheSize = 1 << 20
)

// Config says how to make a chain. The zero value is good: a temporary directory, seed 0, every policy rule.
type Config struct {
	// Dir keeps the chain; a chain found there is opened and continued. Empty means a temporary directory that Close removes.
	Dir string
	// Seed decides the faucet's key and the block hashes. Reopen a directory with the seed it was made with.
	Seed uint64
	// Rules are the policy rules in force; the zero value has all of them.
	Rules policy.Rules
}

// Chain is a regtest chain in this process. All methods may be called by any number of goroutines.
type Chain struct {
	mu      sync.RWMutex
	params  *chaincfg.Params
	db      database.DB
	engine  *blockchain.BlockChain
	clock   *blockClock
	ledger  *ledger
	pool    *policy.Pool
	faucet  *faucet
	seed    uint64
	nonce   uint32
	changed chan struct{}
	tempDir string
	closed  bool
}

var _ chain.Interface = (*Chain)(nil)

// New opens or makes a chain and mines it up to height ActivationBlocks if it is lower.
func New(cfg Config) (*Chain, error) {
	dir, tempDir := cfg.Dir, ""
	if dir == "" {
		made, err := os.MkdirTemp("", "superscalar-chain-")
		if err != nil {
			return nil, fmt.Errorf("make a directory for the chain: %w", err)
		}
		dir, tempDir = made, made
	}
	c := &Chain{params: parameters(), seed: cfg.Seed, changed: make(chan struct{}), tempDir: tempDir}
	err := c.open(filepath.Join(dir, databaseDir), cfg.Rules)
	if err == nil && c.ledger.Height() < ActivationBlocks {
		_, err = c.Mine(ActivationBlocks - uint32(c.ledger.Height()))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the chain in %s: %w", dir, err), c.Close())
	}
	return c, nil
}

// parameters are btcd's for regtest, except that BIP 34, 65 and 66 hold from the start, as on Bitcoin Core's regtest: btcd waits
// until block 1,351 before OP_CHECKLOCKTIMEVERIFY means anything.
func parameters() *chaincfg.Params {
	params := chaincfg.RegressionNetParams
	params.BIP0034Height, params.BIP0065Height, params.BIP0066Height = 1, 1, 1
	// A running chain writes its clock into these, and chaincfg shares them between all chains of a process.
	for i := range params.Deployments {
		params.Deployments[i].DeploymentStarter = chaincfg.NewMedianTimeDeploymentStarter(time.Time{})
		params.Deployments[i].DeploymentEnder = chaincfg.NewMedianTimeDeploymentEnder(time.Time{})
	}
	return &params
}

func (c *Chain) open(dir string, rules policy.Rules) (err error) {
	c.db, err = database.Open(databaseType, dir, c.params.Net)
	if isMissing(err) {
		c.db, err = database.Create(databaseType, dir, c.params.Net)
	}
	if err != nil {
		return fmt.Errorf("open the block database: %w", err)
	}
	c.clock = newBlockClock(c.params.GenesisBlock.Header.Timestamp)
	c.engine, err = blockchain.New(&blockchain.Config{
		DB:               c.db,
		ChainParams:      c.params,
		TimeSource:       c.clock,
		UtxoCacheMaxSize: utxoCacheSize,
	})
	if err != nil {
		return fmt.Errorf("start the consensus engine: %w", err)
	}
	if c.faucet, err = newFaucet(c.seed); err != nil {
		return err
	}
	c.ledger = newLedger(c.params.GenesisBlock)
	c.pool = policy.New(c.ledger, rules)
	return c.reload()
}

func isMissing(err error) bool {
	var dbErr database.Error
	return errors.As(err, &dbErr) && dbErr.ErrorCode == database.ErrDbDoesNotExist
}

// reload reads the blocks of a reopened directory.
func (c *Chain) reload() error {
	for height := int32(1); height <= c.engine.BestSnapshot().Height; height++ {
		block, err := c.engine.BlockByHeight(height)
		if err != nil {
			return fmt.Errorf("read block %d: %w", height, err)
		}
		c.connect(asLedgerBlock(block.MsgBlock(), chain.Height(height)))
	}
	return nil
}

// Params are the parameters of the chain. Do not change them.
func (c *Chain) Params() *chaincfg.Params { return c.params }

// Close ends the chain; every later call fails with chain.ErrClosed. It may be called more than once.
func (c *Chain) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	close(c.changed)
	var errs []error
	if c.engine != nil && c.tempDir == "" {
		errs = append(errs, c.engine.FlushUtxoCache(blockchain.FlushRequired))
	}
	if c.db != nil {
		errs = append(errs, c.db.Close())
	}
	if c.tempDir != "" {
		errs = append(errs, os.RemoveAll(c.tempDir))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close the chain: %w", err)
	}
	return nil
}

// announce tells everybody who waits on Changed to look again. The caller holds the lock.
func (c *Chain) announce() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// Changed implements chain.Interface. After Close the channel is always closed.
func (c *Chain) Changed() <-chan struct{} {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.changed
}

// enter checks the context and the state before a call, under the lock.
func (c *Chain) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.closed {
		return chain.ErrClosed
	}
	return nil
}

// Submit implements chain.Interface.
func (c *Chain) Submit(ctx context.Context, pkg chain.Package) error {
	if len(pkg) != 1 && len(pkg) != 2 {
		return fmt.Errorf("submit %d transactions: %w", len(pkg), chain.ErrPackageSize)
	}
	txs := make([]*wire.MsgTx, 0, len(pkg))
	for _, tx := range pkg {
		txs = append(txs, tx.Copy())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.enter(ctx); err != nil {
		return fmt.Errorf("submit transaction %v: %w", txs[len(txs)-1].TxHash(), err)
	}
	return c.submit(txs...)
}

// submit hands over to the policy. The caller holds the lock.
func (c *Chain) submit(txs ...*wire.MsgTx) error {
	before := c.pool.Changes()
	err := c.pool.Submit(txs...).Err()
	if c.pool.Changes() != before {
		c.announce()
	}
	if err == nil || chain.IsRejection(err, chain.ReasonInMempool) {
		return nil
	}
	return fmt.Errorf("submit: %w", err)
}

// Mempool lists the transactions of the mempool in the order in which Mine takes them.
func (c *Chain) Mempool() []*wire.MsgTx {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.pool.Template(maxPoolWeight)
}
