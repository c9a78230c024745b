package commitment

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"superscalar/wire"
)

// What is remembered changes no result, whatever was asked for before, and the list
// stays as short as it was made.
func TestMemoComputesTheSame(t *testing.T) {
	var sides [4]Basepoints
	for i := range sides {
		sides[i] = testSecrets(fmt.Sprint("side ", i)).Basepoints()
	}
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(0, 3).Draw(t, "most")
		memo := NewMemo(most)
		for range rapid.IntRange(1, 6).Draw(t, "times") {
			name := func(what string) string { return fmt.Sprint(what, rapid.IntRange(0, 3).Draw(t, what)) }
			key, point := testKey(name("key")), testKey(name("point")).PubKey()
			if got := memo.PublicKey(key); !got.IsEqual(key.PubKey()) {
				t.Fatal("another public key")
			}
			raw := wire.Point(point.SerializeCompressed())
			if got, err := memo.ParseKey(raw); err != nil || !got.IsEqual(point) {
				t.Fatalf("another key is parsed: %v", err)
			}
			raw[0] = 7
			if _, err := memo.ParseKey(raw); err == nil {
				t.Fatal("no point is parsed")
			}
			p := Params{Basepoints: [2]Basepoints{rapid.SampledFrom(sides[:]).Draw(t, "opener"), rapid.SampledFrom(sides[:]).Draw(t, "accepter")}}
			owner := Side(rapid.IntRange(0, 1).Draw(t, "owner"))
			want := p.keys(owner, point)
			p.Memo = memo
			for range 2 {
				if got := p.keys(owner, point); !sameSet(got, want) {
					t.Fatal("another set of keys")
				}
			}
			if len(memo.public.keys) > most || len(memo.parsed.keys) > most || len(memo.sets.keys) > most {
				t.Fatalf("more than %d results are kept", most)
			}
		}
	})
}

func sameSet(a, b keySet) bool {
	return a.revocation.IsEqual(b.revocation) && a.delayed.IsEqual(b.delayed) && a.ownerHTLC.IsEqual(b.ownerHTLC) &&
		a.otherHTLC.IsEqual(b.otherHTLC) && a.otherRemote.IsEqual(b.otherRemote)
}

// The result that was not asked for the longest is forgotten first; pointers tell
// what is remembered from what is computed again.
func TestMemoForgetsTheOldest(t *testing.T) {
	memo := NewMemo(2)
	a, b, c := testKey("a"), testKey("b"), testKey("c")
	first, second := memo.PublicKey(a), memo.PublicKey(b)
	if memo.PublicKey(a) != first {
		t.Error("what was just computed is not remembered")
	}
	memo.PublicKey(c) // in the place of b
	if memo.PublicKey(a) != first {
		t.Error("what was asked for last is forgotten")
	}
	if memo.PublicKey(b) == second {
		t.Error("three results are kept, not two")
	}
	if s := fmt.Sprintf("%v %#v", memo, memo); s != "[channel memo] [channel memo]" {
		t.Errorf("it prints as %s", s)
	}
}

// Only a signature that is valid is remembered, and for its own key and hash alone.
func TestMemoChecksEverySignature(t *testing.T) {
	memo, key, other := NewMemo(8), testKey("signer"), testKey("somebody else")
	hash, another := sha256.Sum256([]byte("one")), sha256.Sum256([]byte("another"))
	valid := signCompact(key, hash[:])
	broken := valid
	broken[40] ^= 1
	for range 2 { // the second time with what is remembered
		if err := memo.verify(key.PubKey(), hash[:], valid); err != nil {
			t.Errorf("a valid signature is refused: %v", err)
		}
		for name, err := range map[string]error{
			"another key":       memo.verify(other.PubKey(), hash[:], valid),
			"another hash":      memo.verify(key.PubKey(), another[:], valid),
			"another signature": memo.verify(key.PubKey(), hash[:], broken),
		} {
			if !errors.Is(err, ErrSignature) {
				t.Errorf("%s: %v, want ErrSignature", name, err)
			}
		}
	}
	if n := len(memo.valid.keys); n != 1 {
		t.Errorf("%d signatures are remembered, one is valid", n)
	}
}
