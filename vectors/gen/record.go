package gen

import (
	"errors"
	"fmt"

	"superscalar/refnode/ledger"
	"superscalar/vectors"
	"superscalar/wire/rule"
)

func signRecords() (vectors.File, error) {
	f := file("PS", "record", "SPEC.md 4.5 and 7.2; values random",
		"A node that has signed nothing yet is asked to sign these transactions, one after the other. recorded is how many different ones it has signed in the end. In a bad vector it has to refuse the last one.")
	s := newSource("record")
	txid, other, x, y, z := s.bytes(32), s.bytes(32), s.bytes(32), s.bytes(32), s.bytes(32)
	on := func(kind string, sequence uint32, sighash vectors.Hex) vectors.SignEntry {
		return vectors.SignEntry{Txid: txid, Output: 1, Kind: kind, Sequence: sequence, Sighash: sighash}
	}
	states := func(list ...uint32) []vectors.SignEntry {
		var out []vectors.SignEntry
		for i, sequence := range list {
			out = append(out, on("state", sequence, []vectors.Hex{x, y, z}[i%3]))
		}
		return out
	}
	add := func(name string, recorded int, field string, id rule.ID, entries ...vectors.SignEntry) {
		v := &vectors.SignRecord{Head: head("record-"+name, id), Entries: entries}
		if field == "" {
			v.Recorded = ptr(recorded)
		} else {
			v.Outcome = fault("refused", field, -1, id)
		}
		f.Vectors = append(f.Vectors, v)
	}
	kinds := []struct {
		name     string
		sequence uint32
	}{{"static", 0xffffffff}, {"kickoff", 0xffffffff}, {"distribution", 0xfffffffe}, {"sale", 0xffffffff}, {"omission", 72}, {"poison", 0xffffffff}}
	var all []vectors.SignEntry
	for _, k := range kinds {
		first := on(k.name, k.sequence, x)
		all = append(all, first)
		add(k.name+"-again", 1, "", rule.PS011, first, first)
		add("other-"+k.name, 0, "sighash", rule.PS011, first, on(k.name, k.sequence, y))
		add("other-"+k.name+"-after-same", 0, "sighash", rule.PS011, first, first, on(k.name, k.sequence, z))
	}
	add("one-of-each-kind", 7, "", rule.PS011, append(all, on("state", 432, x))...)
	elsewhere, index := on("sale", 0xffffffff, y), on("sale", 0xffffffff, z)
	elsewhere.Txid, index.Output = other, 2
	add("other-outpoints", 3, "", rule.PS011, on("sale", 0xffffffff, x), elsewhere, index)
	add("other-sequence", 0, "sighash", rule.PS011, on("omission", 72, x), on("omission", 71, x))

	add("states-fall", 4, "", rule.DELAY002, states(432, 288, 144, 0)...)
	add("state-again", 1, "", rule.DELAY002, on("state", 288, x), on("state", 288, x))
	add("older-state-again", 2, "", rule.DELAY002, on("state", 288, x), on("state", 144, y), on("state", 288, x))
	add("state-equal", 0, "sequence", rule.DELAY002, states(432, 432)...)
	add("state-rises", 0, "sequence", rule.DELAY002, states(144, 288)...)
	add("state-rises-after-fall", 0, "sequence", rule.DELAY002, states(432, 144, 288)...)
	add("state-equals-older", 0, "sequence", rule.DELAY002, states(432, 288, 144, 288)...)
	add("state-again-with-other-sequence", 0, "sequence", rule.DELAY002, on("state", 144, x), on("state", 288, x))

	add("state-longest", 1, "", rule.DELAY001, states(65535)...)
	add("state-over-longest", 0, "sequence", rule.DELAY001, states(65536)...)
	add("state-in-seconds", 0, "sequence", rule.DELAY001, states(432, 1<<22|10)...)
	add("state-without-delay", 0, "sequence", rule.DELAY001, states(0xffffffff)...)
	return f, nil
}

func (r runner) record(v *vectors.SignRecord) error {
	l, err := ledger.New(r.rules, nil)
	if err != nil {
		return err
	}
	for i := range v.Entries {
		e, err := entryOf(&v.Entries[i])
		if err != nil {
			return err
		}
		err = l.Add([]ledger.Entry{e})
		if i == len(v.Entries)-1 && v.Error != nil {
			return sameRecordRefusal(v.Error, err)
		}
		if err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
	}
	if uint64(l.Len()) != uint64(*v.Recorded) {
		return fmt.Errorf("%d recorded, want %d", l.Len(), *v.Recorded)
	}
	return nil
}

func sameRecordRefusal(want *vectors.Failure, err error) error {
	var got *ledger.Refusal
	if !errors.As(err, &got) {
		return fmt.Errorf("answered %v, want refused by %s", err, want.Rule)
	}
	field := "sequence"
	if got.Rule == rule.PS011 {
		field = "sighash"
	}
	if want.Kind != "refused" || got.Rule != want.Rule || field != want.Field {
		return fmt.Errorf("refused by %s for %s, want %s by %s for %s", got.Rule, field, want.Kind, want.Rule, want.Field)
	}
	return nil
}

func entryOf(e *vectors.SignEntry) (ledger.Entry, error) {
	outpoint, err := outpointOf(e.Txid, e.Output)
	if err != nil || len(e.Sighash) != 32 {
		return ledger.Entry{}, fmt.Errorf("sighash of %d bytes, %v", len(e.Sighash), err)
	}
	for kind := ledger.Static; kind <= ledger.Poison; kind++ {
		if kind.String() == e.Kind {
			return ledger.Entry{Outpoint: outpoint, Kind: kind, Sequence: e.Sequence, Sighash: [32]byte(e.Sighash)}, nil
		}
	}
	return ledger.Entry{}, fmt.Errorf("no kind %q", e.Kind)
}
