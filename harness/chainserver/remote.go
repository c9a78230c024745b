package chainserver

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/chain/corerpc"
	"superscalar/refnode/chain/embedded"
)

// Regtest is a chain whose blocks are made on demand: an embedded chain, or a Remote of one. The methods are those of package embedded.
type Regtest interface {
	chain.Interface
	Mine(n uint32) ([]chain.BlockID, error)
	MineWith(txs ...*wire.MsgTx) (chain.BlockID, error)
	Reorg(depth uint32, branch ...[]*wire.MsgTx) error
	Fund(script []byte, amount btcutil.Amount) (wire.OutPoint, error)
	FundOutputs(outs ...*wire.TxOut) (*wire.MsgTx, error)
}

var (
	_ Regtest = (*embedded.Chain)(nil)
	_ Regtest = (*Remote)(nil)
)

// Remote is a chain in another process, or in this one, behind a Server. Its errors match those of package embedded where that has one.
type Remote struct {
	*corerpc.Client
}

// Dial connects to a Server: Address and CookieFile for one in another process, Server.Client for one in this.
func Dial(ctx context.Context, options corerpc.Options) (*Remote, error) {
	client, err := corerpc.New(ctx, options)
	if err != nil {
		return nil, err
	}
	return &Remote{client}, nil
}

// control makes one of the calls that only a Server knows. It is bounded by the timeout of the client.
func (r *Remote) control(method string, result any, params ...any) error {
	err := r.Call(context.Background(), method, result, params...)
	var failed *corerpc.CallError
	if !errors.As(err, &failed) {
		return err
	}
	known := map[int]error{codeVerify: embedded.ErrBlockRefused, codeParameter: embedded.ErrReorgDepth, codeNoFunds: embedded.ErrFaucetEmpty}
	if kind, ok := known[failed.Code]; ok {
		return fmt.Errorf("%w: %w", kind, err)
	}
	return err
}

func (a blockAnswer) id() (chain.BlockID, error) {
	hash, err := parseHash(a.Hash)
	return chain.BlockID{Height: a.Height, Hash: hash}, err
}

// Mine is embedded.Chain.Mine.
func (r *Remote) Mine(n uint32) ([]chain.BlockID, error) {
	var answers []blockAnswer
	if err := r.control("generate", &answers, n); err != nil {
		return nil, err
	}
	var blocks []chain.BlockID
	for _, a := range answers {
		id, err := a.id()
		if err != nil {
			return nil, fmt.Errorf("generate: %w", err)
		}
		blocks = append(blocks, id)
	}
	return blocks, nil
}

// MineWith is embedded.Chain.MineWith.
func (r *Remote) MineWith(txs ...*wire.MsgTx) (chain.BlockID, error) {
	var a blockAnswer
	if err := r.control("generatewith", &a, txHexes(txs)); err != nil {
		return chain.BlockID{}, err
	}
	return a.id()
}

// Reorg is embedded.Chain.Reorg.
func (r *Remote) Reorg(depth uint32, branch ...[]*wire.MsgTx) error {
	blocks := [][]string{}
	for _, txs := range branch {
		blocks = append(blocks, txHexes(txs))
	}
	return r.control("reorganise", nil, depth, blocks)
}

// Fund is embedded.Chain.Fund.
func (r *Remote) Fund(script []byte, amount btcutil.Amount) (wire.OutPoint, error) {
	tx, err := r.FundOutputs(wire.NewTxOut(int64(amount), script))
	if err != nil {
		return wire.OutPoint{}, err
	}
	return wire.OutPoint{Hash: tx.TxHash(), Index: 0}, nil
}

// FundOutputs is embedded.Chain.FundOutputs.
func (r *Remote) FundOutputs(outs ...*wire.TxOut) (*wire.MsgTx, error) {
	asked := []fundParam{}
	for _, out := range outs {
		asked = append(asked, fundParam{Script: hex.EncodeToString(out.PkScript), Sat: btcutil.Amount(out.Value)})
	}
	var text string
	if err := r.control("fund", &text, asked); err != nil {
		return nil, err
	}
	return parseTx(text)
}
