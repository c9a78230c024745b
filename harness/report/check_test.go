package report

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckAcceptsWhatWriteWrites(t *testing.T) {
	empty := sample()
	empty.Cases, empty.Requirements = nil, nil
	Finish(empty)
	for name, r := range map[string]*Report{"sample": sample(), "no case": empty} {
		if err := Check(written(t, r)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Hostile text in the fields that a peer fills disturbs no output.
func TestCheckAcceptsHostileText(t *testing.T) {
	r := sample()
	r.Target.Version = hostile
	for i := range r.Cases {
		c := &r.Cases[i]
		if c.Reason != "" {
			c.Reason = hostile + ` id="case-trn/ping/reply"`
		}
		for j := range c.Failures {
			c.Failures[j].Received = hostile
			c.Failures[j].Message = `</pre></article><article id="case-trn/ping/reply">`
		}
		for j := range c.Transcript {
			c.Transcript[j].Decoded = hostile + "\xff"
		}
	}
	if err := Check(written(t, r)); err != nil {
		t.Error(err)
	}
}

// Each row changes the report after it was finished. The three files agree
// with one another, so only the rule in the row can find it.
func TestCheckFindsInconsistentReports(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Report)
		want   string
	}{
		{"counts do not add up", func(r *Report) { r.Counts.Passed++ }, "counts are"},
		{"total is wrong", func(r *Report) { r.Counts.Total-- }, "counts are"},
		{"verdict too good", func(r *Report) { r.Verdict = Conformant }, "verdict is conformant, the cases give not-conformant"},
		{"profile verdict too good", func(r *Report) { r.Profiles[0].Verdict = Conformant }, "profiles are"},
		{"profile missing", func(r *Report) { r.Profiles = r.Profiles[:1] }, "profiles are"},
		{"profiles swapped", func(r *Report) { r.Profiles[0], r.Profiles[1] = r.Profiles[1], r.Profiles[0] }, "profiles are"},
		{"state changed", func(r *Report) { r.Cases[0].State, r.Cases[0].Failures = Passed, nil }, "counts are"},
		{"frame changed", func(r *Report) { r.Cases[0].Transcript[0].Hex = "00" }, "transcript digest is"},
		{"case twice", func(r *Report) { r.Cases = append(r.Cases, r.Cases[1]); Finish(r) }, "trn/ping/reply is listed twice"},
		{"requirement twice", func(r *Report) { r.Requirements = append(r.Requirements, r.Requirements[0]) }, "requirement PCF-004 is listed twice"},
		{"requirement too good", func(r *Report) { r.Requirements[0].State = "passed" }, "requirement PCF-004 is passed, its cases give failed"},
		{"failed without mismatch", func(r *Report) { r.Cases[0].Failures = nil }, "failed but has no mismatch"},
		{"passed with mismatch", func(r *Report) { r.Cases[1].Failures = initFailures() }, "is passed but has 2 mismatches"},
		{"skipped without reason", func(r *Report) { r.Cases[4].Reason = "" }, "is skipped but gives no reason"},
		{"fault past the message", func(r *Report) { r.Cases[3].Failures[0].PlantedOffset = 8 }, "fault at byte 8 of a message of 7 bytes"},
		{"fault in no message", func(r *Report) { r.Cases[3].Failures[1].PlantedOffset = 8 }, "fault at byte 8 of no message"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := sample()
			tt.change(r)
			wantProblem(t, Check(written(t, r)), "report.json: ", tt.want)
		})
	}
}

func wantProblem(t *testing.T, err error, file, want string) {
	t.Helper()
	invalid, ok := errors.AsType[*CheckError](err)
	if !ok {
		t.Fatalf("got %v, want a *CheckError", err)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %q", err)
	}
	for _, p := range invalid.Problems {
		if strings.HasPrefix(p, file) && strings.Contains(p, want) {
			return
		}
	}
	t.Errorf("got %v, want %q of %s", err, want, file)
}

