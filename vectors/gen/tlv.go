package gen

import (
	"fmt"

	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

func tlvs() (vectors.File, error) {
	f := file("TRN", "tlv", "BOLT 1 appendix B; vectors named own-* are this project's",
		"decode: read the whole of bytes as a tlv_stream of the namespace; 'any' stands for n1 and for n2, which answer alike. encode: write the records of input, which stand in any order. An offset is counted from the first byte of bytes, for encode from the first byte of what would be written.")
	for _, c := range tlvFaults {
		ids := []rule.ID{c.rule}
		if c.rule == rule.TRN033 {
			ids = append(ids, rule.TRN039) // the writer of such a stream broke this one
		}
		f.Vectors = append(f.Vectors, &vectors.TLV{Head: head("tlv-"+c.name, ids...), Op: "decode", Namespace: c.namespace,
			Bytes: unhex(c.bytes), Outcome: fault(c.kind, c.field, c.offset, c.rule)})
	}
	for _, c := range tlvGood {
		v, err := goodTLV(c.name, c.namespace, unhex(c.bytes))
		if err != nil {
			return f, err
		}
		f.Vectors = append(f.Vectors, v)
	}
	appended, err := appendedTLVs()
	f.Vectors = append(f.Vectors, appended...)
	f.Vectors = append(f.Vectors, encodeTLVs()...)
	return f, err
}

// goodTLV fills in what the stream says.
func goodTLV(name, namespace string, b []byte) (*vectors.TLV, error) {
	d, err := readNamespace(wire.Codec{}, namespaces(namespace)[0], b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	ids := []rule.ID{rule.TRN034, rule.TRN035}
	if len(d.Unknown) > 0 {
		ids = []rule.ID{rule.TRN038}
	}
	for _, m := range d.Records {
		if m.Name == "tlv3" {
			ids = append(ids, rule.TRN040)
		}
		if m.Name == "tlv1" {
			ids = append(ids, rule.TRN036)
		}
	}
	return &vectors.TLV{Head: head("tlv-"+name, ids...), Op: "decode", Namespace: namespace, Bytes: b, Decoded: d}, nil
}

// appendedTLVs joins streams: a stream of higher types after one of lower
// types is good, an invalid one after a valid one is not.
func appendedTLVs() ([]vectors.Vector, error) {
	var out []vectors.Vector
	var all []byte
	for i, c := range tlvChain {
		b := unhex(c.bytes)
		if i > 0 {
			v, err := goodTLV("n1-"+tlvChain[i-1].name+"-then-"+c.name, "n1", append(unhex(tlvChain[i-1].bytes), b...))
			if err != nil {
				return nil, err
			}
			v.Rules = append(v.Rules, rule.TRN033)
			out = append(out, v)
		}
		all = append(all, b...)
	}
	v, err := goodTLV("n1-all", "n1", all)
	if err != nil {
		return nil, err
	}
	v.Rules = append(v.Rules, rule.TRN033)
	out = append(out, v)

	prefix := unhex(tlvChain[0].bytes)
	for _, c := range tlvFaults {
		if c.namespace != "any" || c.rule == rule.TRN031 { // a longer form of type 1 would also be out of order
			continue
		}
		offset := c.offset
		if offset >= 0 {
			offset += len(prefix)
		}
		out = append(out, &vectors.TLV{Head: head("tlv-n1-valid-then-"+c.name, c.rule), Op: "decode", Namespace: "n1",
			Bytes: append(prefix[:len(prefix):len(prefix)], unhex(c.bytes)...), Outcome: fault(c.kind, c.field, offset, c.rule)})
	}
	return out, nil
}

// encodeTLVs shuffles records, and repeats one.
func encodeTLVs() []vectors.Vector {
	s := newSource("tlv encode")
	types := []vectors.Uint{0, 1, 252, 253, 65535, 65536, 1<<32 - 1, 1 << 32, 1<<64 - 1}
	var out []vectors.Vector
	for n := 1; n <= len(types); n += 2 {
		sorted := make([]vectors.Record, 0, n)
		for _, t := range types[len(types)-n:] {
			sorted = append(sorted, vectors.Record{Type: t, Value: s.bytes(s.between(0, 6))})
		}
		input := make([]vectors.Record, n)
		for i := range sorted {
			input[(i*2+1)%n] = sorted[i] // n is odd: every place is taken once
		}
		name := fmt.Sprintf("own-encode-%d", n)
		out = append(out, &vectors.TLV{Head: head("tlv-"+name, rule.TRN039, rule.TRN030), Op: "encode", Input: input, Bytes: plainStream(sorted)})
		first := sorted[0]
		twice := append(append([]vectors.Record{}, input...), vectors.Record{Type: first.Type, Value: s.bytes(3)})
		out = append(out, &vectors.TLV{Head: head("tlv-"+name+"-one-type-twice", rule.TRN039), Op: "encode", Input: twice,
			Outcome: fault("order", fmt.Sprintf("record %d", first.Type), -1, rule.TRN039)})
	}
	return out
}

// namespaces returns the layouts a namespace of a vector stands for.
func namespaces(name string) []vectors.Layout {
	switch name {
	case "n1":
		return vectors.Namespaces[:1]
	case "n2":
		return vectors.Namespaces[1:]
	}
	return vectors.Namespaces
}

func readNamespace(c wire.Codec, l vectors.Layout, b []byte) (vectors.Decoded, error) {
	return l.Read(c.NewReader(l.Name, b))
}

func (r runner) tlv(v *vectors.TLV) error {
	if v.Op == "encode" {
		b, err := r.codec.AppendStream(nil, stream(v.Input))
		good, mismatch := outcome(v, err)
		if !good {
			return mismatch
		}
		return sameBytes("encoding", b, v.Bytes)
	}
	for _, l := range namespaces(v.Namespace) {
		got, err := readNamespace(r.codec, l, v.Bytes)
		good, mismatch := outcome(v, err)
		if good {
			mismatch = sameDecoded(got, v.Decoded)
		}
		if mismatch != nil {
			return fmt.Errorf("namespace %s: %w", l.Name, mismatch)
		}
	}
	return nil
}
