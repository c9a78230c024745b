package leaves

import (
	"slices"

	"superscalar/refnode/factory"
	"superscalar/refnode/role"
	"superscalar/wire"

	btcwire "github.com/btcsuite/btcd/wire"
)

// Voided reports whether, at the last Check, the output of a channel could not come onto
// the chain any more: a block spends otherwise what it hangs on. That is a sale whose
// omission took its place, or any channel below an outpoint that its distribution pays
// out. A reorganisation takes it back.
func (k *Keeper) Voided(id wire.ChannelID) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.voided[id]
}

// lookAtOutputs notes which channels of a factory are voided: none before a block spends
// the funding output. Where the chain does not answer all stays as it was.
func (k *Keeper) lookAtOutputs(f standing, channels []role.Channel) error {
	begun, _, err := spentBy(k.cfg.Chain, f.tree.Funding())
	if err != nil {
		return err
	}
	for _, c := range channels {
		gone := false
		if begun {
			if gone, err = voided(k.cfg.Chain, f.tree, c); err != nil {
				return err
			}
		}
		k.mu.Lock()
		delete(k.voided, c.ID)
		if gone {
			k.voided[c.ID] = true
		}
		k.mu.Unlock()
	}
	return nil
}

// voided looks along the way to the output of a channel. Another state in the place of
// one of the tree may have an output of a channel of its leaf too; a sale has none but
// its own.
func voided(c role.Chain, t *factory.Tree, ch role.Channel) (bool, error) {
	layout := t.Factory().Layout()
	for _, id := range layout.Path(ch.Client) {
		n, built := t.Node(id)
		if !built {
			return false, nil
		}
		spent, by, err := spentBy(c, n.Tx.Outpoint())
		if err != nil || !spent {
			return false, err
		}
		if by != n.Tx.Txid {
			return by == n.Distribution.Txid || soldOf(t, ch) != nil, nil
		}
	}
	for _, sale := range soldOf(t, ch) {
		spent, by, err := spentBy(c, sale.Tx.Outpoint())
		if err != nil || !spent || by != sale.Tx.Txid {
			return spent, err
		}
	}
	return false, nil
}

// soldOf are the sales up to that which made a channel; none for one of a leaf.
func soldOf(t *factory.Tree, ch role.Channel) []*factory.Sale {
	leaf, group, _ := t.Factory().Layout().Group(ch.Client)
	sales := t.Sales(leaf, group)
	for i, sale := range sales {
		if slices.Contains(sale.NewChannel.Channel.Keys[:], [33]byte(ch.LSPKey)) {
			return sales[:i+1]
		}
	}
	return nil
}

// spentBy names the transaction that spends an outpoint in a block.
func spentBy(c role.Chain, o btcwire.OutPoint) (spent bool, by [32]byte, err error) {
	spend, found, err := c.Spend(o)
	if err != nil || !found || !spend.Confirmed {
		return false, by, err
	}
	return true, spend.Tx.TxHash(), nil
}
