package policy

import (
	"bytes"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire"
	wire2 "github.com/btcsuite/btcd/wire/v2"

	"superscalar/refnode/chain"
)

const (
	coinbaseMaturity = 100
	lockTimeBorder   = 500_000_000
	sigOpFactor      = 4
	sigOpWeight      = 20

	maxWitnessScript   = 3_600
	maxWitnessItems    = 100
	maxWitnessItemSize = 80
	annexTag           = 0x50
	leafTapscript      = 0xc0
)

// checkLockTime asks whether nLockTime allows the next block.
func (p *Pool) checkLockTime(tx *wire.MsgTx) *failure {
	if !p.rules.Has(LockTime) || tx.LockTime == 0 {
		return nil
	}
	tip := p.view.Height()
	reached := int64(tip) + 1
	if tx.LockTime >= lockTimeBorder {
		reached = p.view.MedianTime(tip).Unix()
	}
	if int64(tx.LockTime) < reached {
		return nil
	}
	for _, in := range tx.TxIn {
		if in.Sequence != wire.MaxTxInSequenceNum {
			return refuse(LockTime, chain.ReasonNonFinal, "")
		}
	}
	return nil
}

// checkRelativeLocks asks whether every nSequence allows the next block (BIP 68).
func (p *Pool) checkRelativeLocks(tx *wire.MsgTx, coins []Coin) *failure {
	if !p.rules.Has(RelativeLock) || tx.Version < 2 {
		return nil
	}
	tip := p.view.Height()
	for i, in := range tx.TxIn {
		if in.Sequence&wire.SequenceLockTimeDisabled != 0 {
			continue
		}
		blocks := in.Sequence & wire.SequenceLockTimeMask
		if in.Sequence&wire.SequenceLockTimeIsSeconds == 0 {
			if int64(coins[i].Height)+int64(blocks) > int64(tip)+1 {
				return refuse(RelativeLock, chain.ReasonNonBIP68Final, "")
			}
			continue
		}
		since := p.view.MedianTime(max(coins[i].Height, 1) - 1)
		if since.Add(time.Duration(blocks) << wire.SequenceLockTimeGranularity * time.Second).After(p.view.MedianTime(tip)) {
			return refuse(RelativeLock, chain.ReasonNonBIP68Final, "")
		}
	}
	return nil
}

// feeOf checks maturity and amounts and returns the fee.
func (p *Pool) feeOf(tx *wire.MsgTx, coins []Coin) (btcutil.Amount, *failure) {
	next := p.view.Height() + 1
	var in, out btcutil.Amount
	for _, c := range coins {
		if p.rules.Has(CoinbaseMaturity) && c.Coinbase && next < c.Height+coinbaseMaturity {
			return 0, refuse(CoinbaseMaturity, chain.ReasonImmatureCoinbase,
				"tried to spend coinbase at depth %d", next-c.Height)
		}
		in += c.Value
	}
	for _, o := range tx.TxOut {
		out += btcutil.Amount(o.Value)
	}
	if p.rules.Has(Amounts) && in < out {
		return 0, refuse(Amounts, "bad-txns-in-belowout", "value in (%s) < value out (%s)", money(in), money(out))
	}
	return in - out, nil
}

// checkInputScripts holds the rules on what may be spent and with what kind of witness, short of running scripts.
func (p *Pool) checkInputScripts(tx *wire.MsgTx, coins []Coin) *failure {
	for i, c := range coins {
		if p.rules.Has(InputScript) && !c.missing() && !isStandardInput(tx.TxIn[i].SignatureScript, c.Script) {
			return refuse(InputScript, "bad-txns-nonstandard-inputs", "input %d", i)
		}
	}
	for i, c := range coins {
		witness := tx.TxIn[i].Witness
		if len(witness) == 0 || c.missing() {
			continue
		}
		if txscript.IsPayToAnchorScript(c.Script) {
			if p.rules.Has(AnchorWitness) {
				return refuse(AnchorWitness, "bad-witness-nonstandard", "input %d", i)
			}
			continue
		}
		if p.rules.Has(Witness) && !isStandardWitness(witness, tx.TxIn[i].SignatureScript, c.Script) {
			return refuse(Witness, "bad-witness-nonstandard", "input %d", i)
		}
	}
	return nil
}

func isStandardInput(scriptSig, script []byte) bool {
	switch txscript.GetScriptClass(script) {
	case txscript.NonStandardTy, txscript.WitnessUnknownTy, txscript.NullDataTy:
		return false
	case txscript.ScriptHashTy:
		_, ok := lastPush(scriptSig)
		return ok && txscript.GetPreciseSigOpCount(scriptSig, script, true) <= maxP2SHSigOps
	default:
		return true
	}
}

