package wire_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"testing"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// mutation is one rule of the codec on one stated input: what a codec does
// that keeps the rule, and what the mutant does that does not.
type mutation struct {
	rule         rule.ID
	name         string
	run          func(wire.Codec) string
	kept, broken string
	// touches are other rules that the input needs too, so that their mutants
	// show on it.
	touches []rule.ID
}

var mutations = []mutation{
	{rule.TRN030, "5 written as a bigsize", func(c wire.Codec) string { return hex.EncodeToString(c.AppendBigSize(nil, 5)) }, "05", "fd0005", nil},
	{rule.TRN031, "bigsize fd0005", readBigSize("fd0005"), "not-minimal TRN-031 at 0", "5 in 3 bytes", nil},
	{rule.TRN031, "record type not minimal", readStream("fd000301aa"), "not-minimal TRN-031 at 0", "3:aa", nil},
	{rule.TRN031, "record length not minimal", readStream("03fd0001aa"), "not-minimal TRN-031 at 1", "3:aa", nil},
	{rule.TRN032, "empty bigsize", readBigSize(""), "truncated TRN-032 at 0", "0 in 0 bytes", nil},
	{rule.TRN032, "bigsize fd00", readBigSize("fd00"), "truncated TRN-032 at 0", "0 in 2 bytes", nil},
	{rule.TRN032, "record without length", readStream("03"), "truncated TRN-032 at 1", "3:", nil},
	{rule.TRN033, "records out of order", readStream("0500" + "0300"), "order TRN-033 at 2", "5: 3:", []rule.ID{rule.TRN038}},
	{rule.TRN033, "a record twice", readStream("0300" + "0300"), "order TRN-033 at 2", "3: 3:", []rule.ID{rule.TRN038}},
	{rule.TRN034, "length beyond the end", readStream("0302aa"), "truncated TRN-034 at 2", "3:aa", nil},
	{rule.TRN035, "known record too short", readStream("0101aa", u16Record), "wrong-length TRN-035 at 2", "u16=43520", nil},
	{rule.TRN035, "known record too long", readStream("0103aabbcc", u16Record), "wrong-length TRN-035 at 4", "u16=43707", nil},
	{rule.TRN036, "truncated integer with a leading zero", readStream("01020001", tu64Record), "not-minimal TRN-036 at 2", "tu64=1", nil},
	{rule.TRN037, "unknown even record", readStream("0201aa"), "unknown-even TRN-037 at 0", "2:aa", nil},
	{rule.TRN038, "unknown odd record", readStream("0301aa"), "3:aa", "unknown-even TRN-038 at 0", nil},
	{rule.TRN039, "records 5 and 3 written", appendStream(wire.Stream{{Type: 5}, {Type: 3}}), "03000500", "05000300", []rule.ID{rule.TRN030}},
	{rule.TRN040, "a point that is none", decodeHex(reestablishWith(wire.Point{5})), "bad-point TRN-040 at 82", "channel_reestablish", nil},
	{rule.TRN041, "s64 of -2", readStream("0108fffffffffffffffe", s64Record), "s64=-2", "s64=9223372036854775806", nil},
	{rule.TRN042, "an unknown record encoded again", recode("0013" + "0000" + "0301aa"), "001300000301aa", "00130000", []rule.ID{rule.TRN030, rule.TRN038}},
	{rule.TRN043, "a ping that ends early", decodeHex("0012" + "0001"), "truncated TRN-043 at 4", "ping", nil},
	{rule.PCF007, "factory message in the compatibility form", func(c wire.Codec) string {
		c.Envelope = wire.TypeFactoryCompat
		return encodeHex(c, &wire.UnknownFactory{Sub: 19})[:4]
	}, "80e9", "8020", nil},
	{rule.PCF007, "type 33001 read in the compatibility form", func(c wire.Codec) string {
		c.Envelope = wire.TypeFactoryCompat
		return decodeHex("80e9" + "0013")(c)
	}, "factory_message", "unknown", nil},
	{rule.PCF016, "submessage id of supported_factory_protocols", func(c wire.Codec) string {
		return encodeHex(c, &wire.SupportedProtocols{})
	}, "80200002fd020000", "80200004fd020000", []rule.ID{rule.TRN030}},
	{rule.PCF040, "id of SuperScalar", func(c wire.Codec) string { id := c.SuperScalarID(); return hex.EncodeToString(id[:4]) }, "c3a082d0", "c2f12580", nil},
	{rule.PCF045, "type of a SuperScalar message", func(c wire.Codec) string {
		b, err := c.EncodePayload(wire.Payload{Type: 1})
		return outcome(hex.EncodeToString(b), err)
	}, "0001", "0100", nil},
	{rule.PCF050, "id of Loopback", func(c wire.Codec) string { id := c.LoopbackID(); return hex.EncodeToString(id[:4]) }, "c21afac0", "64edaa3f", nil},
}

