package driver

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// What a driver may answer instead of doing a command. A *Refusal matches one
// of these; the client stays usable.
var (
	// ErrUnsupported: the driver cannot do this command; skip what needs it.
	ErrUnsupported = errors.New("command not supported by the driver")
	// ErrFailed: the node tried and failed.
	ErrFailed = errors.New("command failed")
	// ErrUnknownCommand: the driver does not know the command's name.
	ErrUnknownCommand = errors.New("command unknown to the driver")
	// ErrBadRequest: the driver rejected the parameters.
	ErrBadRequest = errors.New("request rejected by the driver")
)

// What a driver must not do. A *ProtocolError matches one of these; the client
// is dead afterwards.
var (
	// ErrNonsenseAccepted: the driver said ok to a command that does not exist.
	ErrNonsenseAccepted = errors.New("driver accepts nonsense")
	// ErrGarbage: a line is no JSON object.
	ErrGarbage = errors.New("driver printed garbage")
	// ErrWrongID: a reply carries another id than the request.
	ErrWrongID = errors.New("driver answered with a wrong id")
	// ErrBadReply: a reply breaks the schema.
	ErrBadReply = errors.New("driver's reply breaks the schema")
	// ErrOversized: a line is longer than MaxLine.
	ErrOversized = errors.New("driver's line is too long")
	// ErrDied: the driver ended or hung up instead of answering.
	ErrDied = errors.New("driver died")
	// ErrSilent: no reply until the deadline.
	ErrSilent = errors.New("driver silent")
)

// What happens around a driver.
var (
	// ErrDead: the call was not sent, since the client is out of use.
	ErrDead = errors.New("driver out of use")
	// ErrClosed: the client was closed with Close.
	ErrClosed = errors.New("driver closed")
	// ErrKilled: Close had to kill the driver, it outlived the grace period.
	ErrKilled = errors.New("driver killed")
	// ErrSpawn: the command could not be started.
	ErrSpawn = errors.New("driver cannot be started")
	// ErrNoDriver: no driver dialled back.
	ErrNoDriver = errors.New("no driver dialled back")
	// ErrCommandLine: Split could not read a command line.
	ErrCommandLine = errors.New("bad command line")
	// ErrUnwell: Doctor found something wrong.
	ErrUnwell = errors.New("driver is not ready")
	// ErrNoTemplate: Template does not know the name.
	ErrNoTemplate = errors.New("no such template")
)

// mends says, for each kind of protocol error, what the author has to do.
var mends = map[error]string{
	ErrNonsenseAccepted: `answer every command it does not know with "ok":false and "code":"unknown-command"`,
	ErrGarbage:          "write only JSON replies to stdout, one a line, and everything else to stderr",
	ErrWrongID:          `repeat the request's id, and write exactly one reply for each request`,
	ErrBadReply:         "compare the reply with schema.json, or run doctor",
	ErrOversized:        "keep each reply under 1 MiB",
	ErrDied:             "keep the driver running until its input ends",
	ErrSilent:           "end each reply with a newline, flush stdout, and answer within the deadline",
}

// ProtocolError is a driver that broke the protocol. Error is one line.
type ProtocolError struct {
	// Kind is one of ErrNonsenseAccepted, ErrGarbage, ErrWrongID,
	// ErrBadReply, ErrOversized, ErrDied and ErrSilent.
	Kind error
	// Command is what the driver had been told, by name.
	Command string
	// Did says what the driver did.
	Did string
	// Stderr holds the last lines (up to 20) of a spawned driver's stderr.
	Stderr []string
	// Cause is the error underneath, such as context.DeadlineExceeded, or nil.
	Cause error
}

// Error says what the driver did, what to do, and its last line on stderr.
func (e *ProtocolError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "driver: %s: it %s; to mend: %s", e.Command, e.Did, mends[e.Kind])
	if n := len(e.Stderr); n > 0 {
		fmt.Fprintf(&b, "; its last words on stderr: %s", excerpt([]byte(e.Stderr[n-1]), 160))
	}
	return b.String()
}

// Unwrap gives the kind and the cause to errors.Is and errors.As.
func (e *ProtocolError) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

// Mend says what the driver's author has to do.
func (e *ProtocolError) Mend() string { return mends[e.Kind] }

// Refusal is a well formed "ok":false.
type Refusal struct {
	// Command is what the driver had been told.
	Command string
	// Code is the driver's reason.
	Code Code
	// Message is the driver's own sentence, as received.
	Message string
}

// Error is one line; the driver's sentence is quoted and cut at 300 bytes.
func (e *Refusal) Error() string {
	return fmt.Sprintf("driver: %s: refused (%s): %s", e.Command, e.Code, excerpt([]byte(e.Message), 300))
}

// Is matches the refusal with the sentinel of its code.
func (e *Refusal) Is(target error) bool {
	switch e.Code {
	case CodeUnsupported:
		return target == ErrUnsupported
	case CodeFailed:
		return target == ErrFailed
	case CodeUnknownCommand:
		return target == ErrUnknownCommand
	case CodeBadRequest:
		return target == ErrBadRequest
	}
	return false
}

// excerpt quotes the first max bytes of b, escaped to one line of ASCII.
func excerpt(b []byte, max int) string {
	if len(b) <= max {
		return strconv.QuoteToASCII(string(b))
	}
	return strconv.QuoteToASCII(string(b[:max])) + fmt.Sprintf(" (and %d bytes more)", len(b)-max)
}
