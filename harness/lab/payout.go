package lab

import (
	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/role"
	"superscalar/wire"
)

// Payout is the key that distributions, omissions and poison of a factory pay
// to a client (SCRIPT-005).
func (p *Party) Payout(id wire.CeremonyID) (*btcec.PrivateKey, error) {
	return role.Keys{Derive: p.dir.DeriveKey}.Payout(id)
}
