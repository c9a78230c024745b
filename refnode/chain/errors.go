package chain

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
)

// ErrUnknownBlock is returned by Since for a block the backend has never had: the caller's store belongs to another chain, or the
// backend lost its data. There is no way to continue from it.
var ErrUnknownBlock = errors.New("unknown block")

// ErrClosed is returned by a backend that was closed.
var ErrClosed = errors.New("chain is closed")

// ErrPackageSize is returned by Submit for a package that is neither one transaction nor two.
var ErrPackageSize = errors.New("a package is one transaction, or a parent and its child")

// Reasons of a Rejection, in the words of Bitcoin Core's reject reasons. Only those that a caller may want to tell apart are
// listed; a backend may give others.
const (
	// ReasonMinRelayFee : the fee is below the minimum relay fee, alone or as a package.
	ReasonMinRelayFee = "min relay fee not met"
	// ReasonMempoolMinFee : the fee is below what the mempool asks for at the moment, since it is full.
	ReasonMempoolMinFee = "mempool min fee not met"
	// ReasonTRUC : a rule of BIP 431 on version-3 transactions is broken.
	ReasonTRUC = "TRUC-violation"
	// ReasonDust : an output below the dust limit that ephemeral dust does not excuse.
	ReasonDust = "dust"
	// ReasonUnspentDust : the child leaves dust of its parent unspent.
	ReasonUnspentDust = "missing-ephemeral-spends"
	// ReasonNonFinal : nLockTime is not reached in the next block.
	ReasonNonFinal = "non-final"
	// ReasonNonBIP68Final : a relative lock (nSequence) is not over in the next block.
	ReasonNonBIP68Final = "non-BIP68-final"
	// ReasonMissingInputs : an input does not exist or a confirmed transaction has spent it.
	ReasonMissingInputs = "bad-txns-inputs-missingorspent"
	// ReasonInsufficientFee : a replacement does not pay for what it replaces and for its own relay.
	ReasonInsufficientFee = "insufficient fee"
	// ReasonPackageRBF : a parent and child do not pay for what they replace and for their own relay.
	ReasonPackageRBF = "package RBF failed"
	// ReasonAlreadyKnown : the transaction is confirmed and has unspent outputs.
	ReasonAlreadyKnown = "txn-already-known"
	// ReasonImmatureCoinbase : a coinbase output is spent before it has 100 confirmations.
	ReasonImmatureCoinbase = "bad-txns-premature-spend-of-coinbase"
	// ReasonScript : a signature or script is wrong, or not standard.
	ReasonScript = "mempool-script-verify-flag-failed"
	// ReasonInMempool : the mempool holds the transaction already. Submit does not report it.
	ReasonInMempool = "txn-already-in-mempool"
)

// Rejection is a refusal by the mempool. Match it with errors.As and compare Reason.
type Rejection struct {
	// Reason is the name of the rule, in Bitcoin Core's words, without figures.
	Reason string
	// Index is the position in the package of the transaction that broke the rule. A rule broken by the package as a whole is
	// charged to the last one.
	Index int
	// Txid is the id of that transaction.
	Txid chainhash.Hash
	// Detail is a sentence with the figures, empty when there is nothing to add.
	Detail string
}

// Error implements error.
func (r *Rejection) Error() string {
	if r.Detail == "" {
		return fmt.Sprintf("transaction %d of the package (%v) refused: %s", r.Index, r.Txid, r.Reason)
	}
	return fmt.Sprintf("transaction %d of the package (%v) refused: %s: %s", r.Index, r.Txid, r.Reason, r.Detail)
}

// IsRejection tells whether err is a refusal for the given reason.
func IsRejection(err error, reason string) bool {
	var rejection *Rejection
	return errors.As(err, &rejection) && rejection.Reason == reason
}
