package musig

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"pgregory.net/rapid"
)

// bip340 is the layout of testdata/bip340.json.
type bip340 struct {
	Source string `json:"source"`
	Verify []struct {
		Name      string `json:"name"`
		Key       string `json:"key"`
		Message   string `json:"message"`
		Signature string `json:"signature"`
		Valid     bool   `json:"valid"`
	} `json:"verify"`
}

// TestVectorsBIP340 verifies the published signatures alone, and those of
// 32-byte messages in a batch of otherwise valid ones too.
func TestVectorsBIP340(t *testing.T) {
	var vectors bip340
	readJSON(t, "testdata/bip340.json", &vectors)
	good := signed(t, "vectors", batchFrom)
	if len(vectors.Verify) < 19 {
		t.Fatalf("%d vectors", len(vectors.Verify))
	}
	for _, v := range vectors.Verify {
		t.Run(v.Name, func(t *testing.T) {
			sig := Signature(unhex(t, v.Signature))
			key := [32]byte(unhex(t, v.Key))
			message := unhex(t, v.Message)
			err := verify(&sig, key, message)
			if v.Valid != (err == nil) || err != nil &&
				!errors.Is(err, ErrSignature) {
				t.Fatal(err)
			}
			if len(message) != 32 {
				return
			}
			items := append(slices.Clone(good), Item{sig, key,
				[32]byte(message)})
			together, err := verifyTogether(items, seeded("batch"))
			if err != nil || together != v.Valid {
				t.Fatalf("batch: %v, %v", together, err)
			}
		})
	}
}

// signed returns n valid signatures of different keys and messages, made by
// btcec.
func signed(t testing.TB, label string, n int) []Item {
	t.Helper()
	var items []Item
	for i := range n {
		raw, message := number(label, i), number(label+" message", i)
		private, public := btcec.PrivKeyFromBytes(raw[:])
		sig := must(schnorr.Sign(private, message[:]))(t)
		items = append(items, Item{Signature(sig.Serialize()),
			[32]byte(schnorr.SerializePubKey(public)), message})
	}

	return items
}

func TestSignatureParsing(t *testing.T) {
	good := signed(t, "parse", 1)[0].Signature
	order := above(t)
	large := good
	copy(large[32:], order[:])
	field := good
	copy(field[:32], unhex(t, "ffffffffffffffffffffffffffffffff"+
		"fffffffffffffffffffffffefffffc2f"))
	rows := []struct {
		name string
		raw  []byte
		ok   bool
	}{
		{"good", good[:], true},
		{"63 bytes", good[:63], false},
		{"65 bytes, with a sighash type", append(good[:64:64], 1), false},
		{"nothing", nil, false},
		{"s equal to n", large[:], false},
		{"r equal to the field size", field[:], false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			sig, err := ParseSignature(row.raw)
			if row.ok != (err == nil) || err != nil &&
				!errors.Is(err, ErrSignature) {
				t.Fatal(err)
			}
			if row.ok && !bytes.Equal(sig[:], row.raw) {
				t.Fatalf("parsed %x", sig)
			}
		})
	}
}

// spoilItem spoils one item in one of the ways a signature can be wrong.
func spoilItem(t *rapid.T, item *Item) {
	switch rapid.IntRange(0, 5).Draw(t, "fault") {
	case 0:
		item.Message[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1
	case 1:
		item.Signature[32+rapid.IntRange(1, 31).Draw(t, "byte")] ^= 1
	case 2: // x of no point, or of another
		item.Signature[rapid.IntRange(1, 31).Draw(t, "byte")] ^= 1
	case 3:
		item.Key[rapid.IntRange(1, 31).Draw(t, "byte")] ^= 1
	case 4:
		for i := range 32 {
			item.Signature[32+i] = 0xff
		}
	default:
		for i := range 32 {
			item.Key[i] = 0xff
		}
	}
}

func TestBatchNamesTheBad(t *testing.T) {
	good := signed(t, "batch", 40)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, len(good)).Draw(t, "n")
		items := slices.Clone(good[:n])
		var want []int
		for range rapid.IntRange(0, min(3, n)).Draw(t, "bad") {
			at := rapid.IntRange(0, n-1).Draw(t, "at")
			if slices.Contains(want, at) {
				continue
			}
			spoilItem(t, &items[at])
			want = append(want, at)
		}
		slices.Sort(want)
		err := VerifyBatch(items, seeded("factors"))
		if want == nil {
			if err != nil {
				t.Fatal(err)
			}
			return
		}
		var bad *BatchError
		if !errors.As(err, &bad) || !slices.Equal(bad.Bad, want) ||
			!errors.Is(err, ErrSignature) {
			t.Fatalf("got %v, want %v", err, want)
		}
	})
}

