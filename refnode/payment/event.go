package payment

import "superscalar/wire"

// Event is something that the router has to know.
type Event interface{ event() }

// Refuse says why a channel wants a received HTLC failed.
type Refuse uint8

// Reasons of channels.
const (
	// RefuseNothing leaves the decision to the router.
	RefuseNothing Refuse = iota
	// RefuseExpiry is PCF-087.
	RefuseExpiry
	// RefuseLimit is a limit of the channel: dust, exposure, shutdown.
	RefuseLimit
)

// HTLCReceived is a received HTLC that both commitments hold irrevocably. A
// channel announces it once, and once more after each restart while it has it.
type HTLCReceived struct {
	Channel wire.ChannelID
	ID      uint64
	Amount  Msat
	Hash    Hash
	Expiry  Height
	Onion   Onion
	// PathKey is the path_key of a blinded path, nil without.
	PathKey *wire.Point
	Refuse  Refuse
}

// HTLCFulfilled is the preimage of an offered HTLC, as soon as the peer gave it
// or it was seen on the chain. It may come more than once.
type HTLCFulfilled struct {
	Channel  wire.ChannelID
	ID       uint64
	Preimage Preimage
}

// Malformed is what update_fail_malformed_htlc says. The channel has checked
// that the code has the BADONION bit.
type Malformed struct {
	SHA  [32]byte
	Code Code
}

// HTLCFailed is an offered HTLC that is irrevocably gone without a preimage. With
// neither Reason nor Malformed it ended on the chain, with its channel
// forgotten, or (Dropped) before anybody signed it.
type HTLCFailed struct {
	Channel   wire.ChannelID
	ID        uint64
	Reason    []byte
	Malformed *Malformed
	Dropped   bool
}

// HTLCRemoved is a received HTLC that is irrevocably gone, whatever became of
// it: its record may go.
type HTLCRemoved struct {
	Channel wire.ChannelID
	ID      uint64
}

// Block is the height of the best block. The first one comes before anything
// else.
type Block struct{ Height Height }

// Looked says that the chain was looked at up to the last Block: a preimage that is there
// came as HTLCFulfilled before, but for those of the channels Except, which the node could
// not look after.
type Looked struct{ Except []wire.ChannelID }

// Tick is the time. The first one comes before anything but Block.
type Tick struct{ Now UnixTime }

// Started comes once after Load, Block and Tick: the router repeats commands
// that a channel may have missed.
type Started struct{}

func (HTLCReceived) event()  {}
func (HTLCFulfilled) event() {}
func (HTLCFailed) event()    {}
func (HTLCRemoved) event()   {}
func (Block) event()         {}
func (Looked) event()        {}
func (Tick) event()          {}
func (Started) event()       {}

// Action is something for the node to do, in order.
type Action interface{ action() }

// Record is one entry of the router's state: what its store keeps.
type Record struct{ Key, Value []byte }

// Persist changes records. It belongs into the transaction of the step, before
// anything that the step sends.
type Persist struct {
	Puts    []Record
	Deletes [][]byte
}

// Wake asks for a Tick at a time.
type Wake struct{ At UnixTime }

// InvoiceSettled tells that an invoice was paid: the preimages of all its parts
// are given to their channels.
type InvoiceSettled struct {
	Hash   Hash
	Amount Msat // msat received
}

// PaymentSucceeded tells that a payment has its preimage.
type PaymentSucceeded struct {
	Hash     Hash
	Preimage Preimage
}

// PaymentFailed tells that a payment is over and that nothing of it is in
// flight.
type PaymentFailed struct {
	Hash   Hash
	Reason Reason
}

// Forwarded tells that a forwarded HTLC was fulfilled.
type Forwarded struct {
	In, Out HTLCKey
	Fee     Msat // msat earned
}

func (Persist) action()          {}
func (Wake) action()             {}
func (InvoiceSettled) action()   {}
func (PaymentSucceeded) action() {}
func (PaymentFailed) action()    {}
func (Forwarded) action()        {}
