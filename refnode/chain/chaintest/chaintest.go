// Package chaintest holds what every backend of chain.Interface must do, as one table of behaviours that any of them can run.
//
// It promises that a backend that passes answers as the others do: the same positions, the same updates over a reorganisation, the same
// reasons for a refusal. It covers the part of SPEC.md that needs a chain (DELAY, DIST, POI) only as far as the interface goes. It does
// not test what happens when a backend lies or fails; that is for the backend's own tests.
package chaintest

import (
	"testing"

	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

// Chain is a backend on regtest whose blocks are made on demand. The methods beyond chain.Interface are those of package embedded.
type Chain interface {
	chain.Interface
	// Mine mines n blocks with what is in the mempool.
	Mine(n uint32) ([]chain.BlockID, error)
	// Reorg replaces the top depth blocks by depth+1 others, of which the first have the given transactions. What was in the old ones
	// returns to the mempool.
	Reorg(depth uint32, branch ...[]*wire.MsgTx) error
	// FundOutputs submits a transaction with these outputs first.
	FundOutputs(outs ...*wire.TxOut) (*wire.MsgTx, error)
}

// Backend is what a table row needs of a backend.
type Backend struct {
	// Name names it in the output of the test.
	Name string
	// Open makes a fresh chain with at least 110 blocks, that ends with the test.
	Open func(t *testing.T) Chain
	// NoPackages is set for a backend without packages, version-3 rules and ephemeral dust.
	NoPackages bool
}

// behaviour is one row of the table.
type behaviour struct {
	name     string
	packages bool // needs packages or their policy
	check    func(t *testing.T, b *bench)
}

var behaviours = []behaviour{
	{name: "tip follows the blocks", check: tipFollows},
	{name: "since returns what was mined", check: sinceMined},
	{name: "since from before the genesis block", check: sinceBeginning},
	{name: "since of more blocks than an update has", check: sinceMany},
	{name: "since of an unknown block", check: sinceUnknown},
	{name: "since over a reorganisation", check: sinceReorg},
	{name: "output absent", check: outputAbsent},
	{name: "output from mempool to spent", check: outputLife},
	{name: "output of a coinbase", check: outputCoinbase},
	{name: "output moves with a reorganisation", check: outputReorg},
	{name: "spend absent", check: spendAbsent},
	{name: "spend from mempool to block", check: spendLife},
	{name: "spend moves with a reorganisation", check: spendReorg},
	{name: "transaction absent", check: transactionAbsent},
	{name: "transaction from mempool to fully spent", check: transactionLife},
	{name: "submit twice", check: submitTwice},
	{name: "submit what is confirmed", check: submitConfirmed},
	{name: "submit a package of a wrong size", check: submitSizes},
	{name: "refusals of single transactions", packages: true, check: singleRefusals},
	{name: "package with a zero-fee parent", packages: true, check: packageLevels},
	{name: "refusals of packages", packages: true, check: packageRefusals},
	{name: "package replaces a package", packages: true, check: packageReplaces},
	{name: "changed by a block and by the mempool", check: changes},
	{name: "a context that is done", check: contextDone},
	{name: "many watchers during reorganisations", check: manyWatchers},
}

// Run checks every behaviour on a fresh chain of each backend.
func Run(t *testing.T, backends ...Backend) {
	for _, backend := range backends {
		t.Run(backend.Name, func(t *testing.T) {
			for _, row := range behaviours {
				if row.packages && backend.NoPackages {
					continue
				}
				t.Run(row.name, func(t *testing.T) {
					row.check(t, &bench{t: t, Chain: backend.Open(t), owner: newOwner(t)})
				})
			}
		})
	}
}
