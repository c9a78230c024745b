package mutant

import (
	"slices"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// changes are mutants of changes: updates, sales and poison. A rule that both
// roles keep has a mutant for each, since they show it differently.
func changes() []Mutant {
	refuses := "did not refuse it"
	off := func(id string, breaks, want string, ids ...rule.ID) Mutant {
		return Mutant{ID: id, Rule: rule.ID(id[:areaAndNumber(id)]), Breaks: breaks, Want: want, Rules: rule.Without(ids...)}
	}
	forgets := "did not come to its end"
	all := []Mutant{
		off("DELAY-002", "signs states with any counter", refuses, rule.DELAY002),
		says("DELAY-002/lsp", rule.DELAY002, "proposes every state with the same counter", "the counter of each state", func(m *wire.Update) []wire.Ceremony {
			m.Remaining = 2
			return []wire.Ceremony{m}
		}),
		off("DELAY-006/lsp", "updates below kickoffs that are out", "signs nothing", rule.DELAY006),
		off("DELAY-007/lsp", "updates when it should leave the factory, and does not leave", "signs nothing", rule.DELAY007, rule.DELAY008),
		off("CER-003/again", "joins twice under one id, with one key", "differ", rule.CER003+"/again"),
		off("CER-042/factories", "starts changes of the same clients in two factories", "no sale of the second factory", rule.CER042+"/factories"),
		off("PS-014/passes", "lets a sale that nobody else was asked to sign stand in the way", "another sale of the group", rule.PS014+"/passes"),
		off("CER-043", "does not sum the amounts of an update", refuses, rule.CER043),
		off("SIGN-006/attempt", "forgets the nonces of earlier attempts", "was not dropped", rule.SIGN006+"/earlier"),
		off("SIGN-006/change", "forgets the nonces of earlier phases", "a used nonce in phase", rule.SIGN006+"/earlier"),
		off("POI-002", "signs poison of a leaf that stands when it is asked for", refuses, rule.POI002+"/asked"),
		off("POI-002/live", "signs poison of leaves that stand with that of others", forgets, rule.POI002),
		off("POI-005", "signs changes below a failed attempt", refuses, rule.POI005),
		off("POI-005/above", "forgets leaves that were replaced with a state above them", forgets, rule.POI005+"/above"),
		off("POI-005/above-lsp", "makes no poison of leaves that were replaced with a state above them", "ends with the poison", rule.POI005+"/above"),
		off("POI-005/failed", "forgets leaves of failed attempts", forgets, rule.POI005+"/failed"),
		off("POI-005/sales", "forgets what chained sales left and sold", forgets, rule.POI005+"/sales"),
		off("POI-006", "goes on before the poison is signed", refuses, rule.POI006),
		off("POI-006/lsp", "proposes the next change before the poison is signed", "only if it is the one", rule.POI006, rule.POI009),
		off("POI-009/lsp", "proposes other changes than the one that was interrupted", "only if it is the one", rule.POI009),
		off("PS-001", "takes any number of sales before", refuses, rule.PS001),
		says("PS-001/lsp", rule.PS001, "sells from the first stock output for ever", "names the number of sales before it", func(m *wire.Sale) []wire.Ceremony {
			m.Before = 0
			return []wire.Ceremony{m}
		}),
		off("PS-002", "signs any number of sales", refuses, rule.PS002),
		off("PS-002/lsp", "sells any number of times", "no second sale is proposed", rule.PS002),
		off("PS-003", "signs sales of any amount", refuses, rule.PS003),
		off("PS-003/lsp", "sells any amount", "of a stock of 100,000 is proposed", rule.PS003),
		off("PS-004/lsp", "sells from leaves that are out", "signs nothing", rule.PS004),
		off("PS-005", "signs updates that take capacity away", refuses, rule.PS005),
		says("PS-005/lsp", rule.PS005, "forgets what it sold in an update", "no client's capacities get smaller", func(m *wire.Update) []wire.Ceremony {
			if m.Capacities[1] > 100_000 {
				m.Stocks[0] += m.Capacities[1] - 100_000
				m.Capacities[1] = 100_000
			}
			return []wire.Ceremony{m}
		}),
		off("PS-011", "signs a second transaction on an outpoint", refuses, rule.PS011),
		off("PS-011/sale", "signs a second sale of a stock", refuses, rule.PS011, rule.POI009),
		off("PS-011/lsp", "does not ask for the channel key that it signed for", "was not dropped", rule.PS011),
		off("PS-020", "signs the omission on another output", forgets, rule.PS020),
		off("PS-020/lsp", "makes the omission on another output", "the sale and its omission are signed", rule.PS020),
	}
	for i := range all {
		all[i].Vectors = slices.Contains(computable, all[i].Rule) && !all[i].Rules.On(all[i].Rule)
	}
	return all
}

// computable are the rules of changes that vectors decide as well.
var computable = []rule.ID{
	rule.DELAY002, rule.CER043, rule.POI002, rule.POI005, rule.POI006, rule.PS001, rule.PS002, rule.PS003, rule.PS005, rule.PS011, rule.PS020,
}

// areaAndNumber is the length of the requirement's id in that of a mutant.
func areaAndNumber(id string) int {
	for i := range id {
		if id[i] == '/' {
			return i
		}
	}
	return len(id)
}
