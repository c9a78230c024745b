package peer_test

import (
	"testing"

	"superscalar/refnode/peer"
	"superscalar/refnode/plugin"
	"superscalar/wire"
)

// slow are channels that take messages at once and answer each, with a warning,
// when they are waited for.
type slow struct {
	peer.Channels
	takes    bool
	passed   int
	waiting  []peer.Outgoing
	received int
}

func (s *slow) Connected(plugin.PeerID, wire.Features) {}

func (s *slow) Pass(plugin.PeerID, wire.ChannelID, wire.Message) bool {
	if s.takes {
		s.passed++
	}
	return s.takes
}

func (s *slow) Receive(plugin.PeerID, wire.ChannelID, wire.Message) bool {
	s.received++
	return true
}

func (s *slow) Wait() {
	for ; s.passed > 0; s.passed-- {
		s.waiting = append(s.waiting, peer.Outgoing{Message: &wire.Warning{Data: []byte("answer")}})
	}
}

func (s *slow) Outgoing(plugin.PeerID) []peer.Outgoing {
	out := s.waiting
	s.waiting = nil
	return out
}

// TestPingHearsEverything streams commitments to slow channels and then says
// something else: all answers leave before that is answered, a ping's pong too.
func TestPingHearsEverything(t *testing.T) {
	raw := func(m wire.Message) []byte {
		b, err := wire.Codec{}.Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	commit := raw(&wire.CommitmentSigned{ChannelID: wire.ChannelID{1}, Signature: wire.Signature{31: 1, 63: 1}})
	for _, tt := range []struct {
		name  string
		takes bool
		then  []byte
		want  []wire.MsgType
	}{
		{"ping", true, raw(&wire.Ping{}), []wire.MsgType{wire.TypeWarning, wire.TypeWarning, wire.TypePong}},
		{"a message that does not decode", true, []byte{0, byte(wire.TypeCommitmentSigned), 1}, []wire.MsgType{wire.TypeWarning, wire.TypeWarning, wire.TypeWarning}},
		{"an unknown odd one", true, []byte{0x7f, 1}, []wire.MsgType{wire.TypeWarning, wire.TypeWarning}},
		{"channels that do not stream", false, raw(&wire.Ping{}), []wire.MsgType{wire.TypePong}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &slow{takes: tt.takes}
			m := peer.New(peer.Config{Features: peer.Features(), Channels: s}, plugin.PeerID{2})
			m.Start()
			m.Receive(raw(&wire.Init{Features: peer.Features()}))
			for range 2 {
				if got := m.Receive(commit); len(got) != 0 {
					t.Fatalf("it waits: %v", got)
				}
			}
			if want := map[bool]int{true: 0, false: 2}[tt.takes]; s.received != want {
				t.Errorf("%d messages were waited for, want %d", s.received, want)
			}
			var got []wire.MsgType
			for _, a := range m.Receive(tt.then) {
				if send, ok := a.(peer.Send); ok {
					typ, _ := wire.TypeOf(send.Message)
					got = append(got, typ)
				}
			}
			if len(got) != len(tt.want) {
				t.Fatalf("it says %v, want %v", got, tt.want)
			}
			for i := range got {
				if got[i] != tt.want[i] {
					t.Errorf("it says %v, want %v", got, tt.want)
				}
			}
		})
	}
}
