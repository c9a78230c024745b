// Package ledger decides whether a transaction may be signed, given all that was signed before: record and refuse.
//
// It promises that no two calls of Add that succeed hold two different transactions of one kind on one outpoint (PS-011), states
// excepted, whose nSequence only ever falls (DELAY-002); that a call is recorded whole or not at all; and that a Ledger made from
// what another one recorded, in any order, decides as that one does. It implements these rules of SPEC.md, sections 4.5 and 7.2.
//
// It does no I/O: package store keeps the record on disk (PS-010). It does not know which factory an outpoint belongs to, whether
// a transaction is built as it should be, or what is on the chain: packages factory and chain do. A Ledger is for one goroutine.
package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/wire"

	"superscalar/wire/rule"
)

// Kind says what a transaction does to the outpoint it spends (SPEC.md 7.2). The values are stored on disk: they never change.
type Kind uint8

// The kinds of SPEC.md, sections 4.4 and 7.2.
const (
	Static Kind = iota
	Kickoff
	State
	Distribution
	Sale
	Omission
	Poison

	kindCount
)

var kindNames = [kindCount]string{"static", "kickoff", "state", "distribution", "sale", "omission", "poison"}

// String returns the name that SPEC.md uses.
func (k Kind) String() string {
	if k >= kindCount {
		return fmt.Sprintf("kind %d", uint8(k))
	}
	return kindNames[k]
}

// ErrKind is the error of Check, Add and New for an entry of a kind that does not exist.
var ErrKind = errors.New("unknown kind of transaction")

// maxStateSequence is the largest nSequence of a state: BIP 68 has 16 bits for a number of blocks. Anything above it would mean
// seconds, or no delay at all.
const maxStateSequence = 0xffff

// Entry is one transaction that a node signs.
type Entry struct {
	// Outpoint is what it spends. Every transaction of a factory has one input.
	Outpoint wire.OutPoint
	// Kind is what it does.
	Kind Kind
	// Sequence is the nSequence of its input; blocks for a state.
	Sequence uint32
	// Sighash is the BIP-341 or, for channel outputs, BIP-143 message that is signed. It commits to the whole transaction, so two
	// entries with one sighash are one transaction.
	Sighash [32]byte
}

// same tells whether two entries of one outpoint and kind are the very same transaction.
func (e Entry) same(other Entry) bool {
	return e.Sequence == other.Sequence && e.Sighash == other.Sighash
}

// String names the entry in errors.
func (e Entry) String() string {
	return fmt.Sprintf("%s %x (nSequence %d) of outpoint %s", e.Kind, e.Sighash[:8], e.Sequence, e.Outpoint)
}

// Refusal is the error for a transaction that must not be signed.
type Refusal struct {
	// Rule is PS-011 or DELAY-002, or DELAY-001 for a state whose nSequence is no number of blocks.
	Rule rule.ID
	// Entry is the transaction refused.
	Entry Entry
	// Earlier is the one it contradicts, recorded or earlier in the same call. It is zero under DELAY-001.
	Earlier Entry
}

// Error implements error.
func (r *Refusal) Error() string {
	if r.Rule == rule.DELAY001 {
		return fmt.Sprintf("refused to sign %s: %s: nSequence is over %d", r.Entry, r.Rule, maxStateSequence)
	}
	return fmt.Sprintf("refused to sign %s: %s: signed before: %s %x (nSequence %d)", r.Entry, r.Rule, r.Earlier.Kind,
		r.Earlier.Sighash[:8], r.Earlier.Sequence)
}

// slot is what PS-011 speaks of: one outpoint and one kind.
type slot struct {
	outpoint wire.OutPoint
	kind     Kind
}

// Ledger is everything that was signed. Make one with New.
type Ledger struct {
	rules  rule.Set
	signed map[slot][]Entry
	count  int
}

// New returns the ledger that recorded entries, which may stand in any order. Entries that no ledger under these rules would have
// recorded together give a *Refusal, or ErrKind: then the record is damaged.
func New(rules rule.Set, entries []Entry) (*Ledger, error) {
	l := &Ledger{rules: rules, signed: make(map[slot][]Entry, len(entries))}
	// States were recorded with falling nSequence, whatever order they come back in.
	ordered := slices.Clone(entries)
	slices.SortStableFunc(ordered, func(a, b Entry) int { return cmp.Compare(b.Sequence, a.Sequence) })
	if err := l.Add(ordered); err != nil {
		return nil, err
	}
	return l, nil
}

// Len counts the different transactions recorded.
func (l *Ledger) Len() int { return l.count }

// Check tells whether all entries may be signed, in this order: each is compared with what is recorded and with those before it.
// The error is a *Refusal for the first that may not, or wraps ErrKind. Nothing is recorded.
func (l *Ledger) Check(entries []Entry) error {
	_, err := l.Fresh(entries)
	return err
}

// Add records entries, all of them or, with the error of Check, none. What is recorded already stays as it is.
func (l *Ledger) Add(entries []Entry) error {
	added, err := l.Fresh(entries)
	if err != nil {
		return err
	}
	for _, e := range added {
		s := slot{e.Outpoint, e.Kind}
		l.signed[s] = append(l.signed[s], e)
	}
	l.count += len(added)
	return nil
}

// Fresh returns the entries that Add would record: those that are not in the ledger yet, each once. The error is that of Check.
func (l *Ledger) Fresh(entries []Entry) ([]Entry, error) {
	added := make([]Entry, 0, len(entries))
	pending := make(map[slot][]Entry, len(entries))
	for _, e := range entries {
		s := slot{e.Outpoint, e.Kind}
		known, err := l.admit(e, l.signed[s], pending[s])
		if err != nil {
			return nil, err
		}
		if !known {
			pending[s] = append(pending[s], e)
			added = append(added, e)
		}
	}
	return added, nil
}

// admit decides on one entry, given everything earlier on its outpoint and of its kind. known means that it is recorded already.
func (l *Ledger) admit(e Entry, earlier ...[]Entry) (known bool, err error) {
	if e.Kind >= kindCount {
		return false, fmt.Errorf("%w: %d, for outpoint %s", ErrKind, uint8(e.Kind), e.Outpoint)
	}
	if e.Kind == State && e.Sequence > maxStateSequence && l.rules.On(rule.DELAY001) {
		return false, &Refusal{Rule: rule.DELAY001, Entry: e}
	}
	// The very same transaction may always be signed again, with fresh nonces (PS-012): that gives nobody a second transaction.
	for _, list := range earlier {
		if slices.ContainsFunc(list, e.same) {
			return true, nil
		}
	}
	for _, list := range earlier {
		for _, other := range list {
			if id, bad := l.conflict(e, other); bad {
				return false, &Refusal{Rule: id, Entry: e, Earlier: other}
			}
		}
	}
	return false, nil
}

// conflict compares an entry with a different transaction of the same kind on the same outpoint.
func (l *Ledger) conflict(e, earlier Entry) (rule.ID, bool) {
	if e.Kind != State {
		return rule.PS011, l.rules.On(rule.PS011)
	}
	return rule.DELAY002, e.Sequence >= earlier.Sequence && l.rules.On(rule.DELAY002)
}
