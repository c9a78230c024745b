package policy

import (
	"slices"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
)

const (
	messageSuccess  = "success"
	messageTxFailed = "transaction failed"
	messageDust     = "unspent-dust"
	messageTopology = "package topology disallowed. not child-with-parents or parents depend on each other."

	maxPackageCount = 25
)

// Submit offers one transaction, or parents followed by their child, to the pool. A parent that is fine on its own stays in the
// pool even when its child is refused. The transactions belong to the pool afterwards: do not change them.
func (p *Pool) Submit(txs ...*wire.MsgTx) Verdict {
	if len(txs) == 1 {
		return p.submitSingle(txs[0])
	}
	if f := p.checkTopology(txs); f != nil {
		v := Verdict{Message: f.reason}
		index, txid := 0, chainhash.Hash{}
		if len(txs) > 0 {
			index, txid = len(txs)-1, txs[len(txs)-1].TxHash()
		}
		v.decide(f, index, txid)
		return v
	}
	return p.submitPackage(txs)
}

func (p *Pool) submitSingle(tx *wire.MsgTx) Verdict {
	evicted, f := p.acceptSingle(tx, circumstances{supplant: true})
	if f == nil {
		return Verdict{Accepted: true, Replaced: ids(evicted)}
	}
	v := Verdict{Message: f.reason, Errors: []TxError{txError(0, tx, f)}}
	v.decide(f, 0, tx.TxHash())
	return v
}

// checkTopology holds the rules on the shape of a package that need no chain.
func (p *Pool) checkTopology(txs []*wire.MsgTx) *failure {
	if len(txs) == 0 {
		return refuse(PackageTopology, "package-empty", "")
	}
	if !p.rules.Has(PackageTopology) {
		return nil
	}
	if len(txs) > maxPackageCount {
		return refuse(PackageTopology, "package-too-many-transactions", "")
	}
	spent := make(map[wire.OutPoint]bool)
	seen := make(map[chainhash.Hash]bool)
	for _, tx := range txs {
		if txid := tx.TxHash(); seen[txid] {
			return refuse(PackageTopology, "package-contains-duplicates", "")
		} else {
			seen[txid] = true
		}
		for _, in := range tx.TxIn {
			if spent[in.PreviousOutPoint] {
				return refuse(PackageTopology, "conflict-in-package", "")
			}
			spent[in.PreviousOutPoint] = true
		}
	}
	if !childWithParents(txs) {
		return refuse(PackageTopology, messageTopology, "")
	}
	return nil
}

// childWithParents asks that the last transaction spends from each of the others, and that they do not spend from each other.
func childWithParents(txs []*wire.MsgTx) bool {
	child, parents := txs[len(txs)-1], txs[:len(txs)-1]
	for _, parent := range parents {
		txid := parent.TxHash()
		from := func(in *wire.TxIn) bool { return in.PreviousOutPoint.Hash == txid }
		if !slices.ContainsFunc(child.TxIn, from) {
			return false
		}
		for _, other := range parents {
			if slices.ContainsFunc(other.TxIn, from) {
				return false
			}
		}
	}
	return true
}

// submitPackage tries each transaction on its own first; what failed for its fee or for a missing parent is then tried together.
func (p *Pool) submitPackage(txs []*wire.MsgTx) Verdict {
	v := Verdict{Message: messageSuccess}
	alone := make([]*failure, len(txs))
	var together []int
	hopeless := -1
	for i, tx := range txs {
		if _, ok := p.entries[tx.TxHash()]; ok && p.rules.Has(Duplicate) {
			continue
		}
		evicted, f := p.acceptSingle(tx, circumstances{supplant: true})
		v.Replaced = append(v.Replaced, ids(evicted)...)
		alone[i] = f
		switch {
		case f == nil:
		case f.outcome == final && hopeless < 0:
			hopeless = i
		default:
			together = append(together, i)
		}
	}
	switch {
	case hopeless >= 0:
		v.Message = messageTxFailed
		v.decide(alone[hopeless], hopeless, txs[hopeless].TxHash())
	case len(together) > 0:
		p.submitTogether(&v, txs, together, alone)
	}
	v.Accepted = v.rejection == nil
	if !v.Accepted {
		for i, f := range alone {
			if f != nil {
				v.Errors = append(v.Errors, txError(i, txs[i], f))
			}
		}
	}
	return v
}

// submitTogether looks at the transactions that failed on their own as one package. It enters what it finds into alone.
func (p *Pool) submitTogether(v *Verdict, txs []*wire.MsgTx, indexes []int, alone []*failure) {
	if len(indexes) == 1 {
		at := indexes[0]
		evicted, f := p.acceptSingle(txs[at], circumstances{supplant: true})
		v.Replaced = append(v.Replaced, ids(evicted)...)
		if alone[at] = f; f != nil {
			v.Message = messageTxFailed
			v.decide(f, at, txs[at].TxHash())
		}
		return
	}
	var pkg []*candidate
	for _, at := range indexes {
		c, f := p.precheck(txs[at], circumstances{pkg: pkg, packageFee: p.rules.Has(PackageFeeRate)})
		if f != nil {
			alone[at] = f
			v.Message = messageTxFailed
			v.decide(f, at, txs[at].TxHash())
			return
		}
		pkg = append(pkg, c)
	}
	evicted, culprit, f := p.checkPackage(pkg)
	if f == nil {
		p.remove(evicted)
		for _, c := range pkg {
			p.add(c)
		}
		v.Replaced = append(v.Replaced, ids(evicted)...)
		return
	}
	last := indexes[len(indexes)-1]
	if culprit == nil {
		v.Message = f.text()
		v.decide(f, last, txs[last].TxHash())
		return
	}
	at := indexes[slices.Index(pkg, culprit)]
	alone[at] = f
	v.Message = messageTxFailed
	if f.rule == DustSpent {
		v.Message = messageDust
	}
	v.decide(f, at, txs[at].TxHash())
}

// checkPackage holds the rules on a package as a whole. A failure of one transaction names it, one of the package does not.
func (p *Pool) checkPackage(pkg []*candidate) (evicted []*entry, culprit *candidate, f *failure) {
	child := pkg[len(pkg)-1]
	var fee btcutil.Amount
	var vsize int64
	replaces := false
	for _, c := range pkg {
		if f := p.checkPackageTRUC(c, pkg); f != nil {
			return nil, nil, f
		}
		fee += c.fee
		vsize += c.vsize
		replaces = replaces || len(c.conflicts) > 0
	}
	if f := p.checkRate(fee, vsize); f != nil {
		return nil, child, f
	}
	if replaces {
		if evicted, f = p.checkPackageReplacement(pkg); f != nil {
			return nil, nil, f
		}
	}
	if f := p.checkCluster(pkg, evicted); f != nil {
		return nil, nil, f
	}
	if c, f := p.checkDustSpent(pkg); f != nil {
		return nil, c, f
	}
	for _, c := range pkg {
		if f := p.checkScripts(c.tx, c.coins); f != nil {
			return nil, c, f
		}
	}
	return evicted, nil, nil
}

func txError(index int, tx *wire.MsgTx, f *failure) TxError {
	return TxError{Index: index, Txid: tx.TxHash(), Rule: f.rule, Reason: f.reason, Text: f.text()}
}

func ids(entries []*entry) []chainhash.Hash {
	var list []chainhash.Hash
	for _, e := range entries {
		list = append(list, e.txid)
	}
	return list
}
