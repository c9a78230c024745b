package leaves

import (
	"fmt"

	"superscalar/refnode/channel"
	"superscalar/refnode/exit"
	"superscalar/refnode/factory"
	"superscalar/refnode/payment"
	"superscalar/refnode/role"
	"superscalar/refnode/wallet"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Beyond says whether a client that has msat in its channels, committed HTLCs towards it
// included, of which cover sat are paid at T, starts its own way out at a height when its
// LSP has published nothing: with more than its cover, from T - exit_time + S on (CHG-029).
func Beyond(terms factory.Terms, height factory.Height, has payment.Msat, cover factory.Sat, rules rule.Set) bool {
	return height >= firstDue(terms) && channel.MilliSat(has) > 1000*channel.MilliSat(cover) && rules.On(rule.CHG029)
}

// firstDue is the height at which the first transaction of a path is on the chain when the
// LSP begins in time.
func firstDue(terms factory.Terms) factory.Height {
	return terms.Params.ExitHeight(terms.Shape) + factory.Height(terms.Params.ConfirmBlocks)
}

// beyond are the factories in which the client has more than its cover and whose LSP is
// late on its own way out (CHG-029). What the tree pays at T is less than what it has.
func (k *Keeper) beyond(f standing, held []role.Channel) (reason string, err error) {
	terms := f.tree.Factory().Terms()
	tip, err := k.cfg.Chain.Tip()
	if err != nil || len(held) == 0 || tip < firstDue(terms) {
		return "", err
	}
	has := payment.Msat(0)
	for _, c := range k.cfg.Hub.Channels() {
		if c.Instance != nil && wire.CeremonyID(*c.Instance) == f.id && !c.Closed && !c.OnChain { // what is on the chain needs no way out
			has += c.Local + c.Incoming
		}
	}
	client := held[0].Client
	cover, err := f.tree.Cover(client)
	if err != nil || !Beyond(terms, tip, has, cover, k.cfg.Rules) {
		return "", err
	}
	if behind, err := late(k.cfg.Chain, tip, f.tree, client); err != nil || !behind {
		return "", err
	}
	return fmt.Sprintf("%s, and %d sat are covered; the LSP has not left", has, cover), nil
}

// late reports whether a transaction on the path of a client is not on the chain although
// it would be, had the LSP begun at T - exit_time and did each confirm within S blocks of
// when it could. Where the LSP keeps to that, to publish the same costs a second fee and
// gains nothing.
func late(c role.Chain, tip factory.Height, t *factory.Tree, client factory.ClientIndex) (bool, error) {
	terms := t.Factory().Terms()
	due := firstDue(terms)
	for i, id := range t.Factory().Layout().Path(client) {
		n, built := t.Node(id)
		if !built {
			return false, fmt.Errorf("transaction %s is not in view", id)
		}
		if i > 0 {
			due += factory.Height(terms.Params.ConfirmBlocks)
		}
		if n.Kind == factory.State {
			due += factory.Height(n.Tx.Sequence())
		}
		if tip < due {
			return false, nil
		}
		spend, found, err := c.Spend(n.Tx.Outpoint())
		if err != nil {
			return false, err
		}
		if !found || !spend.Confirmed || spend.Tx.TxHash() != n.Tx.Txid {
			return true, nil
		}
	}
	return false, nil // the leaf is there
}

// claimVBytes is the size in virtual bytes of what a client publishes besides its path: a
// commitment with its child, and the transaction of an HTLC.
const claimVBytes = 1000

// maxExposure is what the HTLCs towards a client may sum to, 0 when it has the coins to claim them: those
// that pay for its path, its commitment and an HTLC at the feerate that it begins with.
// Fewer do not count: the LSP could have made a present of them (CHAN-012).
func (k *Keeper) maxExposure(t *factory.Tree, c factory.ClientIndex) (channel.MilliSat, error) {
	cost, err := exit.Preview(t, c)
	if err != nil {
		return 0, err
	}
	cover, err := t.Cover(c)
	if err != nil {
		return 0, err
	}
	return MaxExposure(cover, cost, claimVBytes, exit.DefaultFees.Start, k.cfg.Coins), nil
}

// MaxExposure is what the HTLCs towards a client may sum to that has cover sat, 0: no limit,
// when it has the coins that pay at a rate for its path and for claim vbytes on top
// (CHAN-012). Without any cover it is the least limit there is.
func MaxExposure(cover factory.Sat, path exit.Cost, claim int64, rate wallet.FeeRate, coins func(factory.Sat) bool) channel.MilliSat {
	if coins(path.Fee(rate) + rate.Fee(claim)) {
		return 0
	}
	return max(1, 1000*channel.MilliSat(cover)/exposureDivisor)
}
