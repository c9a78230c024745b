package report

import (
	"bytes"
	_ "embed"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed schema.json
var schemaJSON []byte

// CheckError lists everything that is wrong with a report folder.
type CheckError struct {
	Dir      string
	Problems []string
}

// Error is one line with all problems.
func (e *CheckError) Error() string {
	return fmt.Sprintf("report %s: %s: %s", printable(e.Dir),
		quantity(len(e.Problems), "problem"), strings.Join(e.Problems, "; "))
}

// Check reads a folder that Write filled and says whether it can be trusted:
// report.json follows the schema; its counts, profiles, verdict, digest and
// requirement states follow from its cases; each case's record fits its
// state; junit.xml tells of the same cases, failures and skips; index.html
// has exactly one anchor per case. The error is a *CheckError with every
// problem found, or says that report.json cannot be read.
func Check(dir string) error {
	data, err := readRecord(filepath.Join(dir, jsonFile))
	if err != nil {
		return err
	}
	problems := schemaProblems(data)
	if len(problems) == 0 {
		r, err := decode(data)
		if err != nil {
			return &CheckError{dir, []string{printable(err.Error())}}
		}
		problems = slices.Concat(contentProblems(r), junitProblems(dir, r), htmlProblems(dir, r))
	}
	if len(problems) > 0 {
		return &CheckError{dir, problems}
	}
	return nil
}

// compiled is the schema, compiled once.
var compiled = sync.OnceValues(func() (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemaJSON))
	if err != nil {
		return nil, err
	}
	const name = "urn:superscalar:report:1"
	c := jsonschema.NewCompiler()
	if err := c.AddResource(name, doc); err != nil {
		return nil, err
	}
	return c.Compile(name)
})

// schemaProblems validates the JSON form against the schema.
func schemaProblems(data []byte) []string {
	schema, err := compiled()
	if err != nil {
		return []string{"schema: " + err.Error()}
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return []string{jsonFile + ": not JSON: " + printable(err.Error())}
	}
	err = schema.Validate(doc)
	invalid, ok := errors.AsType[*jsonschema.ValidationError](err)
	switch {
	case err == nil:
		return nil
	case !ok:
		return []string{jsonFile + ": " + printable(err.Error())}
	}
	var list []string
	leaves(invalid.DetailedOutput(), &list)
	slices.Sort(list)
	return slices.Compact(list)
}

// leaves collects the messages of the innermost errors.
func leaves(u *jsonschema.OutputUnit, list *[]string) {
	if len(u.Errors) == 0 && u.Error != nil {
		at := orNone(u.InstanceLocation, "/")
		*list = append(*list, printable(fmt.Sprintf("%s: at %s: %s", jsonFile, at, u.Error)))
	}
	for i := range u.Errors {
		leaves(&u.Errors[i], list)
	}
}

// contentProblems compares what the report concludes with what it records.
func contentProblems(r *Report) []string {
	var list []string
	add := func(format string, args ...any) {
		list = append(list, jsonFile+": "+fmt.Sprintf(format, args...))
	}
	if want := Tally(r.Cases); r.Counts != want {
		add("counts are %+v, the cases give %+v", r.Counts, want)
	}
	if want := Decide(r.Cases); r.Verdict != want {
		add("verdict is %s, the cases give %s", r.Verdict, want)
	}
	if want := profiles(r.Cases); !slices.Equal(r.Profiles, want) {
		add("profiles are %+v, the cases give %+v", r.Profiles, want)
	}
	if want := digest(r.Cases); r.TranscriptDigest != want {
		add("transcript digest is %s, the cases give %s", r.TranscriptDigest, want)
	}
	seen := map[string]State{}
	for i := range r.Cases {
		c := &r.Cases[i]
		if _, twice := seen[c.Name]; twice {
			add("case %s is listed twice", c.Name)
		}
		seen[c.Name] = c.State
		for _, problem := range caseProblems(c) {
			add("case %s %s", c.Name, problem)
		}
	}
	return append(list, requirementProblems(r, seen)...)
}

// caseProblems says where the record of a case does not fit its state.
func caseProblems(c *Case) []string {
	var list []string
	switch c.State {
	case Passed, UnexpectedPass:
		if len(c.Failures) > 0 {
			list = append(list, fmt.Sprintf("is %s but has %s", c.State, quantity(len(c.Failures), "mismatch")))
		}
	case Failed:
		if len(c.Failures) == 0 {
			list = append(list, "failed but has no mismatch")
		}
	case Skipped, Unsupported, ExpectedFailure:
		if c.Reason == "" {
			list = append(list, fmt.Sprintf("is %s but gives no reason", c.State))
		}
	}
	for i := range c.Failures {
		f := &c.Failures[i]
		if f.Sent == nil && f.PlantedOffset > 0 {
			list = append(list, fmt.Sprintf("has a fault at byte %d of no message", f.PlantedOffset))
		}
		if f.Sent != nil && f.PlantedOffset > len(f.Sent.Hex)/2 {
			list = append(list, fmt.Sprintf("has a fault at byte %d of a message of %s", f.PlantedOffset, quantity(len(f.Sent.Hex)/2, "byte")))
		}
	}
	return list
}

