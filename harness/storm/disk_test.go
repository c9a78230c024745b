package storm

import (
	"errors"
	"fmt"
	"sync"

	"superscalar/refnode/ledger"
	"superscalar/refnode/store"
)

// kind is what goes wrong at a point.
type kind string

const (
	cutBefore kind = "disconnect before a message" // it arrives, and is not read
	cutAfter  kind = "disconnect after a message"  // it is handled, and no answer leaves
	refusal   kind = "refused write"               // once
	dieBefore kind = "crash before a write"        // nothing of it is stored
	dieAfter  kind = "crash after a write"         // all of it is, and nothing has left
)

var kinds = []kind{cutBefore, cutAfter, refusal, dieBefore, dieAfter}

func (k kind) ofMessages() bool { return k == cutBefore || k == cutAfter }
func (k kind) dies() bool       { return k == dieBefore || k == dieAfter }

var errFault = errors.New("the disk does not answer")

// fault goes wrong at one point of one party: at the write or message number at,
// counted from 0 since the fault was set.
type fault struct {
	kind  kind
	at    int
	fired chan struct{}

	mu   sync.Mutex
	seen int
	dead bool // the process: it stores nothing and says nothing any more
}

func newFault(k kind, at int) *fault { return &fault{kind: k, at: at, fired: make(chan struct{})} }

// hit counts a write or a message, and reports whether it is the one.
func (f *fault) hit(message bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if message != f.kind.ofMessages() || f.seen > f.at {
		return false
	}
	f.seen++
	if f.seen <= f.at {
		return false
	}
	f.dead = f.kind.dies()
	close(f.fired)
	return true
}

func (f *fault) isDead() bool {
	if f == nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dead
}

func (f *fault) hasFired() bool {
	select {
	case <-f.fired:
		return true
	default:
		return false
	}
}

// disk is the store of a party, with its faults. It remembers across all lives of the
// party what was signed.
type disk struct {
	*store.Store
	p *party
}

// write stands before everything that is stored.
func (d disk) write(do func() error) error {
	f := d.p.fault()
	switch {
	case f.isDead():
		return errFault
	case f == nil || !f.hit(false):
		return do()
	}
	if f.kind == dieAfter {
		if err := do(); err != nil {
			return err
		}
	}
	return errFault
}

// Update implements hub.Store and role.Store.
func (d disk) Update(fn func(*store.Tx) error) error {
	return d.write(func() error { return d.Store.Update(fn) })
}

// PutFactory implements role.Store.
func (d disk) PutFactory(id [32]byte, part string, data []byte) error {
	return d.write(func() error { return d.Store.PutFactory(id, part, data) })
}

// Put is for the wallet.
func (d disk) Put(bucket, key string, data []byte) error {
	return d.write(func() error { return d.Store.Put(bucket, key, data) })
}

// Sign implements role.Store. No outpoint is signed for twice for one kind, but
// by a state that confirms earlier (PS-011).
func (d disk) Sign(id [32]byte, entries []ledger.Entry) error {
	err := d.write(func() error { return d.Store.Sign(id, entries) })
	if err != nil {
		return err
	}
	p := d.p
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range entries {
		name := fmt.Sprint(e.Outpoint, e.Kind)
		if e.Kind == ledger.State {
			name += fmt.Sprint(e.Sequence)
		}
		if before, again := p.spends[name]; again && before != e.Sighash {
			p.w.t.Errorf("%s signed for %s twice", p.name, e)
		}
		p.spends[name] = e.Sighash
	}
	return nil
}
