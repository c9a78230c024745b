package client

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/store"
	"superscalar/wire"
)

// The keys of an attempt derive from its id, so an id is joined once (CER-003), after a
// restart too. It is kept from before the answer to the invitation: for good, or, when
// the attempt ended before a proposal, as long as the connection. No key of the attempt
// has done anything then. Each LSP has a limit of its own, so that none of them keeps a
// client from joining another; and since node ids cost nothing, all strangers together
// have one. An LSP is a stranger until it has funded a factory with this client, unless
// the client was told of it or its owner had it dialled: what strangers that come by
// themselves use up is no loss to those that the owner asks. When strangers have used up what there is for them, no
// other one is joined: an id is never forgotten to make room.

// Buckets of the ids that were joined, and of how many there are by LSP.
const (
	joinedBucket = "joined"
	countBucket  = "joined-count"
)

// How many ids of one LSP are kept at most: of one that has funded a factory with this
// client, and of any other; and how many of all strangers together.
const (
	maxJoined    = 1 << 14
	maxStranger  = 256
	maxStrangers = 1 << 12
)

func joinedKey(lsp ceremony.Peer, id wire.CeremonyID) string {
	return hex.EncodeToString(lsp[:]) + "/" + hex.EncodeToString(id[:])
}

// joinedLimit is how many ids of an LSP are kept. The caller holds c.mu.
func (c *Client) joinedLimit(lsp ceremony.Peer) uint32 {
	if c.hasFunded(lsp) {
		return maxJoined
	}
	return maxStranger
}

// hasFunded reports whether an LSP has funded a factory with this client. The caller
// holds c.mu.
func (c *Client) hasFunded(lsp ceremony.Peer) bool {
	m := c.machines[lsp]
	return m != nil && slices.ContainsFunc(m.Factories(), func(h *ceremony.Held) bool { return c.confirmed[h.ID()] })
}

// stranger reports whether an LSP is neither known from a factory nor from the
// configuration, and was never dialled. The caller holds c.mu.
func (c *Client) stranger(lsp ceremony.Peer) bool {
	return !slices.Contains(c.cfg.LSPs, lsp) && !c.hasFunded(lsp) && (c.cfg.Reached == nil || !c.cfg.Reached(lsp))
}

// strangersCount is how many ids of all strangers are kept. The caller holds c.mu.
func (c *Client) strangersCount(tx *store.Tx) (sum uint32, err error) {
	names, err := tx.Keys(countBucket)
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		var lsp ceremony.Peer
		raw, err := hex.DecodeString(name)
		if err != nil || len(raw) != len(lsp) {
			return 0, fmt.Errorf("the number of attempts of %q, which is no LSP", name)
		}
		copy(lsp[:], raw)
		if !c.stranger(lsp) {
			continue
		}
		n, err := joinedCount(tx, lsp)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// joinedCount is how many ids of an LSP are kept.
func joinedCount(tx *store.Tx, lsp ceremony.Peer) (uint32, error) {
	b, found, err := tx.Get(countBucket, hex.EncodeToString(lsp[:]))
	if err != nil || !found {
		return 0, err
	}
	if len(b) != 4 {
		return 0, fmt.Errorf("the number of attempts of LSP %s has %d bytes, 4 wanted", lsp, len(b))
	}
	return binary.BigEndian.Uint32(b), nil
}

func setJoinedCount(tx *store.Tx, lsp ceremony.Peer, n uint32) error {
	name := hex.EncodeToString(lsp[:])
	if n == 0 {
		return tx.Delete(countBucket, name)
	}
	return tx.Put(countBucket, name, binary.BigEndian.AppendUint32(nil, n))
}

// joins implements ceremony.ClientConfig.Joins.
func (c *Client) joins(lsp ceremony.Peer, id wire.CeremonyID) error {
	limit, stranger := c.joinedLimit(lsp), c.stranger(lsp)
	return c.cfg.Store.Update(func(tx *store.Tx) error {
		key := joinedKey(lsp, id)
		_, found, err := tx.Get(joinedBucket, key)
		switch {
		case err != nil:
			return err
		case found:
			return ceremony.ErrJoined
		}
		n, err := joinedCount(tx, lsp)
		if err != nil {
			return err
		}
		if n >= limit {
			return ceremony.ErrTooMany
		}
		if stranger {
			all, err := c.strangersCount(tx)
			if err != nil {
				return err
			}
			if all >= maxStrangers {
				return ceremony.ErrTooMany
			}
		}
		if err := setJoinedCount(tx, lsp, n+1); err != nil {
			return err
		}
		return tx.Put(joinedBucket, key, []byte{1})
	})
}

// quits implements ceremony.ClientConfig.Quits. A record that cannot be deleted stays:
// the id is joined no more.
func (c *Client) quits(lsp ceremony.Peer, id wire.CeremonyID) {
	_ = c.cfg.Store.Update(func(tx *store.Tx) error {
		key := joinedKey(lsp, id)
		_, found, err := tx.Get(joinedBucket, key)
		if err != nil || !found {
			return err
		}
		n, err := joinedCount(tx, lsp)
		if err != nil {
			return err
		}
		if err := setJoinedCount(tx, lsp, max(n, 1)-1); err != nil {
			return err
		}
		return tx.Delete(joinedBucket, key)
	})
}
