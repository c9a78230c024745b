package chainserver

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
)

// param reads the parameter at an index; one that is absent or null is the fallback.
func param[T any](params []json.RawMessage, index int, fallback T) (T, error) {
	if index >= len(params) || string(params[index]) == "null" {
		return fallback, nil
	}
	var value T
	if err := json.Unmarshal(params[index], &value); err != nil {
		return fallback, &rpcError{codeType, fmt.Sprintf("parameter %d: %v", index+1, err)}
	}
	return value, nil
}

// want reads a parameter that must be there.
func want[T any](params []json.RawMessage, index int) (T, error) {
	var zero T
	if index >= len(params) {
		return zero, &rpcError{codeMisc, fmt.Sprintf("parameter %d is missing", index+1)}
	}
	return param(params, index, zero)
}

func wantHash(params []json.RawMessage, index int) (chainhash.Hash, error) {
	text, err := want[string](params, index)
	if err != nil {
		return chainhash.Hash{}, err
	}
	return parseHash(text)
}

func parseHash(text string) (chainhash.Hash, error) {
	if len(text) != chainhash.MaxHashStringSize {
		return chainhash.Hash{}, &rpcError{codeParameter, fmt.Sprintf("hash must be of length %d (not %d)", chainhash.MaxHashStringSize, len(text))}
	}
	hash, err := chainhash.NewHashFromStr(text)
	if err != nil {
		return chainhash.Hash{}, &rpcError{codeParameter, "hash must be hexadecimal string"}
	}
	return *hash, nil
}

func parseTx(text string) (*wire.MsgTx, error) {
	raw, err := hex.DecodeString(text)
	tx, reader := new(wire.MsgTx), bytes.NewReader(raw)
	if err == nil {
		err = tx.Deserialize(reader)
	}
	if err != nil || reader.Len() > 0 {
		return nil, &rpcError{codeUndecodable, "TX decode failed. Make sure the tx has at least one input."}
	}
	return tx, nil
}

func parseTxs(texts []string) ([]*wire.MsgTx, error) {
	var txs []*wire.MsgTx
	for _, text := range texts {
		tx, err := parseTx(text)
		if err != nil {
			return nil, err
		}
		txs = append(txs, tx)
	}
	return txs, nil
}

func txHex(tx *wire.MsgTx) string {
	var raw bytes.Buffer
	_ = tx.Serialize(&raw) // a buffer takes everything
	return hex.EncodeToString(raw.Bytes())
}

func txHexes(txs []*wire.MsgTx) []string {
	list := []string{}
	for _, tx := range txs {
		list = append(list, txHex(tx))
	}
	return list
}
