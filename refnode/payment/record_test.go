package payment

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"superscalar/wire"
	"superscalar/wire/rule"
)

func genKey(t *rapid.T) HTLCKey {
	return HTLCKey{Channel: wire.ChannelID(gen32(t)), ID: rapid.Uint64().Draw(t, "id")}
}

func gen32(t *rapid.T) [32]byte {
	return [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "bytes"))
}

func genMsat(t *rapid.T) Msat { return Msat(rapid.Uint64().Draw(t, "msat")) }

// Everything that is stored reads the same.
func TestRecordsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pre := Preimage(gen32(t))
		inv := &invoice{
			Hash: pre.Hash(), State: InvoiceState(rapid.IntRange(1, 4).Draw(t, "state")), Preimage: pre, Secret: gen32(t), Amount: genMsat(t),
			Created: UnixTime(rapid.Int64().Draw(t, "created")), Expires: UnixTime(rapid.Int64().Draw(t, "expires")), FinalDelta: Blocks(rapid.Uint32().Draw(t, "delta")),
			Received: genMsat(t), Text: rapid.String().Draw(t, "text"), Ended: UnixTime(rapid.Int64().Draw(t, "ended")), Chosen: rapid.Bool().Draw(t, "chosen"),
		}
		in := &incoming{
			Key: genKey(t), Amount: genMsat(t), Hash: gen32(t), Expiry: Height(rapid.Uint32().Draw(t, "expiry")), Secret: gen32(t),
			State: htlcState(rapid.IntRange(1, 5).Draw(t, "state")), Part: genMsat(t), Total: genMsat(t), Deadline: UnixTime(rapid.Int64().Draw(t, "deadline")),
			Out: genKey(t), OutAmount: genMsat(t), Preimage: gen32(t), Reason: rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "reason"), SHA: gen32(t),
			Code: Code(rapid.Uint16().Draw(t, "code")),
		}
		p := &payment{
			Hash: gen32(t), State: PaymentState(rapid.IntRange(1, 3).Draw(t, "state")), Text: rapid.String().Draw(t, "text"), Amount: genMsat(t), MaxFee: genMsat(t),
			Routes: rapid.SliceOfN(rapid.Byte(), 1, 90).Draw(t, "routes"), Over: rapid.Bool().Draw(t, "over"),
			Reason:   Reason{Code: Code(rapid.Uint16().Draw(t, "code")), From: nodeID(5), Text: rapid.String().Draw(t, "why")},
			Preimage: gen32(t), Fee: genMsat(t), Attempts: rapid.Uint64().Draw(t, "attempts"), Created: 9, Earlier: rapid.Uint64().Draw(t, "earlier"),
			Ended: UnixTime(rapid.Int64().Draw(t, "ended")),
		}
		part := &part{
			Number: rapid.Uint64().Draw(t, "number"), State: partState(rapid.IntRange(1, 3).Draw(t, "state")), HTLC: genKey(t), Session: gen32(t), Amount: genMsat(t),
			Sent: genMsat(t), Path: rapid.SliceOfN(rapid.Byte(), 1, 90).Draw(t, "path"), From: rapid.Uint64().Draw(t, "from"),
			Code: Code(rapid.Uint16().Draw(t, "code")), Blameless: rapid.Bool().Draw(t, "blameless"),
		}
		seen := seenOnion{Key: genKey(t), Until: Height(rapid.Uint32().Draw(t, "until"))}
		id := gen32(t)
		r := newBench(quietTB{}, me, false, rule.Set{}).r
		r.seen[id] = seen
		r.spend(id)
		r.saveInvoice(inv)
		r.saveIncoming(in)
		r.saveSeen(id)
		r.savePayment(p)
		r.savePart(p, part)
		records := r.finish()[0].(Persist).Puts

		got, err := Load(r.cfg, records)
		if err != nil {
			t.Fatal(err)
		}
		if part.State == partInFlight || in.State == htlcForwarded {
			if len(got.out) == 0 {
				t.Fatal("an offered HTLC is forgotten")
			}
		}
		p.parts = append(p.parts, part)
		for _, c := range []struct{ got, want any }{
			{got.invoices[inv.Hash], inv}, {got.incoming[in.Key], in}, {got.payments[p.Hash], p}, {got.seen[id], seen}, {got.spent, map[Hash]bool{id: true}},
		} {
			if !reflect.DeepEqual(c.got, c.want) {
				t.Fatalf("\n got %+v\nwant %+v", c.got, c.want)
			}
		}
	})
}

// quietTB is a testing.TB for a bench inside a rapid check: nothing of a new
// bench can fail.
type quietTB struct{ testing.TB }

func (quietTB) Helper() {}

