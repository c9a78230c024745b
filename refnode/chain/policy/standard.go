package policy

import (
	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

const (
	maxVersion       = 3
	maxWeight        = 400_000
	maxScriptSig     = 1_650
	maxDataCarrier   = 100_000
	maxBareMultiSig  = 3
	minStrippedBytes = 65
	maxSigOpCost     = 16_000
	maxP2SHSigOps    = 15
	maxDustOutputs   = 1
	trucVersion      = 3
)

// checkSanity holds the consensus rules that need nothing but the transaction.
func (p *Pool) checkSanity(tx *wire.MsgTx) *failure {
	if !p.rules.Has(Sanity) {
		return nil
	}
	if blockchain.IsCoinBaseTx(tx) {
		return refuse(Sanity, "coinbase", "")
	}
	if err := blockchain.CheckTransactionSanity(btcutil.NewTx(tx)); err != nil {
		return refuse(Sanity, "bad-txns", "%v", err)
	}
	return nil
}

// checkStandard holds the rules on the form of a transaction.
func (p *Pool) checkStandard(tx *wire.MsgTx, weight int64) *failure {
	if p.rules.Has(Version) && (tx.Version < 1 || tx.Version > maxVersion) {
		return refuse(Version, "version", "")
	}
	if p.rules.Has(Weight) && weight > maxWeight {
		return refuse(Weight, "tx-size", "")
	}
	if f := p.checkScriptSigs(tx); f != nil {
		return f
	}
	if f := p.checkOutputScripts(tx); f != nil {
		return f
	}
	if p.rules.Has(DustCount) && len(dustOutputs(tx)) > maxDustOutputs {
		return refuse(DustCount, chain.ReasonDust, "")
	}
	if p.rules.Has(MinimumSize) && tx.SerializeSizeStripped() < minStrippedBytes {
		return refuse(MinimumSize, "tx-size-small", "")
	}
	return nil
}

func (p *Pool) checkScriptSigs(tx *wire.MsgTx) *failure {
	if !p.rules.Has(ScriptSig) {
		return nil
	}
	for _, in := range tx.TxIn {
		if len(in.SignatureScript) > maxScriptSig {
			return refuse(ScriptSig, "scriptsig-size", "")
		}
		if !txscript.IsPushOnlyScript(in.SignatureScript) {
			return refuse(ScriptSig, "scriptsig-not-pushonly", "")
		}
	}
	return nil
}

func (p *Pool) checkOutputScripts(tx *wire.MsgTx) *failure {
	if !p.rules.Has(OutputScript) {
		return nil
	}
	data := 0
	for _, out := range tx.TxOut {
		switch {
		case isDataCarrier(out.PkScript):
			data += len(out.PkScript)
		case !isStandardOutput(out.PkScript):
			return refuse(OutputScript, "scriptpubkey", "")
		}
	}
	if data > maxDataCarrier {
		return refuse(OutputScript, "datacarrier", "")
	}
	return nil
}

// isDataCarrier recognises OP_RETURN followed by pushes. txscript has a narrower idea, from before Bitcoin Core 30.
func isDataCarrier(script []byte) bool {
	return len(script) > 0 && script[0] == txscript.OP_RETURN && txscript.IsPushOnlyScript(script[1:])
}

func isStandardOutput(script []byte) bool {
	switch txscript.GetScriptClass(script) {
	case txscript.NonStandardTy, txscript.NullDataTy:
		return false
	case txscript.MultiSigTy:
		keys, need, err := txscript.CalcMultiSigStats(script)
		return err == nil && keys >= 1 && keys <= maxBareMultiSig && need >= 1 && need <= keys
	default:
		return true
	}
}

// dustOutputs lists the outputs below the dust limit.
func dustOutputs(tx *wire.MsgTx) []uint32 {
	var dust []uint32
	for i, out := range tx.TxOut {
		if btcutil.Amount(out.Value) < DustLimit(out.PkScript) {
			dust = append(dust, uint32(i))
		}
	}
	return dust
}

// DustLimit is the least amount in sat that does not make an output with this script dust: 330 for taproot, 240 for P2A, 0 for
// scripts that nobody can spend. It is the fee, at 3 sat per virtual byte, for the output and a typical input that spends it.
func DustLimit(script []byte) btcutil.Amount {
	if len(script) > 0 && script[0] == txscript.OP_RETURN || len(script) > txscript.MaxScriptSize {
		return 0
	}
	input := int64(32 + 4 + 1 + 107 + 4)
	if txscript.IsWitnessProgram(script) {
		input = 32 + 4 + 1 + 107/4 + 4
	}
	out := wire.TxOut{PkScript: script}
	return dustRate.fee(int64(out.SerializeSize()) + input)
}
