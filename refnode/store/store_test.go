package store

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"superscalar/refnode/ledger"
	"superscalar/wire/rule"
)

func mustOpen(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func reopen(t testing.TB, s *Store) *Store {
	t.Helper()
	must(t, s.Close())
	return mustOpen(t, s.dir)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// factory is an id; two numbers are two factories.
func factory(n byte) [32]byte { return [32]byte{0xfa, n} }

// sale is a transaction; two on one outpoint contradict each other.
func sale(outpoint uint32, hash byte) ledger.Entry {
	return ledger.Entry{Outpoint: wire.OutPoint{Index: outpoint}, Kind: ledger.Sale, Sequence: 0xffffffff, Sighash: [32]byte{hash}}
}

func wantRefusal(t testing.TB, err error, id rule.ID) {
	t.Helper()
	var refusal *ledger.Refusal
	if !errors.As(err, &refusal) || refusal.Rule != id {
		t.Fatalf("got %v, want a refusal by %s", err, id)
	}
}

func TestSignSurvivesReopening(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	must(t, s.Sign(factory(1), []ledger.Entry{sale(1, 1), sale(2, 1)}))
	for range 3 {
		must(t, s.Sign(factory(1), []ledger.Entry{sale(2, 1)})) // the very same
		wantRefusal(t, s.Sign(factory(1), []ledger.Entry{sale(3, 1), sale(2, 2)}), rule.PS011)
		must(t, s.Sign(factory(1), nil))
		if n := s.ledger.Len(); n != 2 {
			t.Fatalf("%d recorded, want 2: a refused call was", n)
		}
		s = reopen(t, s)
	}
	if s.RestoredAtOpen() || s.Restored(factory(1)) {
		t.Error("taken for restored")
	}
}

func TestRulesCanBeSwitchedOff(t *testing.T) {
	for _, c := range []struct {
		name string
		off  rule.ID
	}{{"contradictions are signed", rule.PS011}, {"nothing is recorded", rule.PS010}} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for hash := range byte(3) {
				s, err := OpenWith(dir, Options{Rules: rule.Without(c.off)})
				must(t, err)
				must(t, s.Sign(factory(1), []ledger.Entry{sale(1, hash)}))
				must(t, s.Close())
			}
		})
	}
}

func TestUpdateIsAllOrNothing(t *testing.T) {
	boom := errors.New("boom")
	for _, c := range []struct {
		name string
		fn   func(tx *Tx) error
		want error
	}{
		{"error of the caller", func(*Tx) error { return boom }, boom},
		{"refusal passed on", func(tx *Tx) error { return tx.Sign(factory(1), []ledger.Entry{sale(1, 2)}) }, nil},
		{"refusal overlooked", func(tx *Tx) error { _ = tx.Sign(factory(1), []ledger.Entry{sale(1, 2)}); return nil }, nil},
		{"bad name overlooked", func(tx *Tx) error { _ = tx.Put("", "k", nil); return nil }, ErrArgument},
		{"contradiction within", func(tx *Tx) error {
			if err := tx.Sign(factory(1), []ledger.Entry{sale(5, 1)}); err != nil {
				return err
			}
			return tx.Sign(factory(1), []ledger.Entry{sale(5, 2)})
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := mustOpen(t, t.TempDir())
			must(t, s.Sign(factory(1), []ledger.Entry{sale(1, 1)}))
			before := s.Generation()
			err := s.Update(func(tx *Tx) error {
				must(t, tx.Put("b", "k", []byte("v")))
				must(t, tx.PutFactory(factory(9), "p", []byte("v")))
				must(t, tx.Sign(factory(1), []ledger.Entry{sale(4, 1)}))
				return c.fn(tx)
			})
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if s.Generation() != before {
				t.Errorf("generation %d, was %d", s.Generation(), before)
			}
			for range 2 { // in memory and on disk
				if _, found, err := s.Get("b", "k"); found || err != nil {
					t.Errorf("stored, %v", err)
				}
				if _, found, err := s.Factory(factory(9)); found || err != nil {
					t.Errorf("stored, %v", err)
				}
				s = reopen(t, s)
			}
			must(t, s.Sign(factory(1), []ledger.Entry{sale(4, 2)})) // not the one of the failed update
		})
	}
}

