package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"superscalar/refnode/ledger"
)

// wantError checks reason, path and form of an error.
func wantError(t testing.TB, err, reason error, path string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, reason) || e.Path != path {
		t.Fatalf("got %v, want %v of %s", err, reason, path)
	}
	if !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
		t.Errorf("unclear: %q", err)
	}
}

// filled returns the bytes of a store with all kinds of records, more than fit a page, and its directory.
func filled(t testing.TB) (raw []byte, dir string) {
	t.Helper()
	s := mustOpen(t, t.TempDir())
	for n := range byte(40) {
		must(t, s.Sign(factory(n), []ledger.Entry{sale(uint32(n), n)}))
		must(t, s.PutFactory(factory(n), "terms", bytes.Repeat([]byte{n}, 300)))
		must(t, s.Put("wallet", fmt.Sprint(n), []byte{n}))
	}
	must(t, s.Put("wallet", "large", make([]byte, 20_000)))
	must(t, s.DeleteFactory(factory(3)))
	must(t, s.Close())
	raw, err := os.ReadFile(s.path)
	must(t, err)
	return raw, s.dir
}

func TestRefusedFiles(t *testing.T) {
	good, dir := filled(t)
	for _, c := range []struct {
		name string
		raw  []byte
		want error
	}{
		{"empty", nil, ErrCorrupt},
		{"text", []byte("hello"), ErrForeign},
		{"zeros", make([]byte, 32768), ErrForeign},
		{"half", good[:len(good)/2], ErrCorrupt},
		{"one page", good[:4096], ErrCorrupt},
		{"a few bytes", good[:100], ErrCorrupt},
		{"last page in use missing", good[:pages(good)*4096-1], ErrCorrupt},
		{"both meta pages", flipped(good, 16+40, 4096+16+40), ErrCorrupt},
		{"another application", database(t, func(tx *Tx) { must(t, tx.put(bucketMeta, []byte(metaApplication), []byte("x"))) }), ErrForeign},
		{"another bbolt database", database(t, func(tx *Tx) { must(t, tx.bolt.DeleteBucket([]byte(bucketMeta))) }), ErrForeign},
		{"newer schema", database(t, func(tx *Tx) { must(t, tx.put(bucketMeta, []byte(metaSchema), number(schema+1))) }), ErrNewer},
		{"newer schema, other seal", database(t, func(tx *Tx) {
			must(t, tx.put(bucketMeta, []byte(metaSchema), number(schema+1)))
			tx.seal.count++
		}), ErrNewer},
		{"schema zero", database(t, func(tx *Tx) { must(t, tx.put(bucketMeta, []byte(metaSchema), number(0))) }), ErrCorrupt},
		{"no schema", database(t, func(tx *Tx) { must(t, tx.remove(bucketMeta, []byte(metaSchema))) }), ErrCorrupt},
		{"bucket missing", database(t, func(tx *Tx) { must(t, tx.bolt.DeleteBucket([]byte(bucketRecords))) }), ErrCorrupt},
		{"record missing", database(t, func(tx *Tx) { tx.seal.count++ }), ErrCorrupt},
		{"record changed", database(t, func(tx *Tx) { tx.seal.sum[3] ^= 1 }), ErrCorrupt},
		{"record of signatures cut", database(t, func(tx *Tx) { must(t, tx.put(bucketSigned, number(7), make([]byte, 33))) }), ErrCorrupt},
		{"contradictory record", database(t, func(tx *Tx) {
			must(t, tx.put(bucketSigned, number(7), encodeSigned(factory(1), []ledger.Entry{sale(1, 1), sale(1, 2)})))
		}), ErrCorrupt},
		{"instance cut", database(t, func(tx *Tx) { must(t, tx.put(bucketMeta, []byte(metaInstance), nil)) }), ErrCorrupt},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(dir, databaseName)
			must(t, os.WriteFile(path, c.raw, 0o600))
			s, err := Open(dir)
			wantError(t, err, c.want, path)
			if s != nil {
				t.Error("a store as well")
			}
			left, err := os.ReadFile(path)
			must(t, err)
			if !bytes.Equal(left, c.raw) {
				t.Error("the file was changed")
			}
		})
	}
}

