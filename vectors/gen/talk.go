package gen

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"superscalar/refnode/commitment"
	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// talks are the sides of channel conversations that others go on from: frozen
// after the steps that some vector asks for. The machines keep all rules, since
// what was before is not under test.
type talks struct {
	facts sync.Map // of *vectors.ChannelFacts
	lived sync.Map // of *vectors.ChannelConversation
}

type talkLived struct {
	once  sync.Once
	at    []frozen // after so many steps
	err   error    // it cannot be played
	other error    // a step is not as the file says
}

// through plays a good conversation, once.
func (t *talks) through(v *vectors.ChannelConversation) *talkLived {
	x, _ := t.lived.LoadOrStore(v, &talkLived{})
	l := x.(*talkLived)
	l.once.Do(func() { l.err = t.live(v, l) })
	return l
}

// after returns a side that has lived through n steps of a good conversation.
func (t *talks) after(v *vectors.ChannelConversation, n int) (frozen, error) {
	l := t.through(v)
	if l.err != nil {
		return frozen{}, l.err
	}
	return l.at[n], nil
}

func (t *talks) live(v *vectors.ChannelConversation, l *talkLived) error {
	s, err := t.station(v, rule.Set{})
	if err != nil {
		return err
	}
	l.at = append(l.at, s.freeze())
	for i := range v.Steps {
		got, err := playTalk(s, &v.Steps[i])
		if err != nil {
			return err
		}
		if err := sameTalk(s, &v.Steps[i], got); err != nil && l.other == nil {
			l.other = fmt.Errorf("step %d (%s): %w", i, v.Steps[i].Event, err)
		}
		l.at = append(l.at, s.freeze())
	}
	return nil
}

// station is the side under test as a conversation begins.
func (t *talks) station(v *vectors.ChannelConversation, rules rule.Set) (*talkStation, error) {
	if v.Before != nil {
		n := len(v.Before.Steps)
		if v.AfterSteps != nil {
			n = int(*v.AfterSteps)
		}
		from, err := t.after(v.Before, n)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.After, err)
		}
		return from.thaw(rules)
	}
	if v.Channel == nil {
		return nil, fmt.Errorf("neither channel nor %q is there", v.After)
	}
	facts, err := t.read(v.Channel)
	if err != nil {
		return nil, err
	}
	side := commitment.Opener
	if v.Party == "client" {
		side = commitment.Accepter
	}
	return newTalkStation(facts, side, rules)
}

func (t *talks) read(v *vectors.ChannelFacts) (*talkFacts, error) {
	if f, ok := t.facts.Load(v); ok {
		return f.(*talkFacts), nil
	}
	f, err := readFacts(v)
	if err == nil {
		t.facts.Store(v, f)
	}
	return f, err
}

// talk checks what a side of a channel does, step by step.
func (r runner) talk(v *vectors.ChannelConversation) error {
	if err := talkCoherent(v); err != nil {
		return err
	}
	if v.Error == nil && r.rules.Complete() { // as others that go on from it want it too
		l := r.talks.through(v)
		return errors.Join(l.err, l.other)
	}
	s, err := r.talks.station(v, r.rules)
	if err != nil {
		return err
	}
	return follows(s, v)
}

func follows(s *talkStation, v *vectors.ChannelConversation) error {
	for i := range v.Steps {
		h := &v.Steps[i]
		got, err := playTalk(s, h)
		if err == nil {
			err = sameTalk(s, h, got)
		}
		if err == nil && h.Fault {
			err = sameTalkBlame(v, got)
		}
		if err != nil {
			return fmt.Errorf("step %d (%s): %w", i, h.Event, err)
		}
	}
	return nil
}

// sameTalk compares what a side did with what a step says.
func sameTalk(s *talkStation, want *vectors.ChannelStep, r talkReaction) error {
	holds := s.holds() // first: what is held next is compared with it
	var got, said []string
	for _, m := range r.sends {
		got = append(got, m.Name())
	}
	for _, m := range want.Sends {
		said = append(said, m.Name)
	}
	if strings.Join(got, " ") != strings.Join(said, " ") {
		return fmt.Errorf("sends %v, want %v", got, said)
	}
	for i, m := range r.sends {
		raw, err := wire.Codec{}.Encode(m)
		if err != nil {
			return err
		}
		if w := want.Sends[i]; !sameSaid(w, raw) {
			return fmt.Errorf("%s is %.400x, want %.400x", w.Name, raw, w.Bytes)
		}
	}
	if r.refused != want.Refused || r.closes != want.Closes {
		return fmt.Errorf("refused is %v and closes is %v, want %v and %v", r.refused, r.closes, want.Refused, want.Closes)
	}
	if got := s.state(); got != want.State {
		return fmt.Errorf("state is %s, want %s", got, want.State)
	}
	if r.leaves != want.Leaves {
		return fmt.Errorf("leaves is %v, want %v", r.leaves, want.Leaves)
	}
	if !slices.EqualFunc(r.publishes, want.Publishes, func(a, b vectors.Hex) bool { return bytes.Equal(a, b) }) {
		return fmt.Errorf("publishes %x, want %x", r.publishes, want.Publishes)
	}
	if err := samePunished(r.punishes, want.Punishes); err != nil {
		return err
	}
	if others := s.others(); !slices.EqualFunc(others, want.Others, sameSeen) {
		return fmt.Errorf("of the other channels %+v, want %+v", others, want.Others)
	}
	if (holds == nil) != (want.Holds == nil) || holds != nil && !sameHolds(*holds, *want.Holds) {
		return fmt.Errorf("holds %+v, want %+v", holds, want.Holds)
	}
	return nil
}

