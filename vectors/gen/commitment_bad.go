package gen

import (
	"slices"
	"strings"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/txscript"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/commitment"
	"superscalar/vectors"
	"superscalar/wire/rule"
)

// wrongCommitments are what a side sends that has made one mistake: another
// state, another transaction, another way to sign.
func wrongCommitments(v *vectors.Commitment) ([]vectors.Vector, error) {
	c, err := runner{}.channelCase(v)
	if err != nil {
		return nil, err
	}
	b := &badCommitments{good: v, c: c}
	if b.built, err = c.build(); err != nil {
		return nil, err
	}
	for _, step := range []func() error{b.otherStates, b.otherTransactions, b.otherSignatures, b.otherHTLCs} {
		if err := step(); err != nil {
			return nil, err
		}
	}

	return b.out, nil
}

// badCommitments collects the bad vectors of one good vector. A few get every
// mistake; the others those that their state is made for: dust and order.
type badCommitments struct {
	good  *vectors.Commitment
	c     *channelCase
	built *commitment.Commitment
	out   []vectors.Vector
}

// full reports whether the vector, which has HTLCs, gets every mistake.
func (b *badCommitments) full() bool {
	return strings.Contains(b.good.Name, "-htlcs-of-") || strings.HasSuffix(b.good.Name, "ties-of-opener")
}

// add appends a bad vector, unless nothing changed.
func (b *badCommitments) add(name, kind, field string, id rule.ID, sig vectors.Hex, htlcs []vectors.Hex) {
	if slices.Equal(sig, b.good.Signature) && slices.EqualFunc(htlcs, b.good.HTLCSignatures, func(x, y vectors.Hex) bool { return slices.Equal(x, y) }) {
		return
	}
	v := *b.good
	v.Head = head(b.good.Name+"-"+name, id)
	if id != rule.CHAN032 {
		v.Rules = append(v.Rules, rule.CHAN032)
	}
	v.FeeSat, v.Tx, v.Txid, v.Sighash, v.SignedTx, v.HTLCTxs = nil, nil, nil, nil, nil, nil
	v.Signature, v.HTLCSignatures, v.Outcome = sig, htlcs, fault(kind, field, -1, id)
	b.out = append(b.out, &v)
}

// otherStates: the other side signed for another state.
func (b *badCommitments) otherStates() error {
	for _, m := range []struct {
		name   string
		rare   bool
		change func(*channelCase)
	}{
		{"dust-limit-of-other-side", false, func(c *channelCase) { c.params.DustLimit[c.owner] += 454 }},
		{"dust-limit-inclusive", false, func(c *channelCase) { c.params.DustLimit[c.owner]++ }},
		{"delay-of-other-side", true, func(c *channelCase) { c.params.Delay[c.owner] ^= 3 }},
		{"number-before", true, func(c *channelCase) { c.state.Number ^= 1 }},
		{"feerate-1-higher", true, func(c *channelCase) {
			if c.params.Type == commitment.Anchors {
				c.state.Feerate += 10
			}
		}},
		{"other-owner", true, func(c *channelCase) { c.owner = c.owner.Other() }},
		{"other-point", true, func(c *channelCase) { c.point = secretKey("another point", 0).PubKey() }},
		{"other-output", true, func(c *channelCase) { c.funding.Outpoint.Index++ }},
		{"basepoints-swapped", true, func(c *channelCase) {
			p := &c.params.Basepoints
			p[0].Payment, p[1].Payment = p[1].Payment, p[0].Payment
		}},
		{"1-sat-more", true, func(c *channelCase) {
			c.state.Balance[0] -= 1000
			c.state.Balance[1] += 1000
		}},
	} {
		if m.rare && !b.full() {
			continue
		}
		other := *b.c
		m.change(&other)
		built, err := other.build()
		if err != nil {
			return err
		}
		// The signer has the good keys, whatever it believes of the owner.
		signer := b.c.owner.Other()
		other.owner = b.c.owner
		hash, err := witnessHash(built.Tx, int64(b.c.funding.Value), b.c.funding.WitnessScript(), txscript.SigHashAll)
		if err != nil {
			return err
		}
		if built.Txid != b.built.Txid {
			b.add(m.name, "wrong-signature", "signature", rule.CHAN030, compact(b.c.keys[signer], hash), b.good.HTLCSignatures)
		}
	}

	return nil
}