// pages counts the pages in use.
func pages(raw []byte) int {
	m, err := currentMeta(bytes.NewReader(raw))
	if err != nil {
		panic(err)
	}
	return int(m.high)
}

func flipped(raw []byte, at ...int) []byte {
	raw = bytes.Clone(raw)
	for _, i := range at {
		raw[i] ^= 1
	}
	return raw
}

// database returns the bytes of a new database after a change behind the back of the store.
func database(t *testing.T, change func(tx *Tx)) []byte {
	t.Helper()
	s := &Store{random: bytes.NewReader(make([]byte, 16))}
	path := filepath.Join(t.TempDir(), "x")
	must(t, s.draft(path))
	db, err := bolt.Open(path, 0o600, nil)
	must(t, err)
	must(t, db.Update(func(btx *bolt.Tx) error {
		sum, err := checkSeal(btx)
		must(t, err)
		tx := &Tx{bolt: btx, writable: true, seal: sum}
		change(tx)
		if btx.Bucket([]byte(bucketMeta)) == nil {
			return nil
		}
		return tx.writeSeal()
	}))
	must(t, db.Close())
	raw, err := os.ReadFile(path)
	must(t, err)
	return raw
}

// TestFlippedBytes flips bytes everywhere. A store that opens all the same lost nothing, or knows that it is an older one: bbolt
// falls back to the meta page of the change before when the last one is damaged.
func TestFlippedBytes(t *testing.T) {
	good, dir := filled(t)
	path := filepath.Join(dir, databaseName)
	sidecar, err := os.ReadFile(filepath.Join(dir, sidecarName))
	must(t, err)
	want := contents(t, good)
	random := rand.New(rand.NewPCG(1, 2))
	opened, used := 0, pages(good)*4096
	for i := range 1500 {
		bad := bytes.Clone(good)
		for range 1 + i%3 {
			at := random.IntN(used)
			if i%2 == 0 { // where the structure is
				at = random.IntN(used/4096)*4096 + random.IntN(200)
			}
			bad[at] ^= 1 << random.IntN(8)
		}
		must(t, os.WriteFile(path, bad, 0o600))
		must(t, os.WriteFile(filepath.Join(dir, sidecarName), sidecar, 0o600))
		s, err := Open(dir)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Path != path || !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrForeign) && !errors.Is(err, ErrNewer) {
				t.Fatalf("flip %d: %v", i, err)
			}
			continue
		}
		opened++
		restored := s.RestoredAtOpen()
		must(t, s.Close())
		if raw, err := os.ReadFile(path); err != nil || !restored && contents(t, raw) != want {
			t.Fatalf("flip %d: it opens with something else, %v", i, err)
		}
	}
	if opened == 0 || opened > 1000 {
		t.Errorf("%d of 1500 opened: the test tests nothing", opened)
	}
}

// contents is everything in a database but what each Open changes.
func contents(t *testing.T, raw []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x")
	must(t, os.WriteFile(path, raw, 0o600))
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true})
	must(t, err)
	defer db.Close()
	var sum seal
	must(t, db.View(func(btx *bolt.Tx) error {
		for _, name := range buckets {
			must(t, btx.Bucket([]byte(name)).ForEach(func(key, value []byte) error {
				if name != bucketMeta || string(key) != metaSeal && string(key) != metaGeneration {
					sum.add(name, key, value)
				}
				return nil
			}))
		}
		return nil
	}))
	return string(sum.encode())
}

func TestLocked(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	_, err := Open(s.dir)
	wantError(t, err, ErrLocked, s.path)
	must(t, s.Put("b", "k", nil)) // the first one is not disturbed
	reopen(t, s)
}

func FuzzVerifyFile(f *testing.F) {
	raw, _ := filled(f)
	f.Add(raw)
	f.Add(raw[:4096])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		_ = verifyFile(bytes.NewReader(raw), int64(len(raw))) // it must return
	})
}
