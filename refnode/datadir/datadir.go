package datadir

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/btcsuite/btcd/btcec/v2"
	"golang.org/x/sys/unix"
)

// The roles of a node.
const (
	RoleLSP    = "lsp"
	RoleClient = "client"
)

// The networks of a node.
const (
	Mainnet = "mainnet"
	Testnet = "testnet"
	Signet  = "signet"
	Regtest = "regtest"
)

// Options are what Open may be told beside path and role. The zero value
// works.
type Options struct {
	// Network is one of the constants above; "" means Regtest.
	Network string

	// Random is where a new seed comes from; nil means the random source
	// of the system.
	Random io.Reader
}

// Dir is an open directory. Its methods may be used by several goroutines.
type Dir struct {
	path    string
	role    string
	network string
	seed    []byte
	nodeKey *btcec.PrivateKey

	closeOnce sync.Once
	closeErr  error
	lock      *lock
}

// Open opens the directory of a node and locks it. If there is no such
// directory, or an empty one, it becomes the directory of a new node with a
// fresh seed: mode 0700, parents included, and node.json with mode 0600.
//
// Errors: an *InUseError (ErrInUse), an *Error (see its reasons), ErrArgument
// for an unknown role or network, an error of Random, or one of the file
// system.
func Open(path, role string, opts Options) (*Dir, error) {
	if opts.Network == "" {
		opts.Network = Regtest
	}
	if opts.Random == nil {
		opts.Random = rand.Reader
	}
	if err := checkArguments(role, opts.Network); err != nil {
		return nil, err
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("node directory: %w", err)
	}
	made, err := makeDir(path)
	if err != nil {
		return nil, err
	}
	d, err := openLocked(path, identity{Role: role, Network: opts.Network},
		opts.Random)
	if err != nil {
		removeAll(made)
		return nil, err
	}

	return d, nil
}

// checkArguments refuses a role or network that does not exist.
func checkArguments(role, network string) error {
	if roles := []string{RoleLSP, RoleClient}; !slices.Contains(roles, role) {
		return fmt.Errorf("role %q: %w, want one of %v", role,
			ErrArgument, roles)
	}
	networks := []string{Mainnet, Testnet, Signet, Regtest}
	if !slices.Contains(networks, network) {
		return fmt.Errorf("network %q: %w, want one of %v", network,
			ErrArgument, networks)
	}

	return nil
}

// openLocked takes the lock and reads the identity, or makes one.
func openLocked(path string, want identity, random io.Reader) (*Dir, error) {
	l, err := acquire(path)
	if err != nil {
		return nil, err
	}
	d, err := identify(path, want, random)
	if err != nil {
		l.discard(filepath.Join(path, lockFile))
		return nil, err
	}
	d.lock = l

	return d, nil
}

// identify returns the node of a directory that is locked.
func identify(path string, want identity, random io.Reader) (*Dir, error) {
	seed, err := load(path, want)
	if errors.Is(err, fs.ErrNotExist) {
		seed, err = create(path, want, random)
	}
	if err != nil {
		return nil, err
	}
	nodeKey, err := deriveKey(seed, nodeKeyLabel, 0)
	if err != nil {
		return nil, err
	}

	return &Dir{
		path:    path,
		role:    want.Role,
		network: want.Network,
		seed:    seed,
		nodeKey: nodeKey,
	}, nil
}

// makeDir creates a directory and what is missing above it, on disk, and
// returns what it created, outermost first.
func makeDir(path string) (made []string, err error) {
	var missing []string // outermost first
	for p := path; ; p = filepath.Dir(p) {
		info, err := os.Stat(p)
		if err == nil && info.IsDir() {
			break
		}
		if err == nil {
			return nil, &Error{p, ErrNotDirectory, "",
				"choose another path for the node"}
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
			return nil, fmt.Errorf("node directory: %w", err)
		}
		missing = slices.Insert(missing, 0, p)
	}
	for _, p := range missing {
		err := os.Mkdir(p, 0o700)
		if errors.Is(err, fs.ErrExist) {
			continue // somebody else was faster; it is theirs to remove
		}
		if err == nil {
			made = append(made, p)
			err = syncDir(filepath.Dir(p))
		}
		if err != nil {
			removeAll(made)
			return nil, fmt.Errorf("make node directory: %w", err)
		}
	}

	return made, nil
}

// removeAll removes directories again, innermost first, unless something is
// in them by now.
func removeAll(made []string) {
	for _, p := range slices.Backward(made) {
		_ = os.Remove(p)
	}
}

// Path returns the directory as an absolute path.
func (d *Dir) Path() string { return d.path }

// Role returns RoleLSP or RoleClient.
func (d *Dir) Role() string { return d.role }

// Network returns the network of the node.
func (d *Dir) Network() string { return d.network }

// NodeKey returns the key whose public key is the node id: the key of the
// label "node-id" at index 0 (see DeriveKey).
func (d *Dir) NodeKey() *btcec.PrivateKey { return d.nodeKey }

// Close gives the directory free. The keys stay usable; closing again does
// nothing.
func (d *Dir) Close() error {
	d.closeOnce.Do(func() {
		if err := d.lock.release(); err != nil {
			d.closeErr = fmt.Errorf("close node directory: %w", err)
		}
	})

	return d.closeErr
}
