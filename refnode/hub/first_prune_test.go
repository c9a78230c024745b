package hub_test

import (
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/channel"
	"superscalar/refnode/closing"
	"superscalar/refnode/hub"
	"superscalar/wire"
)

// manyOutputs is a factory whose channels have an output and a key each.
type manyOutputs struct{ oneOutput }

func (manyOutputs) FundingKey(_ wire.Point, open *wire.OpenChannel) (*btcec.PrivateKey, error) {
	return secret("channel_key" + open.TemporaryChannelID.String()), nil
}

// firsts is how many records of first commitments are on the disk.
func (k *taker) firsts() int {
	k.t.Helper()
	names, err := k.store.Keys("first-commitments")
	check(k.t, err)
	return len(names)
}

// record is that of an output.
func (k *taker) record(index uint16) []byte {
	k.t.Helper()
	record, found, err := k.store.Get("first-commitments", fmt.Sprintf("05%062x/%d", 0, index))
	check(k.t, err)
	if !found {
		k.t.Fatalf("no record of output %d", index)
	}
	return record
}

// What was signed is kept until the factory is over for this client: its last channel
// there is spent on the chain, 100 blocks deep, not when it is merely buried, gone with
// its attempt, or the end of another factory. The record of another factory stays.
func TestFirstCommitmentsArePruned(t *testing.T) {
	const rate = channel.MinFeeratePerKw
	k := &taker{t: t, many: true, dir: t.TempDir(), lsp: wire.Point(secret("lsp").PubKey().SerializeCompressed())}
	k.start()
	defer func() { k.stop() }()
	is := func(when string, want int) {
		t.Helper()
		if n := k.firsts(); n != want {
			t.Fatalf("%s: %d records, want %d", when, n, want)
		}
	}
	end := func(index uint16, depth closing.Plan) {
		t.Helper()
		check(t, k.hub.See(channel.ChannelIDOf(wire.Txid{5}, index), depth))
	}
	const other = 7 // index of an output of another factory
	if !k.signsAt(1, rate, 1) || !k.signsAt(2, rate, 2) || !k.signsAt(3, rate, 3) || !k.signsAt(4, rate, other) {
		t.Fatal("it does not sign")
	}
	check(t, k.hub.Do(channel.ChannelIDOf(wire.Txid{5}, 3), func(m *channel.Machine) error { m.Forget(); return nil }))
	is("an attempt is over", 4)
	buried := closing.Plan{End: closing.Ours, Depth: closing.Buried}
	done := closing.Plan{End: closing.Ours, Depth: closing.Forgotten}
	end(1, buried)
	is("a channel is buried", 4)
	end(1, done)
	is("there is another channel", 4)
	end(other, done)
	is("the other factory is over", 3)
	k.stop()
	k.start()
	end(2, buried)
	is("the last channel is buried", 3)
	end(2, done)
	is("the last channel is done", 0)
	if n := len(k.hub.Channels()); n != 0 {
		t.Errorf("%d channels", n)
	}
}

// A factory has room for so many first commitments; then no more is signed, another
// factory's is, and what was signed is signed again.
func TestFirstCommitmentsAreBounded(t *testing.T) {
	const rate = channel.MinFeeratePerKw
	k := &taker{t: t, dir: t.TempDir(), lsp: wire.Point(secret("lsp").PubKey().SerializeCompressed())}
	k.start()
	defer func() { k.stop() }()
	if !k.signsAt(1, rate, 1) {
		t.Fatal("it does not sign the first one")
	}
	k.forget()
	check(t, hub.FillFirsts(k.store, k.record(1), hub.MaxFirst-1))
	if k.signsAt(2, rate, 2) {
		t.Error("it signs one too many")
	}
	if !k.signsAt(1, rate, 1) {
		t.Error("it does not sign again what it has signed")
	}
	k.forget()
	if !k.signsAt(3, rate, 7) {
		t.Error("there is no room for another factory")
	}
}
