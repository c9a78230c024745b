// Package store keeps on disk what a factory node must not forget: the record of what it signed, its factories, and whatever else
// its roles put there.
//
// It promises that a change is on the disk, whole, when its method returns nil (SPEC.md CER-024), and has no effect when it
// returns an error; that Sign records before it allows (PS-010) and refuses what package ledger refuses (PS-011, DELAY-002), across
// crashes and restarts; and that a node restored from a backup refuses to sign for the factories in it (PS-013). A file that is
// damaged, newer, foreign or in use gives an error that names it, and is left as it is.
//
// It holds no keys and no nonces, knows nothing of what is in the records it keeps, and asks no clock. What it cannot notice is a
// whole data directory put back to an older state, the file `generation` with it: then nothing is left that knows better. A backup
// made by Backup is noticed wherever it is put.
//
// A directory holds superscalar.db (bbolt) and generation (see sidecar.go). A Store may be used by several goroutines; its calls
// run one after the other.
package store

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"

	"github.com/btcsuite/btcd/wire"
	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"superscalar/refnode/ledger"
	"superscalar/wire/rule"
)

const (
	databaseName  = "superscalar.db"
	databaseDraft = "superscalar.db.new"
	backupDraft   = "superscalar.db.backup"
)

// Options are what OpenWith may be told beside the directory. The zero value works.
type Options struct {
	// Rules are the requirements the store keeps; the zero Set, all of them, outside of mutants.
	Rules rule.Set
	// Random is where an instance comes from; nil means the random source of the system.
	Random io.Reader
}

// Store is an open store.
type Store struct {
	dir, path string
	rules     rule.Set
	random    io.Reader

	// crash is asked before the steps that touch the disk; tests make it fail. It is nil in use.
	crash func(step) error

	mu      sync.Mutex
	db      *bolt.DB
	sidecar *sidecar
	closed  bool
	failed  error // after ErrWrite or a panic of bbolt: what is on the disk is unknown
	wedged  bool  // after a panic of bbolt
	stale   bool  // after ErrFull: the fields below are read again before they are used
	atOpen  bool  // this Open found that the store was restored

	ledger     *ledger.Ledger
	seal       seal
	generation uint64
	instance   [16]byte
	restored   map[[32]byte]bool
	frozen     map[wire.OutPoint][32]byte // outpoints signed for, of restored factories
}

// step is a moment at which a disk can fail.
type step string

const (
	stepCommit  step = "commit"
	stepSidecar step = "sidecar"
)

// Open opens the store in a directory that exists, making it when there is none.
//
// Errors: an *Error (see its reasons), or one of the random source.
func Open(dir string) (*Store, error) { return OpenWith(dir, Options{}) }

// OpenWith is Open with options.
func OpenWith(dir string, o Options) (*Store, error) {
	if o.Random == nil {
		o.Random = rand.Reader
	}
	s := &Store{dir: dir, path: filepath.Join(dir, databaseName), rules: o.Rules, random: o.Random}
	seen, found, err := readSidecar(dir)
	if err != nil {
		return nil, err
	}
	if err := s.openDatabase(found); err != nil {
		return nil, err
	}
	if err := s.begin(seen, found); err != nil {
		return nil, errors.Join(err, s.release())
	}
	return s, nil
}

// openDatabase opens the file, which it makes unless the sidecar says that there was one.
func (s *Store) openDatabase(existed bool) error {
	_, err := os.Lstat(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		if existed {
			return &Error{Path: s.path, Reason: ErrCorrupt, Detail: fmt.Sprintf("it is gone, although there is a file %s: "+
				"put back a backup, or start with an empty directory", sidecarName)}
		}
		err = s.create()
	}
	if err != nil {
		return cmp.Or(asError(err), error(&Error{Path: s.path, Reason: ErrRead, Cause: err}))
	}
	var refused error
	checked := false
	// The list of free pages is found again at each Open, which reads every page anyway: it need not be written with each change.
	options := &bolt.Options{NoStatistics: true, NoFreelistSync: true, FreelistType: bolt.FreelistMapType, OpenFile: func(path string, flag int, mode os.FileMode) (*os.File, error) {
		if checked { // Backup makes bbolt open its file once more, for reading, and the copy
			return os.OpenFile(path, flag, mode)
		}
		checked = true
		file, err := openChecked(path, flag&^os.O_CREATE, mode)
		refused = err
		return file, err
	}}
	err = s.guard(func() (err error) {
		s.db, err = bolt.Open(s.path, 0o600, options)
		return err
	})
	if err == nil {
		return nil
	}
	s.db = nil
	return cmp.Or(asError(refused), asError(err), error(&Error{Path: s.path, Reason: ErrCorrupt, Cause: err}))
}

