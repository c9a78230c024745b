package datadir

import (
	"errors"
	"fmt"
)

// The reasons for which Open refuses a directory. Test for them with
// errors.Is; each comes in an *Error, ErrInUse in an *InUseError.
var (
	// ErrInUse says that a living process has the directory open.
	ErrInUse = errors.New("node directory is in use")

	// ErrCorrupt says that node.json is not what was once written.
	ErrCorrupt = errors.New("node.json is damaged")

	// ErrNewerFormat says that a later version wrote node.json.
	ErrNewerFormat = errors.New("node.json has a newer format")

	// ErrWrongRole says that the node is an LSP and not a client, or the
	// other way round.
	ErrWrongRole = errors.New("node has another role")

	// ErrWrongNetwork says that the node belongs to another chain.
	ErrWrongNetwork = errors.New("node is on another network")

	// ErrPermissions says that others may read or change the seed.
	ErrPermissions = errors.New("node.json is open to others")

	// ErrNoIdentity says that the directory holds files but no node.json.
	// A new identity beside old data would lose what the old one owns.
	ErrNoIdentity = errors.New("node.json is missing")

	// ErrNotDirectory says that the path is a file.
	ErrNotDirectory = errors.New("not a directory")

	// ErrArgument says that a role, network or label is not allowed.
	ErrArgument = errors.New("not allowed")
)

// Error is a refusal with its remedy.
type Error struct {
	Path   string // the directory
	Reason error  // one of the errors above
	Detail string // what exactly is wrong, may be empty
	Remedy string // what to do
}

// Error returns everything on one line.
func (e *Error) Error() string {
	detail := ""
	if e.Detail != "" {
		detail = ": " + e.Detail
	}

	return fmt.Sprintf("%s: %v%s; %s", e.Path, e.Reason, detail, e.Remedy)
}

// Unwrap returns Reason.
func (e *Error) Unwrap() error { return e.Reason }

// InUseError says who has the directory open.
type InUseError struct {
	Path string // the directory
	PID  int    // the process, 0 if it did not say yet
}

// Error returns everything on one line.
func (e *InUseError) Error() string {
	holder := "another process"
	if e.PID != 0 {
		holder = fmt.Sprintf("process %d", e.PID)
	}

	return fmt.Sprintf("%s: %v by %s; stop it first or choose another "+
		"directory", e.Path, ErrInUse, holder)
}

// Unwrap returns ErrInUse.
func (e *InUseError) Unwrap() error { return ErrInUse }
