package hub_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/refnode/hub"
	"superscalar/refnode/node"
	"superscalar/refnode/peer"
	"superscalar/refnode/transport"
	"superscalar/wire"
)

// scripted is a peer of a node: one channel, of which the peer's side is a machine
// of its own, on a real connection. What the machine wants to send can be kept
// back, and anything else be said in its place.
type scripted struct {
	t     testing.TB
	w     *world
	table *table
	key   *btcec.PrivateKey
	keys  channel.Keys
	cfg   channel.Config
	m     *channel.Machine // nil before accept_channel
	open  *wire.OpenChannel
	next  funding // the output of the channel, or that of the change that is going on
	made  []funding

	conn  *transport.Conn
	ended bool
	pings uint16
	log   []wire.Message // what came about the channel on this connection

	keep   func(wire.Message) bool   // what is kept back, nil: nothing
	kept   []wire.Message            // in order
	silent func(channel.Action) bool // the questions of the machine that stay open
	events []channel.Action
	hello  *wire.ChannelReestablish // the node's, on this connection

	deaf    func(wire.Message) bool // from which message on the machine hears nothing
	unheard []wire.Message

	said     string // the message of the point
	kind     sort
	bought   bool // the node opens the channel
	invoices int
}

// table is where the scripted peers sit: the node under test, with what answers for
// its factories.
type table struct {
	*party
	plug  *plug
	funds *fundings
	seen  int // peers so far
}

// keyOf is the key with a name.
func keyOf(label string) *btcec.PrivateKey {
	sum := sha256.Sum256([]byte(label))
	k, _ := btcec.PrivKeyFromBytes(sum[:])
	return k
}

// sit gives the node a new peer, connected.
func (t *table) sit(tb testing.TB) *scripted {
	tb.Helper()
	t.seen++
	name := fmt.Sprint("scripted ", t.seen, " ")
	x := &scripted{t: tb, w: t.w, table: t, key: keyOf(name)}
	label := func(what string) *btcec.PrivateKey { return keyOf(name + what) }
	x.keys = channel.Keys{
		Secrets: &commitment.Secrets{Revocation: label("revocation"), Payment: label("payment"), Delayed: label("delayed"), HTLC: label("htlc")},
		Seed:    commitment.Seed(label("seed").Serialize()),
		Funding: func(i uint32) *btcec.PrivateKey { return label(fmt.Sprint("funding ", i)) },
	}
	x.cfg = channel.Config{Keys: x.keys, Alias: 16_000_000 << 40, Script: append([]byte{0, 20}, make([]byte, 20)...)}
	x.dial()
	tb.Cleanup(func() { _ = x.conn.Close() })
	return x
}

// features are those of both sides.
func features() wire.Features {
	var both wire.Features
	for _, bit := range peer.Features().Bits() {
		both = both.With(bit &^ 1)
	}
	return both
}

func (x *scripted) id() wire.Point { return wire.Point(x.key.PubKey().SerializeCompressed()) }

// dial connects and exchanges init.
func (x *scripted) dial() {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var err error
	x.conn, err = transport.Dial(ctx, x.table.node.Address(), transport.Options{Key: x.key})
	check(x.t, err)
	x.ended, x.log, x.hello = false, nil, nil
	x.cfg.Features = features()
	x.say(&wire.Init{Features: peer.Features(), Networks: [][32]byte{node.Regtest}})
	x.say(&wire.SupportedProtocols{IDs: []wire.ProtocolID{wire.Codec{}.LoopbackID()}})
	x.fence()
}

// say sends a message as it is.
func (x *scripted) say(m wire.Message) {
	x.t.Helper()
	raw, err := wire.Codec{}.Encode(m)
	check(x.t, err)
	_ = x.conn.WriteMessage(raw) // that the node hung up shows when reading
}

// fence returns everything that the node says before the pong of a ping, or before
// it ends the connection.
func (x *scripted) fence() (said []wire.Message) {
	x.t.Helper()
	x.pings++
	x.say(&wire.Ping{NumPongBytes: x.pings})
	_ = x.conn.SetReadDeadline(time.Now().Add(patience))
	for !x.ended {
		raw, err := x.conn.ReadMessage()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				x.t.Fatalf("reading: %v after %v", err, names(x.log))
			}
			x.ended = true
			_ = x.conn.Close()
			break
		}
		m, err := wire.Codec{}.Decode(raw)
		check(x.t, err)
		if pong, ok := m.(*wire.Pong); ok && len(pong.Ignored) == int(x.pings) {
			break
		}
		if about(m) {
			said = append(said, m)
			x.log = append(x.log, m)
		}
	}
	return said
}

// about reports whether a message is about a channel, errors and warnings included.
func about(m wire.Message) bool {
	switch m := m.(type) {
	case *wire.Init, *wire.SupportedProtocols, *wire.Pong, *wire.Ping:
		return false
	case *wire.Base:
		return m.Kind < 256
	}
	return true
}

