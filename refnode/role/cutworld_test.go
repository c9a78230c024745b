package role_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/refnode/hub"
	"superscalar/refnode/ledger"
	"superscalar/refnode/role"
	"superscalar/wire"
)

// A world without sockets, goroutines and disks: an LSP, clients, their registries,
// ceremonies and channels. Messages travel one at a time, and any of them can be the
// last one of its connection; any write can be the last one of its process.

var errDied = errors.New("the process has ended")

// disk is what survives the end of a process.
type disk struct {
	parts    map[wire.CeremonyID]ceremony.Parts
	recorded []ledger.Entry
	channels map[lineKey][]byte
	revoked  map[revokedKey]*channel.Revoked
}

func (d *disk) clone() *disk {
	c := &disk{parts: map[wire.CeremonyID]ceremony.Parts{}, recorded: slices.Clone(d.recorded), channels: maps.Clone(d.channels), revoked: maps.Clone(d.revoked)}
	for id, p := range d.parts {
		c.parts[id] = maps.Clone(p)
	}
	return c
}

// lineKey names a channel: the peer, and the LSP's funding key.
type lineKey struct{ peer, lsp wire.Point }

func (c *line) key() lineKey { return lineKey{c.peer, c.m.Open.Keys.Funding} }

// revokedKey names the record of a commitment that the peer revoked.
type revokedKey struct {
	of     lineKey
	number commitment.Number
}

// record is that of a commitment of the peer on a channel, nil without.
func (p *party) record(c *line, n commitment.Number) *channel.Revoked {
	return p.disk.revoked[revokedKey{c.key(), n}]
}

// party is a participant: a process, as long as it lives, and its disk.
type party struct {
	w    *cutWorld
	name string
	id   wire.Point
	disk *disk
	runs int

	ledger   *ledger.Ledger
	registry *role.Channels
	lsp      *ceremony.LSP    // nil at a client
	client   *ceremony.Client // nil at the LSP
	lines    []*line
	dead     bool
	writes   int
	last     int // the write after which the process ends, 0: never
	left     []string
	due      int
	got      []channel.HTLCReceived
}

// line is a channel of a party.
type line struct {
	peer wire.Point
	m    *channel.Machine
}

func (p *party) write() bool {
	if p.dead {
		return false
	}
	p.writes++
	p.dead = p.writes == p.last
	return true
}

// Sign implements ceremony.Store.
func (p *party) Sign(_ wire.CeremonyID, entries []ledger.Entry) error {
	fresh, err := p.ledger.Fresh(entries)
	if err != nil {
		return err
	}
	if !p.write() {
		return errDied
	}
	p.disk.recorded = append(p.disk.recorded, fresh...)
	return p.ledger.Add(entries)
}

// Put implements ceremony.Store.
func (p *party) Put(id wire.CeremonyID, part string, data []byte) error {
	if p.w.meanwhile != nil {
		p.w.meanwhile(p)
	}
	if !p.write() {
		return errDied
	}
	if p.disk.parts[id] == nil {
		p.disk.parts[id] = ceremony.Parts{}
	}
	p.disk.parts[id][part] = slices.Clone(data)
	return nil
}

func (p *party) secret(use string, a ...any) *btcec.PrivateKey {
	sum := sha256.Sum256([]byte(p.name + use + fmt.Sprint(a...)))
	key, _ := btcec.PrivKeyFromBytes(sum[:])
	return key
}

func (p *party) Factory(id wire.CeremonyID) (*btcec.PrivateKey, error) {
	return p.secret("factory", id), nil
}
func (p *party) Payout(id wire.CeremonyID) (*btcec.PrivateKey, error) {
	return p.secret("payout", id), nil
}
func (p *party) Channel(id wire.CeremonyID, i uint32) (*btcec.PrivateKey, error) {
	return p.secret("channel", id, i), nil
}

// Fund implements ceremony.Funder.
func (p *party) Fund(_ wire.CeremonyID, out btcwire.TxOut) (*btcwire.MsgTx, uint32, error) {
	if p.w.chain != nil {
		return p.w.fund(out)
	}
	tx := btcwire.NewMsgTx(2)
	tx.AddTxIn(btcwire.NewTxIn(&btcwire.OutPoint{Hash: chainhash.Hash{1}}, nil, nil))
	tx.AddTxOut(&out)
	return tx, 0, nil
}

// cutPurse makes a Funder of a party, whose Sign is that of a store.
type cutPurse struct{ *party }

func (c cutPurse) Sign(_ wire.CeremonyID, tx *btcwire.MsgTx) (*btcwire.MsgTx, error) { return tx, nil }
func (c cutPurse) Release(wire.CeremonyID)                                           {}
func (c cutPurse) Broadcast(*btcwire.MsgTx) error                                    { return nil }

