package hub

import (
	"fmt"
	"reflect"
	"strings"

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

// Print is what a hub knows of a channel.
type Print struct {
	ID        wire.ChannelID
	Failure   string
	Forgotten bool
	Stored    string // what outlives the process
	All       string // and what does not
}

// Prints are those of the channels with a peer.
func (h *Hub) Prints(peer wire.Point) (all []Print) {
	_ = h.do(func(*step) {
		for _, c := range h.with(peer) {
			m := c.machine
			var b strings.Builder
			dump(&b, reflect.ValueOf(m))
			all = append(all, Print{m.ChannelID(), m.Failure, m.Forgotten, fmt.Sprintf("%x", m.Encode()), b.String()})
		}
	})
	return all
}

// dump writes everything that a value leads to, without addresses: two dumps are the
// same when nothing has changed. What a machine is made with is left out.
func dump(b *strings.Builder, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			b.WriteString("nil ")
			return
		}
		dump(b, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			switch name := v.Type().Field(i).Name; name {
			case "cfg", "params", "Open", "Accept", "out":
			default:
				b.WriteString(name + "{")
				dump(b, v.Field(i))
				b.WriteString("}")
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			dump(b, v.Index(i))
		}
		b.WriteString("; ")
	case reflect.Func, reflect.Map, reflect.Chan:
	default:
		fmt.Fprintf(b, "%v ", v)
	}
}

// Bounds on channels that nobody has funded.
const (
	MaxUnfunded    = maxUnfunded
	MaxUnfundedAll = maxUnfundedAll
)
