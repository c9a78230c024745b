package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	bolt "go.etcd.io/bbolt"

	"superscalar/refnode/ledger"
	"superscalar/wire/rule"
)

// Tx is one transaction of Update or View. It is valid inside the function it was given to, for one goroutine.
type Tx struct {
	store    *Store
	bolt     *bolt.Tx
	writable bool
	changed  bool
	seal     seal
	pending  []ledger.Entry
	failed   error // the first error of a write or of Sign: the transaction is not committed
}

// maxName is the longest name of a part, bucket or key, in bytes.
const maxName = 255

// checkNames refuses what could be mistaken for another name.
func checkNames(names ...string) error {
	for _, name := range names {
		if name == "" || len(name) > maxName || bytes.IndexByte([]byte(name), 0) >= 0 {
			return fmt.Errorf("%w: %q: want 1 to %d bytes, none of them zero", ErrArgument, name, maxName)
		}
	}
	return nil
}

// fail keeps the first error, so that a caller that overlooks it commits nothing.
func (tx *Tx) fail(err error) error {
	if tx.failed == nil {
		tx.failed = err
	}
	return err
}

// write prepares for a change.
func (tx *Tx) write(names ...string) error {
	if !tx.writable {
		return ErrReadOnly
	}
	if err := checkNames(names...); err != nil {
		return tx.fail(err)
	}
	return nil
}

// guard runs something of bbolt.
func (tx *Tx) guard(run func() error) error {
	if tx.store == nil {
		return run()
	}
	return tx.store.guard(run)
}

// put replaces a record and keeps the seal.
func (tx *Tx) put(bucket string, key, value []byte) error {
	err := tx.guard(func() error {
		b := tx.bolt.Bucket([]byte(bucket))
		if old, found := lookup(b, key); found {
			if bytes.Equal(old, value) {
				return nil
			}
			tx.seal.remove(bucket, key, old)
		}
		tx.changed = true
		tx.seal.add(bucket, key, value)
		// bbolt keeps the slice until the commit; the caller may use its own again.
		return b.Put(key, bytes.Clone(value))
	})
	if err != nil {
		return tx.fail(err)
	}
	return nil
}

// remove deletes a record, if there is one, and keeps the seal.
func (tx *Tx) remove(bucket string, key []byte) error {
	err := tx.guard(func() error {
		b := tx.bolt.Bucket([]byte(bucket))
		old, found := lookup(b, key)
		if !found {
			return nil
		}
		tx.changed = true
		tx.seal.remove(bucket, key, old)
		return b.Delete(key)
	})
	if err != nil {
		return tx.fail(err)
	}
	return nil
}

// get returns a copy of a record.
func (tx *Tx) get(bucket string, key []byte) (value []byte, found bool, err error) {
	err = tx.guard(func() error {
		value, found = lookup(tx.bolt.Bucket([]byte(bucket)), key)
		value = bytes.Clone(value)
		return nil
	})
	return value, found, err
}

// lookup finds a record; unlike Bucket.Get it tells an empty one from none.
func lookup(b *bolt.Bucket, key []byte) (value []byte, found bool) {
	k, v := b.Cursor().Seek(key)
	if k == nil || !bytes.Equal(k, key) {
		return nil, false
	}
	return v, true
}

