package payment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	sphinx "github.com/lightningnetwork/lightning-onion"

	"superscalar/wire"
)

// Code is a failure_code of BOLT 4.
type Code uint16

// Flags of a failure_code.
const (
	BadOnion Code = 0x8000 // the sending peer's onion could not be read
	Perm     Code = 0x4000 // permanent
	Node     Code = 0x2000 // of a node, not of a channel
	Update   Code = 0x1000 // a parameter of a channel was violated
)

// The failure codes that this router makes or understands.
const (
	TemporaryNodeFailure    = Node | 2
	PermanentNodeFailure    = Perm | Node | 2
	InvalidOnionVersion     = BadOnion | Perm | 4
	InvalidOnionHMAC        = BadOnion | Perm | 5
	InvalidOnionKey         = BadOnion | Perm | 6
	TemporaryChannelFailure = Update | 7
	PermanentChannelFailure = Perm | 8
	UnknownNextPeer         = Perm | 10
	AmountBelowMinimum      = Update | 11
	FeeInsufficient         = Update | 12
	IncorrectCLTVExpiry     = Update | 13
	ExpiryTooSoon           = Update | 14
	IncorrectDetails        = Perm | 15
	FinalIncorrectCLTV      = Code(18)
	FinalIncorrectAmount    = Code(19)
	ExpiryTooFar            = Code(21)
	InvalidOnionPayload     = Perm | 22
	MPPTimeout              = Code(23)
	InvalidOnionBlinding    = BadOnion | Perm | 24
)

var codeNames = map[Code]string{
	TemporaryNodeFailure: "temporary_node_failure", PermanentNodeFailure: "permanent_node_failure",
	InvalidOnionVersion: "invalid_onion_version", InvalidOnionHMAC: "invalid_onion_hmac", InvalidOnionKey: "invalid_onion_key",
	TemporaryChannelFailure: "temporary_channel_failure", PermanentChannelFailure: "permanent_channel_failure",
	UnknownNextPeer: "unknown_next_peer", AmountBelowMinimum: "amount_below_minimum", FeeInsufficient: "fee_insufficient",
	IncorrectCLTVExpiry: "incorrect_cltv_expiry", ExpiryTooSoon: "expiry_too_soon",
	IncorrectDetails:   "incorrect_or_unknown_payment_details",
	FinalIncorrectCLTV: "final_incorrect_cltv_expiry", FinalIncorrectAmount: "final_incorrect_htlc_amount",
	ExpiryTooFar: "expiry_too_far", InvalidOnionPayload: "invalid_onion_payload", MPPTimeout: "mpp_timeout",
	InvalidOnionBlinding: "invalid_onion_blinding",
}

// String returns the name that BOLT 4 gives the code.
func (c Code) String() string {
	if name, ok := codeNames[c]; ok {
		return name
	}
	return fmt.Sprintf("failure code %#04x", uint16(c))
}

// Failure is a failuremsg of BOLT 4: a code and its data, without the optional
// TLV stream.
type Failure struct {
	Code Code
	Data []byte
}

// noUpdate is the length 0 of a channel_update that is not given.
var noUpdate = []byte{0, 0}

// failure makes a Failure of a code and the fields of its data.
func failure(c Code, data ...[]byte) Failure {
	f := Failure{Code: c, Data: bytes.Join(data, nil)}
	if c&Update != 0 {
		f.Data = append(f.Data, noUpdate...)
	}
	return f
}

func u64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

func u32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

// badPayload is the failure for a payload that cannot be used because of the
// record of a type.
func badPayload(typ uint64) Failure {
	return failure(InvalidOnionPayload, wire.Codec{}.AppendBigSize(nil, typ), []byte{0, 0})
}

// failureSize is the size in bytes of failure message and padding together,
// which hides how long the message is.
const failureSize = 256

// packet returns the plain return packet without its HMAC: lengths, message and
// padding.
func (f Failure) packet() []byte {
	n := 2 + len(f.Data)
	pad := max(failureSize-n, 0)
	b := binary.BigEndian.AppendUint16(nil, uint16(n))
	b = binary.BigEndian.AppendUint16(b, uint16(f.Code))
	b = append(b, f.Data...)
	b = binary.BigEndian.AppendUint16(b, uint16(pad))
	return append(b, make([]byte, pad)...)
}

// errFailure is a return packet whose contents make no sense.
var errFailure = errors.New("failure message is truncated")

// parseFailure reads a return packet without its HMAC. Bytes behind the code's
// own data are kept in Data: BOLT 4 has readers ignore them.
func parseFailure(b []byte) (Failure, error) {
	if len(b) < 4 {
		return Failure{}, errFailure
	}
	n := int(binary.BigEndian.Uint16(b))
	if n < 2 || len(b) < 2+n {
		return Failure{}, errFailure
	}
	return Failure{Code: Code(binary.BigEndian.Uint16(b[2:])), Data: bytes.Clone(b[4 : 2+n])}, nil
}

// obfuscate adds one layer to a return packet with the secret that this node
// shares with the payer. The erring node is the first: it adds the HMAC, too.
func obfuscate(secret [32]byte, first bool, packet []byte) []byte {
	var e sphinx.OnionErrorEncrypter
	if err := e.Decode(bytes.NewReader(secret[:])); err != nil {
		return nil // 32 bytes are what it reads
	}
	return e.EncryptError(first, packet)
}
