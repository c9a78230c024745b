package role

import (
	"fmt"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/store"
	"superscalar/wire"
)

// Aside is a factory whose records cannot be read: damaged, or written by a newer
// version. It is left alone: nothing is signed in it, nothing published from a
// record that is read in part, and nothing of it is deleted, so that a version
// that can read it finds all of it.
type Aside struct {
	ID  wire.CeremonyID
	Err error // what is wrong with it
}

// Load reads every factory of a store with open. Those that it refuses are set
// aside: one bad record does not keep the others from going on. It fails when the
// store itself does not answer.
func Load[F any](s Store, open func(wire.CeremonyID, ceremony.Parts) (F, error)) (good []F, aside []Aside, err error) {
	ids, err := s.Factories()
	if err != nil {
		return nil, nil, err
	}
	for _, id := range ids {
		parts, found, err := s.Factory(id)
		if err != nil {
			return nil, nil, err
		}
		if !found {
			continue
		}
		f, err := open(wire.CeremonyID(id), parts)
		if err != nil {
			aside = append(aside, Aside{ID: wire.CeremonyID(id), Err: err})
			continue
		}
		good = append(good, f)
	}
	return good, aside, nil
}

// Prune deletes the records of the factories that keep does not want, all in one
// transaction. What was signed in them stays on record (PS-010).
func Prune(s Store, keep func(wire.CeremonyID) bool) error {
	ids, err := s.Factories()
	if err != nil {
		return err
	}
	var gone [][32]byte
	for _, id := range ids {
		if !keep(wire.CeremonyID(id)) {
			gone = append(gone, id)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return s.Update(func(tx *store.Tx) error {
		for _, id := range gone {
			if err := tx.DeleteFactory(id); err != nil {
				return fmt.Errorf("records of %x: %w", id[:4], err)
			}
		}
		return nil
	})
}
