package commitment

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/musig"
)

// ErrSecret is the error of a per-commitment secret that does not belong to its
// point or does not derive the earlier ones.
var ErrSecret = errors.New("not the per-commitment secret")

// ErrNoSecret is the error of a secret that was not received yet.
var ErrNoSecret = errors.New("the commitment is not revoked")

// ErrRevocations is the error of bytes that no Revocations encode to.
var ErrRevocations = errors.New("malformed revocations")

// Secret is a per-commitment secret: who knows it can take the commitment.
type Secret [32]byte

// Point returns the per-commitment point. The error is ErrSecret, when the
// secret is 0 or not below the order of the group.
func (s Secret) Point() (*btcec.PublicKey, error) {
	key, err := s.key()
	if err != nil {
		return nil, err
	}

	return musig.PublicKeyOf(key), nil
}

func (s Secret) key() (*btcec.PrivateKey, error) {
	var scalar btcec.ModNScalar
	if overflow := scalar.SetBytes((*[32]byte)(&s)); overflow != 0 || scalar.IsZero() {
		return nil, fmt.Errorf("out of range: %w", ErrSecret)
	}

	return &btcec.PrivateKey{Key: scalar}, nil
}

// index returns the index of a commitment's secret in BOLT 3's algorithms,
// which count down.
func (n Number) index() uint64 { return uint64(MaxNumber - n) }

// Seed is what a side makes all its per-commitment secrets of. It must not be
// used in two channels, and prints as a placeholder.
type Seed [32]byte

// String hides the seed.
func (s Seed) String() string { return "[per-commitment seed]" }

// GoString hides the seed.
func (s Seed) GoString() string { return s.String() }

// Secret returns the secret of commitment n, at most MaxNumber
// (generate_from_seed of BOLT 3).
func (s Seed) Secret(n Number) Secret { return derive(Secret(s), 48, n.index()) }

// Point returns the per-commitment point of commitment n. The error, ErrSecret,
// does not come up with a seed that was chosen at random.
func (s Seed) Point(n Number) (*btcec.PublicKey, error) { return s.Secret(n).Point() }

// derive is derive_secret of BOLT 3: the secret at index below a secret whose
// index has the last n bits 0 and the others as index.
func derive(s Secret, n int, index uint64) Secret {
	for b := n - 1; b >= 0; b-- {
		if index>>b&1 == 1 {
			s[b/8] ^= 1 << (b % 8)
			s = sha256.Sum256(s[:])
		}
	}

	return s
}

// buckets is the number of secrets that are kept at most.
const buckets = 49

// Revocations are the secrets that one side has received, in the compact form
// of BOLT 3: 49 secrets at most, from which all others derive. It is a value:
// Add returns a new one, so that a state that is not stored yet can be dropped.
// The zero value has received none.
//
// It is our own and not lnd's shachain, which is the oracle of its tests: that
// one changes in place, and its decoder trusts the bytes.
type Revocations struct {
	received uint64
	known    [buckets]Secret // by the number of trailing zeros of the index
}

// Next returns the number of the commitment whose secret comes next, which is
// how many have come.
func (r Revocations) Next() Number { return Number(r.received) }

// Add takes the secret that revokes commitment Next, whose per-commitment point
// the peer gave before. The error is ErrSecret, when it is not the secret of
// the point or not of the same seed as the earlier ones.
func (r Revocations) Add(s Secret, point *btcec.PublicKey) (Revocations, error) {
	n := r.Next()
	if n > MaxNumber {
		return r, fmt.Errorf("all %d secrets were received: %w", r.received, ErrSecret)
	}
	got, err := s.Point()
	if err != nil {
		return r, err
	}
	if point == nil || !got.IsEqual(point) {
		return r, fmt.Errorf("commitment %d has another point: %w", n, ErrSecret)
	}
	bucket := bucketOf(n.index())
	for b := range bucket {
		if derive(s, bucket, r.indexOf(b)) != r.known[b] {
			return r, fmt.Errorf("the secret of commitment %d does not derive that of %d: %w",
				n, MaxNumber-Number(r.indexOf(b)), ErrSecret)
		}
	}
	r.known[bucket] = s
	r.received++

	return r, nil
}