// Each row changes the text of one file. Two of the rows of junit.xml keep
// the sums right, so that only the comparison case by case can find them.
func TestCheckFindsCorruptedFiles(t *testing.T) {
	const id = ` id="case-trn/ping/reply"`
	for _, tt := range []struct {
		name, file, old, new string
		want                 string
	}{
		{"not JSON", "report.json", `{`, ``, "not JSON"},
		{"unknown field", "report.json", `"suite": {`, `"extra": 1, "suite": {`, "extra"},
		{"unknown field deep down", "report.json", `"direction": "sent",`, `"direction": "sent", "extra": 1,`, "extra"},
		{"field missing", "report.json", `"duration_ms": 1234`, `"duration_m": 1234`, "duration_m"},
		{"field in the wrong case", "report.json", `"verdict"`, `"Verdict"`, "Verdict"},
		{"unknown state", "report.json", `"state": "passed"`, `"state": "green"`, "/cases/"},
		{"unknown verdict", "report.json", `"verdict": "not-conformant"`, `"verdict": "fine"`, "/verdict"},
		{"hex in upper case", "report.json", `"hex": "00100000000140"`, `"hex": "0010000000014A"`, "/hex"},
		{"half a byte", "report.json", `"hex": "00100000000140"`, `"hex": "001000000001400"`, "/hex"},
		{"bad requirement id", "report.json", `"PCF-004"`, `"PCF4"`, "/rules/0"},
		{"no outcome allowed", "report.json", "\"expected\": [\n            \"error\"\n          ]", `"expected": []`, "/expected"},
		{"negative count", "report.json", `"failed": 2`, `"failed": -2`, "/counts/failed"},
		{"seed too large", "report.json", `"seed": 18446744073709551615`, `"seed": 18446744073709551616`, "/options/seed"},
		{"other schema version", "report.json", `"schema_version": 1`, `"schema_version": 2`, "/schema_version"},

		{"not XML", "junit.xml", `</testsuites>`, ``, "not JUnit XML"},
		{"other document", "junit.xml", `<testsuites `, `<suites `, "not JUnit XML"},
		{"test renamed", "junit.xml", `name="trn/ping/reply"`, `name="trn/ping/other"`, "case trn/ping/reply is missing, want passed"},
		{"sum of tests", "junit.xml", `tests="9"`, `tests="8"`, "says 8 tests"},
		{"sum of failures", "junit.xml", `failures="3"`, `failures="2"`, "2 failures"},
		{"sum of skips", "junit.xml", `skipped="4"`, `skipped="5"`, "5 skipped"},
		{"sum of a suite", "junit.xml", `name="TRN 2.10 Ping" tests="2"`, `name="TRN 2.10 Ping" tests="3"`, `suite "TRN 2.10 Ping" says 3 tests`},
		{"test twice", "junit.xml", `</testsuite>`, `<testcase name="trn/ping/reply"></testcase></testsuite>`, "holds 10"},
		{"passed made skipped", "junit.xml", `<testcase name="trn/ping/reply" classname="trn.ping" time="0.012">`,
			`<testcase name="trn/ping/reply"><skipped/>`, "case trn/ping/reply is skipped, want passed"},

		{"anchor missing", "index.html", id, ``, "0 anchors for case trn/ping/reply"},
		{"anchor twice", "index.html", id, id + "><p" + id, "2 anchors for case trn/ping/reply"},
		{"cut off", "index.html", `</html>`, ``, "cut off"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := written(t, sample())
			path := filepath.Join(dir, tt.file)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			changed := bytes.Replace(data, []byte(tt.old), []byte(tt.new), 1)
			if bytes.Equal(changed, data) {
				t.Fatal("the text to be replaced is not in the file")
			}
			if err := os.WriteFile(path, changed, 0o644); err != nil {
				t.Fatal(err)
			}
			wantProblem(t, Check(dir), tt.file+": ", tt.want)
		})
	}
}

func TestCheckFindsMissingFiles(t *testing.T) {
	for _, name := range []string{"junit.xml", "index.html"} {
		dir := written(t, sample())
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		wantProblem(t, Check(dir), name+": ", "no such file")
	}
	if err := Check(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("empty folder: got %v", err)
	}
}

func TestCheckReportsEveryProblem(t *testing.T) {
	r := sample()
	r.Verdict, r.Counts.Passed, r.TranscriptDigest = Conformant, 7, strings.Repeat("0", 64)
	dir := written(t, r)
	if err := os.Remove(filepath.Join(dir, "junit.xml")); err != nil {
		t.Fatal(err)
	}
	invalid, ok := errors.AsType[*CheckError](Check(dir))
	if !ok || len(invalid.Problems) != 4 {
		t.Errorf("got %v, want 4 problems", invalid)
	}
}
