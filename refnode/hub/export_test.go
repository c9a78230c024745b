package hub

import (
	"fmt"

	"superscalar/refnode/channel"
	"superscalar/refnode/closing"
	"superscalar/refnode/store"
	"superscalar/wire"
)

// MaxFirst is how many first commitments are kept of one factory.
const MaxFirst = maxFirst

// FillFirsts stores so many records of first commitments that are like one.
func FillFirsts(s *store.Store, record []byte, n int) error {
	return s.Update(func(tx *store.Tx) error {
		for i := range n {
			if err := tx.Put(bucketFirst, fmt.Sprintf("%064x/0", i), record); err != nil {
				return err
			}
		}
		return nil
	})
}

// See tells a channel what a look at the chain found.
func (h *Hub) See(id wire.ChannelID, p closing.Plan) error {
	var e ending
	if err := h.do(func(*step) {
		if c := h.byID(id); c != nil {
			e = ending{salt: c.salt, id: id, settled: c.settled}
		}
	}); err != nil {
		return err
	}
	_, err := h.seen(e, &p)
	return err
}

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
