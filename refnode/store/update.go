package store

import (
	"slices"

	berrors "go.etcd.io/bbolt/errors"

	"superscalar/refnode/ledger"
)

// Update runs fn and commits what it did, in one transaction that is on the disk when Update returns nil. With any error, of fn, of
// a method of the Tx, or of the disk, nothing of it counts. fn runs once and must not call methods of the Store.
func (s *Store) Update(fn func(tx *Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(); err != nil {
		return err
	}
	return s.update(fn)
}

func (s *Store) update(fn func(tx *Tx) error) error {
	tx := &Tx{store: s, writable: true, seal: s.seal}
	err := s.guard(func() (err error) {
		tx.bolt, err = s.db.Begin(true)
		return err
	})
	if err != nil {
		return s.writeFailed(err)
	}
	defer func() { // also when fn panics; after a commit it does nothing
		if !s.wedged {
			_ = s.guard(func() error { return ignoreClosed(tx.bolt.Rollback()) })
		}
	}()
	if err := fn(tx); err != nil {
		return err
	}
	if tx.failed != nil {
		return tx.failed
	}
	if !tx.changed { // nothing to write: all was recorded before, or PS-010 is off and memory has to do
		return s.ledger.Add(tx.pending)
	}
	if err := tx.commit(); err != nil {
		return err
	}
	return s.afterCommit()
}

// afterCommit tells the sidecar, and reads again what a restore changed.
func (s *Store) afterCommit() error {
	if s.stale {
		if err := s.load(); err != nil {
			return err
		}
	}
	if s.sidecar == nil { // during Open
		return nil
	}
	var err error
	if s.crash != nil {
		err = s.crash(stepSidecar)
	}
	if err == nil {
		err = s.sidecar.write(s.generation)
	}
	if err != nil {
		// The change is on the disk, but a restore of it would go unnoticed. Saying no is safe: what is recorded and not sent
		// harms nobody.
		s.failed = err
	}
	return err
}

// ignoreClosed passes errors of a rollback, except that there is nothing to roll back.
func ignoreClosed(err error) error {
	if err == berrors.ErrTxClosed { //nolint:errorlint // bbolt returns it bare
		return nil
	}
	return err
}

// View runs fn on a state of the store that does not change meanwhile. fn must not call methods of the Store.
func (s *Store) View(fn func(tx *Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(); err != nil {
		return err
	}
	tx := &Tx{store: s}
	err := s.guard(func() (err error) {
		tx.bolt, err = s.db.Begin(false)
		return err
	})
	if err != nil {
		return &Error{Path: s.path, Reason: ErrRead, Cause: err}
	}
	defer func() {
		if !s.wedged {
			_ = s.guard(tx.bolt.Rollback)
		}
	}()
	return fn(tx)
}

// Sign is Update with one Tx.Sign: call it before anything that a signature of these entries depends on is sent.
func (s *Store) Sign(factory [32]byte, entries []ledger.Entry) error {
	return s.Update(func(tx *Tx) error { return tx.Sign(factory, entries) })
}

// PutFactory stores one part of a factory, replacing it if it exists. Name and content of the parts are the caller's.
func (tx *Tx) PutFactory(id [32]byte, part string, data []byte) error {
	if err := tx.write(part); err != nil {
		return err
	}
	return tx.put(bucketFactories, append(id[:], part...), data)
}

// Factory returns all parts of a factory. found is false when it has none.
func (tx *Tx) Factory(id [32]byte) (parts map[string][]byte, found bool, err error) {
	parts = map[string][]byte{}
	err = tx.scan(bucketFactories, id[:], func(key, value []byte) error {
		parts[string(key[len(id):])] = value
		return nil
	})
	return parts, len(parts) > 0, err
}

// FactoryPart returns one part of a factory.
func (tx *Tx) FactoryPart(id [32]byte, part string) (data []byte, found bool, err error) {
	if err := checkNames(part); err != nil {
		return nil, false, err
	}
	return tx.get(bucketFactories, append(id[:], part...))
}

// DeleteFactory removes the parts of a factory. What was signed for it stays recorded.
func (tx *Tx) DeleteFactory(id [32]byte) error {
	if err := tx.write(); err != nil {
		return err
	}
	parts, _, err := tx.Factory(id)
	if err != nil {
		return tx.fail(err)
	}
	for part := range parts {
		if err := tx.remove(bucketFactories, append(id[:], part...)); err != nil {
			return err
		}
	}
	return nil
}

// Factories returns the ids of all factories that have a part, sorted.
func (tx *Tx) Factories() ([][32]byte, error) {
	var ids [][32]byte
	err := tx.scan(bucketFactories, nil, func(key, _ []byte) error {
		if id := [32]byte(key); len(ids) == 0 || ids[len(ids)-1] != id {
			ids = append(ids, id)
		}
		return nil
	})
	return ids, err
}

// Put stores data under a key of a bucket, which need not exist, replacing what is there.
func (tx *Tx) Put(bucket, key string, data []byte) error {
	if err := tx.write(bucket, key); err != nil {
		return err
	}
	return tx.put(bucketRecords, recordKey(bucket, key), data)
}

// Get returns what Put stored.
func (tx *Tx) Get(bucket, key string) (data []byte, found bool, err error) {
	if err := checkNames(bucket, key); err != nil {
		return nil, false, err
	}
	return tx.get(bucketRecords, recordKey(bucket, key))
}

// Delete removes a key, if it is there.
func (tx *Tx) Delete(bucket, key string) error {
	if err := tx.write(bucket, key); err != nil {
		return err
	}
	return tx.remove(bucketRecords, recordKey(bucket, key))
}

// Keys returns the keys of a bucket, sorted.
func (tx *Tx) Keys(bucket string) ([]string, error) {
	if err := checkNames(bucket); err != nil {
		return nil, err
	}
	var keys []string
	prefix := recordKey(bucket, "")
	err := tx.scan(bucketRecords, prefix, func(key, _ []byte) error {
		keys = append(keys, string(key[len(prefix):]))
		return nil
	})
	return keys, err
}

func recordKey(bucket, key string) []byte {
	return slices.Concat([]byte(bucket), []byte{0}, []byte(key))
}

// PutFactory is Update with one Tx.PutFactory.
func (s *Store) PutFactory(id [32]byte, part string, data []byte) error {
	return s.Update(func(tx *Tx) error { return tx.PutFactory(id, part, data) })
}

// Factory is View with one Tx.Factory.
func (s *Store) Factory(id [32]byte) (parts map[string][]byte, found bool, err error) {
	err = s.View(func(tx *Tx) (err error) { parts, found, err = tx.Factory(id); return err })
	return parts, found, err
}

// FactoryPart is View with one Tx.FactoryPart.
func (s *Store) FactoryPart(id [32]byte, part string) (data []byte, found bool, err error) {
	err = s.View(func(tx *Tx) (err error) { data, found, err = tx.FactoryPart(id, part); return err })
	return data, found, err
}

// DeleteFactory is Update with one Tx.DeleteFactory.
func (s *Store) DeleteFactory(id [32]byte) error {
	return s.Update(func(tx *Tx) error { return tx.DeleteFactory(id) })
}

// Factories is View with one Tx.Factories.
func (s *Store) Factories() (ids [][32]byte, err error) {
	err = s.View(func(tx *Tx) (err error) { ids, err = tx.Factories(); return err })
	return ids, err
}

// Put is Update with one Tx.Put.
func (s *Store) Put(bucket, key string, data []byte) error {
	return s.Update(func(tx *Tx) error { return tx.Put(bucket, key, data) })
}

// Get is View with one Tx.Get.
func (s *Store) Get(bucket, key string) (data []byte, found bool, err error) {
	err = s.View(func(tx *Tx) (err error) { data, found, err = tx.Get(bucket, key); return err })
	return data, found, err
}

// Delete is Update with one Tx.Delete.
func (s *Store) Delete(bucket, key string) error {
	return s.Update(func(tx *Tx) error { return tx.Delete(bucket, key) })
}

// Keys is View with one Tx.Keys.
func (s *Store) Keys(bucket string) (keys []string, err error) {
	err = s.View(func(tx *Tx) (err error) { keys, err = tx.Keys(bucket); return err })
	return keys, err
}
