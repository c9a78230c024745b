package gen

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"superscalar/refnode/musig"
	"superscalar/vectors"
	"superscalar/wire/rule"
)

func sessions() (vectors.File, error) {
	f := file("SIGN", "session", "SPEC.md 5.1; BIP-327; keys and randomness random, for tests only",
		"A MuSig2 session of clients and the LSP, who is last. Keys are aggregated sorted and tweaked as BIP-86 says, or with merkle_root. NonceGen of BIP-327 gets randomness, the signer's keys, the output key and the message. In a bad vector signers are the positions of those whose nonce or partial signature is wrong; sender is whoever aggregated. Nonces, partial signatures and sums before the fault are right.")
	var good []*vectors.Session
	for n := 2; n <= 5; n++ {
		for _, stock := range []bool{false, true} {
			v, err := newSession(n, stock)
			if err != nil {
				return f, err
			}
			good = append(good, v)
			f.Vectors = append(f.Vectors, v)
		}
	}
	for _, v := range good {
		if v.MerkleRoot == nil {
			f.Vectors = append(f.Vectors, wrongSessions(v)...)
		}
	}
	return f, nil
}

func newSession(n int, stock bool) (*vectors.Session, error) {
	name := fmt.Sprintf("session-%d-signers", n)
	if stock {
		name += "-stock"
	}
	s := newSource(name)
	v := &vectors.Session{Head: head(name, rule.SIGN001, rule.SIGN004, rule.SIGN005, rule.SIGN008), Message: s.bytes(32)}
	if stock {
		v.MerkleRoot = s.bytes(32)
	}
	for range n {
		v.SecretKeys = append(v.SecretKeys, s.bytes(32))
		v.Randomness = append(v.Randomness, s.bytes(32))
	}
	return v, signAll(v)
}

// signers are the secret keys of a session and their aggregate.
func signers(v *vectors.Session) (secrets []*musig.SecretKey, agg *musig.KeyAgg, err error) {
	var keys []*musig.PublicKey
	for _, b := range v.SecretKeys {
		secret, err := musig.NewSecretKey(secp256k1.PrivKeyFromBytes(b))
		if err != nil {
			return nil, nil, err
		}
		secrets, keys = append(secrets, secret), append(keys, secret.PublicKey())
	}
	if agg, err = musig.Aggregate(keys); err != nil {
		return nil, nil, err
	}
	agg, err = agg.Taproot(v.MerkleRoot)
	return secrets, agg, err
}

// signAll fills in everything that the signers make.
func signAll(v *vectors.Session) error {
	secrets, agg, err := signers(v)
	if err != nil {
		return err
	}
	key := agg.OutputKey()
	v.OutputKey = key[:]
	var nonces []*musig.SecretNonce
	var public []musig.PublicNonce
	for i, secret := range secrets {
		nonce, pub, err := musig.NonceGen(bytes.NewReader(v.Randomness[i]), musig.NonceInput{SecretKey: secret, AggregateKey: key[:], Message: v.Message})
		if err != nil {
			return err
		}
		raw := pub.Bytes()
		nonces, public, v.PublicNonces = append(nonces, nonce), append(public, pub), append(v.PublicNonces, raw[:])
	}
	sum, err := musig.AggregateNonces(public)
	if err != nil {
		return err
	}
	raw := sum.Bytes()
	v.AggregateNonce = raw[:]
	session, err := musig.NewSession(agg, sum, [32]byte(v.Message))
	if err != nil {
		return err
	}
	var partials []musig.PartialSignature
	for i, secret := range secrets {
		partial, err := session.Sign(nonces[i], secret)
		if err != nil {
			return err
		}
		partials, v.Partials = append(partials, partial), append(v.Partials, partial[:])
	}
	signature, err := session.Combine(partials)
	v.Signature = signature[:]
	return err
}

