// Package closing is the end of a channel on the chain: BOLT 5, for channels
// outside of factories and, once their funding output is on the chain, inside.
//
// Decide is pure. Given what a node holds of a channel and what the chain shows,
// it says what to publish and claim now, by when, what became of each HTLC, and
// when all of it is over. It keeps nothing: the same channel and the same chain
// give the same plan, so a restart goes on where it was, and a reorganisation
// needs no code of its own. It implements CHAN-023 to CHAN-026 of SPEC.md.
//
// Driver carries plans out with a chain.Interface and the coins of a wallet: it
// makes each claim a transaction of its own, which pays for itself or, where the
// peer's signature fixes the amount, with a coin; it pays for commitments by
// their anchors, and raises fees towards the deadlines.
//
// One claim is one transaction on purpose. Batches are cheaper, but whoever may
// spend one input of a batch can keep the others from confirming (BOLT 5 warns
// of it), and the set of inputs would change under a replacement. Where there are
// fewer coins than HTLC transactions, a coin is divided before: with one after the
// other, the last ones would come after their expiry.
//
// It does not get a leaf of a factory onto the chain, nor spend a channel output
// by distribution or poison: package exit does.
package closing

import (
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/wire/rule"
)

// Blocks.
const (
	// Confirm is S: within it a transaction whose fee is raised confirms
	// (SPEC.md 4.1).
	Confirm commitment.Height = 12
	// Buried is how many confirmations make an end one: before it an offered
	// HTLC is not failed, since a reorganisation might still bring its preimage.
	Buried commitment.Height = 6
	// Forgotten is how deep everything is when what was kept of a channel may
	// go (BOLT 5: "irrevocably resolved").
	Forgotten commitment.Height = 100
	// Patience is the deadline of what nobody else can take.
	Patience commitment.Height = 144
	// Abandoned is how long after its expiry an HTLC of the peer is waited for
	// that the peer does not take back.
	Abandoned commitment.Height = 2016
)

// Channel is what a node holds of a channel that ends on the chain.
type Channel struct {
	Params    commitment.Params // with the rules that are kept
	Side      commitment.Side   // ours
	Secrets   *commitment.Secrets
	InFactory bool
	// Failed is true when the channel was given up: our commitment goes on the
	// chain. Inside a factory it does whenever its output is there (CHAN-024).
	Failed bool
	// Ordered is true when its owner gave it up: our commitment goes out although
	// both sides signed a mutual close.
	Ordered bool
	// Stale is true when the peer has newer commitments than we know of.
	Stale bool
	// Close is the mutual close, nil without. Scripts are those of shutdown,
	// by Side: any transaction that pays them alone is a mutual close too.
	Close   *btcwire.MsgTx
	Scripts [2][]byte
	Outputs []Output
	HTLCs   []HTLC
	// Revoked reads the record of a revoked commitment of the peer, nil when
	// there is none of this number.
	Revoked func(commitment.Number) (*channel.Revoked, error)
}

// Output is a funding output of the channel.
type Output struct {
	Funding commitment.Funding
	Key     *btcec.PrivateKey // our funding key
	// Ours is our latest commitment, nil when there is none that may be published.
	Ours *channel.SignedCommitment
	// Theirs are the commitments of the peer that are not revoked.
	Theirs []*commitment.Commitment
}

// HTLC is an HTLC of the channel that has not ended off the chain.
type HTLC struct {
	By     commitment.Side
	ID     channel.HTLCID
	Amount commitment.MilliSat
	Hash   [32]byte
	Expiry commitment.Height
	// Preimage is what we know of one that the peer offered, nil without.
	Preimage *[32]byte
	// Failed is true for one that the peer offered and we fail: its preimage
	// will not come.
	Failed bool
	// Ended is true when its end on the chain was told.
	Ended bool
}

