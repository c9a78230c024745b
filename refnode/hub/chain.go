package hub

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/channel"
	"superscalar/refnode/payment"
	"superscalar/refnode/store"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// The record of the last block that the channels were shown.
const (
	bucketChain = "channelchain"
	keyBlock    = "block"
)

// Look shows the channels every block they have not seen, and looks after those
// that end on the chain. Call it whenever the chain or the mempool has changed; an
// error means that the backend or the store did not answer: the blocks that were not
// shown, and the channels that were not looked after, are the next call's.
func (h *Hub) Look(ctx context.Context, backend chain.Interface) error {
	var from chain.BlockID
	if err := h.do(func(*step) { from = h.block }); err != nil {
		return err
	}
	err := chain.Follow(ctx, backend, from, func(u chain.Update) error {
		if len(u.Connected)+len(u.Disconnected) == 0 {
			return nil
		}
		return h.do(func(st *step) { st.blocks(u) })
	})
	if err != nil {
		return fmt.Errorf("blocks for the channels: %w", err)
	}
	unseen, looked, err := h.enforce(ctx, backend)
	if !looked {
		return err
	}
	return errors.Join(err, h.do(func(st *step) { // not before: the blocks may have preimages
		st.route(payment.Looked{Except: unseen})
	}))
}

// StartAt says from which block on a new hub looks: the wallet's birthday. It
// does nothing once there is a later one.
func (h *Hub) StartAt(at chain.BlockID) error {
	return h.do(func(*step) {
		if h.block == (chain.BlockID{}) {
			h.block = at
		}
	})
}

// blocks takes blocks back and in.
func (st *step) blocks(u chain.Update) {
	h := st.hub
	for _, b := range u.Disconnected {
		for _, c := range h.channels {
			if c.confirmed != 0 && uint32(c.confirmed>>40) == uint32(b.Height) {
				c.confirmed = 0
				st.keep(c)
			}
		}
	}
	for i := range u.Connected {
		st.confirm(&u.Connected[i])
	}
	h.block, h.height = u.Tip, payment.Height(u.Tip.Height)
	tip := h.block
	st.writes = append(st.writes, func(tx *store.Tx) error { return tx.Put(bucketChain, keyBlock, encodeBlock(tip)) })
	for _, c := range h.channels {
		c.machine.Block(channel.Height(h.height))
		st.touch(c)
		st.fundAgain(c)
		if c.deepEnough(h.height) {
			c.machine.SetUsable()
		}
	}
	st.route(payment.Block{Height: h.height})
}

// keep stores a channel with the step, though its machine has not asked for it.
func (st *step) keep(c *entry) {
	if !slices.Contains(st.dirty, c) {
		st.dirty = append(st.dirty, c)
	}
}

// confirm looks for funding transactions in a block, and for what spends them.
func (st *step) confirm(b *chain.Block) {
	wanted := st.hub.fundings()
	if len(wanted) == 0 {
		return
	}
	outputs := st.hub.outpoints()
	for i, tx := range b.Transactions {
		st.spends(outputs, tx)
		txid := wire.Txid(tx.TxHash())
		for _, c := range wanted[txid] {
			if c.machine.Open.ChannelInFactory == nil {
				if !pays(c.machine, tx) {
					c.machine.Unpaid()
					st.touch(c)
					continue
				}
				c.confirmed = payment.SCID(uint64(b.Height)<<40 | uint64(i)<<16 | uint64(c.machine.Fundings[0].Index))
			}
			OutputConfirmed(c.machine, txid, st.hub.cfg.Rules)
			st.touch(c)
			st.keep(c)
		}
	}
}

// OutputConfirmed tells a channel that an output of it is in a block: one in a factory is
// over then, and publishes its latest commitment (CHAN-024).
func OutputConfirmed(m *channel.Machine, txid wire.Txid, rules rule.Set) {
	m.FundingConfirmed(txid)
	if m.Open.ChannelInFactory != nil && rules.On(rule.CHAN024) {
		m.ForceClose("its output is on the chain") // does nothing to one that has failed
	}
}

// pays reports whether a funding transaction has the output of a channel outside a
// factory: its place, its amount and its script (BOLT 2, "The channel_ready Message").
// The peer made it; inside a factory every node computes it.
func pays(m *channel.Machine, tx *btcwire.MsgTx) bool {
	at, want := int(m.Fundings[0].Index), fundingOutput(m)
	if at >= len(tx.TxOut) {
		return false
	}
	got := tx.TxOut[at]
	return got.Value == want.Value && bytes.Equal(got.PkScript, want.PkScript)
}

// fundings are the channels by the transactions that hold their outputs,
// replaced ones included (PCF-127).
func (h *Hub) fundings() map[wire.Txid][]*entry {
	all := map[wire.Txid][]*entry{}
	for _, c := range h.channels {
		for i := range c.machine.Fundings {
			if c.machine.Fundings[i].Absorbed() {
				continue // another channel's
			}
			txid := c.machine.Fundings[i].Txid
			all[txid] = append(all[txid], c)
		}
		for i := range c.machine.Replaced {
			txid := c.machine.Replaced[i].Funding.Txid
			all[txid] = append(all[txid], c)
		}
	}
	return all
}

// deepEnough reports whether the funding transaction of a channel outside a
// factory has the depth that its accepter asked for.
func (c *entry) deepEnough(tip payment.Height) bool {
	m := c.machine
	if c.confirmed == 0 || m.Open.ChannelInFactory != nil {
		return false
	}
	depth := int64(tip) - int64(c.confirmed>>40) + 1
	return depth >= int64(max(m.Accept.MinimumDepth, 1))
}

func encodeBlock(b chain.BlockID) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(b.Height)), b.Hash[:]...)
}

// readBlock reads what encodeBlock wrote.
func readBlock(tx *store.Tx) (chain.BlockID, error) {
	raw, found, err := tx.Get(bucketChain, keyBlock)
	if err != nil || !found {
		return chain.BlockID{}, err
	}
	if len(raw) != 4+chainhash.HashSize {
		return chain.BlockID{}, fmt.Errorf("%w: the last block has %d bytes", ErrRecord, len(raw))
	}
	b := chain.BlockID{Height: chain.Height(binary.BigEndian.Uint32(raw))}
	copy(b.Hash[:], raw[4:])
	return b, nil
}

// Height is that of the last block the channels were shown.
func (h *Hub) Height() (height payment.Height, err error) {
	err = h.do(func(*step) { height = h.height })
	return height, err
}
