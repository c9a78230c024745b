package ledger

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/wire"
	"pgregory.net/rapid"

	"superscalar/wire/rule"
)

// at is an outpoint named by a number.
func at(n uint32) wire.OutPoint { return wire.OutPoint{Index: n} }

// sign is an entry; two with one hash are one transaction.
func sign(outpoint uint32, kind Kind, sequence uint32, hash byte) Entry {
	return Entry{Outpoint: at(outpoint), Kind: kind, Sequence: sequence, Sighash: [32]byte{hash}}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name     string
		recorded []Entry
		entries  []Entry
		want     rule.ID // "" when it may be signed
	}{
		{"first", nil, []Entry{sign(1, Sale, 0xffffffff, 1)}, ""},
		{"same again", []Entry{sign(1, Sale, 5, 1)}, []Entry{sign(1, Sale, 5, 1)}, ""},
		{"other sighash", []Entry{sign(1, Sale, 5, 1)}, []Entry{sign(1, Sale, 5, 2)}, rule.PS011},
		{"other nSequence, same sighash", []Entry{sign(1, Omission, 5, 1)}, []Entry{sign(1, Omission, 4, 1)}, rule.PS011},
		{"other kind", []Entry{sign(1, Sale, 5, 1)}, []Entry{sign(1, Omission, 5, 2)}, ""},
		{"other outpoint", []Entry{sign(1, Sale, 5, 1)}, []Entry{sign(2, Sale, 5, 2)}, ""},
		{"kickoff twice", []Entry{sign(1, Kickoff, 5, 1)}, []Entry{sign(1, Kickoff, 3, 2)}, rule.PS011},
		{"within one call", nil, []Entry{sign(1, Poison, 5, 1), sign(1, Poison, 5, 2)}, rule.PS011},
		{"state falls", []Entry{sign(1, State, 288, 1)}, []Entry{sign(1, State, 144, 2)}, ""},
		{"state to zero", []Entry{sign(1, State, 144, 1)}, []Entry{sign(1, State, 0, 2)}, ""},
		{"state equal", []Entry{sign(1, State, 144, 1)}, []Entry{sign(1, State, 144, 2)}, rule.DELAY002},
		{"state rises", []Entry{sign(1, State, 144, 1)}, []Entry{sign(1, State, 288, 2)}, rule.DELAY002},
		{"state between", []Entry{sign(1, State, 288, 1), sign(1, State, 0, 2)}, []Entry{sign(1, State, 144, 3)}, rule.DELAY002},
		{"old state again", []Entry{sign(1, State, 288, 1), sign(1, State, 144, 2)}, []Entry{sign(1, State, 288, 1)}, ""},
		{"states fall within one call", nil, []Entry{sign(1, State, 288, 1), sign(1, State, 144, 2)}, ""},
		{"states rise within one call", nil, []Entry{sign(1, State, 144, 1), sign(1, State, 288, 2)}, rule.DELAY002},
		{"state without a delay", nil, []Entry{sign(1, State, 0xffffffff, 1)}, rule.DELAY001},
		{"state in seconds", nil, []Entry{sign(1, State, 1<<22|1, 1)}, rule.DELAY001},
		{"state of 65535 blocks", nil, []Entry{sign(1, State, 65535, 1)}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := New(rule.Set{}, c.recorded)
			if err != nil {
				t.Fatal(err)
			}
			before := l.Len()
			err = l.Add(c.entries)
			var refusal *Refusal
			if c.want == "" && err != nil || c.want != "" && (!errors.As(err, &refusal) || refusal.Rule != c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if c.want == "" {
				return
			}
			if l.Len() != before {
				t.Error("something of a refused call was recorded")
			}
			if last := c.entries[len(c.entries)-1]; refusal.Entry != last {
				t.Errorf("it names %v, want %v", refusal.Entry, last)
			}
			mutant, err := New(rule.Without(c.want), c.recorded)
			if err != nil {
				t.Fatal(err)
			}
			if err := mutant.Check(c.entries); err != nil {
				t.Errorf("with %s off: %v", c.want, err)
			}
		})
	}
}

func TestRefusalNamesTheEarlier(t *testing.T) {
	l, _ := New(rule.Set{}, []Entry{sign(7, Sale, 5, 1)})
	err := l.Check([]Entry{sign(7, Sale, 5, 2)})
	want := "refused to sign sale 0200000000000000 (nSequence 5) of outpoint " +
		"0000000000000000000000000000000000000000000000000000000000000000:7: PS-011: signed before: sale 0100000000000000 (nSequence 5)"
	if err == nil || err.Error() != want {
		t.Fatalf("got  %v\nwant %s", err, want)
	}
}

