package factory

// Step is one transaction of a way out.
type Step struct {
	Tx *Tx

	// Wait is the relative delay, from the confirmation of the step before,
	// until it is valid; it then takes up to confirm_blocks to confirm.
	Wait Blocks

	// VBytes is the size of the transaction and of the child that pays for
	// it through the P2A.
	VBytes int64
}

// Exit is the way out of one client: what it publishes, in order, and what that
// takes at most.
type Exit struct {
	Steps []Step

	// Blocks is the sum of all waits and of confirm_blocks for each step. It
	// is at most the early warning time.
	Blocks Blocks

	// VBytes is the sum over all steps.
	VBytes int64
}

// ExitPath returns the way out of a client: its path, root first, then the sales
// of its group up to the last in which it bought. childVBytes is the size of
// one fee-bumping child.
func (t *Tree) ExitPath(c ClientIndex, childVBytes int64) (Exit, error) {
	leaf, group, ok := t.f.layout.Group(c)
	if _, inView := t.nodes[leaf]; !ok || !inView {
		return Exit{}, mistake("client", "client %d is not in view", c)
	}
	var txs []*Tx
	for _, id := range t.f.layout.Path(c) {
		txs = append(txs, t.nodes[id].Tx)
	}
	sales := t.sales[stockID{leaf, group}]
	for len(sales) > 0 && sales[len(sales)-1].Buyer != c {
		sales = sales[:len(sales)-1]
	}
	for _, sale := range sales {
		txs = append(txs, sale.Tx)
	}
	var exit Exit
	for _, tx := range txs {
		step := Step{Tx: tx, VBytes: tx.VSize() + childVBytes}
		if tx.Kind == KindState {
			step.Wait = Blocks(tx.Sequence())
		}
		exit.Steps = append(exit.Steps, step)
		exit.Blocks += step.Wait + Blocks(t.f.terms.Params.ConfirmBlocks)
		exit.VBytes += step.VBytes
	}

	return exit, nil
}
