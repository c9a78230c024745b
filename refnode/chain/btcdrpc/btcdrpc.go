// Package btcdrpc is the chain as a btcd node shows it over JSON-RPC. It implements chain.Interface as far as btcd can.
//
// It promises what package corerpc promises, whose client it is for everything but Submit: no answer is passed on that can be known to
// be wrong. btcd must run with --txindex and --notls, listening on loopback. Its mempool has no packages, no rules for version-3
// transactions and no ephemeral dust, so a parent without a fee cannot be relayed: Submit of a parent and child fails with ErrNoPackages.
// On regtest Options.MineDirectly puts them into a block instead, which shows that a consensus engine in another process accepts
// them (SPEC.md, TREE and DELAY). It starts no process and holds no keys.
package btcdrpc

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/chain/corerpc"
)

var (
	// ErrNoPackages is returned by Submit for a parent and its child: btcd cannot relay them together.
	ErrNoPackages = errors.New("btcd knows no packages")
	// ErrBlockRefused is returned when btcd refuses a block that was put together here.
	ErrBlockRefused = errors.New("block refused by btcd")
)

// Options are those of a client of Bitcoin Core, and how to treat packages.
type Options struct {
	corerpc.Options
	// MineDirectly puts a parent and its child into a block of their own, past the mempool. Only regtest allows it.
	MineDirectly bool
	// Reward is the scriptPubKey that the coinbases of such blocks pay to; empty means that anyone can spend them.
	Reward []byte
}

// Client talks to one btcd node. All methods may be called by any number of goroutines.
type Client struct {
	*corerpc.Client
	options Options
}

var _ chain.Interface = (*Client)(nil)

// New connects to a node. It fails as corerpc.New does.
func New(ctx context.Context, options Options) (*Client, error) {
	inner, err := corerpc.New(ctx, options.Options)
	if err != nil {
		return nil, err
	}
	return &Client{Client: inner, options: options}, nil
}

// Submit implements chain.Interface for single transactions; for a parent and child see Options.MineDirectly. Refusals carry the
// reasons of package chain where btcd's own words have one, and else btcd's words.
func (c *Client) Submit(ctx context.Context, pkg chain.Package) error {
	switch {
	case len(pkg) != 1 && len(pkg) != 2:
		return fmt.Errorf("submit %d transactions: %w", len(pkg), chain.ErrPackageSize)
	case len(pkg) == 2 && !c.options.MineDirectly:
		return fmt.Errorf("submit transaction %v: %w", pkg[1].TxHash(), ErrNoPackages)
	case len(pkg) == 2:
		return c.mine(ctx, pkg)
	}
	tx := pkg[0]
	var raw bytes.Buffer
	if err := tx.Serialize(&raw); err != nil {
		return fmt.Errorf("submit transaction %v: write it: %w", tx.TxHash(), err)
	}
	var txid string
	err := c.Call(ctx, "sendrawtransaction", &txid, hex.EncodeToString(raw.Bytes()))
	if err == nil && txid != tx.TxHash().String() {
		err = &corerpc.CallError{Call: "sendrawtransaction", Kind: corerpc.ErrContradiction, Detail: "another transaction came back"}
	}
	var failed *corerpc.CallError
	if errors.As(err, &failed) && failed.Kind == corerpc.ErrReported && refusing(failed.Code) {
		reason := reasonOf(failed.Detail)
		if reason == chain.ReasonInMempool {
			return nil
		}
		err = &chain.Rejection{Reason: reason, Txid: tx.TxHash(), Detail: failed.Detail}
	}
	if err != nil {
		return fmt.Errorf("submit transaction %v: %w", tx.TxHash(), err)
	}
	return nil
}

// mine submits a package as a block. btcd does not say which transaction a block is refused for: the last one is charged.
func (c *Client) mine(ctx context.Context, pkg chain.Package) error {
	last := len(pkg) - 1
	tip, err := c.Tip(ctx)
	if err == nil {
		_, err = c.MineOn(ctx, tip, pkg...)
	}
	var refused *blockRefusal
	if errors.As(err, &refused) {
		err = &chain.Rejection{Reason: reasonOf(refused.text), Index: last, Txid: pkg[last].TxHash(), Detail: refused.text}
	}
	if err != nil {
		return fmt.Errorf("submit transaction %v: %w", pkg[last].TxHash(), err)
	}
	return nil
}

// refusing tells the codes of a refused transaction from those of other errors.
func refusing(code int) bool { return code == -22 || code == -25 || code == -26 || code == -27 }

// words pairs a part of btcd's sentences with the reason of Bitcoin Core. The first that fits counts.
var words = []struct{ part, reason string }{
	{"already have transaction in mempool", chain.ReasonInMempool},
	{"transaction already exists", chain.ReasonAlreadyKnown},
	{"orphan transaction", chain.ReasonMissingInputs},
	{"either does not exist or has already been spent", chain.ReasonMissingInputs},
	{"sequence lock", chain.ReasonNonBIP68Final},
	{"not finalized", chain.ReasonNonFinal},
	{"unfinalized transaction", chain.ReasonNonFinal},
	{"is dust", chain.ReasonDust},
	{"replacement transaction has an insufficient", chain.ReasonInsufficientFee},
	{"fees which is under the required amount", chain.ReasonMinRelayFee},
	{"insufficient priority", chain.ReasonMinRelayFee},
	{"before required maturity", chain.ReasonImmatureCoinbase},
	{"failed to validate input", chain.ReasonScript},
	{"failed to parse input", chain.ReasonScript},
}

func reasonOf(text string) string {
	for _, w := range words {
		if strings.Contains(text, w.part) {
			return w.reason
		}
	}
	return strings.TrimPrefix(text, "TX rejected: ")
}

// blockRefusal is what btcd says of a block.
type blockRefusal struct{ text string }

func (r *blockRefusal) Error() string { return ErrBlockRefused.Error() + ": " + r.text }

func (r *blockRefusal) Unwrap() error { return ErrBlockRefused }

// rawBlock writes a block in hex.
func rawBlock(block *wire.MsgBlock) (string, error) {
	var raw bytes.Buffer
	if err := block.Serialize(&raw); err != nil {
		return "", fmt.Errorf("write the block: %w", err)
	}
	return hex.EncodeToString(raw.Bytes()), nil
}
