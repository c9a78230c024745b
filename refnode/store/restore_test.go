package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"superscalar/refnode/ledger"
	"superscalar/wire/rule"
)

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	raw, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to, raw, 0o600))
}

// TestRestore puts an older database under a newer sidecar, or beside none, in every way a restore happens.
func TestRestore(t *testing.T) {
	for _, c := range []struct {
		name string
		// damage gets a store with factory 1 in it and returns the directory to open afterwards.
		damage func(t *testing.T, s *Store) string
		want   bool
	}{
		{"nothing happened", func(t *testing.T, s *Store) string {
			must(t, s.Close())
			return s.dir
		}, false},
		{"copy of the file after Close", func(t *testing.T, s *Store) string {
			must(t, s.Close())
			copyFile(t, s.path, filepath.Join(s.dir, "copy"))
			s = mustOpen(t, s.dir)
			must(t, s.Close())
			must(t, os.Rename(filepath.Join(s.dir, "copy"), s.path))
			return s.dir
		}, true},
		{"copy of the file one signature ago", func(t *testing.T, s *Store) string {
			copyFile(t, s.path, filepath.Join(s.dir, "copy"))
			must(t, s.Sign(factory(1), []ledger.Entry{sale(2, 1)}))
			must(t, s.Close())
			must(t, os.Rename(filepath.Join(s.dir, "copy"), s.path))
			return s.dir
		}, true},
		{"copy of the file on another disk", func(t *testing.T, s *Store) string {
			other := t.TempDir()
			must(t, s.Close())
			copyFile(t, s.path, filepath.Join(other, databaseName))
			return other
		}, true},
		{"the sidecar was removed", func(t *testing.T, s *Store) string {
			must(t, s.Close())
			must(t, os.Remove(filepath.Join(s.dir, sidecarName)))
			return s.dir
		}, true},
		{"a backup under the sidecar of the same generation", func(t *testing.T, s *Store) string {
			var backup bytes.Buffer
			must(t, s.Backup(&backup))
			must(t, s.Close())
			must(t, os.WriteFile(s.path, backup.Bytes(), 0o600))
			return s.dir
		}, true},
		{"a backup on another disk", func(t *testing.T, s *Store) string {
			var backup bytes.Buffer
			must(t, s.Backup(&backup))
			other := t.TempDir()
			must(t, os.WriteFile(filepath.Join(other, databaseName), backup.Bytes(), 0o600))
			return other
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := mustOpen(t, t.TempDir())
			must(t, s.PutFactory(factory(1), "terms", []byte("kept")))
			must(t, s.Sign(factory(2), []ledger.Entry{sale(1, 1)})) // signed for, without parts
			instance := s.Instance()
			dir := c.damage(t, s)

			s = mustOpen(t, dir)
			for range 2 { // it stays restored
				if s.Restored(factory(1)) != c.want || s.Restored(factory(2)) != c.want || s.Restored(factory(3)) {
					t.Fatalf("restored: %v %v %v", s.Restored(factory(1)), s.Restored(factory(2)), s.Restored(factory(3)))
				}
				if (s.Instance() != instance) != c.want {
					t.Error("the instance changes with a restore and only then")
				}
				wantRestored(t, s, factory(1), sale(9, 1), c.want)
				wantRestored(t, s, factory(2), sale(1, 1), c.want)
				wantRestored(t, s, factory(3), sale(1, 1), c.want) // its outpoint belongs to factory 2
				must(t, s.Sign(factory(3), []ledger.Entry{sale(3, 1)}))
				if data, _, err := s.FactoryPart(factory(1), "terms"); string(data) != "kept" || err != nil {
					t.Errorf("what was stored: %q, %v", data, err)
				}
				s = reopen(t, s)
				if s.RestoredAtOpen() {
					t.Error("restored again")
				}
			}
			must(t, s.Close())
			mutant, err := OpenWith(dir, Options{Rules: rule.Without(rule.PS013)})
			must(t, err)
			must(t, mutant.Sign(factory(1), []ledger.Entry{sale(20, 1)}))
			must(t, mutant.Close())
		})
	}
}

func wantRestored(t *testing.T, s *Store, id [32]byte, e ledger.Entry, want bool) {
	t.Helper()
	err := s.Sign(id, []ledger.Entry{e})
	var restored *RestoredError
	if !want && err == nil {
		return
	}
	if !want || !errors.As(err, &restored) || restored.Rule() != rule.PS013 {
		t.Errorf("sign for %x: %v, want restored %v", id[:2], err, want)
	}
}

// TestLaggingSidecar : whatever an honest node loses in a crash is lost from the sidecar, and that is no restore.
func TestLaggingSidecar(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	path := filepath.Join(s.dir, sidecarName)
	old, err := os.ReadFile(path)
	must(t, err)
	for n := range byte(5) {
		must(t, s.Sign(factory(1), []ledger.Entry{sale(uint32(n), n)}))
	}
	must(t, s.Close())
	generation := s.Generation()
	must(t, os.WriteFile(path, old, 0o600))
	s = mustOpen(t, s.dir)
	if s.RestoredAtOpen() || s.Generation() != generation+1 {
		t.Fatalf("restored %v, generation %d after %d", s.RestoredAtOpen(), s.Generation(), generation)
	}
	must(t, s.Sign(factory(1), []ledger.Entry{sale(10, 1)}))
}

// TestCrashDuringFirstOpen : the database is there and the sidecar is not yet.
func TestCrashDuringFirstOpen(t *testing.T) {
	s := &Store{dir: t.TempDir(), random: bytes.NewReader(make([]byte, 16))}
	s.path = filepath.Join(s.dir, databaseName)
	must(t, os.WriteFile(filepath.Join(s.dir, databaseDraft), []byte("half a dra"), 0o600)) // of a crash even earlier
	must(t, s.create())
	if s := mustOpen(t, s.dir); s.RestoredAtOpen() || s.Generation() != 1 {
		t.Fatalf("restored %v, generation %d", s.RestoredAtOpen(), s.Generation())
	}
	names, err := filepath.Glob(filepath.Join(s.dir, "*"))
	must(t, err)
	if len(names) != 2 {
		t.Errorf("left over: %v", names)
	}
}

func TestLostDatabase(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	must(t, s.Close())
	must(t, os.Remove(s.path))
	_, err := Open(s.dir)
	wantError(t, err, ErrCorrupt, s.path)
	if _, err := os.Stat(s.path); err == nil {
		t.Error("it made a new one")
	}
}

func TestDamagedSidecar(t *testing.T) {
	for _, c := range []struct{ name, content string }{
		{"empty", ""}, {"text", "hello"}, {"other sum", "superscalar generation 00000000000000000001 00000000\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := mustOpen(t, t.TempDir())
			must(t, s.Close())
			path := filepath.Join(s.dir, sidecarName)
			must(t, os.WriteFile(path, []byte(c.content), 0o600))
			_, err := Open(s.dir)
			wantError(t, err, ErrCorrupt, path)
		})
	}
}
