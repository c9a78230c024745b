package gen

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/commitment"
	"superscalar/vectors"
	"superscalar/wire/rule"
)

// revocations are the sequences of BOLT 3 appendix D, made anew out of two
// seeds, and points that do not belong to their secret.
func revocations() (vectors.File, error) {
	f := file("CHAN", "revocation", "BOLT 3, appendix D and \"Efficient Per-commitment Secret Storage\"; seeds random",
		"A node is given the secrets of commitments 0, 1 and so on, which are at the indexes 2^48-1 downwards, each with the point it was given before. received is how many it has taken. Bad: it has to refuse the last one.")
	seed, other := commitment.Seed(newSource("revocation").bytes(32)), commitment.Seed(newSource("another revocation").bytes(32))
	take := func(n int, from func(i int) commitment.Seed) ([]vectors.CommitmentSecret, error) {
		var out []vectors.CommitmentSecret
		for i := range n {
			secret := from(i).Secret(commitment.Number(i))
			point, err := secret.Point()
			if err != nil {
				return nil, err
			}
			out = append(out, vectors.CommitmentSecret{Point: point.SerializeCompressed(), Secret: secret[:]})
		}

		return out, nil
	}
	right := func(int) commitment.Seed { return seed }
	for _, n := range []int{1, 2, 3, 4, 8, 9, 16, 33, 64} {
		list, err := take(n, right)
		if err != nil {
			return f, err
		}
		f.Vectors = append(f.Vectors, &vectors.Revocation{Head: head(fmt.Sprintf("revocation-%d", n), rule.CHAN033), Secrets: list, Received: ptr(n)})
	}
	bad := func(name string, list []vectors.CommitmentSecret, err error) error {
		f.Vectors = append(f.Vectors, &vectors.Revocation{Head: head("revocation-"+name, rule.CHAN033), Secrets: list,
			Outcome: fault("refused", "per_commitment_secret", -1, rule.CHAN033)})

		return err
	}
	// The last secret is the first that has to derive both a secret of the
	// one seed and one of the other, itself included.
	for _, c := range []struct{ n, from, to int }{
		{2, 0, 0}, {2, 1, 1}, {4, 0, 1}, {4, 2, 2}, {4, 3, 3}, {8, 0, 3}, {8, 4, 5}, {8, 6, 6}, {8, 7, 7},
		{16, 0, 7}, {16, 8, 11}, {16, 15, 15}, {64, 0, 31}, {64, 32, 47},
	} {
		list, err := take(c.n, func(i int) commitment.Seed {
			if i >= c.from && i <= c.to {
				return other
			}

			return seed
		})
		if err := bad(fmt.Sprintf("%d-with-%d-to-%d-of-another-seed", c.n, c.from, c.to), list, err); err != nil {
			return f, err
		}
	}
	list, err := take(3, right)
	if err != nil {
		return f, err
	}
	list[2].Point = list[1].Point
	_ = bad("point-of-another", list, nil)
	if list, err = take(2, right); err != nil {
		return f, err
	}
	list[1].Secret = list[0].Secret
	_ = bad("secret-again", list, nil)
	if list, err = take(1, right); err != nil {
		return f, err
	}
	list[0].Secret = make(vectors.Hex, 32)
	_ = bad("zero", list, nil)

	return f, nil
}

func (r runner) revocation(v *vectors.Revocation) error {
	var known commitment.Revocations
	for i, s := range v.Secrets {
		point, err := btcec.ParsePubKey(s.Point)
		if err != nil || len(s.Secret) != 32 {
			return fmt.Errorf("secret %d: %d bytes, %w", i, len(s.Secret), err)
		}
		next, err := known.Add(commitment.Secret(s.Secret), point)
		if err != nil && r.rules.On(rule.CHAN033) {
			return r.refusedSecret(v, i, err)
		}
		known = next
	}
	if v.Error != nil {
		return fmt.Errorf("accepted, want %s at %s", v.Error.Kind, v.Error.Field)
	}
	if vectors.Uint(known.Next()) != *v.Received {
		return fmt.Errorf("received is %d, want %d", known.Next(), *v.Received)
	}
	for i, s := range v.Secrets {
		got, err := known.Secret(commitment.Number(i))
		if err := errors.Join(err, sameBytes("stored secret", got[:], s.Secret)); err != nil {
			return err
		}
	}

	return nil
}

// refusedSecret says whether the last secret was to be refused.
func (r runner) refusedSecret(v *vectors.Revocation, at int, err error) error {
	switch {
	case v.Error == nil || at != len(v.Secrets)-1:
		return fmt.Errorf("secret %d is refused with %q", at, err)
	case v.Error.Kind != "refused" || v.Error.Field != "per_commitment_secret":
		return fmt.Errorf("refused at per_commitment_secret, want %s at %s", v.Error.Kind, v.Error.Field)
	}

	return nil
}
