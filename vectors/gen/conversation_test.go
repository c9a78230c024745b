package gen

import (
	"slices"
	"testing"

	"superscalar/vectors"
	"superscalar/wire/rule"
)

// told are the conversations on disk.
func told(t *testing.T) []*vectors.Conversation {
	t.Helper()
	var out []*vectors.Conversation
	for _, f := range load(t) {
		for _, v := range f.Vectors {
			if c, ok := v.(*vectors.Conversation); ok {
				out = append(out, c)
			}
		}
	}
	if len(out) == 0 {
		t.Fatal("there are no conversations")
	}
	return out
}

// unswitched are rules that a machine has no switch for, or keeps in two ways;
// all conversations that declare them, or one by its name.
var unswitched = map[string]string{
	"CER-010":  "a client signs what it computed; there is nothing to switch off",
	"CER-021":  "package musig refuses the second use of a nonce whatever the machine does",
	"DIST-007": "the signatures on channel outputs are part of the message",
	"POI-001":  "a change ends with its poison; mutants leave it out on the wire",
	"POI-005":  "what is poisoned is a computation: see the histories",

	"conversation-bad-proposal-owner-missing-client-0":          "a list that is too short cannot be read as something else",
	"conversation-bad-proposal-stock-too-many-client-0":         "the values no longer sum, either",
	"conversation-bad-proposal-channel-script-missing-client-0": "a list that is too short cannot be read as something else",
	"conversation-bad-update-capacities-missing-client-0":       "a list that is too short cannot be read as something else",
	"conversation-bad-sale-more-than-stock-client-1":            "what is left would be negative",
	"conversation-bad-client-refuses-invitation-lsp":            "nothing has been proposed yet: the attempt goes on",
	"conversation-bad-client-sale-silent-buyer-lsp":             "the deadline of a change has no switch",
	"conversation-bad-client-update-silent-0-lsp":               "the deadline of a change has no switch",
	"conversation-bad-client-update-silent-1-lsp":               "the deadline of a change has no switch",
	"conversation-bad-client-update-silent-2-lsp":               "the deadline of a change has no switch",
	"conversation-bad-client-sale-buyer-signs-wrong-lsp":        "a buyer's partial signatures are verified one by one (PS-014)",
}

// TestWithoutItsRuleABadConversationFails switches off the rule of each fault:
// that very conversation has to notice.
func TestWithoutItsRuleABadConversationFails(t *testing.T) {
	for _, v := range told(t) {
		if v.Error == nil {
			continue
		}
		t.Run(v.Name, func(t *testing.T) {
			noticed := notices(v, v.Error.Rule)
			_, byRule := unswitched[string(v.Error.Rule)]
			_, byName := unswitched[v.Name]
			if listed := byRule || byName; noticed == listed {
				t.Errorf("without %s: noticed is %v, listed as unswitched is %v", v.Error.Rule, noticed, listed)
			}
		})
	}
}

func notices(v *vectors.Conversation, id rule.ID) bool {
	return runner{rules: rule.Without(id), befores: &befores{}}.conversation(v) != nil
}

// TestEveryRuleOfAConversationIsNoticed switches off each rule that some
// conversation declares: one of them has to notice.
func TestEveryRuleOfAConversationIsNoticed(t *testing.T) {
	declare := map[rule.ID][]*vectors.Conversation{}
	for _, v := range told(t) {
		for _, id := range v.Rules {
			declare[id] = append(declare[id], v)
		}
	}
	for id, list := range declare {
		noticed := slices.ContainsFunc(list, func(v *vectors.Conversation) bool { return notices(v, id) })
		if _, listed := unswitched[string(id)]; noticed == listed {
			t.Errorf("%s: noticed is %v, listed as unswitched is %v", id, noticed, listed)
		}
	}
}

// TestConversationsCoverTheCeremonies asks for every requirement of the areas
// CER and SIGN whose check is a case, unless no conversation can express it.
func TestConversationsCoverTheCeremonies(t *testing.T) {
	beyond := map[rule.ID]string{
		rule.CER001: "a message that does not decode: see ceremony_message",
		rule.CER008: "a message that only the other role sends: the machine is not asked",
		rule.CER025: "what is on channels is not a matter of the machines of ceremonies",
		rule.CER026: "the same",
		rule.CER035: "what is published is not a matter of the machines of ceremonies",
	}
	declared := map[rule.ID]bool{}
	for _, v := range told(t) {
		for _, id := range v.Rules {
			declared[id] = true
		}
	}
	for _, q := range rule.Embedded().Requirements {
		if q.Check != rule.ByCase || q.Area() != "CER" && q.Area() != "SIGN" {
			continue
		}
		if _, excused := beyond[q.ID]; declared[q.ID] == excused {
			t.Errorf("%s: a conversation declares it: %v, one is impossible: %v", q.ID, declared[q.ID], excused)
		}
	}
}

// TestEveryAnswerIsCompared alters each answer of each step of some
// conversations.
func TestEveryAnswerIsCompared(t *testing.T) {
	r := runner{befores: &befores{}}
	for _, v := range told(t) {
		switch v.Name {
		case "conversation-create-ps-2-lsp", "conversation-update-dw-1-client-0", "conversation-sale-ps-1-lsp",
			"conversation-bad-order-while-another-change-runs-lsp", "conversation-bad-client-partials-wrong-lsp":
		default:
			continue
		}
		for i := range v.Steps {
			for name, change := range otherAnswers(&v.Steps[i]) {
				undo := change()
				if r.conversation(v) == nil {
					t.Errorf("%s: step %d: %s is not compared", v.Name, i, name)
				}
				undo()
			}
		}
		if err := r.conversation(v); err != nil {
			t.Errorf("%s, restored: %v", v.Name, err)
		}
	}
}

// otherAnswers change one answer of a step each and return how to undo that.
func otherAnswers(h *vectors.Happening) map[string]func() (undo func()) {
	flip := func(b vectors.Hex) func() (undo func()) {
		return func() func() { b[len(b)-1] ^= 1; return func() { b[len(b)-1] ^= 1 } }
	}
	out := map[string]func() func(){
		"state":   func() func() { old := h.State; h.State += "x"; return func() { h.State = old } },
		"refused": func() func() { h.Refused = !h.Refused; return func() { h.Refused = !h.Refused } },
		"factories": func() func() {
			old := h.Keeps
			h.Keeps.Factories++
			return func() { h.Keeps = old }
		},
		"txids": func() func() {
			old := h.Keeps
			h.Keeps.Txids = append(slices.Clone(old.Txids), make(vectors.Hex, 32))
			return func() { h.Keeps = old }
		},
		"one message more": func() func() {
			old := h.Sends
			h.Sends = append(slices.Clone(old), vectors.Said{To: "client 0", Name: "ceremony_stored"})
			return func() { h.Sends = old }
		},
	}
	if len(h.Sends) > 0 {
		out["message"] = flip(h.Sends[0].Bytes)
		out["receiver"] = func() func() {
			old := h.Sends[0].To
			h.Sends[0].To = "client 9"
			return func() { h.Sends[0].To = old }
		}
	}
	if len(h.Signs) > 0 {
		out["sighash"] = flip(h.Signs[0].Sighash)
		out["sequence"] = func() func() { h.Signs[0].Sequence ^= 1; return func() { h.Signs[0].Sequence ^= 1 } }
	}
	if len(h.Broadcast) > 0 {
		out["broadcast"] = flip(h.Broadcast)
	}
	return out
}
