package driver

import (
	"bytes"
	_ "embed"
	"errors"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed schema.json
var schemaJSON []byte

const schemaID = "urn:superscalar:driver:1"

// Schema returns the JSON Schema (draft 2020-12) of every line of the
// protocol. $defs holds one schema for each request and each reply.
func Schema() []byte { return bytes.Clone(schemaJSON) }

// compiledSchema parses the embedded schema once. It is a constant of the
// program and a test compiles every definition, so an error here cannot come
// from input.
var compiledSchema = sync.OnceValue(func() *schemas {
	s := &schemas{compiler: jsonschema.NewCompiler()}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemaJSON))
	if err == nil {
		err = s.compiler.AddResource(schemaID, doc)
	}
	s.err = err
	return s
})

// schemas guards the compiler, which is not safe for concurrent use.
type schemas struct {
	mu       sync.Mutex
	compiler *jsonschema.Compiler
	err      error
}

func (s *schemas) def(name string) (*jsonschema.Schema, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	return s.compiler.Compile(schemaID + "#/$defs/" + name)
}

// replyDef names the definition of the reply that accepts req.
func replyDef(req Request) string {
	switch {
	case req.Cmd == CmdStart, req.Cmd == CmdStop && req.Restart:
		return "reply_start"
	case req.Cmd == CmdInvoice, req.Cmd == CmdPay, req.Cmd == CmdStatus:
		return "reply_" + string(req.Cmd)
	}
	return "reply_done"
}

// check holds one line against a definition and returns its faults, one line
// each ("node_id: ..."), none when it fits.
func check(def string, line []byte) []string {
	schema, err := compiledSchema().def(def)
	if err != nil {
		return []string{err.Error()}
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
	if err != nil {
		return []string{err.Error()}
	}
	err = schema.Validate(value)
	var invalid *jsonschema.ValidationError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &invalid):
		return []string{err.Error()}
	}
	return faults(nil, invalid)
}

// faults collects the causes at the bottom: they name the place and the value.
// The library's own flat output replaces some of them with their parents.
func faults(list []string, e *jsonschema.ValidationError) []string {
	for _, cause := range e.Causes {
		list = faults(list, cause)
	}
	if len(e.Causes) > 0 {
		return list
	}
	where := strings.Join(e.InstanceLocation, ".")
	if where != "" {
		where += ": "
	}
	return append(list, where+strings.ReplaceAll(e.BasicOutput().Error.String(), "\n", " "))
}
