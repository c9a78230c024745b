package report

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// schemaNode is the part of a JSON Schema object that the model decides.
type schemaNode struct {
	Properties           map[string]json.RawMessage `json:"properties"`
	Required             []string                   `json:"required"`
	AdditionalProperties *bool                      `json:"additionalProperties"`
	Defs                 map[string]schemaNode      `json:"$defs"`
	Enum                 json.RawMessage            `json:"enum"`
}

// field is one JSON field of a type.
type field struct {
	name     string
	optional bool
}

func reflectFields(v any) []field {
	var list []field
	for t, i := reflect.TypeOf(v), 0; i < t.NumField(); i++ {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		list = append(list, field{name, options == "omitempty"})
	}
	return list
}

func compareSchema(t *testing.T, name string, fields []field, node schemaNode) {
	t.Helper()
	if node.AdditionalProperties == nil || *node.AdditionalProperties {
		t.Errorf("%s: the schema is open", name)
	}
	if len(node.Properties) != len(fields) {
		t.Errorf("%s: %d fields in the schema, %d in the model", name, len(node.Properties), len(fields))
	}
	for _, f := range fields {
		if _, ok := node.Properties[f.name]; !ok {
			t.Errorf("%s: field %s is not in the schema", name, f.name)
		}
		if slices.Contains(node.Required, f.name) == f.optional {
			t.Errorf("%s: field %s: optional is %t in the model, not in the schema", name, f.name, f.optional)
		}
	}
}

// The model and the schema name the same fields, and the schema is closed.
func TestSchemaMatchesModel(t *testing.T) {
	var schema schemaNode
	if err := json.Unmarshal(schemaJSON, &schema); err != nil {
		t.Fatal(err)
	}
	compareSchema(t, "report", reflectFields(Report{}), schema)
	for name, v := range map[string]any{
		"suite": Suite{}, "target": Target{}, "options": Options{}, "counts": Counts{}, "profile": Profile{},
		"case": Case{}, "failure": Failure{}, "frame": Frame{}, "requirement": Requirement{},
	} {
		compareSchema(t, name, reflectFields(v), schema.Defs[name])
	}
	var version struct{ Const int }
	if err := json.Unmarshal(schema.Properties["schema_version"], &version); err != nil || version.Const != SchemaVersion {
		t.Errorf("schema version is %d (%v), want %d", version.Const, err, SchemaVersion)
	}
	var inSchema []State
	if err := json.Unmarshal(schema.Defs["state"].Enum, &inSchema); err != nil {
		t.Fatal(err)
	}
	slices.Sort(inSchema)
	if want := slices.Sorted(slices.Values(states)); !slices.Equal(inSchema, want) {
		t.Errorf("states are %v in the schema, %v in the model", inSchema, want)
	}
}