// wrongSessions have one wrong contribution, or two of one kind.
func wrongSessions(v *vectors.Session) []vectors.Vector {
	var out []vectors.Vector
	n := len(v.SecretKeys)
	bad := func(name, kind, field string, id rule.ID, guilty []int, change func(*vectors.Session)) {
		c := *v
		c.Name, c.Rules, c.Signature = v.Name+"-"+name, []rule.ID{id}, nil
		c.PublicNonces, c.Partials = slices.Clone(v.PublicNonces), slices.Clone(v.Partials)
		change(&c)
		if guilty == nil {
			c.Outcome = fault(kind, field, -1, id)
		} else {
			c.Outcome = blame("signer", kind, field, -1, id)
			c.Error.Signers = guilty
		}
		out = append(out, &c)
	}
	first, last := 0, n-1
	bad("wrong-partial-of-first", "wrong-partial", "partial_signatures", rule.SIGN008, []int{first}, func(c *vectors.Session) { c.Partials[first] = flipped(c.Partials[first], 31) })
	bad("wrong-partial-of-lsp", "wrong-partial", "partial_signatures", rule.SIGN008, []int{last}, func(c *vectors.Session) { c.Partials[last] = make([]byte, 32) })
	bad("two-wrong-partials", "wrong-partial", "partial_signatures", rule.SIGN008, []int{0, 1}, func(c *vectors.Session) {
		c.Partials[0], c.Partials[1] = flipped(c.Partials[0], 31), flipped(c.Partials[1], 30)
	})
	bad("partial-negated", "wrong-partial", "partial_signatures", rule.SIGN008, []int{1}, func(c *vectors.Session) { c.Partials[1] = negated(c.Partials[1]) })
	bad("partial-is-order", "out-of-range", "partial_signatures", rule.SIGN005, []int{first}, func(c *vectors.Session) { c.Partials[first] = btcec.S256().N.Bytes() })
	bad("partial-is-highest", "out-of-range", "partial_signatures", rule.SIGN005, []int{last}, func(c *vectors.Session) { c.Partials[last] = bytes.Repeat([]byte{0xff}, 32) })
	bad("nonce-of-zeros", "bad-nonce", "public_nonces", rule.SIGN004, []int{first}, func(c *vectors.Session) { c.PublicNonces[first] = make([]byte, 66) })
	bad("nonce-half-zero", "bad-nonce", "public_nonces", rule.SIGN004, []int{last}, func(c *vectors.Session) {
		c.PublicNonces[last] = slices.Concat(c.PublicNonces[last][:33], make([]byte, 33))
	})
	bad("nonce-uncompressed", "bad-nonce", "public_nonces", rule.SIGN004, []int{1}, func(c *vectors.Session) {
		c.PublicNonces[1] = slices.Concat([]byte{4}, c.PublicNonces[1][1:])
	})
	bad("nonce-not-on-curve", "bad-nonce", "public_nonces", rule.SIGN004, []int{first}, func(c *vectors.Session) {
		c.PublicNonces[first] = slices.Concat(c.PublicNonces[first][:34], make([]byte, 31), []byte{5})
	})
	bad("nonce-short", "bad-nonce", "public_nonces", rule.SIGN004, []int{last}, func(c *vectors.Session) { c.PublicNonces[last] = c.PublicNonces[last][:65] })
	bad("aggregate-not-on-curve", "bad-aggregate-nonce", "aggregate_nonce", rule.SIGN004, nil, func(c *vectors.Session) {
		c.AggregateNonce = slices.Concat([]byte{2}, make([]byte, 31), []byte{5}, c.AggregateNonce[33:])
	})
	bad("aggregate-other-prefix", "bad-aggregate-nonce", "aggregate_nonce", rule.SIGN004, nil, func(c *vectors.Session) {
		c.AggregateNonce = slices.Concat(c.AggregateNonce[:33], []byte{0}, c.AggregateNonce[34:])
	})
	return out
}

func flipped(b []byte, i int) vectors.Hex {
	out := slices.Clone(b)
	out[i] ^= 1
	return out
}

func negated(b []byte) vectors.Hex {
	var s btcec.ModNScalar
	s.SetByteSlice(b)
	s.Negate()
	raw := s.Bytes()
	return raw[:]
}

func (r runner) session(v *vectors.Session) error {
	want := v.Error
	if want == nil {
		again := &vectors.Session{SecretKeys: v.SecretKeys, MerkleRoot: v.MerkleRoot, Message: v.Message, Randomness: v.Randomness}
		if err := signAll(again); err != nil {
			return err
		}
		if err := sameSession(again, v); err != nil {
			return err
		}
	}
	kind, field, id, guilty, err := judge(v)
	switch {
	case err != nil:
		return err
	case kind == "" && want == nil:
		return nil
	case want == nil || want.Kind != kind || want.Field != field || want.Rule != id || !slices.Equal(want.Signers, guilty):
		return fmt.Errorf("found %q at %s (%s) of signers %v, want %+v", kind, field, id, guilty, want)
	}
	return nil
}

// judge reads what the signers sent and finds what is wrong with it.
func judge(v *vectors.Session) (kind, field string, id rule.ID, guilty []int, err error) {
	_, agg, err := signers(v)
	if err != nil {
		return "", "", "", nil, err
	}
	var nonces []musig.PublicNonce
	for i, b := range v.PublicNonces {
		nonce, err := musig.ParsePublicNonce(b)
		if errors.Is(err, musig.ErrPublicNonce) {
			return "bad-nonce", "public_nonces", rule.SIGN004, []int{i}, nil
		}
		nonces = append(nonces, nonce)
	}
	sum, err := musig.ParseAggregateNonce(v.AggregateNonce)
	if errors.Is(err, musig.ErrAggregateNonce) {
		return "bad-aggregate-nonce", "aggregate_nonce", rule.SIGN004, nil, nil
	}
	session, err := musig.NewSession(agg, sum, [32]byte(v.Message))
	if err != nil {
		return "", "", "", nil, err
	}
	var partials []musig.PartialSignature
	for i, b := range v.Partials {
		partial, err := musig.ParsePartialSignature(b)
		if errors.Is(err, musig.ErrPartialSignature) {
			return "out-of-range", "partial_signatures", rule.SIGN005, []int{i}, nil
		}
		partials = append(partials, partial)
	}
	signature, err := session.Combine(partials)
	if err != nil {
		return "", "", "", nil, err
	}
	if session.Verify(signature) == nil {
		return "", "", "", nil, sameSignature(signature, v)
	}
	guilty, err = session.Blame(nonces, partials)
	return "wrong-partial", "partial_signatures", rule.SIGN008, guilty, err
}

func sameSignature(got musig.Signature, v *vectors.Session) error {
	if v.Signature == nil {
		return nil
	}
	return sameBytes("signature", got[:], v.Signature)
}

func sameSession(got, want *vectors.Session) error {
	for i := range want.PublicNonces {
		if err := sameBytes("public nonce", got.PublicNonces[i], want.PublicNonces[i]); err != nil {
			return err
		}
		if err := sameBytes("partial signature", got.Partials[i], want.Partials[i]); err != nil {
			return err
		}
	}
	if err := sameBytes("aggregate nonce", got.AggregateNonce, want.AggregateNonce); err != nil {
		return err
	}
	if err := sameBytes("output key", got.OutputKey, want.OutputKey); err != nil {
		return err
	}
	return sameBytes("signature", got.Signature, want.Signature)
}
