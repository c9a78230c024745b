package gen

import (
	"slices"
	"testing"

	"superscalar/vectors"
	"superscalar/wire/rule"
)

// talked are the channel conversations on disk.
func talked(t *testing.T) []*vectors.ChannelConversation {
	t.Helper()
	var out []*vectors.ChannelConversation
	for _, f := range load(t) {
		for _, v := range f.Vectors {
			if c, ok := v.(*vectors.ChannelConversation); ok {
				out = append(out, c)
			}
		}
	}
	if len(out) == 0 {
		t.Fatal("there are no channel conversations")
	}
	return out
}

// alwaysOn are rules that a machine has no switch for in what a conversation
// shows, with the reason; all conversations that declare them, or one by name.
var alwaysOn = map[string]string{
	"PCF-110":  "the agreement is an event of the conversation",
	"PCF-118":  "there is no outpoint to name or to judge before factory_change_ack",
	"PCF-120":  "what is signed is a computation: other signatures are mutants of kind commitment",
	"PCF-128":  "an answer that is not given is a mutant on the wire",
	"CHG-011":  "what a sale asks of its group is in its ceremony",
	"CHG-013":  "whom an update asks is in its ceremony",
	"PCF-071":  "what was stored before a conversation was stored with all rules",
	"PCF-142":  "each end of quiescence has a switch of its own",
	"CHAN-023": "in a factory nothing is published before its output is",
	"CHAN-033": "package commitment refuses the secret whatever the machine does",

	"channel-bad-batch-of-1-lsp":    "a batch of one lacks the other output just as well",
	"channel-bad-batch-of-1-client": "the same",

	"channel-bad-channel-that-stays-gets-a-satoshi-too-much-of-the-lsp-client":   "the sum is wrong too (CHG-004)",
	"channel-bad-channel-that-stays-gets-a-satoshi-too-little-of-the-lsp-client": "the same",
	"channel-bad-channel-that-stays-begins-before-what-it-absorbs-client":        "what it is given is not known yet, whatever the rule",
	"channel-bad-absorbed-channel-with-an-htlc-client":                           "the amounts are wrong too: what is in flight is nobody's",
	"channel-bad-order-on-an-absorbed-channel-that-is-locked-lsp":                "there is no money in it",
	"channel-bad-order-on-an-absorbed-channel-that-is-locked-client":             "the same",
	"channel-bad-htlc-on-an-absorbed-channel-that-is-locked-lsp":                 "the same",
	"channel-bad-htlc-on-an-absorbed-channel-that-is-locked-client":              "the same",
}

// lives are what conversations go on from, with all rules: shared by the tests.
var lives talks

func overlooks(v *vectors.ChannelConversation, id rule.ID) bool {
	return runner{rules: rule.Without(id, id+"/peer"), talks: &lives}.talk(v) == nil
}

// TestWithoutItsRuleABadTalkFails switches off the rule of each fault: that very
// conversation has to notice.
func TestWithoutItsRuleABadTalkFails(t *testing.T) {
	for _, v := range talked(t) {
		if v.Error == nil {
			continue
		}
		_, byRule := alwaysOn[string(v.Error.Rule)]
		_, byName := alwaysOn[v.Name]
		if noticed := !overlooks(v, v.Error.Rule); noticed == (byRule || byName) {
			t.Errorf("%s without %s: noticed is %v, listed as always on is %v", v.Name, v.Error.Rule, noticed, byRule || byName)
		}
	}
}

// TestEveryRuleOfATalkIsNoticed switches off each rule that some channel
// conversation declares: one of them has to notice.
func TestEveryRuleOfATalkIsNoticed(t *testing.T) {
	declare := map[rule.ID][]*vectors.ChannelConversation{}
	for _, v := range talked(t) {
		for _, id := range v.Rules {
			declare[id] = append(declare[id], v)
		}
	}
	for id, list := range declare {
		noticed := slices.ContainsFunc(list, func(v *vectors.ChannelConversation) bool { return !overlooks(v, id) })
		if _, listed := alwaysOn[string(id)]; noticed == listed {
			t.Errorf("%s: noticed is %v, listed as always on is %v", id, noticed, listed)
		}
	}
}

