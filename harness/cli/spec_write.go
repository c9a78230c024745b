package cli

import (
	"cmp"
	"go/format"
	"os"
	"path/filepath"

	"superscalar/wire/rule"
)

// writeRegistry generates the registry and its ids inside dir, the folder of
// the repository. Both files are complete before the first one is put in place.
func writeRegistry(dir string) error {
	r, err := parseSpec(filepath.Join(dir, defaultSpecFile))
	if err != nil {
		return err
	}
	ids, err := format.Source(rule.Constants(r))
	if err != nil {
		return exit(ExitBroken, "the generated ids.go is no Go: %w", err)
	}
	folder := filepath.Join(dir, "wire", "rule")
	var drafts []string
	defer func() {
		for _, d := range drafts {
			_ = os.Remove(d) // gone already when all went well
		}
	}()
	files := []struct {
		name    string
		content []byte
	}{{"registry.json", r.JSON()}, {"ids.go", ids}}
	for _, f := range files {
		draft, err := os.CreateTemp(folder, "."+f.name+".*")
		if err != nil {
			return exit(ExitUsage, "%w; name the folder of the repository with --write", err)
		}
		drafts = append(drafts, draft.Name())
		_, err = draft.Write(f.content)
		// CreateTemp makes the file private; it belongs into a repository.
		if err = cmp.Or(err, draft.Chmod(0o644), draft.Close()); err != nil {
			return exit(ExitUsage, "writing %s: %w", f.name, err)
		}
	}
	for i, f := range files {
		if err := os.Rename(drafts[i], filepath.Join(folder, f.name)); err != nil {
			return exit(ExitUsage, "%w", err)
		}
	}
	return nil
}
