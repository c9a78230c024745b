// Package ceremony is both sides of the ceremonies of section 5 of SPEC.md:
// creating a factory, updating a state, selling from a stock.
//
// Client and LSP are state machines: a message, a disconnection or the time
// goes in, messages come out. They open no socket, read no clock and draw no
// randomness of their own; what they keep goes through the small interfaces
// Keys, Store and, for the LSP, Funder. A machine is not safe for concurrent
// use.
//
// What they promise: a client signs only transactions that it computed itself
// from the proposal and that pass every rule (CER-010); whatever is signed has
// been recorded durably before (PS-010); secret nonces are forgotten when an
// attempt ends (CER-031); the LSP signs the funding transaction last
// (CER-023), names whoever stops an attempt and goes on without it (CER-018).
package ceremony

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/factory"
	"superscalar/refnode/ledger"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// DefaultDeadline is how long either side waits for the other's next message.
const DefaultDeadline = 30 * time.Second

// Peer is a node id.
type Peer = wire.Point

// Out is a message to send.
type Out struct {
	To      Peer
	Message wire.Ceremony
}

// Keys derives the secrets of an attempt, hardened, so that one may be handed
// over (CER-003). They are the same every time for the same arguments.
type Keys interface {
	// Factory is the factory key of an attempt.
	Factory(id wire.CeremonyID) (*btcec.PrivateKey, error)
	// Channel is the funding key of a channel, by the attempt that made it; the
	// LSP has one for each client, a client always uses index 0.
	Channel(id wire.CeremonyID, index uint32) (*btcec.PrivateKey, error)
	// Payout is the key that distributions and poison of a factory pay
	// (SCRIPT-005); its x coordinate is the output key.
	Payout(id wire.CeremonyID) (*btcec.PrivateKey, error)
}

// Store keeps what must survive. Each call is durable when it returns nil and
// changes nothing when it returns an error.
type Store interface {
	// Sign records what is about to be signed in a factory. It refuses with a
	// *ledger.Refusal.
	Sign(factory wire.CeremonyID, entries []ledger.Entry) error
	// Put keeps a named part of a factory, replacing what it was.
	Put(factory wire.CeremonyID, part string, data []byte) error
}

// Config is what both machines are made of.
type Config struct {
	Rules    rule.Set
	Chain    factory.Chain // whose bounds apply
	Rand     io.Reader
	Keys     Keys
	Store    Store
	Deadline time.Duration // DefaultDeadline when 0
	// Seen reports whether a transaction that spends the outpoint is confirmed
	// or in a mempool (DELAY-006, PS-004).
	Seen func(btcwire.OutPoint) (bool, error)
	// Tip is the height of the best block.
	Tip func() (factory.Height, error)
	// Funded fails unless the funding transaction of a factory is confirmed as
	// promised (CER-044). Nil: nobody asks.
	Funded func(id wire.CeremonyID, tree *factory.Tree) error
	// Channels open channels on the outputs that are made. Nil: there are none.
	Channels Channels
}

func (c Config) on(id rule.ID) bool { return c.Rules.On(id) }

func (c Config) deadline() time.Duration {
	if c.Deadline == 0 {
		return DefaultDeadline
	}
	return c.Deadline
}

// Failure says why an attempt ended. It goes to the peer as ceremony_abort.
type Failure struct {
	Reason wire.Reason
	Rule   rule.ID              // requirement that asks for it, when one does
	Guilty *factory.ClientIndex // who is to blame, when it is known
	Err    error
}

func (f *Failure) Error() string {
	if f.Guilty != nil {
		return fmt.Sprintf("%s, client %d: %v", f.Reason, *f.Guilty, f.Err)
	}
	return fmt.Sprintf("%s: %v", f.Reason, f.Err)
}

func (f *Failure) Unwrap() error { return f.Err }

func fail(reason wire.Reason, id rule.ID, format string, args ...any) *Failure {
	return &Failure{Reason: reason, Rule: id, Err: fmt.Errorf(format, args...)}
}

// asFailure gives any error of a check the reason that its rule belongs to.
func asFailure(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	var refusal *ledger.Refusal
	if errors.As(err, &refusal) {
		return &Failure{Reason: wire.ReasonRecorded, Rule: refusal.Rule, Err: err}
	}
	if id, ok := factory.RuleOf(err); ok {
		return &Failure{Reason: reasonOf(id), Rule: id, Err: err}
	}
	return &Failure{Reason: wire.ReasonInternal, Err: err}
}

// reasonOf maps the rule that a proposal breaks to the reason of section 5.2.
func reasonOf(id rule.ID) wire.Reason {
	switch id {
	case rule.TREE001, rule.TREE002, rule.TREE003, rule.DELAY004, rule.DELAY005:
		return wire.ReasonParameters
	case rule.TREE010, rule.TREE011, rule.TREE014, rule.TREE015:
		return wire.ReasonShape
	case rule.SCRIPT001, rule.SCRIPT002, rule.SCRIPT003, rule.SCRIPT006, rule.CER047:
		return wire.ReasonKeys
	case rule.DIST010:
		return wire.ReasonCover
	case rule.DELAY001, rule.DELAY002, rule.POI005, rule.POI006, rule.PS002, rule.PS011:
		return wire.ReasonRecorded
	case rule.CER041:
		return wire.ReasonRefused
	default:
		return wire.ReasonAmounts
	}
}

// abort is the message for a failure. What is wrong inside, such as with a disk,
// is not for the peer.
func (f *Failure) abort(id wire.CeremonyID) *wire.Abort {
	m := &wire.Abort{Attempt: wire.Attempt{Ceremony: id}, Reason: f.Reason, Text: f.Err.Error()}
	switch f.Reason {
	case wire.ReasonInternal:
		m.Text = "internal error"
	case wire.ReasonChain:
		if f.Rule == "" {
			m.Text = "the chain does not answer"
		}
	}
	if len(m.Text) > maxText {
		m.Text = m.Text[:maxText]
	}
	if f.Guilty != nil {
		i := uint16(*f.Guilty)
		m.Guilty = &i
	}
	return m
}

func failChain(id rule.ID, format string, args ...any) *Failure {
	return fail(wire.ReasonChain, id, format, args...)
}

// maxText keeps the explanation of an abort short, in bytes.
const maxText = 400

// entries are the lines of the record for transactions about to be signed.
func entries(txs []*factory.Tx) []ledger.Entry {
	out := make([]ledger.Entry, len(txs))
	for i, t := range txs {
		out[i] = ledger.Entry{Outpoint: t.Outpoint(), Kind: ledger.Kind(t.Kind), Sequence: t.Sequence(), Sighash: t.Sighash}
	}
	return out
}