func (p *party) rand() io.Reader {
	var seed [32]byte
	copy(seed[:], p.name)
	binary.BigEndian.PutUint64(seed[24:], uint64(p.runs))
	return rand.NewChaCha8(seed)
}

// keysOf are the channel keys with a peer, on the funding key of the ceremony.
func (p *party) keysOf(peer wire.Point, first *btcec.PrivateKey) channel.Keys {
	keys, err := hub.Keys(func(label string) (*btcec.PrivateKey, error) { return p.secret(label), nil }, hub.Salt(sha256.Sum256(append(peer[:], first.PubKey().SerializeCompressed()...))), first)
	if err != nil {
		p.w.t.Fatal(err)
	}
	return keys
}

func (p *party) channelConfig(peer wire.Point, first *btcec.PrivateKey) channel.Config {
	return channel.Config{
		Keys: p.keysOf(peer, first), Script: append([]byte{0, 20}, bytes.Repeat([]byte{7}, 20)...), Alias: uint64(p.id[1]) + 1,
		Features: wire.NewFeatures(wire.FeatureQuiesce, wire.FeatureUpfrontShutdown, wire.FeatureAnySegwit), Rules: p.w.rules,
	}
}

// all are the channels with a peer, lineOf is the one with an id.
func (p *party) all(peer wire.Point) (all []*line) {
	for _, c := range p.lines {
		if c.peer == peer {
			all = append(all, c)
		}
	}
	return all
}

func (p *party) lineOf(peer wire.Point, id wire.ChannelID) *line {
	for _, c := range p.all(peer) {
		if c.m.ChannelID() == id || c.m.TemporaryID() == id {
			return c
		}
	}
	return nil
}

func (p *party) with(peer wire.Point) *line {
	for _, c := range p.lines {
		if c.peer == peer {
			return c
		}
	}
	return nil
}

// do is what the registry asks the hub for.
func (p *party) do(id wire.ChannelID, command func(*channel.Machine) error) (err error) {
	if p.w.meanwhile != nil {
		p.w.meanwhile(p)
	}
	for _, c := range p.lines {
		if c.m.ID == id {
			if p.dead {
				return errDied
			}
			p.step(c, func(m *channel.Machine) { err = command(m) })
			if err == nil && p.dead {
				err = errDied
			}
			return err
		}
	}
	return hub.ErrNoChannel
}

// step is one of the hub: what a machine says, until it is silent, then one write,
// then what leaves.
func (p *party) step(c *line, input func(*channel.Machine)) {
	var leave []func()
	dirty, cut := false, false
	about := func() hub.Channel { return hub.Channel{Peer: c.peer, ID: c.m.ID, Open: c.m.Open} }
	take := func() (any bool) {
		for _, a := range c.m.Take() {
			any = true
			switch a := a.(type) {
			case channel.Persist:
				dirty = true
			case channel.Append:
				p.disk.revoked[revokedKey{c.key(), a.Revoked.Number}] = &a.Revoked
			case channel.Send:
				leave = append(leave, func() { p.w.send(p, c.peer, a.Message) })
			case channel.Disconnect:
				p.w.note("%s hangs up: %s", p.name, a.Reason)
				cut = true
			case channel.AskOutpoint:
				_ = c.m.OutpointIs("")
			case channel.HTLCReceived:
				p.got = append(p.got, a)
			default:
				p.registry.Change(about(), c.m, a)
				leave = append(leave, func() { p.registry.Hear(about(), a) })
			}
		}
		return any
	}
	input(c.m)
	for {
		if take() {
			continue
		}
		c.m.Commit()
		if !take() {
			break
		}
	}
	if dirty && c.m.ID != (wire.ChannelID{}) {
		if !p.write() {
			return
		}
		p.disk.channels[c.key()] = c.m.Encode()
	}
	if p.dead {
		return
	}
	for _, l := range leave {
		l()
	}
	if cut {
		p.w.cuts = append(p.w.cuts, p.w.clientOf(p, c.peer))
	}
}

// obey carries out the orders of the registry, as the keeper of the leaves does.
func (p *party) obey() (any bool) {
	for _, o := range p.registry.TakeOrders() {
		if p.dead {
			return true
		}
		any = true
		switch c := p.lineOf(o.Output.Peer, o.ID); o.Kind {
		case role.OrderOpen:
			p.w.queue = append(p.w.queue, letter{from: p, to: o.Output.Peer, open: &o.Output})
		case role.OrderOpened:
			p.channelOpened()
		case role.OrderMove:
			if c != nil {
				p.step(c, func(m *channel.Machine) { p.registry.Follow(c.peer, m) })
			}
		case role.OrderLeave:
			p.left = append(p.left, o.Reason)
		case role.OrderDue:
			p.due++
		}
	}
	return any
}

func (p *party) channelOpened() {
	if p.lsp != nil {
		p.w.out(p.lsp.ChannelOpened(p.w.now))
		return
	}
	p.w.answers(p, p.client.ChannelOpened(p.w.now))
}
