package gen

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/vectors"
	"superscalar/wire/rule"
)

// publishedCommitment is a case of BOLT 3, appendix F or H. Balances are the
// opener's and the accepter's in msat and sum is the SHA-256 of
// the signed commitment transaction that BOLT 3 prints.
type publishedCommitment struct {
	name     string
	keys     *publishedKeys
	dust     vectors.Uint
	feerate  uint32
	opener   vectors.Uint
	accepter vectors.Uint
	htlcs    []publishedHTLC
	sum      string
}

// publishedHTLC is an HTLC of a case.
type publishedHTLC struct {
	by     string
	id     vectors.Uint
	amount vectors.Uint
	expiry uint32
	hash   string // first digits of the payment hash
}

// publishedKeys are what all cases of an appendix share.
type publishedKeys struct {
	channelType      string
	txid             string // as explorers show it
	output           uint32
	number           vectors.Uint
	delay            uint16
	point            string
	opener, accepter publishedSide
	hashes           []string
}

// publishedSide has private keys, but for the revocation basepoint. Empty: not
// published, since it shows in no transaction of the owner.
type publishedSide struct{ funding, htlc, payment, delayed, revocation string }

var appendixF = &publishedKeys{
	channelType: "option_anchors", txid: "8984484a580b825b9972d7adb15050b3ab624ccd731946b3eeddb92f4e7ef6be", output: 0,
	number: 42, delay: 144, point: "025f7117a78150fe2ef97db7cfc83bd57b2e2c0d0dd25eaf467a4a1c2a45ce1486",
	opener: publishedSide{funding: "30ff4956bbdd3222d44cc5e8a1261dab1e07957bdac5ae88fe3261ef321f3749", htlc: "1111111111111111111111111111111111111111111111111111111111111111",
		payment: "1111111111111111111111111111111111111111111111111111111111111111", delayed: "3333333333333333333333333333333333333333333333333333333333333333", revocation: ""},
	accepter: publishedSide{funding: "1552dfba4f6cf29a62a0af13c8d6981d36d0ef8d61ba10fb0fe90da7634d7e13", htlc: "4444444444444444444444444444444444444444444444444444444444444444",
		payment: "4444444444444444444444444444444444444444444444444444444444444444", delayed: "", revocation: "02466d7fcae563e5cb09a0d1870bb580344804617879a14949cf22285f1bae3f27"},
	hashes: []string{
		"66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925",
		"72cd6e8422c407fb6d098690f1130b7ded7ec2f7f5e1d30bd9d521f015363793",
		"75877bb41d393b5fb8455ce60ecd8dda001d06316496b14dfa7f895656eeca4a",
		"648aa5c579fb30f38af744d97d6ec840c7a91277a499a0d780f3e7314eca090b",
		"9f4fb68f3e1dac82202f9aa581ce0bbf1f765df0e9ac3c8c57e20f685abab8ed",
		"f849d67325facf04177bc663b2dc544051831c589ef581d412f2eba44834e77c",
	},
}

var appendixH = &publishedKeys{
	channelType: "zero_fee_commitments", txid: "4b70a2ee47b3005a6316ff87055e94c6b3d433d0fd3b384c9ecf7813843c1eae", output: 1,
	number: 42, delay: 720, point: "0275d12130c276b4274358a328901f8fc47e6c72629102e4b46c9f27dd2c1dda98",
	opener: publishedSide{funding: "8f567cb6382507019349a47623902aa65d7a142ac85462eeb63dc11799ac2bb9", htlc: "f699038ef4f95b6b16b22a5c04fcb3c508d68d02cd2f86cf197e0fac451681b0",
		payment: "94f29d20a225ea2f7093331ba0f0f28a9382d8ed08e1fd121329925cd0c01b6d", delayed: "e9d4e1935bf16e948d76ad007baf0646df023af38f41bcf2c8799336949d291e", revocation: ""},
	accepter: publishedSide{funding: "4d22d96f0c0ccecffee4554d20ed43e51235917508ee292d281235bb7ebe0e3e", htlc: "32df9c4dd46ab6210e74e81e15282106f8db883f45674eabb3324166c6513062",
		payment: "580bff39085f3a6ae8b1f32905e67366c522ea8f2418391145b2e98f1a7cb3f2", delayed: "", revocation: "026788d019ed90149cbc9aa5ff26dd7f1a6d3cd1bee8bf36cf7d8310fbd3606b14"},
	hashes: []string{
		"23877c9093799487a8d49c7d6aaff7e06b9831c547400605252e7b07f7ae638a",
		"72c9386ba5a9d97b821d855930236d39c48dab5b1c2efe9ada44e2fbadcff983",
		"10b879729e8ddd44f2cfcf3cad6d62be535ca74e293c5ed4a59bd0dcbdad7ca1",
		"ffa4f37b6d7dc03fecaaed8d36ebbea6d199e820e386e4549a69ce733f39f29f",
		"29a74a69c5941d402838f7e1a95c2b2ec534d79524b2582f48df7bc519ebaecf",
		"1a04764fd402b5557cba89ec3c4d8931b0225d6436923c65c079ce64a55084c4",
	},
}