// Secret returns the secret of commitment n. The error is ErrNoSecret.
func (r Revocations) Secret(n Number) (Secret, error) {
	if n >= r.Next() {
		return Secret{}, fmt.Errorf("commitment %d: %w", n, ErrNoSecret)
	}
	index := n.index()
	// The smallest index that was received and has n's prefix: the last
	// secret that derives n's.
	for b := bucketOf(index); b < buckets; b++ {
		if r.has(b) && r.indexOf(b) == index>>b<<b {
			return derive(r.known[b], b, index), nil
		}
	}

	return Secret{}, fmt.Errorf("commitment %d: %w", n, ErrNoSecret)
}

// bucketOf is where_to_put_secret of BOLT 3.
func bucketOf(index uint64) int { return min(bits.TrailingZeros64(index), buckets-1) }

// has reports whether a secret was received whose index ends in exactly b
// zeros.
func (r *Revocations) has(b int) bool {
	if b == buckets-1 {
		return r.received > uint64(MaxNumber) // index 0
	}

	return r.received >= 1<<b
}

// indexOf returns the index of the secret in bucket b: of the indexes received
// that end in exactly b zeros, the last. Hence no index has to be stored.
func (r *Revocations) indexOf(b int) uint64 {
	if b == buckets-1 {
		return 0
	}
	last := uint64(MaxNumber) + 1 - r.received // the smallest index received
	index := (last + 1<<b - 1) >> b << b       // the next that ends in b zeros
	if index>>b&1 == 0 {
		index += 1 << b
	}

	return index
}

// Encode returns the form that is stored: how many were received in 8 bytes,
// big-endian, then the secrets by bucket, 32 bytes each.
func (r Revocations) Encode() []byte {
	out := binary.BigEndian.AppendUint64(nil, r.received)
	for b := range buckets {
		if r.has(b) {
			out = append(out, r.known[b][:]...)
		}
	}

	return out
}

// DecodeRevocations reads what Encode wrote, and nothing else: the error is
// ErrRevocations for other lengths, and for secrets that do not derive one
// another.
func DecodeRevocations(b []byte) (Revocations, error) {
	if len(b) < 8 {
		return Revocations{}, fmt.Errorf("%d bytes: %w", len(b), ErrRevocations)
	}
	r := Revocations{received: binary.BigEndian.Uint64(b)}
	if r.received > uint64(MaxNumber)+1 {
		return Revocations{}, fmt.Errorf("%d received: %w", r.received, ErrRevocations)
	}
	rest := bytes.NewReader(b[8:])
	for bucket := range buckets {
		if !r.has(bucket) {
			continue
		}
		if n, _ := rest.Read(r.known[bucket][:]); n != len(Secret{}) {
			return Revocations{}, fmt.Errorf("%d bytes are too few: %w", len(b), ErrRevocations)
		}
	}
	if rest.Len() > 0 {
		return Revocations{}, fmt.Errorf("%d bytes are too many: %w", len(b), ErrRevocations)
	}

	return r, r.consistent()
}

// consistent checks that each secret derives those of smaller buckets that came
// before it.
func (r *Revocations) consistent() error {
	for b := range buckets {
		if !r.has(b) {
			continue
		}
		for lower := range b {
			if r.indexOf(lower)>>b<<b != r.indexOf(b) {
				continue
			}
			if derive(r.known[b], b, r.indexOf(lower)) != r.known[lower] {
				return fmt.Errorf("bucket %d does not derive bucket %d: %w", b, lower, ErrRevocations)
			}
		}
	}

	return nil
}
