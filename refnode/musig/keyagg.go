package musig

import (
	"fmt"
	"slices"
)

// KeyAgg is a set of signers and their aggregate key with any tweaks applied
// (the KeyAgg Context of BIP-327). It never changes and may be used by many
// goroutines; a tweak returns another that shares the signers.
type KeyAgg struct {
	signers *signers
	q       point // the aggregate key, tweaks included, not infinity

	// internal is what InternalKey returns.
	internal [32]byte

	// negated is gacc of BIP-327 (true for -1) and tweak is tacc.
	negated bool
	tweak   scalar
}

// signers is what depends on the keys alone. Lists are in the caller's order.
type signers struct {
	keys         []*PublicKey
	coefficients []scalar
	index        map[[PublicKeySize]byte]int // the first position of a key
	list         [32]byte                    // the hash of all keys as they are aggregated
}

// Aggregate returns the aggregate of distinct keys: KeyAgg of KeySort, the
// only way in which a factory aggregates. Signer i is keys[i]; the order does
// not change the aggregate. Errors: ErrNoKeys; a *SignerError with ErrPublicKey
// for nil or ErrDuplicateKey for the second of two equal keys; ErrInfinity.
func Aggregate(keys []*PublicKey) (*KeyAgg, error) {
	all, err := AggregateAll([][]*PublicKey{keys})
	if err != nil {
		return nil, err
	}

	return all[0], nil
}

// AggregateAll is Aggregate for many sets, on all cores. What a key costs is
// in part paid once for all the sets it is in, as long as the same *PublicKey
// stands for it. The error is that of the first set that has one.
func AggregateAll(sets [][]*PublicKey) ([]*KeyAgg, error) {
	all, err := newSets(sets)
	if err != nil {
		return nil, err
	}

	return aggregate(all)
}

// newSets is all of an aggregation but the sums: the coefficients of distinct
// keys, sorted.
func newSets(sets [][]*PublicKey) ([]*signers, error) {
	all := make([]*signers, len(sets))
	for i, keys := range sets {
		set, err := newSigners(keys)
		if err != nil {
			return nil, err
		}
		if err := set.distinct(); err != nil {
			return nil, err
		}
		set.computeCoefficients(Sort(keys))
		all[i] = set
	}

	return all, nil
}

// AggregateUnsorted is BIP-327's KeyAgg without KeySort: the order of the keys
// changes the aggregate, and equal keys are allowed. It is for vectors and
// comparisons. Errors are those of Aggregate but ErrDuplicateKey.
func AggregateUnsorted(keys []*PublicKey) (*KeyAgg, error) {
	set, err := newSigners(keys)
	if err != nil {
		return nil, err
	}
	set.computeCoefficients(keys)
	all, err := aggregate([]*signers{set})
	if err != nil {
		return nil, err
	}

	return all[0], nil
}

// newSigners checks that there are keys and indexes them.
func newSigners(keys []*PublicKey) (*signers, error) {
	if len(keys) == 0 {
		return nil, ErrNoKeys
	}
	set := &signers{
		keys:         slices.Clone(keys),
		coefficients: make([]scalar, len(keys)),
		index:        make(map[[PublicKeySize]byte]int, len(keys)),
	}
	for i, key := range keys {
		if key.missing() {
			return nil, &SignerError{i, ContributionKey, ErrPublicKey}
		}
		if _, found := set.index[key.raw]; !found {
			set.index[key.raw] = i
		}
	}

	return set, nil
}

// distinct refuses the second of two equal keys.
func (s *signers) distinct() error {
	if len(s.index) == len(s.keys) {
		return nil
	}
	for i, key := range s.keys {
		if s.index[key.raw] != i {
			return &SignerError{i, ContributionKey, ErrDuplicateKey}
		}
	}

	return nil
}

// aggregate adds the keys of every set, each times its coefficient.
func aggregate(sets []*signers) ([]*KeyAgg, error) {
	terms := make([][]term, len(sets))
	for i, s := range sets {
		terms[i] = make([]term, len(s.keys))
		for j, key := range s.keys {
			terms[i][j] = term{&key.point, s.coefficients[j]}
		}
	}

	return withAggregates(sets, affineAll(sums(terms), false))
}

// withAggregates puts sets and the sums of their keys together.
func withAggregates(sets []*signers, sums []point) ([]*KeyAgg, error) {
	aggregates := make([]*KeyAgg, len(sets))
	for i, q := range sums {
		if q.isInfinity() {
			return nil, ErrInfinity
		}
		aggregates[i] = &KeyAgg{signers: sets[i], q: q}
		aggregates[i].internal = aggregates[i].OutputKey()
	}

	return aggregates, nil
}

// computeCoefficients follows KeyAggCoeffInternal: 1 for the first key that
// differs from the one hashed first, a hash for all others.
func (s *signers) computeCoefficients(hashed []*PublicKey) {
	list := make([]byte, 0, len(hashed)*PublicKeySize)
	second := hashed[0]
	for _, key := range hashed {
		list = append(list, key.raw[:]...)
		if second.raw == hashed[0].raw {
			second = key
		}
	}
	s.list = tagKeyList.hash(list)
	for i, key := range s.keys {
		if key.raw == second.raw && second.raw != hashed[0].raw {
			s.coefficients[i].SetInt(1)
			continue
		}
		s.coefficients[i] = hashScalar(tagCoefficient.hash(s.list[:],
			key.raw[:]))
	}
}

