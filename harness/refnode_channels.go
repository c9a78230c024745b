package harness

import (
	"os"
	"strings"
	"sync"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"

	"superscalar/refnode/hub"
	"superscalar/refnode/leaves"
	"superscalar/refnode/node"
	"superscalar/refnode/store"
	"superscalar/wire"
)

// openHub gives a reference node under test channels: those of Loopback. Nothing
// is written before there is one, so that cases without channels cost nothing.
func (t *refnode) openHub(r *refnodeNode, role Role, seed [32]byte) error {
	loopback := hub.NewLoopback(t.opts.Rules)
	factories := map[wire.ProtocolID]hub.Factory{wire.Codec{Rules: t.opts.Rules}.LoopbackID(): loopback}
	if c := r.factories.channels; c != nil {
		factories[leaves.Protocol] = c
	}
	var err error
	r.hub, err = hub.Open(hub.Config{
		Store: r.disk, Key: deriveKey(seed, "node"), Net: &chaincfg.RegressionNetParams, Rand: r.factories.random("hub" + strings.Repeat(" again", r.restarts)),
		Derive:    func(label string) (*btcec.PrivateKey, error) { return deriveKey(seed, label), nil },
		Clock:     r.clock,
		Script:    payTo(deriveKey(seed, "shutdown")),
		Rules:     t.opts.Rules,
		Forward:   role == node.LSP,
		Factories: factories,
	}, 0)
	r.orders = func(payload []byte) { loopback.Order(r.hub, payload) }
	return err
}

// payTo is a script that pays a key.
func payTo(k *btcec.PrivateKey) []byte {
	return append([]byte{0, 20}, btcutil.Hash160(k.PubKey().SerializeCompressed())...)
}

// lazyStore is a store that is made with its first record, in a temporary
// directory. Until then there is nothing to read.
type lazyStore struct {
	options store.Options

	mu    sync.Mutex
	dir   string
	store *store.Store
}

// View implements hub.Store.
func (l *lazyStore) View(fn func(*store.Tx) error) error {
	l.mu.Lock()
	written := l.dir != ""
	l.mu.Unlock()
	if !written {
		return nil
	}
	s, err := l.open()
	if err != nil {
		return err
	}
	return s.View(fn)
}

// Update implements hub.Store.
func (l *lazyStore) Update(fn func(*store.Tx) error) error {
	s, err := l.open()
	if err != nil {
		return err
	}
	return s.Update(fn)
}

func (l *lazyStore) open() (*store.Store, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.store != nil {
		return l.store, nil
	}
	var err error
	if l.dir == "" {
		if l.dir, err = os.MkdirTemp(memory(), "superscalar-hub-"); err != nil {
			return nil, err
		}
	}
	l.store, err = store.OpenWith(l.dir, l.options)
	return l.store, err
}

// memory is a folder that is not on a disk, where the system has one: a record of
// a case need not survive the machine, and waiting for the disk made the suite
// several times slower. "" is the usual temporary folder.
func memory() string {
	const shm = "/dev/shm"
	dir, err := os.MkdirTemp(shm, "superscalar-probe-")
	if err != nil {
		return ""
	}
	_ = os.Remove(dir)
	return shm
}

// shut closes the store; what is in it is there when it is next used.
func (l *lazyStore) shut() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.store
	l.store = nil
	if s == nil {
		return nil
	}
	return s.Close()
}

func (l *lazyStore) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.store != nil {
		_ = l.store.Close()
	}
	if l.dir != "" {
		_ = os.RemoveAll(l.dir)
	}
}
