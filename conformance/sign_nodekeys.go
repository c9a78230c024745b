package conformance

import (
	"fmt"
	"slices"

	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Section 5.1, the aggregates that come with a proposal.

// twoGroups is a factory in which every client has three key sets: everybody,
// and each of two groups.
func twoGroups() harness.FactoryPlan {
	return harness.FactoryPlan{Clients: 4, Shape: "kickoff 1 / ps 2"}
}

func nodeKeyCases() []harness.Case {
	return []harness.Case{
		clientCase("node-keys/wrong", "A client that is sent a wrong aggregate refuses the proposal, or computes the right one: it signs for no other tree.", func(p *harness.Play) {
			wrongNodeKeys(p, rule.SIGN020, []variant{
				{"a foreign key for the other group", nodeKeys(func(p *harness.Play, m *wire.Proposal) { m.NodeKeys[2] = foreignKey(p) })},
				{"a foreign key for its group", nodeKeys(func(p *harness.Play, m *wire.Proposal) { m.NodeKeys[1] = foreignKey(p) })},
				{"the LSP's own key for the root", nodeKeys(func(_ *harness.Play, m *wire.Proposal) { m.NodeKeys[0] = m.LSPFactoryKey })},
				{"the opposite point of the root's key", nodeKeys(func(_ *harness.Play, m *wire.Proposal) { m.NodeKeys[0][0] ^= 1 })},
				{"two aggregates in each other's place", nodeKeys(func(_ *harness.Play, m *wire.Proposal) {
					m.NodeKeys[1], m.NodeKeys[2] = m.NodeKeys[2], m.NodeKeys[1]
				})},
				{"two errors that cancel out", nodeKeys(cancelling)},
			})
		}, rule.SIGN020),
		clientCase("node-keys/refused", "A client that reads the aggregates says so when it refuses them: wrong ones, too few, too many, none, or one that is not a point.", func(p *harness.Play) {
			wrongNodeKeys(p, rule.CER047, []variant{
				{"a foreign key for the other group", nodeKeys(func(p *harness.Play, m *wire.Proposal) { m.NodeKeys[2] = foreignKey(p) })},
				{"one aggregate too few", nodeKeys(func(_ *harness.Play, m *wire.Proposal) { m.NodeKeys = m.NodeKeys[:2] })},
				{"one aggregate too many", nodeKeys(func(_ *harness.Play, m *wire.Proposal) { m.NodeKeys = append(m.NodeKeys, m.NodeKeys[0]) })},
				{"an empty record", nodeKeys(func(_ *harness.Play, m *wire.Proposal) { m.NodeKeys = [][33]byte{} })},
				{"an aggregate of zeros", nodeKeys(func(_ *harness.Play, m *wire.Proposal) { m.NodeKeys[0] = [33]byte{} })},
			})
		}, rule.CER047),
		extended(lspCase("node-keys/sent", "An LSP sends the aggregates with its proposals.", func(p *harness.Play) {
			eachNodeKeys(p, func(p *harness.Play, client int, m *wire.Proposal, _ [][33]byte) {
				p.Check(rule.CER046, len(m.NodeKeys) > 0, gomega.BeTrue(), fmt.Sprintf("the proposal to client %d has node_keys", client))
			})
		}, rule.CER046)),
		lspCase("node-keys/right", "The aggregates that an LSP sends are those of the client's key sets, in their order.", func(p *harness.Play) {
			eachNodeKeys(p, func(p *harness.Play, client int, m *wire.Proposal, want [][33]byte) {
				if m.NodeKeys != nil { // CER-046 is another case's
					p.Check(rule.SIGN021, hexKeys(m.NodeKeys), gomega.Equal(hexKeys(want)), fmt.Sprintf("the node_keys for client %d", client))
				}
			})
		}, rule.SIGN021),
	}
}

// extended marks a case that an implementation may fail and be conformant.
func extended(c harness.Case) harness.Case {
	c.Profile = harness.Extended
	return c
}

// nodeKeys bends the record alone.
func nodeKeys(f func(p *harness.Play, m *wire.Proposal)) func(*harness.Play, wire.Ceremony) {
	return func(p *harness.Play, m wire.Ceremony) {
		if x, ok := m.(*wire.Proposal); ok {
			x.NodeKeys = slices.Clone(x.NodeKeys)
			f(p, x)
		}
	}
}

// cancelling adds a point to one aggregate and takes it from another, so that the
// sum of all stays what it was.
func cancelling(p *harness.Play, m *wire.Proposal) {
	d := foreignKey(p)
	m.NodeKeys[1] = harness.SumOf(m.NodeKeys[1], d)
	d[0] ^= 1
	m.NodeKeys[2] = harness.SumOf(m.NodeKeys[2], d)
}

// wrongNodeKeys plants each fault. A client need not read the record: then it
// takes part in the true factory. Everything else fails.
func wrongNodeKeys(p *harness.Play, id rule.ID, faults []variant) {
	control := func() {
		p.Step("control: a creation with right aggregates")
		s := p.Connect().LSPScript(twoGroups())
		s.Create()
		s.MustComplete()
	}
	control()
	for _, v := range faults {
		c := p.Connect()
		s := c.LSPScript(twoGroups())
		s.Bend = func(m wire.Ceremony) []wire.Ceremony {
			v.bend(p, m)
			return []wire.Ceremony{m}
		}
		s.Create()
		if s.Funded == (wire.CeremonyID{}) { // the suite's LSP has verified no signature of the target's for the true tree
			s.Refused(id, v.what, reasonsOf(rule.CER047)...)
		}
		c.After()
	}
	control()
}

// eachNodeKeys has factories created, of one client and of several, and compares
// each proposal with what its keys and shape give.
func eachNodeKeys(p *harness.Play, f func(p *harness.Play, client int, m *wire.Proposal, want [][33]byte)) {
	for _, plan := range []harness.FactoryPlan{{Clients: 1}, twoGroups(), {Clients: 5, Shape: "static 2 / kickoff 1 / ps 2"}} {
		s := p.ClientsScript(plan)
		s.Create()
		for i := range s.Got {
			for _, m := range ofType[*wire.Proposal](s.Got[i]) {
				want, err := harness.NodeKeysOf(m)
				if err != nil {
					p.Fail(rule.SIGN021, "the keys of a proposal cannot be aggregated", "valid keys", err.Error())
					continue
				}
				f(p, i, m, want)
			}
		}
		s.MustComplete() // the suite's clients refuse wrong ones: the comparison comes first
	}
}

// hexKeys are keys as a failure shows them.
func hexKeys(keys [][33]byte) []string {
	out := make([]string, len(keys))
	for i, key := range keys {
		out[i] = fmt.Sprintf("%x", key)
	}
	return out
}
