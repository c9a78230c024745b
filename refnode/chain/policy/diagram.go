package policy

import (
	"bytes"
	"cmp"
	"math/big"
	"math/bits"
	"slices"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
)

// node is a transaction in the order a miner would take it.
type node struct {
	tx     *wire.MsgTx
	txid   chainhash.Hash
	fee    btcutil.Amount
	vsize  int64
	weight int64
}

// chunk is a group of transactions that is worth mining together, ancestors first.
type chunk struct {
	nodes []node
	fee   btcutil.Amount
	vsize int64
}

func nodesOf(entries []*entry) []node {
	nodes := make([]node, 0, len(entries))
	for _, e := range entries {
		nodes = append(nodes, node{tx: e.tx, txid: e.txid, fee: e.fee, vsize: e.vsize, weight: e.weight})
	}
	return nodes
}

func candidateNodes(pkg []*candidate) []node {
	nodes := make([]node, 0, len(pkg))
	for _, c := range pkg {
		nodes = append(nodes, node{tx: c.tx, txid: c.txid, fee: c.fee, vsize: c.vsize, weight: c.weight})
	}
	return nodes
}

// compareRates compares feeA/sizeA with feeB/sizeB exactly.
func compareRates(feeA btcutil.Amount, sizeA int64, feeB btcutil.Amount, sizeB int64) int {
	if feeA < 0 || feeB < 0 {
		a := new(big.Int).Mul(big.NewInt(int64(feeA)), big.NewInt(sizeB))
		return a.Cmp(new(big.Int).Mul(big.NewInt(int64(feeB)), big.NewInt(sizeA)))
	}
	highA, lowA := bits.Mul64(uint64(feeA), uint64(sizeB))
	highB, lowB := bits.Mul64(uint64(feeB), uint64(sizeA))
	return cmp.Or(cmp.Compare(highA, highB), cmp.Compare(lowA, lowB))
}

// chunks orders transactions as a miner would: again and again the group of a transaction and all its ancestors with the best fee
// rate, neighbours joined where the later one pays more. Optimal for a parent with a child, good enough beyond. Ties go to the
// smaller group, then to the lower txid, so that the order depends on the set alone.
func chunks(nodes []node) []chunk {
	groups := ancestorGroups(nodes)
	var result []chunk
	open := slices.Clone(groups)
	remaining := make(map[chainhash.Hash]node, len(nodes))
	for _, n := range nodes {
		remaining[n.txid] = n
	}
	for len(remaining) > 0 {
		best := slices.MinFunc(open, betterChunk)
		for _, n := range best.nodes {
			delete(remaining, n.txid)
		}
		result = joinLast(append(result, best))
		open = without(open, remaining)
	}
	return result
}

// ancestorGroups lists for each transaction itself with its ancestors, ancestors first.
func ancestorGroups(nodes []node) []chunk {
	byID := make(map[chainhash.Hash]node, len(nodes))
	for _, n := range nodes {
		byID[n.txid] = n
	}
	groups := make([]chunk, 0, len(nodes))
	for _, n := range nodes {
		seen := make(map[chainhash.Hash]bool)
		var group chunk
		var visit func(node)
		visit = func(at node) {
			if seen[at.txid] {
				return
			}
			seen[at.txid] = true
			for _, in := range at.tx.TxIn {
				if parent, ok := byID[in.PreviousOutPoint.Hash]; ok {
					visit(parent)
				}
			}
			group.nodes = append(group.nodes, at)
		}
		visit(n)
		groups = append(groups, summed(group))
	}
	return groups
}

func summed(c chunk) chunk {
	c.fee, c.vsize = 0, 0
	for _, n := range c.nodes {
		c.fee += n.fee
		c.vsize += n.vsize
	}
	return c
}

// without drops from each group what is taken, and groups with nothing left.
func without(groups []chunk, remaining map[chainhash.Hash]node) []chunk {
	var left []chunk
	for _, g := range groups {
		if _, open := remaining[g.nodes[len(g.nodes)-1].txid]; !open {
			continue
		}
		var nodes []node
		for _, n := range g.nodes {
			if _, open := remaining[n.txid]; open {
				nodes = append(nodes, n)
			}
		}
		left = append(left, summed(chunk{nodes: nodes}))
	}
	return left
}

// betterChunk sorts by fee rate, highest first.
func betterChunk(a, b chunk) int {
	if c := compareRates(b.fee, b.vsize, a.fee, a.vsize); c != 0 {
		return c
	}
	if c := cmp.Compare(a.vsize, b.vsize); c != 0 {
		return c
	}
	lastA, lastB := a.nodes[len(a.nodes)-1].txid, b.nodes[len(b.nodes)-1].txid
	return bytes.Compare(lastA[:], lastB[:])
}

// joinLast merges chunks at the end as long as the later one has the higher fee rate.
func joinLast(list []chunk) []chunk {
	for n := len(list); n > 1; n = len(list) {
		a, b := list[n-2], list[n-1]
		if compareRates(b.fee, b.vsize, a.fee, a.vsize) <= 0 {
			break
		}
		nodes := append(slices.Clone(a.nodes), b.nodes...)
		list = append(list[:n-2], summed(chunk{nodes: nodes}))
	}
	return list
}

// checkDiagram compares the fees of the best first x virtual bytes before and after, for every x: after must be nowhere worse and
// somewhere better. Only what is connected with the change is looked at.
func (p *Pool) checkDiagram(pkg []*candidate, evicted []*entry) *failure {
	if !p.rules.Has(ReplacementDiagram) {
		return nil
	}
	start := slices.Clone(evicted)
	for _, c := range pkg {
		start = append(start, c.parents...)
	}
	before := p.clusterOf(start...)
	var stay []*entry
	for _, e := range before {
		if !slices.Contains(evicted, e) {
			stay = append(stay, e)
		}
	}
	after := append(nodesOf(stay), candidateNodes(pkg)...)
	if improves(chunks(nodesOf(before)), chunks(after)) {
		return nil
	}
	return refuse(ReplacementDiagram, "", "insufficient feerate: does not improve feerate diagram")
}

// improves tells whether the second diagram is nowhere below the first and somewhere above it.
func improves(before, after []chunk) bool {
	var points []int64
	for _, list := range [][]chunk{before, after} {
		at := int64(0)
		for _, c := range list {
			at += c.vsize
			points = append(points, at)
		}
	}
	better := false
	for _, at := range points {
		switch feesAt(after, at).Cmp(feesAt(before, at)) {
		case -1:
			return false
		case 1:
			better = true
		}
	}
	return better
}

// feesAt is the fee that the first size virtual bytes earn, a chunk counting in proportion.
func feesAt(list []chunk, size int64) *big.Rat {
	sum := new(big.Rat)
	for _, c := range list {
		if size <= 0 {
			break
		}
		if size >= c.vsize {
			sum.Add(sum, new(big.Rat).SetInt64(int64(c.fee)))
		} else {
			part := new(big.Rat).SetFrac64(size, c.vsize)
			sum.Add(sum, part.Mul(part, new(big.Rat).SetInt64(int64(c.fee))))
		}
		size -= c.vsize
	}
	return sum
}
