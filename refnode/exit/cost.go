package exit

import (
	"fmt"

	"superscalar/refnode/factory"
	"superscalar/refnode/wallet"
)

// Cost is what a client's way out takes, from the funding output to its
// channels.
type Cost struct {
	// Transactions counts those of the factory; each has a child of its own.
	Transactions int
	// VBytes is the size of all of them with their children.
	VBytes int64
	// Blocks is the most it can take: the delays, and confirm_blocks for each
	// transaction. It is never over the early warning time (DELAY-004).
	Blocks factory.Blocks
	// Coins is the number of confirmed coins that have to be there at the
	// same time: one, since each level confirms before the next. What a child
	// leaves of a coin pays for the one after it.
	Coins int
	// Steps are the transactions in order.
	Steps []factory.Step
}

// Preview returns the cost of a client's way out before it starts. The error is
// package factory's, for a client that is not in view.
func Preview(t *factory.Tree, c factory.ClientIndex) (Cost, error) {
	path, err := t.ExitPath(c, wallet.ChildVBytes)
	if err != nil {
		return Cost{}, err
	}

	return Cost{
		Transactions: len(path.Steps), VBytes: path.VBytes, Blocks: path.Blocks, Coins: 1, Steps: path.Steps,
	}, nil
}

// PreviewAll returns the cost of publishing the whole tree with its sales: what
// the LSP pays at T - exit_time when no client has left (DELAY-008). Coins is
// then the number of transactions that can wait at the same time, at most one
// for each leaf.
func PreviewAll(t *factory.Tree) Cost {
	var cost Cost
	layout := t.Factory().Layout()
	add := func(tx *factory.Tx) {
		step := factory.Step{Tx: tx, VBytes: tx.VSize() + wallet.ChildVBytes}
		if tx.Kind == factory.KindState {
			step.Wait = factory.Blocks(tx.Sequence())
		}
		cost.Steps = append(cost.Steps, step)
		cost.Transactions++
		cost.VBytes += step.VBytes
	}
	for _, n := range t.Nodes() {
		add(n.Tx)
		if layout.IsLeaf(n.ID) {
			cost.Coins++
		}
		for g := range layout.Groups(n.ID) {
			for _, sale := range t.Sales(n.ID, uint8(g)) {
				add(sale.Tx)
			}
		}
	}
	for c := range layout.Clients() {
		if path, err := t.ExitPath(factory.ClientIndex(c), wallet.ChildVBytes); err == nil {
			cost.Blocks = max(cost.Blocks, path.Blocks)
		}
	}

	return cost
}

// Fee is what it costs at a fee rate, in sat.
func (c Cost) Fee(rate wallet.FeeRate) factory.Sat {
	var sum factory.Sat
	for _, s := range c.Steps {
		sum += rate.Fee(s.VBytes)
	}

	return sum
}

// String says it in one line.
func (c Cost) String() string {
	return fmt.Sprintf("%d transactions, %d vB with children, at most %d blocks", c.Transactions, c.VBytes, c.Blocks)
}
