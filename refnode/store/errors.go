package store

import (
	"errors"
	"fmt"
	"strings"

	bolterrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sys/unix"

	"superscalar/wire/rule"
)

// The reasons of an *Error. Match them with errors.Is.
var (
	// ErrCorrupt : a file is damaged. Nothing was changed.
	ErrCorrupt = errors.New("the file is damaged")
	// ErrNewer : the file was written by a later version of this program.
	ErrNewer = errors.New("the file is of a newer version")
	// ErrForeign : the file is no store of this program.
	ErrForeign = errors.New("the file is not a superscalar database")
	// ErrLocked : another process, or another Store of this one, has the file open.
	ErrLocked = errors.New("the file is in use")
	// ErrFull : the disk is full, or a quota or limit is reached. Nothing of the change counts; it may be tried again later.
	ErrFull = errors.New("no space left to write the file")
	// ErrWrite : writing failed in a way that leaves open what is on the disk. The Store refuses all further work; what counts
	// is what the next Open finds.
	ErrWrite = errors.New("the file cannot be written")
	// ErrRead : the file or its directory cannot be opened or read.
	ErrRead = errors.New("the file cannot be read")
)

// Errors that are not about a file.
var (
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("the store is closed")
	// ErrReadOnly is returned by methods of a Tx of View that would write.
	ErrReadOnly = errors.New("this transaction is for reading")
	// ErrArgument is returned for an empty or overlong name of a part, bucket or key.
	ErrArgument = errors.New("invalid name")
)

// Error is about one file of the store.
type Error struct {
	// Path is the file.
	Path string
	// Reason is one of the errors above.
	Reason error
	// Detail says what exactly, and what to do about it. It may be empty.
	Detail string
	// Cause is the error underneath, or nil.
	Cause error
}

// Error implements error.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %v", e.Path, e.Reason)
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap makes errors.Is find the reason and the cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Reason}
	}
	return []error{e.Reason, e.Cause}
}

// RestoredError refuses a signature for a factory that is older than a restore from a backup (PS-013): the record may lack the
// last signatures.
type RestoredError struct {
	// Factory is its id.
	Factory [32]byte
}

// Rule returns PS-013.
func (e *RestoredError) Rule() rule.ID { return rule.PS013 }

// Error implements error.
func (e *RestoredError) Error() string {
	return fmt.Sprintf("refused to sign for factory %x: %s: it is older than a restore from a backup", e.Factory, rule.PS013)
}

// writeError sorts the error of a write into ErrFull and ErrWrite.
func writeError(path string, err error) *Error {
	for _, full := range []error{unix.ENOSPC, unix.EDQUOT, unix.EFBIG, bolterrors.ErrMaxSizeReached} {
		// bbolt keeps only the text of some errors, at the end of its own.
		if errors.Is(err, full) || strings.HasSuffix(err.Error(), full.Error()) {
			return &Error{Path: path, Reason: ErrFull, Cause: err}
		}
	}
	return &Error{Path: path, Reason: ErrWrite, Cause: err}
}
