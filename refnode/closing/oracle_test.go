package closing

import (
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
)

// right is the height of the first block in which we may take an output, and
// false when we never may. It is BOLT 5 in a table, apart from the code under
// test.
func (s *scene) right(c *commitment.Commitment, out commitment.Output, at commitment.Height, revoked bool) (commitment.Height, bool) {
	switch {
	case out.Kind == commitment.LocalAnchor || out.Kind == commitment.RemoteAnchor || out.Kind == commitment.SharedAnchor:
		return 0, false
	case revoked:
		return at + 1, true
	case out.Kind == commitment.ToLocal:
		return at + commitment.Height(s.params.Delay[s.us]), c.Owner == s.us
	case out.Kind == commitment.ToRemote:
		return at + 1, c.Owner == s.them
	case out.HTLC.OfferedBy == s.us:
		return max(at+1, out.HTLC.Expiry+1), true
	default:
		learned, known := s.learned[out.HTLC.ID]

		return max(at+1, learned+2), known
	}
}

// finish checks the chain at the end. In order is false when reorganisations may
// have let the adversary be first where it should not have been.
func (s *scene) finish(inOrder bool) {
	s.t.Helper()
	spend, spent := s.spend(s.funding.Outpoint)
	if !spent {
		s.t.Fatalf("nothing spends the channel: %v", s.last)
	}
	c, revoked := s.confirmed(spend.Tx.TxHash())
	at := commitment.Height(spend.Block.Height)
	for i, out := range c.Outputs {
		if first, ours := s.right(c, out, at, revoked); ours {
			o := btcwire.OutPoint{Hash: c.Txid, Index: uint32(i)}
			s.mustHave(c, o, out.Kind.String(), first, revoked, inOrder)
		}
	}
	s.checkEvents(c)
	if !s.last.Plan.Settled() && s.resolvable(c) {
		s.t.Fatalf("it is not over: %+v", s.last.Plan)
	}
}

// confirmed returns the commitment that is on the chain.
func (s *scene) confirmed(txid chainhash.Hash) (c *commitment.Commitment, revoked bool) {
	s.t.Helper()
	if s.ours.Txid == txid {
		return s.ours.Commitment, false
	}
	for n := range s.theirs {
		if s.theirs[n].Txid == txid {
			record, err := s.channel.Revoked(commitment.Number(n))
			check(s.t, err)

			return s.theirs[n].Commitment, record != nil
		}
	}
	s.t.Fatalf("%s is no commitment", txid)

	return nil, false
}

// mustHave checks that an output went to us, or to the adversary before we could
// have it.
func (s *scene) mustHave(c *commitment.Commitment, o btcwire.OutPoint, what string, first commitment.Height, revoked, inOrder bool) {
	s.t.Helper()
	spend, spent := s.spend(o)
	if !spent {
		s.t.Fatalf("nobody has %s %s", what, o)
	}
	at := commitment.Height(spend.Block.Height)
	if s.paysUs(spend.Tx) {
		if at > first && inOrder && !revoked {
			s.t.Fatalf("%s %s was ours at %d and taken at %d", what, o, first, at)
		}
		if c.Owner == s.us && c.Outputs[o.Index].HTLC != nil { // our HTLC transaction: its output is next
			second := btcwire.OutPoint{Hash: spend.Tx.TxHash(), Index: spend.Input}
			s.sweepOf(second, at+commitment.Height(s.params.Delay[s.us]))
		}

		return
	}
	if revoked { // its second stage is ours too
		s.sweepOf(btcwire.OutPoint{Hash: spend.Tx.TxHash(), Index: spend.Input}, at+1)

		return
	}
	if first < at && inOrder {
		s.t.Fatalf("%s %s was ours from %d on, and the adversary took it at %d", what, o, first, at)
	}
}

func (s *scene) sweepOf(o btcwire.OutPoint, first commitment.Height) {
	s.t.Helper()
	spend, spent := s.spend(o)
	if !spent || !s.paysUs(spend.Tx) {
		s.t.Fatalf("the second stage %s, ours from %d on, is not ours: %v", o, first, spent)
	}
}

func (s *scene) paysUs(tx *btcwire.MsgTx) bool {
	for _, out := range tx.TxOut {
		if string(out.PkScript) == string(s.script) {
			return true
		}
	}

	return false
}

