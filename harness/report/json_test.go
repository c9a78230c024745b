package report

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// written writes the report into a new folder.
func written(t *testing.T, r *Report) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "deep", "report")
	if err := Write(dir, r); err != nil {
		t.Fatal(err)
	}
	return dir
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func TestWriteGolden(t *testing.T) {
	dir := written(t, sample())
	if diff := cmp.Diff([]string{"index.html", "junit.xml", "report.json"}, names(t, dir)); diff != "" {
		t.Error(diff)
	}
	for _, name := range names(t, dir) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, data)
	}
}

func TestWriteThenRead(t *testing.T) {
	want := sample()
	dir := written(t, want)
	for _, path := range []string{dir, filepath.Join(dir, "report.json")} {
		got, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestWriteLeavesItsInputAlone(t *testing.T) {
	r := &Report{Cases: []Case{{Name: "a", State: Failed, Failures: []Failure{{}}}}}
	Finish(r)
	written(t, r)
	if r.Cases[0].Rules != nil || r.Cases[0].Failures[0].Expected != nil || r.Requirements != nil {
		t.Error("Write changed the report")
	}
}

func TestWriteReplacesAnOlderReport(t *testing.T) {
	dir := written(t, sample())
	r := sample()
	r.Cases = r.Cases[:2]
	r.Requirements = nil
	Finish(r)
	if err := Write(dir, r); err != nil {
		t.Fatal(err)
	}
	if err := Check(dir); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(filepath.Join(dir, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o644 {
		t.Errorf("mode is %v: a CI server cannot read it", info.Mode())
	}
}

func TestWriteErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, dir, want string }{
		{"a file", file, "is, or is inside, a file: name a folder with --report"},
		{"inside a file", filepath.Join(file, "sub"), "is, or is inside, a file: name a folder with --report"},
		{"too long", filepath.Join(t.TempDir(), strings.Repeat("x", 300)), "name another folder with --report"},
		{"empty", "", "name another folder with --report"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := Write(tt.dir, sample())
			if !errors.Is(err, ErrFolder) {
				t.Fatalf("got %v, want ErrFolder", err)
			}
			if !strings.HasSuffix(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %q", err)
			}
		})
	}
}

// Permissions do not bind every user who runs the tests, so the sentence is
// tested apart from the file system.
func TestFolderErrorNamesWhatToDo(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		err  error
		want string
	}{
		{syscall.EACCES, "report folder not usable: no permission to write in DIR: name another folder with --report"},
		{syscall.ENOSPC, "report folder not usable: no space left in DIR: free some, or name another folder with --report"},
		{syscall.EROFS, "report folder not usable: DIR: read-only file system: name another folder with --report"},
	} {
		err := folderError(dir, &fs.PathError{Op: "open", Path: "x", Err: tt.err})
		if got := strings.ReplaceAll(err.Error(), dir, "DIR"); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestWriteThatFailsLeavesNothingHalfWritten(t *testing.T) {
	dir := t.TempDir()
	blocker := filepath.Join(dir, "report.json", "inside")
	if err := os.MkdirAll(blocker, 0o755); err != nil {
		t.Fatal(err)
	}
	err := Write(dir, sample())
	if !errors.Is(err, ErrFolder) || strings.Contains(err.Error(), "\n") {
		t.Fatalf("got %v, want ErrFolder on one line", err)
	}
	for _, name := range names(t, dir) {
		if strings.HasPrefix(name, ".") {
			t.Errorf("%s was left behind", name)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	data, err := encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for _, tt := range []struct{ name, text string }{
		{"empty", ""},
		{"not JSON", "{"},
		{"a list", "[]"},
		{"cut off", text[:len(text)/2]},
		{"something after it", text + "{}"},
		{"unknown field", strings.Replace(text, `"suite": {`, `"extra": 1, "suite": {`, 1)},
		{"unknown field deep down", strings.Replace(text, `"direction": "sent",`, `"direction": "sent", "extra": 1,`, 1)},
		{"wrong type", strings.Replace(text, `"seed": 18446744073709551615`, `"seed": -1`, 1)},
		{"newer schema version", strings.Replace(text, `"schema_version": 1`, `"schema_version": 2`, 1)},
		{"no schema version", strings.Replace(text, `"schema_version": 1,`, ``, 1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.text == text {
				t.Fatal("the text was not changed")
			}
			path := filepath.Join(t.TempDir(), "other-name.json")
			if err := os.WriteFile(path, []byte(tt.text), 0o644); err != nil {
				t.Fatal(err)
			}
			r, err := Read(path)
			if !errors.Is(err, ErrMalformed) || r != nil {
				t.Errorf("got %v, %v, want ErrMalformed", r, err)
			}
		})
	}
	if _, err := Read(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing report: got %v", err)
	}
	if _, err := Read(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("folder without a report: got %v", err)
	}
}
