package ceremony

import (
	"errors"
	"time"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// changeMessage handles a message of a change.
func (l *LSP) changeMessage(now time.Time, ch *lspChange, i int, m wire.Ceremony) []Out {
	ch.answered(i, m)
	l.signedBefore(ch, i, m)
	out, err := l.handleChange(now, ch, i, m)
	if err == nil {
		return out
	}
	return append(out, l.endChange(ch, i, err)...)
}

// endChange ends a change for an error of a member's message, or of nobody's.
func (l *LSP) endChange(ch *lspChange, i int, err error) []Out {
	var named *guilty
	if errors.As(err, &named) {
		for k := range ch.members {
			if f := named.clients[k]; f != nil {
				return l.failChange(ch, k, f)
			}
		}
	}
	var own *ownFault
	if errors.As(err, &own) {
		i = nobody
	}
	return l.failChange(ch, i, asFailure(err))
}

// nobody is to blame when the LSP cannot go on itself.
const nobody = -1

// ownFault is an error of the LSP's own chain, disk or arithmetic.
type ownFault struct{ err error }

func (o *ownFault) Error() string { return o.err.Error() }
func (o *ownFault) Unwrap() error { return o.err }

// own marks an error as the LSP's, unless it names somebody.
func own(err error) error {
	var named *guilty
	if err == nil || errors.As(err, &named) {
		return err
	}
	return &ownFault{err}
}

func (l *LSP) handleChange(now time.Time, ch *lspChange, i int, m wire.Ceremony) ([]Out, error) {
	switch m := m.(type) {
	case *wire.Abort:
		return nil, fail(m.Reason, "", "the client ended the attempt: %s", m.Reason)
	case *wire.Join:
		if ch.state == changeJoining && ch.members[i].client == ch.record.Buyer {
			return l.buyerJoined(now, ch, m)
		}
	case *wire.Nonces:
		if ch.state == changeNonces && m.Phase == ch.phase && ch.round.waitsFor(i) {
			return l.changeNonces(now, ch, i, m)
		}
		if ch.state == changeStoring && m.Phase == ch.phase+1 && ch.members[i].stored && ch.early[i] == nil && ch.phase < ch.last() {
			ch.early[i] = m
			return nil, nil
		}
	case *wire.Partials:
		if ch.state == changePartials && m.Phase == ch.phase && ch.round.waitsFor(i) {
			return l.changePartials(now, ch, i, m)
		}
	case *wire.Stored:
		if ch.state == changeStoring && m.Phase == ch.phase && !ch.members[i].stored {
			return l.changeStored(now, ch, i)
		}
	}
	if !l.cfg.on(rule.CER007) {
		return nil, nil
	}
	return nil, fail(wire.ReasonUnexpected, rule.CER007, "%s is not what this attempt waits for", m.Name())
}

// buyerJoined goes on with a sale once the buyer's key is known. In a retry it
// has to be the one that is signed for.
func (l *LSP) buyerJoined(now time.Time, ch *lspChange, m *wire.Join) ([]Out, error) {
	if ch.sale == nil {
		ch.record.ChannelKey = m.ChannelKey.String()
		_, out, err := l.openChange(now, ch)
		return out, own(err)
	}
	if ch.record.ChannelKey != m.ChannelKey.String() && l.cfg.on(rule.PS011) {
		return nil, fail(wire.ReasonRecorded, rule.PS011, "another channel key than in the sale that was interrupted")
	}
	_, out, err := l.startChange(now, ch)
	return out, err
}