// checkEvents checks that each HTLC has had its end: fulfilled, when a block ever
// showed the preimage, even one that was reorganised away.
func (s *scene) checkEvents(c *commitment.Commitment) {
	s.t.Helper()
	for _, h := range s.channel.HTLCs {
		there, spent := s.htlcSpend(c, h)
		if h.By == s.them {
			if done := !there || spent; done != s.removed[h.ID] {
				s.t.Fatalf("HTLC %d of the adversary: over %v, removed %v", h.ID, done, s.removed[h.ID])
			}

			continue
		}
		want := "failed"
		if s.shown[h.Hash] {
			want = "fulfilled"
		}
		if s.events[h.ID] != want {
			s.t.Fatalf("HTLC %d of ours is %q, want %q (output %v)", h.ID, s.events[h.ID], want, there)
		}
	}
}

// htlcSpend reports whether an HTLC has an output, and whether it is spent.
func (s *scene) htlcSpend(c *commitment.Commitment, h HTLC) (there, spent bool) {
	s.t.Helper()
	for i, out := range c.Outputs {
		if out.HTLC != nil && out.HTLC.OfferedBy == h.By && channel.HTLCID(out.HTLC.ID) == h.ID {
			_, spent = s.spend(btcwire.OutPoint{Hash: c.Txid, Index: uint32(i)})

			return true, spent
		}
	}

	return false, false
}

// resolvable is false while the adversary leaves something that only it can
// take, and that the plan waits for.
func (s *scene) resolvable(c *commitment.Commitment) bool {
	for _, h := range s.channel.HTLCs {
		if there, spent := s.htlcSpend(c, h); there && !spent {
			return false
		}
	}

	return true
}

// deep reports whether something spends an outpoint in a buried block.
func (s *scene) deep(o btcwire.OutPoint) bool {
	s.t.Helper()
	spend, spent := s.spend(o)

	return spent && s.height+1 >= commitment.Height(spend.Block.Height)+Buried
}

// checkBuried checks that what ended an HTLC without a preimage is buried, at
// the time when this is told.
func (s *scene) checkBuried(h *HTLC) {
	s.t.Helper()
	spend, _ := s.spend(s.funding.Outpoint)
	if !s.deep(s.funding.Outpoint) {
		s.t.Fatalf("HTLC %d of the %s ends, and the commitment is not buried", h.ID, h.By)
	}
	if _, commits := s.params.NumberOf(spend.Tx); !commits || s.last.Plan.End == Unknown {
		return
	}
	c, _ := s.confirmed(spend.Tx.TxHash())
	for i, out := range c.Outputs {
		if out.HTLC != nil && out.HTLC.OfferedBy == h.By && channel.HTLCID(out.HTLC.ID) == h.ID && !s.deep(btcwire.OutPoint{Hash: c.Txid, Index: uint32(i)}) {
			s.t.Fatalf("HTLC %d of the %s ends, and what spends it is not buried", h.ID, h.By)
		}
	}
}

// checkSettled checks that everything we have a right to is spent, and buried.
func (s *scene) checkSettled() {
	s.t.Helper()
	spend, _ := s.spend(s.funding.Outpoint)
	c, revoked := s.confirmed(spend.Tx.TxHash())
	for i, out := range c.Outputs {
		o := btcwire.OutPoint{Hash: c.Txid, Index: uint32(i)}
		if _, ours := s.right(c, out, 0, revoked); ours && !s.deep(o) {
			s.t.Fatalf("it is settled, and %s is not", out.Kind)
		}
		second, spent := s.spend(o)
		if out.HTLC != nil && spent && !revoked && !s.deep(o) {
			s.t.Fatalf("it is settled, and what the adversary took of %s is not", out.Kind)
		}
		if !spent || out.HTLC == nil || c.Owner == s.us != s.paysUs(second.Tx) || c.Owner != s.us && !revoked {
			continue // it has no second stage of ours
		}
		if o := (btcwire.OutPoint{Hash: second.Tx.TxHash(), Index: second.Input}); !s.deep(o) {
			s.t.Fatalf("it is settled, and the second stage of %s is not", out.Kind)
		}
	}
}
