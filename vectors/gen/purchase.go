package gen

import (
	"errors"
	"fmt"
	"slices"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/vectors"
	"superscalar/wire/rule"
)

const purchaseComment = "steps happen to the factory of terms, as in kind history. op: \"order\": the LSP moves amount sat of stock to the buyer, from the group of from_client or, without that, from its own: update is what it proposes. clients are those whose channels move. Of a bad one there is no such update (kind refused), or claim is another one (wrong-update, in field). \"agree\": a client is asked for claim, and agrees; buyer, from_client and amount say how it came about."

// purchase is a vector of kind purchase: what the LSP should propose, said by itself.
type purchase struct {
	name, shape string
	steps       []vectors.Step
	buyer, from int // from < 0: the buyer's own group
	amount      int
	rules       []rule.ID
	update      vectors.PlannedUpdate // right, or claimed where field says so
	agrees      bool                  // a client is asked
	kind, field string
}

func plannedUpdate(node string, remaining, clients int, capacities, stocks []vectors.Uint) vectors.PlannedUpdate {
	u := vectors.PlannedUpdate{Remaining: vectors.Uint(remaining), Capacities: capacities, Stocks: stocks}
	u.Level, u.Position = at(node)
	for i := range len(capacities) {
		u.Clients = append(u.Clients, vectors.Uint(clients+i))
	}
	return u
}

// purchaseCases move stock in a factory of four clients: 20,000, 20,037, 20,074 and 20,111
// sat, two leaves with a group each that have 100,001 and 100,060 sat.
func purchaseCases() []purchase {
	used := []vectors.Step{
		updates("3/0", 1, 9, sat(20_010, 20_037), sat(99_991)), poisons("3/0"), updates("3/0", 0, 8, sat(20_020, 20_037), sat(99_981)), poisons("3/0"),
	}
	above := plannedUpdate("1/0", 1, 0, sat(50_000, 20_037, 20_074, 20_111), sat(100_001, 70_060)) // 30,000 of the other group
	own := plannedUpdate("3/0", 1, 0, sat(50_000, 20_037), sat(70_001))
	order := func(name string, from, amount int, u vectors.PlannedUpdate, list ...rule.ID) purchase {
		return purchase{name: name, shape: dwLayers, from: from, amount: amount, rules: list, update: u}
	}
	bad := func(name string, from, amount int, kind, field string, change func(u *vectors.PlannedUpdate), list ...rule.ID) purchase {
		p := order(name, from, amount, above, list...)
		p.kind, p.field = kind, field
		p.update.Capacities, p.update.Stocks = slices.Clone(above.Capacities), slices.Clone(above.Stocks)
		if change != nil {
			change(&p.update)
		}
		return p
	}
	agree := func(p purchase) purchase {
		p.agrees = true
		return p
	}
	usedUp := order("own group used up", -1, 30_000, plannedUpdate("1/0", 1, 0, sat(50_020, 20_037, 20_074, 20_111), sat(69_981, 100_060)), rule.CHG015, rule.DELAY010)
	usedUp.steps = used
	over := bad("no state is left", 2, 30_000, "refused", "node", nil, rule.CHG015, rule.DELAY010)
	over.shape = "kickoff 2 / dw 2" // the leaves have states, and nothing covers both
	return []purchase{
		order("other group", 2, 30_000, above, rule.CHG015, rule.CHG013),
		order("other group by its other client", 3, 30_000, above, rule.CHG015),
		order("all of another group", 3, 100_060, plannedUpdate("1/0", 1, 0, sat(120_060, 20_037, 20_074, 20_111), sat(100_001, 0)), rule.CHG015),
		order("own group", -1, 30_000, own, rule.CHG015, rule.DELAY010, rule.CHG013),
		order("own group by its other client", 1, 30_000, own, rule.CHG015),
		usedUp,
		agree(order("stock of the asked gets smaller", 2, 30_000, above, rule.CHG016)),
		agree(order("stock of the asked is gone", 3, 100_060, plannedUpdate("1/0", 1, 0, sat(120_060, 20_037, 20_074, 20_111), sat(100_001, 0)), rule.CHG016)),

		bad("more than a group has", 2, 100_061, "refused", "amount", nil, rule.CHG015),
		bad("more than a group has and less than both", 2, 150_000, "refused", "amount", nil, rule.CHG015),
		over,
		bad("from both groups", 2, 30_000, "wrong-update", "stocks", func(u *vectors.PlannedUpdate) { u.Stocks = sat(85_001, 85_060) }, rule.CHG015),
		bad("from the group of the buyer", 2, 30_000, "wrong-update", "stocks", func(u *vectors.PlannedUpdate) { u.Stocks = sat(70_001, 100_060) }, rule.CHG015),
		bad("a sat of the group of the buyer", 2, 30_000, "wrong-update", "stocks", func(u *vectors.PlannedUpdate) { u.Stocks = sat(100_000, 70_061) }, rule.CHG015),
		bad("by the leaf alone", 2, 30_000, "wrong-update", "level", func(u *vectors.PlannedUpdate) { *u = own }, rule.CHG015, rule.DELAY010),
		bad("by a wider state than needed", -1, 30_000, "wrong-update", "level", func(u *vectors.PlannedUpdate) { u.Stocks = sat(70_001, 100_060) }, rule.CHG015, rule.DELAY010),
		bad("to another client", 2, 30_000, "wrong-update", "capacities", func(u *vectors.PlannedUpdate) { u.Capacities = sat(20_000, 50_037, 20_074, 20_111) }, rule.CHG015),
		bad("without a client that gets nothing", 2, 30_000, "wrong-update", "clients", func(u *vectors.PlannedUpdate) { u.Clients = u.Clients[:3] }, rule.CHG013),
		agree(bad("a capacity of the asked gets smaller", 2, 30_000, "refused", "capacity", func(u *vectors.PlannedUpdate) {
			u.Capacities, u.Stocks = sat(50_000, 20_037, 20_074, 20_110), sat(100_001, 70_061)
		}, rule.PS005, rule.CHG016)),
		agree(bad("stock that nobody gets", 2, 30_000, "refused", "amounts", func(u *vectors.PlannedUpdate) { u.Stocks = sat(100_001, 70_059) }, rule.CER043, rule.CHG016)),
	}
}

