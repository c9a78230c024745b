package channel

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
)

// Fork returns a machine in the same state that shares nothing that changes, with
// all that a connection would end.
func (m *Machine) Fork() (*Machine, error) {
	s, err := DecodeState(m.State.Encode())
	if err != nil {
		return nil, err
	}
	c := *m
	c.State, c.out = *s, slices.Clone(m.out)
	if m.created != nil {
		created := *m.created
		c.created = &created
	}
	if m.change != nil {
		change := *m.change
		c.change = &change // its outpoints are set once
	}
	if m.batch != nil {
		b := *m.batch
		b.msgs = slices.Clone(b.msgs)
		c.batch = &b
	}
	return &c, nil
}

// Mark is a hash of everything that decides what a machine does next, but for the
// numbers of its timers and its changes.
func (m *Machine) Mark() [32]byte {
	var b bytes.Buffer
	b.Write(m.State.Encode())
	fmt.Fprintf(&b, "%v %v %x %+v %v %d %+v", m.established, m.asked, m.lockedBefore, m.quiet, m.up, m.height, m.use)
	if m.change != nil {
		fmt.Fprintf(&b, "%d %d %x %v %x %v %v %v %v", m.change.step, m.change.key, m.change.keys, m.change.contribution,
			m.change.payload, m.change.ours, m.change.theirs, m.change.into, m.change.takes)
	}
	if m.batch != nil {
		fmt.Fprintf(&b, "batch %d %d", m.batch.size, len(m.batch.msgs))
	}
	return sha256.Sum256(b.Bytes())
}

// HalfLocked reports whether one side has locked a change and the other has not, as far
// as this one knows.
func (m *Machine) HalfLocked() bool { return m.halfLocked() }

// InRound reports whether a commitment without updates is owed or not acknowledged.
func (m *Machine) InRound() bool { return m.inRound() || m.awaiting() }

// OwesRound reports whether a commitment without updates has to be sent.
func (m *Machine) OwesRound() bool { return m.owesRound() }
