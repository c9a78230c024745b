// Package report writes and reads what a run of the conformance suite found.
//
// One Report is one run against one target. It is written as JSON (the
// record: versioned, schema checked), JUnit XML (for CI), one self-contained
// HTML page (for a person) and text on a terminal. The package knows nothing
// of how cases run; it never decides a verdict about a case, it only counts.
package report

// SchemaVersion is the version of the JSON form. It rises when a reader of
// the old form would misread the new one.
const SchemaVersion = 1

// State is what became of one case. The four states other than passed and
// failed are kept apart on purpose: a reader has to see which of them hides a
// hole.
type State string

// The states of a case.
const (
	// Passed: the target did what every named requirement asks.
	Passed State = "passed"
	// Failed: the target did something the named requirement forbids.
	Failed State = "failed"
	// Skipped: the run could not execute the case (tier, role, label).
	Skipped State = "skipped"
	// Unsupported: the target does not offer the feature the case needs.
	Unsupported State = "unsupported"
	// ExpectedFailure: failed for the reason that was declared beforehand.
	ExpectedFailure State = "expected-failure"
	// UnexpectedPass: declared to fail, but passed; the declaration is stale
	// and the run fails so that it gets removed.
	UnexpectedPass State = "unexpected-pass"
)

// Verdict is the one-word result of a run.
type Verdict string

// The verdicts of a run.
const (
	// Conformant: every core case passed.
	Conformant Verdict = "conformant"
	// Deviations: no failure besides expected ones.
	Deviations Verdict = "deviations"
	// Incomplete: nothing failed, but a core case was skipped or unsupported.
	Incomplete Verdict = "incomplete"
	// NotConformant: at least one case failed, or was expected to fail and passed.
	NotConformant Verdict = "not-conformant"
)

// Report is one run.
type Report struct {
	SchemaVersion int           `json:"schema_version"`
	Suite         Suite         `json:"suite"`
	Target        Target        `json:"target"`
	Options       Options       `json:"options"`
	Verdict       Verdict       `json:"verdict"`
	Counts        Counts        `json:"counts"`
	Profiles      []Profile     `json:"profiles"`
	Cases         []Case        `json:"cases"`
	Requirements  []Requirement `json:"requirements"`
	// TranscriptDigest is the SHA-256 (hex) over every case's name and the
	// frames the suite sent, in case-name order. Two runs with one seed send
	// the same bytes, so they share a digest.
	TranscriptDigest string `json:"transcript_digest"`
	// DurationMS is the wall time of the run in milliseconds. Informative.
	DurationMS int64 `json:"duration_ms"`
}

// Suite says what did the testing.
type Suite struct {
	Name        string `json:"name"`         // "superscalar"
	Version     string `json:"version"`      // of the suite
	Commit      string `json:"commit"`       // VCS revision, or "unknown"
	SpecVersion string `json:"spec_version"` // version line of SPEC.md
}

// Target says what was tested.
type Target struct {
	Kind    string `json:"kind"`    // "refnode", "wire", "exec", "lnd", "null:silent"
	NodeID  string `json:"node_id"` // 66 hex digits, empty when never learned
	Address string `json:"address"` // host:port
	Role    string `json:"role"`    // "lsp", "client" or "both"
	Version string `json:"version"` // as the target names itself, or ""
}

// Options are the settings that shape a run; with the suite's version they
// replay it.
type Options struct {
	Tier     string `json:"tier"`
	Profile  string `json:"profile"`
	Focus    string `json:"focus"`
	Seed     uint64 `json:"seed"`
	Shuffle  bool   `json:"shuffle"`
	Deadline string `json:"deadline"` // Go duration
	Command  string `json:"command"`  // the command line that replays the run
}

// Counts counts cases by state.
type Counts struct {
	Total           int `json:"total"`
	Passed          int `json:"passed"`
	Failed          int `json:"failed"`
	Skipped         int `json:"skipped"`
	Unsupported     int `json:"unsupported"`
	ExpectedFailure int `json:"expected_failure"`
	UnexpectedPass  int `json:"unexpected_pass"`
}

// Profile is the result over the cases of one profile ("core", "extended").
type Profile struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	Counts  Counts  `json:"counts"`
}

// Case is the result of one case.
type Case struct {
	Name       string    `json:"name"`    // "trn/init/unknown-even-feature"
	Summary    string    `json:"summary"` // one sentence
	Rules      []string  `json:"rules"`   // requirement ids
	Section    string    `json:"section"` // section of SPEC.md
	Role       string    `json:"role"`
	Tier       string    `json:"tier"`
	Profile    string    `json:"profile"`
	State      State     `json:"state"`
	Reason     string    `json:"reason,omitempty"` // of skipped, unsupported, expected-failure
	Issue      string    `json:"issue,omitempty"`  // link of an expected failure
	DurationMS int64     `json:"duration_ms"`
	Failures   []Failure `json:"failures,omitempty"`
	Transcript []Frame   `json:"transcript,omitempty"`
	Replay     string    `json:"replay"` // command line that runs this case alone
}

// Failure is one mismatch; a case may have several.
type Failure struct {
	Rule    string `json:"rule"`    // requirement id, e.g. "PCF-004"
	Quote   string `json:"quote"`   // the requirement's sentence
	Section string `json:"section"` // where it stands in SPEC.md
	Message string `json:"message"` // what was wrong, one sentence
	Sent    *Frame `json:"sent,omitempty"`
	// PlantedOffset is the byte of Sent where the fault was planted, -1 for none.
	PlantedOffset int      `json:"planted_offset"`
	Expected      []string `json:"expected"` // every allowed outcome
	Received      string   `json:"received"` // the outcome observed
	ReceivedFrame *Frame   `json:"received_frame,omitempty"`
	Position      string   `json:"position"` // where in the conversation
	Blame         string   `json:"blame"`    // whose fault it can be
}

// Frame is one line of a transcript: a message on the wire, or an event.
type Frame struct {
	Direction string `json:"direction"` // "sent", "received" or "event"
	Type      uint16 `json:"type"`      // message type, 0 for events
	Name      string `json:"name"`      // message name or event
	Hex       string `json:"hex"`       // the message, lower case; "" for events
	Decoded   string `json:"decoded"`   // human readable, one line
}

// Requirement is the result per requirement over all cases that name it.
type Requirement struct {
	ID      string   `json:"id"`
	Level   string   `json:"level"` // "MUST", "MUST NOT", "SHOULD", "SHOULD NOT"
	Section string   `json:"section"`
	Text    string   `json:"text"`
	Check   string   `json:"check"` // "case", "vector", "untestable", "planned"
	State   string   `json:"state"` // worst state of its cases, or "not-run"
	Cases   []string `json:"cases,omitempty"`
}
