package gen

import (
	"errors"
	"fmt"
	"slices"

	"superscalar/vectors"
	"superscalar/wire/rule"
)

// cuts are what follows when the connection ends after each event of a tale: one
// conversation of each side, from the new connection to where nothing is on its
// way any more. In each, the change is completed afterwards: that is not written
// down.
func (g *talkTeller) cuts(name string) ([]*vectors.ChannelConversation, error) {
	base := g.scenes[name]
	var out []*vectors.ChannelConversation
	for n := range base.snaps[:base.marks["locked"]+1] {
		at := &base.snaps[n]
		w, err := g.scene(at)
		if err == nil {
			err = w.play((*talkScene).connects)
		}
		if err != nil {
			return nil, fmt.Errorf("cut after event %d: %w", n+1, err)
		}
		for _, i := range []int{talkLSP, talkClient} {
			t := tale{name: fmt.Sprintf("%s cut after %d", name, n+1), after: name}
			t.rules[i] = cutRules(w.steps[i])
			v := g.conversation(t, i, at, slices.Clone(w.steps[i]))
			if !slices.ContainsFunc(out, func(o *vectors.ChannelConversation) bool { return sameStory(o, v) }) {
				out = append(out, v)
			}
		}
		if err := w.completes(base.sides[0]); err != nil {
			return nil, fmt.Errorf("cut after event %d: %w", n+1, err)
		}
	}
	return out, nil
}

// sameStory reports whether two cuts say the same.
func sameStory(a, b *vectors.ChannelConversation) bool {
	return a.Party == b.Party && *a.AfterSteps == *b.AfterSteps && slices.EqualFunc(a.Steps, b.Steps, func(x, y vectors.ChannelStep) bool {
		same := func(p, q vectors.ChannelMessage) bool { return string(p.Bytes) == string(q.Bytes) }
		return x.Event == y.Event && (x.Message == nil) == (y.Message == nil) && (x.Message == nil || same(*x.Message, *y.Message)) && slices.EqualFunc(x.Sends, y.Sends, same)
	})
}

// completes makes the update again, as the LSP would (5.4), and looks whether
// both sides end on the new output alone.
func (w *talkScene) completes(like *talkStation) error {
	err := w.play(func(w *talkScene) {
		w.update(changeTo(), talkClient, talkLSP)
		w.run()
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
	if err != nil {
		return err
	}
	for i, s := range w.sides {
		if !s.m.Settled(like.m.Fundings[0].Txid) || s.m.Failure != "" {
			return fmt.Errorf("the %s does not end on the new output: %s, %d outputs, %q", talkNames[i], s.state(), len(s.m.Fundings), s.m.Failure)
		}
	}
	if a, b := w.sides[0].m, w.sides[1].m; a.Balance != b.Balance || a.Balance[0]+a.Balance[1] != 1_050_000_000 {
		return errors.New("both sides count other balances")
	}
	return nil
}

// cutRules are what a reconnection shows.
func cutRules(steps []vectors.ChannelStep) []rule.ID {
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
