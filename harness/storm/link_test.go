package storm

import (
	"superscalar/refnode/node"
	"superscalar/refnode/peer"
	"superscalar/refnode/plugin"
	"superscalar/wire"
)

// link is a connection of a client with the LSP, without sockets.
type link struct {
	up   bool
	ends [2]end // the LSP's, the client's
}

// end is a side of a link, with what is on its way to it.
type end struct {
	p       *party
	machine *peer.Machine
	waiting [][]byte
}

// connect makes a new connection.
func (w *world) connect(l *link) {
	if l.up {
		return
	}
	l.up = true
	for i := range l.ends {
		p, to := l.ends[i].p, l.ends[1-i].p.id()
		l.ends[i].waiting = nil
		l.ends[i].machine = peer.New(peer.Config{
			Features: peer.Features(), ChainHash: node.Regtest, Plugins: []plugin.Plugin{p.plugin},
			TemporaryID: temporary(p.rand("id")), Channels: p.hub,
			Tamper: peer.Tamper{Out: func(m wire.Message) []wire.Message {
				if signed, ok := m.(*wire.CommitmentSigned); ok {
					p.signs(signed)
				}
				return []wire.Message{m}
			}},
		}, to)
	}
	for i := range l.ends {
		w.act(l, i, l.ends[i].machine.Start())
	}
}

// act carries out what a side says. A process that has ended says nothing.
func (w *world) act(l *link, side int, actions []peer.Action) {
	for _, a := range actions {
		if !l.up || l.ends[side].p.fault().isDead() {
			return
		}
		switch a := a.(type) {
		case peer.Send:
			l.ends[1-side].waiting = append(l.ends[1-side].waiting, a.Message)
		case peer.Close:
			w.note("%s closes its connection %d: %s", l.ends[side].p.name, l.ends[1].p.index, a.Reason)
			w.cut(l)
			return
		}
	}
}

// cut ends a connection: what is on its way is lost.
func (w *world) cut(l *link) {
	if !l.up {
		return
	}
	l.up = false
	for i := range l.ends {
		p, to := l.ends[i].p, l.ends[1-i].p.id()
		l.ends[i].waiting, l.ends[i].machine = nil, nil
		if p.hub == nil || p.fault().isDead() {
			continue
		}
		p.hub.Disconnected(to)
		p.plugin.Disconnected(to)
	}
	for i := range l.ends {
		w.follow(l.ends[i].p)
	}
}

// deliver hands the next message of a link to a side.
func (w *world) deliver(l *link, side int) {
	e := &l.ends[side]
	raw := e.waiting[0]
	e.waiting = e.waiting[1:]
	w.note("%s gets %s", e.p.name, messageName(raw))
	w.act(l, side, e.machine.Receive(raw))
	w.follow(e.p)
	if w.handled != nil {
		if m, err := (wire.Codec{}).Decode(raw); err == nil {
			w.handled(e.p, m)
		}
	}
}

func messageName(raw []byte) string {
	m, err := wire.Codec{}.Decode(raw)
	if err != nil {
		return err.Error()
	}
	return nameOf(m)
}

func nameOf(m wire.Message) string {
	if g, ok := m.(*wire.Piggyback); ok {
		if c, err := (wire.Codec{}).DecodeCeremony(g.Payload); err == nil {
			return c.Name()
		}
	}
	return m.Name()
}

// linksOf are the connections of a party.
func (w *world) linksOf(p *party) (links []*link, side int) {
	if p.thief {
		return nil, 0
	}
	if p.isLSP() {
		return w.links, 0
	}
	return w.links[p.index : p.index+1], 1
}

// follow does everything that follows from what a party was given: until nothing of
// it is left to say.
func (w *world) follow(p *party) {
	if p.hub == nil {
		return
	}
	links, side := w.linksOf(p)
	for again := true; again && !p.fault().isDead(); {
		again = false
		p.hub.Wait()
		for !p.fault().isDead() && p.leaves.Obey() {
			p.hub.Wait()
			w.open(p)
			again = true
		}
		for _, l := range links {
			if l.up && !p.fault().isDead() {
				actions := l.ends[side].machine.Flush()
				again = again || len(actions) > 0
				w.act(l, side, actions)
			}
		}
	}
	if p.fault().isDead() {
		w.end(p)
	}
}

// open opens the channels that the keeper asked for.
func (w *world) open(p *party) {
	p.mu.Lock()
	opens := p.opens
	p.opens = nil
	p.mu.Unlock()
	for _, o := range opens {
		if p.thief {
			return
		}
		for _, l := range w.links {
			if l.up && l.ends[1].p.id() == wire.Point(o.to) {
				actions, err := l.ends[0].machine.OpenInFactory(o.o)
				w.act(l, 0, actions)
				if err != nil {
					w.note("open: %v", err)
				}
			}
		}
	}
}

// end is the end of a process.
func (w *world) end(p *party) {
	if p.hub == nil {
		return
	}
	w.note("%s ends", p.name)
	p.stop()
	p.set(nil)
	links, _ := w.linksOf(p)
	for _, l := range links {
		w.cut(l)
	}
}
