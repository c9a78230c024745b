package peer_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"superscalar/refnode/peer"
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
			b, err := codec.Encode(m)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, step{raw: b})
		}
	}
	for range rapid.IntRange(0, 30).Draw(t, "length") {
		switch rapid.IntRange(0, 19).Draw(t, "step") {
		case 0: // more channels than there is room for
			for n := range byte(mostAttempts + 2) {
				b, err := codec.Encode(goodOpen(n + 0x20))
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, step{raw: b})
			}
		case 1, 2:
			out = append(out, step{sell: rapid.Uint64Range(0, 1<<24+1).Draw(t, "sat")})
		default:
			out = append(out, step{raw: raw(t, codec)})
		}
	}
	return out
}

func codecOf(t *rapid.T) wire.Codec {
	return wire.Codec{Envelope: rapid.SampledFrom([]wire.MsgType{wire.TypeFactory, wire.TypeFactoryCompat}).Draw(t, "envelope")}
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

// Whatever a peer sends, what the referee checks holds; and two machines that
// are told the same do the same.
func TestAnyConversation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		codec := codecOf(t)
		conversation := steps(t, codec)
		first := play(t, codec, conversation)
		second := play(t, codec, conversation)
		if diff := cmp.Diff(first, second); diff != "" {
			t.Fatalf("two machines fed the same differ:\n%s", diff)
		}
	})
}

// The conversations above reach what they are about: a property that is only
// ever shown a hung up machine holds for nothing.
func TestConversationsReach(t *testing.T) {
	seen := map[string]bool{}
	for seed := range 300 {
		conversation := rapid.Custom(func(t *rapid.T) []step { return steps(t, wire.Codec{}) }).Example(seed)
		for _, a := range play(t, wire.Codec{}, conversation) {
			switch a := a.(type) {
			case peer.Send:
				m, err := wire.Codec{}.Decode(a.Message)
				if err != nil {
					t.Fatal(err)
				}
				seen[m.Name()] = true
			case peer.Event:
				seen[string(a.Kind)] = true
				seen[a.Text] = true
			case peer.Close:
				seen["close"] = true
			}
		}
	}
	for _, want := range []string{
		"init", "pong", "error", "warning", "supported_factory_protocols", "factory_piggyback", "open_channel", "accept_channel", "close",
		string(peer.EventReady), string(peer.EventAccepted), string(peer.EventRefused), string(peer.EventNotice),
		"too many channels being opened", "temporary_channel_id is in use",
	} {
		if !seen[want] {
			t.Errorf("no conversation shows %q", want)
		}
	}
}
