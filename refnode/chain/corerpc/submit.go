package corerpc

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

// Numbers of the errors with which Bitcoin Core refuses a transaction.
const (
	codeUndecodable  = -22
	codeRefused      = -25 // missing inputs, topology of a package
	codeRejected     = -26
	codeAlreadyKnown = -27
)

// What submitpackage says of a package as a whole. Anything else is a rule that the package broke as a whole.
const (
	packageSuccess  = "success"
	packageTxFailed = "transaction failed"
	packageDust     = "unspent-dust"
)

// anyFee and anyBurn switch off Bitcoin Core's protection against typing errors: what to pay is not for this package to choose.
const (
	anyFee  = 0
	anyBurn = "21000000"
)

// versionTRUC is the version of transactions that may leave the fee to their child (BIP 431).
const versionTRUC = 3

// reasonUndecodable is the reason for bytes that the node cannot read as a transaction, which one without inputs is.
const reasonUndecodable = "TX decode failed"

// Submit implements chain.Interface.
func (c *Client) Submit(ctx context.Context, pkg chain.Package) error {
	if len(pkg) != 1 && len(pkg) != 2 {
		return fmt.Errorf("submit %d transactions: %w", len(pkg), chain.ErrPackageSize)
	}
	last := pkg[len(pkg)-1].TxHash()
	err := c.enter(ctx)
	if err == nil && len(pkg) == 1 {
		err = c.submitSingle(ctx, pkg[0])
	} else if err == nil {
		err = c.submitPackage(ctx, pkg)
	}
	if err != nil {
		return fmt.Errorf("submit transaction %v: %w", last, err)
	}
	return nil
}

func (c *Client) submitSingle(ctx context.Context, tx *wire.MsgTx) error {
	const method = "sendrawtransaction"
	raw, err := rawHex(tx)
	if err != nil {
		return err
	}
	var text string
	if err := c.call(ctx, method, &text, raw, anyFee, anyBurn); err != nil {
		rejection := refusal(err, 0, tx.TxHash())
		switch {
		case rejection == nil:
			return err
		case rejection.Reason == chain.ReasonInMempool:
			return nil
		default:
			return rejection
		}
	}
	txid, err := parseHash(method, "result", text)
	if err != nil {
		return err
	}
	if want := tx.TxHash(); txid != want {
		return contradiction(method, "transaction %v, sent was %v", txid, want)
	}
	c.announce()
	return nil
}

func rawHex(tx *wire.MsgTx) (string, error) {
	var raw bytes.Buffer
	if err := tx.Serialize(&raw); err != nil {
		return "", fmt.Errorf("write the transaction: %w", err)
	}
	return hex.EncodeToString(raw.Bytes()), nil
}

// refusal makes a Rejection of an error with which the node refuses; nil if it is another error.
func refusal(err error, index int, txid chainhash.Hash) *chain.Rejection {
	var failed *CallError
	if !errors.As(err, &failed) || failed.Kind != ErrReported {
		return nil
	}
	switch failed.Code {
	case codeAlreadyKnown:
		return &chain.Rejection{Reason: chain.ReasonAlreadyKnown, Index: index, Txid: txid}
	case codeUndecodable:
		return &chain.Rejection{Reason: reasonUndecodable, Index: index, Txid: txid, Detail: failed.Detail}
	case codeRefused, codeRejected:
		return rejection(failed.Detail, index, txid)
	default:
		return nil
	}
}

// rejection splits what the node says into the name of the rule and the rest.
func rejection(text string, index int, txid chainhash.Hash) *chain.Rejection {
	reason, detail, _ := strings.Cut(text, ", ")
	if head, tail, found := strings.Cut(text, ": "); found && head == chain.ReasonPackageRBF {
		reason, detail = head, tail
	}
	// The reason for a script goes on with the failure in brackets; before version 30 it had another first word.
	if _, why, found := strings.Cut(reason, "-script-verify-flag"); found {
		_, why, _ = strings.Cut(why, " ")
		reason, detail = chain.ReasonScript, strings.TrimSuffix(strings.Trim(why, "()")+", "+detail, ", ")
	}
	return &chain.Rejection{Reason: reason, Index: index, Txid: txid, Detail: detail}
}

type packageAnswer struct {
	Message *string                  `json:"package_msg"`
	Results map[string]packageResult `json:"tx-results"`
}

type packageResult struct {
	Txid  string  `json:"txid"`
	Error *string `json:"error"`
}

func (c *Client) submitPackage(ctx context.Context, pkg chain.Package) error {
	const method = "submitpackage"
	var raws []string
	for _, tx := range pkg {
		raw, err := rawHex(tx)
		if err != nil {
			return err
		}
		raws = append(raws, raw)
	}
	last := len(pkg) - 1
	var a packageAnswer
	if err := c.call(ctx, method, &a, raws, anyFee, anyBurn); err != nil {
		if rejection := refusal(err, last, pkg[last].TxHash()); rejection != nil {
			return rejection
		}
		return err
	}
	c.announce() // a parent may have been accepted even if its child was not
	if a.Message == nil {
		return malformed(method, "no package_msg")
	}
	errs, err := a.errors(method, pkg)
	if err != nil {
		return err
	}
	if *a.Message == packageSuccess {
		for i, text := range errs {
			if text != "" {
				return contradiction(method, "success, but %v is refused: %s", pkg[i].TxHash(), text)
			}
		}
		return nil
	}
	return verdict(method, *a.Message, pkg, errs)
}

// errors lists what is wrong with each transaction, "" for nothing. Every one must be in the answer.
func (a *packageAnswer) errors(method string, pkg chain.Package) ([]string, error) {
	var list []string
	for _, tx := range pkg {
		result, ok := a.Results[tx.WitnessHash().String()]
		if !ok {
			return nil, malformed(method, "no result for transaction %v", tx.TxHash())
		}
		if want := tx.TxHash().String(); result.Txid != want {
			return nil, contradiction(method, "result for transaction %s, sent was %s", quote(result.Txid), want)
		}
		text := ""
		if result.Error != nil {
			if text = quote(*result.Error); text == "" {
				return nil, malformed(method, "empty error for transaction %v", tx.TxHash())
			}
		}
		list = append(list, text)
	}
	return list, nil
}

// verdict names the refusal that decided. A parent refused for its fee alone, and a child refused because its parent is not there,
// are only what came of trying them one by one.
func verdict(method, message string, pkg chain.Package, errs []string) error {
	last := len(pkg) - 1
	if message != packageTxFailed && message != packageDust {
		return rejection(quote(message), last, pkg[last].TxHash())
	}
	first, decided := -1, -1
	for i, text := range errs {
		if text == "" {
			continue
		}
		if first < 0 {
			first = i
		}
		r := rejection(text, i, pkg[i].TxHash())
		switch {
		case message == packageDust:
			if r.Reason == chain.ReasonUnspentDust {
				return r
			}
		case r.Reason != chain.ReasonMinRelayFee && r.Reason != chain.ReasonMissingInputs:
			return r
		case r.Reason == chain.ReasonMinRelayFee && pkg[i].Version == versionTRUC:
			// its child may pay for it: look further
		case decided < 0:
			decided = i
		}
	}
	switch {
	case first < 0:
		return contradiction(method, "%s, but no transaction is refused", quote(message))
	case decided < 0:
		decided = last
		if errs[last] == "" {
			decided = first
		}
	}
	return rejection(errs[decided], decided, pkg[decided].TxHash())
}
