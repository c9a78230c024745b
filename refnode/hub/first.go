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

// bucketFirst has the id of the LSP's commitment 0 that this node signed, by outpoint.
const bucketFirst = "first-commitments"

// errOtherFirst says that the peer asks for a second first commitment.
var errOtherFirst = errors.New("another first commitment was signed on this output (CHAN-035)")

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
	case found && !bytes.Equal(kept, txid[:]):
		return errOtherFirst
	case found:
		return nil
	}
	if st.firsts == nil {
		st.firsts = map[string]wire.Txid{}
	}
	st.firsts[name] = txid
	st.writes = append(st.writes, func(tx *store.Tx) error { return tx.Put(bucketFirst, name, txid[:]) })
	return nil
}

// first is what is kept of an output: on the disk, or by this step.
func (st *step) first(name string) (txid []byte, found bool, err error) {
	if kept, ok := st.firsts[name]; ok {
		return kept[:], true, nil
	}
	err = st.hub.cfg.Store.View(func(tx *store.Tx) error {
		txid, found, err = tx.Get(bucketFirst, name)
		return err
	})
	return txid, found, err
}
