package channel_test

import (
	"testing"

	"superscalar/refnode/channel"
	"superscalar/wire"
)

// commitmentsIn are the commitment_signed among actions.
func commitmentsIn(actions []channel.Action) (all []*wire.CommitmentSigned) {
	for _, a := range actions {
		if s, ok := a.(channel.Send); ok {
			if c, ok := s.Message.(*wire.CommitmentSigned); ok {
				all = append(all, c)
			}
		}
	}
	return all
}

// A peer that signs the output in use alone while a change stands wants our only
// commitment on the new output revoked: we would have nothing to publish there. It
// is not let.
func TestNoCommitmentWhileAChangeStands(t *testing.T) {
	for victim := range 2 {
		p := opened(t, setting{})
		p.honest = false
		p.offer(0)
		p.resolve(1, -1, 0, 0)
		p.drain()
		peer := 1 - victim
		disk := append([]byte{}, p.nodes[peer].disk...) // of before the change
		hello := p.reestablishOf(victim)
		p.reconnect()
		p.drain()
		txid := p.changeTo(committed)
		v := p.nodes[victim].m
		p.must(v.ChangePending())

		cheat, err := channel.Restore(p.nodes[peer].cfg, disk)
		p.must(err)
		cheat.Connected()
		cheat.Receive(hello)
		cheat.Round()
		cheat.Take()
		cheat.Commit()
		signed := commitmentsIn(cheat.Take())
		if len(signed) != 1 {
			t.Fatalf("the cheat signs %d commitments", len(signed))
		}
		before := v.LocalNumber
		p.inject(victim, signed[0])
		if _, err := v.LatestCommitment(txid); err != nil || v.LocalNumber != before || !v.Committed(txid) {
			t.Errorf("node %d is at commitment %d, was at %d, and on the new output: %v", victim, v.LocalNumber, before, err)
		}
	}
}

// next_funding can name an output that is in use. A commitment that is signed for
// it, beside the one that is under way, would have the number of the next and the
// point of the last: no secret punishes it.
func TestNextFundingOfAnOutputInUse(t *testing.T) {
	p := opened(t, setting{})
	p.honest = false
	p.offer(0)
	p.resolve(1, -1, 0, 0)
	p.drain()
	p.must(p.add(0, -1, 5_000_000)) // what it sends is lost
	p.queue = [2][][]byte{}
	msg := p.reestablishOf(1)
	m := p.nodes[0].m
	txid := m.Fundings[0].Txid
	msg.NextFunding = &wire.FundingState{Txid: txid, RetransmitFlags: 1}
	p.reestablishOf(0)
	signed := commitmentsIn(p.inject(0, msg))
	if len(signed) != 1 {
		t.Fatalf("%d commitments are signed again, not 1", len(signed))
	}
	known, err := m.TheirCommitments(txid)
	p.must(err)
	fits := false
	for _, c := range known {
		fits = fits || c.Verify(signed[0].Signature, signed[0].HTLCSignatures) == nil
	}
	if !fits {
		t.Error("what is signed is none of the commitments that we can punish")
	}
}