// otherTransactions: the other side signed the right state written down wrong.
func (b *badCommitments) otherTransactions() error {
	for _, m := range []struct {
		name   string
		change func(*btcwire.MsgTx)
	}{
		{"outputs-descending", func(tx *btcwire.MsgTx) { slices.Reverse(tx.TxOut) }},
		{"other-version", func(tx *btcwire.MsgTx) { tx.Version ^= 1 }},
		{"final-sequence", func(tx *btcwire.MsgTx) { tx.TxIn[0].Sequence = 0xffffffff }},
		{"lock-time-0", func(tx *btcwire.MsgTx) { tx.LockTime = 0 }},
		{"first-output-missing", func(tx *btcwire.MsgTx) { tx.TxOut = tx.TxOut[1:] }},
		{"first-output-1-sat-more", func(tx *btcwire.MsgTx) { tx.TxOut[0].Value++ }},
		{"fee-from-the-other-side", func(tx *btcwire.MsgTx) {
			cost := int64(b.c.params.Fee(b.c.owner, &b.c.state))
			b.output(tx, commitment.ToLocal, cost)
			b.output(tx, commitment.ToRemote, cost)
		}},
	} {
		if !b.full() {
			continue
		}
		tx := b.built.Tx.Copy()
		m.change(tx)
		hash, err := witnessHash(tx, int64(b.c.funding.Value), b.c.funding.WitnessScript(), txscript.SigHashAll)
		if err != nil {
			return err
		}
		if tx.TxHash() != b.built.Txid {
			b.add(m.name, "wrong-signature", "signature", rule.CHAN030, compact(b.c.keys[b.c.owner.Other()], hash), b.good.HTLCSignatures)
		}
	}

	return nil
}

// output moves cost to the balance of the opener and off the accepter's.
func (b *badCommitments) output(tx *btcwire.MsgTx, kind commitment.OutputKind, cost int64) {
	for i, out := range b.built.Outputs {
		if out.Kind != kind {
			continue
		}
		if (kind == commitment.ToLocal) == (b.c.owner == commitment.Opener) {
			tx.TxOut[i].Value += cost
		} else {
			tx.TxOut[i].Value -= cost
		}
	}
}

// otherSignatures: right transactions, wrong signatures.
func (b *badCommitments) otherSignatures() error {
	if !b.full() {
		return nil
	}
	sig, htlcs := b.good.Signature, b.good.HTLCSignatures
	with := func(i int, s vectors.Hex) []vectors.Hex {
		list := slices.Clone(htlcs)
		list[i] = s

		return list
	}
	extra := append(slices.Clone(htlcs), sig)
	b.add("one-htlc-signature-too-many", "wrong-count", "htlc_signatures", rule.CHAN032, sig, extra)
	b.add("last-htlc-signature-missing", "wrong-count", "htlc_signatures", rule.CHAN032, sig, htlcs[:len(htlcs)-1])
	b.add("high-s", "high-s", "signature", rule.CHAN032, mirrored(sig), htlcs)
	owner := b.c.keys[b.c.owner]
	hash := []byte(b.good.Sighash)
	b.add("signed-by-the-owner", "wrong-signature", "signature", rule.CHAN032, compact(owner, hash), htlcs)
	b.add("zeros", "wrong-signature", "signature", rule.CHAN032, make(vectors.Hex, 64), htlcs)
	b.add("r-and-s-swapped", "wrong-signature", "signature", rule.CHAN032, lowS(append(slices.Clone(sig[32:]), sig[:32]...)), htlcs)
	b.add("other-sighash-type", "wrong-signature", "signature", rule.CHAN032, b.resigned(txscript.SigHashSingle), htlcs)
	last := len(htlcs) - 1
	b.add("htlc-high-s", "high-s", "htlc_signatures", rule.CHAN032, sig, with(last, mirrored(htlcs[last])))
	b.add("htlc-zeros", "wrong-signature", "htlc_signatures", rule.CHAN032, sig, with(0, make(vectors.Hex, 64)))
	b.add("htlc-has-commitment-signature", "wrong-signature", "htlc_signatures", rule.CHAN032, sig, with(0, sig))
	b.add("no-htlc-signatures", "wrong-count", "htlc_signatures", rule.CHAN032, sig, nil)

	return nil
}

