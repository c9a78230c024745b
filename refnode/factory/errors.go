package factory

import (
	"errors"
	"fmt"

	"superscalar/wire/rule"
)

// Error is a refusal: what was wrong and the requirement it breaks.
type Error struct {
	// Rule is the requirement, empty when the caller asked for something
	// that does not exist.
	Rule rule.ID

	// Field is the parameter, amount or transaction at fault.
	Field string

	// Reason says what is wrong with it, with the values.
	Reason string

	err error
}

// Error writes rule, field and reason on one line.
func (e *Error) Error() string {
	if e.Rule == "" {
		return e.Field + ": " + e.Reason
	}

	return string(e.Rule) + ": " + e.Field + ": " + e.Reason
}

// Unwrap returns the error of another package that caused this one, or nil.
func (e *Error) Unwrap() error { return e.err }

// RuleOf returns the requirement that an error of this package names, false
// for other errors.
func RuleOf(err error) (rule.ID, bool) {
	var e *Error
	if !errors.As(err, &e) {
		return "", false
	}

	return e.Rule, true
}

// check returns an *Error when bad is true and the requirement is kept. A
// requirement over several fields can also be switched off for one of them,
// as "TREE-001/step".
func check(rules rule.Set, id rule.ID, field string, bad bool, format string, args ...any) error {
	if !bad || !rules.On(id) || !rules.On(id+"/"+rule.ID(field)) {
		return nil
	}

	return &Error{Rule: id, Field: field, Reason: fmt.Sprintf(format, args...)}
}

// mistake returns an *Error that no requirement names: nothing can be computed
// from what the caller gave.
func mistake(field, format string, args ...any) error {
	return &Error{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// malformed is a mistake that a requirement names but no mutant may survive:
// going on without the check is not possible.
func malformed(id rule.ID, field, format string, args ...any) error {
	return &Error{Rule: id, Field: field, Reason: fmt.Sprintf(format, args...)}
}

// wrong wraps the error of a package below.
func wrong(id rule.ID, field string, err error) error {
	return &Error{Rule: id, Field: field, Reason: err.Error(), err: err}
}

// first returns the first error that is not nil.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}

	return nil
}
