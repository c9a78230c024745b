package commitment

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/factory"
	"superscalar/wire/rule"
)

// OutputKind is the kind of an output of a commitment transaction, by the names
// of BOLT 3: local is the owner, remote the other side.
type OutputKind uint8

// The kinds.
const (
	ToLocal OutputKind = iota
	ToRemote
	LocalAnchor
	RemoteAnchor
	SharedAnchor
	OfferedHTLC
	ReceivedHTLC
)

var outputNames = [...]string{
	"to_local", "to_remote", "to_local_anchor", "to_remote_anchor", "shared_anchor", "offered HTLC", "received HTLC",
}

// String returns the name in BOLT 3.
func (k OutputKind) String() string {
	if int(k) < len(outputNames) {
		return outputNames[k]
	}

	return "unknown"
}

// Output says what an output of a commitment transaction is. HTLC is set for
// HTLC outputs alone, WitnessScript for P2WSH outputs.
type Output struct {
	Kind          OutputKind
	HTLC          *HTLC
	WitnessScript []byte

	tx *btcwire.TxOut
}

// Commitment is the commitment transaction of one side for one funding output.
type Commitment struct {
	Owner   Side
	Funding Funding
	State   State

	// Tx is the transaction without its witness. It must not be changed.
	Tx   *btcwire.MsgTx
	Txid chainhash.Hash

	// Outputs describe the outputs of Tx, in their order.
	Outputs []Output

	// HTLCs are the HTLC transactions in the order of their outputs, which
	// is that of htlc_signatures.
	HTLCs []*HTLCTx

	// Fee is what the transaction pays, in sat, trimmed amounts included.
	Fee Sat

	params Params
	point  *btcec.PublicKey
	keys   keySet
}

// Build returns the commitment transaction of the owner, whose per-commitment
// point of that number is given (CHAN-030; BOLT 3, "Commitment Transaction
// Construction"). A fee above the balance of the Opener takes all of it, as it
// does everywhere: package channel refuses that before, with Afford. The error
// is ErrState.
func (p *Params) Build(owner Side, f *Funding, s *State, point *btcec.PublicKey) (*Commitment, error) {
	if err := p.check(owner, f, s, point); err != nil {
		return nil, err
	}
	c := &Commitment{
		Owner: owner, Funding: *f, State: *s,
		params: *p, point: point, keys: p.keys(owner, point),
	}
	c.State.HTLCs = slices.Clone(s.HTLCs)
	c.Outputs = c.outputs()
	if p.Rules.On(rule.CHAN030) {
		slices.SortStableFunc(c.Outputs, compareOutputs) // a mutant leaves them as they come
	}
	c.Tx = c.transaction()
	c.Txid = c.Tx.TxHash()
	c.Fee = f.Value
	for _, out := range c.Outputs {
		c.Fee -= Sat(out.tx.Value)
	}
	if c.Fee < 0 {
		return nil, fmt.Errorf("the opener's %s do not pay for the anchors: %w", s.Balance[Opener], ErrState)
	}
	c.HTLCs = c.htlcTxs()

	return c, nil
}

// amounts are to_local and to_remote in sat, after the fee.
func (c *Commitment) amounts() (local, remote Sat) {
	var left [2]Sat
	for side := range left {
		left[side] = c.State.Balance[side].Sat()
	}
	left[Opener] = max(0, left[Opener]-c.params.Fee(c.Owner, &c.State))

	return left[c.Owner], left[c.Owner.Other()]
}

// outputs makes the outputs, in no order.
func (c *Commitment) outputs() []Output {
	p, dust := &c.params, c.params.DustLimit[c.Owner]
	var outs []Output
	for i := range c.State.HTLCs {
		if h := &c.State.HTLCs[i]; !p.Trimmed(c.Owner, *h) {
			outs = append(outs, c.htlcOutput(h))
		}
	}
	htlcs := len(outs) > 0
	local, remote := c.amounts()
	if local >= dust {
		outs = append(outs, witnessOutput(ToLocal, local, delayedScript(c.keys, p.Delay[c.Owner])))
	}
	if remote >= dust {
		outs = append(outs, c.remoteOutput(remote))
	}
	if p.Type == ZeroFee {
		return append(outs, c.sharedAnchor(outs))
	}
	// An anchor without anything that its side could lose is not made.
	if local >= dust || htlcs {
		outs = append(outs, witnessOutput(LocalAnchor, AnchorValue, anchorScript(c.Funding.Keys[c.Owner])))
	}
	if remote >= dust || htlcs {
		outs = append(outs, witnessOutput(RemoteAnchor, AnchorValue, anchorScript(c.Funding.Keys[c.Owner.Other()])))
	}

	return outs
}

func (c *Commitment) htlcOutput(h *HTLC) Output {
	kind := ReceivedHTLC
	if h.OfferedBy == c.Owner {
		kind = OfferedHTLC
	}
	out := witnessOutput(kind, h.Amount.Sat(), htlcScript(c.params.Type, c.keys, c.Owner, *h))
	out.HTLC = h

	return out
}

