package policy

// Rule names one rule of the mempool. Some are permissions (full replacement, sibling eviction, package fee rates): switching
// one of those off refuses what it allows.
type Rule uint8

// The rules, in the order in which a transaction meets them.
const (
	// PackageTopology : more than one transaction means a child and its parents, parents first, no parent spending another,
	// nothing twice, no coin twice.
	PackageTopology Rule = iota
	// Sanity : consensus rules that need no chain (inputs and outputs exist, amounts in range, no coinbase).
	Sanity
	// Version : the version is 1, 2 or 3.
	Version
	// Weight : at most 400,000 weight units.
	Weight
	// ScriptSig : signature scripts push only and have at most 1,650 bytes.
	ScriptSig
	// OutputScript : every output has a known script type.
	OutputScript
	// DustCount : at most one output below the dust limit.
	DustCount
	// MinimumSize : at least 65 bytes without witnesses.
	MinimumSize
	// LockTime : nLockTime is reached in the next block.
	LockTime
	// Duplicate : the transaction is neither in the mempool nor confirmed.
	Duplicate
	// Replacement (permission) : a conflict with the mempool is allowed, subject to the rules on replacements.
	Replacement
	// MissingInputs : every coin exists, in the chain or in the mempool, and no confirmed transaction spends it.
	MissingInputs
	// RelativeLock : every nSequence is met in the next block (BIP 68).
	RelativeLock
	// CoinbaseMaturity : coinbase outputs have 100 confirmations.
	CoinbaseMaturity
	// Amounts : outputs do not exceed inputs.
	Amounts
	// InputScript : every spent output has a script type that is standard to spend.
	InputScript
	// AnchorWitness : a P2A output is spent with an empty witness.
	AnchorWitness
	// Witness : witnesses are within the standard limits, without annex, and only where there is a witness program.
	Witness
	// DustZeroFee : a transaction with dust pays no fee at all (ephemeral dust).
	DustZeroFee
	// SigOps : signature operations cost at most 16,000; one in a witness costs 1, any other 4.
	SigOps
	// TRUCInheritance : unconfirmed parents of version 3 transactions are version 3, and of others are not.
	TRUCInheritance
	// TRUCSize : version 3 has at most 10,000 virtual bytes.
	TRUCSize
	// TRUCAncestors : version 3 has at most one unconfirmed ancestor.
	TRUCAncestors
	// TRUCChildSize : version 3 with an unconfirmed parent has at most 1,000 virtual bytes.
	TRUCChildSize
	// TRUCDescendants : an unconfirmed version 3 transaction has at most one child.
	TRUCDescendants
	// SiblingEviction (permission) : a version 3 child may replace its sibling without spending the same coin.
	SiblingEviction
	// MinRelayFee : 0.1 sat per virtual byte, or what PackageFeeRate allows instead.
	MinRelayFee
	// SpendsConflict : no transaction spends an output of what it replaces.
	SpendsConflict
	// PackageFeeRate (permission) : a version 3 parent may pay too little when parent and child pay enough together.
	PackageFeeRate
	// DustSpent : a child spends the dust of each of its unconfirmed parents.
	DustSpent
	// ReplacementCount : conflicts touch at most 100 clusters.
	ReplacementCount
	// ReplacementFee : a replacement pays at least the fees of everything it evicts.
	ReplacementFee
	// ReplacementRelay : on top of that it pays 0.1 sat per virtual byte of its own.
	ReplacementRelay
	// ReplacementDiagram : a replacement makes the mempool strictly better for miners.
	ReplacementDiagram
	// ClusterLimit : at most 64 connected transactions, of at most 101,000 virtual bytes together.
	ClusterLimit
	// PackageReplacement (permission) : parent and child together may replace.
	PackageReplacement
	// PackageReplacementAncestors : such a parent and child have no further unconfirmed parents.
	PackageReplacementAncestors
	// PackageReplacementRate : the child of such a package raises the fee rate of its parent.
	PackageReplacementRate
	// Script : every script succeeds under the standard flags.
	Script

	ruleCount
)

var ruleNames = [ruleCount]string{
	PackageTopology: "package-topology", Sanity: "sanity", Version: "version", Weight: "weight", ScriptSig: "script-sig",
	OutputScript: "output-script", DustCount: "dust-count", MinimumSize: "minimum-size", LockTime: "lock-time",
	Duplicate: "duplicate", Replacement: "replacement", MissingInputs: "missing-inputs", RelativeLock: "relative-lock",
	CoinbaseMaturity: "coinbase-maturity", Amounts: "amounts", InputScript: "input-script", AnchorWitness: "anchor-witness",
	Witness: "witness", DustZeroFee: "dust-zero-fee", SigOps: "sig-ops", TRUCInheritance: "truc-inheritance",
	TRUCSize: "truc-size", TRUCAncestors: "truc-ancestors", TRUCChildSize: "truc-child-size",
	TRUCDescendants: "truc-descendants", SiblingEviction: "sibling-eviction", MinRelayFee: "min-relay-fee",
	SpendsConflict: "spends-conflict", PackageFeeRate: "package-fee-rate", DustSpent: "dust-spent",
	ReplacementCount: "replacement-count", ReplacementFee: "replacement-fee", ReplacementRelay: "replacement-relay",
	ReplacementDiagram: "replacement-diagram", ClusterLimit: "cluster-limit", PackageReplacement: "package-replacement",
	PackageReplacementAncestors: "package-replacement-ancestors", PackageReplacementRate: "package-replacement-rate",
	Script: "script",
}

// String returns the id of the rule, in kebab case.
func (r Rule) String() string {
	if r >= ruleCount {
		return "unknown-rule"
	}
	return ruleNames[r]
}

// AllRules lists every rule in order.
func AllRules() []Rule {
	all := make([]Rule, 0, ruleCount)
	for r := Rule(0); r < ruleCount; r++ {
		all = append(all, r)
	}
	return all
}

// Rules is the set of rules in force. The zero value has all of them.
type Rules struct {
	off uint64
}

// Without returns the set with the given rules switched off.
func (s Rules) Without(rules ...Rule) Rules {
	for _, r := range rules {
		s.off |= 1 << r
	}
	return s
}

// Has tells whether the rule is in force.
func (s Rules) Has(r Rule) bool {
	return s.off&(1<<r) == 0
}
