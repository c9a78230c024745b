// Package gen writes the files of package vectors and checks them against the
// reference implementation.
//
// It promises that Generate returns the same bytes on every run, that the
// fault of every bad vector is planted and described by the generator and not
// copied from what the implementation answered, and that Verify with the zero
// rule set finds nothing in the files of this repository. One file per kind
// holds both its generator and its check; they cover the requirements of
// sections 2 to 8 of SPEC.md whose check is "vector".
//
// It does not check a value with a second implementation: .ci/recompute does.
package gen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"superscalar/vectors"
	"superscalar/wire/rule"
)

// kinds are the generators, in the order of SPEC.md.
var kinds = []func() (vectors.File, error){
	handshakes, transports, bigsizes, tlvs, signeds,
	func() (vectors.File, error) { return messages("TRN") },
	func() (vectors.File, error) { return messages("PCF") },
	payloads, protocolIDs, openDecisions,
	parameters, splits, trees, scripts,
	func() (vectors.File, error) { return histories("DELAY") },
	sessions, nodeKeys, ceremonyMessages,
	func() (vectors.File, error) { return histories("POI") },
	func() (vectors.File, error) { return histories("PS") },
	signRecords,
	attempts, openings, purchases, ownExits, exposures, relayedErrors, commitments, batches, revocations, htlcExpiries, talkConversations, outOfPlaces,
	func() (vectors.File, error) { return conversations("TREE") },
	func() (vectors.File, error) { return conversations("SCRIPT") },
	func() (vectors.File, error) { return conversations("DELAY") },
	func() (vectors.File, error) { return conversations("SIGN") },
	func() (vectors.File, error) { return conversations("CER") },
	func() (vectors.File, error) { return conversations("POI") },
	func() (vectors.File, error) { return conversations("PS") },
}

// Generate returns every generated file (vectors and schemas) by its path
// under the folder of package vectors.
func Generate() (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, kind := range kinds {
		f, err := kind()
		if err != nil {
			return nil, fmt.Errorf("generate %s: %w", f.Path, err)
		}
		if out[f.Path], err = encode(f); err != nil {
			return nil, fmt.Errorf("generate %s: %w", f.Path, err)
		}
	}
	for kind, schema := range schemas() {
		b, err := encode(schema)
		if err != nil {
			return nil, fmt.Errorf("generate schema of %s: %w", kind, err)
		}
		out["schema/"+kind+".json"] = b
	}
	return out, nil
}

// GenerateTo writes what Generate returns into a copy of the vectors folder.
func GenerateTo(dir string) error {
	out, err := Generate()
	if err != nil {
		return err
	}
	return write(dir, out)
}

// Export writes the files this program was built with into dir: vectors,
// schemas and licence.
func Export(dir string) error {
	out := map[string][]byte{}
	err := fs.WalkDir(vectors.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		out[p], err = fs.ReadFile(vectors.FS(), p)
		return err
	})
	if err != nil {
		return fmt.Errorf("export vectors: %w", err)
	}
	return write(dir, out)
}

func write(dir string, files map[string][]byte) error {
	for _, p := range slices.Sorted(maps.Keys(files)) {
		to := filepath.Join(dir, filepath.FromSlash(p))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return fmt.Errorf("write vectors: %w", err)
		}
		if err := os.WriteFile(to, files[p], 0o644); err != nil {
			return fmt.Errorf("write vectors: %w", err)
		}
	}
	return nil
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err := enc.Encode(v)
	return b.Bytes(), err
}

// file returns the header of a file.
func file(area, kind, source, comment string) vectors.File {
	path := strings.ToLower(area) + "/" + kind + ".json"
	return vectors.File{
		Path: path, Schema: vectors.Version, Area: area, Kind: kind,
		Source: source, License: vectors.License, Comment: comment,
	}
}

func head(name string, rules ...rule.ID) vectors.Head {
	return vectors.Head{Name: name, Rules: rules}
}

// fault describes the fault of a bad vector whose sender is guilty; an offset
// below 0 stands for none.
func fault(kind, field string, offset int, id rule.ID) vectors.Outcome {
	return blame("sender", kind, field, offset, id)
}

func blame(guilty, kind, field string, offset int, id rule.ID) vectors.Outcome {
	f := &vectors.Failure{Kind: kind, Field: field, Rule: id, Guilty: guilty}
	if offset >= 0 {
		f.Offset = &offset
	}
	return vectors.Outcome{Error: f}
}
