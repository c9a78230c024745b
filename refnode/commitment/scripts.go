package commitment

import (
	"crypto/sha256"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/txscript"
	"github.com/lightningnetwork/lnd/input"
)

// payTo returns the P2WSH script over a witness script.
func payTo(witnessScript []byte) []byte {
	hash := sha256.Sum256(witnessScript)

	return append([]byte{txscript.OP_0, txscript.OP_DATA_32}, hash[:]...)
}

// payToKey returns the P2WPKH script of a key.
func payToKey(key *btcec.PublicKey) []byte {
	return append([]byte{txscript.OP_0, txscript.OP_DATA_20}, btcutil.Hash160(key.SerializeCompressed())...)
}

// script writes the scripts of BOLT 3. None of them is near the limits at
// which a ScriptBuilder fails.
type script struct{ *txscript.ScriptBuilder }

func newScript() script { return script{txscript.NewScriptBuilder()} }

func (s script) ops(ops ...byte) script {
	s.AddOps(ops)

	return s
}

func (s script) data(b []byte) script {
	s.AddData(b)

	return s
}

func (s script) key(k *btcec.PublicKey) script { return s.data(k.SerializeCompressed()) }

func (s script) number(n int64) script {
	s.AddInt64(n)

	return s
}

func (s script) bytes() []byte {
	b, _ := s.Script()

	return b
}

// delayedScript is that of to_local and of the output of an HTLC transaction:
// the owner after delay blocks, or the other side with the revocation key.
func delayedScript(k keySet, delay uint16) []byte {
	return newScript().
		ops(txscript.OP_IF).key(k.revocation).
		ops(txscript.OP_ELSE).number(int64(delay)).
		ops(txscript.OP_CHECKSEQUENCEVERIFY, txscript.OP_DROP).key(k.delayed).
		ops(txscript.OP_ENDIF, txscript.OP_CHECKSIG).bytes()
}

// remoteScript is that of to_remote with anchors.
func remoteScript(key *btcec.PublicKey) []byte {
	return newScript().key(key).
		ops(txscript.OP_CHECKSIGVERIFY, txscript.OP_1, txscript.OP_CHECKSEQUENCEVERIFY).bytes()
}

// anchorScript is that of an anchor: the funding key, or anyone 16 blocks
// later.
func anchorScript(funding *btcec.PublicKey) []byte {
	return newScript().key(funding).ops(txscript.OP_CHECKSIG, txscript.OP_IFDUP, txscript.OP_NOTIF,
		txscript.OP_16, txscript.OP_CHECKSEQUENCEVERIFY, txscript.OP_ENDIF).bytes()
}

// htlcScript is that of an HTLC output: offered by the owner of the commitment
// or received by it.
func htlcScript(t Type, k keySet, owner Side, h HTLC) []byte {
	s := newScript().
		ops(txscript.OP_DUP, txscript.OP_HASH160).data(btcutil.Hash160(k.revocation.SerializeCompressed())).
		ops(txscript.OP_EQUAL, txscript.OP_IF, txscript.OP_CHECKSIG, txscript.OP_ELSE).
		key(k.otherHTLC).ops(txscript.OP_SWAP, txscript.OP_SIZE).number(32).ops(txscript.OP_EQUAL)
	if h.OfferedBy == owner {
		s = s.ops(txscript.OP_NOTIF, txscript.OP_DROP).multisig(k).
			ops(txscript.OP_ELSE).preimage(h).
			ops(txscript.OP_CHECKSIG)
	} else {
		s = s.ops(txscript.OP_IF).preimage(h).multisig(k).
			ops(txscript.OP_ELSE, txscript.OP_DROP).number(int64(h.Expiry)).
			ops(txscript.OP_CHECKLOCKTIMEVERIFY, txscript.OP_DROP, txscript.OP_CHECKSIG)
	}
	s = s.ops(txscript.OP_ENDIF)
	if t == Anchors {
		s = s.ops(txscript.OP_1, txscript.OP_CHECKSEQUENCEVERIFY, txscript.OP_DROP)
	}

	return s.ops(txscript.OP_ENDIF).bytes()
}

// multisig asks for both HTLC keys: the way into the HTLC transaction.
func (s script) multisig(k keySet) script {
	return s.ops(txscript.OP_2, txscript.OP_SWAP).key(k.ownerHTLC).ops(txscript.OP_2, txscript.OP_CHECKMULTISIG)
}

// preimage asks for the preimage of the payment hash.
func (s script) preimage(h HTLC) script {
	return s.ops(txscript.OP_HASH160).data(input.Ripemd160H(h.Hash[:])).ops(txscript.OP_EQUALVERIFY)
}
