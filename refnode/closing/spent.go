package closing

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// spent deals with a funding output that a block spends.
func (w *walk) spent(o *Output, s Spend) {
	w.ended(s.Height)
	txid := s.Tx.TxHash()
	switch theirs := w.theirs(o, s.Tx); {
	case w.closes(s.Tx, txid):
		w.plan.End = Mutual
		w.endAll(nil, s.Height)
	case o.Ours != nil && o.Ours.Txid == txid:
		w.plan.End = Ours
		w.own(o, s.Height)
	case theirs != nil:
		w.plan.End = Theirs
		w.other(o, theirs, s.Height)
	default:
		c, secret, err := w.revoked(o, s.Tx, txid)
		w.fault(err)
		if c != nil {
			w.plan.End = Revoked
			w.punish(o, c, secret, s.Height)
		} else if err == nil {
			w.plan.End = Unknown
			w.strange(s)
		}
	}
}

// closes reports whether a transaction is a mutual close: the one that both
// sides signed, or another offer of ours that the peer completed.
func (w *walk) closes(tx *btcwire.MsgTx, txid chainhash.Hash) bool {
	if w.c.Close != nil && w.c.Close.TxHash() == txid {
		return true
	}
	if w.c.Scripts[0] == nil || w.c.Scripts[1] == nil {
		return false
	}

	return !slices.ContainsFunc(tx.TxOut, func(out *btcwire.TxOut) bool {
		return !bytes.Equal(out.PkScript, w.c.Scripts[0]) && !bytes.Equal(out.PkScript, w.c.Scripts[1])
	})
}

// revoked rebuilds the revoked commitment that a transaction is, nil when it is
// none.
func (w *walk) revoked(o *Output, tx *btcwire.MsgTx, txid chainhash.Hash) (*commitment.Commitment, commitment.Secret, error) {
	number, ok := w.c.Params.NumberOf(tx)
	if !ok {
		return nil, commitment.Secret{}, nil
	}
	record, err := w.c.Revoked(number)
	if err != nil || record == nil {
		return nil, commitment.Secret{}, err
	}
	for _, on := range record.On {
		if on.Txid != wire.Txid(o.Funding.Outpoint.Hash) {
			continue
		}
		point, err := record.Secret.Point()
		if err != nil {
			return nil, commitment.Secret{}, fmt.Errorf("revoked commitment %d: %w", number, err)
		}
		c, err := w.c.Params.Build(w.c.Side.Other(), &o.Funding, &on.State, point)
		if err != nil {
			return nil, commitment.Secret{}, fmt.Errorf("revoked commitment %d: %w", number, err)
		}
		if c.Txid == txid {
			return c, record.Secret, nil
		}
	}

	return nil, commitment.Secret{}, nil
}

// own claims what is ours of our own commitment.
func (w *walk) own(o *Output, at commitment.Height) {
	claims, err := o.Ours.OwnClaims(w.c.Secrets, o.Key, o.Ours.HTLCSigs, w.preimages)
	w.fault(err)
	w.take(claims, at, func(tx *btcwire.MsgTx) ([]*commitment.Claim, error) {
		return o.Ours.SecondStageClaims(w.c.Secrets, tx)
	})
	w.outcomes(o.Ours.Commitment, at)
}

// other claims what is ours of a commitment of the peer.
func (w *walk) other(o *Output, c *commitment.Commitment, at commitment.Height) {
	claims, err := c.OtherClaims(w.c.Secrets, o.Key, w.preimages)
	w.fault(err)
	w.take(claims, at, nil)
	w.outcomes(c, at)
}

// punish takes all of a revoked commitment, and of the second stages that the
// peer put after it (CHAN-025).
func (w *walk) punish(o *Output, c *commitment.Commitment, secret commitment.Secret, at commitment.Height) {
	if w.on(rule.CHAN025) {
		claims, err := c.Penalty(w.c.Secrets, o.Key, secret)
		w.fault(err)
		w.take(claims, at, func(tx *btcwire.MsgTx) ([]*commitment.Claim, error) {
			return c.SecondStagePenalty(w.c.Secrets, secret, tx)
		})
	}
	w.outcomes(c, at)
}

