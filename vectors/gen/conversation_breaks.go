package gen

import (
	"fmt"

	"superscalar/vectors"
)

// What the end of a connection leaves behind.

// breaks tells, for every number of messages of a good conversation with one
// client, what the end of the connection leaves behind.
func (r runner) breaks(v *vectors.Conversation, tell func(vectors.Disconnect) error) error {
	if v.Error != nil || v.Before == nil && v.After != "" {
		return nil
	}
	lost := messagesOf(v)
	byCount := map[int]vectors.Disconnect{}
	for k := 0; k <= len(lost); k++ {
		steps := stepsBefore(v, k)
		d, known := byCount[steps]
		if !known {
			var err error
			if d, err = r.brokenOff(v, steps); err != nil {
				return fmt.Errorf("after %d messages: %w", k, err)
			}
			byCount[steps] = d
		}
		d.Messages = vectors.Uint(k)
		if k < len(lost) {
			d.Lost = lost[k]
		}
		if err := tell(d); err != nil {
			return fmt.Errorf("after %d messages: %w", k, err)
		}
	}
	return nil
}

// messagesOf names the messages of a conversation in their order.
func messagesOf(v *vectors.Conversation) []string {
	var out []string
	for _, h := range v.Steps {
		if h.Message != nil {
			out = append(out, h.Message.Name)
		}
		for _, s := range h.Sends {
			out = append(out, s.Name)
		}
	}
	return out
}

// stepsBefore is the number of steps that have happened once k messages have
// arrived.
func stepsBefore(v *vectors.Conversation, k int) int {
	n := 0
	for i, h := range v.Steps {
		if h.Message != nil {
			if n++; n > k {
				return i
			}
		}
		n += len(h.Sends)
	}
	return len(v.Steps)
}

// brokenOff ends the connection after some steps.
func (r runner) brokenOff(v *vectors.Conversation, steps int) (d vectors.Disconnect, err error) {
	s, err := r.station(v)
	if err != nil {
		return d, err
	}
	for i := range steps {
		if _, err = play(s, &v.Steps[i]); err != nil {
			return d, err
		}
	}
	got := s.disconnected(theOther(s.party))
	d.State, d.Keeps = got.state, got.keeps
	d.Keeps.Txids = nil
	return d, nil
}

// theOther is the other side of a conversation with one client.
func theOther(party int) int {
	if party == theLSP {
		return 0
	}
	return theLSP
}

func sameBreak(want, got vectors.Disconnect) error {
	if want.Messages != got.Messages || want.Lost != got.Lost || want.State != got.State || !sameKeeps(want.Keeps, got.Keeps) {
		return fmt.Errorf("the end of the connection leaves %+v, want %+v", got, want)
	}
	return nil
}
