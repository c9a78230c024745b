package channel

import (
	"superscalar/refnode/commitment"
)

// Link is what the router may know of a channel.
type Link struct {
	Up           bool // HTLCs can be offered now
	InFactory    bool
	EarlyWarning Height // blocks, 0 outside a factory
	Alias        uint64 // ours: what a payer that reaches us through the peer names
	PeerAlias    uint64 // what the peer sent
	Sendable     MilliSat
	Receivable   MilliSat
	HTLCMinimum  MilliSat // of what we offer
	Shutdown     bool     // one side sent shutdown, or wants to
	Capacity     Sat      // of the current funding output
	// Untrimmed is the smallest HTLC that has an output on a commitment of either side.
	Untrimmed MilliSat
}

// Link returns what the router may know. Amounts are a lower bound on what one
// HTLC can carry now: fees, reserves and what is in flight are taken off.
func (m *Machine) Link() Link {
	l := Link{
		Up: m.canAdd(), InFactory: m.inFactory(), Alias: m.cfg.Alias, PeerAlias: m.PeerAlias,
		HTLCMinimum: max(1, m.terms(m.peer()).htlcMinimum), Shutdown: m.shuttingDown(),
	}
	if len(m.Fundings) == 0 {
		return l
	}
	if l.InFactory {
		l.EarlyWarning = Height(m.Open.ChannelInFactory.EarlyWarningTime)
	}
	l.Untrimmed = 1000 * MilliSat(min(m.params.DustLimit[m.Side], m.params.DustLimit[m.peer()]))
	l.Capacity = m.Fundings[0].Value
	l.Sendable, l.Receivable = m.carries(m.Side), m.carries(m.peer())
	return l
}

// carries returns the largest HTLC that side could offer.
func (m *Machine) carries(side Side) MilliSat {
	t := m.terms(side.Other())
	least := int64(t.maxInFlight)
	count := 0
	for _, h := range m.HTLCs {
		if h.By == side {
			least -= int64(h.Amount)
			count++
		}
	}
	if count >= m.maxHTLCs(side) {
		return 0
	}
	for _, f := range m.committedFundings() {
		for owner := commitment.Opener; owner <= commitment.Accepter; owner++ {
			least = min(least, m.leftOn(owner, side, f))
		}
	}
	return MilliSat(max(0, least))
}

// leftOn is what side can give away on one commitment. The opener keeps the
// fee spike buffer; the other side can offer nothing while the opener could
// not pay for one more HTLC.
func (m *Machine) leftOn(owner, side Side, f *Funding) int64 {
	rate := m.topFeerate()
	if side == commitment.Opener {
		rate *= 2
	}
	v := m.worst(owner, rate)(f)
	extra := commitment.HTLC{OfferedBy: side, Amount: spikeHTLC}
	v.HTLCs = append(v.HTLCs, extra)
	if side == commitment.Opener {
		v.HTLCs = append(v.HTLCs, extra)
	}
	left := int64(v.Balance[side])
	opener := int64(v.Balance[commitment.Opener])
	paid, ok := m.params.Afford(owner, &v)
	switch {
	case opener < 0 || !ok:
		return 0
	case side == commitment.Opener:
		left = int64(paid)
	}
	return left - int64(m.reserve(side))
}
