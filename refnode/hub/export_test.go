package hub

import (
	"superscalar/refnode/channel"
)

// States are copies of what the channel machines hold.
func (h *Hub) States() (all []*channel.State) {
	_ = h.do(func(*step) {
		for _, c := range h.channels {
			if s, err := channel.DecodeState(c.machine.State.Encode()); err == nil {
				all = append(all, s)
			}
		}
	})
	return all
}
