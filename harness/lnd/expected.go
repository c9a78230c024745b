package lnd

import (
	"bytes"
	_ "embed" // the list is data of this package
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"time"
)

//go:embed expected.json
var expectedJSON []byte

// ErrExpectation is wrapped by every fault that Expectations finds.
var ErrExpectation = errors.New("lnd: expected.json")

// Expectation is a known deviation of this lnd: the case runs, must fail, and
// must fail for this reason. It ends on a date, so that nobody forgets it.
type Expectation struct {
	Case    string `json:"case"`    // name of the case
	Rule    string `json:"rule"`    // id of the broken rule, like TRN-001
	Reason  string `json:"reason"`  // text that the failure must contain
	Issue   string `json:"issue"`   // https link to the report
	Expires string `json:"expires"` // last day it counts, YYYY-MM-DD, UTC
}

// Expired reports whether the last day of e has passed at now. An Expires that
// is no date counts as passed; Expectations never returns one.
func (e Expectation) Expired(now time.Time) bool {
	last, err := time.Parse(time.DateOnly, e.Expires)
	return err != nil || !now.Before(last.AddDate(0, 0, 1))
}

// Expectations returns the embedded list, in its order. The list is checked
// strictly: no unknown or missing field, no two entries for one case and rule.
func Expectations() ([]Expectation, error) {
	return parseExpectations(expectedJSON)
}

func parseExpectations(data []byte) ([]Expectation, error) {
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

var ruleID = regexp.MustCompile(`^[A-Z]{3}-[0-9]{3}$`)

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
