package ceremony

import (
	"superscalar/refnode/factory"
	"superscalar/wire/rule"
)

// Plan is the update of a purchase: a state that is replaced, its counter, and what is
// below it afterwards, in sat: the capacities of the clients and the stocks of the groups
// that it covers, in order.
type Plan struct {
	Node               factory.NodeID
	Remaining          uint8
	Capacities, Stocks []factory.Sat
}

// PlanUpdate computes the update that moves stock into a client's channel: it replaces the
// lowest state with a step left that covers the buyer and the group that gives, and takes
// the amount from the stock of that group alone (DELAY-010, CHG-015). Errors: ErrUsedUp,
// ErrSoldOut.
func PlanUpdate(t *factory.Tree, p Purchase, rules rule.Set) (Plan, error) {
	node, remaining, err := p.state(t, rules)
	if err != nil {
		return Plan{}, err
	}
	plan := Plan{Node: node, Remaining: remaining}
	plan.Capacities, plan.Stocks, err = p.amounts(t, node, rules)
	return plan, err
}

// giver is a client of the group whose stock gives (CHG-015).
func (p Purchase) giver(rules rule.Set) factory.ClientIndex {
	if p.Wider && rules.On(rule.CHG015) {
		return p.From
	}
	return p.Buyer
}

// state is the one to replace, and its next counter.
func (p Purchase) state(t *factory.Tree, rules rule.Set) (factory.NodeID, uint8, error) {
	node, ok := t.Lowest([]factory.ClientIndex{p.Buyer, p.giver(rules)})
	if !ok {
		return node, 0, ErrUsedUp
	}
	remaining, _ := t.NextRemaining(node)
	return node, remaining, nil
}

// amounts are those below a state after the purchase.
func (p Purchase) amounts(t *factory.Tree, node factory.NodeID, rules rule.Set) (capacities, stocks []factory.Sat, err error) {
	layout := t.Factory().Layout()
	r := layout.Range(node)
	for i := int(r.First); i < r.End(); i++ {
		c := factory.ClientIndex(i)
		v := t.Capacities(c)
		if c == p.Buyer {
			v += p.Amount
		}
		capacities = append(capacities, v)
	}
	leaf, group, _ := layout.Group(p.giver(rules))
	for _, id := range layout.Below(node) {
		for g := range layout.Groups(id) {
			v := factory.Sat(0)
			if stock, ok := t.NewestStock(id, uint8(g)); ok {
				v = stock.Value
			}
			if id == leaf && uint8(g) == group {
				if v < p.Amount {
					return nil, nil, ErrSoldOut
				}
				v -= p.Amount
			}
			stocks = append(stocks, v)
		}
	}
	return capacities, stocks, nil
}
