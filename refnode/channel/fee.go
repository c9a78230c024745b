package channel

import (
	"fmt"

	"superscalar/refnode/commitment"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// UpdateFee sets a new feerate: update_fee is sent, and signed by the next
// Commit. Only the opener may (BOLT 2). The error is *Refused.
func (m *Machine) UpdateFee(rate Feerate) error {
	switch {
	case m.Side != commitment.Opener:
		return &Refused{"only the opener sets the feerate"}
	case m.params.Type == commitment.ZeroFee:
		return &Refused{"these commitments pay no fee"}
	case !m.operational() || m.quieting() || m.drained() || m.frozen():
		return &Refused{"the channel takes no update now"}
	case rate < MinFeeratePerKw || rate > MaxFeeratePerKw:
		return &Refused{fmt.Sprintf("a feerate of %d", rate)}
	}
	for owner := commitment.Opener; owner <= commitment.Accepter; owner++ {
		if reason := m.affordFault(owner, m.Side, m.worst(owner, max(rate, m.topFeerate()))); reason != "" {
			return &Refused{reason}
		}
	}
	m.addFee(feeUpdate{Rate: rate, Stage: proposed, Order: m.order()})
	m.save()
	m.send(feeMessage(m.ID, rate))
	return nil
}

// addFee adds a feerate. Of those that are equally far only the last one says
// anything, so that no peer makes the list long.
func (s *State) addFee(u feeUpdate) {
	var rates []feeUpdate
	for _, x := range append(s.Feerates, u) {
		if n := len(rates); n > 0 && rates[n-1].Stage == x.Stage {
			rates[n-1] = x
		} else {
			rates = append(rates, x)
		}
	}
	s.Feerates = rates
}

// feeReceived handles update_fee.
func (m *Machine) feeReceived(msg *wire.Base) {
	r := fields(msg)
	rate := Feerate(r.U32("feerate_per_kw"))
	switch {
	case m.Side == commitment.Opener:
		m.warn("", "update_fee from the side that does not pay the fee")
		return
	case m.params.Type == commitment.ZeroFee:
		if !m.on(rule.CHAN034) {
			m.fail(rule.CHAN034, "update_fee on commitments that pay no fee") // a mutant that gives the channel up
			return
		}
		m.warn("", "update_fee on commitments that pay no fee")
		return
	case rate < MinFeeratePerKw:
		m.warn("", fmt.Sprintf("feerate_per_kw %d is under %d", rate, MinFeeratePerKw))
		return
	case rate > MaxFeeratePerKw:
		m.warn("", fmt.Sprintf("feerate_per_kw %d is above %d", rate, MaxFeeratePerKw))
		return
	}
	m.addFee(feeUpdate{Rate: rate, Stage: proposed})
	reason := m.affordFault(m.Side, m.peer(), func(f *Funding) commitment.State { return m.view(m.Side, f, next) })
	if reason != "" {
		m.Feerates = m.Feerates[:len(m.Feerates)-1]
		m.warn("", "update_fee: "+reason)
	}
}
