package hub

import (
	"testing"

	"superscalar/wire"
)

// What is said on a connection is not said on the next one, which may have begun
// before the step was stored: it would come before channel_reestablish.
func TestWordsOfAnOldConnection(t *testing.T) {
	to := wire.Point{2}
	for _, tt := range []struct {
		name  string
		again bool
		want  int
	}{{"the same connection", false, 1}, {"a new one", true, 0}} {
		t.Run(tt.name, func(t *testing.T) {
			h := &Hub{trays: map[wire.Point]*tray{to: {}}, online: map[wire.Point]wire.Features{to: nil}}
			st := h.newStep()
			st.say(to, &wire.Ping{})
			if tt.again {
				h.trays[to] = &tray{}
			}
			st.deliver()
			if got := len(h.Outgoing(to)); got != tt.want {
				t.Errorf("%d messages, want %d", got, tt.want)
			}
		})
	}
}

// A message for a channel that is not stored has to wait for its turn.
func TestPassKnowsItsChannels(t *testing.T) {
	h := &Hub{known: map[name]bool{}, jobs: make(chan job, 1)}
	h.ctx, h.stop = t.Context(), func() {}
	from, id := wire.Point{2}, wire.ChannelID{1}
	if h.Pass(from, id, &wire.StartBatch{}) || len(h.jobs) != 0 {
		t.Error("taken, for a channel that there is not")
	}
	h.known[name{from, id}] = true
	if h.Pass(wire.Point{3}, id, &wire.StartBatch{}) || len(h.jobs) != 0 {
		t.Error("taken, for the channel of another peer")
	}
	if !h.Pass(from, id, &wire.StartBatch{}) || len(h.jobs) != 1 {
		t.Error("not taken")
	}
}
