package store

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

// Backup writes a copy of the database to w: what is committed when it starts. Put back as superscalar.db it opens as a restored
// store, whatever lies beside it, since the copy says of itself that it is one. Needs as much space beside the database as the
// database has.
func (s *Store) Backup(w io.Writer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(); err != nil {
		return err
	}
	path := filepath.Join(s.dir, backupDraft)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return writeError(path, err)
	}
	defer func() { _ = os.Remove(path) }()
	err := s.guard(func() error {
		return s.db.View(func(btx *bolt.Tx) error { return btx.CopyFile(path, 0o600) })
	})
	if err == nil {
		err = s.markBackup(path)
	}
	if err != nil {
		return cmp.Or(asError(err), error(writeError(path, err)))
	}
	file, err := os.Open(path)
	if err != nil {
		return &Error{Path: path, Reason: ErrRead, Cause: err}
	}
	_, err = io.Copy(w, file)
	return cmp.Or(err, file.Close())
}

// markBackup makes a copy say that it is one.
func (s *Store) markBackup(path string) error {
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoSync: true, NoStatistics: true})
	if err != nil {
		return err
	}
	err = db.Update(func(btx *bolt.Tx) error {
		tx := &Tx{bolt: btx, writable: true, seal: s.seal}
		if err := tx.put(bucketMeta, []byte(metaBackup), nil); err != nil {
			return err
		}
		return tx.writeSeal()
	})
	return cmp.Or(err, db.Close())
}
