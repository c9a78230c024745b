package ceremony

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/factory"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// An update replaces the outputs of the channels below a state: section 8.4 of
// SPEC.md. The ceremony says where they go and how far it is, the channels move by
// the messages of section 3.8, and neither passes a gate of the other: channels
// begin when every client has given its nonces of phase 0; phase 1 begins when all
// of them have their new commitments; channels go on when phase 1 is stored, and
// leave what was replaced when its poison is.

// Errors of updates that move channels. Implementations of Channels wrap the first
// two.
var (
	// ErrNoChannel : an update leaves a client with an output that no channel has a
	// commitment on. Until such a client has left or been replaced by a state above,
	// nothing below the state changes.
	ErrNoChannel = errors.New("a client below the state has no open channel")
	// ErrStillMoving : CHG-012.
	ErrStillMoving = errors.New("a channel below the state has not done with the change before")
	// ErrHTLCs : CHG-020.
	ErrHTLCs = errors.New("a channel that is to be absorbed has HTLCs")
)

// moves are where an update takes the channels below its state, in client order: for
// each client those that it absorbs first, which end in the one that stays.
func (ch *lspChange) moves() ([]ChannelOutput, error) {
	var out []ChannelOutput
	for _, o := range ch.update.Channels() {
		key, err := ch.factory.ownKey(o.Channel, o.Client)
		if err != nil {
			return nil, err
		}
		to := outputOf(ch.factory.tree, o, key, true)
		for _, sold := range ch.factory.tree.Channels(o.Client)[1:] {
			key, err := ch.factory.ownKey(sold.Channel, o.Client)
			if err != nil {
				return nil, err
			}
			out = append(out, into(outputOf(ch.factory.tree, sold, key, true), to))
		}
		out = append(out, to)
	}
	for i := range out {
		out[i].Peer, out[i].Attempt, out[i].Factory = ch.factory.Members[out[i].Client].Peer, ch.id, ch.factory.ID()
	}
	return out, nil
}

// into is where a channel goes that another one absorbs.
func into(sold, stays ChannelOutput) ChannelOutput {
	sold.Outpoint, sold.Value, sold.Into = stays.Outpoint, 0, stays.LSPKey
	return sold
}

// prepareMoves computes where the channels go, and fails when one of them cannot.
func (l *LSP) prepareMoves(ch *lspChange) error {
	if ch.update == nil || l.cfg.Channels == nil {
		return nil
	}
	all, err := ch.moves()
	if err != nil {
		return err
	}
	ch.moving = nil
	for _, to := range all {
		if err := l.cfg.Channels.CanMove(to); err != nil {
			return fmt.Errorf("client %d: %w", to.Client, err)
		}
		grows := to.Absorbed() || to.Value != ch.factory.tree.Channels(to.Client)[0].Value
		if grows || l.cfg.on(rule.CHG013) {
			ch.moving = append(ch.moving, to)
		}
	}
	return nil
}

// startMoves orders the changes of channels: every client below the state is there
// and has agreed.
func (l *LSP) startMoves(ch *lspChange) {
	if ch.phase == 0 {
		for _, to := range ch.moving {
			l.cfg.Channels.Move(to)
		}
	}
}

// allMoved reports whether phase 1 of an update may begin (CHG-001).
func (l *LSP) allMoved(ch *lspChange) bool {
	return !slices.ContainsFunc(ch.members, func(m changeMember) bool { return !l.hasMoved(ch, m.client) })
}

// hasMoved reports whether the channel of one client has its new commitments, where
// phase 1 waits for them.
func (l *LSP) hasMoved(ch *lspChange, c factory.ClientIndex) bool {
	if ch.phase != 1 || !l.cfg.on(rule.CHG001) {
		return true
	}
	return !slices.ContainsFunc(ch.moving, func(to ChannelOutput) bool { return to.Client == c && !l.cfg.Channels.Moved(to) })
}

// errMovedBack : a client called the change of a channel off after phase 1 had begun.
var errMovedBack = errors.New("it is not committed any more")

// beginMoves says to the channels that the LSP is about to sign the new state: to all of
// them or to none.
func (l *LSP) beginMoves(ch *lspChange) error {
	if ch.phase != 1 {
		return nil
	}
	for _, m := range ch.members {
		if !l.hasMoved(ch, m.client) {
			return fmt.Errorf("the channel of client %d: %w", m.client, errMovedBack)
		}
	}
	for _, to := range ch.moving {
		if err := l.cfg.Channels.Begin(to); err != nil {
			return fmt.Errorf("the channel of client %d: %w", to.Client, err)
		}
	}
	return nil
}

// clientStands lets the channel of a client that has stored phase 1 go on (CHG-005).
func (l *LSP) clientStands(ch *lspChange, c factory.ClientIndex) {
	if ch.phase != 1 {
		return
	}
	for _, to := range ch.moving {
		if to.Client == c {
			l.cfg.Channels.Stands(to)
		}
	}
}

// stand says what stands after a change, or part of one, was taken in.
func (l *LSP) stand(ch *lspChange) error {
	if l.cfg.Channels == nil || ch.sale != nil {
		return nil
	}
	all, err := ch.factory.standing()
	if err != nil {
		return err
	}
	for _, o := range all {
		if ch.clients().Contains(o.Client) {
			l.cfg.Channels.Stands(o)
		}
	}
	return nil
}

// resumeMoved goes on with updates whose channels have moved.
func (l *LSP) resumeMoved(now time.Time) []Out {
	var out []Out
	for _, ch := range l.sortedChanges() {
		if ch.state != changeNonces || !ch.ready || !l.allMoved(ch) {
			continue
		}
		more, err := l.sendAggregates(now, ch)
		out = append(out, more...)
		if err != nil {
			out = append(out, l.endChange(ch, nobody, err)...)
		}
	}
	return out
}