// TestTalksWithoutARestart plays what each conversation goes on from, and ends
// the connection while the process goes on: what follows is the same as after a
// restart from the disk.
func TestTalksWithoutARestart(t *testing.T) {
	all := &talks{}
	played := 0
	for _, v := range talked(t) {
		if v.Before == nil {
			continue
		}
		s, err := all.station(v.Before, rule.Set{})
		if err != nil {
			t.Fatal(err)
		}
		n := len(v.Before.Steps)
		if v.AfterSteps != nil {
			n = int(*v.AfterSteps)
		}
		for i := range v.Before.Steps[:n] {
			if _, err := playTalk(s, &v.Before.Steps[i]); err != nil {
				t.Fatal(err)
			}
			s.holds()
			s.others()
		}
		s.cut()
		if err := follows(s, v); err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
		played++
	}
	if played < 100 {
		t.Errorf("%d conversations go on from others", played)
	}
}

// TestEveryAnswerOfATalkIsCompared alters each answer of each step of some
// channel conversations.
func TestEveryAnswerOfATalkIsCompared(t *testing.T) {
	fails := func(v *vectors.ChannelConversation) bool { return runner{talks: &talks{}}.talk(v) != nil }
	for _, v := range talked(t) {
		switch v.Name {
		case "channel-change-lsp", "channel-change-client", "channel-bad-batch-of-21-lsp", "channel-bad-init-with-another-contribution-client":
		default:
			continue
		}
		for i := range v.Steps {
			for name, change := range otherTalkAnswers(&v.Steps[i]) {
				undo := change()
				if !fails(v) {
					t.Errorf("%s: step %d: %s is not compared", v.Name, i, name)
				}
				undo()
			}
		}
		if fails(v) {
			t.Errorf("%s, restored, fails", v.Name)
		}
	}
}

// otherTalkAnswers change one answer of a step each and return how to undo that.
func otherTalkAnswers(h *vectors.ChannelStep) map[string]func() (undo func()) {
	out := map[string]func() func(){
		"state":   func() func() { old := h.State; h.State += "x"; return func() { h.State = old } },
		"refused": func() func() { h.Refused = !h.Refused; return func() { h.Refused = !h.Refused } },
		"closes":  func() func() { h.Closes = !h.Closes; return func() { h.Closes = !h.Closes } },
		"one message more": func() func() {
			old := h.Sends
			h.Sends = append(slices.Clone(old), vectors.ChannelMessage{Name: "stfu"})
			return func() { h.Sends = old }
		},
	}
	if len(h.Sends) > 0 {
		b := h.Sends[0].Bytes
		at := len(b) - 1
		if h.Sends[0].Compare == "text" {
			at = 10 // of the channel id, in the envelope too
		}
		out["message"] = func() func() { b[at] ^= 1; return func() { b[at] ^= 1 } }
	}
	if h.Holds != nil {
		out["commitment_number"] = func() func() { h.Holds.Own++; return func() { h.Holds.Own-- } }
		out["opener_msat"] = func() func() { h.Holds.Opener++; return func() { h.Holds.Opener-- } }
		out["htlcs"] = func() func() { h.Holds.HTLCs++; return func() { h.Holds.HTLCs-- } }
	}
	return out
}

// TestTalksCoverTheChange asks for every requirement of section 3.8 about the
// change flow whose check is a case, unless no conversation of one side shows it.
func TestTalksCoverTheChange(t *testing.T) {
	declared := map[rule.ID]bool{}
	for _, v := range talked(t) {
		for _, id := range v.Rules {
			declared[id] = true
		}
	}
	for _, q := range rule.Embedded().Requirements {
		if q.Check != rule.ByCase || (q.ID < rule.PCF100 || q.ID > rule.PCF158) && q.ID != rule.PCF172 && q.ID != rule.PCF173 || q.Area() != "PCF" {
			continue
		}
		if _, excused := beyondTalks[q.ID]; declared[q.ID] == excused {
			t.Errorf("%s: a channel conversation declares it: %v, one is impossible: %v", q.ID, declared[q.ID], excused)
		}
	}
}

// beyondTalks are requirements of section 3.8 that these conversations do not show.
var beyondTalks = map[rule.ID]string{
	rule.PCF100: "a message that does not decode: see kind message",
	rule.PCF101: "the same",
	rule.PCF102: "the same",
	rule.PCF103: "the same",
	rule.PCF104: "the same",
	rule.PCF105: "the same",
	rule.PCF107: "a factory of this protocol has at most one change of a channel under way (CHG-012)",
	rule.PCF115: "a message that nothing asks for",
	rule.PCF117: "CHG-003 overrides it",
}
