package corerpc

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// Kinds of a CallError; match them with errors.Is. A refused transaction is none of them: it is a *chain.Rejection.
var (
	// ErrUnreachable : no connection, or it broke before the answer was complete.
	ErrUnreachable = errors.New("node cannot be reached")
	// ErrTimeout : no complete answer within Options.Timeout.
	ErrTimeout = errors.New("node did not answer in time")
	// ErrUnauthorized : HTTP 401 or 403.
	ErrUnauthorized = errors.New("node refuses the user or the password")
	// ErrStatus : an HTTP status other than 200 without an answer of JSON-RPC, such as 503 of an overloaded node.
	ErrStatus = errors.New("unexpected http status")
	// ErrTooLarge : the answer has more than Options.MaxAnswer bytes.
	ErrTooLarge = errors.New("answer is too large")
	// ErrMalformed : the answer is not JSON-RPC, lacks a field, or holds something that is not what the field is for.
	ErrMalformed = errors.New("malformed answer")
	// ErrContradiction : the answer is well formed and cannot be true: it contradicts itself, the question, or an earlier answer.
	ErrContradiction = errors.New("contradictory answer")
	// ErrBehind : the node's best chain has less work than the one it has shown before. It lost blocks or was exchanged.
	ErrBehind = errors.New("node is behind what it has shown before")
	// ErrOtherChain : the genesis block is not that of Options.Params.
	ErrOtherChain = errors.New("node is on another chain")
	// ErrReported : the node reports an error of its own; CallError.Code has its number.
	ErrReported = errors.New("node reports an error")
)

var (
	// ErrOptions is returned by New for options that cannot be used.
	ErrOptions = errors.New("unusable options")
	// ErrUnsettled is returned when the best chain changed during each of several attempts at a look-up.
	ErrUnsettled = errors.New("best chain kept changing during the look-up")
)

// maxQuoted is how many bytes of what the node says stand in an error.
const maxQuoted = 600

// CallError is a call that gave no usable answer.
type CallError struct {
	// Call is the name of the remote procedure, for example "getblock".
	Call string
	// Kind is one of the errors above.
	Kind error
	// Status is the HTTP status, 0 when there was none.
	Status int
	// Code is the number of the node's own error, for example -5; 0 unless Kind is ErrReported.
	Code int
	// Detail says more, on one line; it may quote the node.
	Detail string
	// Err is the cause, if there is one.
	Err error
}

// Error implements error.
func (e *CallError) Error() string {
	text := e.Call + ": " + e.Kind.Error()
	if e.Code != 0 {
		text += fmt.Sprintf(" %d", e.Code)
	}
	if e.Kind == ErrStatus {
		text += fmt.Sprintf(" %d", e.Status)
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap gives the kind and the cause.
func (e *CallError) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

func malformed(call string, detail string, args ...any) error {
	return &CallError{Call: call, Kind: ErrMalformed, Detail: fmt.Sprintf(detail, args...)}
}

func contradiction(call string, detail string, args ...any) error {
	return &CallError{Call: call, Kind: ErrContradiction, Detail: fmt.Sprintf(detail, args...)}
}

// reported gives the number of an error that the node reports itself.
func reported(err error) (code int, ok bool) {
	var failed *CallError
	if errors.As(err, &failed) && failed.Kind == ErrReported {
		return failed.Code, true
	}
	return 0, false
}

// quote makes one short printable line of what the node says.
func quote(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(text, "?"))
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxQuoted {
		text = strings.ToValidUTF8(text[:maxQuoted], "") + "..."
	}
	return text
}
