package hub

import (
	"bytes"
	"errors"
	"fmt"

	"superscalar/refnode/channel"
	"superscalar/refnode/store"
	"superscalar/wire"
)

// An LSP's first commitment on an output pays the LSP everything, and can be punished
// only once its secret is out. A channel that takes the place of another on its output
// may release the secrets of its own points alone. So of the commitments 0 on one
// output a client signs one, for good: what it signed is kept when the channel and its
// attempt are forgotten, and after a restart (CHAN-035).

// bucketFirst has, by outpoint, the id of the LSP's commitment 0 that this node signed,
// and whose factory the output is of: 33 bytes of the LSP's node id and 32 of the
// factory's. Records of before have the first 32 bytes alone, and stay.
const bucketFirst = "first-commitments"

// maxFirst is how many are kept of one factory: more than it has changes of a leaf,
// sales and attempts at either together, as long as its LSP means well.
const maxFirst = 1 << 12

var (
	// errOtherFirst says that the peer asks for a second first commitment.
	errOtherFirst = errors.New("another first commitment was signed on this output (CHAN-035)")
	// errManyFirsts says that no more first commitments are signed in a factory.
	errManyFirsts = fmt.Errorf("first commitments were signed on %d outputs of this factory", maxFirst)
)

// firstOf is whose factory a channel is in, as records name it.
func (c *entry) firstOf() []byte {
	return append(bytes.Clone(c.peer[:]), c.machine.Open.ChannelInFactory.InstanceID[:]...)
}

// signsFirst fails for an output on which another commitment 0 of the peer was signed,
// and keeps which one it is now, in the step that signs it.
func (st *step) signsFirst(c *entry, a channel.AskOutpoint) error {
	txid, err := c.machine.TheirFirst(a.Txid, a.Index)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%x/%d", a.Txid[:], a.Index)
	kept, found, err := st.first(name)
	switch {
	case err != nil:
		return err
	case found && OtherFirst(kept, txid):
		return errOtherFirst
	case found:
		return nil
	}
	var others []string
	err = st.hub.cfg.Store.View(func(tx *store.Tx) error {
		others, err = firstsOf(tx, c.firstOf())
		return err
	})
	if err != nil {
		return err
	}
	if len(others)+len(st.firsts) >= maxFirst {
		return errManyFirsts
	}
	if st.firsts == nil {
		st.firsts = map[string]wire.Txid{}
	}
	st.firsts[name] = txid
	record := append(txid[:], c.firstOf()...)
	st.writes = append(st.writes, func(tx *store.Tx) error { return tx.Put(bucketFirst, name, record) })
	return nil
}

// OtherFirst reports whether a first commitment of the peer is another one than that which
// was signed on its output before, as it is kept (CHAN-035).
func OtherFirst(kept []byte, txid wire.Txid) bool { return !bytes.HasPrefix(kept, txid[:]) }

// first is what is kept of an output: on the disk, or by this step.
func (st *step) first(name string) (kept []byte, found bool, err error) {
	if txid, ok := st.firsts[name]; ok {
		return txid[:], true, nil
	}
	err = st.hub.cfg.Store.View(func(tx *store.Tx) error {
		kept, found, err = tx.Get(bucketFirst, name)
		return err
	})
	return kept, found, err
}

// firstsOf are the names of the records of one factory.
func firstsOf(tx *store.Tx, factory []byte) (names []string, err error) {
	all, err := tx.Keys(bucketFirst)
	if err != nil {
		return nil, err
	}
	for _, name := range all {
		record, _, err := tx.Get(bucketFirst, name)
		if err != nil {
			return nil, err
		}
		if len(record) == len(wire.Txid{})+len(factory) && bytes.HasSuffix(record, factory) {
			names = append(names, name)
		}
	}
	return names, nil
}

// pruneFirsts deletes the records of a factory that is over for this node: c, whose
// output is spent on the chain, 100 blocks deep and all that came of it as well, was
// the last channel that it has in there. The leaf is on the chain then, so that no
// change and no sale makes another output of ours (PS-004), and none that was signed
// before and is not on the chain can be. It deletes nothing while there is another
// channel.
func (st *step) pruneFirsts(c *entry) {
	if c.machine.Open.ChannelInFactory == nil {
		return
	}
	factory := c.firstOf()
	for _, other := range st.hub.channels {
		if other != c && other.machine.Open.ChannelInFactory != nil && !other.machine.Forgotten && bytes.Equal(other.firstOf(), factory) {
			return
		}
	}
	st.writes = append(st.writes, func(tx *store.Tx) error {
		names, err := firstsOf(tx, factory)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := tx.Delete(bucketFirst, name); err != nil {
				return err
			}
		}
		return nil
	})
}
