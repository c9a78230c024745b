package role

import (
	"time"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/transport"
	"superscalar/wire"
)

// Tray holds messages until the base node fetches them, and the one timer of a
// machine. It belongs to a role, which locks around it.
type Tray struct {
	// Wake tells the base node that something waits for a peer. It must not
	// call back into the role.
	Wake  func(ceremony.Peer)
	Clock transport.Clock

	waiting map[ceremony.Peer][]wire.Ceremony
	timer   transport.Timer
	due     time.Time
}

// Put adds messages. A peer's messages keep their order.
func (t *Tray) Put(out []ceremony.Out) {
	if t.waiting == nil {
		t.waiting = map[ceremony.Peer][]wire.Ceremony{}
	}
	for _, o := range out {
		t.waiting[o.To] = append(t.waiting[o.To], o.Message)
		if t.Wake != nil {
			t.Wake(o.To)
		}
	}
}

// Take returns what waits for a peer.
func (t *Tray) Take(peer ceremony.Peer) []wire.Ceremony {
	list := t.waiting[peer]
	delete(t.waiting, peer)
	return list
}

// Drop forgets what waits for a peer whose connection ended.
func (t *Tray) Drop(peer ceremony.Peer) { delete(t.waiting, peer) }

// Alarm calls ring at a time; an earlier call replaces a later one. ok false
// takes the alarm away.
func (t *Tray) Alarm(at time.Time, ok bool, ring func()) {
	if t.timer != nil && ok && at.Equal(t.due) {
		return
	}
	if t.timer != nil {
		t.timer.Stop()
		t.timer = nil
	}
	if ok {
		t.due = at
		t.timer = t.Clock.AfterFunc(max(0, at.Sub(t.Clock.Now())), ring)
	}
}
