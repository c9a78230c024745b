package channel

import "superscalar/refnode/commitment"

// stage is how far an update has come: one of the five states of BOLT 2,
// "Normal Operation". An update is the addition of an HTLC, its removal or a
// new feerate. Its sender and its receiver see the same stages, at different
// moments.
type stage uint8

const (
	queued      stage = iota // ours, decided and not sent
	proposed                 // 1: sent; pending on the receiver
	signed                   // 2: in the receiver's latest commitment
	acked                    // 3: and its previous one is revoked; pending on the sender
	returned                 // 4: in the sender's latest commitment
	irrevocable              // 5: and its previous one is revoked
)

// moment says which commitment of a side is meant.
type moment uint8

const (
	previous moment = iota // the one before the latest, when that is not revoked yet
	latest                 // the last one that was signed
	next                   // the one that would be signed now
)

// within reports whether an update by side by, at stage st, is part of the
// commitment of owner. The receiver of an update gets it first, its sender
// after the receiver has acknowledged it.
func within(owner, by Side, st stage, at moment) bool {
	least := proposed + stage(next-at) // of an update that the owner received
	if by == owner {
		least += 2
	}
	return st >= least
}

// signs moves an update by side by when signer signs the other side's
// commitment: what that commitment now contains.
func (st stage) signs(signer, by Side) stage {
	if by == signer && st == proposed {
		return signed
	}
	if by != signer && st == acked {
		return returned
	}
	return st
}

// revokes moves an update by side by when revoker revokes its previous
// commitment, which did not contain it yet.
func (st stage) revokes(revoker, by Side) stage {
	if by != revoker && st == signed {
		return acked
	}
	if by == revoker && st == returned {
		return irrevocable
	}
	return st
}

// eachStage calls f with the stage of every update and its sender.
func (s *State) eachStage(f func(by Side, st *stage)) {
	for _, h := range s.HTLCs {
		f(h.By, &h.Stage)
		if h.Removal != nil {
			f(h.By.Other(), &h.Removal.Stage)
		}
	}
	for i := range s.Feerates {
		f(commitment.Opener, &s.Feerates[i].Stage)
	}
}
