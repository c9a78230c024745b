package policy

import (
	"slices"

	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

// Limits of BIP 431 on version 3 transactions, in virtual bytes and in transactions including the one at hand.
const (
	trucMaxSize      = 10_000
	trucChildMaxSize = 1_000
	trucMaxAncestors = 2
	trucMaxFamily    = 2
)

// checkTRUC holds the version 3 rules of one transaction against its parents in the pool. Where only a sibling stands in the way and
// may be evicted for a fee, it returns that sibling instead of a failure.
func (p *Pool) checkTRUC(c *candidate, maySupplant bool) (sibling *entry, f *failure) {
	for _, parent := range c.parents {
		if f := p.checkInheritance(c.tx, parent.tx); f != nil {
			return nil, f
		}
	}
	if c.tx.Version != trucVersion {
		return nil, nil
	}
	if p.rules.Has(TRUCSize) && c.vsize > trucMaxSize {
		return nil, refuse(TRUCSize, chain.ReasonTRUC, "version=3 tx %s is too big: %d > %d virtual bytes",
			named(c.tx), c.vsize, trucMaxSize)
	}
	if p.rules.Has(TRUCAncestors) && len(p.withAncestors(c.parents...))+1 > trucMaxAncestors {
		return nil, refuse(TRUCAncestors, chain.ReasonTRUC, "tx %s would have too many ancestors", named(c.tx))
	}
	if len(c.parents) == 0 {
		return nil, nil
	}
	if f := p.checkChildSize(c); f != nil {
		return nil, f
	}
	return p.checkFamily(c, maySupplant)
}

// checkInheritance holds the rule that version 3 and other transactions do not mix while unconfirmed.
func (p *Pool) checkInheritance(child, parent *wire.MsgTx) *failure {
	if !p.rules.Has(TRUCInheritance) || (child.Version == trucVersion) == (parent.Version == trucVersion) {
		return nil
	}
	if child.Version == trucVersion {
		return refuse(TRUCInheritance, chain.ReasonTRUC, "version=3 tx %s cannot spend from non-version=3 tx %s",
			named(child), named(parent))
	}
	return refuse(TRUCInheritance, chain.ReasonTRUC, "non-version=3 tx %s cannot spend from version=3 tx %s",
		named(child), named(parent))
}

func (p *Pool) checkChildSize(c *candidate) *failure {
	if !p.rules.Has(TRUCChildSize) || c.vsize <= trucChildMaxSize {
		return nil
	}
	return refuse(TRUCChildSize, chain.ReasonTRUC, "version=3 child tx %s is too big: %d > %d virtual bytes",
		named(c.tx), c.vsize, trucChildMaxSize)
}

// checkFamily allows one child per parent: a second one only in place of the first.
func (p *Pool) checkFamily(c *candidate, maySupplant bool) (*entry, *failure) {
	parent := c.parents[0]
	family := p.withDescendants(parent)
	others := slices.DeleteFunc(slices.Clone(family), func(e *entry) bool { return e == parent })
	replaces := slices.ContainsFunc(others, func(e *entry) bool { return slices.Contains(c.conflicts, e) })
	if !p.rules.Has(TRUCDescendants) || len(family)+1 <= trucMaxFamily || replaces {
		return nil, nil
	}
	// After a reorganisation a parent may have more than one child, or the child another parent: then there is no single sibling.
	if maySupplant && p.rules.Has(SiblingEviction) && len(others) == 1 && len(p.withAncestors(others[0])) == trucMaxAncestors {
		return others[0], nil
	}
	rule := TRUCDescendants
	if maySupplant && len(others) == 1 {
		rule = SiblingEviction
	}
	return nil, refuse(rule, chain.ReasonTRUC, "tx %s would exceed descendant count limit", named(parent.tx))
}

// checkPackageTRUC holds the version 3 rules of a transaction against its parents in the package.
func (p *Pool) checkPackageTRUC(c *candidate, pkg []*candidate) *failure {
	var parents []*candidate
	for _, other := range pkg {
		if other != c && spendsFrom(c.tx, other) {
			parents = append(parents, other)
		}
	}
	if c.tx.Version == trucVersion {
		ancestors := len(p.withAncestors(c.parents...)) + len(parents) + 1
		if p.rules.Has(TRUCAncestors) && ancestors > trucMaxAncestors {
			return refuse(TRUCAncestors, chain.ReasonTRUC, "tx %s would have too many ancestors", named(c.tx))
		}
		if len(parents) > 0 {
			if f := p.checkChildSize(c); f != nil {
				return f
			}
		}
	}
	for _, parent := range parents {
		if f := p.checkInheritance(c.tx, parent.tx); f != nil {
			return f
		}
	}
	if len(parents)+len(c.parents) == 0 {
		return nil
	}
	return p.checkGrandchild(c, pkg)
}

// checkGrandchild refuses a child in the package for a version 3 transaction that has an unconfirmed parent itself.
func (p *Pool) checkGrandchild(c *candidate, pkg []*candidate) *failure {
	if c.tx.Version != trucVersion || !p.rules.Has(TRUCAncestors) {
		return nil
	}
	for _, other := range pkg {
		if other != c && spendsFrom(other.tx, c) {
			return refuse(TRUCAncestors, chain.ReasonTRUC, "tx %s would have too many ancestors", named(other.tx))
		}
	}
	return nil
}

func spendsFrom(tx *wire.MsgTx, parent *candidate) bool {
	return slices.ContainsFunc(tx.TxIn, func(in *wire.TxIn) bool { return in.PreviousOutPoint.Hash == parent.txid })
}
