package harness

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"
	"time"

	"superscalar/harness/report"
)

// ErrExpectation is wrapped by every fault that ParseExpectations finds.
var ErrExpectation = errors.New("list of expected failures")

// Expectation declares beforehand that a case fails against a target, for a
// reason, until a day. A declared failure that does not happen, happens for
// another reason, or is past its day, fails the run.
type Expectation struct {
	Case    string `json:"case"`    // name of the case, without the role
	Rule    string `json:"rule"`    // requirement that every failure names, like TRN-001
	Reason  string `json:"reason"`  // text that every failure contains
	Issue   string `json:"issue"`   // https link to the report
	Expires string `json:"expires"` // last day it counts, YYYY-MM-DD, UTC
}

// Expired reports whether the last day of e has passed at now. An Expires that
// is no date counts as passed; Expectations never returns one.
func (e Expectation) Expired(now time.Time) bool {
	last, err := time.Parse(time.DateOnly, e.Expires)
	return err != nil || !now.Before(last.AddDate(0, 0, 1))
}

// ParseExpectations reads a JSON list, strictly: no unknown or missing field,
// no two entries for one case and rule.
func ParseExpectations(data []byte) ([]Expectation, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var list []Expectation
	if err := dec.Decode(&list); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrExpectation, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the list", ErrExpectation)
	}
	if list == nil {
		return nil, fmt.Errorf("%w: null instead of a list", ErrExpectation)
	}
	type key struct{ name, rule string }
	seen := make(map[key]bool)
	for i, e := range list {
		if err := e.check(); err != nil {
			return nil, fmt.Errorf("%w: entry %d: %w", ErrExpectation, i, err)
		}
		k := key{e.Case, e.Rule}
		if seen[k] {
			return nil, fmt.Errorf("%w: entry %d: second one for %s and %s", ErrExpectation, i, e.Case, e.Rule)
		}
		seen[k] = true
	}
	return list, nil
}

var ruleID = regexp.MustCompile(`^[A-Z]{2,6}-[0-9]{3}$`)

// check names the first field that is missing or malformed.
func (e Expectation) check() error {
	if e.Case == "" {
		return errors.New("no case")
	}
	if !ruleID.MatchString(e.Rule) {
		return fmt.Errorf("rule %q is no rule id", e.Rule)
	}
	if e.Reason == "" {
		return errors.New("no reason")
	}
	if u, err := url.Parse(e.Issue); err != nil || u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("issue %q is no https link", e.Issue)
	}
	if _, err := time.Parse(time.DateOnly, e.Expires); err != nil {
		return fmt.Errorf("expires %q is no YYYY-MM-DD date", e.Expires)
	}
	return nil
}

// applyExpectation turns a declared failure into an expected one, and a pass
// that was declared a failure into an unexpected pass.
func (r *Runner) applyExpectation(c *report.Case) {
	for _, e := range r.Opts.Expect {
		if e.Case+"/"+c.Role != c.Name || e.Expired(r.Opts.Today) {
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
