package cli

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"superscalar/refnode/datadir"
	"superscalar/refnode/node"
)

// identity is an open data directory that can be taken back: a node that does
// not get to listen was never there.
type identity struct {
	*datadir.Dir
	fresh   bool     // this process drew the seed
	missing []string // folders that were not there before, outermost first
}

// openIdentity opens a data directory, or makes one.
func openIdentity(path string, role node.Role) (*identity, error) {
	id := &identity{missing: missingFolders(path)}
	draws := readerFunc(func(p []byte) (int, error) {
		id.fresh = true
		return rand.Read(p)
	})
	var err error
	id.Dir, err = datadir.Open(path, string(role), datadir.Options{Network: datadir.Regtest, Random: draws})
	return id, err
}

// readerFunc is a function as an io.Reader.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// missingFolders returns path and the folders above it that do not exist.
func missingFolders(path string) []string {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil
	}
	var missing []string
	for p := path; ; p = filepath.Dir(p) {
		if _, err := os.Lstat(p); !errors.Is(err, fs.ErrNotExist) {
			return missing
		}
		missing = slices.Insert(missing, 0, p)
	}
}

// discard closes the directory and removes what this process made. The files
// go while the lock is held: a directory whose seed this process drew held
// nothing before, so nothing in it is anybody else's.
func (id *identity) discard() {
	if id.fresh {
		entries, _ := os.ReadDir(id.Path())
		for _, e := range entries {
			_ = os.Remove(filepath.Join(id.Path(), e.Name()))
		}
	}
	_ = id.Close()
	for _, p := range slices.Backward(id.missing) {
		_ = os.Remove(p) // unless somebody uses it by now
	}
}

// nodeLog is where a node writes its log.
type nodeLog struct {
	logger *slog.Logger
	file   *os.File // nil when it is not a file
	made   bool     // the file was not there before
}

// openLog opens the log: nowhere for "", the error output for "-".
func openLog(e env, path string) (*nodeLog, error) {
	var w io.Writer = e.Err
	l := &nodeLog{}
	switch path {
	case "":
		l.logger = slog.New(slog.DiscardHandler)
		return l, nil
	case "-":
	default:
		const flags = os.O_WRONLY | os.O_APPEND | os.O_CREATE
		var err error
		l.file, err = os.OpenFile(path, flags|os.O_EXCL, 0o600)
		l.made = err == nil
		if errors.Is(err, fs.ErrExist) {
			l.file, err = os.OpenFile(path, flags, 0o600)
		}
		if err != nil {
			return nil, exit(ExitUsage, "--log: %w; name a file that can be written", err)
		}
		w = l.file
	}
	l.logger = slog.New(slog.NewTextHandler(w, nil))
	return l, nil
}

func (l *nodeLog) close() {
	if l.file != nil {
		_ = l.file.Close()
	}
}

// discard closes the log and removes it if this process made it.
func (l *nodeLog) discard() {
	l.close()
	if l.made {
		_ = os.Remove(l.file.Name())
	}
}
