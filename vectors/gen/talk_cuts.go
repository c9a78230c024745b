package gen

import (
	"fmt"
	"slices"

	"superscalar/refnode/channel"
	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// cutting is a tale that is cut after each of its events.
type cutting struct {
	name     string
	from, to string // marks: from the first event behind from to that at to; empty: all
	// done plays what is not written down, and looks whether both sides are where
	// they should be. like is how the tale itself ends.
	done func(w *talkScene, like *talkScene) error
}

// cuts are what follows when the connection ends after each event of a tale: one
// conversation of each side, from the new connection to where nothing is on its
// way any more. In each, what was going on is completed afterwards: that is not
// written down.
func (g *talkTeller) cuts(c cutting) ([]*vectors.ChannelConversation, error) {
	base := g.scenes[c.name]
	first, last := 0, len(base.snaps)
	if c.from != "" {
		first = base.marks[c.from] + 1
	}
	if c.to != "" {
		last = base.marks[c.to] + 1
	}
	var out []*vectors.ChannelConversation
	for n := first; n < last; n++ {
		at := &base.snaps[n]
		w, err := g.scene(tale{}, at)
		if err == nil {
			err = w.play((*talkScene).connects)
		}
		if err != nil {
			return nil, fmt.Errorf("cut after event %d: %w", n+1, err)
		}
		for _, i := range []int{talkLSP, talkClient} {
			t := tale{name: fmt.Sprintf("%s cut after %d", c.name, n+1), after: c.name}
			t.rules[i] = cutRules(c.name, w.steps[i])
			v := g.conversation(t, i, at, slices.Clone(w.steps[i]))
			if !slices.ContainsFunc(out, func(o *vectors.ChannelConversation) bool { return sameStory(o, v) }) {
				out = append(out, v)
			}
		}
		if err := c.done(w, base); err != nil {
			return nil, fmt.Errorf("%s, cut after event %d: %w", c.name, n+1, err)
		}
	}
	return out, nil
}

// sameStory reports whether two cuts say the same.
func sameStory(a, b *vectors.ChannelConversation) bool {
	steps := func(v *vectors.ChannelConversation) int {
		if v.AfterSteps == nil {
			return len(v.Before.Steps)
		}
		return int(*v.AfterSteps)
	}
	return a.Party == b.Party && steps(a) == steps(b) && slices.EqualFunc(a.Steps, b.Steps, func(x, y vectors.ChannelStep) bool {
		same := func(p, q vectors.ChannelMessage) bool { return string(p.Bytes) == string(q.Bytes) }
		return x.Event == y.Event && (x.Message == nil) == (y.Message == nil) && (x.Message == nil || same(*x.Message, *y.Message)) && slices.EqualFunc(x.Sends, y.Sends, same)
	})
}

// changeIsDone makes the update again, as the LSP would (5.4), and looks whether
// both sides end on the new output alone.
func changeIsDone(w, like *talkScene) error {
	if err := w.completes(changeTo()); err != nil {
		return err
	}
	for i, s := range w.sides {
		if !s.m.Settled(like.sides[0].m.Fundings[0].Txid) || s.m.Failure != "" {
			return fmt.Errorf("the %s does not end on the new output: %s, %d outputs, %q", talkNames[i], s.state(), len(s.m.Fundings), s.m.Failure)
		}
	}
	return w.sameBalances(1_050_000_000)
}

// sameBalances looks whether both sides count the same in each channel, and all that
// there is.
func (w *talkScene) sameBalances(msat channel.MilliSat) error {
	var sum channel.MilliSat
	for n, l := range w.sides[talkLSP].lines {
		a, b := l.m, w.sides[talkClient].lines[n].m
		if a.Balance != b.Balance {
			return fmt.Errorf("channel %d: the LSP counts %v, the client %v", n, a.Balance, b.Balance)
		}
		sum += a.Balance[0] + a.Balance[1]
	}
	if sum != msat {
		return fmt.Errorf("both sides have %d msat, there are %d", sum, msat)
	}
	return nil
}

// completes makes an update again.
func (w *talkScene) completes(to vectors.FactoryOutput, absorbs ...vectors.Uint) error {
	return w.play(func(w *talkScene) {
		w.moves(to, absorbs)
		for _, i := range []int{talkLSP, talkClient} {
			if w.sides[i].record.next != nil {
				w.orders("begin", i)
			}
		}
		if w.sides[talkLSP].record.next != nil {
			w.orders("sign", talkLSP)
		}
		w.orders("store", talkLSP, talkClient)
		w.orders("poison", talkLSP, talkClient)
	})
}

// openIsDone makes the factory usable for both.
func openIsDone(w, _ *talkScene) error {
	err := w.play(func(w *talkScene) { w.orders("usable", talkLSP, talkClient) })
	if err != nil {
		return err
	}
	for i, s := range w.sides {
		if s.state() != "normal" {
			return fmt.Errorf("the channel is %s at the %s", s.state(), talkNames[i])
		}
	}
	return w.sameBalances(1_000_000_000)
}

// cutRules are what a reconnection shows.
func cutRules(name string, steps []vectors.ChannelStep) []rule.ID {
	var out []rule.ID
	add := func(ids ...rule.ID) {
		for _, id := range ids {
			if !slices.Contains(out, id) {
				out = append(out, id)
			}
		}
	}
	has := func(m *vectors.ChannelMessage, record string) bool {
		return m != nil && slices.ContainsFunc(m.Records, func(r vectors.Member) bool { return r.Name == record })
	}
	if name == "open" {
		add(rule.PCF095)
	}
	asked := false
	for i := range steps {
		h := &steps[i]
		asked = asked || h.Message != nil && h.Message.Name == "channel_reestablish" && has(h.Message, "next_funding")
		if i > 0 && h.State == "normal" && steps[i-1].State == "continued" {
			add(rule.PCF156, rule.CHG007)
		}
		for k := range h.Sends {
			m := &h.Sends[k]
			switch {
			case m.Name == "channel_reestablish":
				add(rule.PCF151)
				if has(m, "next_funding") {
					add(rule.PCF150)
				}
			case m.Name == "commitment_signed" && absorbed(m):
				add(rule.CHG021)
			case m.Name == "factory_change_continue":
				add(rule.PCF152)
			case m.Name == "factory_change_abort" && asked:
				add(rule.PCF154)
			case m.Name == "factory_change_abort":
				add(rule.CHG009)
			}
		}
	}
	return out
}

// absorbed reports whether a commitment_signed has a signature of zeros: there is no
// commitment (CHG-021).
func absorbed(m *vectors.ChannelMessage) bool {
	decoded, err := wire.Codec{}.Decode(m.Bytes)
	c, ok := decoded.(*wire.CommitmentSigned)
	return err == nil && ok && c.Signature == wire.Signature{}
}
