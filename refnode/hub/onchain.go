package hub

import (
	"context"
	"errors"
	"fmt"
	"sync"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/channel"
	"superscalar/refnode/closing"
	"superscalar/refnode/commitment"
	"superscalar/refnode/wallet"
	"superscalar/wire"
)

// enforcer ends channels on the chain. It works outside of steps, since it asks
// the chain: a step takes what a channel holds, and another one tells the channel
// what was seen. Nothing is lost between them: what is seen follows from the
// stored channel and the chain, and is seen again.
type enforcer struct {
	mu      sync.Mutex // one look at a time
	driver  closing.Driver
	scripts map[Salt][]byte
}

// AttachCoins gives a hub without coins a wallet (Config.Coins).
func (h *Hub) AttachCoins(w *wallet.Wallet) {
	h.enforcer.mu.Lock()
	defer h.enforcer.mu.Unlock()
	h.cfg.Coins, h.enforcer.driver.Wallet = w, w
}

// ending is a channel that ends on the chain.
type ending struct {
	salt    Salt
	id      wire.ChannelID
	settled bool
	channel *closing.Channel
}

// maxRounds bounds how often a look goes on because channels told one another
// something: a preimage goes from one to the next.
const maxRounds = 4

// enforce looks after every channel that ends on the chain. What goes wrong with one of
// them, or with the wallet, keeps nothing from the others. Unseen are those of which it is
// not known what the chain shows; looked is false when the channels themselves are not.
func (h *Hub) enforce(ctx context.Context, backend chain.Interface) (unseen []wire.ChannelID, looked bool, failed error) {
	e := &h.enforcer
	e.mu.Lock()
	defer e.mu.Unlock()
	var purse error
	for n := range maxRounds {
		all, err := h.ending()
		if err != nil || len(all) == 0 {
			return nil, err == nil, errors.Join(purse, err)
		}
		if h.cfg.Coins != nil && n == 0 {
			purse = h.cfg.Coins.Sync(ctx, backend)
		}
		var news bool
		if news, unseen, failed = h.round(ctx, backend, all); !news {
			break
		}
	}
	return unseen, true, errors.Join(purse, failed, e.driver.Release(ctx, backend))
}

// round takes a step for each channel, and reports whether one of them was told
// something, and which of them it could not look after.
func (h *Hub) round(ctx context.Context, backend chain.Interface, all []ending) (news bool, unseen []wire.ChannelID, failed error) {
	for _, c := range all {
		told, seen, err := h.lookAfter(ctx, backend, c)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("channel %s on the chain: %w", c.id, err))
		}
		if !seen {
			unseen = append(unseen, c.id)
		}
		news = news || told
	}
	return news, unseen, failed
}

// lookAfter takes a step for a channel. It was told what the chain shows when seen is true:
// that what is to be sent is not taken, or cannot be paid for, is no matter.
func (h *Hub) lookAfter(ctx context.Context, backend chain.Interface, c ending) (news, seen bool, failed error) {
	script, err := h.claimScript(c.salt) // nil: nothing is claimed
	report, failed := h.enforcer.driver.Step(ctx, backend, c.channel, script)
	if failed = errors.Join(err, failed); report.Height == 0 {
		return false, false, failed // the chain did not answer
	}
	h.report(c, &report)
	if news, err = h.seen(c, &report.Plan); err != nil {
		return false, false, errors.Join(failed, err)
	}
	return news, report.Whole, failed
}

// report logs what was sent.
func (h *Hub) report(c ending, r *closing.Report) {
	for _, s := range r.Sent {
		h.cfg.Log.Info("on the chain", "channel", c.id.String(), "what", s.Action.Reason, "txid", s.Txid.String(),
			"rate", s.Rate.String(), "deadline", s.Action.Deadline, "error", s.Err)
	}
}

// ending returns what is known of the channels that end on the chain: those that
// failed, that are closed together, and in factories those whose output is there.
func (h *Hub) ending() (all []ending, err error) {
	err = h.do(func(*step) {
		for _, c := range h.channels {
			m := c.machine
			surfaced := m.Open.ChannelInFactory != nil && m.Confirmed != wire.Txid{}
			if m.Forgotten || len(m.Fundings) == 0 || m.Failure == "" && m.ClosingTx == nil && !surfaced {
				continue
			}
			e := ending{salt: c.salt, id: m.ID, settled: c.settled, channel: closing.Of(m)}
			e.channel.Revoked = func(n commitment.Number) (*channel.Revoked, error) { return h.readRevoked(e.salt, n) }
			all = append(all, e)
		}
	})
	return all, err
}

// seen tells a channel what the chain shows.
func (h *Hub) seen(e ending, p *closing.Plan) (news bool, err error) {
	news = len(p.Preimages)+len(p.Gone)+len(p.Removed) > 0
	if !news && p.Settled() == e.settled && !p.Done() {
		return false, nil
	}
	return news, h.do(func(st *step) {
		c := h.salted(e.salt)
		if c == nil || c.machine.Forgotten {
			return
		}
		for _, preimage := range p.Preimages {
			c.machine.Preimage(preimage)
		}
		for _, id := range p.Gone {
			c.machine.Gone(id)
		}
		for _, id := range p.Removed {
			c.machine.Removed(id)
		}
		c.settled = p.Settled() // a reorganisation may take it back
		st.touch(c)
		if p.Done() {
			c.machine.Forget()
			st.writes = append(st.writes, c.salt.erase)
			st.pruneFirsts(c)
		}
	})
}

// salted finds a channel by its salt: the entry itself may have been read again.
func (h *Hub) salted(salt Salt) *entry {
	for _, c := range h.channels {
		if c.salt == salt {
			return c
		}
	}
	return nil
}

// outpoints are the channels by the outputs that commitments spend, replaced
// ones included.
func (h *Hub) outpoints() map[btcwire.OutPoint]*entry {
	all := map[btcwire.OutPoint]*entry{}
	for _, c := range h.channels {
		if c.machine.Forgotten {
			continue
		}
		for _, f := range c.machine.Fundings {
			if f.Absorbed() {
				continue // another channel's
			}
			all[btcwire.OutPoint{Hash: txidOf(f.Txid), Index: uint32(f.Index)}] = c
		}
		for _, r := range c.machine.Replaced {
			all[btcwire.OutPoint{Hash: txidOf(r.Funding.Txid), Index: uint32(r.Funding.Index)}] = c
		}
	}
	return all
}

// spends stops the channels whose outputs a confirmed transaction spends.
func (st *step) spends(outputs map[btcwire.OutPoint]*entry, tx *btcwire.MsgTx) {
	for _, in := range tx.TxIn {
		c := outputs[in.PreviousOutPoint]
		if c == nil {
			continue
		}
		txid := tx.TxHash()
		if together := c.machine.Closing(); together != nil && together.TxHash() == txid {
			continue
		}
		c.machine.OnChain("spent on the chain by " + txid.String())
		st.touch(c)
	}
}
