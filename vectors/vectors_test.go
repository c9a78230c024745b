package vectors_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"superscalar/vectors"
	"superscalar/wire/rule"
)

func load(t *testing.T) []vectors.File {
	t.Helper()
	files, err := vectors.Load()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func ExampleLoad() {
	files, err := vectors.Load()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range files {
		if f.Kind == "protocol_id" {
			v := f.Vectors[0].(*vectors.ProtocolID)
			fmt.Println(v.Protocol, v.Rules[0])
		}
	}
	// Output: SuperScalar/1 PCF-040
}

func TestFilesFollowTheirSchema(t *testing.T) {
	for _, f := range load(t) {
		t.Run(f.Path, func(t *testing.T) {
			raw, err := vectors.FS().Open(f.Path)
			if err != nil {
				t.Fatal(err)
			}
			doc, err := jsonschema.UnmarshalJSON(raw)
			if err != nil {
				t.Fatal(err)
			}
			schema := compile(t, f.Kind)
			if err := schema.Validate(doc); err != nil {
				t.Error(err)
			}
			// Closed: one more key anywhere is refused.
			first := doc.(map[string]any)["vectors"].([]any)[0].(map[string]any)
			first["surplus"] = true
			if schema.Validate(doc) == nil {
				t.Error("a vector with an unknown key passes")
			}
			delete(first, "surplus")
			doc.(map[string]any)["surplus"] = true
			if schema.Validate(doc) == nil {
				t.Error("a file with an unknown key passes")
			}
		})
	}
}

func compile(t *testing.T, kind string) *jsonschema.Schema {
	t.Helper()
	raw, err := vectors.Schema(kind)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource(kind+".json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(kind + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestHalfOfTheVectorsAreBad(t *testing.T) {
	good, bad := map[string]int{}, map[string]int{}
	for _, f := range load(t) {
		for _, v := range f.Vectors {
			if v.Fails() == nil {
				good[f.Area]++
			} else {
				bad[f.Area]++
			}
		}
	}
	for _, area := range vectors.Areas() {
		if good[area] == 0 || bad[area] < good[area] {
			t.Errorf("area %s: %d good, %d bad; at least as many bad ones are wanted", area, good[area], bad[area])
		}
	}
}

// goodOnly are the requirements no bad vector can exist for, with the reason.
var goodOnly = map[rule.ID]string{
	rule.TRN038: "asks a reader to go on",
	rule.TRN042: "asks for the bytes that were read",
	rule.PCF040: "is one constant",
	rule.PCF050: "is one constant",
}

func TestEveryVectorRequirementHasVectors(t *testing.T) {
	good, bad := map[rule.ID]int{}, map[rule.ID]int{}
	for _, f := range load(t) {
		for _, v := range f.Vectors {
			for _, id := range v.About().Rules {
				if v.Fails() == nil {
					good[id]++
				} else {
					bad[id]++
				}
			}
		}
	}
	checked := 0
	for _, q := range rule.Embedded().Requirements {
		if q.Check != rule.ByVector {
			continue
		}
		checked++
		if good[q.ID]+bad[q.ID] == 0 {
			t.Errorf("%s is checked by vectors and no vector names it", q.ID)
		}
		if good[q.ID] == 0 && !badOnly(q.ID) {
			t.Errorf("%s has no good vector", q.ID)
		}
		if reason, ok := goodOnly[q.ID]; bad[q.ID] == 0 && !ok {
			t.Errorf("%s has no bad vector", q.ID)
		} else if ok && bad[q.ID] > 0 {
			t.Errorf("%s has a bad vector although it %s", q.ID, reason)
		}
	}
	if checked < 21 {
		t.Errorf("%d requirements are checked by vectors, there were 21", checked)
	}
}

// badOnly reports whether a requirement only says what must fail.
func badOnly(id rule.ID) bool {
	switch id {
	case rule.TRN031, rule.TRN032, rule.TRN037:
		return true
	}
	return false
}

func TestLoadRefuses(t *testing.T) {
	const header = `{"schema":1,"area":"TRN","kind":"bigsize","source":"s","license":"CC0-1.0","comment":"c","vectors":[`
	const good = `{"name":"a","rules":["TRN-030"],"op":"decode","bytes":"00","value":0}`
	for _, c := range []struct{ name, file, want string }{
		{"unknown key in the header", strings.Replace(header, `{`, `{"x":1,`, 1) + good + `]}`, "unknown field"},
		{"unknown key in a vector", header + strings.Replace(good, `{`, `{"x":1,`, 1) + `]}`, "unknown field"},
		{"no object", `[]`, "has to stand"},
		{"field twice", strings.Replace(header, `{`, `{"area":"TRN",`, 1) + good + `]}`, "twice"},
		{"vectors twice", header + `],"vectors":[` + good + `]}`, "twice"},
		{"vectors without a list", strings.TrimSuffix(header, `[`) + good + `}`, "has to stand"},
		{"no vector", header + good + `,null]}`, "vector 1: there is none"},
		{"a list that does not end", header + good, "EOF"},
		{"something behind", header + good + `]} 1`, "follows"},
		{"other version", strings.Replace(header, `"schema":1`, `"schema":2`, 1) + good + `]}`, "schema 1"},
		{"other kind", strings.Replace(header, `"bigsize"`, `"signed"`, 1) + `]}`, "belong into"},
		{"unknown kind", strings.Replace(header, `"bigsize"`, `"smallsize"`, 1) + good + `]}`, "unknown kind"},
		{"other area", strings.Replace(header, `"TRN"`, `"PCF"`, 1) + good + `]}`, "belong into"},
		{"no licence", strings.Replace(header, `CC0-1.0`, ``, 1) + good + `]}`, "license"},
		{"name twice", header + good + `,` + good + `]}`, `"a"`},
		{"no rule", header + strings.Replace(good, `"TRN-030"`, ``, 1) + `]}`, "no rule"},
		{"rule twice", header + strings.Replace(good, `"TRN-030"`, `"TRN-030","TRN-030"`, 1) + `]}`, "twice"},
		{"unknown rule", header + strings.Replace(good, `TRN-030`, `TRN-999`, 1) + `]}`, "not in SPEC.md"},
		{"upper case", header + strings.Replace(good, `"00"`, `"FF"`, 1) + `]}`, "lower case"},
		{"small integer as text", header + strings.Replace(good, `"value":0`, `"value":"0"`, 1) + `]}`, "written 0"},
		{"large integer as number", header + strings.Replace(good, `"value":0`, `"value":9007199254740992`, 1) + `]}`, "has to be written"},
		{"neither good nor bad", header + strings.Replace(good, `,"value":0`, ``, 1) + `]}`, "exclude"},
		{"both", header + strings.Replace(good, `}`, `,"error":{"kind":"truncated","field":"value","rule":"TRN-030","guilty":"sender"}}`, 1) + `]}`, "exclude"},
		{"rule of the error not named", header + `{"name":"a","rules":["TRN-030"],"op":"decode","bytes":"","error":{"kind":"truncated","field":"value","rule":"TRN-032","guilty":"sender"}}]}`, "not among"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := fstest.MapFS{}
			for _, area := range vectors.Areas() {
				files[strings.ToLower(area)+"/protocol_id.json"] = &fstest.MapFile{Data: fmt.Appendf(nil,
					`{"schema":1,"area":%q,"kind":"protocol_id","source":"s","license":"CC0-1.0","comment":"c","vectors":[]}`, area)}
			}
			delete(files, "trn/protocol_id.json")
			files["trn/bigsize.json"] = &fstest.MapFile{Data: []byte(c.file)}
			_, err := vectors.LoadFS(files)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestLoadRefusesMissingArea(t *testing.T) {
	if _, err := vectors.LoadFS(fstest.MapFS{}); err == nil {
		t.Error("no files load without an error")
	}
}

func TestObjectKeepsOrderAndComparesWithout(t *testing.T) {
	var o, p vectors.Object
	if err := json.Unmarshal([]byte(`{"b":1,"a":{"y":[1],"x":"18446744073709551615"}}`), &o); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(`{"a":{"x":"18446744073709551615","y":[1]},"b":1}`), &p); err != nil {
		t.Fatal(err)
	}
	if !o.Equal(p) {
		t.Error("objects that differ in order only are not equal")
	}
	if b, err := json.Marshal(o); err != nil || string(b) != `{"b":1,"a":{"y":[1],"x":"18446744073709551615"}}` {
		t.Errorf("written as %s, %v", b, err)
	}
	for _, other := range []string{`{"b":2,"a":{"y":[1],"x":"18446744073709551615"}}`, `{"b":1}`, `{}`} {
		var q vectors.Object
		if err := json.Unmarshal([]byte(other), &q); err != nil {
			t.Fatal(err)
		}
		if o.Equal(q) {
			t.Errorf("equals %s", other)
		}
	}
	if json.Unmarshal([]byte(`{"a":1,"a":2}`), &o) == nil {
		t.Error("a name that appears twice is accepted")
	}
}
