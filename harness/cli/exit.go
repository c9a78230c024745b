package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
)

// The exit codes.
const (
	ExitOK          = 0 // done; the target conforms
	ExitFailed      = 1 // a check failed; the target does not conform
	ExitUsage       = 2 // the operator has to change something
	ExitBroken      = 3 // the suite itself is broken
	ExitUnreachable = 4 // the target cannot be reached
	ExitInFlight    = 5 // a payment has no end yet
)

// ExitError ends the program with a code other than 0. Commands return it; any
// other error of theirs counts as ExitBroken.
type ExitError struct {
	Code int
	// Err becomes the line on the error output; nil means that everything has
	// been said.
	Err error
}

// Error is one line.
func (e *ExitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

// Unwrap returns Err.
func (e *ExitError) Unwrap() error { return e.Err }

// exit returns an *ExitError with a formatted line.
func exit(code int, format string, args ...any) error {
	return &ExitError{code, fmt.Errorf(format, args...)}
}

// usage is the error for a command line that c does not understand.
func usage(c *cobra.Command, format string, args ...any) error {
	return exit(ExitUsage, "%w; see '%s --help'", fmt.Errorf(format, args...), c.CommandPath())
}

// exitCode prints err and returns the code to exit with.
func exitCode(err error, errOut io.Writer) int {
	if err == nil {
		return ExitOK
	}
	var e *ExitError
	if !errors.As(err, &e) {
		e = &ExitError{ExitBroken, err}
	}
	if e.Err != nil {
		complain(errOut, e.Err.Error())
	}
	return e.Code
}

// complain prints one line on the error output.
func complain(errOut io.Writer, text string) {
	fmt.Fprintf(errOut, "superscalar: %s\n", oneLine(text))
}

// oneLine returns text on one line, without anything a terminal would act on.
func oneLine(text string) string {
	shown := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	return strings.Join(strings.Fields(shown), " ")
}
