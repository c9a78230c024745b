package gen

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"superscalar/refnode/musig"
	"superscalar/vectors"
)

// source draws values. Two sources with the same label draw the same, so that
// a change of one vector moves no other.
type source struct{ r *rand.ChaCha8 }

func newSource(label string) *source {
	return &source{rand.NewChaCha8(sha256.Sum256([]byte("superscalar vectors " + label)))}
}

// bytes draws n bytes.
func (s *source) bytes(n int) []byte {
	b := make([]byte, n)
	_, _ = s.r.Read(b) // never fails
	return b
}

// between draws an integer from lo to hi, both included.
func (s *source) between(lo, hi int) int { return lo + int(s.r.Uint64()%uint64(hi-lo+1)) }

// point draws a valid compressed point.
func (s *source) point() []byte {
	return musig.PublicKeyOf(secp256k1.PrivKeyFromBytes(s.bytes(32))).SerializeCompressed()
}

// unhex reads a figure of this package; blanks group it for the eye.
func unhex(s string) vectors.Hex {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(fmt.Sprintf("a figure of this package is not hexadecimal: %v", err))
	}
	return b
}

// slug makes a vector's name from words and identifiers.
func slug(words ...string) string {
	return strings.NewReplacer("_", "-", " ", "-").Replace(strings.ToLower(strings.Join(words, "-")))
}
