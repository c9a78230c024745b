package commitment

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrEncoding is the error of bytes that no State encodes to.
var ErrEncoding = errors.New("malformed record of a commitment")

const (
	stateVersion = 1
	stateSize    = 1 + 8 + 4 + 2*8 + 2 // bytes of a State without HTLCs
	htlcSize     = 1 + 8 + 8 + 32 + 4  // bytes of an HTLC
	maxHTLCs     = 2 * 483             // of both sides
)

// Encode returns the record of a commitment: what has to be kept of one that is
// revoked, to punish it. All integers are big-endian: version 1 (1 byte),
// number (8), feerate (4), balances (8 each), number of HTLCs (2), then each
// HTLC: offering side (1), id (8), amount (8), payment hash (32), expiry (4).
func (s *State) Encode() []byte {
	out := make([]byte, 0, stateSize+htlcSize*len(s.HTLCs))
	out = append(out, stateVersion)
	out = binary.BigEndian.AppendUint64(out, uint64(s.Number))
	out = binary.BigEndian.AppendUint32(out, uint32(s.Feerate))
	for _, balance := range s.Balance {
		out = binary.BigEndian.AppendUint64(out, uint64(balance))
	}
	out = binary.BigEndian.AppendUint16(out, uint16(len(s.HTLCs)))
	for _, h := range s.HTLCs {
		out = append(out, byte(h.OfferedBy))
		out = binary.BigEndian.AppendUint64(out, h.ID)
		out = binary.BigEndian.AppendUint64(out, uint64(h.Amount))
		out = append(out, h.Hash[:]...)
		out = binary.BigEndian.AppendUint32(out, uint32(h.Expiry))
	}

	return out
}

// DecodeState reads what Encode wrote, and nothing else. Build checks what it
// means. The error is ErrEncoding.
func DecodeState(b []byte) (State, error) {
	if len(b) < stateSize || b[0] != stateVersion {
		return State{}, fmt.Errorf("%d bytes: %w", len(b), ErrEncoding)
	}
	s := State{
		Number:  Number(binary.BigEndian.Uint64(b[1:])),
		Feerate: Feerate(binary.BigEndian.Uint32(b[9:])),
		Balance: [2]MilliSat{MilliSat(binary.BigEndian.Uint64(b[13:])), MilliSat(binary.BigEndian.Uint64(b[21:]))},
	}
	count := int(binary.BigEndian.Uint16(b[29:]))
	rest := b[stateSize:]
	if count > maxHTLCs || len(rest) != count*htlcSize {
		return State{}, fmt.Errorf("%d HTLCs in %d bytes: %w", count, len(rest), ErrEncoding)
	}
	for ; len(rest) > 0; rest = rest[htlcSize:] {
		if Side(rest[0]) > Accepter {
			return State{}, fmt.Errorf("HTLC offered by %d: %w", rest[0], ErrEncoding)
		}
		s.HTLCs = append(s.HTLCs, HTLC{
			OfferedBy: Side(rest[0]),
			ID:        binary.BigEndian.Uint64(rest[1:]),
			Amount:    MilliSat(binary.BigEndian.Uint64(rest[9:])),
			Hash:      [32]byte(rest[17:]),
			Expiry:    Height(binary.BigEndian.Uint32(rest[49:])),
		})
	}

	return s, nil
}
