package channel

import (
	"slices"

	"superscalar/refnode/commitment"
	"superscalar/wire"
)

// State is everything about a channel that outlives a connection and a
// process: what Encode writes. Arrays are by Side.
type State struct {
	Side   Side // ours
	Open   *wire.OpenChannel
	Accept *wire.AcceptChannel
	ID     wire.ChannelID // zero until the funding outpoint is known

	// LocalNumber is the number of our latest commitment: the peer signed it
	// and we revoked the one before. SignedNumber is the last number of the
	// peer's commitments that we signed; it is one ahead of the peer's current
	// one while its revoke_and_ack is awaited.
	LocalNumber  Number
	SignedNumber Number
	Revoked      commitment.Revocations // what the peer revoked
	TheirPoint   wire.Point             // per-commitment point of number Revoked.Next()
	TheirNext    wire.Point             // of the one after, zero before channel_ready
	// CommitLast says that commitment_signed, not revoke_and_ack, was sent
	// last: the order in which both are sent again.
	CommitLast bool

	// Balance is what each side would have if every HTLC went back to who
	// offered it, on the current funding output.
	Balance  [2]MilliSat
	Feerate  Feerate // the last irrevocable one
	Feerates []feeUpdate
	HTLCs    []*HTLC
	NextID   [2]HTLCID
	Sequence uint64 // numbers our updates in the order they were sent

	// Fundings are the outputs that commitments are signed for: the current
	// one, the pending ones in the order of their changes, and at the end one
	// that is committed to and not continued yet.
	Fundings   []Funding
	Replaced   []Replaced
	CalledOff  []CalledOff
	NextKey    uint32    // index of the next fresh funding key of ours
	LastLocked wire.Txid // the last one we sent factory_change_locked for, zero: none

	GotSigned bool // opener: funding_signed has arrived
	Usable    bool // the plugin, or the depth, allows channel_ready
	SentReady bool
	GotReady  bool
	PeerAlias uint64

	WantShutdown []byte    // ours, not sent yet
	Scripts      [2][]byte // of shutdown messages sent and received
	ClosingTx    []byte    // the mutual close both sides signed

	Failure   string    // why the channel failed; empty: it did not
	Stale     bool      // the peer has proved that our state is old: never broadcast it
	Confirmed wire.Txid // the funding transaction that confirmed, zero: none
	Forgotten bool      // the plugin said so (PCF-092)
}

// HTLC is one HTLC until its removal is irrevocable.
type HTLC struct {
	By      Side // who offered it
	ID      HTLCID
	Amount  MilliSat
	Hash    [32]byte
	Expiry  Height
	Onion   []byte // 1,366 bytes; gone once nobody needs it
	PathKey *wire.Point
	Extra   wire.Stream
	Origin  Origin // zero for the peer's
	Refuse  Refuse // why it must be failed, 0: it need not
	Ended   bool   // its end on chain was told to the router
	Paid    bool   // ours: its preimage came, in a removal that was taken back
	Stage   stage
	Order   uint64 // Sequence when we sent it
	Removal *removal
}

// removalKind says how an HTLC is removed.
type removalKind uint8

const (
	fulfilled removalKind = iota + 1
	failed
	malformed
)

// removal is an update that removes an HTLC. Its sender is the side that did
// not offer the HTLC.
type removal struct {
	Kind     removalKind
	Preimage [32]byte // or sha256_of_onion, when malformed
	Reason   []byte
	Code     uint16 // failure_code, when malformed
	Stage    stage
	Order    uint64
}

// feeUpdate is an update_fee that is not irrevocable yet.
type feeUpdate struct {
	Rate  Feerate
	Stage stage
	Order uint64
}

// Funding is one funding output and how far the change that brought it has
// come. The first one of a channel is continued from the start.
type Funding struct {
	Txid  wire.Txid
	Index uint16
	Value Sat
	Key   uint32 // index of our funding key
	Keys  [2]wire.Point
	Delta [2]int64 // sat: what the change adds to Balance of each side
	// The peer's signatures on our latest commitment on this output.
	Sig      wire.Signature
	HTLCSigs []wire.Signature
	Did      progress
}

// progress is a set of steps of a factory change that are done.
type progress uint16

const (
	sentCommit progress = 1 << iota // our commitment_signed
	gotCommit
	sentContinue
	gotContinue
	partialGiven // a partial signature that spends an existing outpoint (PCF-140)
	sentLocked
	gotLocked
	wantLocked // the plugin said so; it is sent when nothing else is negotiated
	roundOwed  // a commitment_signed on the new output alone (CHG-007)
	absorbed   // what the channel holds goes into the channel on that output (CHG-017)
	absorbing  // others go into this one: its balances do not follow from the output (CHG-022)
)

func (p progress) has(q progress) bool { return p&q == q }

// active reports whether updates are signed for the output too: it is the
// current one, or its change is continued on both sides.
func (f *Funding) active() bool { return f.Did.has(sentContinue | gotContinue) }

// Absorbed reports whether the output is another channel's, which takes what this one
// holds: there is no commitment of this one on it.
func (f *Funding) Absorbed() bool { return f.Did.has(absorbed) }

// pending reports whether a change may have become valid, as SPEC.md 3.8 says.
func (f *Funding) pending() bool { return f.Did.has(sentContinue) || f.Did.has(partialGiven) }

// Replaced is a funding output that another one took the place of, with the
// commitments that were valid on it then. A factory state that was replaced
// can still be published (PCF-127).
type Replaced struct {
	Funding     Funding
	Local       commitment.State   // ours, signed by the peer
	Remote      []commitment.State // the peer's that were not revoked, at most two
	RemotePoint []wire.Point       // their per-commitment points
	Told        bool               // the plugin knows that all of them are revoked
}

// CalledOff is what was signed for the peer on the output of a change that was called
// off. The same change can be made again, on the same output: what was signed there
// before has to be on record when its number is revoked (CHG-026).
type CalledOff struct {
	Txid   wire.Txid
	Remote []commitment.State // not revoked, at most two
}

func (s *State) peer() Side { return s.Side.Other() }

func (s *State) inFactory() bool { return s.Open.ChannelInFactory != nil }

// awaiting reports whether the peer owes us a revoke_and_ack.
func (s *State) awaiting() bool { return s.SignedNumber > s.Revoked.Next() }

// changing returns the output that is committed to and not continued, or nil.
func (s *State) changing() *Funding {
	if n := len(s.Fundings); n > 0 && !s.Fundings[n-1].active() {
		return &s.Fundings[n-1]
	}
	return nil
}

// activeFundings are those that every update is signed for.
func (s *State) activeFundings() []*Funding {
	var out []*Funding
	for i := range s.Fundings {
		if s.Fundings[i].active() {
			out = append(out, &s.Fundings[i])
		}
	}
	return out
}

// committedFundings are those of them on which there are commitments.
func (s *State) committedFundings() []*Funding {
	return slices.DeleteFunc(s.activeFundings(), (*Funding).Absorbed)
}

func (s *State) findFunding(txid wire.Txid) *Funding {
	for i := range s.Fundings {
		if s.Fundings[i].Txid == txid {
			return &s.Fundings[i]
		}
	}
	return nil
}

// find returns an HTLC, or nil.
func (s *State) find(by Side, id HTLCID) *HTLC {
	for _, h := range s.HTLCs {
		if h.By == by && h.ID == id {
			return h
		}
	}
	return nil
}

// shuttingDown reports whether either side sent shutdown, or we want to.
func (s *State) shuttingDown() bool {
	return s.WantShutdown != nil || s.Scripts[0] != nil || s.Scripts[1] != nil
}
