package channel

import (
	"superscalar/refnode/commitment"
)

// view returns what the commitment of owner says at a moment, on funding
// output f. It carries no number: the caller knows which one it means.
func (s *State) view(owner Side, f *Funding, at moment) commitment.State {
	v := commitment.State{Feerate: s.feerate(owner, at), Balance: s.Balance}
	for side, delta := range f.Delta {
		v.Balance[side] += MilliSat(1000 * delta) // modulo 2^64 when negative: the sum is not
	}
	if len(s.HTLCs) > 0 {
		v.HTLCs = make([]commitment.HTLC, 0, len(s.HTLCs))
	}
	for _, h := range s.HTLCs {
		if !within(owner, h.By, h.Stage, at) {
			continue
		}
		v.Balance[h.By] -= h.Amount
		switch x := h.Removal; {
		case x == nil || !within(owner, h.By.Other(), x.Stage, at):
			v.HTLCs = append(v.HTLCs, h.inCommitment())
		case x.Kind == fulfilled:
			v.Balance[h.By.Other()] += h.Amount
		default:
			v.Balance[h.By] += h.Amount
		}
	}
	return v
}

// Incoming is what HTLCs towards this node may add to its balance, in msat: those that are
// irrevocably committed and are not being failed.
func (s *State) Incoming() (sum MilliSat) {
	for _, h := range s.HTLCs {
		failing := h.Refuse != 0 || h.Removal != nil && h.Removal.Kind != fulfilled
		if h.By != s.Side && h.Stage == irrevocable && !failing {
			sum += h.Amount
		}
	}
	return sum
}

// feerate returns the feerate of the commitment of owner: the last one among
// the updates that it contains. Only the opener sends update_fee.
func (s *State) feerate(owner Side, at moment) Feerate {
	rate := s.Feerate
	for _, u := range s.Feerates {
		if within(owner, commitment.Opener, u.Stage, at) {
			rate = u.Rate
		}
	}
	return rate
}

func (h *HTLC) inCommitment() commitment.HTLC {
	return commitment.HTLC{OfferedBy: h.By, ID: uint64(h.ID), Amount: h.Amount, Hash: h.Hash, Expiry: h.Expiry}
}

// settle lets go of updates that are irrevocable on both sides and returns the
// HTLCs that are over.
func (s *State) settle() (over []*HTLC) {
	keep := s.HTLCs[:0:0]
	for _, h := range s.HTLCs {
		if h.Removal == nil || h.Removal.Stage < irrevocable {
			keep = append(keep, h)
			continue
		}
		if h.Removal.Kind == fulfilled {
			s.Balance[h.By] -= h.Amount
			s.Balance[h.By.Other()] += h.Amount
		}
		over = append(over, h)
	}
	s.HTLCs = keep
	for len(s.Feerates) > 0 && s.Feerates[0].Stage == irrevocable {
		s.Feerate = s.Feerates[0].Rate
		s.Feerates = s.Feerates[1:]
	}
	return over
}

// unsigned reports whether the commitment of owner lacks an update that it
// could have now.
func (s *State) unsigned(owner Side) bool {
	found := false
	s.eachStage(func(by Side, st *stage) {
		if within(owner, by, *st, next) && !within(owner, by, *st, latest) {
			found = true
		}
	})
	return found
}

// clean reports whether no update is on its way: both commitments say the same
// and nothing is owed. What waits to be sent does not count.
func (s *State) clean() bool {
	return !s.awaiting() && s.cleanOf(commitment.Opener) && s.cleanOf(commitment.Accepter)
}

// cleanOf reports whether no update of one side is on its way.
func (s *State) cleanOf(side Side) bool {
	clean := true
	s.eachStage(func(by Side, st *stage) { clean = clean && (by != side || *st == irrevocable || *st == queued) })
	return clean
}
