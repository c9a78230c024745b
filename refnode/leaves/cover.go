package leaves

import (
	"fmt"

	"superscalar/refnode/channel"
	"superscalar/refnode/factory"
	"superscalar/refnode/payment"
	"superscalar/refnode/role"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// beyond are the factories in which the client has more than its cover, committed HTLCs
// towards it included: it leaves those whose LSP is late on its own way out (CHG-029).
// What the tree pays at T is less than what it has.
func (k *Keeper) beyond(f standing, held []role.Channel) (reason string, err error) {
	if len(held) == 0 || !k.cfg.Rules.On(rule.CHG029) {
		return "", nil
	}
	client := held[0].Client
	if behind, err := late(k.cfg.Chain, f.tree, client); err != nil || !behind {
		return "", err
	}
	has := payment.Msat(0)
	for _, c := range k.cfg.Hub.Channels() {
		if c.Instance != nil && wire.CeremonyID(*c.Instance) == f.id && !c.Closed && !c.OnChain { // what is on the chain needs no way out
			has += c.Local + c.Incoming
		}
	}
	cover, err := f.tree.Cover(client)
	if err != nil || channel.MilliSat(has) <= 1000*channel.MilliSat(cover) {
		return "", err
	}
	return fmt.Sprintf("%s, and %d sat are covered; the LSP has not left", has, cover), nil
}

// late reports whether a transaction on the path of a client is not on the chain although
// it would be, had the LSP begun at T - exit_time and did each confirm within S blocks of
// when it could. Where the LSP keeps to that, to publish the same costs a second fee and
// gains nothing.
func late(c role.Chain, t *factory.Tree, client factory.ClientIndex) (bool, error) {
	tip, err := c.Tip()
	if err != nil {
		return false, err
	}
	terms := t.Factory().Terms()
	due := terms.Params.ExitHeight(terms.Shape)
	for _, id := range t.Factory().Layout().Path(client) {
		n, built := t.Node(id)
		if !built {
			return false, fmt.Errorf("transaction %s is not in view", id)
		}
		due += factory.Height(terms.Params.ConfirmBlocks)
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
