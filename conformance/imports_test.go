package conformance_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Imports run one way: a folder may import those before it. Test files may
// look further, except from wire and refnode.
func TestImportsRunOneWay(t *testing.T) {
	order := []string{"wire", "refnode", "vectors/gen", "harness/report", "harness/driver", "harness", "conformance", "harness/cli"}
	allowed := map[string][]string{
		"vectors": {"wire"}, "wire": {"wire"},
	}
	place := func(path string) int {
		best := -1
		for i, p := range order {
			if (path == p || strings.HasPrefix(path, p+"/")) && (best < 0 || len(p) > len(order[best])) {
				best = i
			}
		}
		return best
	}
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		dir := filepath.ToSlash(strings.TrimPrefix(filepath.Dir(file), ".."+string(filepath.Separator)))
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			to, ours := strings.CutPrefix(path, "superscalar/")
			if !ours {
				continue
			}
			if only, strict := allowed[dir]; strict && !inside(to, only) {
				t.Errorf("%s imports %s: %s may import %v only", file, to, dir, only)
			}
			if from, at := place(dir), place(to); from >= 0 && at > from {
				t.Errorf("%s imports %s, which stands above it", file, to)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func inside(path string, folders []string) bool {
	for _, f := range folders {
		if path == f || strings.HasPrefix(path, f+"/") {
			return true
		}
	}
	return false
}