func purchases() (vectors.File, error) {
	f := file("CHAN", "purchase", "SPEC.md 8.4 and 4.5", purchaseComment)
	for _, c := range purchaseCases() {
		v := &vectors.Purchase{Head: head(slug("purchase", c.name), c.rules...), Op: "order", Terms: termsOf(4, 2, c.shape), Steps: []vectors.Step{},
			Buyer: vectors.Uint(c.buyer), Amount: vectors.Uint(c.amount)}
		v.FundingTxid, v.FundingOutput = fundingOutpoint()
		tree, err := (runner{}).build(v.Terms, v.FundingTxid, v.FundingOutput)
		for i := 0; err == nil && i < len(c.steps); i++ {
			var list []named
			s := c.steps[i]
			if list, tree, err = (runner{}).step(historyOf(v), tree, &s); err == nil {
				for _, n := range list {
					s.Transactions = append(s.Transactions, n.describe(true))
				}
				v.Steps = append(v.Steps, s)
			}
		}
		if err != nil {
			return f, fmt.Errorf("%s: %w", v.Name, err)
		}
		if c.from >= 0 {
			v.From = ptr(c.from)
		}
		u, yes := c.update, true
		switch {
		case c.agrees:
			v.Op, v.Claim = "agree", &u
			if c.kind == "" {
				v.Agrees = &yes
			}
		case c.kind == "wrong-update":
			v.Claim = &u
		case c.kind == "":
			v.Update = &u
		}
		if c.kind != "" {
			v.Outcome = blame("lsp", c.kind, c.field, -1, c.rules[0])
		}
		f.Vectors = append(f.Vectors, v)
	}
	return f, nil
}

// historyOf is the factory of a vector.
func historyOf(v *vectors.Purchase) *vectors.History {
	return &vectors.History{Terms: v.Terms, FundingTxid: v.FundingTxid, FundingOutput: v.FundingOutput}
}

