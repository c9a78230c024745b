package factory

import (
	"bytes"
	"slices"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/musig"
	"superscalar/wire/rule"
)

// TxKind is the kind of a transaction (sections 4.4 and 7.2).
type TxKind uint8

// The kinds. The first three are those of Kind.
const (
	KindStatic TxKind = iota
	KindKickoff
	KindState
	KindDistribution
	KindSale
	KindOmission
	KindPoison
)

var kindNames = []string{"static", "kickoff", "state", "distribution", "sale", "omission", "poison"}

// String returns the name of section 7.2.
func (k TxKind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}

	return "unknown"
}

// Spend says what kind of output a transaction spends, hence how it is signed.
type Spend uint8

// The kinds of output.
const (
	SpendTree    Spend = iota // SCRIPT-001: MuSig2 by the clients it covers and the LSP
	SpendStock                // SCRIPT-002: MuSig2 by the group and the LSP
	SpendChannel              // SCRIPT-003: ECDSA by one client and the LSP
)

const (
	txVersion        = 3
	finalSequence    = 0xffffffff
	lockTimeSequence = 0xfffffffe
)

// Tx is one transaction of a factory with what is needed to sign it.
type Tx struct {
	Kind TxKind

	// Node is the transaction of the tree that this one is, or whose
	// outpoint it spends; for stocks and channels it is their leaf.
	Node NodeID

	// Below is Node, but for a nested distribution (DIST-004) the
	// transaction whose participants own the outpoint.
	Below NodeID

	// Group and Sales say which stock output of the leaf, or of the sale a
	// channel was sold in, it spends: the group, and the number of sales
	// before that outpoint.
	Group, Sales uint8

	// Spends says what it spends, Signers which clients sign besides the
	// LSP.
	Spends  Spend
	Signers Range

	// Remaining is the counter of a state (section 4.5).
	Remaining uint8

	// Msg is the transaction without its witness. It must not be changed.
	Msg *wire.MsgTx

	// PrevOut is the output it spends, Sighash what is signed, Txid its id.
	PrevOut wire.TxOut
	Sighash [32]byte
	Txid    chainhash.Hash

	// Payees are the clients that its first outputs pay, in order, if it
	// pays clients.
	Payees []ClientIndex

	// Key is the output key with its signers, nil for SpendChannel.
	Key *musig.KeyAgg

	// Channel is what SpendChannel spends.
	Channel Channel
}

// Outpoint returns the outpoint it spends.
func (t *Tx) Outpoint() wire.OutPoint { return t.Msg.TxIn[0].PreviousOutPoint }

// Output returns the outpoint of its output i.
func (t *Tx) Output(i int) wire.OutPoint { return wire.OutPoint{Hash: t.Txid, Index: uint32(i)} }

// Anchor returns the outpoint of its P2A output, the last.
func (t *Tx) Anchor() wire.OutPoint { return t.Output(len(t.Msg.TxOut) - 1) }

// Sequence returns the nSequence of its input.
func (t *Tx) Sequence() uint32 { return t.Msg.TxIn[0].Sequence }

// Same reports whether both are the same transaction.
func (t *Tx) Same(other *Tx) bool { return t.Txid == other.Txid }

// Pays returns what the transaction pays a client, in sat.
func (t *Tx) Pays(c ClientIndex) Sat {
	i, found := slices.BinarySearch(t.Payees, c)
	if !found {
		return 0
	}

	return Sat(t.Msg.TxOut[i].Value)
}

// LSPIndex returns the position of the LSP among the signers of Key: the last.
func (t *Tx) LSPIndex() int { return int(t.Signers.Count) }

// SignerIndex returns the position of a client among the signers of Key, false
// when it does not sign.
func (t *Tx) SignerIndex(c ClientIndex) (int, bool) {
	return int(c) - int(t.Signers.First), t.Signers.Contains(c)
}

const (
	// keyWitness is [signature]: a count, a length and 64 bytes.
	keyWitness = 1 + 1 + 64

	// channelWitness is BOLT 3's funding witness with signatures of the
	// largest size that low S allows.
	channelWitness = 1 + 1 + 2*(1+72) + (1 + 71)
)

// Weight returns the weight of the signed transaction in weight units. ECDSA
// signatures vary in length: it counts the longest, 72 bytes with type.
func (t *Tx) Weight() int64 {
	witness := int64(keyWitness)
	if t.Spends == SpendChannel {
		witness = channelWitness
	}

	return 4*int64(t.Msg.SerializeSizeStripped()) + 2 + witness
}

// VSize returns the size of the signed transaction in vbytes, rounded up.
func (t *Tx) VSize() int64 { return (t.Weight() + 3) / 4 }

// Signed returns a copy of the transaction with a BIP-340 signature of 64
// bytes, for SpendTree and SpendStock.
func (t *Tx) Signed(signature [64]byte) *wire.MsgTx {
	signed := t.Msg.Copy()
	signed.TxIn[0].Witness = wire.TxWitness{bytes.Clone(signature[:])}

	return signed
}

// SignedChannel returns a copy of the transaction with BOLT 3's funding
// witness, for SpendChannel. The signatures are DER with sighash type, in the
// order of Channel.Keys.
func (t *Tx) SignedChannel(first, second []byte) (*wire.MsgTx, error) {
	if t.Spends != SpendChannel || !t.Channel.Known {
		return nil, mistake("witness", "%s does not spend a channel with known keys", t.Kind)
	}
	signed := t.Msg.Copy()
	signed.TxIn[0].Witness = wire.TxWitness{
		nil, bytes.Clone(first), bytes.Clone(second), t.Channel.WitnessScript(),
	}

	return signed, nil
}

// finish makes the transaction of section 4.4 out of its head and its outputs:
// it appends the P2A, checks that nothing is lost (TREE-021) and that it relays
// (TREE-015), and computes sighash and txid.
func (t *Tx) finish(outpoint wire.OutPoint, sequence, lockTime uint32, outputs []*wire.TxOut, rules rule.Set) error {
	var sum Sat
	for _, out := range outputs {
		sum += Sat(out.Value)
	}
	if err := check(rules, rule.TREE021, t.Kind.String(), sum != Sat(t.PrevOut.Value),
		"outputs of %d sat spend %d sat", sum, t.PrevOut.Value); err != nil {
		return err
	}
	if !rules.On(rule.TREE021) && len(outputs) > 0 && outputs[0].Value > 0 {
		outputs[0].Value-- // a mutant pays a fee
	}
	if rules.On(rule.SCRIPT004) {
		outputs = append(outputs, &wire.TxOut{PkScript: AnchorScript()})
	}
	t.Msg = &wire.MsgTx{
		Version:  txVersion,
		TxIn:     []*wire.TxIn{{PreviousOutPoint: outpoint, Sequence: sequence}},
		TxOut:    outputs,
		LockTime: lockTime,
	}
	if !rules.On(rule.TREE020) {
		t.Msg.Version = 2
	}
	if err := check(rules, rule.TREE015, t.Kind.String(), t.VSize() > MaxVBytes,
		"%d vB, at most %d", t.VSize(), MaxVBytes); err != nil {
		return err
	}
	if t.Spends == SpendChannel {
		t.Sighash = channelSpend(t.Msg, t.PrevOut.Value, t.Channel.WitnessScript())
	} else {
		t.Sighash = keySpend(t.Msg, t.PrevOut)
	}
	t.Txid = t.Msg.TxHash()

	return nil
}
