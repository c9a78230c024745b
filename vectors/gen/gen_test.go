package gen

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"superscalar/vectors"
)

var rewrite = flag.Bool("rewrite", false, "write the generated files to the vectors folder")

const folder = ".." // of package vectors

// TestFilesOnDisk regenerates every file and compares it with the one that is
// shipped; no other file may be there.
func TestFilesOnDisk(t *testing.T) {
	if *rewrite {
		if err := GenerateTo(folder); err != nil {
			t.Fatal(err)
		}
	}
	want, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	var there []string
	for _, part := range append(vectors.Areas(), "schema") {
		paths, err := filepath.Glob(filepath.Join(folder, strings.ToLower(part), "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			rel, err := filepath.Rel(folder, p)
			if err != nil {
				t.Fatal(err)
			}
			there = append(there, filepath.ToSlash(rel))
		}
	}
	slices.Sort(there)
	if files := slices.Sorted(maps.Keys(want)); !slices.Equal(files, there) {
		t.Errorf("files on disk are %v, generated are %v", there, files)
	}
	for path, b := range want {
		got, err := os.ReadFile(filepath.Join(folder, path))
		if err != nil {
			t.Error(err)
			continue
		}
		if !bytes.Equal(got, b) {
			t.Errorf("%s is not what is generated; run this test with -rewrite", path)
		}
	}
}
