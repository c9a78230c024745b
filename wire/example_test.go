package wire_test

import (
	"encoding/hex"
	"errors"
	"fmt"

	"superscalar/wire"
)

// A pong of two bytes, then the same with a record of an unknown even type,
// which has to be understood and is not.
func ExampleCodec_Decode() {
	var c wire.Codec

	b, _ := hex.DecodeString("0013" + "0002" + "0000")
	m, err := c.Decode(b)
	if err != nil {
		fmt.Println(err)
		return
	}
	if pong, ok := m.(*wire.Pong); ok {
		fmt.Println(m.Name(), len(pong.Ignored))
	}

	_, err = c.Decode(append(b, 0x02, 0x00))
	var e *wire.Error
	if errors.As(err, &e) {
		fmt.Println(e)
		fmt.Println("broken requirement:", e.Rule)
	}
	// Output:
	// pong 2
	// pong: record 2 at byte 6: unknown-even
	// broken requirement: TRN-037
}

// The protocols a node speaks, in the normative envelope and in the one of the
// CLN fork.
func ExampleCodec_Encode() {
	var c wire.Codec
	m := &wire.SupportedProtocols{IDs: [][32]byte{c.SuperScalarID()}}
	for _, c := range []wire.Codec{{}, {Envelope: wire.TypeFactoryCompat}} {
		b, err := c.Encode(m)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%x\n", b)
	}
	// Output:
	// 80200002fd020020c3a082d0fcb768d76999f4f8ad672f7110fbef6a13a1697686c7073961c842f1
	// 80e90002fd020020c3a082d0fcb768d76999f4f8ad672f7110fbef6a13a1697686c7073961c842f1
}

// A stream of one known record, an amount in msat without leading zeros, and
// one record that only the sender knows.
func ExampleCodec_ReadStream() {
	var c wire.Codec
	var amount uint64
	b, _ := hex.DecodeString("01" + "02" + "03e8" + "fd0101" + "02" + "beef")
	extra, err := c.ReadStream("example", b, wire.RecordType{
		Type: 1, Name: "amount_msat",
		Read: func(r *wire.Reader) { amount = r.TruncatedUint("amount_msat", 8) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("amount:", amount, "msat")
	for _, r := range extra {
		fmt.Printf("record %d: %x\n", r.Type, r.Value)
	}
	// Output:
	// amount: 1000 msat
	// record 257: beef
}

// A SuperScalar message as it arrives in a factory_piggyback. Records of any
// type are kept: the ceremony that the type belongs to knows them.
func ExampleCodec_DecodePayload() {
	var c wire.Codec
	b, _ := hex.DecodeString("0102" + "00" + "01" + "07")
	p, err := c.DecodePayload(b)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("type %d, record %d: %x\n", p.Type, p.Records[0].Type, p.Records[0].Value)

	_, err = c.DecodePayload(b[:1])
	fmt.Println(err)
	// Output:
	// type 258, record 0: 07
	// superscalar message: type at byte 0: truncated
}

// What a node that speaks bLIP-56 offers, every feature as optional (the odd
// bit), and whether all that factories depend on is there.
func ExampleNewFeatures() {
	f := wire.NewFeatures(wire.FeatureQuiesce+1, wire.FeatureScidAlias+1, wire.FeatureZeroConf+1, wire.FeatureFactories+1)
	fmt.Println(len(f), "bytes, bits", f.Bits())
	fmt.Println("factories offered:", f.Offers(wire.FeatureFactories), "required:", f.Bit(wire.FeatureFactories))
	for _, d := range wire.Dependencies(wire.FeatureFactories) {
		fmt.Println("needs", d, f.Offers(d))
	}
	// Output:
	// 34 bytes, bits [35 47 51 271]
	// factories offered: true required: false
	// needs 34 true
	// needs 50 true
}
