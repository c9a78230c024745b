package commitment

import (
	"crypto/sha256"
	"sync"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/musig"
	"superscalar/wire"
)

// Memo remembers what one side of one channel has computed last: a commitment is
// built once for each output that the channel has at a time, signed and checked,
// always with the same keys. What is forgotten is computed again, so it changes
// no result. It has secrets of that side, is kept in memory alone, and prints as
// a placeholder. A nil Memo remembers nothing. It is safe for concurrent use.
type Memo struct {
	mu     sync.Mutex
	public recent[btcec.ModNScalar, *btcec.PublicKey]
	parsed recent[wire.Point, *btcec.PublicKey]
	sets   recent[setOf, keySet]
	valid  recent[[32]byte, struct{}]
}

// NewMemo returns a Memo that keeps the last n results of each kind.
func NewMemo(n int) *Memo {
	m := &Memo{}
	m.public.most, m.parsed.most, m.sets.most, m.valid.most = n, n, n, n

	return m
}

// String hides the secrets.
func (m *Memo) String() string { return "[channel memo]" }

// GoString hides the secrets.
func (m *Memo) GoString() string { return m.String() }

// setOf is all that a keySet follows from.
type setOf struct {
	revocation, delayed, ownerHTLC, otherHTLC, otherRemote, point btcec.PublicKey
}

// recent are the last results of a function, the one that was asked for last at
// the end.
type recent[K comparable, V any] struct {
	most int
	keys []K
	has  []V
}

func (r *recent[K, V]) get(k K) (v V, found bool) {
	for i := len(r.keys) - 1; i >= 0; i-- {
		if r.keys[i] == k {
			v = r.has[i]
			r.drop(i)
			r.keys, r.has = append(r.keys, k), append(r.has, v)

			return v, true
		}
	}

	return v, false
}

func (r *recent[K, V]) put(k K, v V) {
	if r.most <= 0 {
		return
	}
	if len(r.keys) >= r.most {
		r.drop(0)
	}
	r.keys, r.has = append(r.keys, k), append(r.has, v)
}

// drop takes one result out and keeps the order and the memory of the others.
func (r *recent[K, V]) drop(i int) {
	r.keys = append(r.keys[:i], r.keys[i+1:]...)
	r.has = append(r.has[:i], r.has[i+1:]...)
}

// remembered returns what compute does, from the list when it is there. Only what
// is no error is kept.
func remembered[K comparable, V any](m *Memo, in func(*Memo) *recent[K, V], k K, compute func() (V, error)) (V, error) {
	if m == nil {
		return compute()
	}
	m.mu.Lock()
	v, found := in(m).get(k)
	m.mu.Unlock()
	if found {
		return v, nil
	}
	v, err := compute()
	if err == nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		if _, twice := in(m).get(k); !twice {
			in(m).put(k, v)
		}
	}

	return v, err
}

// PublicKey returns the public key of a private one.
func (m *Memo) PublicKey(k *btcec.PrivateKey) *btcec.PublicKey {
	key, _ := remembered(m, func(m *Memo) *recent[btcec.ModNScalar, *btcec.PublicKey] { return &m.public }, k.Key,
		func() (*btcec.PublicKey, error) { return musig.PublicKeyOf(k), nil })

	return key
}

// ParseKey is the function ParseKey.
func (m *Memo) ParseKey(raw wire.Point) (*btcec.PublicKey, error) {
	return remembered(m, func(m *Memo) *recent[wire.Point, *btcec.PublicKey] { return &m.parsed }, raw,
		func() (*btcec.PublicKey, error) { return ParseKey(raw) })
}

// CheckPoint returns the error of ParseKey.
func (m *Memo) CheckPoint(raw wire.Point) error {
	_, err := m.ParseKey(raw)

	return err
}

// Point is Seed.Point.
func (m *Memo) Point(s Seed, n Number) (*btcec.PublicKey, error) {
	key, err := s.Secret(n).key()
	if err != nil {
		return nil, err
	}

	return m.PublicKey(key), nil
}

// verify checks a signature. One that was valid comes again when a connection was
// lost, and when the commitment is broadcast.
func (m *Memo) verify(key *btcec.PublicKey, hash []byte, raw wire.Signature) error {
	of := sha256.New()
	of.Write(key.SerializeCompressed())
	of.Write(raw[:])
	of.Write(hash)
	_, err := remembered(m, func(m *Memo) *recent[[32]byte, struct{}] { return &m.valid }, [32]byte(of.Sum(nil)),
		func() (struct{}, error) { return struct{}{}, checkCompact(key, hash, raw) })

	return err
}

// keySet returns the keys of a commitment.
func (m *Memo) keySet(of setOf) keySet {
	set, _ := remembered(m, func(m *Memo) *recent[setOf, keySet] { return &m.sets }, of,
		func() (keySet, error) { return of.derive(), nil })

	return set
}
