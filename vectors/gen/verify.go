package gen

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Mismatch says that the implementation does not do what a vector says.
type Mismatch struct {
	Vector  string  // name of the vector
	Rule    rule.ID // one rule the vector names
	Message string  // what was expected and what came, one line
}

// Verify checks every vector against the reference implementation that keeps
// rules; the zero set has no mismatch. A vector that does not match gives one
// Mismatch per rule it names, so that a mutant without rule X is caught when
// some Mismatch has Rule X.
func Verify(files []vectors.File, rules rule.Set) []Mismatch {
	r := runner{codec: wire.Codec{Rules: rules}, rules: rules, cache: newTreeCache(), befores: &befores{}, talks: &talks{}, built: &sync.Map{}}
	var all []vectors.Vector
	for _, f := range files {
		all = append(all, f.Vectors...)
	}
	var out []Mismatch
	for i, err := range r.runAll(all) {
		if err == nil {
			continue
		}
		for _, id := range all[i].About().Rules {
			out = append(out, Mismatch{Vector: all[i].About().Name, Rule: id, Message: err.Error()})
		}
	}
	return out
}

// runAll runs the vectors on all cores; the errors stand in their order.
func (r runner) runAll(all []vectors.Vector) []error {
	errs := make([]error, len(all))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(all)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(all)); i = next.Add(1) - 1 {
				errs[i] = r.run(all[i])
			}
		})
	}
	workers.Wait()
	return errs
}

// Naming returns the files with those vectors only that name a requirement:
// all that Verify can find when nothing but this requirement is broken and
// only its Mismatches matter.
func Naming(files []vectors.File, id rule.ID) []vectors.File {
	var out []vectors.File
	for _, f := range files {
		var some []vectors.Vector
		for _, v := range f.Vectors {
			if slices.Contains(v.About().Rules, id) {
				some = append(some, v)
			}
		}
		if f.Vectors = some; len(some) > 0 {
			out = append(out, f)
		}
	}
	return out
}

// runner runs vectors against one rule set.
type runner struct {
	codec   wire.Codec
	rules   rule.Set
	cache   *treeCache
	befores *befores
	talks   *talks
	built   *sync.Map // of commitments, by what they say; nil: each is built
}

func (r runner) run(v vectors.Vector) error {
	switch v := v.(type) {
	case *vectors.Handshake:
		return r.handshake(v)
	case *vectors.Transport:
		return r.transport(v)
	case *vectors.BigSize:
		return r.bigsize(v)
	case *vectors.TLV:
		return r.tlv(v)
	case *vectors.Signed:
		return r.signed(v)
	case *vectors.Message:
		return r.message(v)
	case *vectors.Payload:
		return r.payload(v)
	case *vectors.ProtocolID:
		return r.protocolID(v)
	case *vectors.OpenDecision:
		return r.openDecision(v)
	case *vectors.OutOfPlace:
		return r.outOfPlace(v)
	case *vectors.Purchase:
		return r.purchase(v)
	case *vectors.Attempt:
		return r.attempt(v)
	case *vectors.OwnExit:
		return r.ownExit(v)
	case *vectors.Exposure:
		return r.exposure(v)
	case *vectors.RelayedError:
		return r.relayedError(v)
	case *vectors.Opening:
		return r.opening(v)
	case *vectors.Limits:
		return r.limits(v)
	case *vectors.Split:
		return r.split(v)
	case *vectors.Tree:
		return r.tree(v)
	case *vectors.History:
		return r.history(v)
	case *vectors.SignRecord:
		return r.record(v)
	case *vectors.Session:
		return r.session(v)
	case *vectors.NodeKeys:
		return r.nodeKeys(v)
	case *vectors.Script:
		return r.script(v)
	case *vectors.CeremonyMessage:
		return r.ceremonyMessage(v)
	case *vectors.Conversation:
		return r.conversation(v)
	case *vectors.ChannelConversation:
		return r.talk(v)
	case *vectors.Commitment:
		return r.commitment(v)
	case *vectors.Batch:
		return r.batch(v)
	case *vectors.Revocation:
		return r.revocation(v)
	case *vectors.HTLCExpiry:
		return r.htlcExpiry(v)
	}
	return fmt.Errorf("no check for vectors of type %T", v)
}

// outcome compares the result of reading with the error a vector asks for. It
// returns true when the vector is good and the reading succeeded, so that the
// outputs can be compared.
func outcome(v vectors.Vector, err error) (good bool, mismatch error) {
	want := v.Fails()
	switch {
	case want == nil && err == nil:
		return true, nil
	case want == nil:
		return false, fmt.Errorf("refused with %q", err)
	case err == nil:
		return false, fmt.Errorf("accepted, want %s at %s (%s)", want.Kind, want.Field, want.Rule)
	}
	return false, sameFailure(want, err)
}

func sameFailure(want *vectors.Failure, err error) error {
	var got *wire.Error
	if errors.Is(err, wire.ErrNoType) {
		got = &wire.Error{Field: "type", Kind: wire.Truncated, Rule: rule.TRN023}
	} else if !errors.As(err, &got) {
		return fmt.Errorf("refused with %q, which is no *wire.Error", err)
	}
	if string(got.Kind) != want.Kind || got.Field != want.Field || got.Rule != want.Rule {
		return fmt.Errorf("refused with %s at %s (%s), want %s at %s (%s)",
			got.Kind, got.Field, got.Rule, want.Kind, want.Field, want.Rule)
	}
	if want.Offset != nil && *want.Offset != got.Offset {
		return fmt.Errorf("%s at byte %d, want byte %d", got.Field, got.Offset, *want.Offset)
	}
	return nil
}

func sameBytes(what string, got, want []byte) error {
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%s is %x, want %x", what, got, want)
	}
	return nil
}

func sameDecoded(got, want vectors.Decoded) error {
	if !got.Fields.Equal(want.Fields) {
		return fmt.Errorf("fields are %v, want %v", show(got.Fields), show(want.Fields))
	}
	if !got.Records.Equal(want.Records) {
		return fmt.Errorf("records are %v, want %v", show(got.Records), show(want.Records))
	}
	return sameRecords(got.Unknown, want.Unknown)
}

func sameRecords(got, want []vectors.Record) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d records, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i].Type != want[i].Type || !bytes.Equal(got[i].Value, want[i].Value) {
			return fmt.Errorf("record %d is type %d value %x, want type %d value %x",
				i, got[i].Type, got[i].Value, want[i].Type, want[i].Value)
		}
	}
	return nil
}

func show(o vectors.Object) string {
	b, err := o.MarshalJSON()
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// stream turns records of a vector into those of package wire.
func stream(list []vectors.Record) wire.Stream {
	var out wire.Stream
	for _, r := range list {
		out = append(out, wire.Record{Type: uint64(r.Type), Value: r.Value})
	}
	return out
}

// records is the reverse of stream.
func records(s wire.Stream) []vectors.Record {
	var out []vectors.Record
	for _, r := range s {
		out = append(out, vectors.Record{Type: vectors.Uint(r.Type), Value: r.Value})
	}
	return out
}