// ownKey is the LSP's funding key of a client's channel.
func (f *Factory) ownKey(channel factory.Channel, c factory.ClientIndex) (*btcec.PrivateKey, error) {
	for _, k := range channel.Keys {
		if id, ok := f.sold[k]; ok {
			return f.keys.Channel(id, 0)
		}
	}
	return f.keys.Channel(f.ID(), uint32(c))
}

// alone reports whether every leaf that was replaced has its poison where a client
// is: no earlier output of its channels can pay the LSP.
func alone(t *factory.Tree, c factory.ClientIndex) bool {
	leaf, _, _ := t.Factory().Layout().Group(c)
	return !slices.Contains(t.Unpoisoned(), leaf)
}

// Moves are where updates take channels that were interrupted after phase 1 began,
// and whose new state is not known to be complete (CHG-010). A key that cannot be
// derived is an error.
func (f *Factory) Moves() ([]ChannelOutput, error) {
	var out []ChannelOutput
	for _, ch := range f.interrupted { // several, where they have no client in common
		if ch.update == nil || ch.reached > 1 {
			continue
		}
		moves, err := ch.moves()
		if err != nil {
			return nil, err
		}
		out = append(out, moves...)
	}
	return out, nil
}

// moves are where an update takes the client's own channels, the one that stays last.
func (h *Held) moves(ch *clientChange, attempt wire.CeremonyID) ([]ChannelOutput, error) {
	all, err := h.standing()
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(o ChannelOutput) bool { return o.Absorbed() })
	var out []ChannelOutput
	for _, o := range ch.update.Channels() {
		if o.Client != h.Client() || len(all) == 0 {
			continue
		}
		to := all[0] // its keys stay (CHG-003)
		to.Outpoint, to.Value, to.Alone = o.Outpoint, o.Value, false
		for _, sold := range all[1:] {
			sold.Alone = false
			out = append(out, into(sold, to))
		}
		out = append(out, to)
	}
	for i := range out {
		out[i].Attempt, out[i].Factory = attempt, h.ID()
	}
	if len(out) == 0 {
		return nil, fail(wire.ReasonShape, rule.CER041, "the update has no channel of ours")
	}
	return out, nil
}

// Moves is Factory.Moves for the client's own channels. Peer is for the caller to
// fill in.
func (h *Held) Moves() ([]ChannelOutput, error) {
	for _, change := range slices.Backward(h.Changes) {
		if run := change.run; run != nil && run.update != nil && change.Begun && run.reached < 2 {
			return h.moves(run, change.Message.ID())
		}
	}
	return nil, nil
}

// startMove says where an update takes the client's channel, after it has been
// checked, or refuses: what its channel cannot do, it does not agree to.
func (c *Client) startMove(a *clientAttempt) error {
	ch := a.change
	if ch.update == nil || c.cfg.Channels == nil {
		return nil
	}
	moves, err := ch.held.moves(ch, a.id)
	if err != nil {
		return err
	}
	for i := range moves {
		moves[i].Peer = c.lsp
		if err := c.cfg.Channels.CanMove(moves[i]); err != nil {
			return &Failure{Reason: wire.ReasonRefused, Rule: rule.CHG012, Err: err}
		}
	}
	a.moves = moves
	for _, to := range moves {
		c.cfg.Channels.Move(to)
	}
	return nil
}

// waitsForMove reports whether partial signatures have to wait for the commitment
// on the new output (CHG-002).
func (c *Client) waitsForMove(a *clientAttempt) bool {
	return a.phase == 1 && c.cfg.on(rule.CHG002) && slices.ContainsFunc(a.moves, func(to ChannelOutput) bool { return !c.cfg.Channels.Moved(to) })
}

// moved goes on with aggregate nonces that waited for the client's channel.
func (c *Client) moved(now time.Time) []wire.Ceremony {
	a := c.attempt
	if a == nil || a.aggregates == nil || c.waitsForMove(a) {
		return nil
	}
	m := a.aggregates
	a.aggregates = nil
	return c.step(now, a, m)
}

// stand says what stands after a phase was stored.
func (c *Client) stand(ch *clientChange) error {
	if c.cfg.Channels == nil || ch.sale != nil {
		return nil
	}
	all, err := ch.held.standing()
	if err != nil {
		return err
	}
	for _, o := range all {
		o.Peer = c.lsp
		c.cfg.Channels.Stands(o)
	}
	return nil
}

// tookIn are the channels of a client that updates have absorbed, each with the output
// of the update that did. They stay known: an old state may still be published.
func tookIn(t *factory.Tree, c factory.ClientIndex) (sold []factory.ChannelOutput, at []factory.ChannelOutput) {
	leaf, group, _ := t.Factory().Layout().Group(c)
	var waiting []factory.ChannelOutput
	pass := func(n *factory.Node) {
		for _, o := range waiting {
			sold, at = append(sold, o), append(at, n.Channels[c-n.Clients.First])
		}
		waiting = nil
	}
	for _, old := range t.Former() {
		if old.Failed || old.Node.ID != leaf {
			continue
		}
		pass(old.Node)
		if int(group) < len(old.Sales) {
			for _, sale := range old.Sales[group] {
				if sale.Buyer == c {
					waiting = append(waiting, sale.NewChannel)
				}
			}
		}
	}
	if n, ok := t.Node(leaf); ok {
		pass(n)
	}
	return sold, at
}
