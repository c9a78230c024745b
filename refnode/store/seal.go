package store

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// sealSize is the length of an encoded seal: a count and a sum.
const sealSize = 8 + sha256.Size

// seal sums up every record of the database, so that a lost, doubled or changed one is noticed at the next Open: bbolt keeps
// checksums of its two meta pages only. It finds accidents, not attackers, who can compute it as well.
type seal struct {
	count uint64
	sum   [sha256.Size]byte // exclusive or of the hashes: records come and go in any order
}

// add puts a record in; remove takes it out.
func (s *seal) add(bucket string, key, value []byte) { s.count++; s.toggle(bucket, key, value) }

func (s *seal) remove(bucket string, key, value []byte) { s.count--; s.toggle(bucket, key, value) }

func (s *seal) toggle(bucket string, key, value []byte) {
	h := sha256.New()
	var size [8]byte
	binary.BigEndian.PutUint32(size[:4], uint32(len(bucket)))
	binary.BigEndian.PutUint32(size[4:], uint32(len(key)))
	h.Write(size[:])
	h.Write([]byte(bucket))
	h.Write(key)
	h.Write(value)
	for i, b := range h.Sum(nil) {
		s.sum[i] ^= b
	}
}

func (s seal) encode() []byte {
	return append(binary.BigEndian.AppendUint64(nil, s.count), s.sum[:]...)
}

func decodeSeal(raw []byte) (s seal, err error) {
	if len(raw) != sealSize {
		return s, fmt.Errorf("the seal has %d bytes, want %d", len(raw), sealSize)
	}
	s.count = binary.BigEndian.Uint64(raw)
	copy(s.sum[:], raw[8:])
	return s, nil
}
