package payment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"superscalar/wire"
)

// ErrRecord is a stored record that cannot be read.
var ErrRecord = errors.New("record of the router")

// recordVersion is the first byte of every record.
const recordVersion = 1

// First bytes of the keys.
const (
	kindInvoice  = 'i' // then the payment hash
	kindIncoming = 'h' // then channel and id
	kindSeen     = 's' // then the hash of the onion's shared secret
	kindPayment  = 'p' // then the payment hash
	kindPart     = 'q' // then payment hash and number
	kindSpent    = 'u' // then the payment hash
)

// field is one record of a value: how it is written, nil when it is absent, and
// how it is read.
type field struct {
	typ   uint64
	value []byte
	read  func(*wire.Reader)
}

// encodeFields writes a value: the version and a tlv_stream.
func encodeFields(fields []field) []byte {
	var records wire.Stream
	for _, f := range fields {
		if f.value != nil {
			records = append(records, wire.Record{Type: f.typ, Value: f.value})
		}
	}
	b, err := wire.Codec{}.AppendStream([]byte{recordVersion}, records)
	if err != nil {
		return nil // the types of a table differ
	}
	return b
}

// decodeFields reads what encodeFields wrote.
func decodeFields(name string, b []byte, fields []field) error {
	if len(b) == 0 || b[0] != recordVersion {
		return fmt.Errorf("%w: %s has no known version", ErrRecord, name)
	}
	known := make([]wire.RecordType, len(fields))
	for i, f := range fields {
		known[i] = wire.RecordType{Type: f.typ, Name: fmt.Sprintf("field %d", f.typ), Read: f.read}
	}
	extra, err := wire.Codec{}.ReadStream(name, b[1:], known...)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if len(extra) > 0 {
		return fmt.Errorf("%w: %s has an unknown field %d", ErrRecord, name, extra[0].Type)
	}
	return nil
}

// number is a field of 8 bytes, absent when it is 0.
func number[T ~uint64 | ~uint32 | ~uint16 | ~uint8 | ~int64](typ uint64, v *T) field {
	f := field{typ: typ, read: func(r *wire.Reader) { *v = T(r.U64("number")) }}
	if *v != 0 {
		f.value = u64(uint64(*v))
	}
	return f
}

// array is a field of 32 bytes, absent when all are 0.
func array[T ~[32]byte](typ uint64, v *T) field {
	f := field{typ: typ, read: func(r *wire.Reader) { *v = r.Array32("array") }}
	if a := [32]byte(*v); a != [32]byte{} {
		f.value = a[:]
	}
	return f
}

// blob is a field of any length, absent when it is empty.
func blob(typ uint64, v *[]byte) field {
	f := field{typ: typ, read: func(r *wire.Reader) { *v = r.Rest() }}
	if len(*v) > 0 {
		f.value = *v
	}
	return f
}

// flag is a field of 8 bytes, absent when it is false.
func flag(typ uint64, v *bool) field {
	n := uint8(btoi(*v))
	f := number(typ, &n)
	f.read = func(r *wire.Reader) { *v = r.U64("flag") == 1 }
	return f
}

// text is a field of any length, absent when it is empty.
func text(typ uint64, v *string) field {
	f := field{typ: typ, read: func(r *wire.Reader) { *v = string(r.Rest()) }}
	if *v != "" {
		f.value = []byte(*v)
	}
	return f
}

// htlc is a field that names an HTLC, absent when it names none.
func htlc(typ uint64, v *HTLCKey) field {
	f := field{typ: typ, read: func(r *wire.Reader) { *v = HTLCKey{Channel: r.Array32("channel"), ID: r.U64("id")} }}
	if *v != (HTLCKey{}) {
		f.value = v.bytes()
	}
	return f
}

func (i *invoice) fields() []field {
	return []field{
		number(0, &i.State), array(2, &i.Preimage), array(4, &i.Secret), number(6, &i.Amount), number(8, &i.Created),
		number(10, &i.Expires), number(12, &i.FinalDelta), number(14, &i.Received), text(16, &i.Text),
		number(18, &i.Ended), flag(20, &i.Chosen),
	}
}

func (in *incoming) fields() []field {
	return []field{
		number(0, &in.State), number(2, &in.Amount), array(4, &in.Hash), number(6, &in.Expiry), array(8, &in.Secret),
		number(10, &in.Part), number(12, &in.Total), number(14, &in.Deadline), htlc(16, &in.Out), number(18, &in.OutAmount),
		array(20, &in.Preimage), blob(22, &in.Reason), array(24, &in.SHA), number(26, &in.Code),
	}
}

func (s *seenOnion) fields() []field { return []field{htlc(0, &s.Key), number(2, &s.Until)} }

func invoiceKey(h Hash) []byte { return append([]byte{kindInvoice}, h[:]...) }

func incomingKey(k HTLCKey) []byte { return append([]byte{kindIncoming}, k.bytes()...) }

func seenKey(id [32]byte) []byte { return append([]byte{kindSeen}, id[:]...) }

func paymentKey(h Hash) []byte { return append([]byte{kindPayment}, h[:]...) }

func partKey(h Hash, n uint64) []byte {
	return binary.BigEndian.AppendUint64(append([]byte{kindPart}, h[:]...), n)
}

func spentKey(h Hash) []byte { return append([]byte{kindSpent}, h[:]...) }

