// Package vectors holds the test vectors of SPEC.md as data: JSON files, one
// per area and kind, with a JSON Schema per kind, all embedded.
//
// It promises that Load refuses whatever it does not fully understand (an
// unknown key, a rule that is not in SPEC.md, a name used twice), that every
// bad vector has exactly one fault, and that a vector is either good, with its
// outputs, or bad, with an error; there is no third kind. They cover sections
// 2 to 8 of SPEC.md as far as they are computations.
//
// It computes nothing. vectors/gen writes the files and checks them against
// the reference implementation; .ci/recompute checks them with libraries that
// share no code with it.
package vectors

import (
	"embed"
	"io/fs"

	"superscalar/wire/rule"
)

// Version is the version of the file format, the "schema" of every file.
const Version = 1

// License is the SPDX identifier of the files.
const License = "CC0-1.0"

// Areas are the areas that have files, in the order of SPEC.md. The files of
// an area are in the folder of its name in lower case.
func Areas() []string {
	return []string{"TRN", "PCF", "TREE", "SCRIPT", "DELAY", "SIGN", "CER", "POI", "PS", "CHAN"}
}

//go:embed trn/*.json pcf/*.json tree/*.json script/*.json delay/*.json sign/*.json cer/*.json poi/*.json ps/*.json chan/*.json schema/*.json LICENSE
var files embed.FS

// FS returns the files as they are shipped: a folder for each area, schema/
// and LICENSE.
func FS() fs.FS { return files }

// Schema returns the JSON Schema (2020-12) of one kind. The error wraps
// fs.ErrNotExist when there is no such kind.
func Schema(kind string) ([]byte, error) { return files.ReadFile("schema/" + kind + ".json") }

// File is one file of vectors.
type File struct {
	Path    string   `json:"-"`       // "trn/bigsize.json"
	Schema  int      `json:"schema"`  // Version
	Area    string   `json:"area"`    // one of Areas
	Kind    string   `json:"kind"`    // the schema is schema/KIND.json
	Source  string   `json:"source"`  // where the figures come from
	License string   `json:"license"` // License
	Comment string   `json:"comment"` // how to run the vectors
	Vectors []Vector `json:"vectors"` // all of the type that belongs to Kind
}

// Vector is a pointer to one of the vector types of this package.
type Vector interface {
	// About returns the name and the rules.
	About() Head
	// Fails returns the error a bad vector asks for, nil for a good one.
	Fails() *Failure
}

// Head is what every vector begins with.
type Head struct {
	Name    string    `json:"name"` // unique among all files
	Comment string    `json:"comment,omitempty"`
	Rules   []rule.ID `json:"rules"` // requirements it decides, at least one
}

// About implements Vector.
func (h Head) About() Head { return h }

// Outcome is what every vector ends with.
type Outcome struct {
	Error *Failure `json:"error,omitempty"` // nil in a good vector
}

// Fails implements Vector.
func (o Outcome) Fails() *Failure { return o.Error }

// Failure is the one fault of a bad vector.
type Failure struct {
	// Kind is the class: of wire.Kind for what is read, of BOLT 8 appendix A
	// for acts, "bad-mac" or "truncated" for frames, "refused" for decisions.
	Kind string `json:"kind"`
	// Field is the name of the field or record at fault.
	Field string `json:"field"`
	// Offset is the byte where the field begins, counted from the start of
	// the input (for acts: of the act); nil where nothing stands, as for a
	// missing record or a bigsize that ends early.
	Offset *int `json:"offset,omitempty"`
	// Rule is the requirement that asks for the failure.
	Rule rule.ID `json:"rule"`
	// Guilty is who caused it: "sender", "initiator", "responder" or "signer";
	// in a conversation "lsp", "client" or "chain".
	Guilty string `json:"guilty"`
	// Signers are the positions of guilty signers, ascending from 0; in a
	// conversation the clients that the abort names.
	Signers []int `json:"signers,omitempty"`
}