// hear gives the machine what the node said.
func (x *scripted) hear(said []wire.Message) {
	for _, m := range said {
		if hello, ok := m.(*wire.ChannelReestablish); ok {
			x.hello = hello
		}
		if len(x.unheard) > 0 || x.deaf != nil && x.deaf(m) {
			x.unheard = append(x.unheard, m)
		} else if x.m != nil {
			x.m.Receive(m)
			x.flush()
		}
	}
}

// listen has the machine hear what it has not.
func (x *scripted) listen() {
	unheard := x.unheard
	x.deaf, x.unheard = nil, nil
	x.hear(unheard)
}

// settle talks until both sides are silent.
func (x *scripted) settle() {
	x.t.Helper()
	x.flush()
	for range 60 {
		said := x.fence()
		x.hear(said)
		if x.ended {
			x.down()
			return
		}
		if len(said) == 0 {
			return
		}
	}
	x.t.Fatal("the conversation does not end")
}

// down tells the machine that the connection is over.
func (x *scripted) down() {
	x.ended = true
	_ = x.conn.Close()
	if x.m != nil {
		x.m.Disconnected()
		x.flush()
	}
	x.kept, x.deaf, x.unheard = nil, nil, nil
}

// flush carries out what the machine wants.
func (x *scripted) flush() {
	for x.m != nil {
		actions := x.m.Take()
		x.m.Commit()
		if actions = append(actions, x.m.Take()...); len(actions) == 0 {
			return
		}
		for _, a := range actions {
			x.act(a)
		}
	}
}

func (x *scripted) act(a channel.Action) {
	if send, ok := a.(channel.Send); ok {
		if len(x.kept) > 0 || x.keep != nil && x.keep(send.Message) {
			x.kept = append(x.kept, send.Message)
		} else if !x.ended {
			x.say(send.Message)
		}
		return
	}
	x.events = append(x.events, a)
	if x.silent == nil || !x.silent(a) {
		x.table.plug.answer(x.m, a, x.next)
	}
}

// capture returns what the machine would send for do, and does not send it.
func (x *scripted) capture(do func()) []wire.Message {
	keep, kept := x.keep, x.kept
	x.keep, x.kept = func(wire.Message) bool { return true }, nil
	do()
	x.flush()
	out := x.kept
	x.keep, x.kept = keep, kept
	return out
}

// withhold keeps back what the machine sends from the first message of a name on.
func (x *scripted) withhold(names ...string) {
	x.keep = func(m wire.Message) bool { return slices.Contains(names, m.Name()) }
}

// release sends what was kept back, and keeps nothing back any more.
func (x *scripted) release() {
	x.keep = nil
	kept := x.kept
	x.kept = nil
	if !x.ended {
		for _, m := range kept {
			x.say(m)
		}
	}
}

// drop ends the connection.
func (x *scripted) drop() {
	x.t.Helper()
	if !x.ended {
		x.down()
	} else if x.m != nil {
		x.m.Disconnected()
		x.flush()
	}
	x.kept, x.deaf, x.unheard = nil, nil, nil
	x.w.until("the node sees that its peer is gone", func() bool { return !slices.Contains(x.table.node.Peers(), transport.NodeID(x.id())) })
}

// come connects again, as far as channel_reestablish.
func (x *scripted) come() {
	x.t.Helper()
	x.drop()
	x.dial()
	if x.m != nil {
		x.m.SetFeatures(features())
		x.m.Connected()
		x.flush()
		x.hear(slices.Clone(x.log))
	}
}

// command gives the node's machine a command.
func (x *scripted) command(do func(*channel.Machine) error) {
	x.t.Helper()
	check(x.t, x.table.hub.Do(x.channelID(), do))
}

// channelID is the id of the channel now.
func (x *scripted) channelID() wire.ChannelID {
	if x.m != nil {
		return x.m.ChannelID()
	}
	return x.open.TemporaryChannelID
}

// works offers an HTLC that nobody can open, and reports whether it was committed,
// refused and removed.
func (x *scripted) works() bool {
	x.t.Helper()
	before := x.refused()
	hash := sha256.Sum256(fmt.Append(x.key.Serialize(), before))
	var origin channel.Origin
	copy(origin[:], hash[:])
	_, err := x.m.Add(channel.AddHTLC{Origin: origin, Amount: 5_000_000, Hash: hash, Expiry: x.m.Height() + 1000, Onion: make([]byte, 1366)})
	if err != nil {
		x.t.Logf("an HTLC cannot be offered: %v", err)
		return false
	}
	x.settle()
	return x.refused() == before+1
}

func (x *scripted) refused() (n int) {
	for _, e := range x.events {
		if f, ok := e.(channel.HTLCFailed); ok && !f.Dropped {
			n++
		}
	}
	return n
}

// prints are fingerprints of what the node knows of its channels with the peer.
func (x *scripted) prints() []hub.Print { return x.table.hub.Prints(x.id()) }
