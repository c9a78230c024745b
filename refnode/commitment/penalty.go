package commitment

import (
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/musig"
	"superscalar/wire/rule"
)

// Penalty returns what the side that is not the owner can take of a commitment
// whose secret it was given: everything but the anchor of the owner (CHAN-025;
// BOLT 5, "Revoked Transaction Close Handling"). The error is ErrSecret or
// ErrOwnKey.
func (c *Commitment) Penalty(k *Secrets, funding *btcec.PrivateKey, s Secret) ([]*Claim, error) {
	key, err := c.revocationKey(k, s)
	if err != nil {
		return nil, err
	}
	claims, err := c.remoteClaims(k, funding)
	if err != nil {
		return nil, err
	}
	for i, out := range c.Outputs {
		switch {
		case out.Kind == ToLocal:
			claim := c.claim(ClaimPenalty, i, key)
			claim.after = revocationBranch
			claims = append(claims, claim)
		case out.HTLC != nil && c.params.keeps(rule.CHAN025, "/htlc"):
			claim := c.claim(ClaimPenalty, i, key)
			claim.after = [][]byte{c.keys.revocation.SerializeCompressed()}
			claims = append(claims, claim)
		}
	}

	return claims, nil
}

// revocationKey is the private key of revocationpubkey.
func (c *Commitment) revocationKey(k *Secrets, s Secret) (*btcec.PrivateKey, error) {
	secret, err := s.key()
	if err != nil {
		return nil, err
	}
	if !musig.PublicKeyOf(secret).IsEqual(c.point) {
		return nil, fmt.Errorf("commitment %d has another point: %w", c.State.Number, ErrSecret)
	}
	key := RevocationSecret(k.Revocation, secret)
	if !musig.PublicKeyOf(key).IsEqual(c.keys.revocation) {
		return nil, fmt.Errorf("revocation key of the %s: %w", c.Owner.Other(), ErrOwnKey)
	}

	return key, nil
}

// SecondStagePenalty returns what the side that is not the owner can take of a
// transaction that spends HTLC outputs of a revoked commitment by HTLC
// transactions (CHAN-025). The error is ErrSecret or ErrOwnKey.
func (c *Commitment) SecondStagePenalty(k *Secrets, s Secret, tx *btcwire.MsgTx) ([]*Claim, error) {
	key, err := c.revocationKey(k, s)
	if err != nil {
		return nil, err
	}
	if !c.params.keeps(rule.CHAN025, "/second-stage") {
		return nil, nil
	}

	return c.secondStages(tx, func(claim *Claim) {
		claim.Kind, claim.key, claim.after = ClaimPenalty, key, revocationBranch
	}), nil
}
