package wire_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/lightningnetwork/lnd/tlv"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// sample is one message beside its encoding, written down field by field from
// BOLT 1, BOLT 2 and the table in section 3.2 of SPEC.md. Since each field
// stands where it stands, a sample says what has to happen to every damaged
// form of the message, without asking the decoder.
type sample struct {
	message wire.Message
	head    []byte // type and, in the envelope, submessage id
	fixed   []field
	records []record
}

// field is one field on the wire.
type field struct {
	name  string // as errors call it
	bytes []byte
}

// record is one TLV record on the wire.
type record struct {
	typ    uint64
	name   string // as errors call it
	fields []field
	// free: a value one byte longer or shorter is as good.
	free bool
	// longer and shorter say where a value of one byte more or less fails,
	// when it is neither free nor of one exact length.
	longer, shorter *lengthFault
	// required is the requirement that its absence breaks, "" when optional.
	required rule.ID
	// drop takes the record out of the message of its sample.
	drop func()
}

type lengthFault struct {
	field  string
	offset int // in the value
	rule   rule.ID
}

func (r record) value() []byte {
	var out []byte
	for _, f := range r.fields {
		out = append(out, f.bytes...)
	}
	return out
}

// bytes is the record as it stands on the wire.
func (r record) bytes() []byte {
	return slices.Concat(bigSize(r.typ), bigSize(uint64(len(r.value()))), r.value())
}

// start is the offset of the first record, or the length without records.
func (s sample) start() int {
	n := len(s.head)
	for _, f := range s.fixed {
		n += len(f.bytes)
	}
	return n
}

// with is the message with the given bytes in place of its records.
func (s sample) with(records ...[]byte) []byte {
	out := slices.Clone(s.head)
	for _, f := range s.fixed {
		out = append(out, f.bytes...)
	}
	return append(out, slices.Concat(records...)...)
}

func (s sample) encodedRecords() (out [][]byte) {
	for _, r := range s.records {
		out = append(out, r.bytes())
	}
	return out
}

func (s sample) bytes() []byte { return s.with(s.encodedRecords()...) }

// offset is where record i begins.
func (s sample) offset(i int) int { return s.start() + len(slices.Concat(s.encodedRecords()[:i]...)) }

// bigSize is lnd's encoder, which shares no code with ours.
func bigSize(v uint64) []byte {
	var b bytes.Buffer
	var scratch [8]byte
	if err := tlv.WriteVarInt(&b, v, &scratch); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// be is v as a big-endian integer of n bytes.
func be(v uint64, n int) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, max(0, n-8)), v)[max(0, 8-n):]
}

func fill(x byte) [32]byte { return [32]byte(bytes.Repeat([]byte{x}, 32)) }

func fill64(x byte) wire.Signature { return wire.Signature(bytes.Repeat([]byte{x}, 64)) }

// multiple is n times the generator of secp256k1.
func multiple(n byte) wire.Point {
	return wire.Point(secp256k1.PrivKeyFromBytes([]byte{n}).PubKey().SerializeCompressed())
}

func hash(name string, x byte) field {
	b := fill(x)
	return field{name, b[:]}
}

func sig(name string, x byte) field {
	b := fill64(x)
	return field{name, b[:]}
}

func pointField(name string, n byte) field {
	p := multiple(n)
	return field{name, p[:]}
}

// isPoint: only points have 33 bytes in the samples.
func (f field) isPoint() bool { return len(f.bytes) == 33 }

// odd is the unknown record that every sample ends with. 65601 is one above
// channel_in_factory.
func odd(extra *wire.Stream) record {
	return unknown(extra, 65601, "odd")
}

func unknown(extra *wire.Stream, typ uint64, value string) record {
	*extra = append(*extra, wire.Record{Type: typ, Value: []byte(value)})
	return record{typ: typ, name: "record " + itoa(typ), fields: []field{{"", []byte(value)}}, free: true, drop: func() {
		*extra = slices.DeleteFunc(*extra, func(r wire.Record) bool { return r.Type == typ })
		if len(*extra) == 0 {
			*extra = nil
		}
	}}
}

// samples are functions because a drop changes the message.
var samples = append(ownSamples, baseSamples...)

