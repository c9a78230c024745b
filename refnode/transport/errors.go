package transport

import (
	"errors"
	"fmt"
)

// MaxMessageSize is the largest Lightning message in bytes, type included
// (BOLT 8, "Lightning Message Specification").
const MaxMessageSize = 65535

var (
	// ErrBadMAC says that a length prefix or a message was not encrypted
	// by the peer, or was altered on the way. The connection is closed.
	ErrBadMAC = errors.New("message authentication failed")

	// ErrMessageTooLarge says that a message to send has more than
	// MaxMessageSize bytes. Nothing was sent.
	ErrMessageTooLarge = errors.New("message too large")

	// ErrHandshakeTimeout says that the peer did not finish its handshake
	// in Options.HandshakeTimeout.
	ErrHandshakeTimeout = errors.New("handshake took too long")

	// ErrHandshakeDropped says that a Listener had too many unfinished
	// handshakes and gave up this one, its oldest.
	ErrHandshakeDropped = errors.New("dropped: too many unfinished " +
		"handshakes")

	// ErrNoKey says that Options.Key is not set.
	ErrNoKey = errors.New("no node key given")

	// ErrOutOfTurn says that a Machine was asked for a step that does not
	// follow from its state: the caller's mistake, not the peer's.
	ErrOutOfTurn = errors.New("handshake step out of turn")
)

// Classes of handshake failures, named as in BOLT 8 appendix A.
const (
	Act1ReadFailed    = "ACT1_READ_FAILED"
	Act1BadVersion    = "ACT1_BAD_VERSION"
	Act1BadPubkey     = "ACT1_BAD_PUBKEY"
	Act1BadTag        = "ACT1_BAD_TAG"
	Act2ReadFailed    = "ACT2_READ_FAILED"
	Act2BadVersion    = "ACT2_BAD_VERSION"
	Act2BadPubkey     = "ACT2_BAD_PUBKEY"
	Act2BadTag        = "ACT2_BAD_TAG"
	Act3ReadFailed    = "ACT3_READ_FAILED"
	Act3BadVersion    = "ACT3_BAD_VERSION"
	Act3BadCiphertext = "ACT3_BAD_CIPHERTEXT"
	Act3BadPubkey     = "ACT3_BAD_PUBKEY"
	Act3BadTag        = "ACT3_BAD_TAG"
)

// HandshakeError says which act of the peer failed which check.
type HandshakeError struct {
	// Class is one of the constants above.
	Class string

	// Err says what was wrong. For a class that ends in READ_FAILED it
	// wraps why no more bytes came: io.EOF, io.ErrUnexpectedEOF,
	// ErrHandshakeTimeout, ErrHandshakeDropped, the cause of a cancelled
	// context, or an error of the socket.
	Err error
}

// Error returns the class and what was wrong, on one line.
func (e *HandshakeError) Error() string {
	return fmt.Sprintf("%s: %v", e.Class, e.Err)
}

// Unwrap returns Err.
func (e *HandshakeError) Unwrap() error {
	return e.Err
}
