package chainserver

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

// method answers one call.
type method func(s *Server, ctx context.Context, params []json.RawMessage) (any, error)

// methods are all there are: those of Bitcoin Core that corerpc uses, and four of our own.
var methods = map[string]method{
	"getblockcount":        (*Server).getBlockCount,
	"getbestblockhash":     (*Server).getBestBlockHash,
	"getblockhash":         (*Server).getBlockHash,
	"getblockheader":       (*Server).getBlockHeader,
	"getblock":             (*Server).getBlock,
	"gettxout":             (*Server).getTxOut,
	"gettxspendingprevout": (*Server).getTxSpendingPrevout,
	"getrawtransaction":    (*Server).getRawTransaction,
	"getrawmempool":        (*Server).getRawMempool,
	"sendrawtransaction":   (*Server).sendRawTransaction,
	"submitpackage":        (*Server).submitPackage,

	"generate":     (*Server).generate,
	"generatewith": (*Server).generateWith,
	"reorganise":   (*Server).reorganise,
	"fund":         (*Server).fund,
}

func (s *Server) getBlockCount(ctx context.Context, _ []json.RawMessage) (any, error) {
	now, err := s.ledger.look(ctx)
	return now.tip.Height, err
}

func (s *Server) getBestBlockHash(ctx context.Context, _ []json.RawMessage) (any, error) {
	now, err := s.ledger.look(ctx)
	return now.tip.Hash.String(), err
}

func (s *Server) getBlockHash(ctx context.Context, params []json.RawMessage) (any, error) {
	height, err := want[int64](params, 0)
	if err != nil {
		return nil, err
	}
	now, err := s.ledger.look(ctx)
	if err != nil {
		return nil, err
	}
	if height < 0 || height >= int64(len(now.best)) {
		return nil, &rpcError{codeParameter, "Block height out of range"}
	}
	return now.best[height].String(), nil
}

// rawBlock reads a block, of the best chain or not.
func (s *Server) rawBlock(ctx context.Context, hash chainhash.Hash) ([]byte, error) {
	raw, found, err := s.chain.RawBlock(ctx, hash)
	if err == nil && !found {
		err = &rpcError{codeNotFound, "Block not found"}
	}
	return raw, err
}

func (s *Server) getBlock(ctx context.Context, params []json.RawMessage) (any, error) {
	hash, err := wantHash(params, 0)
	if err != nil {
		return nil, err
	}
	verbosity, err := param(params, 1, 1)
	if err != nil {
		return nil, err
	}
	if verbosity != 0 {
		return nil, &rpcError{codeParameter, "only verbosity 0 is served"}
	}
	raw, err := s.rawBlock(ctx, hash)
	return hex.EncodeToString(raw), err
}

type headerAnswer struct {
	Hash          string       `json:"hash"`
	Confirmations int64        `json:"confirmations"`
	Height        chain.Height `json:"height"`
	Version       int32        `json:"version"`
	VersionHex    string       `json:"versionHex"`
	MerkleRoot    string       `json:"merkleroot"`
	Time          int64        `json:"time"`
	Nonce         uint32       `json:"nonce"`
	Bits          string       `json:"bits"`
	Transactions  int          `json:"nTx"`
	Previous      string       `json:"previousblockhash,omitempty"`
	Next          string       `json:"nextblockhash,omitempty"`
}

func (s *Server) getBlockHeader(ctx context.Context, params []json.RawMessage) (any, error) {
	hash, err := wantHash(params, 0)
	if err != nil {
		return nil, err
	}
	verbose, err := param(params, 1, true)
	if err != nil {
		return nil, err
	}
	now, err := s.ledger.look(ctx)
	if err != nil {
		return nil, err
	}
	height, known := s.ledger.height(hash)
	if !known {
		return nil, &rpcError{codeNotFound, "Block not found"}
	}
	raw, err := s.rawBlock(ctx, hash)
	if err != nil {
		return nil, err
	}
	if !verbose {
		return hex.EncodeToString(raw[:wire.MaxBlockHeaderPayload]), nil
	}
	var block wire.MsgBlock
	if err := block.Deserialize(bytes.NewReader(raw)); err != nil {
		return nil, fmt.Errorf("read block %v: %w", hash, err)
	}
	h := block.Header
	a := headerAnswer{Hash: hash.String(), Confirmations: -1, Height: height, Version: h.Version, VersionHex: fmt.Sprintf("%08x", uint32(h.Version)),
		MerkleRoot: h.MerkleRoot.String(), Time: h.Timestamp.Unix(), Nonce: h.Nonce, Bits: fmt.Sprintf("%08x", h.Bits), Transactions: len(block.Transactions)}
	if height > 0 {
		a.Previous = h.PrevBlock.String()
	}
	if now.has(height, hash) {
		a.Confirmations = int64(now.tip.Height-height) + 1
		if int(height)+1 < len(now.best) {
			a.Next = now.best[height+1].String()
		}
	}
	return a, nil
}
