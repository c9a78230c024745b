package mutant

import "superscalar/wire/rule"

// exits are mutants that do not publish what they have to, or claim what they
// must not. Silence on the chain is what the first ones are made for.
func exits() []Mutant {
	var out []Mutant
	off := func(id rule.ID, breaks, want string) {
		out = append(out, Mutant{ID: string(id), Rule: id, Breaks: breaks, Want: want, Rules: rule.Without(id)})
	}
	part := func(id, part rule.ID, breaks, want string) {
		out = append(out, Mutant{ID: string(id + part), Rule: id, Breaks: breaks, Want: want, Rules: rule.Without(id + part)})
	}
	silent := "the target did not publish"
	off(rule.DELAY008, "does not leave before the factory expires", silent)
	off(rule.DELAY009, "does not follow a kickoff with its state", silent)
	part(rule.DELAY009, "/mempool", "lets an older state be that is in the mempool", silent)
	off(rule.DIST008, "leaves unsold stock to the clients", "did not spend the stock")
	off(rule.DIST009, "waits for others to publish distributions", silent)
	off(rule.POI007, "publishes no poison", silent)
	part(rule.POI007, "/sales", "publishes no poison of what a sale left and sold", silent)
	off(rule.PS023, "keeps signed sales to itself", silent)
	off(rule.PS024, "claims stock that it sold", "the sold stock is not claimed")
	off(rule.PS025, "does not answer a sale that is withheld", silent)
	part(rule.PS025, "/later", "does not answer an earlier sale of the chain that is withheld", silent)
	part(rule.PS025, "/in-time", "trusts its coins until the LSP takes the stock", silent)
	return out
}
