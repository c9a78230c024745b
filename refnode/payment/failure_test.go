package payment

import (
	"bytes"
	"testing"

	"github.com/lightningnetwork/lnd/lnwire"
)

// Every failure that this router makes is one that lnd reads as the same code,
// with the length that BOLT 4 asks for. Left out are expiry_too_soon,
// amount_below_minimum, fee_insufficient and incorrect_cltv_expiry: lnd v0.21.2 cannot read
// them without the channel_update that BOLT 4 allows to leave out.
func TestFailuresAgainstLnwire(t *testing.T) {
	sha := make([]byte, 32)
	for _, f := range []Failure{
		failure(TemporaryNodeFailure), failure(PermanentNodeFailure), failure(InvalidOnionVersion, sha), failure(InvalidOnionHMAC, sha),
		failure(InvalidOnionKey, sha), failure(InvalidOnionBlinding, sha), failure(TemporaryChannelFailure), failure(PermanentChannelFailure),
		failure(UnknownNextPeer), failure(IncorrectDetails, u64(5), u32(6)), failure(FinalIncorrectCLTV, u32(7)),
		failure(FinalIncorrectAmount, u64(8)), failure(ExpiryTooFar), badPayload(1 << 20), failure(MPPTimeout),
	} {
		p := f.packet()
		if len(p) != 2+2+failureSize {
			t.Errorf("%v: packet of %d bytes", f.Code, len(p))
		}
		m, err := lnwire.DecodeFailure(bytes.NewReader(p), 0)
		if err != nil || uint16(m.Code()) != uint16(f.Code) {
			t.Errorf("%v: lnd reads %v, %v", f.Code, m, err)
			continue
		}
		if _, known := m.(lnwire.Serializable); !known && len(f.Data) > 0 {
			t.Errorf("%v: lnd expects no data", f.Code)
		}
		got, err := parseFailure(p)
		if err != nil || got.Code != f.Code || !bytes.Equal(got.Data, f.Data) {
			t.Errorf("%v reads %v %x, %v", f.Code, got.Code, got.Data, err)
		}
		// Bytes that another node adds behind its data are ignored.
		long := Failure{f.Code, append(bytes.Clone(f.Data), make([]byte, 300)...)}
		if got, err := parseFailure(long.packet()); err != nil || got.Code != f.Code {
			t.Errorf("%v with more data: %v", f.Code, err)
		}
	}
	if m, err := lnwire.DecodeFailure(bytes.NewReader(failure(IncorrectDetails, u64(5), u32(6)).packet()), 0); err != nil || m.(*lnwire.FailIncorrectDetails).Height() != 6 || m.(*lnwire.FailIncorrectDetails).Amount() != 5 {
		t.Errorf("%+v, %v", m, err)
	}
}
