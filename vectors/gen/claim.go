package gen

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/factory"
	"superscalar/vectors"
	"superscalar/wire/rule"
)

// wrongPart compares a claim with the transaction of its name: "" when they
// are the same, else the first part that differs.
func wrongPart(c *vectors.Claim, list []named) (string, error) {
	var claimed btcwire.MsgTx
	if err := claimed.DeserializeNoWitness(bytes.NewReader(c.Bytes)); err != nil {
		return "", fmt.Errorf("claim: %w", err)
	}
	i := slices.IndexFunc(list, func(n named) bool { return n.name == c.Name })
	if i < 0 {
		return "name", nil
	}
	right := list[i].tx.Msg
	switch {
	case bytes.Equal(serialized(list[i].tx), c.Bytes):
		return "", nil
	case claimed.Version != right.Version:
		return "version", nil
	case len(claimed.TxIn) != 1 || claimed.TxIn[0].PreviousOutPoint != right.TxIn[0].PreviousOutPoint:
		return "outpoint", nil
	case claimed.TxIn[0].Sequence != right.TxIn[0].Sequence:
		return "nSequence", nil
	case claimed.LockTime != right.LockTime:
		return "nLockTime", nil
	}
	return "outputs", nil
}

// alteration changes one thing about a transaction.
type alteration struct {
	what  string // for the vector's name
	claim string // name of the transaction
	field string
	rule  rule.ID
	alter func(*btcwire.MsgTx)
}

// altered returns the claim of an alteration.
func (a alteration) altered(list []named) (*vectors.Claim, error) {
	if a.field == "name" { // it is none of them, whatever it says
		return &vectors.Claim{Name: a.claim, Bytes: serialized(someTransaction())}, nil
	}
	i := slices.IndexFunc(list, func(n named) bool { return n.name == a.claim })
	if i < 0 {
		return nil, fmt.Errorf("no transaction %q to alter", a.claim)
	}
	msg := list[i].tx.Msg.Copy()
	a.alter(msg)
	var b bytes.Buffer
	_ = msg.SerializeNoWitness(&b) // a bytes.Buffer does not fail
	return &vectors.Claim{Name: a.claim, Bytes: b.Bytes()}, nil
}

// The alterations.

func version2(m *btcwire.MsgTx) { m.Version = 2 }

func sequence(v uint32) func(*btcwire.MsgTx) {
	return func(m *btcwire.MsgTx) { m.TxIn[0].Sequence = v }
}

func lockTime(v uint32) func(*btcwire.MsgTx) {
	return func(m *btcwire.MsgTx) { m.LockTime = v }
}

func lockTimeBy(d int) func(*btcwire.MsgTx) {
	return func(m *btcwire.MsgTx) { m.LockTime = uint32(int(m.LockTime) + d) }
}

// pays changes output i by d sat.
func pays(i int, d int64) func(*btcwire.MsgTx) {
	return func(m *btcwire.MsgTx) { m.TxOut[i].Value += d }
}

// moves takes v sat from output i to output j.
func moves(v int64, i, j int) func(*btcwire.MsgTx) {
	return func(m *btcwire.MsgTx) {
		m.TxOut[i].Value -= v
		m.TxOut[j].Value += v
	}
}

func swaps(i, j int) func(*btcwire.MsgTx) {
	return func(m *btcwire.MsgTx) { m.TxOut[i], m.TxOut[j] = m.TxOut[j], m.TxOut[i] }
}

func withoutAnchor(m *btcwire.MsgTx) { m.TxOut = m.TxOut[:len(m.TxOut)-1] }

func anchorFirst(m *btcwire.MsgTx) {
	last := len(m.TxOut) - 1
	m.TxOut = append([]*btcwire.TxOut{m.TxOut[last]}, m.TxOut[:last]...)
}

// tweaks turns output i, which pays an output key, into one that takes it for
// an internal key.
func tweaks(i int) func(*btcwire.MsgTx) {
	return func(m *btcwire.MsgTx) {
		key, err := schnorr.ParsePubKey(m.TxOut[i].PkScript[2:])
		if err != nil {
			panic(fmt.Sprintf("a payout key of this package: %v", err))
		}
		m.TxOut[i].PkScript = taproot(schnorr.SerializePubKey(txscript.ComputeTaprootKeyNoScript(key)))
	}
}

// inserts puts an output before output i.
func inserts(i int, value int64, script []byte) func(*btcwire.MsgTx) {
	return func(m *btcwire.MsgTx) {
		m.TxOut = slices.Insert(m.TxOut, i, &btcwire.TxOut{Value: value, PkScript: script})
	}
}

// replaces sets the outputs before the anchor.
func replaces(outputs ...*btcwire.TxOut) func(*btcwire.MsgTx) {
	return func(m *btcwire.MsgTx) { m.TxOut = append(outputs, m.TxOut[len(m.TxOut)-1]) }
}

// spends sets the outpoint.
func spends(o btcwire.OutPoint) func(*btcwire.MsgTx) {
	return func(m *btcwire.MsgTx) { m.TxIn[0].PreviousOutPoint = o }
}

// someTransaction is a distribution of a factory of one client.
func someTransaction() *factory.Tx {
	t := termsOf(1, 1, "kickoff 1 / dw 1")
	tree, err := (runner{}).build(t, make([]byte, 32), 0)
	if err != nil {
		panic(fmt.Sprintf("terms of this package: %v", err))
	}
	root, _ := tree.Node(factory.NodeID{})
	return root.Distribution
}
