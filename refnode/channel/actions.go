package channel

import (
	"time"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// Action is something to be done, in order.
type Action interface{ action() }

// Persist says that Machine.Encode is to be stored before anything that
// follows happens.
type Persist struct{}

// Append is a record that is added to those of the channel and never changed,
// together with the next Persist.
type Append struct{ Revoked Revoked }

// Send is a message for the peer.
type Send struct{ Message wire.Message }

// Disconnect closes the connection, after the warning that is sent before it.
type Disconnect struct {
	Rule   rule.ID // that asks for it, if one does
	Reason string
}

// Broadcast is a transaction to publish, alone or with a child.
type Broadcast struct {
	Tx   *btcwire.MsgTx
	What string // "commitment", "mutual close"
}

// SetTimer asks for a call of Machine.Timer after a while.
type SetTimer struct {
	ID    TimerID
	After time.Duration
}

// TimerID tells timers apart. One that nobody waits for any more does nothing.
type TimerID uint64

// HTLCReceived says that an HTLC of the peer is irrevocable on both sides. It
// comes again after a restart, until the HTLC is removed.
type HTLCReceived struct {
	Channel wire.ChannelID
	ID      HTLCID
	Amount  MilliSat
	Hash    [32]byte
	Expiry  Height
	Onion   []byte // 1,366 bytes
	PathKey *wire.Point
	Refuse  Refuse // not 0: the router must fail it, for this reason
}

// Refuse is why an HTLC must be failed.
type Refuse uint8

// The reasons.
const (
	RefuseExpiry   Refuse = iota + 1 // too close to its expiry (PCF-087)
	RefuseDust                       // max_dust_htlc_exposure
	RefuseExposure                   // what a client without a reserve would risk
	RefuseShutdown                   // the channel is closing
)

// HTLCFulfilled is the preimage of an HTLC that we offered. It may come twice.
type HTLCFulfilled struct {
	Channel  wire.ChannelID
	ID       HTLCID
	Origin   Origin
	Preimage [32]byte
}

// HTLCFailed says that an HTLC that we offered is irrevocably gone.
type HTLCFailed struct {
	Channel   wire.ChannelID
	ID        HTLCID
	Origin    Origin
	Reason    []byte     // of update_fail_htlc
	Malformed *Malformed // of update_fail_malformed_htlc
	Dropped   bool       // never signed and taken back when the connection ended
}

// HTLCRemoved says that an HTLC of the peer is irrevocably gone.
type HTLCRemoved struct {
	Channel wire.ChannelID
	ID      HTLCID
}

// Malformed is what update_fail_malformed_htlc says.
type Malformed struct {
	SHA  [32]byte // sha256_of_onion
	Code uint16   // failure_code
}

// Up says that HTLCs can be offered, Down that they cannot.
type (
	Up   struct{ Channel wire.ChannelID }
	Down struct{ Channel wire.ChannelID }
)

// ChangeID tells the changes that are negotiated one after the other apart, so
// that a late answer does not meet the wrong one. It means nothing after a
// restart.
type ChangeID uint64

// Questions for the plugin. Each answer is a method of Machine.
type (
	// AskOutpoint: is this the outpoint of the channel (PCF-081)? OutpointIs.
	AskOutpoint struct {
		Txid  wire.Txid
		Index uint16
	}
	// AskChange: is this contribution of the peer right (PCF-114), and its
	// funding_pubkey (CHG-003)? AnswerChange.
	AskChange struct {
		ID              ChangeID
		ContributionSat int64
		Key             wire.Point
		Payload         []byte
		Ack             bool // it came in factory_change_ack
	}
	// AskChangeOutpoint: which outpoint does the change lead to? ChangeOutpoint.
	AskChangeOutpoint struct{ ID ChangeID }
	// AskContinue: is the new state stored (PCF-122, PCF-149)? ChangeStored.
	AskContinue struct{ Txid wire.Txid }
	// AskLock: is what Txid replaces dead (PCF-124)? Lock or LockRefused.
	AskLock struct{ Txid wire.Txid }
)

// What the plugin is told.
type (
	// EarlyWarning: an HTLC comes close to its expiry (PCF-089, PCF-090).
	EarlyWarning struct {
		ID      HTLCID
		Offered bool // by us; else received, its preimage known
		Expiry  Height
	}
	// Closed: the channel failed or is closed (PCF-091).
	Closed struct{ Reason string }
	// Quiescent: both sides sent stfu for a change of the peer or ours.
	Quiescent struct{ Initiator bool }
	// ChangeAborted: the change that was being negotiated is off.
	ChangeAborted struct{ Reason string }
	// ChangeDisputed: the peer wants to forget a change that is pending here
	// (PCF-143). Only ChangeDead ends it.
	ChangeDisputed struct{ Txid wire.Txid }
	// ChangeCommitted: both commitments on the new output are signed and stored.
	ChangeCommitted struct{ Txid wire.Txid }
	// ChangeContinued: the channel goes on, on both outputs.
	ChangeContinued struct{ Txid wire.Txid }
	// ChangeLocked: the channel is on the new output alone.
	ChangeLocked struct{ Txid wire.Txid }
	// ReplacedRevoked: no commitment on a replaced output is valid any more.
	ReplacedRevoked struct{ Txid wire.Txid }
)

func (Persist) action()           {}
func (Append) action()            {}
func (Send) action()              {}
func (Disconnect) action()        {}
func (Broadcast) action()         {}
func (SetTimer) action()          {}
func (HTLCReceived) action()      {}
func (HTLCFulfilled) action()     {}
func (HTLCFailed) action()        {}
func (HTLCRemoved) action()       {}
func (Up) action()                {}
func (Down) action()              {}
func (AskOutpoint) action()       {}
func (AskChange) action()         {}
func (AskChangeOutpoint) action() {}
func (AskContinue) action()       {}
func (AskLock) action()           {}
func (EarlyWarning) action()      {}
func (Closed) action()            {}
func (Quiescent) action()         {}
func (ChangeAborted) action()     {}
func (ChangeDisputed) action()    {}
func (ChangeCommitted) action()   {}
func (ChangeContinued) action()   {}
func (ChangeLocked) action()      {}
func (ReplacedRevoked) action()   {}
