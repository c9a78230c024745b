package policy

import (
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

// outcome says what can still become of a refused transaction inside its package.
type outcome uint8

const (
	// refused for good.
	final outcome = iota
	// refused for its fee: a child may change that.
	reconsider
	// refused because a coin is missing: it may come from a parent of the same package.
	orphan
)

// failure is the refusal of one transaction, or of a whole package.
type failure struct {
	rule    Rule
	reason  string
	detail  string
	outcome outcome
}

// text joins reason and detail as Bitcoin Core does.
func (f *failure) text() string {
	if f.detail == "" {
		return f.reason
	}
	return f.reason + ", " + f.detail
}

func refuse(rule Rule, reason, detail string, args ...any) *failure {
	if len(args) > 0 {
		detail = fmt.Sprintf(detail, args...)
	}
	return &failure{rule: rule, reason: reason, detail: detail}
}

func (f *failure) as(o outcome) *failure {
	f.outcome = o
	return f
}

// TxError is what is wrong with one transaction of a package.
type TxError struct {
	// Index is its position in the package.
	Index int
	// Txid names it.
	Txid chainhash.Hash
	// Rule is the broken rule.
	Rule Rule
	// Reason is the rule in Bitcoin Core's words, Text the same with the figures.
	Reason, Text string
}

// Verdict is the answer to a submission.
type Verdict struct {
	// Accepted is true when every transaction of the package is in the pool now.
	Accepted bool
	// Message is the reason of a single transaction, and what submitpackage calls package_msg for a package ("success").
	Message string
	// Errors lists what is wrong with the transactions, in package order. Those of a package that is refused as a whole are
	// what each transaction met on its own.
	Errors []TxError
	// Replaced lists the transactions that had to leave, by arrival.
	Replaced []chainhash.Hash

	rule      Rule
	rejection *chain.Rejection
}

// Err is nil when the package was accepted, else the one refusal that matters.
func (v Verdict) Err() error {
	if v.rejection == nil {
		return nil
	}
	return v.rejection
}

// Rule is the rule that decided against the package; it means nothing when Accepted is true.
func (v Verdict) Rule() Rule { return v.rule }

// decide makes f, met by transaction index, the reason of the whole verdict.
func (v *Verdict) decide(f *failure, index int, txid chainhash.Hash) {
	reason, detail := f.reason, f.detail
	if head, tail, found := strings.Cut(reason, ": "); found && head == chain.ReasonPackageRBF {
		reason, detail = head, strings.TrimSuffix(tail+", "+detail, ", ")
	}
	v.rule = f.rule
	v.rejection = &chain.Rejection{Reason: reason, Index: index, Txid: txid, Detail: detail}
}

// money writes an amount as Bitcoin Core does in its messages: in coins, at least two decimals, no further zeros at the end.
func money(a btcutil.Amount) string {
	sign := ""
	if a < 0 {
		sign, a = "-", -a
	}
	text := fmt.Sprintf("%s%d.%08d", sign, a/btcutil.SatoshiPerBitcoin, a%btcutil.SatoshiPerBitcoin)
	shortest := len(text) - 6
	for len(text) > shortest && text[len(text)-1] == '0' {
		text = text[:len(text)-1]
	}
	return text
}

// named writes a transaction as Bitcoin Core does in its messages.
func named(tx *wire.MsgTx) string {
	return fmt.Sprintf("%v (wtxid=%v)", tx.TxHash(), tx.WitnessHash())
}