// change notes a record for the Persist of the step, nil to delete it.
func (r *Router) change(key, value []byte) { r.changes[string(key)] = value }

func (r *Router) saveInvoice(i *invoice) { r.change(invoiceKey(i.Hash), encodeFields(i.fields())) }

func (r *Router) saveIncoming(in *incoming) { r.change(incomingKey(in.Key), encodeFields(in.fields())) }

func (r *Router) saveSeen(id [32]byte) {
	s := r.seen[id]
	r.change(seenKey(id), encodeFields(s.fields()))
}

func (r *Router) savePayment(p *payment) { r.change(paymentKey(p.Hash), encodeFields(p.fields())) }

func (r *Router) savePart(p *payment, t *part) {
	r.change(partKey(p.Hash, t.Number), encodeFields(t.fields()))
}

// load reads every record. Payments come before their parts.
func (r *Router) load(records []Record) error {
	sorted := slices.Clone(records)
	slices.SortFunc(sorted, func(a, b Record) int { return bytes.Compare(a.Key, b.Key) })
	for i, rec := range sorted {
		if i > 0 && bytes.Equal(rec.Key, sorted[i-1].Key) {
			return fmt.Errorf("%w: two of one key", ErrRecord)
		}
		if err := r.loadRecord(rec); err != nil {
			return err
		}
	}
	return nil
}

func (r *Router) loadRecord(rec Record) error {
	name, fields, done, err := r.place(rec.Key)
	if err != nil {
		return err
	}
	if err := decodeFields(name, rec.Value, fields()); err != nil {
		return err
	}
	// What is read has to be written the same way: no field twice the same
	// thing, no number out of its range.
	if !bytes.Equal(encodeFields(fields()), rec.Value) {
		return fmt.Errorf("%w: %s is not what this version writes", ErrRecord, name)
	}
	return done()
}

// place makes the object that a key names: its fields, and what puts it into the
// router once they are read.
func (r *Router) place(key []byte) (name string, fields func() []field, done func() error, err error) {
	if len(key) == 0 {
		return "", nil, nil, fmt.Errorf("%w: empty key", ErrRecord)
	}
	switch id := key[1:]; {
	case key[0] == kindInvoice && len(id) == 32:
		inv := &invoice{Hash: Hash(id)}
		return "invoice", inv.fields, func() error { return r.addInvoice(inv) }, nil
	case key[0] == kindIncoming && len(id) == 40:
		in := &incoming{Key: HTLCKey{Channel: wire.ChannelID(id[:32]), ID: binary.BigEndian.Uint64(id[32:])}}
		return "received htlc", in.fields, func() error { return r.addIncoming(in) }, nil
	case key[0] == kindSeen && len(id) == 32:
		s := &seenOnion{}
		return "onion", s.fields, func() error { r.seen[[32]byte(id)] = *s; return nil }, nil
	case key[0] == kindPayment && len(id) == 32:
		p := &payment{Hash: Hash(id)}
		return "payment", p.fields, func() error { return r.addPayment(p) }, nil
	case key[0] == kindSpent && len(id) == 32:
		return "paid hash", func() []field { return nil }, func() error { r.spent[Hash(id)] = true; return nil }, nil
	case key[0] == kindPart && len(id) == 40:
		t := &part{Number: binary.BigEndian.Uint64(id[32:])}
		return "part", t.fields, func() error { return r.addPart(Hash(id[:32]), t) }, nil
	}
	return "", nil, nil, fmt.Errorf("%w: unknown key", ErrRecord)
}

func (r *Router) addInvoice(inv *invoice) error {
	if inv.State < Open || inv.State > Expired || inv.Preimage.Hash() != inv.Hash {
		return fmt.Errorf("%w: invoice %v contradicts itself", ErrRecord, inv.Hash)
	}
	r.invoices[inv.Hash] = inv
	if inv.State == Open {
		r.open[inv.Hash] = inv
	}
	return nil
}

func (r *Router) addIncoming(in *incoming) error {
	if in.State < htlcHeld || in.State > htlcMalformed {
		return fmt.Errorf("%w: received htlc in state %d", ErrRecord, in.State)
	}
	r.incoming[in.Key] = in
	switch in.State {
	case htlcHeld:
		r.keep(in)
	case htlcForwarded:
		if _, twice := r.out[in.Out]; twice {
			return fmt.Errorf("%w: an offered htlc has two origins", ErrRecord)
		}
		r.out[in.Out] = origin{forward: &in.Key}
	}
	return nil
}

func (r *Router) addPayment(p *payment) error {
	if p.State < InFlight || p.State > Failed {
		return fmt.Errorf("%w: payment %v in state %d", ErrRecord, p.Hash, p.State)
	}
	r.payments[p.Hash] = p
	return nil
}

func (r *Router) addPart(h Hash, t *part) error {
	p := r.payments[h]
	if p == nil || t.State < partInFlight || t.State > partFailed {
		return fmt.Errorf("%w: part %d of %v has no payment or no state", ErrRecord, t.Number, h)
	}
	p.parts = append(p.parts, t)
	if t.State == partInFlight {
		if _, twice := r.out[t.HTLC]; twice {
			return fmt.Errorf("%w: an offered htlc has two origins", ErrRecord)
		}
		r.out[t.HTLC] = origin{payment: h, part: t.Number}
	}
	return nil
}
