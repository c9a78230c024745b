package lab

import (
	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/role"
	"superscalar/wire"
)

// Payout is the key that distributions, omissions and poison of a factory pay
// to a client of an LSP (SCRIPT-005).
func (p *Party) Payout(lsp ceremony.Peer, id wire.CeremonyID) (*btcec.PrivateKey, error) {
	return role.Keys{Derive: p.dir.DeriveKey, LSP: lsp}.Payout(id)
}
