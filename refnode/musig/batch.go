package musig

import (
	"encoding/binary"
	"fmt"
	"io"
)

// batchFrom is the number of signatures from which one equation for all is
// faster than one each.
const batchFrom = 2

// tagBatch separates the factors of a batch from every other hash.
var tagBatch = newTag("SuperScalar/batch verification")

// Item is one signature of a batch.
type Item struct {
	Signature Signature
	Key       [32]byte // x-only
	Message   [32]byte
}

// VerifyBatch checks many signatures at once. It accepts if Verify accepts
// each of them, and an invalid one passes with a probability of 2^-128, even
// if the signer chose it knowing all other items: rand (32 bytes are drawn)
// makes the factors of the batch unpredictable. When the batch fails each
// signature is verified on its own. No items is a valid batch.
//
// Errors: *BatchError with every invalid position, ErrRandom.
func VerifyBatch(items []Item, rand io.Reader) error {
	if len(items) >= batchFrom {
		valid, err := verifyTogether(items, rand)
		if valid || err != nil {
			return err
		}
	}
	var bad []int
	for i := range items {
		item := &items[i]
		if verify(&item.Signature, item.Key, item.Message[:]) != nil {
			bad = append(bad, i)
		}
	}
	if bad != nil {
		return &BatchError{bad}
	}

	return nil
}

// verifyTogether checks the one equation
//
//	sum(a_i*R_i) + sum(a_i*e_i*P_i) - sum(a_i*s_i)*G = 0
//
// of BIP-340's batch verification with random factors a_i of 128 bits, which
// is half the work of full ones and as good. Items under one key share a term.
func verifyTogether(items []Item, rand io.Reader) (bool, error) {
	seed, err := batchSeed(items, rand)
	if err != nil {
		return false, err
	}
	nonces := make([]point, len(items))
	terms := make([]term, 1, 2*len(items)+1)
	of := make(map[[32]byte]int, len(items))
	var total scalar
	for i := range items {
		item := &items[i]
		_, s, err := item.Signature.parts()
		if err != nil {
			return false, nil
		}
		var ok bool
		if nonces[i], ok = liftX(item.Signature[:32]); !ok {
			return false, nil
		}
		at, known := of[item.Key]
		if !known {
			key, ok := liftX(item.Key[:])
			if !ok {
				return false, nil
			}
			at = len(terms)
			of[item.Key] = at
			terms = append(terms, term{p: &key})
		}
		factor := batchFactor(&seed, i)
		e := item.Signature.challenge(&item.Key, item.Message[:])
		terms[at].k.Add(e.Mul(&factor))
		total.Add(s.Mul(&factor))
		terms = append(terms, term{&nonces[i], factor})
	}
	terms[0] = term{&generator, *total.Negate()}
	zero := sum(terms...)

	return zero.isInfinity(), nil
}

// batchSeed hashes fresh randomness and every item.
func batchSeed(items []Item, rand io.Reader) (seed [32]byte, err error) {
	fresh, err := freshSeed(rand)
	if err != nil {
		return seed, err
	}
	parts := make([][]byte, 0, 1+3*len(items))
	parts = append(parts, fresh[:])
	for i := range items {
		item := &items[i]
		parts = append(parts, item.Signature[:], item.Key[:],
			item.Message[:])
	}

	return tagBatch.hash(parts...), nil
}

// freshSeed draws 32 bytes.
func freshSeed(rand io.Reader) (fresh [32]byte, err error) {
	if rand == nil {
		return fresh, fmt.Errorf("%w: no source", ErrRandom)
	}
	if _, err := io.ReadFull(rand, fresh[:]); err != nil {
		return fresh, fmt.Errorf("%w: %w", ErrRandom, err)
	}

	return fresh, nil
}

// batchFactor returns the factor of one item, 128 bits of a hash.
func batchFactor(seed *[32]byte, i int) scalar {
	position := binary.BigEndian.AppendUint64(nil, uint64(i))
	hash := tagBatch.hash(seed[:], position)
	clear(hash[:16])

	return hashScalar(hash)
}