// requirementProblems compares the state of each requirement with the states
// of its cases, as far as they are in the report.
func requirementProblems(r *Report, cases map[string]State) []string {
	var list []string
	ids := map[string]bool{}
	for _, q := range r.Requirements {
		if ids[q.ID] {
			list = append(list, fmt.Sprintf("%s: requirement %s is listed twice", jsonFile, q.ID))
		}
		ids[q.ID] = true
		var of []State
		for _, name := range q.Cases {
			if s, ok := cases[name]; ok {
				of = append(of, s)
			}
		}
		if want := Worst(of...); len(of) > 0 && q.State != want {
			list = append(list, fmt.Sprintf("%s: requirement %s is %s, its cases give %s", jsonFile, q.ID, q.State, want))
		}
	}
	return list
}

// junitProblems compares junit.xml with the report.
func junitProblems(dir string, r *Report) []string {
	data, err := os.ReadFile(filepath.Join(dir, junitFile))
	if err != nil {
		return []string{junitFile + ": " + cause(err).Error()}
	}
	var got junitReport
	dec := xml.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&got); err != nil {
		return []string{junitFile + ": not JUnit XML: " + printable(err.Error())}
	}
	if _, err := dec.Token(); err != nil && err != io.EOF {
		return []string{junitFile + ": after the report: " + printable(err.Error())}
	}
	var list []string
	add := func(format string, args ...any) {
		list = append(list, junitFile+": "+printable(fmt.Sprintf(format, args...)))
	}
	have := junitOutcomes(&got, add)
	failures, skipped := 0, 0
	for i := range r.Cases {
		name, want := r.Cases[i].Name, outcome(junitOne(&r.Cases[i]))
		switch want {
		case "failure":
			failures++
		case "skipped":
			skipped++
		}
		if have[name] != want {
			add("case %s is %s, want %s", name, orNone(have[name], "missing"), want)
		}
	}
	if got.Tests != len(r.Cases) || got.Failures != failures || got.Skipped != skipped || got.Errors != 0 {
		add("says %d tests, %d failures, %d errors, %d skipped; want %d, %d, 0, %d",
			got.Tests, got.Failures, got.Errors, got.Skipped, len(r.Cases), failures, skipped)
	}
	return list
}

// junitOutcomes collects what junit.xml says of each case, and reports suites
// whose counts are not those of their cases.
func junitOutcomes(got *junitReport, add func(string, ...any)) map[string]string {
	have := map[string]string{}
	total := 0
	for _, s := range got.Suites {
		failures, skipped := 0, 0
		for _, c := range s.Cases {
			have[c.Name] = outcome(c)
			switch outcome(c) {
			case "failure":
				failures++
			case "skipped":
				skipped++
			}
		}
		if s.Tests != len(s.Cases) || s.Failures != failures || s.Skipped != skipped || s.Errors != 0 {
			add("suite %q says %d tests, %d failures, %d errors, %d skipped; it holds %d, %d, 0, %d",
				s.Name, s.Tests, s.Failures, s.Errors, s.Skipped, len(s.Cases), failures, skipped)
		}
		total += len(s.Cases)
	}
	if got.Tests != total {
		add("says %d tests and holds %d", got.Tests, total)
	}
	return have
}

// outcome is the result of a case as JUnit knows it.
func outcome(c junitCase) string {
	switch {
	case c.Failure != nil:
		return "failure"
	case c.Skipped != nil:
		return "skipped"
	}
	return "passed"
}

// htmlProblems looks for the anchor of each case in index.html.
func htmlProblems(dir string, r *Report) []string {
	data, err := os.ReadFile(filepath.Join(dir, htmlFile))
	if err != nil {
		return []string{htmlFile + ": " + cause(err).Error()}
	}
	var list []string
	if !bytes.HasSuffix(bytes.TrimSpace(data), []byte("</html>")) {
		list = append(list, htmlFile+": cut off")
	}
	for i := range r.Cases {
		id := caseAnchor(r.Cases[i].Name)
		n := bytes.Count(data, []byte(` id="`+html.EscapeString(id)+`"`))
		if n != 1 {
			list = append(list, fmt.Sprintf("%s: %s for case %s, want 1", htmlFile, quantity(n, "anchor"), r.Cases[i].Name))
		}
	}
	return list
}
