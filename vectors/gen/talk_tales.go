package gen

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"superscalar/vectors"
	"superscalar/wire/rule"
)

const talkComment = "One side of a channel inside a factory of SPEC.md, step by step: the lsp, who opened it, or the client. Hand each event of steps to it and compare what it does: sends, in this order; refused; closes, which is the end of the connection behind what it sends; state, after the table of section 3.8, and holds. A party with after has lived through so many steps of that conversation; since then the connection has ended, and with it whatever was on its way: an attempt of the factory whose phase 1 had not begun on its side is over, its record says (section 8.4). Whether the process ended too makes no difference. What the party sends may leave only when what it needs after such an end is stored. compare: exact: the same bytes. signatures: the same bytes with RFC 6979; else the same but for the signatures, which are looked at as in kind commitment. text: type and channel_id; the text is free. failure: the same but for reason, which is free. The fault of a bad vector arrives in the step with fault, its answer is the last one; allows are other reactions that SPEC.md leaves the choice of: warning (and the end of the connection), error (the channel fails), abort, ignored, refused (an order), leaves (the party starts its way out), punished (it takes a revoked commitment), published (it publishes its own), failed (it fails the HTLC, the channel staying open), closed (it ends the connection, the channel staying open)."

// tale is something that happens on a channel, told from both sides when it is
// good, and from that of party when it is bad.
type tale struct {
	name, comment string
	after, at     string // name of a good tale, and of a mark in it
	root          string // of rootFacts, without after; empty: plain
	rules         [2][]rule.ID
	story         func(w *talkScene)
	// only is whose conversations are wanted; nil: both.
	only   []int
	bad    *vectors.Failure
	allows []string
	// without are rules that a side does not keep, to say what it should not.
	without [2]rule.Set
}

func talkConversations() (vectors.File, error) {
	f := file("CHAN", "channel_conversation", "SPEC.md 3.7, 3.8 and 8.1 to 8.4", talkComment)
	all, err := allTalks()
	for _, v := range all {
		f.Vectors = append(f.Vectors, v)
	}
	return f, err
}

var allTalks = sync.OnceValues(func() ([]*vectors.ChannelConversation, error) {
	g := &talkTeller{
		facts: map[string]*vectors.ChannelFacts{}, read: map[string]*talkFacts{},
		scenes: map[string]*talkScene{}, told: map[string]*vectors.ChannelConversation{},
	}
	for name, facts := range rootFacts {
		v, err := facts()
		if err == nil {
			g.facts[name] = v
			g.read[name], err = readFacts(v)
		}
		if err != nil {
			return nil, fmt.Errorf("facts %s: %w", name, err)
		}
	}
	var out []*vectors.ChannelConversation
	var failed []error
	tell := func(tales ...tale) {
		for _, t := range tales {
			list, err := g.tell(t)
			if err != nil {
				failed = append(failed, fmt.Errorf("channel conversation %s: %w", t.name, err))
			}
			out = append(out, list...)
		}
	}
	cut := func(c cutting) {
		if len(failed) == 0 {
			list, err := g.cuts(c)
			if err != nil {
				failed = append(failed, err)
			}
			out = append(out, list...)
		}
	}
	tell(slices.Concat(goodTales(), badTales())...)
	cut(cutting{name: "change", to: "locked", done: changeIsDone})
	tell(slices.Concat(zeroFeeTales(), laterTales(), chainedTales(), chainTales(), moneyTales(), waitTales())...)
	cut(cutting{name: "open", from: "signed", done: openIsDone})
	cut(cutting{name: "cut-through", to: "locked", done: cutIsDone})
	return out, errors.Join(failed...)
})

// talkTeller tells tales; later ones go on where earlier ones were.
type talkTeller struct {
	facts  map[string]*vectors.ChannelFacts // by name of rootFacts
	read   map[string]*talkFacts
	scenes map[string]*talkScene
	told   map[string]*vectors.ChannelConversation
}

func talkName(tale string, party int) string { return slug("channel", tale, talkNames[party]) }

// tell plays a tale and returns the conversations of it.
func (g *talkTeller) tell(t tale) ([]*vectors.ChannelConversation, error) {
	var from *snap
	if t.after != "" {
		w := g.scenes[t.after]
		if w == nil {
			return nil, fmt.Errorf("it goes on from %q, which is not told", t.after)
		}
		at := len(w.snaps) - 1
		if n, ok := w.marks[t.at]; ok {
			at = n
		} else if t.at != "" {
			return nil, fmt.Errorf("%q has no moment %q", t.after, t.at)
		}
		from = &w.snaps[at]
	}
	w, err := g.scene(t, from)
	if err != nil {
		return nil, err
	}
	if err := w.play(t.story); err != nil {
		return nil, err
	}
	if t.bad == nil {
		g.scenes[t.name] = w
	}
	var out []*vectors.ChannelConversation
	for _, i := range []int{talkLSP, talkClient} {
		if t.only != nil && !slices.Contains(t.only, i) {
			continue
		}
		v := g.conversation(t, i, from, w.steps[i])
		if err := talkCoherent(v); err != nil {
			return nil, err
		}
		if v.Error == nil {
			g.told[v.Name] = v
		}
		out = append(out, v)
	}
	return out, nil
}

func (t *tale) rootName() string {
	if t.root == "" {
		return "plain"
	}
	return t.root
}

func (g *talkTeller) scene(t tale, from *snap) (*talkScene, error) {
	if from == nil {
		return newTalkScene(g.read[t.rootName()], nil, t.without)
	}
	return newTalkScene(nil, &from.sides, t.without)
}

// conversation is one side of a tale.
func (g *talkTeller) conversation(t tale, party int, from *snap, steps []vectors.ChannelStep) *vectors.ChannelConversation {
	v := &vectors.ChannelConversation{
		Head:  vectors.Head{Name: talkName(t.name, party), Comment: t.comment, Rules: t.rules[party]},
		Party: talkNames[party], Steps: steps, Allows: t.allows,
	}
	if t.bad != nil {
		wrong := *t.bad
		v.Error = &wrong
	}
	if from == nil {
		v.Channel = g.facts[t.rootName()]
		return v
	}
	v.After = talkName(t.after, party)
	v.Before = g.told[v.After]
	if n := from.steps[party]; n < len(v.Before.Steps) {
		v.AfterSteps = ptr(n)
	}
	return v
}
