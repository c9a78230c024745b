package lsp

import (
	"errors"

	"superscalar/refnode/ceremony"
	"superscalar/wire"
)

// restoreChannels tells the registry which outputs the stored factories have.
func (l *LSP) restoreChannels() error {
	r := l.cfg.Channels
	if r == nil {
		return nil
	}
	r.RestoreAside(l.aside)
	for _, f := range l.machine.Factories() {
		outputs, err := f.ChannelOutputs()
		if err != nil {
			return err
		}
		for _, o := range outputs {
			r.Restore(o)
		}
		moves, err := f.Moves()
		if err != nil {
			return err
		}
		for _, to := range moves {
			r.RestoreMove(to)
		}
	}
	return nil
}

// ChannelOpened says that a channel has been opened: what waits for it goes on.
func (l *LSP) ChannelOpened() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out(l.machine.ChannelOpened(l.pause.Now()))
}

var errOpensItself = errors.New("the LSP opens the channels of its factories")

// CheckChannel implements plugin.ChannelTaker: an LSP takes none.
func (l *LSP) CheckChannel(ceremony.Peer, *wire.OpenChannel) error { return errOpensItself }

// ToSelfDelay implements plugin.ChannelTaker.
func (l *LSP) ToSelfDelay(ceremony.Peer, *wire.OpenChannel) uint16 { return 0 }
