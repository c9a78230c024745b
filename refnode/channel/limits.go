package channel

import (
	"fmt"

	"superscalar/refnode/commitment"
	"superscalar/refnode/expiry"
	"superscalar/wire/rule"
)

// terms are what one side set in its opening message. Most bind the other side.
type terms struct {
	reserve     Sat      // channel_reserve_satoshis: what the other side keeps
	maxInFlight MilliSat // HTLCs the other side may offer at a time
	htlcMinimum MilliSat
	maxHTLCs    int
	shutdown    []byte // upfront_shutdown_script
}

func (s *State) terms(side Side) terms {
	if side == commitment.Opener {
		o := s.Open
		return terms{Sat(o.ChannelReserveSat), MilliSat(o.MaxHTLCInFlightMsat), MilliSat(o.HTLCMinimumMsat), int(o.MaxAcceptedHTLCs), o.UpfrontShutdown}
	}
	a := s.Accept
	return terms{Sat(a.ChannelReserveSat), MilliSat(a.MaxHTLCInFlightMsat), MilliSat(a.HTLCMinimumMsat), int(a.MaxAcceptedHTLCs), a.UpfrontShutdown}
}

// reserve is what a side has to keep: the other side asks for it.
func (s *State) reserve(side Side) MilliSat { return 1000 * MilliSat(s.terms(side.Other()).reserve) }

// maxHTLCs is how many HTLCs a side may offer at a time.
func (m *Machine) maxHTLCs(side Side) int {
	return min(m.terms(side.Other()).maxHTLCs, m.params.Type.MaxHTLCs())
}

// deadline is the lowest expiry of an HTLC inside a factory: what a claim
// needs on top of the early warning time. Outside it is 0.
func (m *Machine) deadline() Height {
	if !m.inFactory() {
		return 0
	}
	return m.height + Height(m.Open.ChannelInFactory.EarlyWarningTime) + Height(expiry.ClaimMargin)
}

// addFault returns what is wrong with an HTLC that h.By adds, "" for nothing:
// what BOLT 2 asks of both sides. The HTLC is in m.HTLCs already.
func (m *Machine) addFault(h *HTLC) string {
	t := m.terms(h.By.Other())
	inFlight, count := MilliSat(0), 0
	for _, x := range m.HTLCs {
		if x.By == h.By && (x.Removal == nil || !within(h.By.Other(), h.By.Other(), x.Removal.Stage, next)) {
			inFlight += x.Amount // cannot overflow: h.Amount is bounded first, the others were
			count++
		}
	}
	switch {
	case h.Amount == 0:
		return "amount_msat is 0"
	case h.Amount > 1000*MilliSat(m.largestOutput()):
		return "amount_msat is more than the channel holds"
	case h.Amount < t.htlcMinimum:
		return fmt.Sprintf("amount_msat %d is under htlc_minimum_msat %d", h.Amount, t.htlcMinimum)
	case h.Expiry >= lockTimeThreshold:
		return fmt.Sprintf("cltv_expiry %d is a time", h.Expiry)
	case count > m.maxHTLCs(h.By):
		return fmt.Sprintf("more than max_accepted_htlcs (%d)", m.maxHTLCs(h.By))
	case inFlight > t.maxInFlight:
		return fmt.Sprintf("more in flight than max_htlc_value_in_flight_msat (%d)", t.maxInFlight)
	}
	return ""
}

func (m *Machine) largestOutput() (most Sat) {
	for _, f := range m.committedFundings() {
		most = max(most, f.Value)
	}
	return most
}

// affordFault reports whether side can pay for what a commitment says and keep
// its reserve, on every output that updates are signed for.
func (m *Machine) affordFault(owner, side Side, at func(*Funding) commitment.State) string {
	for _, f := range m.committedFundings() {
		v := at(f)
		left := int64(v.Balance[side])
		if left >= 0 && side == commitment.Opener {
			paid, ok := m.params.Afford(owner, &v)
			if !ok {
				return fmt.Sprintf("the %s cannot pay the commitment fee", side)
			}
			left = int64(paid)
		}
		if left < int64(m.reserve(side)) {
			return fmt.Sprintf("the %s would have less than its channel reserve", side)
		}
	}
	return ""
}

// spare is the room that worst leaves for HTLCs that somebody thinks up.
const spare = 2

// worst is the view of a commitment in which everything goes against us: all
// HTLCs that were added, none removed before both sides know. What we send has
// to be affordable in it, however messages cross.
func (m *Machine) worst(owner Side, rate Feerate) func(*Funding) commitment.State {
	return func(f *Funding) commitment.State {
		v := commitment.State{Balance: m.Balance, Feerate: rate}
		for side, delta := range f.Delta {
			v.Balance[side] += MilliSat(1000 * delta)
		}
		v.HTLCs = make([]commitment.HTLC, 0, len(m.HTLCs)+spare)
		for _, h := range m.HTLCs {
			v.Balance[h.By] -= h.Amount
			if x := h.Removal; x != nil && within(owner, h.By.Other(), x.Stage, latest) {
				if x.Kind == fulfilled {
					v.Balance[h.By.Other()] += h.Amount
				} else {
					v.Balance[h.By] += h.Amount
				}
				continue
			}
			v.HTLCs = append(v.HTLCs, h.inCommitment())
		}
		return v
	}
}

// topFeerate is the highest feerate that any commitment may have now.
func (m *Machine) topFeerate() Feerate {
	top := m.Feerate
	for _, u := range m.Feerates {
		top = max(top, u.Rate)
	}
	return top
}

// exposureFault looks whether an HTLC adds more to what trimming loses than
// this node bears (BOLT 2, max_dust_htlc_exposure_msat).
func (m *Machine) exposureFault(h *HTLC) bool {
	limit := m.cfg.Limits.MaxDustExposure
	if limit == 0 {
		limit = defaultDustExposure
	}
	for owner := commitment.Opener; owner <= commitment.Accepter; owner++ {
		v := m.worst(owner, m.topFeerate())(&m.Fundings[0])
		// Trimming depends on the feerate where second stages pay their own fee;
		// with anchors and zero fees it does not.
		if m.params.Trimmed(owner, h.inCommitment()) && m.params.DustExposure(owner, &v) > limit {
			return true
		}
	}
	return false
}

const defaultDustExposure MilliSat = 50_000_000

// judge decides whether an HTLC of the peer has to be failed once it is
// committed. Its expiry is judged then, not now (PCF-087).
func (m *Machine) judge(h *HTLC) Refuse {
	switch limit := m.maxExposure(); {
	case m.Scripts[m.Side] != nil || m.WantShutdown != nil || m.tooLateToTake():
		return RefuseShutdown
	case m.exposureFault(h):
		return RefuseDust
	case Exposed(limit, m.Towards(), m.elsewhere):
		return RefuseExposure
	}
	return 0
}

// tooLateToTake reports whether a channel of a factory takes no HTLC any more: from the
// exit height on (CHG-030), and while the factory is not usable (CER-026). It is asked
// again when an HTLC is committed: its sender chooses how long that takes.
func (m *Machine) tooLateToTake() bool {
	return m.use.Suspended && m.on(rule.CER026) || m.use.Until != 0 && m.height >= m.use.Until && m.on(rule.CHG030)
}

// late reports whether an HTLC comes too late for a factory (PCF-087).
func (m *Machine) late(h *HTLC) bool {
	return h.Expiry < m.deadline() && m.on(rule.PCF087)
}
