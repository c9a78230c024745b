package ceremony

import (
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/factory"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Channels are the channels that ceremonies make outputs for (section 8.1). A
// node without them has machines that wait for no channel: its ceremonies make
// outputs and nothing else. Implementations answer at once, and never call the
// machine that calls them.
type Channels interface {
	// Expect says that an attempt makes an output. At the LSP it is the order to
	// open the channel, after the messages that the machine returns next; at the
	// client it is what open_channel has to fit (CHAN-004).
	Expect(o ChannelOutput)
	// Opened reports whether both first commitments on an output are signed, and
	// ours is stored.
	Opened(o btcwire.OutPoint) bool
	// Forget says that an attempt with a peer that makes outputs ended before they
	// were made (CHAN-008). Others may have attempts with the same id: what is not
	// of this peer stays, unless that is Everybody.
	Forget(peer Peer, attempt wire.CeremonyID)
	// CallOff says that an attempt that makes no outputs for new channels ended
	// before it moved any (CHG-009). It forgets no channel.
	CallOff(peer Peer, attempt wire.CeremonyID)
	// Keep says that an attempt ended and that its outputs are made, or may be.
	Keep(peer Peer, attempt wire.CeremonyID)

	// CanMove fails when the channel of an output cannot move to another one: it is
	// not open (ErrNoChannel), or not done with the change before (ErrStillMoving).
	// A change to the very same output may go on.
	CanMove(to ChannelOutput) error
	// Move says that an attempt moves a channel to an output. At the LSP it is the
	// order to begin, at the client it is what factory_change_init has to fit
	// (CHG-003, CHG-004).
	Move(to ChannelOutput)
	// Moved reports whether both commitments on an output are signed, and ours is
	// stored (CHG-001, CHG-002).
	Moved(to ChannelOutput) bool
	// Begin says that the state above an output is about to be signed: the change
	// of the channel cannot be called off any more (PCF-140). On an error it is not
	// signed.
	Begin(to ChannelOutput) error
	// Stands says that an output is made, and stored with all above it: its channel
	// goes on there too (CHG-005), and with Alone there only (CHG-006).
	Stands(o ChannelOutput)
}

// Everybody stands for all peers of an attempt: those of an LSP, which draws the ids
// of its attempts itself.
var Everybody Peer

// ChannelOutput is a channel's funding output, as one side of the channel needs
// it.
type ChannelOutput struct {
	Peer     Peer // the other side
	Attempt  wire.CeremonyID
	Factory  wire.CeremonyID
	Client   factory.ClientIndex
	Outpoint btcwire.OutPoint
	Value    factory.Sat
	// LSPKey is the LSP's funding key; Key our own secret one, Theirs the peer's
	// (CHAN-003).
	LSPKey wire.Point
	Key    *btcec.PrivateKey
	Theirs wire.Point
	Params factory.Params
	Shape  factory.Shape
	// Alone is true when every leaf that this one has replaced is poisoned.
	Alone bool
	// Into is the LSP's funding key of another channel of the client, whose output this
	// is: that one takes what this channel holds (CHG-017). Zero for any other.
	Into wire.Point
}

// Absorbed reports whether the channel goes into another one.
func (o *ChannelOutput) Absorbed() bool { return o.Into != wire.Point{} }

// ByLSP reports whether the funding key of ours is the LSP's: of the two keys of an
// output one is the peer's.
func (o *ChannelOutput) ByLSP() bool { return o.LSPKey != o.Theirs }

// outputOf describes a channel output of a tree. own is our key, the other key of
// the channel is the peer's.
func outputOf(t *factory.Tree, ch factory.ChannelOutput, own *btcec.PrivateKey, lsp bool) ChannelOutput {
	terms := t.Factory().Terms()
	ours := wire.Point(compressed(own))
	o := ChannelOutput{
		Client: ch.Client, Outpoint: ch.Outpoint, Value: ch.Value, Key: own, LSPKey: ours,
		Params: terms.Params, Shape: terms.Shape,
	}
	for _, k := range ch.Channel.Keys {
		if k != ours {
			o.Theirs = k
		}
	}
	if !lsp {
		o.LSPKey = o.Theirs
	}
	return o
}

// channelOutput is that of client i in a creation.
func (c *creation) channelOutput(i int) ChannelOutput {
	o := outputOf(c.tree, c.tree.Channels(factory.ClientIndex(i))[0], c.members[i].channel, true)
	o.Peer, o.Attempt, o.Factory = c.members[i].peer, c.id, c.id
	return o
}

// expect orders the channels of a creation that was proposed.
func (l *LSP) expect(c *creation) {
	if l.cfg.Channels == nil {
		return
	}
	for i := range c.members {
		l.cfg.Channels.Expect(c.channelOutput(i))
	}
}

// hasChannel reports whether the LSP holds client i's signature on its own first
// commitment (CHAN-001).
func (l *LSP) hasChannel(c *creation, i int) bool {
	return l.cfg.Channels == nil || !l.cfg.on(rule.CHAN001) || l.cfg.Channels.Opened(c.channelOutput(i).Outpoint)
}

// forgetChannels, callOffMoves and keepChannels end an attempt.
func (c Config) forgetChannels(peer Peer, attempt wire.CeremonyID) {
	if c.Channels != nil {
		c.Channels.Forget(peer, attempt)
	}
}

func (c Config) callOffMoves(peer Peer, attempt wire.CeremonyID) {
	if c.Channels != nil {
		c.Channels.CallOff(peer, attempt)
	}
}

func (c Config) keepChannels(peer Peer, attempt wire.CeremonyID) {
	if c.Channels != nil {
		c.Channels.Keep(peer, attempt)
	}
}

// ChannelOpened says that a channel has been opened, or has its commitments on a
// new output: what waits for it goes on.
func (l *LSP) ChannelOpened(now time.Time) []Out {
	out := l.resumeMoved(now)
	for _, c := range l.sortedCreations() {
		if c.state != storing {
			continue
		}
		more, err := l.tryFund(c)
		out = append(out, more...)
		if err != nil {
			out = append(out, l.drop(now, c, l.blame(c, nobody, err))...)
		}
	}
	for _, ch := range l.sortedChanges() {
		if ch.state != changePartials || !ch.signed || !l.soldHasChannel(ch) {
			continue
		}
		more, err := l.completePhase(now, ch)
		out = append(out, more...)
		if err != nil {
			out = append(out, l.endChange(ch, nobody, own(err))...)
		}
	}
	return out
}

// soldOutput is the output of the channel that a sale makes.
func (ch *lspChange) soldOutput() (ChannelOutput, error) {
	key, err := ch.factory.saleKey(ch.id)
	if err != nil {
		return ChannelOutput{}, err
	}
	o := outputOf(ch.factory.tree, ch.sale.NewChannel, key, true)
	o.Peer, o.Attempt, o.Factory = ch.factory.Members[ch.record.Buyer].Peer, ch.id, ch.factory.ID()
	return o, nil
}

// expectSold orders the channel of a sale.
func (l *LSP) expectSold(ch *lspChange) error {
	if ch.sale == nil || l.cfg.Channels == nil {
		return nil
	}
	o, err := ch.soldOutput()
	if err == nil {
		l.cfg.Channels.Expect(o)
	}
	return err
}

// soldHasChannel reports whether a phase may be signed: that of a sale may once
// the LSP holds the buyer's signature on its own first commitment (CHAN-001).
func (l *LSP) soldHasChannel(ch *lspChange) bool {
	return l.cfg.Channels == nil || ch.sale == nil || ch.phase != 1 || !l.cfg.on(rule.CHAN001) || l.cfg.Channels.Opened(ch.sale.NewChannel.Outpoint)
}

// ChannelOutputs are the channel outputs of the factory that its LSP has keys
// for: those of the live tree, and those of sales that were interrupted. A key
// that cannot be derived is an error.
func (f *Factory) ChannelOutputs() ([]ChannelOutput, error) {
	out, err := f.standing()
	if err != nil {
		return nil, err
	}
	for _, ch := range f.interrupted {
		if ch.sale != nil && ch.reached < 2 {
			o, err := ch.soldOutput()
			if err != nil {
				return nil, err
			}
			out = append(out, o)
		}
	}
	return out, nil
}

// standing are the channel outputs of the live tree, for each client those that
// updates have absorbed last.
func (f *Factory) standing() ([]ChannelOutput, error) {
	var out []ChannelOutput
	for i := range f.Members {
		c := factory.ClientIndex(i)
		for _, ch := range f.tree.Channels(c) {
			o, err := f.outputOf(ch)
			if err != nil {
				return nil, err
			}
			out = append(out, o)
		}
		sold, at := tookIn(f.tree, c)
		for k := range sold {
			o, err := f.outputOf(sold[k])
			if err != nil {
				return nil, err
			}
			stays, err := f.outputOf(at[k])
			if err != nil {
				return nil, err
			}
			out = append(out, into(o, stays))
		}
	}
	return out, nil
}

// outputOf describes a channel output that is made, whose key the LSP has.
func (f *Factory) outputOf(ch factory.ChannelOutput) (ChannelOutput, error) {
	attempt, index := f.ID(), uint32(ch.Client)
	for _, k := range ch.Channel.Keys {
		if id, sold := f.sold[k]; sold {
			attempt, index = id, 0
		}
	}
	key, err := f.keys.Channel(attempt, index)
	if err != nil {
		return ChannelOutput{}, err
	}
	o := outputOf(f.tree, ch, key, true)
	o.Peer, o.Attempt, o.Factory = f.Members[ch.Client].Peer, attempt, f.ID()
	o.Alone = alone(f.tree, ch.Client)
	return o, nil
}
