package hub

import (
	"errors"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/channel"
	"superscalar/wire"
)

// Factory answers for the channels in the factories of one protocol: the plugin,
// as channels see it.
//
// The first three methods are called inside of a step: they answer at once and
// call no method of the hub. Hear is called once the step is stored, by the
// hub's goroutine: it may call Post, and nothing else of the hub.
type Factory interface {
	// FundingKey returns our first funding key of the channel that open
	// describes, nil when a fresh one will do.
	FundingKey(peer wire.Point, open *wire.OpenChannel) (*btcec.PrivateKey, error)
	// Outpoint names the output of a channel that we opened (PCF-080).
	Outpoint(peer wire.Point, open *wire.OpenChannel) (txid wire.Txid, index uint16, err error)
	// CheckOutpoint says whether the output is the one of a channel that the
	// peer opened (PCF-081).
	CheckOutpoint(peer wire.Point, open *wire.OpenChannel, txid wire.Txid, index uint16) error
	// Hear takes everything else that a channel asks or tells: Opened, AskChange,
	// AskChangeOutpoint, AskContinue, AskLock, EarlyWarning, Closed, Quiescent,
	// the Change events and ReplacedRevoked. Answers are given with Post.
	Hear(c Channel, a channel.Action)
}

// Agreer is a Factory whose ceremonies have fixed the funding keys of both sides.
// CheckAccept says whether the peer answers with its own (CHAN-003): it is asked
// inside of a step, before anything is signed.
type Agreer interface {
	CheckAccept(peer wire.Point, open *wire.OpenChannel, accept *wire.AcceptChannel) error
}

// Answerer is a Factory that answers in the step in which it is asked, as one
// that keeps nothing on a disk can. It hears nothing by Hear.
type Answerer interface {
	Answer(m *channel.Machine, a channel.Action)
}

// Changer is a Factory that moves its channels (SPEC.md 8.4). Change takes what a
// channel asks or tells about changes, and Up, in the step in which it does, and
// may give the channel commands. The rest it hears by Hear.
type Changer interface {
	Change(c Channel, m *channel.Machine, a channel.Action)
}

// User is a Factory that says what its channels may be used for. Like FundingKey
// it is asked inside of a step; later changes are posted.
type User interface {
	Use(peer wire.Point, open *wire.OpenChannel) channel.Use
}

// ErrForgotten is the error of FundingKey for a channel that the factory has
// forgotten: what is stored of it is deleted (CHAN-008).
var ErrForgotten = errors.New("the factory has forgotten this channel")

// ErrAside is the error of FundingKey for a channel of a factory whose records
// cannot be read: the channel is left alone, and nothing of it is deleted.
var ErrAside = errors.New("the factory of this channel was set aside")

// setUse tells a new machine what its factory lets it be used for.
func (h *Hub) setUse(c *entry) {
	if u, ok := h.factory(c.machine.Open).(User); ok {
		c.machine.SetUse(u.Use(c.peer, c.machine.Open))
	}
}

// Channel names a channel for its factory.
type Channel struct {
	Peer wire.Point
	ID   wire.ChannelID
	Open *wire.OpenChannel // as it was opened; do not change it
}

// factory returns the factory that answers for a channel, nil when there is none.
func (h *Hub) factory(open *wire.OpenChannel) Factory {
	if open == nil || open.ChannelInFactory == nil {
		return nil
	}
	return h.cfg.Factories[open.ChannelInFactory.ProtocolID]
}

// Post gives a command to a channel, some time soon, and does not wait. A
// channel that is not there any more gets none.
func (h *Hub) Post(id wire.ChannelID, command func(*channel.Machine)) {
	run := func(st *step) {
		if c := h.byID(id); c != nil {
			command(c.machine)
			st.touch(c)
		}
	}
	select {
	case h.jobs <- job{run: run}:
	default: // the hub itself may be the one who calls
		go h.post(run)
	}
}

// Do gives a command to a channel and returns when it is stored. The error is
// ErrNoChannel, ErrClosed, that of the store, or the command's own.
func (h *Hub) Do(id wire.ChannelID, command func(*channel.Machine) error) error {
	failed := error(nil)
	err := h.do(func(st *step) {
		c := h.byID(id)
		if c == nil {
			failed = ErrNoChannel
			return
		}
		st.touch(c)
		failed = command(c.machine)
	})
	if err != nil {
		return err
	}
	return failed
}

func (c *entry) about() Channel {
	return Channel{Peer: c.peer, ID: c.machine.ID, Open: c.machine.Open}
}

// move lets a factory that moves its channels answer.
func (st *step) move(c *entry, a channel.Action) {
	if f, ok := st.hub.factory(c.machine.Open).(Changer); ok {
		st.touch(c)
		f.Change(c.about(), c.machine, a)
	}
}

// ask hands on what a channel asks or tells that is not the router's.
func (st *step) ask(c *entry, a channel.Action) {
	h := st.hub
	switch a := a.(type) {
	case channel.AskOutpoint:
		st.touch(c)
		_ = c.machine.OutpointIs(st.checkOutpoint(c, a)) // it has just asked
		return
	case channel.Opened:
		if c.machine.Open.ChannelInFactory == nil {
			st.fundAgain(c)
			return
		}
	case channel.Closed:
		h.cfg.Log.Info("channel closed", "channel", c.machine.ChannelID().String(), "reason", a.Reason)
	}
	f := h.factory(c.machine.Open)
	if now, ok := f.(Answerer); ok {
		st.touch(c)
		now.Answer(c.machine, a)
		return
	}
	if f != nil {
		st.move(c, a)
		about := c.about()
		st.leaves = append(st.leaves, func() { f.Hear(about, a) })
	}
}
