package musig

import (
	"fmt"
	"io"
)

// claimsFrom is the number of sets from which one equation for all claims is
// faster than their aggregates.
const claimsFrom = 2

// tagClaims separates the factors of claimed aggregates from every other hash.
var tagClaims = newTag("SuperScalar/claimed aggregates")

// CheckAggregates returns what AggregateAll returns, when claimed holds the
// compressed PlainKey of the aggregate of each set, as somebody says who has
// computed them and whom nobody has to believe. One equation decides about all
// claims, so that a key that is in many sets costs what it costs in one. A wrong
// claim passes with a probability of 2^-128, whoever chose claims and keys: rand
// (32 bytes are drawn) makes the factors of the equation unpredictable. When it
// fails, every aggregate is computed and compared.
//
// Errors: ErrClaimCount when there are more or fewer claims than sets; a
// *ClaimError with every claim that is wrong, one that is not a point among
// them; ErrRandom; and those of AggregateAll.
func CheckAggregates(sets [][]*PublicKey, claimed [][PublicKeySize]byte, rand io.Reader) ([]*KeyAgg, error) {
	if len(claimed) != len(sets) {
		return nil, fmt.Errorf("%w: %d for %d sets", ErrClaimCount, len(claimed), len(sets))
	}
	all, err := newSets(sets)
	if err != nil {
		return nil, err
	}
	if len(sets) >= claimsFrom {
		if points, ok := parsePoints(claimed); ok {
			right, err := claimsHold(all, claimed, points, rand)
			if err != nil {
				return nil, err
			}
			if right {
				return withAggregates(all, points)
			}
		}
	}

	return compareClaims(all, claimed)
}

// UncheckedAggregates takes every claim that is a point for what it says. It is
// there to show that a suite notices who does that, and for nothing else.
// Errors are those of CheckAggregates.
func UncheckedAggregates(sets [][]*PublicKey, claimed [][PublicKeySize]byte) ([]*KeyAgg, error) {
	all, err := newSets(sets)
	if err != nil {
		return nil, err
	}
	points, ok := parsePoints(claimed)
	if !ok || len(points) != len(all) {
		return nil, ErrClaim
	}

	return withAggregates(all, points)
}

// parsePoints reads compressed points, false when one is none.
func parsePoints(raw [][PublicKeySize]byte) (points []point, ok bool) {
	points = make([]point, len(raw))
	for i := range raw {
		if points[i], ok = parsePoint(raw[i][:]); !ok {
			return nil, false
		}
	}

	return points, true
}

// claimsHold checks the one equation
//
//	sum(r_j * sum(a_ij*X_i)) - sum(r_j*Q_j) = 0
//
// over the keys X_i and the claims Q_j, with a_ij the coefficient of key i in
// set j and a random factor r_j of 128 bits for each set. Each key is one term:
// its factor is c_i = sum(r_j*a_ij).
//
// What it proves: let D_j be the difference between what set j sums to and Q_j.
// Keys and claims, hence every D_j, are fixed before the factors are drawn. The
// group has prime order: if one D_j is not infinity then, whatever the other
// factors are, at most one r_j modulo n makes sum(r_j*D_j) infinity, and it is
// drawn with a probability of 2^-128. It does not matter how keys or claims were
// chosen, or whether two errors are each other's opposite.
func claimsHold(all []*signers, claimed [][PublicKeySize]byte, points []point, rand io.Reader) (bool, error) {
	seed, err := claimSeed(all, claimed, rand)
	if err != nil {
		return false, err
	}
	terms := make([]term, 0, len(all[0].keys)+len(points))
	of := make(map[*PublicKey]int, len(all[0].keys))
	for j, set := range all {
		factor := batchFactor(&seed, j)
		for i, key := range set.keys {
			at, known := of[key]
			if !known {
				at = len(terms)
				of[key], terms = at, append(terms, term{p: &key.point})
			}
			share := set.coefficients[i]
			terms[at].k.Add(share.Mul(&factor))
		}
	}
	for j := range points {
		var opposite point
		opposite.neg(&points[j])
		terms = append(terms, term{&opposite, batchFactor(&seed, j)})
	}
	zero := sum(terms...)

	return zero.isInfinity(), nil
}

// claimSeed hashes fresh randomness, every set and every claim.
func claimSeed(all []*signers, claimed [][PublicKeySize]byte, rand io.Reader) (seed [32]byte, err error) {
	fresh, err := freshSeed(rand)
	if err != nil {
		return seed, err
	}
	parts := make([][]byte, 0, 1+2*len(all))
	parts = append(parts, fresh[:])
	for j := range all {
		parts = append(parts, all[j].list[:], claimed[j][:])
	}

	return tagClaims.hash(parts...), nil
}

// compareClaims computes every aggregate and returns them when all are as
// claimed.
func compareClaims(all []*signers, claimed [][PublicKeySize]byte) ([]*KeyAgg, error) {
	aggregates, err := aggregate(all)
	if err != nil {
		return nil, err
	}
	var bad []int
	for j, key := range aggregates {
		if key.PlainKey() != claimed[j] {
			bad = append(bad, j)
		}
	}
	if bad != nil {
		return nil, &ClaimError{bad}
	}

	return aggregates, nil
}