func (b *badCommitments) resigned(kind txscript.SigHashType) vectors.Hex {
	hash, err := witnessHash(b.built.Tx, int64(b.c.funding.Value), b.c.funding.WitnessScript(), kind)
	if err != nil {
		return nil
	}

	return compact(b.c.keys[b.c.owner.Other()], hash)
}

// otherHTLCs: HTLC transactions signed in another order or made another way.
func (b *badCommitments) otherHTLCs() error {
	htlcs := b.good.HTLCSignatures
	if len(htlcs) < 2 {
		return nil
	}
	reversed := slices.Clone(htlcs)
	slices.Reverse(reversed)
	b.add("htlc-signatures-reversed", "wrong-signature", "htlc_signatures", rule.CHAN031, b.good.Signature, reversed)
	swapped := slices.Clone(htlcs)
	swapped[0], swapped[1] = swapped[1], swapped[0]
	b.add("htlc-signatures-swapped", "wrong-signature", "htlc_signatures", rule.CHAN031, b.good.Signature, swapped)
	if !b.full() {
		return nil
	}
	for _, m := range []struct {
		name   string
		kind   txscript.SigHashType
		change func(*btcwire.MsgTx)
	}{
		{"htlc-sighash-all", txscript.SigHashAll, func(*btcwire.MsgTx) {}},
		{"htlc-sighash-single", txscript.SigHashSingle, func(*btcwire.MsgTx) {}},
		{"htlc-other-sequence", htlcSighashType, func(tx *btcwire.MsgTx) { tx.TxIn[0].Sequence ^= 1 }},
		{"htlc-other-version", htlcSighashType, func(tx *btcwire.MsgTx) { tx.Version ^= 1 }},
		{"htlc-with-fee", htlcSighashType, func(tx *btcwire.MsgTx) { tx.TxOut[0].Value -= 178 }},
		{"htlc-lock-time-off-by-one", htlcSighashType, func(tx *btcwire.MsgTx) { tx.LockTime++ }},
		{"htlc-pays-the-htlc-script", htlcSighashType, func(tx *btcwire.MsgTx) {
			tx.TxOut[0].PkScript = b.built.Tx.TxOut[tx.TxIn[0].PreviousOutPoint.Index].PkScript
		}},
	} {
		var list []vectors.Hex
		key := commitment.DeriveSecret(b.c.secrets[b.c.owner.Other()].HTLC, b.c.point)
		for _, h := range b.built.HTLCs {
			tx := h.Tx.Copy()
			m.change(tx)
			hash, err := witnessHash(tx, b.built.Tx.TxOut[h.Output].Value, b.built.Outputs[h.Output].WitnessScript, m.kind)
			if err != nil {
				return err
			}
			list = append(list, compact(key, hash))
		}
		b.add(m.name, "wrong-signature", "htlc_signatures", rule.CHAN031, b.good.Signature, list)
	}
	base := b.c.secrets[b.c.owner.Other()].HTLC
	var plain []vectors.Hex
	for _, tx := range b.good.HTLCTxs {
		plain = append(plain, compact(base, tx.Sighash))
	}
	b.add("htlc-key-not-derived", "wrong-signature", "htlc_signatures", rule.CHAN031, b.good.Signature, plain)

	return nil
}

const htlcSighashType = txscript.SigHashSingle | txscript.SigHashAnyOneCanPay

// compact is an ECDSA signature as it travels.
func compact(key *btcec.PrivateKey, hash []byte) vectors.Hex {
	signed := ecdsa.Sign(key, hash)
	r, s := signed.R(), signed.S()
	rb, sb := r.Bytes(), s.Bytes()

	return append(rb[:], sb[:]...)
}

// mirrored is the same signature with the other S.
func mirrored(sig vectors.Hex) vectors.Hex {
	var s btcec.ModNScalar
	s.SetByteSlice(sig[32:])
	b := s.Negate().Bytes()

	return append(slices.Clone(sig[:32]), b[:]...)
}

// lowS is the one of both with the low S.
func lowS(sig vectors.Hex) vectors.Hex {
	var s btcec.ModNScalar
	s.SetByteSlice(sig[32:])
	if s.IsOverHalfOrder() {
		return mirrored(sig)
	}

	return sig
}