// TestRace lets goroutines sign contradictory transactions: one of them wins.
func TestRace(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	const n = 16
	results := make(chan error, n)
	for hash := range byte(n) {
		go func() { results <- s.Sign(factory(1), []ledger.Entry{sale(1, hash)}) }()
	}
	signed := 0
	for range n {
		err := <-results
		if err == nil {
			signed++
			continue
		}
		wantRefusal(t, err, rule.PS011)
	}
	if signed != 1 || s.ledger.Len() != 1 {
		t.Fatalf("%d signed, %d recorded", signed, s.ledger.Len())
	}
}

func TestPanicOfTheCallerRollsBack(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	func() {
		defer func() {
			if recover() != "mine" {
				t.Error("the panic was swallowed")
			}
		}()
		_ = s.Update(func(tx *Tx) error { must(t, tx.Put("b", "k", nil)); panic("mine") })
	}()
	if _, found, err := s.Get("b", "k"); found || err != nil {
		t.Fatalf("stored %v, %v", found, err)
	}
	must(t, s.Put("b", "k", nil))
}

func TestRecords(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	value := []byte("one")
	must(t, s.Update(func(tx *Tx) error {
		must(t, tx.Put("wallet", "b", value))
		value[0] = 'X' // the caller's own again
		must(t, tx.Put("wallet", "a", nil))
		must(t, tx.Put("wallets", "c", []byte("other bucket")))
		got, found, err := tx.Get("wallet", "b")
		if string(got) != "one" || !found || err != nil {
			t.Errorf("inside: %q %v %v", got, found, err)
		}
		return nil
	}))
	s = reopen(t, s)
	keys, err := s.Keys("wallet")
	if diff := cmp.Diff([]string{"a", "b"}, keys); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if got, found, err := s.Get("wallet", "b"); string(got) != "one" || !found || err != nil {
		t.Errorf("%q %v %v", got, found, err)
	}
	if got, found, err := s.Get("wallet", "a"); len(got) != 0 || !found || err != nil {
		t.Errorf("an empty value: %q %v %v", got, found, err)
	}
	must(t, s.Delete("wallet", "a"))
	must(t, s.Delete("wallet", "a"))
	if _, found, err := s.Get("wallet", "a"); found || err != nil {
		t.Errorf("deleted: %v %v", found, err)
	}
	err = s.View(func(tx *Tx) error { return tx.Put("wallet", "a", nil) })
	if !errors.Is(err, ErrReadOnly) {
		t.Errorf("write in View: %v", err)
	}
	for _, name := range []string{"", "a\x00b", strings.Repeat("x", maxName+1)} {
		if err := s.Put(name, "k", nil); !errors.Is(err, ErrArgument) {
			t.Errorf("bucket %q: %v", name, err)
		}
		if err := s.Put("b", name, nil); !errors.Is(err, ErrArgument) {
			t.Errorf("key %q: %v", name, err)
		}
		if err := s.PutFactory(factory(1), name, nil); !errors.Is(err, ErrArgument) {
			t.Errorf("part %q: %v", name, err)
		}
	}
	must(t, s.Close())
	must(t, s.Close())
	if err := s.Put("b", "k", nil); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestFactories(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	for _, n := range []byte{3, 1, 2} {
		must(t, s.PutFactory(factory(n), "terms", []byte{n}))
		must(t, s.PutFactory(factory(n), "path", bytes.Repeat([]byte{n}, 10_000)))
	}
	must(t, s.Sign(factory(2), []ledger.Entry{sale(1, 1)}))
	must(t, s.DeleteFactory(factory(2)))
	s = reopen(t, s)
	ids, err := s.Factories()
	if diff := cmp.Diff([][32]byte{factory(1), factory(3)}, ids); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	parts, found, err := s.Factory(factory(3))
	want := map[string][]byte{"terms": {3}, "path": bytes.Repeat([]byte{3}, 10_000)}
	if diff := cmp.Diff(want, parts); diff != "" || !found || err != nil {
		t.Errorf("%v %v %s", found, err, diff)
	}
	if data, found, err := s.FactoryPart(factory(3), "terms"); !bytes.Equal(data, []byte{3}) || !found || err != nil {
		t.Errorf("%x %v %v", data, found, err)
	}
	// What was signed outlives the factory.
	wantRefusal(t, s.Sign(factory(2), []ledger.Entry{sale(1, 2)}), rule.PS011)
}

// TestAgainstModel compares random work and restarts with maps.
func TestAgainstModel(t *testing.T) {
	root := t.TempDir()
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		dir := filepath.Join(root, fmt.Sprint(runs))
		must(t, os.Mkdir(dir, 0o700))
		s := mustOpen(t, dir)
		defer func() { _ = s.Close() }()
		values := map[string]string{}
		signed, _ := ledger.New(rule.Set{}, nil)
		rt.Repeat(map[string]func(*rapid.T){
			"update": func(rt *rapid.T) {
				draft := maps.Clone(values)
				var entries []ledger.Entry
				fail := rapid.Bool().Draw(rt, "fail")
				err := s.Update(func(tx *Tx) error {
					for range rapid.IntRange(0, 6).Draw(rt, "steps") {
						key := fmt.Sprint("k", rapid.IntRange(0, 9).Draw(rt, "key"))
						switch rapid.IntRange(0, 2).Draw(rt, "what") {
						case 0:
							draft[key] = rapid.StringN(0, -1, 3000).Draw(rt, "value")
							must(t, tx.Put("b", key, []byte(draft[key])))
						case 1:
							delete(draft, key)
							must(t, tx.Delete("b", key))
						case 2:
							e := sale(rapid.Uint32Range(0, 5).Draw(rt, "outpoint"), rapid.ByteRange(0, 1).Draw(rt, "hash"))
							entries = append(entries, e)
							if err := tx.Sign(factory(1), []ledger.Entry{e}); err != nil {
								return err
							}
						}
					}
					if fail {
						return errors.New("changed my mind")
					}
					return nil
				})
				refused := signed.Check(entries) != nil
				if (err == nil) != (!fail && !refused) {
					rt.Fatalf("update: %v; refused %v", err, refused)
				}
				if err == nil {
					values = draft
					must(t, signed.Add(entries))
				}
			},
			"restart": func(*rapid.T) { s = reopen(t, s) },
			"": func(rt *rapid.T) {
				keys, err := s.Keys("b")
				must(t, err)
				if want := slices.Sorted(maps.Keys(values)); !slices.Equal(keys, want) {
					rt.Fatalf("keys %v, want %v", keys, want)
				}
				for _, key := range keys {
					got, _, err := s.Get("b", key)
					must(t, err)
					if string(got) != values[key] {
						rt.Fatalf("%s is %q, want %q", key, got, values[key])
					}
				}
				if s.ledger.Len() != signed.Len() {
					rt.Fatalf("%d signed, want %d", s.ledger.Len(), signed.Len())
				}
			},
		})
	})
}

func BenchmarkOpenNew(b *testing.B) {
	dir := b.TempDir()
	for i := range b.N {
		one := filepath.Join(dir, fmt.Sprint(i))
		must(b, os.Mkdir(one, 0o700))
		s, err := Open(one)
		must(b, err)
		must(b, s.Close())
	}
}

func BenchmarkSign(b *testing.B) {
	for _, n := range []int{1, 20, 2500} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := mustOpen(b, b.TempDir())
			next := uint32(0)
			for b.Loop() {
				entries := make([]ledger.Entry, n)
				for i := range entries {
					next++
					entries[i] = sale(next, 1)
				}
				must(b, s.Sign(factory(1), entries))
			}
		})
	}
}
