package client

import (
	"errors"
	"fmt"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/refnode/role"
	"superscalar/wire"
)

// ErrNotUsable is wrapped by Usable.
var ErrNotUsable = role.ErrNotUsable

// confirmations is how many a funding transaction needs before the factory may
// change (CER-044): one, on a chain for tests.
const confirmations = 1

// confirmedPart names the record that says that the funding transaction was seen
// in a block. It is written before the factory is used, so that one that was used
// is never forgotten, whatever a reorganisation does.
const confirmedPart = "confirmed"

func (c *Client) backend() role.Chain {
	return role.Chain{Backend: c.cfg.Chain, Timeout: c.cfg.ChainTimeout}
}

// Usable reports whether a stored factory can be used: role.Chain.Usable.
func (c *Client) Usable(h *ceremony.Held, confirmations uint32) error {
	c.mu.Lock()
	tree := h.Tree()
	c.mu.Unlock()
	n, err := c.backend().Usable(tree, c.cfg.Rules, confirmations)
	if err != nil || n == 0 {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen(h.ID())
}

// funded implements ceremony.Config.Funded. The machine calls it, so that c.mu is
// held.
func (c *Client) funded(id wire.CeremonyID, tree *factory.Tree) error {
	if err := c.backend().Funded(tree, c.cfg.Rules, confirmations); err != nil {
		return err
	}
	return c.seen(id)
}

// seen notes, durably, that a funding transaction was in a block. The caller holds
// c.mu.
func (c *Client) seen(id wire.CeremonyID) error {
	if c.confirmed[id] {
		return nil
	}
	if err := c.cfg.Store.PutFactory([32]byte(id), confirmedPart, []byte{1}); err != nil {
		return err
	}
	c.confirmed[id] = true
	return nil
}

// forgetAfter is how many blocks after the last one in which it could be funded a
// factory is forgotten: no reorganisation is as deep.
const forgetAfter = 100

// CheckFunding forgets factories that were never funded (CER-036): attempts that the
// LSP gave up, or never paid for. What was signed in them stays on record. What goes
// wrong is reported, and tried again the next time: the owner calls it when the
// chain has changed.
func (c *Client) CheckFunding() error {
	var errs []error
	for _, f := range c.Factories() {
		if err := c.checkFunding(f); err != nil {
			errs = append(errs, fmt.Errorf("factory %s: its funding transaction: %w", f.ID, err))
		}
	}
	return errors.Join(errs...)
}

func (c *Client) checkFunding(f Standing) error {
	c.mu.Lock()
	known := c.confirmed[f.ID]
	c.mu.Unlock()
	if known {
		return nil
	}
	tx, found, err := c.backend().Transaction(f.Tree.Funding().Hash)
	if err != nil {
		return err
	}
	if !found {
		return c.checkUnfunded(f)
	}
	if !tx.Confirmed {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen(f.ID)
}

// checkUnfunded forgets a factory whose funding transaction is not there, once it
// is late enough.
func (c *Client) checkUnfunded(f Standing) error {
	tip, err := c.backend().Tip()
	if err != nil {
		return err
	}
	if tip < f.Tree.Factory().Terms().Params.FundingEnd()+forgetAfter {
		return nil
	}
	spent, err := c.backend().Seen(f.Tree.Funding())
	if err != nil || spent {
		return err
	}
	// A node without an index of transactions may know the output all the same.
	out, there, err := c.backend().Output(f.Tree.Funding())
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if there && !out.Confirmed {
		return nil
	}
	if there {
		return c.seen(f.ID)
	}
	if c.confirmed[f.ID] || c.machine(f.LSP).Working(f.ID) {
		return nil
	}
	if err := role.Prune(c.cfg.Store, func(id wire.CeremonyID) bool { return id != f.ID }); err != nil {
		return err
	}
	c.machine(f.LSP).Forget(f.ID)
	if c.cfg.Channels != nil {
		c.cfg.Channels.ForgetFactory(f.ID)
	}
	delete(c.leaving, f.ID)
	return nil
}