func TestUnknownKind(t *testing.T) {
	l, _ := New(rule.Set{}, nil)
	if err := l.Add([]Entry{sign(1, Static, 1, 1), sign(1, kindCount, 1, 1)}); !errors.Is(err, ErrKind) || l.Len() != 0 {
		t.Fatalf("got %v with %d recorded", err, l.Len())
	}
}

func TestDamagedRecord(t *testing.T) {
	for _, c := range []struct {
		name    string
		entries []Entry
	}{
		{"two sales", []Entry{sign(1, Sale, 5, 1), sign(1, Sale, 5, 2)}},
		{"two states of one delay", []Entry{sign(1, State, 5, 1), sign(1, State, 5, 2)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var refusal *Refusal
			if _, err := New(rule.Set{}, c.entries); !errors.As(err, &refusal) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

// anyEntry draws from so few outpoints, delays and hashes that contradictions are common.
var anyEntry = rapid.Custom(func(t *rapid.T) Entry {
	return sign(rapid.Uint32Range(0, 2).Draw(t, "outpoint"), Kind(rapid.IntRange(0, int(kindCount)-1).Draw(t, "kind")),
		rapid.Uint32Range(0, 4).Draw(t, "sequence"), rapid.ByteRange(0, 3).Draw(t, "hash"))
})

// model is the rules as one would write them down first: everything ever signed, in order.
type model []Entry

func (m model) allows(e Entry) bool {
	lowest, some := uint32(0), false
	for _, old := range m {
		if old.Outpoint != e.Outpoint || old.Kind != e.Kind {
			continue
		}
		if old == e {
			return true
		}
		if e.Kind != State {
			return false
		}
		if !some || old.Sequence < lowest {
			lowest, some = old.Sequence, true
		}
	}
	return !some || e.Sequence < lowest
}

func (m model) allowsAll(entries []Entry) bool {
	for _, e := range entries {
		if !m.allows(e) {
			return false
		}
		m = append(m[:len(m):len(m)], e)
	}
	return true
}

// TestAgainstModel signs random batches, loses some before they are recorded, restarts from the record in a random order at
// random points, and compares every decision with the model.
func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var signed model
		l, _ := New(rule.Set{}, nil)
		t.Repeat(map[string]func(*rapid.T){
			"sign": func(t *rapid.T) {
				batch := rapid.SliceOfN(anyEntry, 0, 4).Draw(t, "batch")
				want := signed.allowsAll(batch)
				if err := l.Check(batch); (err == nil) != want {
					t.Fatalf("check %v: %v, want allowed %v", batch, err, want)
				}
				if rapid.IntRange(0, 9).Draw(t, "luck") == 0 {
					return // the process dies between the check and the record
				}
				if err := l.Add(batch); (err == nil) != want {
					t.Fatalf("add %v: %v, want allowed %v", batch, err, want)
				}
				if want {
					signed = append(signed, batch...)
				}
			},
			"restart": func(t *rapid.T) {
				record := rapid.Permutation([]Entry(signed)).Draw(t, "order")
				reloaded, err := New(rule.Set{}, record)
				if err != nil {
					t.Fatalf("reload %v: %v", record, err)
				}
				if reloaded.Len() != l.Len() {
					t.Fatalf("reloaded %d of %d", reloaded.Len(), l.Len())
				}
				l = reloaded
			},
			"": func(t *rapid.T) {
				seen := map[Entry]bool{}
				for _, e := range signed {
					seen[e] = true
				}
				if l.Len() != len(seen) {
					t.Fatalf("%d recorded, want %d", l.Len(), len(seen))
				}
				checkInvariant(t, slices.Collect(maps.Keys(seen)))
			},
		})
	})
}

// checkInvariant says what the rules are for, without a word of how they are kept.
func checkInvariant(t *rapid.T, signed []Entry) {
	for i, a := range signed {
		for _, b := range signed[i+1:] {
			if a.Outpoint != b.Outpoint || a.Kind != b.Kind {
				continue
			}
			if a.Kind != State || a.Sequence == b.Sequence {
				t.Fatalf("signed both %v and %v", a, b)
			}
		}
	}
}
