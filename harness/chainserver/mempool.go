package chainserver

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/chain/policy"
)

// maxPackage is how many transactions submitpackage takes.
const maxPackage = 25

type coinAnswer struct {
	BestBlock     string       `json:"bestblock"`
	Confirmations int64        `json:"confirmations"`
	Value         json.Number  `json:"value"`
	Script        scriptAnswer `json:"scriptPubKey"`
	Coinbase      bool         `json:"coinbase"`
}

type scriptAnswer struct {
	Hex string `json:"hex"`
}

// coins writes an amount as the dialect does.
func coins(a btcutil.Amount) json.Number {
	return json.Number(fmt.Sprintf("%d.%08d", a/btcutil.SatoshiPerBitcoin, a%btcutil.SatoshiPerBitcoin))
}

func wantOutpoint(params []json.RawMessage) (wire.OutPoint, error) {
	txid, err := wantHash(params, 0)
	if err != nil {
		return wire.OutPoint{}, err
	}
	index, err := want[uint32](params, 1)
	return wire.OutPoint{Hash: txid, Index: index}, err
}

// getTxOut answers null for what is not there. With the mempool, which is the default, an output that the mempool spends is not there.
func (s *Server) getTxOut(ctx context.Context, params []json.RawMessage) (any, error) {
	outpoint, err := wantOutpoint(params)
	if err != nil {
		return nil, err
	}
	withMempool, err := param(params, 2, true)
	if err != nil {
		return nil, err
	}
	for {
		before, err := s.ledger.look(ctx)
		if err != nil {
			return nil, err
		}
		out, found, err := s.chain.Output(ctx, outpoint)
		if err != nil {
			return nil, err
		}
		_, spent, err := s.chain.Spend(ctx, outpoint)
		if err != nil {
			return nil, err
		}
		after, err := s.ledger.look(ctx)
		if err != nil {
			return nil, err
		}
		if before.tip != after.tip || before.sequence != after.sequence {
			continue
		}
		if !found || !withMempool && !out.Confirmed || withMempool && spent {
			return nil, nil
		}
		return coinAnswer{
			BestBlock:     after.tip.Hash.String(),
			Confirmations: int64(out.Confirmations(after.tip.Height)),
			Value:         coins(out.Value),
			Script:        scriptAnswer{hex.EncodeToString(out.Script)},
			Coinbase:      out.Coinbase,
		}, nil
	}
}

type prevout struct {
	Txid string `json:"txid"`
	Vout int64  `json:"vout"`
}

type spendAnswer struct {
	prevout
	SpendingTxid string `json:"spendingtxid,omitempty"`
	BlockHash    string `json:"blockhash,omitempty"`
}

func (s *Server) getTxSpendingPrevout(ctx context.Context, params []json.RawMessage) (any, error) {
	asked, err := want[[]prevout](params, 0)
	if err != nil {
		return nil, err
	}
	if len(asked) == 0 {
		return nil, &rpcError{codeParameter, "Invalid parameter, outputs are missing"}
	}
	answers := []spendAnswer{}
	for _, p := range asked {
		txid, err := parseHash(p.Txid)
		if err != nil {
			return nil, err
		}
		if p.Vout < 0 || p.Vout > math.MaxInt32 {
			return nil, &rpcError{codeParameter, "Invalid parameter, vout is out of range"}
		}
		a := spendAnswer{prevout: p}
		spend, found, err := s.chain.Spend(ctx, wire.OutPoint{Hash: txid, Index: uint32(p.Vout)})
		if err != nil {
			return nil, err
		}
		if found && (!spend.Confirmed || s.options.Indexes) {
			a.SpendingTxid = spend.Tx.TxHash().String()
		}
		if found && spend.Confirmed && s.options.Indexes {
			a.BlockHash = spend.Block.Hash.String()
		}
		answers = append(answers, a)
	}
	return answers, nil
}

type txAnswer struct {
	Txid          string `json:"txid"`
	Wtxid         string `json:"hash"`
	Version       int32  `json:"version"`
	Size          int    `json:"size"`
	VSize         int64  `json:"vsize"`
	Weight        int64  `json:"weight"`
	LockTime      uint32 `json:"locktime"`
	Hex           string `json:"hex"`
	BlockHash     string `json:"blockhash,omitempty"`
	Confirmations uint32 `json:"confirmations,omitempty"`
}

func (s *Server) getRawTransaction(ctx context.Context, params []json.RawMessage) (any, error) {
	txid, err := wantHash(params, 0)
	if err != nil {
		return nil, err
	}
	verbosity, err := param(params, 1, 0)
	if err != nil {
		return nil, err
	}
	now, err := s.ledger.look(ctx)
	if err != nil {
		return nil, err
	}
	tx, found, err := s.chain.Transaction(ctx, txid)
	switch {
	case err != nil:
		return nil, err
	case !found && s.options.Indexes:
		return nil, &rpcError{codeNotFound, "No such mempool or blockchain transaction. Use gettransaction for wallet transactions."}
	case !found || tx.Confirmed && !s.options.Indexes:
		return nil, &rpcError{codeNotFound, "No such mempool transaction. Use -txindex or provide a block hash to enable blockchain transaction queries. Use gettransaction for wallet transactions."}
	case verbosity == 0:
		return txHex(tx.Tx), nil
	}
	weight := weight(tx.Tx)
	a := txAnswer{Txid: txid.String(), Wtxid: tx.Tx.WitnessHash().String(), Version: tx.Tx.Version, Size: tx.Tx.SerializeSize(),
		VSize: (weight + 3) / 4, Weight: weight, LockTime: tx.Tx.LockTime, Hex: txHex(tx.Tx)}
	if tx.Confirmed {
		a.BlockHash, a.Confirmations = tx.Block.Hash.String(), tx.Confirmations(now.tip.Height)
	}
	return a, nil
}