func publishedCommitments() []publishedCommitment {
	return []publishedCommitment{
		{"bolt3-anchors-no-htlcs", appendixF, 546, 15000, 7000000000, 3000000000, []publishedHTLC{},
			"bd618197e12c473a41f2128674f0204ddadf05cbb784f3a00221e447381b033b"},
		{"bolt3-anchors-one-side-empty", appendixF, 546, 15000, 10000000000, 0, []publishedHTLC{},
			"69f49590ce59cd4f80aa09a11a5db6fa739f39bebb681660c70b5857ecc057aa"},
		{"bolt3-anchors-all-outputs", appendixF, 546, 644, 6988000000, 3000000000, []publishedHTLC{
			{"accepter", 0, 1000000, 500, "66687aad"},
			{"accepter", 1, 2000000, 501, "72cd6e84"},
			{"opener", 2, 2000000, 502, "75877bb4"},
			{"opener", 3, 3000000, 503, "648aa5c5"},
			{"accepter", 4, 4000000, 504, "9f4fb68f"},
		},
			"72774a4de8f310bcc0e5aed24a5eb2c336349f2089cada97da6371b5afb066b5"},
		{"bolt3-anchors-one-htlc-trimmed", appendixF, 1001, 645, 6988000000, 3000000000, []publishedHTLC{
			{"accepter", 0, 1000000, 500, "66687aad"},
			{"accepter", 1, 2000000, 501, "72cd6e84"},
			{"opener", 2, 2000000, 502, "75877bb4"},
			{"opener", 3, 3000000, 503, "648aa5c5"},
			{"accepter", 4, 4000000, 504, "9f4fb68f"},
		},
			"056d65fba8e3a716c414957cc7e7ee5543d2ae941956dd62be6712319c742b52"},
		{"bolt3-anchors-three-htlcs-trimmed", appendixF, 2001, 2185, 6988000000, 3000000000, []publishedHTLC{
			{"accepter", 0, 1000000, 500, "66687aad"},
			{"accepter", 1, 2000000, 501, "72cd6e84"},
			{"opener", 2, 2000000, 502, "75877bb4"},
			{"opener", 3, 3000000, 503, "648aa5c5"},
			{"accepter", 4, 4000000, 504, "9f4fb68f"},
		},
			"c80937550621c8a69a1688cdd6bec1d51f0097e19629c3ab9bdf1de0aca36abd"},
		{"bolt3-anchors-four-htlcs-trimmed", appendixF, 3001, 3687, 6988000000, 3000000000, []publishedHTLC{
			{"accepter", 0, 1000000, 500, "66687aad"},
			{"accepter", 1, 2000000, 501, "72cd6e84"},
			{"opener", 2, 2000000, 502, "75877bb4"},
			{"opener", 3, 3000000, 503, "648aa5c5"},
			{"accepter", 4, 4000000, 504, "9f4fb68f"},
		},
			"b0fc9d22b93de27d0d3dc180d3cb96d773047fc4c6e1d0d14478e215f8ee308e"},
		{"bolt3-anchors-all-htlcs-trimmed", appendixF, 4001, 4894, 6988000000, 3000000000, []publishedHTLC{
			{"accepter", 0, 1000000, 500, "66687aad"},
			{"accepter", 1, 2000000, 501, "72cd6e84"},
			{"opener", 2, 2000000, 502, "75877bb4"},
			{"opener", 3, 3000000, 503, "648aa5c5"},
			{"accepter", 4, 4000000, 504, "9f4fb68f"},
		},
			"1c95a6f0d4a7c434d01480b2e4ad244b9a79ba7b44989bd8e2b9be52185907e0"},
		{"bolt3-anchors-opener-trimmed", appendixF, 4001, 6216010, 6988000000, 3000000000, []publishedHTLC{
			{"accepter", 0, 1000000, 500, "66687aad"},
			{"accepter", 1, 2000000, 501, "72cd6e84"},
			{"opener", 2, 2000000, 502, "75877bb4"},
			{"opener", 3, 3000000, 503, "648aa5c5"},
			{"accepter", 4, 4000000, 504, "9f4fb68f"},
		},
			"69c02de1da0f8f303330738f3a77729208db6ec50165e075b3e91c3d8d3be0b4"},
		{"bolt3-anchors-equal-amount-and-hash", appendixF, 546, 253, 6987999999, 3000000000, []publishedHTLC{
			{"accepter", 1, 2000000, 501, "72cd6e84"},
			{"opener", 5, 5000000, 506, "f849d673"},
			{"opener", 6, 5000001, 505, "f849d673"},
		},
			"e2d39f663268737515d129fe9d92bb5bf656354872eff3b8784063650b84cda4"},
		{"bolt3-zero-fee-no-htlcs", appendixH, 500, 0, 8000000000, 2000000000, []publishedHTLC{},
			"7e237ba6501cef876e6e26bb180a2a7aea56fbd65b737b7ee2deee140b67de3b"},
		{"bolt3-zero-fee-trimmed-under-240-sat", appendixH, 330, 0, 9999800000, 200000, []publishedHTLC{},
			"793239858c43032866b10e17ab4ab06ffbb7ae838145225e3026ad45613252f7"},
		{"bolt3-zero-fee-trimmed-above-240-sat", appendixH, 15000, 0, 9990000000, 10000000, []publishedHTLC{},
			"a0d002a791d0cf2df67890dfae94eeb75fbf76f5669cc23f1a27f6b6ea64274f"},
		{"bolt3-zero-fee-all-htlcs", appendixH, 5000, 0, 7925000000, 1985000000, []publishedHTLC{
			{"accepter", 1, 5000000, 920150, "23877c90"},
			{"accepter", 2, 5000000, 920150, "23877c90"},
			{"accepter", 5, 5000000, 920150, "23877c90"},
			{"opener", 5, 25000000, 920141, "72c9386b"},
			{"opener", 8, 25000000, 920141, "10b87972"},
			{"opener", 13, 25000000, 920141, "72c9386b"},
		},
			"961f2449df41f8f51ea31542e5c1e3ef46af0eda7820ec0a853875bc6aa4fab7"},
		{"bolt3-zero-fee-fractions-of-sat", appendixH, 5000, 0, 7949998969, 1983999030, []publishedHTLC{
			{"accepter", 7, 10000650, 920150, "23877c90"},
			{"accepter", 9, 6000320, 920150, "23877c90"},
			{"opener", 5, 25000821, 920141, "72c9386b"},
			{"opener", 8, 25000210, 920141, "10b87972"},
		},
			"598832088fd7dfedb6768fc1f9279c9c1cd9bf1c7ea7e5197d87b026d5a1d6ce"},
		{"bolt3-zero-fee-dust-under-240-sat", appendixH, 1000, 0, 7979870000, 1950000000, []publishedHTLC{
			{"accepter", 0, 100000, 920125, "ffa4f37b"},
			{"accepter", 1, 49900000, 920125, "72c9386b"},
			{"opener", 0, 10000000, 920140, "29a74a69"},
			{"opener", 1, 130000, 920140, "29a74a69"},
			{"opener", 2, 10000000, 920140, "29a74a69"},
		},
			"58957c828a07065df6f98cc3856b12bae2df5e80c98f07880bb8c34ef8771abe"},
		{"bolt3-zero-fee-similar-dust", appendixH, 546, 0, 7999880000, 1999940000, []publishedHTLC{
			{"accepter", 0, 30000, 920125, "ffa4f37b"},
			{"accepter", 1, 30000, 920125, "72c9386b"},
			{"opener", 0, 30000, 920125, "29a74a69"},
			{"opener", 1, 30000, 920125, "1a04764f"},
			{"opener", 2, 30000, 920125, "29a74a69"},
			{"opener", 3, 30000, 920125, "29a74a69"},
		},
			"0562c40232cc456cb094bd1a6ca1e78426b46984dd3ae0cbb6047ee6561b9268"},
		{"bolt3-zero-fee-msat-under-1-sat", appendixH, 330, 0, 7999978526, 1999970475, []publishedHTLC{
			{"accepter", 0, 29525, 920125, "ffa4f37b"},
			{"opener", 0, 21474, 920125, "29a74a69"},
		},
			"f1fa8a60483ee306423d890e49e4f7631c5fde563ccf85416d3a6421828ad699"},
		{"bolt3-zero-fee-msat-1-sat", appendixH, 330, 0, 7999978525, 1999970475, []publishedHTLC{
			{"accepter", 0, 29525, 920125, "ffa4f37b"},
			{"opener", 0, 21475, 920125, "29a74a69"},
		},
			"f1fa8a60483ee306423d890e49e4f7631c5fde563ccf85416d3a6421828ad699"},
		{"bolt3-zero-fee-msat-above-1-sat", appendixH, 330, 0, 7999978288, 1999970247, []publishedHTLC{
			{"accepter", 0, 29753, 920125, "ffa4f37b"},
			{"opener", 0, 21712, 920125, "29a74a69"},
		},
			"f1fa8a60483ee306423d890e49e4f7631c5fde563ccf85416d3a6421828ad699"},
		{"bolt3-zero-fee-dust-above-240-sat", appendixH, 2500, 0, 7988000000, 1988000000, []publishedHTLC{
			{"accepter", 0, 2000000, 920125, "ffa4f37b"},
			{"accepter", 1, 5000000, 920130, "ffa4f37b"},
			{"accepter", 2, 5000000, 920130, "23877c90"},
			{"opener", 0, 1000000, 920125, "1a04764f"},
			{"opener", 1, 1000000, 920130, "29a74a69"},
			{"opener", 2, 10000000, 920130, "10b87972"},
		},
			"b6e3a45dea2ce6dc111cf0055cf5a72df2eecde82c86e004aa9bf7614de0df00"},
	}
}