// Of returns what a channel machine holds. The result shares nothing that the
// machine changes. Revoked is left to the caller, who has the records.
func Of(m *channel.Machine) *Channel {
	c := &Channel{
		Params: m.Parameters(), Side: m.Side, Secrets: m.Secrets(), InFactory: m.Open.ChannelInFactory != nil,
		Failed: m.Failure != "", Ordered: m.Ordered(), Stale: m.Stale, Close: m.Closing(), Scripts: m.Scripts,
		Revoked: func(commitment.Number) (*channel.Revoked, error) { return nil, nil },
	}
	for _, o := range m.Outputs() {
		c.Outputs = append(c.Outputs, Output(o))
	}
	for _, h := range m.HTLCs {
		x := HTLC{By: h.By, ID: h.ID, Amount: h.Amount, Hash: h.Hash, Expiry: h.Expiry, Ended: h.Ended}
		if preimage, known := h.Known(); known && h.By != m.Side {
			x.Preimage = &preimage
		}
		x.Failed = h.By != m.Side && h.Removal != nil && x.Preimage == nil
		c.HTLCs = append(c.HTLCs, x)
	}

	return c
}

// View is what the chain shows.
type View interface {
	// Height is that of the best block.
	Height() commitment.Height
	// Confirmed returns the height of the block that holds a transaction, false
	// when none does. Only funding transactions are asked for.
	Confirmed(txid chainhash.Hash) (commitment.Height, bool)
	// Spend returns the transaction that spends an outpoint, in a block or in
	// the mempool.
	Spend(o btcwire.OutPoint) (Spend, bool)
}

// Spend is a transaction that spends an outpoint by its input number Input.
type Spend struct {
	Tx        *btcwire.MsgTx
	Input     uint32
	Confirmed bool
	Height    commitment.Height // of its block
}

// End is how a funding output was spent.
type End uint8

// The ends.
const (
	Open    End = iota // it is not spent, or in the mempool only
	Mutual             // closed together
	Ours               // our commitment
	Theirs             // a commitment of the peer that is not revoked
	Revoked            // a revoked one
	Unknown            // a commitment from after our last backup, or no commitment
)

var endNames = [...]string{"open", "mutual close", "our commitment", "the peer's commitment", "a revoked commitment", "unknown transaction"}

// String names the end for people.
func (e End) String() string {
	if int(e) < len(endNames) {
		return endNames[e]
	}

	return "?"
}

// Plan is what to do now.
type Plan struct {
	// Publish has the most urgent first. No two of them spend one outpoint.
	Publish []Action
	// Again is a height at which to look again even if nothing happens until
	// then, 0 when there is none.
	Again commitment.Height
	// End says what spent the funding output in a block.
	End End
	// Preimages are those of offered HTLCs that the chain or the mempool shows
	// and whose end was not told.
	Preimages [][32]byte
	// Gone are the offered HTLCs that ended without a preimage, Removed the
	// received ones that ended either way, both buried.
	Gone, Removed []channel.HTLCID
	// Depth is how many confirmations everything has that concerns us, 0 as
	// long as something is open.
	Depth commitment.Height
}

// Settled reports whether everything is buried: nothing more will happen.
func (p *Plan) Settled() bool { return p.Depth >= Buried }

// Done reports whether what was kept of the channel may go.
func (p *Plan) Done() bool { return p.Depth >= Forgotten }

// Action is one transaction to get into a block: Tx as it is, or one that takes
// Claim.
type Action struct {
	// Tx is complete, Fee what it pays itself, in sat.
	Tx  *btcwire.MsgTx
	Fee commitment.Sat
	// Anchor is an output of Tx that we can spend to pay for it, nil without.
	Anchor *commitment.Claim
	// Claim is what to take, nil for Tx.
	Claim *commitment.Claim
	// Instead spends the same outpoint, when the mempool wants a higher fee than
	// Tx pays, or nothing pays for Tx; nil for nothing.
	Instead *Action
	// Outpoint is what is spent.
	Outpoint btcwire.OutPoint
	// Deadline is the height of the last block that it should be in. One that
	// nothing competes with counts from this look: keep the first one.
	Deadline commitment.Height
	// Worth is the most that it may cost, in sat.
	Worth commitment.Sat
	// Rule and Reason say why.
	Rule   rule.ID
	Reason string
}
