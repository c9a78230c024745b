package client

import (
	"testing"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/store"
	"superscalar/wire"
)

// Limits of what is kept of strangers.
const (
	MaxStranger  = maxStranger
	MaxStrangers = maxStrangers
)

// Machines counts the LSPs that a client keeps a machine for.
func (c *Client) Machines() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.machines)
}

// FillJoined stores n ids, number i of LSP whose(i).
func FillJoined(t testing.TB, s *store.Store, n int, whose func(int) ceremony.Peer) {
	t.Helper()
	err := s.Update(func(tx *store.Tx) error {
		for i := range n {
			lsp := whose(i)
			k, err := joinedCount(tx, lsp)
			if err != nil {
				return err
			}
			if err := setJoinedCount(tx, lsp, k+1); err != nil {
				return err
			}
			if err := tx.Put(joinedBucket, joinedKey(lsp, wire.CeremonyID{0xff, byte(i), byte(i >> 8)}), []byte{1}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
