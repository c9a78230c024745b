package client

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/exit"
	"superscalar/refnode/role"
	"superscalar/wire"
)

// leavePart is the record that the client was told to leave a factory.
const leavePart = "leave"

// ErrUnknownFactory : the client has stored no such factory.
var ErrUnknownFactory = errors.New("no such factory")

// Leave starts the client's own way out of a factory: from the next look of its
// role.WayOut on its path is published, after a restart too. Nothing takes it
// back. The error is ErrUnknownFactory, or the store's.
func (c *Client) Leave(lsp ceremony.Peer, id wire.CeremonyID) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m := c.machines[lsp]; m == nil || m.Held(id) == nil {
		return fmt.Errorf("factory %s of LSP %s: %w", id, lsp, ErrUnknownFactory)
	}
	if c.leaving[id] {
		return nil
	}
	if err := c.cfg.Store.PutFactory([32]byte(id), leavePart, []byte{1}); err != nil {
		return err
	}
	c.leaving[id] = true
	return nil
}

// Exits returns the factories that the client has stored as their way out needs
// them: snapshots, which no ceremony changes (role.WayOut). A factory whose
// payout key cannot be derived is left out and named in the error.
func (c *Client) Exits() ([]role.Exit, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []role.Exit
	var errs []error
	for _, lsp := range slices.SortedFunc(maps.Keys(c.machines), comparePeers) {
		keys := role.Keys{Derive: c.cfg.Derive, LSP: lsp}
		for _, h := range c.machines[lsp].Factories() {
			payout, err := keys.Payout(h.ID())
			if err != nil {
				errs = append(errs, fmt.Errorf("factory %s: payout key: %w", h.ID(), err))
				continue
			}
			out = append(out, role.Exit{
				LSP: lsp, ID: h.ID(), Party: exit.Client(h.Client()), Holder: h.Snapshot(), Payout: payout, Leave: c.leaving[h.ID()],
			})
		}
	}
	return out, errors.Join(errs...)
}
