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

// beyond are the factories in which the client has more than its cover, HTLCs towards
// it included: from height T - exit_time + S on it leaves those that its LSP has not left
// (CHG-029). What the tree pays at T is less than what it has.
func (k *Keeper) beyond(f standing, held []role.Channel) (reason string, err error) {
	terms := f.tree.Factory().Terms()
	from := terms.Params.ExitHeight(terms.Shape) + factory.Height(terms.Params.ConfirmBlocks)
	tip, err := k.cfg.Chain.Tip()
	if err != nil || tip < from || len(held) == 0 || !k.cfg.Rules.On(rule.CHG029) {
		return "", err
	}
	has := payment.Msat(0)
	for _, c := range k.cfg.Hub.Channels() {
		if c.Instance != nil && wire.CeremonyID(*c.Instance) == f.id && !c.Closed && c.SCID == 0 { // what is on the chain needs no way out
			has += c.Local + c.Incoming
		}
	}
	cover, err := f.tree.Cover(held[0].Client)
	if err != nil || channel.MilliSat(has) <= 1000*channel.MilliSat(cover) {
		return "", err
	}
	return fmt.Sprintf("%s, and %d sat are covered; the LSP has not left", has, cover), nil
}