// scan calls each for every record whose key begins with prefix, in order of the keys, with copies.
func (tx *Tx) scan(bucket string, prefix []byte, each func(key, value []byte) error) error {
	return tx.guard(func() error {
		c := tx.bolt.Bucket([]byte(bucket)).Cursor()
		for k, v := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
			if err := each(bytes.Clone(k), bytes.Clone(v)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (tx *Tx) writeSeal() error {
	return tx.bolt.Bucket([]byte(bucketMeta)).Put([]byte(metaSeal), tx.seal.encode())
}

// drawInstance writes a new instance.
func (tx *Tx) drawInstance(random io.Reader) error {
	var instance [16]byte
	if _, err := io.ReadFull(random, instance[:]); err != nil {
		return fmt.Errorf("draw an instance: %w", err)
	}
	return tx.put(bucketMeta, []byte(metaInstance), instance[:])
}

// Sign records entries, transactions of one factory that the caller is about to sign, unless one of them must not be signed. The
// error is a *ledger.Refusal or a *RestoredError; then Update fails with it even if the caller goes on. Only when Update has
// returned nil may a partial signature leave the process.
func (tx *Tx) Sign(factory [32]byte, entries []ledger.Entry) error {
	if err := tx.write(); err != nil {
		return err
	}
	if err := tx.store.checkRestored(factory, entries); err != nil {
		return tx.fail(err)
	}
	all := slices.Concat(tx.pending, entries)
	fresh, err := tx.store.ledger.Fresh(all)
	if err != nil {
		return tx.fail(err)
	}
	fresh = fresh[len(tx.pending):] // what is pending was fresh before, and comes first
	if len(fresh) == 0 {
		return nil
	}
	tx.pending = append(tx.pending, fresh...)
	if !tx.store.rules.On(rule.PS010) {
		return nil
	}
	next := uint64(0)
	err = tx.guard(func() error {
		if last, _ := tx.bolt.Bucket([]byte(bucketSigned)).Cursor().Last(); last != nil {
			next = binary.BigEndian.Uint64(last) + 1
		}
		return nil
	})
	if err != nil {
		return tx.fail(err)
	}
	return tx.put(bucketSigned, number(next), encodeSigned(factory, fresh))
}

// checkRestored is PS-013.
func (s *Store) checkRestored(factory [32]byte, entries []ledger.Entry) error {
	if !s.rules.On(rule.PS013) {
		return nil
	}
	if s.restored[factory] {
		return &RestoredError{Factory: factory}
	}
	for _, e := range entries {
		if owner, found := s.frozen[e.Outpoint]; found {
			return &RestoredError{Factory: owner}
		}
	}
	return nil
}

// open starts a new generation, and marks what is there when a restore was noticed.
func (tx *Tx) open(lost bool, seen uint64) error {
	s := tx.store
	_, backup, err := tx.get(bucketMeta, []byte(metaBackup))
	if err != nil {
		return err
	}
	// From here on the generation is larger than any the lost database had, as far as anybody knows.
	s.generation = max(s.generation, seen)
	tx.changed = true
	if !lost && !backup {
		return nil
	}
	s.atOpen = true
	if err := tx.remove(bucketMeta, []byte(metaBackup)); err != nil {
		return err
	}
	if err := tx.drawInstance(s.random); err != nil {
		return err
	}
	return tx.markRestored()
}

// markRestored marks every factory that the database knows.
func (tx *Tx) markRestored() error {
	known, err := tx.Factories()
	if err != nil {
		return err
	}
	err = tx.scan(bucketSigned, nil, func(_, value []byte) error {
		factory, _, err := decodeSigned(value)
		known = append(known, factory)
		return err
	})
	if err != nil {
		return err
	}
	for _, factory := range known {
		if tx.store.restored[factory] {
			continue
		}
		if err := tx.put(bucketRestored, factory[:], number(tx.store.generation)); err != nil {
			return err
		}
	}
	// The ledger and what is frozen are read again when this is committed.
	tx.store.stale = true
	return nil
}

// commit ends a transaction of update that changed something.
func (tx *Tx) commit() error {
	s := tx.store
	next := s.generation + 1
	if err := tx.put(bucketMeta, []byte(metaGeneration), number(next)); err != nil {
		return err
	}
	err := tx.guard(tx.writeSeal)
	if err == nil && s.crash != nil {
		err = s.crash(stepCommit)
	}
	if err == nil {
		err = tx.guard(tx.bolt.Commit)
	}
	if err != nil {
		return s.writeFailed(err)
	}
	s.generation, s.seal = next, tx.seal
	if err := s.ledger.Add(tx.pending); err != nil {
		return fmt.Errorf("%s: recorded, but not in memory: %w", s.path, err) // Sign has checked: unreachable
	}
	return nil
}

// writeFailed decides what an error of a commit means for the store.
func (s *Store) writeFailed(err error) error {
	if s.wedged {
		return s.failed
	}
	failure := writeError(s.path, err)
	if !errors.Is(failure, ErrFull) {
		// After an error of the disk itself nobody knows what a later read returns (fsync reports it once).
		s.failed = failure
		return failure
	}
	// Nothing was written, or what was is not reachable. Should the disk hold it after all, then it counts: read again.
	s.stale = true
	return failure
}
