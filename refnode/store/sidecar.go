package store

import (
	"cmp"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
)

// The sidecar is a small file beside the database that holds the generation of the last change. A backup of the database does not
// have it, or has an older database than the sidecar says: that is how a restore is noticed (PS-013).
//
// A change is committed to the database, down to the disk, and only then written to the sidecar, without waiting for the disk. So
// whatever dies whenever, the sidecar lags behind the database or equals it and never leads: an honest node that finds it behind
// goes on, however far, and one that finds it ahead has lost changes. Open and Close do wait for the disk.

const (
	sidecarName  = "generation"
	sidecarDraft = "generation.new"
)

// sidecar is the open file.
type sidecar struct {
	path string
	file *os.File
}

// encodeSidecar has one length for all generations, so that writing in place replaces all of it.
func encodeSidecar(generation uint64) []byte {
	text := fmt.Sprintf("superscalar generation %020d", generation)
	return fmt.Appendf(nil, "%s %08x\n", text, crc32.ChecksumIEEE([]byte(text)))
}

// readSidecar returns the generation in the file; found is false when there is no file.
func readSidecar(dir string) (generation uint64, found bool, err error) {
	path := filepath.Join(dir, sidecarName)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, &Error{Path: path, Reason: ErrRead, Cause: err}
	}
	if _, err := fmt.Sscanf(string(raw), "superscalar generation %d ", &generation); err != nil ||
		string(raw) != string(encodeSidecar(generation)) {
		return 0, false, &Error{Path: path, Reason: ErrCorrupt,
			Detail: "remove it to go on as after a restore from a backup: no signatures for the factories that exist now"}
	}
	return generation, true, nil
}

// openSidecar opens the file, making it when there is none, and writes a generation down to the disk.
func openSidecar(dir string, generation uint64) (*sidecar, error) {
	path := filepath.Join(dir, sidecarName)
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		file, err = createSidecar(dir, path, generation)
	}
	if err != nil {
		return nil, writeError(path, err)
	}
	s := &sidecar{path: path, file: file}
	if err := s.write(generation); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if err := file.Sync(); err != nil {
		return nil, errors.Join(writeError(path, err), file.Close())
	}
	return s, nil
}

// createSidecar makes the file whole or not at all.
func createSidecar(dir, path string, generation uint64) (*os.File, error) {
	draft := filepath.Join(dir, sidecarDraft)
	file, err := os.OpenFile(draft, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = file.Write(encodeSidecar(generation))
	if err = cmp.Or(err, file.Sync()); err == nil {
		err = os.Rename(draft, path)
	}
	if err = cmp.Or(err, syncDir(dir)); err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// write replaces the generation without waiting for the disk.
func (s *sidecar) write(generation uint64) error {
	if _, err := s.file.WriteAt(encodeSidecar(generation), 0); err != nil {
		return writeError(s.path, err)
	}
	return nil
}

func (s *sidecar) close() error {
	return cmp.Or(s.file.Sync(), s.file.Close())
}

// syncDir flushes the names in a directory to disk.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return cmp.Or(f.Sync(), f.Close())
}
