package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// hostile is text a peer could put into an error message: a colour code, a
// direction override, markup, the end of a CDATA section, a line break.
const hostile = "\x1b[31mred\u202e <script>alert(1)</script> ]]> \"quoted\" \x00\nline"

// sample is a finished report in which every state occurs.
func sample() *Report {
	r := &Report{
		Suite: Suite{Name: "superscalar", Version: "0.1.0", Commit: "0123abc", SpecVersion: "0.1"},
		Target: Target{Kind: "wire", NodeID: "02" + strings.Repeat("ab", 32), Address: "127.0.0.1:9735",
			Role: "lsp", Version: "peer 1.0"},
		Options: Options{Tier: "wire", Profile: "extended", Seed: 18446744073709551615, Shuffle: true,
			Deadline: "10s", Command: "superscalar conform --target wire --seed 18446744073709551615"},
		Cases: []Case{
			sampleCase("pcf/open/unknown-even-record", "3.1 Opening", "PCF-004", Failed),
			sampleCase("trn/ping/reply", "2.10 Ping", "TRN-031", Passed),
			sampleCase("trn/init/first-message", "2.3 Init", "TRN-010", Passed),
			sampleCase("trn/init/unknown-even-feature", "2.3 Init", "TRN-014", Failed),
			sampleCase("trn/init/networks", "2.3 Init", "TRN-016", Skipped),
			sampleCase("trn/init/remote-addr", "2.3 Init", "TRN-017", Skipped),
			sampleCase("trn/ping/flood", "2.10 Ping", "TRN-033", ExpectedFailure),
			sampleCase("pcf/open/reply", "3.1 Opening", "PCF-001", UnexpectedPass),
			sampleCase("pcf/batch/order", "3.2 Batches", "PCF-009", Unsupported),
		},
		DurationMS: 1234,
	}
	r.Cases[0].Failures = []Failure{longFailure()}
	r.Cases[0].Transcript = []Frame{*longFailure().Sent, {Direction: "event", Name: "closed"}}
	r.Cases[3].Failures, r.Cases[3].Transcript = initFailures(), initTranscript()
	r.Cases[4].Reason, r.Cases[5].Reason = "needs tier driver", "needs tier driver"
	r.Cases[6].Reason, r.Cases[6].Issue = "answers floods", "https://example.org/issues/7"
	r.Cases[6].Failures = []Failure{pingFailure()}
	r.Cases[7].Reason, r.Cases[7].Issue = "no reply yet", "https://example.org/issues/8"
	r.Cases[8].Profile, r.Cases[8].Reason = "extended", "does not offer batches"
	r.Requirements = sampleRequirements(r.Cases)
	Finish(r)
	return r
}

func sampleCase(name, section, rule string, state State) Case {
	return Case{
		Name: name, Summary: "Summary of " + name + ".", Rules: []string{rule}, Section: section, Role: "lsp",
		Tier: "wire", Profile: "core", State: state, DurationMS: 12,
		Replay: "superscalar conform --target wire --seed 7 --focus " + name,
	}
}

func initTranscript() []Frame {
	frames := []Frame{{Direction: "event", Name: "connected"}}
	for range 3 {
		frames = append(frames,
			Frame{Direction: "sent", Type: 18, Name: "ping", Hex: "001200040000", Decoded: "num_pong_bytes=4"},
			Frame{Direction: "received", Type: 19, Name: "pong", Hex: "0013000400000000", Decoded: "4 bytes"})
	}
	return append(frames, Frame{Direction: "received", Type: 17, Name: "error", Hex: "0011", Decoded: hostile})
}

func initFailures() []Failure {
	first := Failure{
		Rule: "TRN-014", Section: "2.3 Init",
		Quote:   "A node that receives an init with an unknown even feature bit MUST fail the connection, and MUST NOT send any further message on it.",
		Message: "the target went on as if the feature were known",
		Sent: &Frame{Direction: "sent", Type: 16, Name: "init", Hex: "00100000000140",
			Decoded: "features=bit 6"},
		PlantedOffset: 6,
		Expected:      []string{"error, then closed", "closed"},
		Received:      "ignored: " + hostile,
		ReceivedFrame: &Frame{Direction: "received", Type: 19, Name: "pong", Hex: "0013000400000000", Decoded: hostile},
		Position:      "after the init of both sides, at the fence",
		Blame:         "the target; the suite if the target knows feature bit 6",
	}
	second := first
	second.Message, second.Sent, second.PlantedOffset = "the target sent a message after the fault", nil, -1
	second.Expected, second.ReceivedFrame = []string{"nothing"}, nil
	return []Failure{first, second}
}

func longFailure() Failure {
	return Failure{
		Rule: "PCF-004", Section: "3.1 Opening", Quote: "The receiver MUST fail the channel.", Message: "no error came",
		Sent: &Frame{Direction: "sent", Type: 32, Name: "open_channel", Hex: "0020" + strings.Repeat("5a", 318),
			Decoded: "temporary_channel_id=5a5a"},
		PlantedOffset: 300,
		Expected:      []string{"error"},
		Received:      "hung",
		Position:      "first message after init",
		Blame:         "the target",
	}
}

func pingFailure() Failure {
	return Failure{
		Rule: "TRN-033", Section: "2.10 Ping", Quote: "A node SHOULD NOT answer a flood.", Message: "it answered",
		Sent:          &Frame{Direction: "sent", Type: 18, Name: "ping", Hex: "00120004"},
		PlantedOffset: 4, Expected: []string{"ignored"}, Received: "pong", Position: "after init", Blame: "the target",
	}
}

func sampleRequirements(cases []Case) []Requirement {
	var list []Requirement
	for _, c := range cases {
		list = append(list, Requirement{
			ID: c.Rules[0], Level: "MUST", Section: c.Section, Text: "Text of " + c.Rules[0] + ".", Check: "case",
			State: string(c.State), Cases: []string{c.Name},
		})
	}
	return append(list,
		Requirement{ID: "TRN-040", Level: "SHOULD", Section: "2.3 Init", Text: "Not selected.", Check: "case",
			State: NotRun, Cases: []string{"trn/init/not-selected"}},
		Requirement{ID: "TRN-041", Level: "MUST NOT", Section: "2.3 Init", Text: "Computed.", Check: "vector", State: NotRun},
		Requirement{ID: "TRN-042", Level: "MUST", Section: "2.3 Init", Text: "Unseen.", Check: "untestable", State: NotRun},
		Requirement{ID: "PCF-050", Level: "MUST", Section: "3.1 Opening", Text: "Later.", Check: "planned", State: NotRun})
}

// golden compares got with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (run with -update to accept):\n%s", name, cmp.Diff(string(want), string(got)))
	}
}

// everyFieldHostile is the sample with hostile text added to every text that
// is not one of a fixed set of words.
func everyFieldHostile() *Report {
	r := sample()
	addHostile(reflect.ValueOf(r).Elem())
	return r
}

func addHostile(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + hostile)
	case reflect.Struct:
		for i := range v.NumField() {
			switch v.Type().Field(i).Name {
			case "State", "Direction":
			default:
				addHostile(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			addHostile(v.Index(i))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			addHostile(v.Elem())
		}
	}
}
