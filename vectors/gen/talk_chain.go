package gen

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"superscalar/refnode/channel"
	"superscalar/refnode/closing"
	"superscalar/refnode/commitment"
	"superscalar/vectors"
)

// What a side does about its channel when a transaction that spends an output of it
// is in a block.

// chainWith is a chain whose last block has one transaction.
type chainWith struct {
	tx     *btcwire.MsgTx
	height channel.Height
}

// Height implements closing.View.
func (c chainWith) Height() commitment.Height { return c.height }

// Confirmed implements closing.View: what the transaction spends is there.
func (c chainWith) Confirmed(txid chainhash.Hash) (commitment.Height, bool) {
	return c.height, txid == c.tx.TxIn[0].PreviousOutPoint.Hash
}

// Spend implements closing.View.
func (c chainWith) Spend(o btcwire.OutPoint) (closing.Spend, bool) {
	return closing.Spend{Tx: c.tx, Confirmed: true, Height: c.height}, o == c.tx.TxIn[0].PreviousOutPoint
}

// spent is a transaction in a block that spends an output of a channel of the party.
func (s *talkStation) spent(raw vectors.Hex) (r talkReaction, err error) {
	tx := &btcwire.MsgTx{}
	if err := tx.Deserialize(bytes.NewReader(raw)); err != nil || len(tx.TxIn) != 1 {
		return r, fmt.Errorf("no transaction with one input: %w", err)
	}
	for _, l := range s.lines {
		of := closing.Of(l.m)
		of.Revoked = func(n commitment.Number) (*channel.Revoked, error) { return l.record(n), nil }
		if !slices.ContainsFunc(of.Outputs, func(o closing.Output) bool { return o.Funding.Outpoint == tx.TxIn[0].PreviousOutPoint }) {
			continue
		}
		plan, err := closing.Decide(of, chainWith{tx, s.height})
		if err != nil {
			return r, err
		}
		r = s.settle(func() { l.m.OnChain("its output is spent") })
		if plan.End == closing.Revoked {
			r.punishes = l.punishes(of, tx, plan)
		}
		return r, nil
	}
	return r, errors.New("it spends no output of a channel")
}

// record is that of a commitment which the other side revoked, nil without.
func (l *talkLine) record(n commitment.Number) *channel.Revoked {
	i := slices.IndexFunc(l.revoked, func(r channel.Revoked) bool { return r.Number == n })
	if i < 0 {
		return nil
	}
	return &l.revoked[i]
}

// punishes says what a plan takes of a revoked commitment; nil when that is nothing.
func (l *talkLine) punishes(of *closing.Channel, tx *btcwire.MsgTx, plan closing.Plan) *vectors.Punished {
	number, ok := of.Params.NumberOf(tx)
	rec := l.record(number)
	if !ok || rec == nil {
		return nil
	}
	secret := secp256k1.PrivKeyFromBytes(rec.Secret[:])
	key := commitment.RevocationSecret(of.Secrets.Revocation, secret)
	p := &vectors.Punished{Number: vectors.Uint(number), Key: key.Serialize()}
	for _, a := range plan.Publish {
		if a.Claim != nil && a.Claim.Outpoint.Hash == tx.TxHash() {
			p.Outputs = append(p.Outputs, vectors.Uint(a.Claim.Outpoint.Index))
		}
	}
	slices.Sort(p.Outputs)
	if len(p.Outputs) == 0 {
		return nil
	}
	return p
}
