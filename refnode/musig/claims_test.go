package musig

import (
	"errors"
	"slices"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// nested are sets of keys as in a tree: all of them, halves of all, single ones
// of the first half, each with a last key that is in every set.
func nested(t testing.TB, label string, n int) [][]*PublicKey {
	t.Helper()
	var keys []*PublicKey
	for i := range n {
		keys = append(keys, secretKey(t, label, i).PublicKey())
	}
	lsp := secretKey(t, label, n).PublicKey()
	with := func(part []*PublicKey) []*PublicKey { return append(slices.Clone(part), lsp) }
	sets := [][]*PublicKey{with(keys), with(keys[:n/2]), with(keys[n/2:])}
	for i := range n / 2 {
		sets = append(sets, with(keys[i:i+1]))
	}

	return sets
}

// rightClaims are the aggregates of sets.
func rightClaims(t testing.TB, sets [][]*PublicKey) [][PublicKeySize]byte {
	t.Helper()
	claims := make([][PublicKeySize]byte, len(sets))
	for i, key := range must(AggregateAll(sets))(t) {
		claims[i] = key.PlainKey()
	}

	return claims
}

// TestCheckAggregates wants what is checked to be what is computed, coefficients
// and all, for one set, for few keys and for more than fit in a block.
func TestCheckAggregates(t *testing.T) {
	for _, n := range []int{2, 3, 8, 150} {
		sets := nested(t, "claims", n)
		for _, sets := range [][][]*PublicKey{sets[:1], sets[:2], sets} {
			computed := must(AggregateAll(sets))(t)
			checked, err := CheckAggregates(sets, rightClaims(t, sets), seeded("check"))
			if err != nil {
				t.Fatalf("%d keys, %d sets: %v", n, len(sets), err)
			}
			for i := range computed {
				a, b := computed[i], checked[i]
				if a.PlainKey() != b.PlainKey() || a.InternalKey() != b.InternalKey() || a.Size() != b.Size() {
					t.Fatalf("set %d of %d keys: %x, computed %x", i, n, b.PlainKey(), a.PlainKey())
				}
				for _, key := range sets[i] {
					if must(a.Coefficient(key))(t) != must(b.Coefficient(key))(t) {
						t.Fatalf("set %d: a coefficient differs", i)
					}
				}
				if must(a.Taproot(nil))(t).PlainKey() != must(b.Taproot(nil))(t).PlainKey() {
					t.Fatalf("set %d: the output key differs", i)
				}
			}
		}
	}
	if keys, err := CheckAggregates(nil, nil, seeded("check")); err != nil || len(keys) != 0 {
		t.Fatalf("no sets: %v, %v", keys, err)
	}
}

// claim is a point as it is claimed.
func claim(p *point) [PublicKeySize]byte { return p.compress() }

// shifted returns a claim plus another point.
func shifted(t testing.TB, raw [PublicKeySize]byte, by *point) [PublicKeySize]byte {
	t.Helper()
	p, ok := parsePoint(raw[:])
	if !ok {
		t.Fatal("not a point")
	}
	sum := jacobian{p.x, p.y, one}
	sum.add(by)
	q := sum.affine()

	return claim(&q)
}

// TestCheckAggregatesRefuses plants errors, those among them that a sum without
// factors, or with factors that are all the same, would not see.
func TestCheckAggregatesRefuses(t *testing.T) {
	sets := nested(t, "wrong claims", 6)
	right := rightClaims(t, sets)
	d := secretKey(t, "difference", 0).PublicKey().point
	var opposite point
	opposite.neg(&d)
	for _, tt := range []struct {
		name string
		bad  []int
		bend func(claims [][PublicKeySize]byte)
	}{
		{"another key", []int{2}, func(c [][PublicKeySize]byte) { c[2] = claim(&d) }},
		{"the first", []int{0}, func(c [][PublicKeySize]byte) { c[0] = claim(&d) }},
		{"the last", []int{5}, func(c [][PublicKeySize]byte) { c[5] = claim(&d) }},
		{"opposite errors", []int{1, 2}, func(c [][PublicKeySize]byte) {
			c[1], c[2] = shifted(t, c[1], &d), shifted(t, c[2], &opposite)
		}},
		{"the same error twice", []int{1, 2}, func(c [][PublicKeySize]byte) {
			c[1], c[2] = shifted(t, c[1], &d), shifted(t, c[2], &d)
		}},
		{"the opposite point", []int{3}, func(c [][PublicKeySize]byte) { c[3][0] ^= 1 }},
		{"all opposite", []int{0, 1, 2, 3, 4, 5}, func(c [][PublicKeySize]byte) {
			for i := range c {
				c[i][0] ^= 1
			}
		}},
		{"swapped", []int{3, 4}, func(c [][PublicKeySize]byte) { c[3], c[4] = c[4], c[3] }},
		{"twice the same", []int{4}, func(c [][PublicKeySize]byte) { c[4] = c[3] }},
		{"the sum without coefficients", []int{3}, func(c [][PublicKeySize]byte) {
			c[3] = shifted(t, sets[3][0].raw, &sets[3][1].point)
		}},
		{"not on the curve", []int{1}, func(c [][PublicKeySize]byte) {
			for c[1][32]++; isPoint(c[1][:]); c[1][32]++ {
			}
		}},
		{"infinity", []int{1}, func(c [][PublicKeySize]byte) { c[1] = [PublicKeySize]byte{} }},
		{"first byte", []int{1}, func(c [][PublicKeySize]byte) { c[1][0] = 4 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			claims := slices.Clone(right)
			tt.bend(claims)
			_, err := CheckAggregates(sets, claims, seeded("check"))
			var wrong *ClaimError
			if !errors.As(err, &wrong) || !errors.Is(err, ErrClaim) || !slices.Equal(wrong.Bad, tt.bad) {
				t.Fatalf("%v, want %v to be wrong", err, tt.bad)
			}
			if points, ok := parsePoints(claims); ok { // the equation itself, not what is computed after it
				if right, err := claimsHold(must(newSets(sets))(t), claims, points, seeded("check")); right || err != nil {
					t.Fatalf("the equation holds: %v, %v", right, err)
				}
			}
		})
	}
}

// TestCheckAggregatesOfNothing has sets and claims that do not belong together,
// and no randomness.
func TestCheckAggregatesOfNothing(t *testing.T) {
	sets := nested(t, "no claims", 4)
	claims := rightClaims(t, sets)
	duplicate := [][]*PublicKey{sets[0], {sets[1][0], sets[1][0]}}
	for _, tt := range []struct {
		name   string
		sets   [][]*PublicKey
		claims [][PublicKeySize]byte
		want   error
	}{
		{"too few", sets, claims[1:], ErrClaimCount},
		{"too many", sets, append(slices.Clone(claims), claims[0]), ErrClaimCount},
		{"none", sets, nil, ErrClaimCount},
		{"no sets", nil, claims, ErrClaimCount},
		{"an empty set", [][]*PublicKey{sets[0], nil}, claims[:2], ErrNoKeys},
		{"a missing key", [][]*PublicKey{sets[0], {nil}}, claims[:2], ErrPublicKey},
		{"a key twice", duplicate, claims[:2], ErrDuplicateKey},
	} {
		if _, err := CheckAggregates(tt.sets, tt.claims, seeded("check")); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	for _, rand := range []func() error{
		func() error { _, err := CheckAggregates(sets, claims, nil); return err },
		func() error {
			_, err := CheckAggregates(sets, claims, iotest.ErrReader(errors.New("broken")))
			return err
		},
	} {
		if err := rand(); !errors.Is(err, ErrRandom) {
			t.Errorf("without randomness: %v", err)
		}
	}
}

// TestClaimFactors wants factors that depend on the randomness, on every claim
// and on every set, and differ from set to set.
func TestClaimFactors(t *testing.T) {
	sets := nested(t, "factors", 4)
	claims := rightClaims(t, sets)
	seed := func(label string, sets [][]*PublicKey, claims [][PublicKeySize]byte) [32]byte {
		return must(claimSeed(must(newSets(sets))(t), claims, seeded(label)))(t)
	}
	base := seed("a", sets, claims)
	otherClaims, otherSets := slices.Clone(claims), slices.Clone(sets)
	otherClaims[4][0] ^= 1
	otherSets[4] = sets[0]
	for what, other := range map[string][32]byte{
		"randomness": seed("b", sets, claims), "a claim": seed("a", sets, otherClaims), "a set": seed("a", otherSets, claims),
	} {
		if other == base {
			t.Errorf("the factors do not depend on %s", what)
		}
	}
	if a, b := batchFactor(&base, 0), batchFactor(&base, 1); a.Equals(&b) {
		t.Error("two sets have one factor")
	}
}

// TestCheckAggregatesAgrees compares with what is computed, for random sets of
// random keys and claims of which some are wrong.
func TestCheckAggregatesAgrees(t *testing.T) {
	var pool []*PublicKey
	for i := range 12 {
		pool = append(pool, secretKey(t, "pool", i).PublicKey())
	}
	rapid.Check(t, func(rt *rapid.T) {
		var sets [][]*PublicKey
		for range rapid.IntRange(1, 6).Draw(rt, "sets") {
			some := rapid.Permutation(pool).Draw(rt, "keys")
			sets = append(sets, some[:rapid.IntRange(1, len(pool)).Draw(rt, "size")])
		}
		claims := rightClaims(t, sets)
		var bad []int
		for i := range claims {
			if rapid.IntRange(0, 4).Draw(rt, "wrong") == 0 {
				claims[i] = shifted(t, claims[i], &rapid.SampledFrom(pool).Draw(rt, "by").point)
				bad = append(bad, i)
			}
		}
		_, err := CheckAggregates(sets, claims, seeded("check"))
		var wrong *ClaimError
		if errors.As(err, &wrong) != (bad != nil) || wrong != nil && !slices.Equal(wrong.Bad, bad) || bad == nil && err != nil {
			rt.Fatalf("%v, want %v to be wrong", err, bad)
		}
	})
}
