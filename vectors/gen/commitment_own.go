package gen

import (
	"crypto/sha256"
	"fmt"

	"superscalar/vectors"
	"superscalar/wire/rule"
)

// ownCommitments are states that BOLT 3 has no case of: either side as owner,
// both edges of dust and of the anchors, ties in the order of outputs.
func ownCommitments() []*vectors.Commitment {
	var out []*vectors.Commitment
	for _, kind := range []string{"option_anchors", "zero_fee_commitments"} {
		short := map[string]string{"option_anchors": "anchors", "zero_fee_commitments": "zero-fee"}[kind]
		add := func(name, owner string, change func(*vectors.Commitment)) {
			v := baseCommitment(kind, owner)
			v.Head = head("commitment-"+short+"-"+name, rule.CHAN030, rule.CHAN031, rule.CHAN032)
			change(v)
			v.AccepterMsat = 1000*v.FundingSat - v.OpenerMsat
			for _, h := range v.HTLCs {
				v.AccepterMsat -= h.Amount
			}
			out = append(out, v)
		}
		for _, owner := range []string{"opener", "accepter"} {
			add("empty-of-"+owner, owner, func(*vectors.Commitment) {})
			add("htlcs-of-"+owner, owner, func(v *vectors.Commitment) { v.HTLCs = mixedHTLCs(8, 20_000_000) })
			add("ties-of-"+owner, owner, func(v *vectors.Commitment) { v.HTLCs = tiedHTLCs() })
			add("dust-edges-of-"+owner, owner, func(v *vectors.Commitment) {
				v.HTLCs = edgeHTLCs(v.DustLimit)
			})
			add("first-of-"+owner, owner, func(v *vectors.Commitment) { v.Number = 0 })
			add("last-number-of-"+owner, owner, func(v *vectors.Commitment) { v.Number = 1<<48 - 1 })
			add("opener-alone-of-"+owner, owner, func(v *vectors.Commitment) { v.OpenerMsat = 1000 * v.FundingSat })
			add("opener-at-dust-of-"+owner, owner, func(v *vectors.Commitment) {
				v.OpenerMsat = 1000 * (v.DustLimit + openerCost(v))
			})
			add("opener-under-dust-of-"+owner, owner, func(v *vectors.Commitment) {
				v.OpenerMsat = 1000*(v.DustLimit+openerCost(v)) - 1
			})
		}
		add("delay-16", "opener", func(v *vectors.Commitment) { v.Delay = 16 })
		add("delay-17", "opener", func(v *vectors.Commitment) { v.Delay = 17 })
		add("delay-65535", "opener", func(v *vectors.Commitment) { v.Delay = 65535 })
		add("one-sided-htlcs", "accepter", func(v *vectors.Commitment) {
			v.OpenerMsat = 1000 * openerCost(v)
			v.HTLCs = mixedHTLCs(2, 20_000_000)
			v.OpenerMsat += 1000 * 2 * 172 * vectors.Uint(v.Feerate) / 1000
		})
	}

	return append(out, anchorEdges()...)
}

// anchorEdges are the shared anchor around 240 sat.
func anchorEdges() []*vectors.Commitment {
	var out []*vectors.Commitment
	for _, msat := range []vectors.Uint{999, 1000, 239_999, 240_000, 240_001, 241_000, 353_000} {
		v := baseCommitment("zero_fee_commitments", "opener")
		v.Head = head(fmt.Sprintf("commitment-zero-fee-trimmed-%d-msat", msat), rule.CHAN030, rule.CHAN031, rule.CHAN032)
		v.HTLCs = []vectors.ChannelHTLC{channelHTLC("opener", 0, msat, 800_000)}
		v.AccepterMsat = 1000*v.FundingSat - v.OpenerMsat - msat
		out = append(out, v)
	}

	return out
}

func baseCommitment(kind, owner string) *vectors.Commitment {
	side := func(name string) vectors.ChannelSide {
		return vectors.ChannelSide{
			FundingKey: secretKey(name+" funding", 0).Serialize(), HTLCSecret: secretKey(name+" htlc", 0).Serialize(),
			Revocation: publicKey(name+" revocation", 0), Payment: publicKey(name+" payment", 0), Delayed: publicKey(name+" delayed", 0),
		}
	}
	txid := sha256.Sum256([]byte("superscalar vectors channel"))
	v := &vectors.Commitment{
		ChannelType: kind, Owner: owner, FundingTxid: txid[:], FundingOutput: 1, FundingSat: 1_000_000,
		Number: 7, Point: publicKey("per commitment "+owner, 0), Opener: side("opener"), Accepter: side("accepter"),
		DustLimit: 546, Delay: 144, OpenerMsat: 600_000_000, AccepterMsat: 400_000_000,
	}
	if owner == "accepter" {
		v.DustLimit, v.Delay = 354, 720
	}
	if kind == "option_anchors" {
		v.Feerate = 253
	}

	return v
}

// openerCost is what the opener pays without HTLCs, in sat.
func openerCost(v *vectors.Commitment) vectors.Uint {
	if v.Feerate == 0 {
		return 0
	}

	return vectors.Uint(v.Feerate)*1124/1000 + 660
}

func channelHTLC(by string, id, amount vectors.Uint, expiry uint32) vectors.ChannelHTLC {
	preimage := sha256.Sum256(fmt.Append(nil, "superscalar vectors preimage ", by, id))
	hash := sha256.Sum256(preimage[:])

	return vectors.ChannelHTLC{OfferedBy: by, ID: id, Amount: amount, Hash: hash[:], Expiry: expiry}
}

var bothSides = []string{"opener", "accepter"}

// mixedHTLCs go both ways; amounts fall, so that ids do not follow the outputs.
func mixedHTLCs(n int, amount vectors.Uint) []vectors.ChannelHTLC {
	var out []vectors.ChannelHTLC
	for i := range n {
		out = append(out, channelHTLC(bothSides[i%2], vectors.Uint(i/2), amount-1_000_000*vectors.Uint(i), 800_000+uint32(i)))
	}

	return out
}

// tiedHTLCs have one amount in sat and one payment hash: those offered by one
// side differ in their expiry, which falls with the id.
func tiedHTLCs() []vectors.ChannelHTLC {
	var out []vectors.ChannelHTLC
	for i := range 6 {
		h := channelHTLC(bothSides[i%2], vectors.Uint(i/2), 20_000_000+vectors.Uint(i), 800_010-uint32(i))
		h.Hash = channelHTLC("opener", 0, 0, 0).Hash
		out = append(out, h)
	}

	return out
}

// edgeHTLCs are around the dust limit.
func edgeHTLCs(dust vectors.Uint) []vectors.ChannelHTLC {
	var out []vectors.ChannelHTLC
	for i, amount := range []vectors.Uint{1000*dust - 1, 1000 * dust, 1000*dust + 999, 1000*dust + 1000} {
		for _, by := range bothSides {
			out = append(out, channelHTLC(by, vectors.Uint(i), amount, 800_000))
		}
	}

	return out
}
