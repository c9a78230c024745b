package policy

import (
	"fmt"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"

	"superscalar/refnode/chain"
)

// maxConflictingClusters bounds the work of a replacement.
const maxConflictingClusters = 100

// Limits of a cluster: transactions, and virtual bytes.
const (
	maxClusterCount = 64
	maxClusterSize  = 101_000
)

// checkReplacement decides whether one transaction may evict what conflicts with it, and returns everything that has to go.
func (p *Pool) checkReplacement(c *candidate) ([]*entry, *failure) {
	name := func(reason string) string {
		if c.sibling {
			return reason + " (including sibling eviction)"
		}
		return reason
	}
	if f := p.checkReplacementCount(c.conflicts, c.txid); f != nil {
		f.reason = name(f.reason)
		return nil, f
	}
	evicted := p.withDescendants(c.conflicts...)
	if f := p.checkReplacementFee(evicted, c.fee, c.vsize, c.txid); f != nil {
		f.reason = name(f.reason)
		return nil, f
	}
	if f := p.checkCluster([]*candidate{c}, evicted); f != nil {
		return nil, f
	}
	if f := p.checkDiagram([]*candidate{c}, evicted); f != nil {
		f.reason = name(chain.ReasonInsufficientFee)
		return nil, f.as(reconsider)
	}
	return evicted, nil
}

// checkPackageReplacement decides the same for a parent and its child together.
func (p *Pool) checkPackageReplacement(pkg []*candidate) ([]*entry, *failure) {
	prefix := chain.ReasonPackageRBF + ": "
	if !p.rules.Has(PackageReplacement) {
		return nil, refuse(PackageReplacement, prefix+"switched off", "")
	}
	if len(pkg) != 2 {
		return nil, refuse(PackageReplacement, prefix+"package must be 1-parent-1-child", "")
	}
	parent, child := pkg[0], pkg[1]
	if p.rules.Has(PackageReplacementAncestors) && len(parent.parents)+len(child.parents) > 0 {
		return nil, refuse(PackageReplacementAncestors, prefix+"new transaction cannot have mempool ancestors", "")
	}
	conflicts := append(append([]*entry(nil), parent.conflicts...), child.conflicts...)
	if f := p.checkReplacementCount(conflicts, child.txid); f != nil {
		f.reason = prefix + f.reason
		return nil, f
	}
	evicted := p.withDescendants(conflicts...)
	fee, vsize := parent.fee+child.fee, parent.vsize+child.vsize
	if f := p.checkReplacementFee(evicted, fee, vsize, child.txid); f != nil {
		f.reason = prefix + "insufficient anti-DoS fees"
		return nil, f
	}
	if p.rules.Has(PackageReplacementRate) && compareRates(fee, vsize, parent.fee, parent.vsize) <= 0 {
		return nil, refuse(PackageReplacementRate, prefix+"package feerate is less than or equal to parent feerate",
			"package feerate %s <= parent feerate is %s", rateText(fee, vsize), rateText(parent.fee, parent.vsize))
	}
	if f := p.checkDiagram(pkg, evicted); f != nil {
		f.reason, f.detail = prefix+f.detail, ""
		return nil, f
	}
	return evicted, nil
}

func (p *Pool) checkReplacementCount(conflicts []*entry, txid chainhash.Hash) *failure {
	if !p.rules.Has(ReplacementCount) {
		return nil
	}
	seen := make(map[*entry]bool)
	clusters := 0
	for _, e := range conflicts {
		if seen[e] {
			continue
		}
		clusters++
		for _, member := range p.clusterOf(e) {
			seen[member] = true
		}
	}
	if clusters <= maxConflictingClusters {
		return nil
	}
	return refuse(ReplacementCount, "too many potential replacements",
		"rejecting replacement %v; too many conflicting clusters (%d > %d)", txid, clusters, maxConflictingClusters)
}

// checkReplacementFee holds BIP 125's rules 3 and 4 with the rates of today.
func (p *Pool) checkReplacementFee(evicted []*entry, fee btcutil.Amount, vsize int64, txid chainhash.Hash) *failure {
	var old btcutil.Amount
	for _, e := range evicted {
		old += e.fee
	}
	if p.rules.Has(ReplacementFee) && fee < old {
		return refuse(ReplacementFee, chain.ReasonInsufficientFee,
			"rejecting replacement %v, less fees than conflicting txs; %s < %s", txid, money(fee), money(old)).as(reconsider)
	}
	relay := incrementalRate.fee(vsize)
	if p.rules.Has(ReplacementRelay) && fee >= old && fee-old < relay {
		return refuse(ReplacementRelay, chain.ReasonInsufficientFee,
			"rejecting replacement %v, not enough additional fees to relay; %s < %s", txid, money(fee-old), money(relay)).as(reconsider)
	}
	return nil
}

// checkCluster bounds what the newcomers would be connected with once the evicted are gone.
func (p *Pool) checkCluster(pkg []*candidate, evicted []*entry) *failure {
	if !p.rules.Has(ClusterLimit) {
		return nil
	}
	after := p.affected(pkg, evicted)
	count, vsize := 0, int64(0)
	for _, n := range after {
		count++
		vsize += n.vsize
	}
	if count > maxClusterCount || vsize > maxClusterSize {
		return refuse(ClusterLimit, "too-large-cluster", "%d transactions of %d virtual bytes", count, vsize)
	}
	return nil
}

// affected is the cluster of the newcomers after the evicted are gone.
func (p *Pool) affected(pkg []*candidate, evicted []*entry) []node {
	gone := make(map[*entry]bool, len(evicted))
	for _, e := range evicted {
		gone[e] = true
	}
	stay := func(entries []*entry) []*entry {
		var left []*entry
		for _, e := range entries {
			if !gone[e] {
				left = append(left, e)
			}
		}
		return left
	}
	var start []*entry
	for _, c := range pkg {
		start = append(start, c.parents...)
	}
	members := closure(stay(start), func(e *entry) []*entry {
		return stay(append(p.parentsOf(e.tx), p.childrenOf(e)...))
	})
	return append(nodesOf(members), candidateNodes(pkg)...)
}

// rateText writes a fee rate as Bitcoin Core does, in coins per 1,000 virtual bytes.
func rateText(fee btcutil.Amount, vsize int64) string {
	rate := (int64(fee)*1_000 + vsize - 1) / vsize
	return fmt.Sprintf("%d.%08d BTC/kvB", rate/btcutil.SatoshiPerBitcoin, rate%btcutil.SatoshiPerBitcoin)
}
