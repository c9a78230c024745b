package factory

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
)

// keySpend is the BIP-341 signature hash of the only input of tx, spent
// by key path with sighash type default and no annex.
func keySpend(tx *wire.MsgTx, prev wire.TxOut) [32]byte {
	in := tx.TxIn[0]
	var message bytes.Buffer
	message.Write([]byte{0, byte(txscript.SigHashDefault)}) // epoch, type
	putUint32(&message, uint32(tx.Version))
	putUint32(&message, tx.LockTime)
	writeHash(&message, outpointBytes(in.PreviousOutPoint))
	writeHash(&message, amountBytes(prev.Value))
	writeHash(&message, scriptBytes(prev.PkScript))
	writeHash(&message, uint32Bytes(in.Sequence))
	writeHash(&message, outputBytes(tx.TxOut))
	message.WriteByte(0) // key path, no annex
	putUint32(&message, 0)

	return *chainhash.TaggedHash(chainhash.TagTapSighash, message.Bytes())
}

// channelSpend is the BIP-143 signature hash of the only input of tx, sighash
// type all.
func channelSpend(tx *wire.MsgTx, value int64, witnessScript []byte) [32]byte {
	in := tx.TxIn[0]
	var message bytes.Buffer
	putUint32(&message, uint32(tx.Version))
	writeDouble(&message, outpointBytes(in.PreviousOutPoint))
	writeDouble(&message, uint32Bytes(in.Sequence))
	message.Write(outpointBytes(in.PreviousOutPoint))
	message.Write(scriptBytes(witnessScript))
	message.Write(amountBytes(value))
	putUint32(&message, in.Sequence)
	writeDouble(&message, outputBytes(tx.TxOut))
	putUint32(&message, tx.LockTime)
	putUint32(&message, uint32(txscript.SigHashAll))

	return chainhash.DoubleHashH(message.Bytes())
}

func uint32Bytes(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }

func amountBytes(v int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(v)) }

func outpointBytes(o wire.OutPoint) []byte {
	return binary.LittleEndian.AppendUint32(append([]byte(nil), o.Hash[:]...), o.Index)
}

// scriptBytes prefixes a script with its length as a compact size.
func scriptBytes(script []byte) []byte {
	var b bytes.Buffer
	// A bytes.Buffer does not fail.
	_ = wire.WriteVarBytes(&b, 0, script)

	return b.Bytes()
}

func outputBytes(outputs []*wire.TxOut) []byte {
	var b bytes.Buffer
	for _, out := range outputs {
		_ = wire.WriteTxOut(&b, 0, 0, out)
	}

	return b.Bytes()
}

func putUint32(b *bytes.Buffer, v uint32) { b.Write(uint32Bytes(v)) }

func writeHash(b *bytes.Buffer, part []byte) {
	hash := sha256.Sum256(part)
	b.Write(hash[:])
}

func writeDouble(b *bytes.Buffer, part []byte) { b.Write(chainhash.DoubleHashB(part)) }
