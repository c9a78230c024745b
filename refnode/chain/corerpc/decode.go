package corerpc

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"strings"
	"time"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
)

// maxNumber is the longest amount that is read, in characters; "20999999.97690000" has 17.
const maxNumber = 24

func parseHash(call, field, text string) (chainhash.Hash, error) {
	if len(text) != chainhash.MaxHashStringSize {
		return chainhash.Hash{}, malformed(call, "%s %q is not a hash", field, quote(text))
	}
	hash, err := chainhash.NewHashFromStr(text)
	if err != nil {
		return chainhash.Hash{}, malformed(call, "%s %q is not a hash", field, quote(text))
	}
	return *hash, nil
}

// parseAmount reads an amount in coins, exactly, and checks its range.
func parseAmount(call, field string, number json.Number) (btcutil.Amount, error) {
	text := number.String()
	_, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	if len(text) > maxNumber || len(exponent) > 3 || strings.Trim(text, "0123456789.eE+-") != "" {
		return 0, malformed(call, "%s %q is not an amount", field, quote(text))
	}
	coins, ok := new(big.Rat).SetString(text)
	if !ok {
		return 0, malformed(call, "%s %q is not an amount", field, quote(text))
	}
	sat := coins.Mul(coins, big.NewRat(btcutil.SatoshiPerBitcoin, 1))
	if !sat.IsInt() {
		return 0, malformed(call, "%s %q is not a whole number of satoshi", field, quote(text))
	}
	if sat.Sign() < 0 || sat.Num().Cmp(big.NewInt(btcutil.MaxSatoshi)) > 0 {
		return 0, contradiction(call, "%s %q is out of range", field, quote(text))
	}
	return btcutil.Amount(sat.Num().Int64()), nil
}

// parseTx reads a transaction that must have the given id.
func parseTx(call, text string, txid chainhash.Hash) (*wire.MsgTx, error) {
	raw, err := hex.DecodeString(text)
	if err != nil {
		return nil, malformed(call, "transaction %v is not hex", txid)
	}
	tx, reader := new(wire.MsgTx), bytes.NewReader(raw)
	if err := tx.Deserialize(reader); err != nil || reader.Len() > 0 {
		return nil, malformed(call, "transaction %v cannot be read to its end", txid)
	}
	if got := tx.TxHash(); got != txid {
		return nil, contradiction(call, "transaction %v, asked was %v", got, txid)
	}
	if err := blockchain.CheckTransactionSanity(btcutil.NewTx(tx)); err != nil {
		return nil, &CallError{Call: call, Kind: ErrContradiction, Detail: "transaction " + txid.String(), Err: err}
	}
	return tx, nil
}

// parseBlock reads a block that must have the given hash, and checks everything about it that needs no other block.
func parseBlock(call, text string, hash chainhash.Hash, params *chaincfg.Params) (*wire.MsgBlock, error) {
	raw, err := hex.DecodeString(text)
	if err != nil {
		return nil, malformed(call, "block %v is not hex", hash)
	}
	msg, reader := new(wire.MsgBlock), bytes.NewReader(raw)
	if err := msg.Deserialize(reader); err != nil || reader.Len() > 0 {
		return nil, malformed(call, "block %v cannot be read to its end", hash)
	}
	if got := msg.BlockHash(); got != hash {
		return nil, contradiction(call, "block %v, asked was %v", got, hash)
	}
	block := btcutil.NewBlock(msg)
	err = blockchain.CheckBlockSanity(block, powLimit(params), blockTime{msg.Header.Timestamp})
	if err == nil {
		err = blockchain.ValidateWitnessCommitment(block)
	}
	if err != nil {
		return nil, &CallError{Call: call, Kind: ErrContradiction, Detail: "block " + hash.String(), Err: err}
	}
	return msg, nil
}

// powLimit is the easiest target a block may have. That of regtest is the easiest of all chains.
func powLimit(params *chaincfg.Params) *big.Int {
	if params == nil {
		params = &chaincfg.RegressionNetParams
	}
	return params.PowLimit
}

// blockTime answers the one question of the sanity check that has to do with a clock as if the block were made now: whether a
// timestamp lies too far ahead is for the node to judge.
type blockTime struct{ now time.Time }

func (b blockTime) AdjustedTime() time.Time         { return b.now }
func (b blockTime) AddTimeSample(string, time.Time) {}
func (b blockTime) Offset() time.Duration           { return 0 }
