package wire_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/lightningnetwork/lnd/lnwire"
	"pgregory.net/rapid"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// shared is a message that lnd and this package both know, drawn with the
// fields that both keep, and the way between the two forms of it, field by
// field. lnwire_fields_test.go holds the ways.
type shared struct {
	name    string
	draw    func(*rapid.T) wire.Message
	toLnd   func(wire.Message) lnwire.Message
	fromLnd func(lnwire.Message) wire.Message
}

func lndEncode(t fataler, m lnwire.Message) []byte {
	var b bytes.Buffer
	if _, err := lnwire.WriteMessage(&b, m, 0); err != nil {
		t.Fatalf("lnwire does not encode %s: %v", m.MsgType(), err)
	}
	return b.Bytes()
}

func lndDecode(t fataler, b []byte) lnwire.Message {
	m, err := lnwire.ReadMessage(bytes.NewReader(b), 0)
	if err != nil {
		t.Fatalf("lnwire does not decode %x: %v", b, err)
	}
	return m
}

// fataler is testing.T or rapid.T.
type fataler interface{ Fatalf(string, ...any) }

// What lnwire writes is read here with equal fields, what we write is read by
// lnwire with equal fields, and both write the same bytes.
func TestAgainstLnwire(t *testing.T) {
	for _, s := range sharedMessages {
		t.Run(s.name, rapid.MakeCheck(func(t *rapid.T) {
			m := s.draw(t)
			ours, err := wire.Codec{}.Encode(m)
			if err != nil {
				t.Fatalf("encoding: %v", err)
			}
			theirs := lndEncode(t, s.toLnd(m))
			got, err := wire.Codec{}.Decode(theirs)
			if err != nil {
				t.Fatalf("decoding lnwire's %x: %v", theirs, err)
			}
			if diff := cmp.Diff(m, got, same); diff != "" {
				t.Fatalf("lnwire's bytes decoded here (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(m, s.fromLnd(lndDecode(t, ours)), same); diff != "" {
				t.Fatalf("our bytes decoded by lnwire (-want +got):\n%s", diff)
			}
			if !bytes.Equal(ours, theirs) {
				t.Fatalf("we write\n%x, lnwire\n%x", ours, theirs)
			}
		}))
	}
}

// The trap that gave these messages codecs of their own: what passes through
// lnwire loses every record lnwire does not know, channel_in_factory and the
// funding records of channel_reestablish among them. Should a later lnd keep
// them, this test says so.
func TestLnwireDropsRecords(t *testing.T) {
	for _, c := range []struct {
		name    string
		message wire.Message
		left    wire.Message // what is left after lnwire
	}{
		{
			"open_channel",
			&wire.OpenChannel{
				Keys: sampleKeys, UpfrontShutdown: []byte{}, ChannelType: wire.Features{0x10},
				ChannelInFactory: &wire.ChannelInFactory{ProtocolID: fill(1), InstanceID: fill(2), EarlyWarningTime: 720},
				Extra:            oddRecords(),
			},
			&wire.OpenChannel{Keys: sampleKeys, UpfrontShutdown: []byte{}, ChannelType: wire.Features{0x10}},
		},
		{
			"accept_channel",
			&wire.AcceptChannel{Keys: sampleKeys, UpfrontShutdown: []byte{}, Extra: oddRecords()},
			&wire.AcceptChannel{Keys: sampleKeys, UpfrontShutdown: []byte{}},
		},
		{
			"channel_reestablish",
			&wire.ChannelReestablish{
				MyCurrentPerCommitmentPoint: multiple(1), NextFunding: &wire.FundingState{RetransmitFlags: 1},
				MyCurrentFundingLocked: &wire.FundingState{}, Extra: oddRecords(),
			},
			&wire.ChannelReestablish{MyCurrentPerCommitmentPoint: multiple(1)},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := encode(t, wire.Codec{}, c.message)
			if again := encode(t, wire.Codec{}, decode(t, wire.Codec{}, b)); !bytes.Equal(again, b) {
				t.Errorf("we write\n%x, read\n%x", again, b)
			}
			through := lndEncode(t, lndDecode(t, b))
			if diff := cmp.Diff(c.left, decode(t, wire.Codec{}, through), same); diff != "" {
				t.Errorf("after lnwire (-expected +got):\n%s", diff)
			}
		})
	}
}

func oddRecords() wire.Stream {
	return wire.Stream{{Type: 3 + 4, Value: []byte("seven")}, {Type: 65601, Value: []byte("next to channel_in_factory")}, {Type: 1<<64 - 1, Value: []byte{}}}
}

// The other half of the trap: lnwire takes an unknown even record, which BOLT
// 1 forbids and this package refuses (TRN-037).
func TestLnwireTakesUnknownEvenRecords(t *testing.T) {
	for _, c := range []struct {
		name    string
		message wire.Message
	}{
		{"open_channel", &wire.OpenChannel{Keys: sampleKeys}},
		{"accept_channel", &wire.AcceptChannel{Keys: sampleKeys}},
		{"commitment_signed", &wire.CommitmentSigned{}},
		{"channel_reestablish", &wire.ChannelReestablish{MyCurrentPerCommitmentPoint: multiple(1)}},
		{"init", &wire.Init{}},
		{"stfu", &wire.Stfu{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := append(encode(t, wire.Codec{}, c.message), bigSize(65602)...)
			b = append(b, 0)
			lndDecode(t, b)
			_, err := wire.Codec{}.Decode(b)
			var e *wire.Error
			if !errors.As(err, &e) || e.Kind != wire.UnknownEven || e.Rule != rule.TRN037 {
				t.Errorf("error %v, want %s, %s", err, wire.UnknownEven, rule.TRN037)
			}
		})
	}
}

// BigSize agrees with lnd's encoder for values around every border.
func TestBigSizeAgainstLnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.OneOf(
			rapid.Uint64Range(0, 0x1ff), rapid.Uint64Range(0xff00, 0x100ff), rapid.Uint64Range(0xffffff00, 0x1000000ff), rapid.Uint64(),
		).Draw(t, "value")
		want := bigSize(v)
		if got := (wire.Codec{}).AppendBigSize([]byte{7}, v); !bytes.Equal(got, append([]byte{7}, want...)) {
			t.Fatalf("%d written as %x, by lnd %x", v, got[1:], want)
		}
		if got, n, err := (wire.Codec{}).ReadBigSize(append(want, 0xaa)); got != v || n != len(want) || err != nil {
			t.Fatalf("%x read as %d in %d bytes, %v", want, got, n, err)
		}
	})
}

func lndPoint(p wire.Point) *btcec.PublicKey {
	k, err := btcec.ParsePubKey(p[:])
	if err != nil {
		panic(err)
	}
	return k
}

func fromLndPoint(k *btcec.PublicKey) wire.Point { return wire.Point(k.SerializeCompressed()) }