func (c *Commitment) remoteOutput(value Sat) Output {
	if c.params.Type == ZeroFee {
		return Output{Kind: ToRemote, tx: btcwire.NewTxOut(int64(value), payToKey(c.keys.otherRemote))}
	}

	return witnessOutput(ToRemote, value, remoteScript(c.keys.otherRemote))
}

// sharedAnchor takes what the others leave, up to the dust limit of P2A: the
// transaction pays no fee as long as its anchor is dust (BOLT 3).
func (c *Commitment) sharedAnchor(others []Output) Output {
	left := c.Funding.Value
	for _, out := range others {
		left -= Sat(out.tx.Value)
	}

	return Output{Kind: SharedAnchor, tx: btcwire.NewTxOut(int64(min(left, MaxSharedAnchor)), factory.AnchorScript())}
}

func witnessOutput(kind OutputKind, value Sat, witnessScript []byte) Output {
	return Output{Kind: kind, WitnessScript: witnessScript, tx: btcwire.NewTxOut(int64(value), payTo(witnessScript))}
}

// compareOutputs is the order of BOLT 3, "Transaction Output Ordering". Two
// HTLCs that are equal in all of it are ordered by id: it shows nowhere, but
// the order does not depend on that of the list.
func compareOutputs(a, b Output) int {
	if order := cmp.Or(cmp.Compare(a.tx.Value, b.tx.Value), bytes.Compare(a.tx.PkScript, b.tx.PkScript)); order != 0 {
		return order
	}
	if a.HTLC == nil || b.HTLC == nil {
		return 0
	}

	return cmp.Or(cmp.Compare(a.HTLC.Expiry, b.HTLC.Expiry), cmp.Compare(a.HTLC.ID, b.HTLC.ID))
}

// transaction puts the commitment number, obscured, into nLockTime and
// nSequence.
func (c *Commitment) transaction() *btcwire.MsgTx {
	obscured := uint64(c.State.Number) ^ c.params.obscurer()
	tx := btcwire.NewMsgTx(c.params.Type.Version())
	tx.LockTime = 0x20<<24 | uint32(obscured&0xffffff)
	tx.TxIn = []*btcwire.TxIn{{
		PreviousOutPoint: c.Funding.Outpoint,
		Sequence:         0x80<<24 | uint32(obscured>>24),
	}}
	for _, out := range c.Outputs {
		tx.TxOut = append(tx.TxOut, out.tx)
	}

	return tx
}

// obscurer hides commitment numbers: the last 48 bits of the hash of both
// payment basepoints, the Opener's first.
func (p *Params) obscurer() uint64 {
	sum := sha256.Sum256(append(
		p.Basepoints[Opener].Payment.SerializeCompressed(),
		p.Basepoints[Accepter].Payment.SerializeCompressed()...))
	var n uint64
	for _, b := range sum[26:] {
		n = n<<8 | uint64(b)
	}

	return n
}

// NumberOf returns the commitment number in a transaction that spends a funding
// output, and false when it has not the form of a commitment transaction.
func (p *Params) NumberOf(tx *btcwire.MsgTx) (Number, bool) {
	if len(tx.TxIn) != 1 || tx.LockTime>>24 != 0x20 || tx.TxIn[0].Sequence>>24 != 0x80 {
		return 0, false
	}
	obscured := uint64(tx.TxIn[0].Sequence&0xffffff)<<24 | uint64(tx.LockTime&0xffffff)

	return Number(obscured ^ p.obscurer()), true
}

// HTLCTx is an HTLC transaction (CHAN-031): the second stage of an HTLC of the owner,
// HTLC-success for one that it received and HTLC-timeout for one that it
// offered. It pays no fee: NewSpend adds coins to it.
type HTLCTx struct {
	HTLC    HTLC
	Output  uint32 // of the commitment transaction
	Success bool

	// Tx is the transaction without its witness. It must not be changed.
	Tx *btcwire.MsgTx
}

func (c *Commitment) htlcTxs() []*HTLCTx {
	var all []*HTLCTx
	script := payTo(delayedScript(c.keys, c.params.Delay[c.Owner]))
	for i, out := range c.Outputs {
		if out.HTLC == nil {
			continue
		}
		h := &HTLCTx{HTLC: *out.HTLC, Output: uint32(i), Success: out.Kind == ReceivedHTLC}
		h.Tx = btcwire.NewMsgTx(c.params.Type.Version())
		if !h.Success {
			h.Tx.LockTime = uint32(h.HTLC.Expiry)
		}
		h.Tx.TxIn = []*btcwire.TxIn{{
			PreviousOutPoint: btcwire.OutPoint{Hash: c.Txid, Index: uint32(i)},
			Sequence:         c.params.Type.csv(),
		}}
		h.Tx.TxOut = []*btcwire.TxOut{btcwire.NewTxOut(out.tx.Value, script)}
		all = append(all, h)
	}
	if !c.params.Rules.On(rule.CHAN031) { // a mutant goes by id
		slices.SortStableFunc(all, func(a, b *HTLCTx) int { return cmp.Compare(a.HTLC.ID, b.HTLC.ID) })
	}

	return all
}