func sameSeen(a, b vectors.OtherSeen) bool {
	return a.Channel == b.Channel && a.State == b.State && (a.Holds == nil) == (b.Holds == nil) && (a.Holds == nil || sameHolds(*a.Holds, *b.Holds))
}

func samePunished(got, want *vectors.Punished) error {
	switch {
	case got == nil && want == nil:
		return nil
	case got == nil || want == nil:
		return fmt.Errorf("punishes %+v, want %+v", got, want)
	case got.Number != want.Number || !bytes.Equal(got.Key, want.Key) || !slices.Equal(got.Outputs, want.Outputs):
		return fmt.Errorf("punishes %+v, want %+v", *got, *want)
	}
	return nil
}

// textAt is where the free text of a message begins: behind type, channel id and
// a length; in the envelope behind the header of the record.
var textAt = map[string]int{"warning": 2 + 32, "error": 2 + 32}

// sameSaid compares a message that was sent with the one in the file.
func sameSaid(want vectors.ChannelMessage, raw []byte) bool {
	if want.Compare != "text" && want.Compare != "failure" {
		return bytes.Equal(raw, want.Bytes)
	}
	if n := textAt[want.Name]; n > 0 {
		return len(raw) >= n && len(want.Bytes) >= n && bytes.Equal(raw[:n], want.Bytes[:n])
	}
	a, errA := wire.Codec{}.Decode(raw)
	b, errB := wire.Codec{}.Decode(want.Bytes)
	if want.Compare == "failure" {
		return failsSame(a, b) && errA == nil && errB == nil
	}
	x, okA := a.(*wire.ChangeAbort)
	y, okB := b.(*wire.ChangeAbort)
	return errA == nil && errB == nil && okA && okB && x.ChannelID == y.ChannelID
}

// failsSame compares two update_fail_htlc but for the reason.
func failsSame(a, b wire.Message) bool {
	const ids = 32 + 8 // channel and HTLC
	x, okA := a.(*wire.Base)
	y, okB := b.(*wire.Base)
	return okA && okB && x.Kind == y.Kind && len(x.Payload) >= ids && len(y.Payload) >= ids && bytes.Equal(x.Payload[:ids], y.Payload[:ids])
}

// talkCoherent checks that the answer to a planted fault is the one that the
// vector names.
func talkCoherent(v *vectors.ChannelConversation) error {
	for i, h := range v.Steps {
		if !h.Fault {
			continue
		}
		if v.Error == nil {
			return fmt.Errorf("a fault in step %d without an error", i)
		}
		if kind := reactionTo(h); kind != v.Error.Kind {
			return fmt.Errorf("step %d is answered with %s, want %s", i, kind, v.Error.Kind)
		}
		return nil
	}
	if v.Error != nil {
		return fmt.Errorf("an error without a fault")
	}
	return nil
}

// reactionTo names what a side did about a fault.
func reactionTo(h vectors.ChannelStep) string {
	last := ""
	if len(h.Sends) > 0 {
		last = h.Sends[len(h.Sends)-1].Name
	}
	switch {
	case h.Refused:
		return "refused"
	case h.Punishes != nil:
		return "punished"
	case len(h.Publishes) > 0:
		return "published"
	case slices.ContainsFunc(h.Sends, func(m vectors.ChannelMessage) bool { return m.Name == "update_fail_htlc" }):
		return "failed"
	case last == "error":
		return "error"
	case last == "warning" && h.Closes:
		return "warning"
	case last == "factory_change_abort":
		return "abort"
	case last == "" && h.Closes:
		return "closed"
	case last == "" && h.Leaves:
		return "leaves"
	case last == "":
		return "ignored"
	}
	return "other"
}

// sameTalkBlame compares the rule that a warning or an error begins with.
func sameTalkBlame(v *vectors.ChannelConversation, r talkReaction) error {
	for _, m := range r.sends {
		var text []byte
		switch m := m.(type) {
		case *wire.Warning:
			text = m.Data
		case *wire.ErrorMessage:
			text = m.Data
		}
		id, _, found := strings.Cut(string(text), ": ")
		if _, known := rule.Embedded().Lookup(rule.ID(id)); found && known && rule.ID(id) != v.Error.Rule && rule.ID(id) != talkAlias[v.Error.Rule] {
			return fmt.Errorf("answers for %s, want %s", id, v.Error.Rule)
		}
	}
	return nil
}

// talkAlias are rules that say of a SuperScalar factory what a machine names
// another rule for.
var talkAlias = map[rule.ID]rule.ID{rule.CHAN007: rule.PCF081, rule.PCF132: rule.PCF133, rule.CHAN035: rule.PCF081}