var ownSamples = []func() sample{
	func() sample {
		m := &wire.Warning{ChannelID: fill(0xa1), Data: []byte("no")}
		return sample{m, be(1, 2), notice(), []record{odd(&m.Extra)}}
	},
	func() sample {
		m := &wire.ErrorMessage{ChannelID: fill(0xa1), Data: []byte("no")}
		return sample{m, be(17, 2), notice(), []record{odd(&m.Extra)}}
	},
	func() sample {
		m := &wire.Stfu{ChannelID: fill(0xa2), Initiator: 1}
		return sample{m, be(2, 2), []field{hash("channel_id", 0xa2), {"initiator", be(1, 1)}}, []record{odd(&m.Extra)}}
	},
	func() sample {
		m := &wire.Ping{NumPongBytes: 0x1234, Ignored: []byte{0, 0, 0}}
		return sample{m, be(18, 2), []field{
			{"num_pong_bytes", be(0x1234, 2)}, {"byteslen", be(3, 2)}, {"ignored", be(0, 3)},
		}, []record{odd(&m.Extra)}}
	},
	func() sample {
		m := &wire.Pong{Ignored: []byte{0, 0, 0}}
		return sample{m, be(19, 2), []field{{"byteslen", be(3, 2)}, {"ignored", be(0, 3)}}, []record{odd(&m.Extra)}}
	},
	sampleInit,
	sampleOpenChannel,
	sampleAcceptChannel,
	func() sample {
		kind := uint16(132)
		m := &wire.StartBatch{ChannelID: fill(0xa3), BatchSize: 2, MessageType: &kind}
		return sample{m, be(127, 2), []field{hash("channel_id", 0xa3), {"batch_size", be(2, 2)}}, []record{
			{typ: 1, name: "message_type", fields: []field{{"message_type", be(132, 2)}}, drop: func() { m.MessageType = nil }},
			odd(&m.Extra),
		}}
	},
	func() sample {
		txid := wire.Txid(fill(0xa5))
		m := &wire.CommitmentSigned{
			ChannelID: fill(0xa4), Signature: fill64(1), HTLCSignatures: []wire.Signature{fill64(2), fill64(3)}, FundingTxid: &txid,
		}
		return sample{m, be(132, 2), []field{
			hash("channel_id", 0xa4), sig("signature", 1), {"num_htlcs", be(2, 2)}, sig("htlc_signature", 2), sig("htlc_signature", 3),
		}, []record{
			{typ: 1, name: "funding_txid", fields: []field{hash("funding_txid", 0xa5)}, drop: func() { m.FundingTxid = nil }},
			odd(&m.Extra),
		}}
	},
	sampleReestablish,
	sampleSupportedProtocols,
	samplePiggyback,
	func() sample {
		m := &wire.ChangeInit{Change: sampleChange, Payload: []byte("pay")}
		return sample{m, envelope(6), nil, []record{
			payloadRecord(func() { m.Payload = nil }, ""), changeRecord(rule.PCF100), odd(&m.Extra),
		}}
	},
	func() sample {
		m := &wire.ChangeAck{Change: sampleChange, Payload: []byte("pay")}
		return sample{m, envelope(8), nil, []record{
			payloadRecord(func() { m.Payload = nil }, ""), changeRecord(rule.PCF101), odd(&m.Extra),
		}}
	},
	func() sample {
		m := &wire.ChangeFunding{Outpoint: sampleOutpoint}
		return sample{m, envelope(10), nil, []record{outpointRecord(2560, "factory_change_funding", rule.PCF102), odd(&m.Extra)}}
	},
	func() sample {
		m := &wire.ChangeContinue{Outpoint: sampleOutpoint}
		return sample{m, envelope(12), nil, []record{outpointRecord(3072, "factory_change_continue", rule.PCF103), odd(&m.Extra)}}
	},
	func() sample {
		m := &wire.ChangeLocked{ChannelID: fill(0xc1), LockedFundingTxid: fill(0xc2)}
		return sample{m, envelope(14), nil, []record{{
			typ: 3584, name: "factory_change_locked", required: rule.PCF104,
			fields: []field{hash("channel_id", 0xc1), hash("locked_funding_txid", 0xc2)},
		}, odd(&m.Extra)}}
	},
	func() sample {
		m := &wire.ChangeAbort{ChannelID: fill(0xc1), Data: []byte("no")}
		return sample{m, envelope(16), nil, []record{{
			typ: 4096, name: "factory_change_abort", required: rule.PCF105, free: true,
			fields: []field{hash("channel_id", 0xc1), {"data", []byte("no")}},
		}, odd(&m.Extra)}}
	},
}

// The samples are right: both ways, for both envelopes. This pins the format,
// which a round trip alone cannot.
func TestSamples(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range codecs {
		for _, build := range samples {
			s := build()
			want := c.form(s.bytes())
			t.Run(c.name+"/"+s.message.Name(), func(t *testing.T) {
				if got := encode(t, c.codec, s.message); !bytes.Equal(got, want) {
					t.Errorf("encoded\n%x, want\n%x", got, want)
				}
				if diff := cmp.Diff(s.message, decode(t, c.codec, want), same); diff != "" {
					t.Errorf("-want +decoded:\n%s", diff)
				}
			})
			seen[s.message.Name()] = true
		}
	}
	for _, g := range generators {
		// Messages that this package passes through have no fields; base
		// messages follow.
		if !seen[g.name] && g.name != "unknown" && g.name != "base" && g.name != "factory_message" {
			t.Errorf("no sample of %s", g.name)
		}
	}
	for _, kind := range parsedKinds {
		if name := wire.EmptyOf(kind, 0).Name(); !seen[name] {
			t.Errorf("no sample of %s", name)
		}
	}
}
