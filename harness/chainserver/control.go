package chainserver

import (
	"context"
	"encoding/hex"
	"encoding/json"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

type blockAnswer struct {
	Height chain.Height `json:"height"`
	Hash   string       `json:"hash"`
}

func blockAnswers(blocks []chain.BlockID) []blockAnswer {
	list := []blockAnswer{}
	for _, b := range blocks {
		list = append(list, blockAnswer{b.Height, b.Hash.String()})
	}
	return list
}

// generate mines n blocks with the mempool in them: [n].
func (s *Server) generate(_ context.Context, params []json.RawMessage) (any, error) {
	n, err := want[uint32](params, 0)
	if err != nil {
		return nil, err
	}
	blocks, err := s.chain.Mine(n)
	return blockAnswers(blocks), err
}

// generateWith mines a block with exactly these transactions: [[hex...]].
func (s *Server) generateWith(_ context.Context, params []json.RawMessage) (any, error) {
	texts, err := want[[]string](params, 0)
	if err != nil {
		return nil, err
	}
	txs, err := parseTxs(texts)
	if err != nil {
		return nil, err
	}
	block, err := s.chain.MineWith(txs...)
	return blockAnswer{block.Height, block.Hash.String()}, err
}

// reorganise replaces the top blocks: [depth, [[hex...]...]].
func (s *Server) reorganise(_ context.Context, params []json.RawMessage) (any, error) {
	depth, err := want[uint32](params, 0)
	if err != nil {
		return nil, err
	}
	texts, err := param(params, 1, [][]string{})
	if err != nil {
		return nil, err
	}
	var branch [][]*wire.MsgTx
	for _, block := range texts {
		txs, err := parseTxs(block)
		if err != nil {
			return nil, err
		}
		branch = append(branch, txs)
	}
	return true, s.chain.Reorg(depth, branch...)
}

type fundParam struct {
	Script string         `json:"script"`
	Sat    btcutil.Amount `json:"sat"`
}

// fund submits a transaction of the faucet with these outputs first, and returns it: [[{"script": hex, "sat": n}...]].
func (s *Server) fund(_ context.Context, params []json.RawMessage) (any, error) {
	asked, err := want[[]fundParam](params, 0)
	if err != nil {
		return nil, err
	}
	var outs []*wire.TxOut
	for _, p := range asked {
		script, err := hex.DecodeString(p.Script)
		if err != nil {
			return nil, &rpcError{codeParameter, "script is not hex"}
		}
		if p.Sat < 0 || p.Sat > btcutil.MaxSatoshi {
			return nil, &rpcError{codeType, "Amount out of range"}
		}
		outs = append(outs, wire.NewTxOut(int64(p.Sat), script))
	}
	tx, err := s.chain.FundOutputs(outs...)
	if err != nil {
		return nil, err
	}
	return txHex(tx), nil
}
