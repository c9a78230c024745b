package datadir

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// seeded is a random source that gives 00 01 02 .. 1f.
func seeded() Options {
	var seed [seedSize]byte
	for i := range seed {
		seed[i] = byte(i)
	}

	return Options{Random: bytes.NewReader(seed[:])}
}

// mustOpen opens a directory and closes it with the test.
func mustOpen(t *testing.T, path, role string, o Options) *Dir {
	t.Helper()
	d, err := Open(path, role, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })

	return d
}

// nodeKey returns the node key in hex.
func nodeKey(d *Dir) string { return hex.EncodeToString(d.NodeKey().Serialize()) }

// tree lists what is below root, with modes and contents.
func tree(t *testing.T, root string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		var raw []byte
		if info.Mode().IsRegular() {
			if raw, err = os.ReadFile(p); err != nil {
				return err
			}
		}
		rel, err := filepath.Rel(root, p)
		all = append(all, fmt.Sprintf("%s %s %x", rel, info.Mode(), raw))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	return all
}

// wantOneLine fails unless err is reason, on one line, and says text.
func wantOneLine(t *testing.T, err, reason error, text string) {
	t.Helper()
	if !errors.Is(err, reason) {
		t.Fatalf("got %v, want %v", err, reason)
	}
	if s := err.Error(); strings.Contains(s, "\n") || !strings.Contains(s, text) {
		t.Fatalf("%q does not say %q on one line", s, text)
	}
}

func TestOpenCreatesAndKeeps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "node")
	d := mustOpen(t, path, RoleLSP, Options{Network: Signet})
	if d.Path() != path || d.Role() != RoleLSP || d.Network() != Signet {
		t.Fatalf("got %s, %s, %s", d.Path(), d.Role(), d.Network())
	}
	first := nodeKey(d)
	for _, c := range []struct {
		path string
		mode fs.FileMode
	}{
		{path, fs.ModeDir | 0o700},
		{filepath.Dir(path), fs.ModeDir | 0o700},
		{filepath.Join(path, identityFile), 0o600},
		{filepath.Join(path, lockFile), 0o600},
	} {
		info, err := os.Stat(c.path)
		if err != nil || info.Mode() != c.mode {
			t.Errorf("%s: mode %s, %v", c.path, info.Mode(), err)
		}
	}
	if entries, err := os.ReadDir(path); err != nil || len(entries) != 2 {
		t.Errorf("got %v, %v", entries, err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatalf("closing again: %v", err)
	}
	before := tree(t, path)

	again := mustOpen(t, path, RoleLSP, Options{
		Network: Signet,
		Random:  iotest.ErrReader(errors.New("nothing is drawn again")),
	})
	if nodeKey(again) != first {
		t.Fatal("the key changed")
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, tree(t, path)); diff != "" {
		t.Fatal(diff)
	}
	other := mustOpen(t, filepath.Join(t.TempDir(), "other"), RoleLSP, Options{})
	if nodeKey(other) == first || other.Network() != Regtest {
		t.Fatal("two nodes have one key")
	}
}

func TestNodeFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node")
	mustOpen(t, path, RoleClient, seeded())
	got, err := os.ReadFile(filepath.Join(path, identityFile))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/node.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Fatal(diff)
	}
}

func TestDeriveKey(t *testing.T) {
	d := mustOpen(t, filepath.Join(t.TempDir(), "node"), RoleLSP, seeded())
	// Computed from the rule in the comment with Python's hmac module.
	for _, c := range []struct {
		label string
		index uint32
		want  string
	}{
		{nodeKeyLabel, 0, "2e0a8b72e12e7d73402591b38b3a5d518edca95a0088796bbf4c7ae94fac6902"},
		{"factory/key", 0, "1f46db1d4411fcb6ce5d2e8aa9b3456c9570b3754d7aa084abef31ae93b11794"},
		{"factory/key", 1, "f7916823b30bdce196a828377cdd063d4b1cb62305465f9b40162f560d9fd186"},
		{"factory/key", 0xffffffff, "f3ba2a21db4182e4d7049bd554ff92e19ffc34e6da2520b0c236f6bf13597477"},
		{"a", 256, "36c0f24851ce091c525fd196f7d1425309025687f37df920eb7ffba99e5a4b10"},
	} {
		t.Run(fmt.Sprintf("%s %d", c.label, c.index), func(t *testing.T) {
			key, err := d.DeriveKey(c.label, c.index)
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(key.Serialize()); got != c.want {
				t.Fatalf("got %s, want %s", got, c.want)
			}
		})
	}
	if key, err := d.DeriveKey(nodeKeyLabel, 0); err != nil || !key.Key.Equals(&d.NodeKey().Key) {
		t.Errorf("the node key is another key, %v", err)
	}
	for _, label := range []string{"", "two words", "nul\x00", "ü", "\n",
		strings.Repeat("x", maxLabel+1)} {
		if _, err := d.DeriveKey(label, 0); !errors.Is(err, ErrArgument) {
			t.Errorf("label %q: %v", label, err)
		}
	}
}

