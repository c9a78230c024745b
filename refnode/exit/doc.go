// Package exit is the way out of a factory: what a participant publishes, when,
// and why, given what it holds and what the chain shows.
//
// Machine is pure. It keeps nothing about the chain: the same tree and the same
// chain give the same plan, so a reorganisation needs no code of its own. It
// implements the rules of SPEC.md that say what to publish: the path, level by
// level (section 4.4), the latest state after its kickoff (DELAY-009), the LSP's
// start (DELAY-008), the distribution nearest to the leaf (DIST-009), poison of
// replaced leaves (POI-007), sales (PS-023), claims of unsold stock (DIST-008)
// and of no other (PS-024), omissions (PS-025). Preview says what an exit costs
// before it starts.
//
// Driver turns plans into packages of a parent and a child that pays for it,
// raises fees towards the deadlines and submits them to a chain.Interface.
//
// It does not know what happens inside channels: once a channel output is on
// the chain, commitments and HTLCs are the business of the channel, and so is
// the LSP's way out of a channel output before T (DIST-008). Only its
// distribution at T and its poison are published here.
package exit

import (
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/factory"
	"superscalar/wire/rule"
)

// Holder is a factory with the signatures that a participant keeps:
// *ceremony.Held of a client, *ceremony.Factory of the LSP.
type Holder interface {
	// Tree is the live tree, with everything that was replaced.
	Tree() *factory.Tree
	// Complete returns a transaction of it with its witness, an error when
	// signatures are missing.
	Complete(*factory.Tx) (*wire.MsgTx, error)
}

// Party says for whom a machine decides.
type Party struct {
	LSP    bool
	Client factory.ClientIndex
}

// LSP is the party of the LSP.
func LSP() Party { return Party{LSP: true} }

// Client is the party of a client.
func Client(c factory.ClientIndex) Party { return Party{Client: c} }

// View is what the chain shows.
type View interface {
	// Height is that of the best block.
	Height() factory.Height
	// Confirmed returns the height of the block that holds a transaction,
	// false when none does. Only the funding transaction is asked for.
	Confirmed(txid chainhash.Hash) (factory.Height, bool)
	// Spend returns the transaction that spends an outpoint, in a block or
	// in the mempool.
	Spend(o wire.OutPoint) (Spend, bool)
}

// Spend is a transaction that spends an outpoint.
type Spend struct {
	Txid chainhash.Hash
	// Confirmed is false in the mempool; Height is that of its block.
	Confirmed bool
	Height    factory.Height
}

// Intent is what a party wants and has.
type Intent struct {
	// Leave is true when the party wants out now. The LSP leaves without it
	// from height T - exit_time on (DELAY-008).
	Leave bool
	// Paths are clients whose paths the LSP publishes before T - exit_time, since
	// their channels have to reach the chain (CHAN-010, CHAN-021).
	Paths []factory.ClientIndex
	// Coins is true when it has confirmed coins to pay fees with. Without
	// any, it publishes only what pays it, from which it can pay the fee.
	Coins bool
	// Scant is true when these coins are too small to pay the first fee rate
	// for a sale. It uses them, and does not count on them.
	Scant bool
}

// Plan is what to do now.
type Plan struct {
	// Publish has the most urgent first. No two of them spend one outpoint,
	// none spends another one's output.
	Publish []Action
	// Unpaid is what the party would publish if it had a coin to pay for it.
	Unpaid []Action
	// Again is a height at which to look again even if nothing happens until
	// then, 0 when there is none.
	Again factory.Height
	// Funded is true when a block holds the funding transaction.
	Funded bool
	// Confirmed are the transactions of the factory that blocks hold, each
	// after the one it spends.
	Confirmed []Confirmed
	// Channels are the client's own channel outputs that are on the chain
	// and that nobody has spent.
	Channels []Standing
	// Paid is what confirmed distributions, omissions and poison pay the
	// client, in sat.
	Paid factory.Sat
	// Open counts the outputs of the tree, and stocks, that are on the chain,
	// unspent, and concern the party.
	Open int
}

// Confirmed is a transaction of the factory in a block of height Height.
type Confirmed struct {
	Tx     *factory.Tx
	Height factory.Height
}

// Standing is a channel output on the chain.
type Standing struct {
	Channel factory.ChannelOutput
	// Height is that of its block.
	Height factory.Height
	// Replaced is true when it has poison.
	Replaced bool
}

// Action is one transaction to publish.
type Action struct {
	// Tx is what to publish, nil for the claim of Stock.
	Tx *factory.Tx
	// Stock is what the LSP claims by script path, else nil.
	Stock *factory.Stock
	// Outpoint is what it spends.
	Outpoint wire.OutPoint
	// Deadline is the height of the last block that it should be in. That of
	// a transaction that nothing competes with counts from this look: keep
	// the first one.
	Deadline factory.Height
	// Rule and Reason say why. The rule of a client's own way out is
	// DELAY-004: the early warning time is made of such steps.
	Rule   rule.ID
	Reason string
	// Interim is true when the party will publish another transaction in its
	// place if it does not confirm: its fee leaves room for replacing it.
	Interim bool
	// Pending is true when it is in the mempool already.
	Pending bool
	// Rival is another transaction in the mempool that spends the outpoint.
	Rival *chainhash.Hash
}

// Kind names what the action publishes.
func (a Action) Kind() string {
	if a.Tx == nil {
		return "claim"
	}

	return a.Tx.Kind.String()
}
