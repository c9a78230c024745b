package channel

import (
	"errors"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/commitment"
	"superscalar/wire"
)

// ErrNoCommitment is the error of an output on which this side has no
// commitment that may be published.
var ErrNoCommitment = errors.New("no commitment to publish")

// SignedCommitment is a commitment of ours that can be published, with the
// peer's signatures for its second-stage transactions.
type SignedCommitment struct {
	*commitment.Commitment
	Tx       *btcwire.MsgTx // complete
	HTLCSigs []wire.Signature
}

// TheirCommitments returns the commitments of the peer on an output that are
// not revoked: the one it has, and the next one when we signed it already.
// Either may be published.
func (m *Machine) TheirCommitments(txid wire.Txid) ([]*commitment.Commitment, error) {
	if f := m.findFunding(txid); f != nil && f.Absorbed() {
		return nil, ErrNoCommitment
	}
	if f := m.findFunding(txid); f != nil {
		var out []*commitment.Commitment
		for i, v := range m.theirStates(f) {
			c, err := m.buildState(m.peer(), f, &v, [2]wire.Point{m.TheirPoint, m.TheirNext}[i])
			if err != nil {
				return nil, err
			}
			out = append(out, c)
		}
		return out, nil
	}
	for i := range m.Replaced {
		if r := &m.Replaced[i]; r.Funding.Txid == txid {
			return m.theirReplaced(r)
		}
	}
	return nil, ErrNoCommitment
}

// theirStates are the states of TheirCommitments.
func (s *State) theirStates(f *Funding) []commitment.State {
	current := s.Revoked.Next()
	if !s.awaiting() {
		v := s.view(s.peer(), f, latest)
		v.Number = current
		return []commitment.State{v}
	}
	old, new := s.view(s.peer(), f, previous), s.view(s.peer(), f, latest)
	old.Number, new.Number = current, current+1
	return []commitment.State{old, new}
}

func (m *Machine) theirReplaced(r *Replaced) ([]*commitment.Commitment, error) {
	var out []*commitment.Commitment
	for i := range r.Remote {
		if r.Remote[i].Number < m.State.Revoked.Next() {
			continue // its record is among those of Append
		}
		c, err := m.buildState(m.peer(), &r.Funding, &r.Remote[i], r.RemotePoint[i])
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// Parameters returns what package commitment needs to rebuild commitments of
// this channel out of records of Append.
func (m *Machine) Parameters() commitment.Params { return m.params }

// Rebuild returns a revoked commitment of the peer out of its record, so that
// it can be punished. The error is ErrNoCommitment for an output that is not
// kept any more.
func (m *Machine) Rebuild(txid wire.Txid, state commitment.State, secret commitment.Secret) (*commitment.Commitment, error) {
	f := m.findFunding(txid)
	for i := range m.Replaced {
		if m.Replaced[i].Funding.Txid == txid {
			f = &m.Replaced[i].Funding
		}
	}
	if f == nil {
		return nil, ErrNoCommitment
	}
	point, err := secret.Point()
	if err != nil {
		return nil, err
	}
	return m.buildState(m.peer(), f, &state, pointOf(point))
}
