package peer_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"superscalar/refnode/peer"
	"superscalar/refnode/plugin"
	"superscalar/wire"
)

// step is one event of a conversation.
type step struct {
	raw  []byte // a message from the peer, or
	sell uint64 // sat, an order to this node, when raw is nil
}

// steps draws a conversation: mostly one that gets past init and the lists of
// protocols, since a machine that hung up shows nothing.
func steps(t *rapid.T, codec wire.Codec) (out []step) {
	if rapid.IntRange(0, 4).Draw(t, "hello") > 0 {
		for _, m := range []wire.Message{build("init", newArgs(nil)), &wire.SupportedProtocols{IDs: protocols}} {
			out = append(out, step{raw: mustEncode(codec, m)})
		}
	}
	switch rapid.IntRange(0, 9).Draw(t, "prologue") { // small numbers are drawn more often
	case 9: // more channels than there is room for
		for n := range byte(mostAttempts + 2) {
			out = append(out, step{raw: mustEncode(codec, goodOpen(n+0x20))})
		}
		out = append(out, step{raw: mustEncode(codec, goodOpen(0x20))}) // its id is in use
	case 5: // a sale
		out = append(out, step{sell: 100_000}, step{raw: mustEncode(codec, goodAccept(0xe1))})
	case 3: // two kinds of echo
		out = append(out, step{raw: mustEncode(codec, &wire.Ping{NumPongBytes: 5})})
		out = append(out, step{raw: mustEncode(codec, &wire.Piggyback{ProtocolID: codec.LoopbackID(), Payload: []byte{plugin.LoopbackRequest}})})
	}
	for range rapid.IntRange(0, 20).Draw(t, "length") {
		if rapid.IntRange(0, 9).Draw(t, "order") > 0 {
			out = append(out, step{raw: raw(t, codec)})
			continue
		}
		out = append(out, step{sell: rapid.SampledFrom([]uint64{1, 1299, 100_000, 1<<24 - 1, 1 << 24}).Draw(t, "sat")})
		if rapid.Bool().Draw(t, "accept") {
			out = append(out, step{raw: mustEncode(codec, goodAccept(rapid.SampledFrom(ids[4:]).Draw(t, "id")))})
		}
	}
	return out
}

func mustEncode(codec wire.Codec, m wire.Message) []byte {
	b, err := codec.Encode(m)
	if err != nil {
		panic(err)
	}
	return b
}

// play lets a new machine have the conversation and returns all it did.
func play(t interface {
	Helper()
	Fatalf(string, ...any)
}, codec wire.Codec, conversation []step) []peer.Action {
	t.Helper()
	r := &referee{t: t, codec: codec, machine: peer.New(config(codec), them)}
	r.start()
	for _, s := range conversation {
		if s.raw != nil {
			r.receive(s.raw)
		} else {
			r.sell(s.sell)
		}
	}
	return r.allDone
}

// replayOn lets a machine have the conversation without a referee.
func replayOn(m *peer.Machine, conversation []step) []peer.Action {
	out := m.Start()
	for _, s := range conversation {
		if s.raw != nil {
			out = append(out, m.Receive(s.raw)...)
		} else if actions, err := m.Sell(s.sell); err == nil {
			out = append(out, actions...)
		}
	}
	return out
}

// Whatever a peer sends, what the referee checks holds; and two machines that
// are told the same do the same. A property that is only ever shown a machine
// that hung up holds for nothing, so the conversations have to get somewhere.
func TestAnyConversation(t *testing.T) {
	seen := map[string]bool{}
	rapid.Check(t, func(t *rapid.T) {
		codec := wire.Codec{Envelope: rapid.SampledFrom([]wire.MsgType{wire.TypeFactory, wire.TypeFactoryCompat}).Draw(t, "envelope")}
		conversation := steps(t, codec)
		first := play(t, codec, conversation)
		second := replayOn(peer.New(config(codec), them), conversation)
		if !reflect.DeepEqual(first, second) {
			t.Fatalf("two machines fed the same differ:\n%s", cmp.Diff(first, second))
		}
		for _, a := range first {
			note(seen, codec, a)
		}
	})
	for _, want := range []string{
		"init", "pong", "error", "warning", "supported_factory_protocols", "factory_piggyback", "open_channel", "accept_channel", "close",
		string(peer.EventReady), string(peer.EventAccepted), string(peer.EventRefused), string(peer.EventNotice),
		tooMany, inUse,
	} {
		if !seen[want] {
			t.Errorf("no conversation shows %q", want)
		}
	}
}

// How refusals of this package begin.
const (
	tooMany = "too many channels being opened"
	inUse   = "temporary_channel_id is in use"
)

func note(seen map[string]bool, codec wire.Codec, a peer.Action) {
	switch a := a.(type) {
	case peer.Send:
		if m, err := codec.Decode(a.Message); err == nil {
			seen[m.Name()] = true
		}
	case peer.Event:
		seen[string(a.Kind)] = true
		for _, text := range []string{tooMany, inUse} {
			seen[text] = seen[text] || strings.HasPrefix(a.Text, text)
		}
	case peer.Close:
		seen["close"] = true
	}
}
