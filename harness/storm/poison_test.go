package storm

import (
	"context"
	"strings"

	"github.com/btcsuite/btcd/chaincfg/chainhash"

	"superscalar/refnode/factory"
)

// reacts is how many blocks after its output poison is published at last: whoever is paid by
// it may be away for some, and a block may be rewritten.
const reacts = 8

// poisoned checks that every output of a replaced leaf that reached the chain goes to its
// poison, where an honest client holds that and is paid by it (POI-007): it is in a block, or
// somebody was quicker, at once or in a race with one that was published.
func (e *ending) poisoned() {
	e.t.Helper()
	ctx := context.Background()
	seen := map[chainhash.Hash]bool{}
	for _, c := range e.clients {
		if c.past != nil {
			continue
		}
		for _, poison := range c.client.Factories()[0].Tree.SignedPoison() {
			at := poison.Outpoint()
			leaf, there, err := e.chain.Transaction(ctx, at.Hash)
			e.check(err)
			if seen[poison.Txid] || poison.Pays(factory.ClientIndex(c.index)) == 0 || !there || !leaf.Confirmed {
				continue
			}
			seen[poison.Txid] = true
			due := max(leaf.Block.Height, e.awake) + reacts
			spend, spent, err := e.chain.Spend(ctx, at)
			e.check(err)
			for tip, _ := e.chain.Tip(ctx); (!spent || !spend.Confirmed) && tip.Height <= due; tip.Height++ {
				e.mine(1)
				spend, spent, err = e.chain.Spend(ctx, at)
				e.check(err)
			}
			late := !spent || !spend.Confirmed || spend.Block.Height > due
			if late && !e.published(poison) {
				e.fail("%s has poison of %s, in block %d, and nobody publishes it: spent %v, in block %d", c.name, at, leaf.Block.Height, spent, spend.Block.Height)
			}
		}
	}
	e.counts["outputs of replaced leaves on the chain"] += len(seen)
}

// published reports whether an honest party has published poison, or seen it in a block.
func (e *ending) published(poison *factory.Tx) bool {
	name := poison.Txid.String()[:8]
	for _, p := range e.all() {
		if p.past != nil {
			continue
		}
		for _, line := range p.told {
			if strings.Contains(line, "published poison "+name) || strings.Contains(line, "poison "+name+" is in block") {
				return true
			}
		}
	}
	return false
}

// awakes notes that the honest parties begin again.
func (e *ending) awakes() {
	tip, err := e.chain.Tip(context.Background())
	e.check(err)
	e.awake = tip.Height
}
