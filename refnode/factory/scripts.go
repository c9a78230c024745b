package factory

import (
	"bytes"
	"crypto/sha256"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript"

	"superscalar/refnode/musig"
	"superscalar/wire/rule"
)

// AnchorScript returns P2A, OP_1 <0x4e73>: the script of the last output of
// every transaction (SCRIPT-004, BIP-433).
func AnchorScript() []byte { return []byte{txscript.OP_1, 2, 0x4e, 0x73} }

// taprootScript returns OP_1 <key>.
func taprootScript(key [32]byte) []byte {
	return append([]byte{txscript.OP_1, txscript.OP_DATA_32}, key[:]...)
}

// payoutScript pays a client's payout key, which is an output key as it stands
// (SCRIPT-005).
func payoutScript(key [32]byte, rules rule.Set) []byte {
	if rules.On(rule.SCRIPT005) {
		return taprootScript(key)
	}
	if internal, err := schnorr.ParsePubKey(key[:]); err == nil {
		key = [32]byte(schnorr.SerializePubKey(txscript.ComputeTaprootKeyNoScript(internal)))
	}

	return taprootScript(key) // a mutant's
}

// stockScript is the script path of a stock output: <L> OP_CHECKSIGVERIFY
// <stock_csv> OP_CHECKSEQUENCEVERIFY (SCRIPT-002).
func stockScript(lsp [32]byte, stockCSV uint16) []byte {
	script := append([]byte{txscript.OP_DATA_32}, lsp[:]...)
	script = append(script, txscript.OP_CHECKSIGVERIFY)
	script = append(script, pushNumber(stockCSV)...)

	return append(script, txscript.OP_CHECKSEQUENCEVERIFY)
}

// pushNumber pushes a number as scripts must: in the shortest form.
func pushNumber(n uint16) []byte {
	switch {
	case n == 0:
		return []byte{txscript.OP_0}
	case n <= 16:
		return []byte{txscript.OP_1 + byte(n) - 1}
	case n < 0x80:
		return []byte{1, byte(n)}
	case n < 0x8000:
		return []byte{2, byte(n), byte(n >> 8)}
	}

	return []byte{3, byte(n), byte(n >> 8), 0}
}

// leafHash is the merkle root of a script path with one leaf (BIP-341).
func leafHash(script []byte) [32]byte {
	return txscript.NewBaseTapLeaf(script).TapHash()
}

// StockClaim returns what the LSP needs to claim an unsold stock of the group
// after stock_csv blocks: the leaf script and its control block (SCRIPT-002).
func (f *Factory) StockClaim(group Range) (script, control []byte, err error) {
	key, err := f.keys.stock(group)
	if err != nil {
		return nil, nil, err
	}
	internal, plain := key.InternalKey(), key.PlainKey()
	control = append([]byte{byte(txscript.BaseLeafVersion) | plain[0]&1}, internal[:]...)

	return stockScript(f.terms.LSP.XOnly(), f.terms.Params.StockCSV), control, nil
}

// Channel is the funding output of a channel (SCRIPT-003). Those who are not a
// party to it know the script alone.
type Channel struct {
	// Script is the P2WSH script of BOLT 3.
	Script [34]byte

	// Keys are both funding keys, compressed, the smaller one first.
	Keys [2][33]byte

	// Known reports whether Keys are set.
	Known bool
}

// NewChannel returns the output over two funding keys, in any order.
func NewChannel(a, b [33]byte) (Channel, error) {
	for _, key := range [][33]byte{a, b} {
		if _, err := musig.ParseKey(key[:]); err != nil {
			return Channel{}, wrong(rule.SCRIPT003, "channel key", err)
		}
	}
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	c := Channel{Keys: [2][33]byte{a, b}, Known: true}
	hash := sha256.Sum256(c.WitnessScript())
	c.Script = [34]byte(append([]byte{txscript.OP_0, txscript.OP_DATA_32}, hash[:]...))

	return c, nil
}

// ChannelFromScript returns a channel of which only the script is known. It
// refuses what is not P2WSH.
func ChannelFromScript(script []byte) (Channel, error) {
	if len(script) != 34 || script[0] != txscript.OP_0 || script[1] != txscript.OP_DATA_32 {
		return Channel{}, malformed(rule.SCRIPT003, "channel script", "%x is not P2WSH", script)
	}

	return Channel{Script: [34]byte(script)}, nil
}

// Public returns the channel as others see it, without keys.
func (c Channel) Public() Channel { return Channel{Script: c.Script} }

// WitnessScript returns OP_2 <key> <key> OP_2 OP_CHECKMULTISIG (BOLT 3), nil
// when the keys are not known.
func (c Channel) WitnessScript() []byte {
	if !c.Known {
		return nil
	}
	script := append([]byte{txscript.OP_2, txscript.OP_DATA_33}, c.Keys[0][:]...)
	script = append(append(script, txscript.OP_DATA_33), c.Keys[1][:]...)

	return append(script, txscript.OP_2, txscript.OP_CHECKMULTISIG)
}

// nodeScript returns the script of an output that a transaction over r spends.
func nodeScript(key *musig.KeyAgg) []byte { return taprootScript(key.OutputKey()) }
