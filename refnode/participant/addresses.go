package participant

import (
	"errors"
	"fmt"
	"sync"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/transport"
)

// ErrAddress is the error of a record that is not the address of its peer.
var ErrAddress = errors.New("not an address of this peer")

// addressBucket has, by node id, the address at which a peer was reached last.
const addressBucket = "addresses"

// reached are the peers that the node has dialled, as the store has them: the client's
// part asks for them in the middle of a transaction.
type reached struct {
	mu  sync.Mutex
	ids map[transport.NodeID]bool
}

func (r *reached) add(id transport.NodeID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ids == nil {
		r.ids = map[transport.NodeID]bool{}
	}
	r.ids[id] = true
}

// readReached reads whom the node has dialled before. A record that is no address is
// named by Addresses.
func (p *Participant) readReached() error {
	list, err := p.Addresses()
	if errors.Is(err, ErrAddress) {
		err = nil
	}
	for _, to := range list {
		p.known.add(to.ID)
	}
	return err
}

// Dialled keeps the address of a peer that the node has reached, so that it is
// found again after a restart: node.Config.Dialled. What the disk does not take is
// told, and costs no more than a connect by hand.
func (p *Participant) Dialled(to transport.Address) {
	p.known.add(to.ID)
	key, text := to.ID.String(), []byte(to.String())
	saved, _, err := p.store.Get(addressBucket, key)
	if err == nil && string(saved) != string(text) {
		err = p.store.Put(addressBucket, key, text)
	}
	if err != nil {
		p.cfg.Tell(fmt.Sprintf("the address of %.8s is not kept: %s", to.ID, err))
	}
}

// Reached reports whether the node has ever reached a peer by dialling it: its owner
// knows the peer.
func (p *Participant) Reached(id ceremony.Peer) bool {
	p.known.mu.Lock()
	defer p.known.mu.Unlock()
	return p.known.ids[transport.NodeID(id)]
}

// Addresses returns where peers were reached last, by node id. Errors: those of
// store, and one that names each record that is no address; the others are returned.
func (p *Participant) Addresses() ([]transport.Address, error) {
	keys, err := p.store.Keys(addressBucket)
	if err != nil {
		return nil, err
	}
	list := make([]transport.Address, 0, len(keys))
	var errs []error
	for _, key := range keys {
		saved, _, err := p.store.Get(addressBucket, key)
		if err != nil {
			return nil, err
		}
		to, err := transport.ParseAddress(string(saved))
		if err != nil || to.ID.String() != key {
			errs = append(errs, fmt.Errorf("the address kept for peer %s: %q: %w", key, saved, errors.Join(err, ErrAddress)))
			continue
		}
		list = append(list, to)
	}
	return list, errors.Join(errs...)
}