func TestRefusedArguments(t *testing.T) {
	for _, c := range []struct{ name, role, network string }{
		{"no role", "", Regtest}, {"unknown role", "lurker", Regtest},
		{"unknown network", RoleLSP, "moon"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			_, err := Open(filepath.Join(root, "x"), c.role,
				Options{Network: c.network})
			wantOneLine(t, err, ErrArgument, "want one of")
			if left := tree(t, root); len(left) != 1 {
				t.Fatalf("left %v", left)
			}
		})
	}
}

func TestFailedFirstOpenLeavesNothing(t *testing.T) {
	dry := errors.New("dry")
	noRandom := Options{Random: iotest.ErrReader(dry)}
	halfRandom := Options{Random: bytes.NewReader(make([]byte, 31))}
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, root string) string
		opts    Options
		want    error
	}{
		{"no randomness", func(t *testing.T, root string) string {
			return filepath.Join(root, "a", "b")
		}, noRandom, dry},
		{"too little randomness", func(t *testing.T, root string) string {
			return filepath.Join(root, "a", "b")
		}, halfRandom, io.ErrUnexpectedEOF},
		{"no randomness, directory exists", func(t *testing.T, root string) string {
			return root
		}, noRandom, dry},
		{"a file in the way", func(t *testing.T, root string) string {
			put(t, filepath.Join(root, "a"), "text", 0o644)
			return filepath.Join(root, "a", "b")
		}, Options{}, ErrNotDirectory},
		{"other files are there", func(t *testing.T, root string) string {
			put(t, filepath.Join(root, "channels.db"), "data", 0o600)
			return root
		}, Options{}, ErrNoIdentity},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			path := c.prepare(t, root)
			before := tree(t, root)
			_, err := Open(path, RoleLSP, c.opts)
			wantOneLine(t, err, c.want, "")
			if diff := cmp.Diff(before, tree(t, root)); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}

// put writes a file with a mode, whatever the umask says.
func put(t *testing.T, path, content string, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func TestOpenAfterDeathInTheMiddle(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
	}{
		{"lock alone", map[string]string{lockFile: "1234\n"}},
		{"half a draft", map[string]string{lockFile: "", draftFile: "{\"for"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := t.TempDir()
			for name, content := range c.files {
				put(t, filepath.Join(path, name), content, 0o600)
			}
			mustOpen(t, path, RoleLSP, Options{})
			_, err := os.Stat(filepath.Join(path, draftFile))
			if !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("the draft is still there: %v", err)
			}
		})
	}
}

