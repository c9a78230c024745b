package gen

import (
	"errors"
	"fmt"
	"slices"

	"superscalar/refnode/factory"
	"superscalar/vectors"
	"superscalar/wire/rule"
)

const historyComment = "A factory, and what happens to it. do: \"update\" replaces the state at level and position (complete and stored afterwards), \"failed-update\" is an attempt that ends after partial signatures on the state, \"sale\" sells from a stock, \"poison\" signs all poison that is due below level and position, \"lowest\" asks for the state to replace for clients. Updates give capacities and stocks of the clients and groups that the state covers; their channels have the clients' keys of the terms and a new key of the LSP. transactions are what is signed, named as in tree/tree.json: an update has the state, the distributions of its outputs and everything below; a sale \"sale L/P stock G\", \"omission L/P stock G\", the distribution of the change stock, if any, and of the new channel; poison is \"poison I L/P stock G\" and \"poison I L/P channel C\", I counting from 0, for each replaced leaf (those that stood, in level order, then those of failed attempts) its stocks by group, each with the change stocks of its sales, then its channels and those sold. In a bad vector the last step is refused, or claim, said to be its transaction of that name, is wrong in field."

// story is a history in the making.
type story struct {
	area   string
	name   string
	n      int
	groups int
	shape  string
	steps  []vectors.Step
	rules  []rule.ID
	// What is wrong with the last step: a refusal for field, or a claim.
	field string
	claim *alteration
}

func histories(area string) (vectors.File, error) {
	f := file(area, "history", "SPEC.md 4.5, 5.4, 6.2 and 7", historyComment)
	for _, s := range stories() {
		if s.area != area {
			continue
		}
		v := &vectors.History{Head: head(slug("history", area, s.name), s.rules...), Terms: termsOf(s.n, s.groups, s.shape), Steps: slices.Clone(s.steps)}
		v.FundingTxid, v.FundingOutput = fundingOutpoint()
		if err := s.fill(v); err != nil {
			return f, fmt.Errorf("%s: %w", v.Name, err)
		}
		f.Vectors = append(f.Vectors, v)
	}
	return f, nil
}

// fill runs the steps and writes what is signed in each; the last step of a bad
// vector has its claim instead.
func (s story) fill(v *vectors.History) error {
	bad := s.field != "" || s.claim != nil
	tree, err := (runner{}).build(v.Terms, v.FundingTxid, v.FundingOutput)
	if err != nil {
		return err
	}
	for i := range v.Steps {
		last := bad && i == len(v.Steps)-1
		if last && s.field == wrongNode {
			v.Outcome = fault("wrong-node", wrongNode, -1, s.rules[0])
			return nil
		}
		if last && s.claim == nil {
			v.Outcome = fault("refused", s.field, -1, s.rules[0])
			return nil
		}
		list, next, err := (runner{}).step(v, tree, &v.Steps[i])
		if err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
		if last {
			v.Outcome = fault("wrong-transaction", s.claim.field, -1, s.rules[0])
			v.Claim, err = s.claim.altered(list)
			return err
		}
		for _, n := range list {
			v.Steps[i].Transactions = append(v.Steps[i].Transactions, n.describe(true))
		}
		tree = next
	}
	return nil
}

func (r runner) history(v *vectors.History) error {
	tree, err := r.build(v.Terms, v.FundingTxid, v.FundingOutput)
	if err != nil {
		return fmt.Errorf("terms: %w", err)
	}
	for i := range v.Steps {
		list, next, err := r.step(v, tree, &v.Steps[i])
		switch last := i == len(v.Steps)-1; {
		case last && errors.Is(err, errLowest) && v.Error != nil && v.Error.Kind == "wrong-node":
			return nil
		case last && v.Error != nil && v.Claim == nil:
			goOn, mismatch := refusal(v, err)
			if goOn {
				return fmt.Errorf("step %d: accepted, want %s", i, v.Error.Kind)
			}
			return mismatch
		case err != nil:
			return fmt.Errorf("step %d: %w", i, err)
		case last && v.Claim != nil:
			return sameClaim(v, v.Claim, list)
		}
		if err := sameTransactions(list, v.Steps[i].Transactions); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
		tree = next
	}
	return nil
}

// errLowest says that a "lowest" step has another result.
var errLowest = errors.New("another state is the lowest")

// step makes one change: what is signed, and the tree afterwards.
func (r runner) step(v *vectors.History, tree *factory.Tree, s *vectors.Step) ([]named, *factory.Tree, error) {
	id := factory.NodeID{Level: uint8(s.Level), Position: uint16(s.Position)}
	switch s.Do {
	case "update", "failed-update":
		return r.updateStep(v, tree, s, id)
	case "sale":
		return r.saleStep(tree, s, id)
	case "poison":
		list, err := tree.Poisons(id)
		return namedPoison(list), tree.Poisoned(id), err
	case "lowest":
		var clients []factory.ClientIndex
		for _, c := range s.Clients {
			clients = append(clients, factory.ClientIndex(c))
		}
		got, ok := tree.Lowest(clients)
		if !ok || got != id {
			return nil, nil, fmt.Errorf("%w: %s (%v), want %s", errLowest, got, ok, id)
		}
		return nil, tree, nil
	}
	return nil, nil, fmt.Errorf("no way to do %q", s.Do)
}