// vector is the case without signatures and results.
func (c publishedCommitment) vector() *vectors.Commitment {
	k := c.keys
	txid := unhex(k.txid)
	slices.Reverse(txid)
	v := &vectors.Commitment{
		Head:        head(c.name, rule.CHAN030, rule.CHAN031, rule.CHAN032),
		ChannelType: k.channelType, Owner: "opener", FundingTxid: txid, FundingOutput: k.output, FundingSat: 10_000_000,
		Number: k.number, Point: unhex(k.point), Opener: k.opener.side(), Accepter: k.accepter.side(),
		DustLimit: c.dust, Delay: k.delay, Feerate: c.feerate, OpenerMsat: c.opener, AccepterMsat: c.accepter,
	}
	for _, h := range c.htlcs {
		i := slices.IndexFunc(k.hashes, func(hash string) bool { return hash[:8] == h.hash })
		v.HTLCs = append(v.HTLCs, vectors.ChannelHTLC{OfferedBy: h.by, ID: h.id, Amount: h.amount, Hash: unhex(k.hashes[i]), Expiry: h.expiry})
	}

	return v
}

func (s publishedSide) side() vectors.ChannelSide {
	public := func(private string) vectors.Hex {
		if private == "" {
			return publicKey("unpublished", 0)
		}
		_, key := btcec.PrivKeyFromBytes(unhex(private))

		return key.SerializeCompressed()
	}
	out := vectors.ChannelSide{FundingKey: unhex(s.funding), HTLCSecret: unhex(s.htlc), Payment: public(s.payment), Delayed: public(s.delayed)}
	if s.revocation == "" {
		out.Revocation = publicKey("unpublished", 0)
	} else {
		out.Revocation = unhex(s.revocation)
	}

	return out
}

// check compares the signed transaction with the one that BOLT 3 prints.
func (c publishedCommitment) check(v *vectors.Commitment) error {
	if got := sha256.Sum256(v.SignedTx); fmt.Sprintf("%x", got) != c.sum {
		return fmt.Errorf("%s: the signed transaction is not that of BOLT 3: %x", c.name, []byte(v.SignedTx))
	}

	return nil
}