func weight(tx *wire.MsgTx) int64 { return blockchain.GetTransactionWeight(btcutil.NewTx(tx)) }

func (s *Server) getRawMempool(ctx context.Context, params []json.RawMessage) (any, error) {
	verbose, err := param(params, 0, false)
	if err != nil {
		return nil, err
	}
	counted, err := param(params, 1, false)
	if err != nil {
		return nil, err
	}
	if verbose {
		return nil, &rpcError{codeParameter, "only the ids are served"}
	}
	now, err := s.ledger.look(ctx)
	if err != nil {
		return nil, err
	}
	ids := []string{}
	for _, tx := range s.chain.Mempool() {
		ids = append(ids, tx.TxHash().String())
	}
	if !counted {
		return ids, nil
	}
	return map[string]any{"txids": ids, "mempool_sequence": now.sequence}, nil
}

// inMempool tells whether the mempool has a transaction with this id.
func (s *Server) inMempool(ctx context.Context, txid chainhash.Hash) (bool, error) {
	tx, found, err := s.chain.Transaction(ctx, txid)
	return found && !tx.Confirmed, err
}

func (s *Server) sendRawTransaction(ctx context.Context, params []json.RawMessage) (any, error) {
	text, err := want[string](params, 0)
	if err != nil {
		return nil, err
	}
	tx, err := parseTx(text)
	if err != nil {
		return nil, err
	}
	txid := tx.TxHash()
	// Bitcoin Core sends out again what is in the mempool under this id, whatever the witnesses are.
	if there, err := s.inMempool(ctx, txid); err != nil || there {
		return txid.String(), err
	}
	verdict, err := s.chain.SubmitVerdict(ctx, tx)
	switch {
	case err != nil:
		return nil, err
	case verdict.Accepted:
		return txid.String(), nil
	case verdict.Message == chain.ReasonAlreadyKnown:
		return nil, &rpcError{codeAlreadyKnown, "Transaction outputs already in utxo set"}
	case verdict.Message == chain.ReasonMissingInputs:
		return nil, &rpcError{codeVerify, verdict.Errors[0].Text}
	default:
		return nil, &rpcError{codeRejected, verdict.Errors[0].Text}
	}
}

type packageAnswer struct {
	Message  string                   `json:"package_msg"`
	Results  map[string]packageResult `json:"tx-results"`
	Replaced []string                 `json:"replaced-transactions"`
}

type packageResult struct {
	Txid  string `json:"txid"`
	VSize int64  `json:"vsize,omitempty"`
	Error string `json:"error,omitempty"`
}

func (s *Server) submitPackage(ctx context.Context, params []json.RawMessage) (any, error) {
	texts, err := want[[]string](params, 0)
	if err != nil {
		return nil, err
	}
	if len(texts) == 0 || len(texts) > maxPackage {
		return nil, &rpcError{codeParameter, fmt.Sprintf("Array must contain between 1 and %d transactions.", maxPackage)}
	}
	txs, err := parseTxs(texts)
	if err != nil {
		return nil, err
	}
	verdict, err := s.chain.SubmitVerdict(ctx, txs...)
	if err != nil {
		return nil, err
	}
	return asPackage(txs, verdict)
}

// asPackage writes a verdict as submitpackage does.
func asPackage(txs []*wire.MsgTx, verdict policy.Verdict) (any, error) {
	validated := len(verdict.Errors) > 0 || verdict.Accepted
	if !validated && verdict.Rule() == policy.PackageTopology && !named(verdict.Message) {
		return nil, &rpcError{codeVerify, verdict.Message}
	}
	a := packageAnswer{Message: verdict.Message, Results: make(map[string]packageResult), Replaced: []string{}}
	switch {
	case len(txs) == 1 && verdict.Accepted, verdict.Message == chain.ReasonInMempool:
		a.Message, verdict.Errors = "success", nil
	case len(txs) == 1:
		a.Message = "transaction failed"
	}
	for i, tx := range txs {
		r := packageResult{Txid: tx.TxHash().String()}
		for _, e := range verdict.Errors {
			if e.Index == i {
				r.Error = e.Text
			}
		}
		switch {
		case !validated:
			r.Error = "package-not-validated"
		case r.Error == "":
			r.VSize = (weight(tx) + 3) / 4
		}
		a.Results[tx.WitnessHash().String()] = r
	}
	for _, txid := range verdict.Replaced {
		a.Replaced = append(a.Replaced, txid.String())
	}
	return a, nil
}

// named tells a broken rule on packages that is the message of an answer from one that is an error of the call.
func named(message string) bool {
	switch message {
	case "package-contains-duplicates", "conflict-in-package", "package-too-many-transactions":
		return true
	default:
		return false
	}
}