// TweakPlain adds t*G to the key (BIP-327 ApplyTweak, plain). Errors: ErrTweak
// for the group order and above, ErrInfinity.
func (k *KeyAgg) TweakPlain(t [32]byte) (*KeyAgg, error) {
	return k.applyTweak(t, false)
}

// TweakXOnly adds t*G to the key after giving it an even y (BIP-327
// ApplyTweak, x-only). Errors are those of TweakPlain.
func (k *KeyAgg) TweakXOnly(t [32]byte) (*KeyAgg, error) {
	return k.applyTweak(t, true)
}

func (k *KeyAgg) applyTweak(t [32]byte, xOnly bool) (*KeyAgg, error) {
	all, err := applyTweaks([]*KeyAgg{k}, [][32]byte{t}, xOnly)
	if err != nil {
		return nil, err
	}

	return all[0], nil
}

// Taproot makes the key an output key of BIP-341 with the given merkle root of
// 32 bytes, or, with none, one that has no script path (BIP-86). The key
// before it is the internal key. Errors: ErrMerkleRoot, ErrTweak, ErrInfinity.
func (k *KeyAgg) Taproot(merkleRoot []byte) (*KeyAgg, error) {
	all, err := TaprootAll([]*KeyAgg{k}, merkleRoot)
	if err != nil {
		return nil, err
	}

	return all[0], nil
}

// TaprootAll is Taproot for many keys with one merkle root, at a fraction of
// the cost. The error is that of any key that has one.
func TaprootAll(keys []*KeyAgg, merkleRoot []byte) ([]*KeyAgg, error) {
	if len(merkleRoot) != 0 && len(merkleRoot) != 32 {
		return nil, fmt.Errorf("%w: %d", ErrMerkleRoot, len(merkleRoot))
	}
	tweaks := make([][32]byte, len(keys))
	for i, k := range keys {
		internal := k.OutputKey()
		tweaks[i] = tagTapTweak.hash(internal[:], merkleRoot)
	}
	tweaked, err := applyTweaks(keys, tweaks, true)
	if err != nil {
		return nil, err
	}
	for i, k := range keys {
		tweaked[i].internal = k.OutputKey()
	}

	return tweaked, nil
}

// applyTweaks returns g*Q + t*G for every key with gacc and tacc carried along.
func applyTweaks(keys []*KeyAgg, raw [][32]byte, xOnly bool) ([]*KeyAgg, error) {
	tweaks := make([]scalar, len(keys))
	for i := range raw {
		var ok bool
		if tweaks[i], ok = parseScalar(&raw[i]); !ok {
			return nil, ErrTweak
		}
	}
	terms := make([][]term, len(keys))
	tweaked := make([]*KeyAgg, len(keys))
	for i, k := range keys {
		next := *k
		if xOnly && !k.q.hasEvenY() {
			next.q.neg(&k.q)
			next.negated = !k.negated
			next.tweak.Negate()
		}
		terms[i] = []term{{&next.q, unit}, {&generator, tweaks[i]}}
		next.tweak.Add(&tweaks[i])
		tweaked[i] = &next
	}
	for i, q := range affineAll(sums(terms), false) {
		if q.isInfinity() {
			return nil, ErrInfinity
		}
		tweaked[i].q = q
	}

	return tweaked, nil
}

// InternalKey returns the x-only key right before the last Taproot, or, without
// one, the aggregate before any tweak.
func (k *KeyAgg) InternalKey() [32]byte { return k.internal }

// OutputKey returns the x-only key with all tweaks: what a P2TR output holds
// and signatures verify under.
func (k *KeyAgg) OutputKey() [32]byte { return k.q.x.bytes() }

// PlainKey returns the compressed key with all tweaks.
func (k *KeyAgg) PlainKey() [PublicKeySize]byte { return k.q.compress() }

// Size returns the number of signers.
func (k *KeyAgg) Size() int { return len(k.signers.keys) }

// Signer returns the key of a signer, false out of range.
func (k *KeyAgg) Signer(i int) (*PublicKey, bool) {
	if i < 0 || i >= len(k.signers.keys) {
		return nil, false
	}

	return k.signers.keys[i], true
}

// Index returns the first position of a key, false when it is no signer's.
func (k *KeyAgg) Index(key *PublicKey) (int, bool) {
	if key == nil {
		return 0, false
	}
	i, found := k.signers.index[key.raw]

	return i, found
}

// Coefficient returns the factor of a signer's key in the aggregate, 32 bytes
// big-endian. The error is ErrNotSigner.
func (k *KeyAgg) Coefficient(key *PublicKey) ([32]byte, error) {
	i, found := k.Index(key)
	if !found {
		return [32]byte{}, ErrNotSigner
	}

	return k.signers.coefficients[i].Bytes(), nil
}
