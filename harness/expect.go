package harness

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"superscalar/harness/report"
)

// Expectation declares beforehand that a case fails against a target, for a
// reason, until a day. A declared failure that does not happen, happens for
// another reason, or is past its day, fails the run.
type Expectation struct {
	Case    string `json:"case"`    // name without the role
	Rule    string `json:"rule"`    // requirement every failure has to name
	Reason  string `json:"reason"`  // part of every failure's text
	Issue   string `json:"issue"`   // where it is reported
	Expires string `json:"expires"` // YYYY-MM-DD, last day it holds
}

// ReadExpectations reads a JSON list of expectations, strictly, and drops
// none: those past today stay in the list and are reported as expired.
func ReadExpectations(r io.Reader, today time.Time) ([]Expectation, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var out []Expectation
	if err := d.Decode(&out); err != nil {
		return nil, fmt.Errorf("expected failures: %w", err)
	}
	for _, e := range out {
		day, err := time.Parse(time.DateOnly, e.Expires)
		switch {
		case e.Case == "" || e.Rule == "" || e.Reason == "" || e.Issue == "":
			return nil, fmt.Errorf("expected failures: %q needs case, rule, reason and issue", e.Case)
		case err != nil:
			return nil, fmt.Errorf("expected failures: %s: expires %q is not YYYY-MM-DD", e.Case, e.Expires)
		case today.After(day.AddDate(0, 0, 1)):
			return nil, fmt.Errorf("expected failures: %s expired on %s: see %s and remove it or renew it", e.Case, e.Expires, e.Issue)
		}
	}
	return out, nil
}

// applyExpectation turns a declared failure into an expected one, and a pass
// that was declared a failure into an unexpected pass.
func (r *Runner) applyExpectation(c *report.Case) {
	for _, e := range r.Opts.Expect {
		if e.Case+"/"+c.Role != c.Name {
			continue
		}
		switch {
		case c.State == report.Passed:
			c.State, c.Reason, c.Issue = report.UnexpectedPass, "", e.Issue
		case c.State == report.Failed && e.explains(c.Failures):
			c.State, c.Reason, c.Issue = report.ExpectedFailure, e.Reason, e.Issue
		}
	}
}

func (e Expectation) explains(failures []report.Failure) bool {
	for _, f := range failures {
		text := f.Message + " | " + f.Received
		if f.Rule != e.Rule || !strings.Contains(text, e.Reason) {
			return false
		}
	}
	return len(failures) > 0
}