func (r runner) updateStep(v *vectors.History, tree *factory.Tree, s *vectors.Step, id factory.NodeID) ([]named, *factory.Tree, error) {
	region := tree.Factory().Layout().Range(id)
	if s.Remaining == nil || len(v.Terms.ChannelKeys) < region.End() {
		return nil, nil, fmt.Errorf("the update of %s says too little", id)
	}
	channels, err := channelsOf(v.Terms.ChannelKeys[region.First:region.End()], s.LSPChannelKey)
	if err != nil {
		return nil, nil, err
	}
	u, err := tree.Update(factory.Change{
		Node: id, Remaining: uint8(*s.Remaining), ChannelsFirst: region.First, Channels: channels,
		Amounts: factory.Amounts{Region: region, Capacities: sats(s.Capacities), Stocks: sats(s.Stocks)},
	})
	if err != nil {
		return nil, nil, err
	}
	var list []named
	for _, n := range u.Nodes() {
		if n.ID == id {
			list = append(append(list, named{"state " + id.String(), n.Tx}), namedOutputs(n)...)
		} else {
			list = append(list, namedNode(n)...)
		}
	}
	if s.Do == "update" {
		next, err := tree.Replace(u)
		return list, next, err
	}
	next, err := tree.Fail(u)
	return list, next, err
}

func (r runner) saleStep(tree *factory.Tree, s *vectors.Step, id factory.NodeID) ([]named, *factory.Tree, error) {
	if s.Group == nil || s.Before == nil || s.Buyer == nil || s.Amount == nil {
		return nil, nil, fmt.Errorf("the sale from %s says too little", id)
	}
	channel, err := channelOf(s.ChannelKey, s.LSPChannelKey)
	if err != nil {
		return nil, nil, err
	}
	sale, err := tree.Sell(factory.Order{Leaf: id, Group: uint8(*s.Group), Before: uint8(*s.Before),
		Buyer: factory.ClientIndex(*s.Buyer), Amount: factory.Sat(*s.Amount), Channel: channel})
	if err != nil {
		return nil, nil, err
	}
	stock := fmt.Sprintf("%s stock %d", id, sale.Group)
	list := []named{{"sale " + stock, sale.Tx}, {"omission " + stock, sale.Omission}}
	if sale.Change != nil {
		list = append(list, named{"distribution " + stock, sale.Change.Distribution})
	}
	list = append(list, named{fmt.Sprintf("distribution %s channel %d", id, sale.Buyer), sale.NewChannel.Distribution})
	next, err := tree.Sold(sale)
	return list, next, err
}

func namedPoison(list []*factory.Tx) []named {
	var out []named
	for i, tx := range list {
		what := fmt.Sprintf("stock %d", tx.Group)
		if tx.Spends == factory.SpendChannel {
			what = fmt.Sprintf("channel %d", tx.Signers.First)
		}
		out = append(out, named{fmt.Sprintf("poison %d %s %s", i, tx.Node, what), tx})
	}
	return out
}

// The words in which stories are written.

// at reads "L/P".
func at(node string) (level, position vectors.Uint) {
	if _, err := fmt.Sscanf(node, "%d/%d", &level, &position); err != nil {
		panic(fmt.Sprintf("a node of this package: %v", err))
	}
	return level, position
}

// updates replaces a state; the LSP's channel key has the number key.
func updates(node string, remaining, key int, capacities, stocks []vectors.Uint) vectors.Step {
	s := vectors.Step{Do: "update", Remaining: ptr(remaining), Capacities: capacities, Stocks: stocks, LSPChannelKey: publicKey("lsp channel", key)}
	s.Level, s.Position = at(node)
	return s
}

func fails(s vectors.Step) vectors.Step {
	s.Do = "failed-update"
	return s
}

func sells(node string, group, before, buyer, amount int) vectors.Step {
	s := vectors.Step{Do: "sale", Group: ptr(group), Before: ptr(before), Buyer: ptr(buyer), Amount: ptr(amount),
		ChannelKey: publicKey("sold channel", 10*buyer+before), LSPChannelKey: publicKey("lsp sold channel", 10*buyer+before)}
	s.Level, s.Position = at(node)
	return s
}

func poisons(node string) vectors.Step {
	s := vectors.Step{Do: "poison"}
	s.Level, s.Position = at(node)
	return s
}

func lowest(node string, clients ...vectors.Uint) vectors.Step {
	s := vectors.Step{Do: "lowest", Clients: clients}
	s.Level, s.Position = at(node)
	return s
}

func ptr(v int) *vectors.Uint {
	u := vectors.Uint(v)
	return &u
}

// sat is a list of amounts.
func sat(list ...vectors.Uint) []vectors.Uint { return list }

// then appends steps to those of another story.
func then(before []vectors.Step, more ...vectors.Step) []vectors.Step {
	return append(slices.Clone(before), more...)
}
