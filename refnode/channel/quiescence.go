package channel

import (
	"time"

	"superscalar/refnode/commitment"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// quiescence is how far both sides are with stfu (BOLT 2, "Channel
// Quiescence"). The states that end it are those of PCF-142.
type quiescence struct {
	wanted    bool      // we want to begin it, for a change
	ours      bool      // we sent stfu
	theirs    bool      // the peer did
	first     bool      // our stfu has initiator set
	theyFirst bool      // the peer's has
	resumed   bool      // a committed change was taken up after a reconnection
	aborting  bool      // we sent factory_change_abort and wait for its echo
	off       wire.Txid // where the change led that it is about, zero: nowhere yet
	named     bool      // we called off what our channel_reestablish names: the peer answers that
}

// maxQuiescence is how long a channel with HTLCs is quiescent (PCF-146), and how long
// stfu waits for an answer (PCF-173).
const maxQuiescence = 60 * time.Second

// quieting reports whether we send no updates: quiescence is wanted, or begun.
func (m *Machine) quieting() bool { return m.quiet.wanted || m.quiet.ours || m.quiet.theirs }

func (m *Machine) quiescent() bool { return m.quiet.ours && m.quiet.theirs }

// initiator returns who began quiescence: the opener, when both did.
func (m *Machine) initiator() Side {
	switch {
	case m.quiet.first && m.quiet.theyFirst:
		return commitment.Opener
	case m.quiet.first:
		return m.Side
	}
	return m.peer()
}

// sayStfu sends stfu once it may: none of our updates is on its way, no round
// after a change, not even one that our plugin has not asked for yet, and no change is
// half locked, for then both sides would not count balances on the same output.
func (m *Machine) sayStfu() {
	if m.quiet.ours || !m.quiet.wanted && !m.quiet.theirs || !m.operational() {
		return
	}
	if !m.cleanOf(m.Side) || m.halfLocked() || m.locked || m.inRound() {
		return
	}
	msg := &wire.Stfu{ChannelID: m.ID}
	if !m.quiet.theirs {
		msg.Initiator = 1
		m.quiet.first = true
	}
	m.quiet.ours, m.quiet.wanted = true, false
	m.send(msg)
	if !m.quiet.theirs {
		m.limit()
	}
	m.becameQuiescent()
}

// stfu handles stfu.
func (m *Machine) stfu(msg *wire.Stfu) {
	switch {
	case !m.cfg.Features.Offers(wire.FeatureQuiesce):
		m.warn("", "stfu without option_quiesce")
		return
	case !m.operational():
		m.early(msg)
		return
	case m.Ended() && m.on(rule.PCF170):
		m.warn(rule.PCF170, "stfu on a channel that holds nothing any more")
		return
	case m.quiet.theirs:
		m.warn("", "stfu twice")
		return
	case !m.cleanOf(m.peer()):
		m.warn("", "stfu with updates of its sender on their way")
		return
	}
	m.quiet.theirs = true
	m.quiet.theyFirst = msg.Initiator != 0
	m.becameQuiescent()
}

// becameQuiescent goes on when both sides have sent stfu.
func (m *Machine) becameQuiescent() {
	if !m.quiescent() {
		return
	}
	m.limitQuiescence()
	ours := m.initiator() == m.Side
	m.act(Quiescent{ours})
	switch {
	case m.change == nil:
	case ours:
		m.sendInit()
	default:
		m.forgetChange("the peer began a change first")
	}
}

// limitQuiescence starts the clock of PCF-146.
func (m *Machine) limitQuiescence() {
	if len(m.HTLCs) > 0 {
		m.limit()
	}
}

func (m *Machine) limit() {
	m.timer++
	m.act(SetTimer{m.timer, maxQuiescence})
}

// Timer says that the time of a SetTimer is over. Old ones do nothing.
func (m *Machine) Timer(id TimerID) {
	switch {
	case id != m.timer:
	case m.quiescent() && len(m.HTLCs) > 0 && m.on(rule.PCF146):
		m.act(Disconnect{Rule: rule.PCF146, Reason: "60 seconds of quiescence with HTLCs pending"})
		m.Disconnected()
	case m.quiet.ours && !m.quiet.theirs && m.on(rule.PCF173):
		m.act(Disconnect{Rule: rule.PCF173, Reason: "60 seconds without an answer to stfu"})
		m.Disconnected()
	}
}

// leaveQuiescence ends it; what waits is sent.
func (m *Machine) leaveQuiescence() {
	m.quiet = quiescence{}
	m.timer++
	m.advance()
}
