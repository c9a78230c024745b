package hub

import (
	"fmt"
	"slices"
	"strings"

	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/refnode/store"
)

// bucketClosing holds, by salt, what a channel that ends on the chain needs
// beside its state: a version and the script that its claims pay.
const (
	bucketClosing  = "closing"
	closingVersion = 1
)

// claimScript returns the script that the claims of a channel pay. It is stored
// before it is used, so that a restart, and every replacement, pays the same; nil
// without a wallet.
func (h *Hub) claimScript(salt Salt) (script []byte, err error) {
	e := &h.enforcer
	if h.cfg.Coins == nil || e.scripts[salt] != nil {
		return e.scripts[salt], nil
	}
	err = h.cfg.Store.View(func(tx *store.Tx) error {
		raw, found, err := tx.Get(bucketClosing, salt.String())
		switch {
		case err != nil || !found:
			return err
		case len(raw) < 2 || raw[0] != closingVersion:
			return fmt.Errorf("%w %s: the script of its claims", ErrRecord, salt)
		}
		script = raw[1:]
		return nil
	})
	if err != nil {
		return nil, err
	}
	if script == nil {
		if script, err = h.cfg.Coins.NewScript(); err != nil {
			return nil, err
		}
		record := append([]byte{closingVersion}, script...)
		err = h.do(func(st *step) {
			st.writes = append(st.writes, func(tx *store.Tx) error { return tx.Put(bucketClosing, salt.String(), record) })
		})
		if err != nil {
			return nil, err
		}
	}
	if e.scripts == nil {
		e.scripts = map[Salt][]byte{}
	}
	e.scripts[salt] = slices.Clone(script)
	return script, nil
}

// revokedName is the name of the record of a revoked commitment.
func (s Salt) revokedName(n commitment.Number) string { return fmt.Sprintf("%s/%012x", s, uint64(n)) }

// readRevoked reads the record of a revoked commitment, nil when there is none.
func (h *Hub) readRevoked(salt Salt, n commitment.Number) (r *channel.Revoked, err error) {
	err = h.cfg.Store.View(func(tx *store.Tx) error {
		raw, found, err := tx.Get(bucketRevoked, salt.revokedName(n))
		if err != nil || !found {
			return err
		}
		r, err = channel.DecodeRevoked(raw)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("revoked commitment %d: %w", n, err)
	}
	return r, nil
}

// erase deletes the records that only an end on the chain needs.
func (s Salt) erase(tx *store.Tx) error {
	names, err := tx.Keys(bucketRevoked)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasPrefix(name, s.String()+"/") {
			continue
		}
		if err := tx.Delete(bucketRevoked, name); err != nil {
			return err
		}
	}
	return tx.Delete(bucketClosing, s.String())
}