// With all rules the codec is right; without one it goes wrong on the stated
// input, or the mutant could not be told from the original; and it goes wrong
// for no other rule, or a mutant would break more than it says.
func TestEachRuleBites(t *testing.T) {
	for _, m := range mutations {
		t.Run(string(m.rule)+" "+m.name, func(t *testing.T) {
			if got := m.run(wire.Codec{}); got != m.kept {
				t.Errorf("with every rule: %q, want %q", got, m.kept)
			}
			if got := m.run(wire.Codec{Rules: rule.Without(m.rule)}); got != m.broken {
				t.Errorf("without the rule: %q, want %q", got, m.broken)
			}
			for _, other := range switchable {
				if other == m.rule || slices.Contains(m.touches, other) {
					continue
				}
				if got := m.run(wire.Codec{Rules: rule.Without(other)}); got != m.kept {
					t.Errorf("without %s, another rule: %q, want %q", other, got, m.kept)
				}
			}
		})
	}
}

// switchable are the rules that the codec of a mutant can leave out.
var switchable = []rule.ID{
	rule.TRN030, rule.TRN031, rule.TRN032, rule.TRN033, rule.TRN034, rule.TRN035, rule.TRN036, rule.TRN037, rule.TRN038, rule.TRN039,
	rule.TRN040, rule.TRN041, rule.TRN042, rule.TRN043, rule.PCF007, rule.PCF016, rule.PCF040, rule.PCF045, rule.PCF050,
}

// Every requirement of section 2.3, and every one of section 3 that vectors
// decide here, has a row.
func TestEveryRuleHasAMutation(t *testing.T) {
	for _, q := range rule.Embedded().Requirements {
		if q.Section == "2.3 BigSize and TLV streams" && !slices.Contains(switchable, q.ID) {
			t.Errorf("%s is not among the switchable rules", q.ID)
		}
	}
	for _, id := range switchable {
		if !slices.ContainsFunc(mutations, func(m mutation) bool { return m.rule == id }) {
			t.Errorf("%s has no mutation", id)
		}
	}
}

// outcome is a result, or the class, rule and place of an error.
func outcome(result string, err error) string {
	var e *wire.Error
	switch {
	case err == nil:
		return result
	case errors.As(err, &e):
		return fmt.Sprintf("%s %s at %d", e.Kind, e.Rule, e.Offset)
	default:
		return err.Error()
	}
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func readBigSize(input string) func(wire.Codec) string {
	return func(c wire.Codec) string {
		v, n, err := c.ReadBigSize(unhex(input))
		return outcome(fmt.Sprintf("%d in %d bytes", v, n), err)
	}
}

// readStream gives what the known record made of its value, or the unknown
// records.
func readStream(input string, known ...func(*string) wire.RecordType) func(wire.Codec) string {
	return func(c wire.Codec) string {
		var read string
		var types []wire.RecordType
		for _, k := range known {
			types = append(types, k(&read))
		}
		extra, err := c.ReadStream("stream", unhex(input), types...)
		for i, r := range extra {
			if i > 0 {
				read += " "
			}
			read += fmt.Sprintf("%d:%x", r.Type, r.Value)
		}
		return outcome(read, err)
	}
}

func u16Record(out *string) wire.RecordType {
	return wire.RecordType{Type: 1, Name: "u16", Read: func(r *wire.Reader) { *out = fmt.Sprintf("u16=%d", r.U16("u16")) }}
}

func tu64Record(out *string) wire.RecordType {
	return wire.RecordType{Type: 1, Name: "tu64", Read: func(r *wire.Reader) { *out = fmt.Sprintf("tu64=%d", r.TruncatedUint("tu64", 8)) }}
}

func s64Record(out *string) wire.RecordType {
	return wire.RecordType{Type: 1, Name: "s64", Read: func(r *wire.Reader) { *out = fmt.Sprintf("s64=%d", r.S64("s64")) }}
}

func appendStream(s wire.Stream) func(wire.Codec) string {
	return func(c wire.Codec) string {
		b, err := c.AppendStream(nil, s)
		return outcome(hex.EncodeToString(b), err)
	}
}

// decodeHex gives the name of the message.
func decodeHex(input string) func(wire.Codec) string {
	return func(c wire.Codec) string {
		m, err := c.Decode(unhex(input))
		if err != nil {
			return outcome("", err)
		}
		return m.Name()
	}
}

func encodeHex(c wire.Codec, m wire.Message) string {
	b, err := c.Encode(m)
	return outcome(hex.EncodeToString(b), err)
}

func recode(input string) func(wire.Codec) string {
	return func(c wire.Codec) string {
		m, err := c.Decode(unhex(input))
		if err != nil {
			return outcome("", err)
		}
		return encodeHex(c, m)
	}
}

// reestablishWith is a channel_reestablish with p where its point stands,
// which Encode does not look into.
func reestablishWith(p wire.Point) string {
	return encodeHex(wire.Codec{}, &wire.ChannelReestablish{MyCurrentPerCommitmentPoint: p})
}