func TestRefusedFiles(t *testing.T) {
	good, err := os.ReadFile("testdata/node.json")
	if err != nil {
		t.Fatal(err)
	}
	replace := func(old, new string) string {
		out := strings.Replace(string(good), old, new, 1)
		if out == string(good) {
			t.Fatalf("%q is not in the file", old)
		}
		return out
	}
	for _, c := range []struct {
		name, content string
		mode          fs.FileMode
		want          error
		says          string
	}{
		{"good", string(good), 0o600, nil, ""},
		{"good, read only", string(good), 0o400, nil, ""},
		{"empty", "", 0o600, ErrCorrupt, "backup"},
		{"truncated", string(good[:len(good)/2]), 0o600, ErrCorrupt, "backup"},
		{"last brace missing", strings.TrimRight(string(good), "}\n"), 0o600, ErrCorrupt, "backup"},
		{"not JSON", "hello", 0o600, ErrCorrupt, "backup"},
		{"null", "null", 0o600, ErrCorrupt, "never existed"},
		{"something behind", string(good) + "{}", 0o600, ErrCorrupt, "backup"},
		{"unknown field", replace("{", "{\"extra\": 1,"), 0o600, ErrCorrupt, "extra"},
		{"format zero", replace(`"format": 1`, `"format": 0`), 0o600, ErrCorrupt, "never existed"},
		{"format negative", replace(`"format": 1`, `"format": -1`), 0o600, ErrCorrupt, "never existed"},
		{"format text", replace(`"format": 1`, `"format": "1"`), 0o600, ErrCorrupt, "backup"},
		{"newer format", `{"format": 2, "keys": []}`, 0o600, ErrNewerFormat, "use the version"},
		{"seed changed", replace("000102", "000103"), 0o600, ErrCorrupt, "checksum"},
		{"seed missing", replace("000102", ""), 0o600, ErrCorrupt, "checksum"},
		{"network changed", replace("regtest", "mainnet"), 0o600, ErrCorrupt, "checksum"},
		{"checksum missing", "{\"format\": 1}", 0o600, ErrCorrupt, "checksum"},
		{"short seed, right checksum", shortSeed(), 0o600, ErrCorrupt, "32 bytes"},
		{"too long", string(good) + strings.Repeat(" ", maxFile), 0o600, ErrCorrupt, "longer"},
		{"group may read", string(good), 0o640, ErrPermissions, "chmod 600"},
		{"world may read", string(good), 0o604, ErrPermissions, "0604"},
		{"owner may execute", string(good), 0o700, ErrPermissions, "0700"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := t.TempDir()
			put(t, filepath.Join(path, identityFile), c.content, c.mode)
			before := tree(t, path)
			d, err := Open(path, RoleClient, Options{})
			if c.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				d.Close()
				return
			}
			wantOneLine(t, err, c.want, c.says)
			var e *Error
			if !errors.As(err, &e) || e.Path != path || e.Remedy == "" {
				t.Fatalf("got %#v", err)
			}
			if diff := cmp.Diff(before, tree(t, path)); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}

// shortSeed returns a file that is right but for the size of its seed.
func shortSeed() string {
	id := identity{Format: 1, Role: RoleClient, Network: Regtest, Seed: "00"}

	return fmt.Sprintf(`{"format":1,"role":%q,"network":%q,"seed":"00",`+
		`"checksum":%q}`, id.Role, id.Network, id.sum())
}

func TestWrongRoleAndNetwork(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node")
	mustOpen(t, path, RoleClient, Options{}).Close()
	before := tree(t, path)

	_, err := Open(path, RoleLSP, Options{})
	wantOneLine(t, err, ErrWrongRole, `"client", not "lsp"`)
	_, err = Open(path, RoleClient, Options{Network: Mainnet})
	wantOneLine(t, err, ErrWrongNetwork, "regtest, not mainnet")
	if diff := cmp.Diff(before, tree(t, path)); diff != "" {
		t.Fatal(diff)
	}
}

func TestLinkIsRefused(t *testing.T) {
	path := t.TempDir()
	if err := os.Symlink("elsewhere", filepath.Join(path, identityFile)); err != nil {
		t.Fatal(err)
	}
	_, err := Open(path, RoleLSP, Options{})
	wantOneLine(t, err, ErrCorrupt, "regular file")
}

func TestOneOfManyWins(t *testing.T) {
	for range 20 {
		path := filepath.Join(t.TempDir(), "deep", "node")
		results := make([]error, 8)
		dirs := make([]*Dir, len(results))
		var wg sync.WaitGroup
		for i := range results {
			wg.Go(func() {
				dirs[i], results[i] = Open(path, RoleLSP, Options{})
			})
		}
		wg.Wait()
		won := 0
		for i, err := range results {
			if err == nil {
				won++
				defer dirs[i].Close()
			} else if !errors.Is(err, ErrInUse) {
				t.Errorf("got %v", err)
			}
		}
		if won != 1 {
			t.Fatalf("%d have the directory open", won)
		}
		if left := tree(t, path); !slices.ContainsFunc(left, func(s string) bool {
			return strings.HasPrefix(s, identityFile)
		}) {
			t.Fatalf("no identity in %v", left)
		}
	}
}