func (r runner) purchase(v *vectors.Purchase) error {
	tree, err := r.build(v.Terms, v.FundingTxid, v.FundingOutput)
	for i := 0; err == nil && i < len(v.Steps); i++ {
		_, tree, err = r.step(historyOf(v), tree, &v.Steps[i])
	}
	if err != nil {
		return fmt.Errorf("before: %w", err)
	}
	if v.Op == "agree" {
		return r.agree(v, tree)
	}
	p := ceremony.Purchase{Buyer: factory.ClientIndex(v.Buyer), Amount: factory.Sat(v.Amount)}
	if v.From != nil {
		p.Wider, p.From = true, factory.ClientIndex(*v.From)
	}
	plan, err := ceremony.PlanUpdate(tree, p, r.rules)
	refused := map[string]error{"amount": ceremony.ErrSoldOut, "node": ceremony.ErrUsedUp}
	switch {
	case v.Error != nil && v.Error.Kind == "refused":
		if want := refused[v.Error.Field]; want == nil || !errors.Is(err, want) {
			return fmt.Errorf("it says %v, want that %s is refused", err, v.Error.Field)
		}
		return nil
	case err != nil:
		return fmt.Errorf("refused: %w", err)
	}
	got := vectors.PlannedUpdate{Level: vectors.Uint(plan.Node.Level), Position: vectors.Uint(plan.Node.Position), Remaining: vectors.Uint(plan.Remaining)}
	region := tree.Factory().Layout().Range(plan.Node)
	for i := int(region.First); i < region.End(); i++ {
		got.Clients = append(got.Clients, vectors.Uint(i))
	}
	got.Capacities, got.Stocks = numbersOf(plan.Capacities), numbersOf(plan.Stocks)
	if v.Error != nil {
		if field := otherIn(v.Claim, &got); field != v.Error.Field {
			return fmt.Errorf("the claim is wrong in %q, want %s", field, v.Error.Field)
		}
		return nil
	}
	if field := otherIn(v.Update, &got); field != "" {
		return fmt.Errorf("%s: it is %+v", field, got)
	}
	return nil
}

// agree is the answer of a client to an update.
func (r runner) agree(v *vectors.Purchase, tree *factory.Tree) error {
	if v.Claim == nil {
		return errors.New("no update is claimed")
	}
	step := vectors.Step{Do: "update", Level: v.Claim.Level, Position: v.Claim.Position, Remaining: &v.Claim.Remaining,
		Capacities: v.Claim.Capacities, Stocks: v.Claim.Stocks, LSPChannelKey: v.Terms.LSPChannelKey}
	_, _, err := r.step(historyOf(v), tree, &step)
	agrees, mismatch := refusal(v, err)
	if agrees && v.Error != nil {
		return fmt.Errorf("it agrees, want %s", v.Error.Kind)
	}
	return mismatch
}

func numbersOf(list []factory.Sat) (out []vectors.Uint) {
	for _, x := range list {
		out = append(out, vectors.Uint(x))
	}
	return out
}

// otherIn names the first field in which two updates differ, the state first.
func otherIn(a, b *vectors.PlannedUpdate) string {
	switch {
	case a == nil || a.Level != b.Level || a.Position != b.Position:
		return "level"
	case a.Remaining != b.Remaining:
		return "remaining"
	case !slices.Equal(a.Clients, b.Clients):
		return "clients"
	case !slices.Equal(a.Capacities, b.Capacities):
		return "capacities"
	case !slices.Equal(a.Stocks, b.Stocks):
		return "stocks"
	}
	return ""
}

func purchaseSchema() object {
	sats, client := listOf(ref("uint")), upTo(1023)
	update := closed(object{
		"level": upTo(15), "position": upTo(1<<16 - 1), "remaining": upTo(255), "clients": about("Whose channels move.", listOf(client)),
		"capacities": about("Sat, of the clients that the state covers.", sats), "stocks": about("Sat, of the groups below the state.", sats),
	})
	either := func(result string) []any {
		return []any{object{"required": []string{result}}, object{"required": []string{"error"}}}
	}
	return schema("purchase", "Stock that moves to a client by an update", object{
		"op": oneOf("order", "agree"), "terms": termsObject(), "funding_txid": bytesOf(32), "funding_output": upTo(1<<16 - 1),
		"steps": about("What happened before, as in kind history.", listOf(stepObject())), "buyer": client, "amount": about("Sat.", ref("uint")),
	}, nil, object{
		"from_client": about("A client of the group whose stock gives; absent: the buyer's own group.", client),
		"claim":       update, "update": update, "agrees": object{"const": true},
	}, object{
		"if":   object{"properties": object{"op": object{"const": "order"}}},
		"then": object{"properties": object{"agrees": false}, "oneOf": either("update")},
		"else": object{"required": []string{"claim"}, "properties": object{"update": false}, "oneOf": either("agrees")},
	})
}
