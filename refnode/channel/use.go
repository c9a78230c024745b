package channel

import "superscalar/wire/rule"

// Use is what a factory lets its channel be used for now. The zero value sets no
// limit. It is not stored: the node says it again after a restart.
type Use struct {
	// Suspended stops HTLCs, both ways: the factory's funding transaction is not
	// confirmed any more (CER-026).
	Suspended bool
	// Until is the height from which on no HTLC is offered (CHAN-011), or taken
	// (CHG-030), 0: none.
	Until Height
	// MaxExposure bounds the HTLCs towards us, here and in the other channels of the
	// factory together, 0: the node's own limit (CHAN-012).
	MaxExposure MilliSat
}

// SetUse says what the channel may be used for from now on.
func (m *Machine) SetUse(u Use) { m.use = u }

// SetElsewhere says what the HTLCs towards us in the other channels of the factory sum
// to: MaxExposure bounds all of them. It is asked when an HTLC comes, and not stored.
func (m *Machine) SetElsewhere(towards MilliSat) { m.elsewhere = towards }

// Bounded reports whether MaxExposure bounds the HTLCs towards us.
func (m *Machine) Bounded() bool { return m.use.MaxExposure != 0 }

// Towards is the sum of the HTLCs towards us.
func (m *Machine) Towards() (sum MilliSat) {
	for _, h := range m.HTLCs {
		if h.By == m.peer() {
			sum += h.Amount
		}
	}
	return sum
}

// inUse reports whether the factory lets HTLCs be offered.
func (m *Machine) inUse() bool {
	if m.use.Suspended && m.on(rule.CER026) {
		return false
	}
	return m.use.Until == 0 || m.height < m.use.Until || !m.on(rule.CHAN011)
}

// maxExposure is what HTLCs towards us may sum to, 0: no limit.
func (m *Machine) maxExposure() MilliSat {
	return m.use.Exposure(m.cfg.Limits.MaxExposure, m.cfg.Rules)
}

// Exposure is what HTLCs towards a node may sum to that has a limit of its own, 0: no limit
// (CHAN-012).
func (u Use) Exposure(own MilliSat, rules rule.Set) MilliSat {
	if u.MaxExposure != 0 && rules.On(rule.CHAN012) {
		return u.MaxExposure
	}
	return own
}

// Exposed reports whether the HTLCs towards a node, in this channel of a factory and in the
// others, the one in question among them, are above a limit; 0: there is none.
func Exposed(limit, here, elsewhere MilliSat) bool { return limit != 0 && here+elsewhere > limit }