// asError returns err when it is an *Error, else nil.
func asError(err error) error {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e
	}
	return nil
}

// openChecked opens and locks the file and checks its structure, before bbolt looks at it. bbolt takes the same lock again.
func openChecked(path string, flag int, mode os.FileMode) (*os.File, error) {
	file, err := os.OpenFile(path, flag, mode)
	if err != nil {
		return nil, &Error{Path: path, Reason: ErrRead, Cause: err}
	}
	if err := check(file); err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

func check(file *os.File) error {
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return &Error{Path: file.Name(), Reason: ErrRead, Detail: "it is no regular file", Cause: err}
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return &Error{Path: file.Name(), Reason: ErrLocked, Detail: "another process has it open"}
	}
	if err != nil {
		return &Error{Path: file.Name(), Reason: ErrRead, Cause: err}
	}
	err = verifyFile(file, info.Size())
	if errors.Is(err, errNoMagic) && info.Size() > 0 {
		return &Error{Path: file.Name(), Reason: ErrForeign, Cause: err}
	}
	if err != nil {
		return &Error{Path: file.Name(), Reason: ErrCorrupt, Detail: "put back a backup", Cause: err}
	}
	return nil
}

// create makes the database file whole or not at all: a crash leaves a draft that the next Open throws away.
func (s *Store) create() error {
	draft := filepath.Join(s.dir, databaseDraft)
	if err := os.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := s.draft(draft); err != nil {
		return writeError(draft, err)
	}
	// A link, unlike a rename, never replaces a file that somebody else made meanwhile.
	if err := os.Link(draft, s.path); err != nil && !errors.Is(err, fs.ErrExist) {
		return writeError(s.path, err)
	}
	if err := cmp.Or(os.Remove(draft), syncDir(s.dir)); err != nil {
		return writeError(s.path, err)
	}
	return nil
}

// draft writes a database without records, of generation 0.
func (s *Store) draft(path string) error {
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoSync: true, NoStatistics: true})
	if err != nil {
		return err
	}
	err = db.Update(func(btx *bolt.Tx) error { return initialise(btx, s.random) })
	return cmp.Or(err, db.Sync(), db.Close())
}

// begin reads the database, finds out whether it was restored, and starts a new generation.
func (s *Store) begin(seen uint64, found bool) error {
	if err := s.load(); err != nil {
		return err
	}
	// Generation 0 was never opened completely: its sidecar may be missing.
	lost := seen > s.generation || !found && s.generation > 0
	if err := s.update(func(tx *Tx) error { return tx.open(lost, seen) }); err != nil {
		return err
	}
	var err error
	s.sidecar, err = openSidecar(s.dir, s.generation)
	return err
}

// Close closes the store. Closing again does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	return s.release()
}

func (s *Store) release() error {
	s.closed = true
	var err error
	if s.sidecar != nil {
		err = s.sidecar.close()
	}
	if s.wedged {
		// bbolt may have died holding its own locks, and would wait for them for ever. The kernel frees the file with the
		// process; what is on the disk is not touched any more.
		return err
	}
	return cmp.Or(err, s.guard(s.db.Close))
}

// Generation is a number that grows with every Open and every change.
func (s *Store) Generation() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.generation
}

// Instance is a random number, drawn when the store is made and again whenever it is found to be restored. Counters in a restored
// store repeat, so keys that must never repeat (a factory key for each attempt) are derived from a counter and the instance.
func (s *Store) Instance() [16]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.instance
}

// RestoredAtOpen tells whether this Open found the store restored from a backup.
func (s *Store) RestoredAtOpen() bool { return s.atOpen }

// Restored tells whether a factory is older than a restore, so that nothing is signed for it any more (PS-013).
func (s *Store) Restored(factory [32]byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.restored[factory]
}

// ready tells why the store cannot be used, if it cannot.
func (s *Store) ready() error {
	if s.closed {
		return &Error{Path: s.path, Reason: ErrClosed}
	}
	if s.failed != nil {
		return s.failed
	}
	if s.stale {
		return s.load()
	}
	return nil
}

// guard runs something of bbolt. A damaged page that was good at Open, or a disk that is gone, makes it panic: then the store is
// out of use, and the error says so.
func (s *Store) guard(run func() error) (err error) {
	faults := debug.SetPanicOnFault(true) // reading a mapped page that cannot be read is a fault
	defer debug.SetPanicOnFault(faults)
	defer func() {
		if p := recover(); p != nil {
			err = &Error{Path: s.path, Reason: ErrCorrupt, Detail: fmt.Sprint(p)}
			s.failed, s.wedged = err, true
		}
	}()
	return run()
}
