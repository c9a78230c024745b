package client

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/store"
	"superscalar/wire"
)

// The keys of an attempt derive from its id, so an id is joined once (CER-003), after a
// restart too. What is kept is a digest of id and LSP: from before the answer to the
// invitation for good, or until the attempt ends without a signature of ours. Its key
// has done nothing then.

// joinedBucket holds a record for each id that was joined.
const joinedBucket = "joined"

// maxJoined is how many there are at most. Who has signed in so many attempts to
// create a factory joins no more.
const maxJoined = 1 << 16

// Errors of an invitation to an attempt.
var (
	errJoined  = errors.New("an attempt with this ceremony_id was joined before")
	errTooMany = errors.New("too many attempts were joined")
)

func joinedKey(lsp ceremony.Peer, id wire.CeremonyID) string {
	digest := sha256.Sum256(append(lsp[:], id[:]...))
	return hex.EncodeToString(digest[:])
}

// joins implements ceremony.ClientConfig.Joins.
func (c *Client) joins(lsp ceremony.Peer, id wire.CeremonyID) error {
	return c.cfg.Store.Update(func(tx *store.Tx) error {
		key := joinedKey(lsp, id)
		_, found, err := tx.Get(joinedBucket, key)
		switch {
		case err != nil:
			return err
		case found:
			return errJoined
		}
		all, err := tx.Keys(joinedBucket)
		if err != nil {
			return err
		}
		if len(all) >= maxJoined {
			return errTooMany
		}
		return tx.Put(joinedBucket, key, []byte{1})
	})
}

// quits implements ceremony.ClientConfig.Quits. A record that cannot be deleted stays:
// the id is joined no more.
func (c *Client) quits(lsp ceremony.Peer, id wire.CeremonyID) {
	_ = c.cfg.Store.Update(func(tx *store.Tx) error { return tx.Delete(joinedBucket, joinedKey(lsp, id)) })
}