// lastPush is the redeem script of a P2SH input.
func lastPush(scriptSig []byte) ([]byte, bool) {
	var last []byte
	tokens := txscript.MakeScriptTokenizer(0, scriptSig)
	for tokens.Next() {
		last = tokens.Data()
	}
	return last, tokens.Err() == nil && last != nil
}

func isStandardWitness(witness wire.TxWitness, scriptSig, script []byte) bool {
	nested := txscript.IsPayToScriptHash(script)
	if nested {
		redeem, ok := lastPush(scriptSig)
		if !ok {
			return false
		}
		script = redeem
	}
	version, program, err := txscript.ExtractWitnessProgramInfo(script)
	switch {
	case err != nil:
		return false
	case version == 0 && len(program) == 32:
		items := witness[:len(witness)-1]
		return len(witness[len(items)]) <= maxWitnessScript && len(items) <= maxWitnessItems && shortItems(items)
	case version == 1 && len(program) == 32 && !nested:
		return isStandardTaprootWitness(witness)
	default:
		return true
	}
}

func isStandardTaprootWitness(witness wire.TxWitness) bool {
	last := witness[len(witness)-1]
	if len(witness) == 1 {
		return true
	}
	if len(last) > 0 && last[0] == annexTag {
		return false
	}
	if len(last) == 0 {
		return false
	}
	return last[0]&0xfe != leafTapscript || shortItems(witness[:len(witness)-2])
}

func shortItems(items wire.TxWitness) bool {
	for _, item := range items {
		if len(item) > maxWitnessItemSize {
			return false
		}
	}
	return true
}

// sigOpCost counts signature operations as block validation does: times 4 outside of witnesses.
func sigOpCost(tx *wire.MsgTx, coins []Coin) int64 {
	cost := 0
	for _, out := range tx.TxOut {
		cost += sigOpFactor * txscript.GetSigOpCount(out.PkScript)
	}
	for i, in := range tx.TxIn {
		cost += sigOpFactor * txscript.GetSigOpCount(in.SignatureScript)
		if txscript.IsPayToScriptHash(coins[i].Script) {
			cost += sigOpFactor * txscript.GetPreciseSigOpCount(in.SignatureScript, coins[i].Script, true)
		}
		cost += txscript.GetWitnessSigOpCount(in.SignatureScript, coins[i].Script, wire2.TxWitness(in.Witness))
	}
	return int64(cost)
}

// checkScripts runs every script under the standard flags. The engine is btcd's second version: the first does not know P2A.
func (p *Pool) checkScripts(tx *wire.MsgTx, coins []Coin) *failure {
	if !p.rules.Has(Script) {
		return nil
	}
	again, err := reencode(tx)
	if err != nil {
		return refuse(Script, chain.ReasonScript, "%v", err)
	}
	previous := make(map[wire2.OutPoint]*wire2.TxOut, len(coins))
	for i, in := range again.TxIn {
		previous[in.PreviousOutPoint] = &wire2.TxOut{Value: int64(coins[i].Value), PkScript: coins[i].Script}
	}
	fetcher := txscript.NewMultiPrevOutFetcher(previous)
	hashes := txscript.NewTxSigHashes(again, fetcher)
	for i, c := range coins {
		if c.missing() {
			continue
		}
		engine, err := txscript.NewEngine(c.Script, again, i, txscript.StandardVerifyFlags, nil, hashes, int64(c.Value), fetcher)
		if err == nil {
			err = engine.Execute()
		}
		if err != nil {
			return refuse(Script, chain.ReasonScript, "input %d: %v", i, err)
		}
	}
	return nil
}

// missing marks the stand-in for a coin that does not exist, which can only be there when MissingInputs is switched off.
func (c Coin) missing() bool { return c.Script == nil }

// reencode turns a transaction into the type of the second wire package.
func reencode(tx *wire.MsgTx) (*wire2.MsgTx, error) {
	var buffer bytes.Buffer
	if err := tx.Serialize(&buffer); err != nil {
		return nil, fmt.Errorf("encode transaction %v: %w", tx.TxHash(), err)
	}
	again := new(wire2.MsgTx)
	if err := again.Deserialize(&buffer); err != nil {
		return nil, fmt.Errorf("decode transaction %v: %w", tx.TxHash(), err)
	}
	return again, nil
}
