package hub

import (
	"fmt"
	"slices"
	"time"

	"superscalar/refnode/channel"
	"superscalar/refnode/payment"
	"superscalar/refnode/plugin"
	"superscalar/wire"
)

// Invoice makes an invoice.
func (h *Hub) Invoice(q payment.InvoiceRequest) (inv payment.Invoice, err error) {
	return order(h, func(st *step) (payment.Invoice, []payment.Action, error) { return h.router.Invoice(links{st}, q) })
}

// Pay pays an invoice and returns at once; Payment tells how it goes.
func (h *Hub) Pay(q payment.PayRequest) (payment.Payment, error) {
	return order(h, func(st *step) (payment.Payment, []payment.Action, error) { return h.router.Pay(links{st}, q) })
}

// order gives the router an order and returns when it is stored.
func order[T any](h *Hub, give func(*step) (T, []payment.Action, error)) (result T, err error) {
	stored := h.do(func(st *step) {
		var actions []payment.Action
		result, actions, err = give(st)
		st.router(actions)
	})
	if stored != nil {
		return result, stored
	}
	return result, err
}

// Payment returns a payment by its hash.
func (h *Hub) Payment(hash payment.Hash) (p payment.Payment, found bool) {
	_ = h.do(func(*step) { p, found = h.router.PaymentByHash(hash) })
	return p, found
}

// Payments returns every payment, oldest first.
func (h *Hub) Payments() (all []payment.Payment) {
	_ = h.do(func(*step) { all = h.router.Payments() })
	return all
}

// Invoices returns every invoice, oldest first.
func (h *Hub) Invoices() (all []payment.Invoice) {
	_ = h.do(func(*step) { all = h.router.Invoices() })
	return all
}

// Status is a channel as an operator sees it.
type Status struct {
	ID       wire.ChannelID
	Peer     wire.Point
	Link     channel.Link
	SCID     payment.SCID // real one, 0: none
	Alias    payment.SCID // ours
	Instance *[32]byte    // of the factory, nil outside
	Opener   wire.Point   // the funding key in open_channel
	Local    payment.Msat // our balance, HTLCs not counted
	Remote   payment.Msat
	Incoming payment.Msat // HTLCs towards us that are irrevocably committed, and that we do not fail
	Txid     wire.Txid    // of the current funding output
	Index    uint16
	Alone    bool           // no change is going on, and no commitment on an earlier output is valid
	Policy   payment.Policy // the peer's, from its channel_update
	Ready    bool           // channel_ready was exchanged
	OnChain  bool           // a block has one of its funding transactions
	Closed   bool           // by agreement, forgotten, or buried on the chain
	Failure  string         // why it failed
}

// Channels returns every channel that has a funding output.
func (h *Hub) Channels() (all []Status) {
	_ = h.do(func(*step) {
		for _, c := range h.channels {
			if m := c.machine; len(m.Fundings) > 0 {
				all = append(all, statusOf(c))
			}
		}
	})
	return all
}

// Deals reports whether there is a channel with a peer that needs it: one that is
// not closed and did not fail.
func (h *Hub) Deals(peer plugin.PeerID) bool {
	found := false
	_ = h.do(func(*step) {
		found = slices.ContainsFunc(h.channels, func(c *entry) bool {
			s := statusOf(c)
			return c.peer == wire.Point(peer) && !s.Closed && s.Failure == ""
		})
	})
	return found
}

// State is "opening", "ready", "closing" or "closed".
func (s Status) State() string {
	switch {
	case s.Closed:
		return "closed"
	case s.Failure != "" || s.Link.Shutdown:
		return "closing"
	case s.Ready:
		return "ready"
	default:
		return "opening"
	}
}

func statusOf(c *entry) Status {
	m := c.machine
	s := Status{
		ID: m.ID, Peer: c.peer, Link: m.Link(), SCID: c.confirmed, Alias: c.salt.alias(), Policy: c.theirs, Failure: m.Failure,
		Ready: m.SentReady && m.GotReady, Closed: m.ClosingTx != nil || m.Forgotten || c.settled || m.Ended(),
		Local: payment.Msat(m.Balance[m.Side]), Remote: payment.Msat(m.Balance[m.Side.Other()]),
		Opener: m.Open.Keys.Funding, Txid: m.Fundings[0].Txid, Index: m.Fundings[0].Index,
		Alone: m.Settled(m.Fundings[0].Txid), Incoming: payment.Msat(m.Incoming()), OnChain: m.Confirmed != (wire.Txid{}),
	}
	if in := m.Open.ChannelInFactory; in != nil {
		instance := in.InstanceID
		s.Instance = &instance
	}
	return s
}

// CloseChannel closes a channel: by agreement, or at once and by force.
func (h *Hub) CloseChannel(id wire.ChannelID, script []byte, force bool) error {
	var failed error
	err := h.do(func(st *step) {
		c := h.byID(id)
		if c == nil {
			failed = fmt.Errorf("%w: %s", ErrNoChannel, id)
			return
		}
		st.touch(c)
		if force {
			c.machine.ForceClose("order")
			return
		}
		failed = c.machine.Shutdown(script)
	})
	if err != nil {
		return err
	}
	return failed
}

// wakeRouter lets the router look at the time when it asked for it.
func (h *Hub) wakeRouter(at payment.UnixTime) {
	wait := time.Duration(at-h.now()) * time.Second
	h.after(max(wait, 0), func(st *step) { st.route(payment.Tick{Now: h.now()}) })
}

// timer calls a channel after a while.
func (st *step) timer(c *entry, a channel.SetTimer) {
	h := st.hub
	st.leaves = append(st.leaves, func() {
		h.after(a.After, func(st *step) {
			if !slices.Contains(h.channels, c) {
				return // it was read again after the store refused, or is forgotten: this one must not say or write anything
			}
			c.machine.Timer(a.ID)
			st.touch(c)
		})
	})
}

// Changed returns a channel that is closed when payments next change. Take it
// first and look afterwards.
func (h *Hub) Changed() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.changed == nil {
		h.changed = make(chan struct{})
	}
	return h.changed
}

// tell wakes those who wait for payments to change.
func (h *Hub) tell() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.changed != nil {
		close(h.changed)
		h.changed = nil
	}
}
