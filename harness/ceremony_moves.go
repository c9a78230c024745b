package harness

import "superscalar/refnode/ceremony"

// The suite's participants move no channels yet: cases with updates have none
// (Case.Bare).

// CanMove implements ceremony.Channels.
func (l *LeafChannels) CanMove(ceremony.ChannelOutput) error { return nil }

// Move implements ceremony.Channels.
func (l *LeafChannels) Move(ceremony.ChannelOutput) {}

// Moved implements ceremony.Channels.
func (l *LeafChannels) Moved(ceremony.ChannelOutput) bool { return true }

// Begin implements ceremony.Channels.
func (l *LeafChannels) Begin(ceremony.ChannelOutput) error { return nil }

// Stands implements ceremony.Channels.
func (l *LeafChannels) Stands(ceremony.ChannelOutput) {}
