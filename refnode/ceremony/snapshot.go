package ceremony

import (
	"maps"
	"slices"
)

// Snapshot returns the factory as it stands, for who reads it beside ceremonies
// that go on: what a machine does to the factory later does not show in it, and
// nothing may be changed through it. Like the machine's methods it is called by
// the machine's owner alone; what it returns is for one goroutine at a time.
// Snapshots of a factory that has not changed are the same.
func (h *Held) Snapshot() *Held {
	if s := h.snapshot; s != nil && s.tree == h.tree && len(s.live) == len(h.live) && len(s.Changes) == len(h.Changes) {
		return s
	}
	s := &Held{Proposal: h.Proposal, Signatures: h.Signatures, cfg: h.cfg, tree: h.tree, live: maps.Clone(h.live)}
	for _, ch := range h.Changes {
		// How far it got is the machine's business.
		s.Changes = append(s.Changes, &HeldChange{Message: ch.Message})
	}
	h.snapshot = s
	return s
}

// Snapshot is Held.Snapshot for the LSP's side.
func (f *Factory) Snapshot() *Factory {
	if s := f.snapshot; s != nil && s.tree == f.tree && len(s.live) == len(f.live) {
		return s
	}
	f.snapshot = &Factory{
		Ceremony: f.Ceremony, Members: slices.Clone(f.Members), Params: f.Params, Shape: f.Shape, Stocks: slices.Clone(f.Stocks),
		Outpoint: f.Outpoint, Funding: f.Funding, key: f.key, tree: f.tree, live: maps.Clone(f.live), keys: f.keys,
		sold: maps.Clone(f.sold),
	}
	return f.snapshot
}
