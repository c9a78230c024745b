package hub

import (
	"slices"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/channel"
	"superscalar/refnode/payment"
	"superscalar/refnode/store"
	"superscalar/wire"
)

// step is one transaction in the making: what machines and router have said
// since the last one.
type step struct {
	hub     *Hub
	touched []*entry // in the order in which they were first touched
	writes  []func(*store.Tx) error
	dirty   []*entry // whose state is to be stored
	leaves  []func() // what happens once all is stored, in order
	peers   []wire.Point
	firsts  map[string]wire.Txid // see signsFirst
}

func (h *Hub) newStep() *step { return &step{hub: h} }

// touch says that a machine got an input.
func (st *step) touch(c *entry) {
	if !slices.Contains(st.touched, c) {
		st.touched = append(st.touched, c)
	}
}

// settle lets machines and router answer one another until nothing is left. A
// channel signs when there is nothing else to do, so that one signature covers
// as many updates as there are.
func (st *step) settle() {
	for {
		if st.takeAll() {
			continue
		}
		for _, c := range st.touched {
			c.machine.Commit()
		}
		if !st.takeAll() {
			return
		}
	}
}

// takeAll carries out what machines have to say; false when they were silent.
func (st *step) takeAll() bool {
	any := false
	for i := 0; i < len(st.touched); i++ { // acting may touch more
		c := st.touched[i]
		for _, a := range c.machine.Take() {
			any = true
			st.act(c, a)
		}
	}
	return any
}

// act carries out an action of a channel.
func (st *step) act(c *entry, a channel.Action) {
	switch a := a.(type) {
	case channel.Persist:
		if !slices.Contains(st.dirty, c) {
			st.dirty = append(st.dirty, c)
		}
	case channel.Append:
		st.writes = append(st.writes, c.revoked(a.Revoked))
	case channel.Send:
		st.say(c.peer, a.Message)
	case channel.Disconnect:
		st.end(c.peer, a)
	case channel.Broadcast:
		st.broadcast(a.Tx, a.What)
	case channel.SetTimer:
		st.timer(c, a)
	default:
		st.event(c, a)
	}
}

// event hands what a channel tells to whom it concerns.
func (st *step) event(c *entry, a channel.Action) {
	if e, ok := routed(a); ok {
		st.route(e)
		return
	}
	switch a := a.(type) {
	case channel.Up:
		st.introduce(c)
		st.move(c, a)
	default:
		st.ask(c, a)
	}
}

// route hands an event to the router and carries out what it wants.
func (st *step) route(e payment.Event) { st.router(st.hub.router.Handle(links{st}, e)) }

func (st *step) router(actions []payment.Action) {
	h := st.hub
	for _, a := range actions {
		switch a := a.(type) {
		case payment.Persist:
			st.writes = append(st.writes, func(tx *store.Tx) error { return writePayments(tx, a) })
		case payment.Wake:
			st.leaves = append(st.leaves, func() { h.wakeRouter(a.At) })
		default:
			st.leaves = append(st.leaves, h.tell)
			if h.cfg.Notice != nil {
				st.leaves = append(st.leaves, func() { h.cfg.Notice(a) })
			}
		}
	}
}

// broadcast publishes a transaction once the step is stored.
func (st *step) broadcast(tx *btcwire.MsgTx, what string) {
	h := st.hub
	if h.cfg.Broadcast != nil {
		st.leaves = append(st.leaves, func() { go h.cfg.Broadcast(tx, what) })
	}
}

// commit stores the step. Without a change there is nothing to store.
func (st *step) commit() error {
	if len(st.writes) == 0 && len(st.dirty) == 0 {
		return nil
	}
	return st.hub.cfg.Store.Update(func(tx *store.Tx) error {
		for _, c := range st.dirty { // another one may have the name of one that goes
			if c.dropped() {
				if err := remove(tx, c.salt.String()); err != nil {
					return err
				}
			}
		}
		for _, c := range st.dirty {
			if c.dropped() {
				continue
			}
			if err := c.write(tx); err != nil {
				return err
			}
		}
		for _, write := range st.writes {
			if err := write(tx); err != nil {
				return err
			}
		}
		return nil
	})
}

// dropped reports whether nothing of the channel is worth keeping: one inside a
// factory that was forgotten (CHAN-008, PCF-056), or one outside whose funding
// output never was.
func (c *entry) dropped() bool {
	return c.machine.Forgotten && (c.machine.Open.ChannelInFactory != nil || c.confirmed == 0)
}

// deliver lets everything leave that the step made.
func (st *step) deliver() {
	if slices.ContainsFunc(st.dirty, (*entry).dropped) {
		st.hub.channels = slices.DeleteFunc(st.hub.channels, (*entry).dropped)
	}
	for _, c := range st.touched {
		if c.wasted() {
			st.hub.cfg.Wallet.Release(coinsFor(c.salt))
			c.funding = nil
			st.hub.channels = slices.DeleteFunc(st.hub.channels, func(other *entry) bool { return other == c })
		}
	}
	st.hub.publish(st.touched)
	for _, leave := range st.leaves {
		leave()
	}
	for _, p := range st.peers {
		st.hub.wakePeer(p)
	}
}
