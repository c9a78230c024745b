package gen

import (
	"errors"
	"fmt"
	"slices"

	"superscalar/refnode/commitment"
	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// The sides of a channel in the scenes: the LSP opens.
const (
	talkLSP    = int(commitment.Opener)
	talkClient = int(commitment.Accepter)
)

var talkNames = [2]string{"lsp", "client"}

// talkScene is both sides of a channel, what travels between them, and what is
// written down of each.
type talkScene struct {
	sides     [2]*talkStation
	steps     [2][]vectors.ChannelStep
	queue     [2][][]byte // to side i
	connected bool
	// snaps are both sides after each event, marks names some of them.
	snaps []snap
	marks map[string]int
	// watch may replace a message that is about to arrive, or plant a fault.
	watch func(to int, raw []byte) (other []byte, fault bool)
}

// snap is both sides as they could be started again after an event.
type snap struct {
	sides [2]frozen
	steps [2]int
}

// errPlanted ends a scene whose fault has arrived.
var errPlanted = errors.New("the fault has arrived")

// newTalkScene returns both sides, each started again from what it has, nil for
// a new channel.
func newTalkScene(facts *talkFacts, from *[2]frozen, rules [2]rule.Set) (*talkScene, error) {
	w := &talkScene{connected: from == nil, marks: map[string]int{}}
	for i := range w.sides {
		var err error
		if from == nil {
			w.sides[i], err = newTalkStation(facts, commitment.Side(i), rules[i])
		} else {
			w.sides[i], err = from[i].thaw(rules[i])
		}
		if err != nil {
			return nil, err
		}
	}
	return w, nil
}

// mark names the moment.
func (w *talkScene) mark(name string) { w.marks[name] = len(w.snaps) - 1 }

// happen lets an event happen to side i and writes it down.
func (w *talkScene) happen(i int, h vectors.ChannelStep) vectors.ChannelStep {
	r, err := playTalk(w.sides[i], &h)
	if err != nil {
		panic(err)
	}
	for _, m := range r.sends {
		raw, err := wire.Codec{}.Encode(m)
		if err != nil {
			panic(err)
		}
		said := talkMessage(raw)
		said.Compare = "exact"
		switch m.(type) {
		case *wire.Warning, *wire.ErrorMessage, *wire.ChangeAbort:
			said.Compare = "text"
		case *wire.CommitmentSigned:
			said.Compare = "signatures"
		}
		if said.Name == "update_fail_htlc" && r.fails {
			said.Compare = "failure" // the party's own reason
		}
		if n := said.Name; n == "funding_created" || n == "funding_signed" {
			said.Compare = "signatures"
		}
		h.Sends = append(h.Sends, said)
		if w.connected {
			w.queue[1-i] = append(w.queue[1-i], raw)
		}
	}
	h.Refused, h.Closes, h.State, h.Holds = r.refused, r.closes, w.sides[i].state(), w.sides[i].holds()
	h.Leaves, h.Publishes, h.Punishes, h.Others = r.leaves, r.publishes, r.punishes, w.sides[i].others()
	w.steps[i] = append(w.steps[i], h)
	w.snaps = append(w.snaps, snap{[2]frozen{w.sides[0].freeze(), w.sides[1].freeze()}, [2]int{len(w.steps[0]), len(w.steps[1])}})
	if h.Fault {
		panic(errPlanted)
	}
	if h.Closes && w.connected {
		w.drain(1 - i)
		w.connected = false
		w.happen(1-i, vectors.ChannelStep{Event: "disconnect"})
	}
	return h
}

// drain hands side i what arrives before the connection ends.
func (w *talkScene) drain(i int) {
	for w.arrives(i) {
	}
	w.queue = [2][][]byte{}
}

// talkMessage is a message as it stands in a file. The onion is left out of
// what is decoded: it is in bytes.
func talkMessage(raw []byte) vectors.ChannelMessage {
	m, err := wire.Codec{}.Decode(raw)
	if err != nil {
		panic(fmt.Errorf("a message that does not decode: %w", err))
	}
	name, d, err := vectors.Decode(m)
	if err != nil {
		panic(err)
	}
	d.Fields = slices.DeleteFunc(d.Fields, func(f vectors.Member) bool { return f.Name == "onion_routing_packet" })
	return vectors.ChannelMessage{Name: name, Bytes: raw, Decoded: d}
}

// arrives hands side i its next message; false when there is none.
func (w *talkScene) arrives(i int) bool {
	if len(w.queue[i]) == 0 {
		return false
	}
	raw, fault := w.queue[i][0], false
	w.queue[i] = w.queue[i][1:]
	if w.watch != nil {
		raw, fault = w.watch(i, raw)
	}
	if raw != nil {
		w.tells(i, raw, fault)
	}
	return true
}

// tells hands side i a message.
func (w *talkScene) tells(i int, raw []byte, fault bool) vectors.ChannelStep {
	said := talkMessage(raw)
	return w.happen(i, vectors.ChannelStep{Event: "receive", Message: &said, Fault: fault})
}

// run lets everything arrive, one message of each side in turn.
func (w *talkScene) run() {
	for n := 0; w.arrives(talkClient) || w.arrives(talkLSP); n++ {
		if n > 200 {
			panic(errors.New("messages without end"))
		}
	}
}

// connects makes a connection.
func (w *talkScene) connects() {
	w.connected = true
	for _, i := range []int{talkLSP, talkClient} {
		w.happen(i, vectors.ChannelStep{Event: "connect"})
	}
	w.run()
}

// orders has sides do something, and lets what follows happen.
func (w *talkScene) orders(event string, sides ...int) {
	for _, i := range sides {
		w.happen(i, vectors.ChannelStep{Event: event})
	}
	w.run()
}

// update is the agreement to an update that takes channels into number 0.
func (w *talkScene) update(to vectors.FactoryOutput, absorbs []vectors.Uint, sides ...int) {
	for _, i := range sides {
		w.happen(i, vectors.ChannelStep{Event: "update", Output: &to, Absorbs: absorbs})
	}
}

// moves agrees to an update on both sides, the client first, and moves the channels as
// far as they go before phase 1.
func (w *talkScene) moves(to vectors.FactoryOutput, absorbs []vectors.Uint) {
	w.update(to, absorbs, talkClient, talkLSP)
	w.run()
}

// lands takes an update whose channels have moved to its end.
func (w *talkScene) lands() {
	w.orders("begin", talkLSP, talkClient)
	w.orders("sign", talkLSP)
	w.orders("store", talkLSP, talkClient)
	w.orders("poison", talkLSP, talkClient)
}

// plant hands side i a message that is wrong.
func (w *talkScene) plant(i int, m wire.Message) {
	raw, err := wire.Codec{}.Encode(m)
	if err != nil {
		panic(err)
	}
	w.tells(i, raw, true)
}

// swap has the first message of a name that arrives at side i be wrong.
func (w *talkScene) swap(i int, name string, change func(m wire.Message) wire.Message) {
	w.watch = func(to int, raw []byte) ([]byte, bool) {
		m, err := wire.Codec{}.Decode(raw)
		if err != nil || to != i || m.Name() != name {
			return raw, false
		}
		if raw, err = (wire.Codec{}).Encode(change(m)); err != nil {
			panic(err)
		}
		return raw, true
	}
}

// loses has nothing arrive at side i from the first message of a name on.
func (w *talkScene) loses(i int, name string) {
	lost := false
	w.watch = func(to int, raw []byte) ([]byte, bool) {
		if lost = lost || to == i && talkMessage(raw).Name == name; lost && to == i {
			return nil, false
		}
		return raw, false
	}
}

// replaces has the first message of a name that arrives at side i be another one
// that is as good.
func (w *talkScene) replaces(i int, name string, change func(m wire.Message) wire.Message) {
	w.swap(i, name, change)
	swap := w.watch
	w.watch = func(to int, raw []byte) ([]byte, bool) {
		raw, swapped := swap(to, raw)
		if swapped {
			w.watch = nil
		}
		return raw, false
	}
}

// wrong has side i do something that it must refuse.
func (w *talkScene) wrong(i int, h vectors.ChannelStep) {
	h.Fault = true
	w.happen(i, h)
}

// play runs a story.
func (w *talkScene) play(story func(w *talkScene)) (err error) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(error)
			if !ok {
				panic(r)
			}
			if err = e; e == errPlanted {
				err = nil
			}
		}
	}()
	story(w)
	return nil
}