// Records that this package did not write are refused.
func TestLoadRefuses(t *testing.T) {
	b := newBench(t, me, false, rule.Set{}, inFactory(1, 100))
	inv, _ := b.mustInvoice(1000)
	if _, err := b.pay(PayRequest{Invoice: asked(t, other, nil)}); err != nil {
		t.Fatal(err)
	}
	good := b.records()
	slices.SortFunc(good, func(a, b Record) int { return bytes.Compare(a.Key, b.Key) })
	if _, err := Load(b.cfg, good); err != nil || len(good) != 3 {
		t.Fatal(err)
	}
	value := func(i int, v []byte) []Record {
		r := slices.Clone(good)
		r[i].Value = v
		return r
	}
	broken := map[string][]Record{
		"empty key":             {{nil, []byte{1}}},
		"unknown key":           {{[]byte{'x'}, []byte{1}}},
		"short key":             {{good[0].Key[:20], good[0].Value}},
		"twice":                 append(slices.Clone(good), good[0]),
		"part without payment":  good[2:],
		"no version":            value(0, nil),
		"version 2":             value(0, append([]byte{2}, good[0].Value[1:]...)),
		"truncated":             value(0, good[0].Value[:9]),
		"unknown field":         value(0, append(slices.Clone(good[0].Value), 99, 0)),
		"number of 9 bytes":     value(0, []byte{1, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1}),
		"zero written":          value(0, []byte{1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0}),
		"state 5 of an invoice": {{invoiceKey(inv.Hash), encodeFields((&invoice{State: 5, Preimage: inv.Preimage}).fields())}},
		"preimage of another":   {{invoiceKey(inv.Hash), encodeFields((&invoice{State: Open}).fields())}},
		"state out of range":    {{incomingKey(HTLCKey{ID: 1}), []byte{1, 0, 8, 0, 0, 0, 0, 0, 0, 1, 1}}},
		"two origins": {
			{incomingKey(HTLCKey{ID: 1}), encodeFields((&incoming{State: htlcForwarded, Out: HTLCKey{ID: 7}}).fields())},
			{incomingKey(HTLCKey{ID: 2}), encodeFields((&incoming{State: htlcForwarded, Out: HTLCKey{ID: 7}}).fields())},
		},
	}
	for name, records := range broken {
		if _, err := Load(b.cfg, records); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzLoad feeds records to Load: it reads what it would write, or refuses.
func FuzzLoad(f *testing.F) {
	b := newBench(f, me, false, rule.Set{}, inFactory(1, 100))
	b.mustInvoice(1000)
	if _, err := b.pay(PayRequest{Invoice: asked(f, other, nil)}); err != nil {
		f.Fatal(err)
	}
	for _, r := range b.records() {
		f.Add(r.Key, r.Value)
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		r, err := Load(b.cfg, []Record{{key, value}})
		if err != nil {
			if !errors.Is(err, ErrRecord) {
				t.Fatal(err)
			}
			return
		}
		r.Handle(b.desk, Block{1})
		r.Handle(b.desk, Tick{1})
		r.Handle(b.desk, Started{})
		r.Payments()
		r.Invoices()
	})
}

// FuzzHints: routes are written as they are read.
func FuzzHints(f *testing.F) {
	f.Add(encodeHints([][]Hop{{{Node: nodeID(1), SCID: 2, FeeBaseMsat: 3, FeePPM: 4, CLTVDelta: 5}}, {{Node: nodeID(2)}, {Node: nodeID(3)}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		hints, err := decodeHints(b)
		if err == nil && !bytes.Equal(encodeHints(hints), b) {
			t.Fatalf("%x reads %+v", b, hints)
		}
	})
}

// FuzzPayload: what is read of a payload is written the same, but for records that
// nobody has to know.
func FuzzPayload(f *testing.F) {
	f.Add(hopPayload{Amount: 5, Expiry: 6, SCID: 7}.encode(), false)
	f.Add(hopPayload{Amount: 5, Expiry: 6, PaymentData: true, Secret: [32]byte{1}, Total: 9, Metadata: []byte{}}.encode(), true)
	f.Fuzz(func(t *testing.T, b []byte, final bool) {
		p, err := parsePayload(b, final)
		if err != nil || p.Blinded {
			return
		}
		again, err := parsePayload(p.encode(), final)
		if err != nil && p.SCID == 0 && !final {
			return // an scid of 0 is none when it is written
		}
		if err != nil || !reflect.DeepEqual(p, again) {
			t.Fatalf("%+v reads %+v, %v", p, again, err)
		}
	})
}

// FuzzPeel: no onion makes peel panic, and one that was changed never opens.
func FuzzPeel(f *testing.F) {
	s := send(f, HTLCKey{}, 5, 6, Hash{7}, []byte{me}, hopPayload{Amount: 5, Expiry: 6}.encode())
	f.Add(s.event.Onion[:])
	f.Fuzz(func(t *testing.T, b []byte) {
		var o Onion
		copy(o[:], b)
		_, err := peel(testKey(me), o, Hash{7})
		if (err == nil) != (o == s.event.Onion) {
			t.Fatalf("opens: %v", err)
		}
	})
}

// FuzzFailure: no return packet makes the payer panic.
func FuzzFailure(f *testing.F) {
	f.Add(failure(FeeInsufficient, u64(5)).packet())
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := parseFailure(b); err == nil && len(got.Data)+4 > len(b) {
			t.Fatalf("%d bytes of %d", len(got.Data), len(b))
		}
	})
}