// strange deals with a transaction that we cannot rebuild. Of a commitment from
// after our last backup, to_remote is ours; its HTLCs we can watch, not take.
func (w *walk) strange(s Spend) {
	if _, commits := w.c.Params.NumberOf(s.Tx); !commits {
		w.endAll(nil, s.Height) // a distribution or poison: it has no HTLCs

		return
	}
	if claim, ok := w.c.Params.ToRemoteClaim(w.c.Side, w.c.Secrets, s.Tx); ok {
		w.take([]*commitment.Claim{claim}, s.Height, nil)
	}
	w.peek(s.Tx)
	w.endAll(func(h *HTLC) bool { return w.tip >= h.Expiry+Confirm+Buried }, s.Height)
}

// glimpse looks for preimages behind a commitment that is in the mempool.
func (w *walk) glimpse(o *Output, tx *btcwire.MsgTx) {
	if o.Ours != nil && o.Ours.Txid == tx.TxHash() || w.theirs(o, tx) != nil {
		w.peek(tx)
	}
}

// peek looks for preimages of offered HTLCs in whatever spends a transaction.
func (w *walk) peek(tx *btcwire.MsgTx) {
	txid := tx.TxHash()
	for i := range tx.TxOut {
		if s, found := w.view.Spend(btcwire.OutPoint{Hash: txid, Index: uint32(i)}); found {
			w.learn(s)
		}
	}
}

// learn takes in the preimages that an input shows, and reports whether it was
// one of an HTLC that we offered.
func (w *walk) learn(s Spend) (shown bool) {
	for _, item := range s.Tx.TxIn[s.Input].Witness {
		if len(item) != len([32]byte{}) {
			continue
		}
		hash := sha256.Sum256(item)
		for _, h := range w.c.HTLCs {
			if h.By != w.c.Side || h.Hash != hash {
				continue
			}
			shown = true
			if preimage := [32]byte(item); !h.Ended && !slices.Contains(w.plan.Preimages, preimage) {
				w.plan.Preimages = append(w.plan.Preimages, preimage)
			}
		}
	}

	return shown
}

// key names an HTLC.
type key struct {
	by commitment.Side
	id channel.HTLCID
}

// outcomes finds out what became of every HTLC of the channel, given the
// commitment that block at holds.
func (w *walk) outcomes(c *commitment.Commitment, at commitment.Height) {
	outputs := map[key]uint32{}
	for i, out := range c.Outputs {
		if out.HTLC != nil {
			outputs[key{out.HTLC.OfferedBy, channel.HTLCID(out.HTLC.ID)}] = uint32(i)
		}
	}
	for i := range w.c.HTLCs {
		h := &w.c.HTLCs[i]
		output, there := outputs[key{h.By, h.ID}]
		if !there { // trimmed, or not in this commitment
			w.end(h, at)

			continue
		}
		s, found := w.view.Spend(btcwire.OutPoint{Hash: c.Txid, Index: output})
		shown := found && h.By == w.c.Side && w.learn(s)
		switch {
		case found && s.Confirmed:
			w.ended(s.Height)
			if !shown {
				w.end(h, s.Height)
			}
		case h.By != w.c.Side && h.Preimage == nil && w.tip >= h.Expiry+Abandoned:
			w.end(h, at) // the peer does not take it back
		default:
			w.open = true
		}
	}
}

// endAll ends every HTLC that a condition holds for, with a transaction that
// block at holds.
func (w *walk) endAll(may func(*HTLC) bool, at commitment.Height) {
	for i := range w.c.HTLCs {
		if h := &w.c.HTLCs[i]; may == nil || may(h) {
			w.end(h, at)
		} else {
			w.open = true
		}
	}
}

// end ends an HTLC once the block that decided is buried.
func (w *walk) end(h *HTLC, at commitment.Height) {
	switch {
	case !w.buried(at) || h.Ended:
	case h.By == w.c.Side:
		w.plan.Gone = append(w.plan.Gone, h.ID)
	default:
		w.plan.Removed = append(w.plan.Removed, h.ID)
	}
}