// TestBatchIsTakenTogether checks that the fast way accepts by itself: its
// fallback would hide that it never does.
func TestBatchIsTakenTogether(t *testing.T) {
	for _, n := range []int{1, batchFrom, 200} {
		items := signed(t, "together", n)
		together, err := verifyTogether(items, seeded("x"))
		if err != nil || !together {
			t.Fatalf("%d: %v, %v", n, together, err)
		}
	}
}

// TestBatchRefusesWhatCancels gives two signatures errors that cancel each
// other in a sum without factors, or with known ones.
func TestBatchRefusesWhatCancels(t *testing.T) {
	items := signed(t, "cancel", batchFrom)
	var one scalar
	one.SetInt(1)
	for i, shift := range []func(s *scalar){
		func(s *scalar) { s.Add(&one) },
		func(s *scalar) { s.Negate(); s.Add(&one); s.Negate() },
	} {
		s := hashScalar([32]byte(items[i].Signature[32:]))
		shift(&s)
		s.PutBytesUnchecked(items[i].Signature[32:])
	}
	var bad *BatchError
	err := VerifyBatch(items, seeded("cancel"))
	if !errors.As(err, &bad) || !slices.Equal(bad.Bad, []int{0, 1}) {
		t.Fatal(err)
	}
}

// TestBatchFactors checks what the factors depend on.
func TestBatchFactors(t *testing.T) {
	items := signed(t, "factors", 2)
	seed := must(batchSeed(items, seeded("a")))(t)
	if seed == must(batchSeed(items, seeded("b")))(t) {
		t.Fatal("the factors do not depend on the randomness")
	}
	for _, change := range []func(item *Item){
		func(item *Item) { item.Signature[63] ^= 1 },
		func(item *Item) { item.Key[31] ^= 1 },
		func(item *Item) { item.Message[31] ^= 1 },
	} {
		changed := slices.Clone(items)
		change(&changed[1])
		if seed == must(batchSeed(changed, seeded("a")))(t) {
			t.Fatal("the factors do not depend on an item")
		}
	}
	if batchFactor(&seed, 0) == batchFactor(&seed, 1) {
		t.Fatal("two items have the same factor")
	}
}

func TestBatchNeedsRandomness(t *testing.T) {
	items := signed(t, "random", batchFrom)
	broken := errors.New("broken")
	for name, random := range map[string]io.Reader{
		"none": nil, "short": bytes.NewReader(nil),
		"broken": iotest.ErrReader(broken),
	} {
		t.Run(name, func(t *testing.T) {
			if err := VerifyBatch(items, random); !errors.Is(err, ErrRandom) {
				t.Fatal(err)
			}
		})
	}
	if err := VerifyBatch(items[:batchFrom-1], nil); err != nil {
		t.Fatal("a small batch needs none: ", err)
	}
}

// TestSessionItem batches combined signatures.
func TestSessionItem(t *testing.T) {
	p := newParty(t, "item", 2)
	sig := must(p.session.Combine(p.partials))(t)
	item := p.session.Item(sig)
	if err := VerifyBatch([]Item{item}, nil); err != nil {
		t.Fatal(err)
	}
	if item.Key != p.agg.OutputKey() || item.Message != number("item", 1<<20) {
		t.Fatal("not the session's key and message")
	}
}
