package hub

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"superscalar/refnode/channel"
	"superscalar/refnode/payment"
	"superscalar/refnode/store"
	"superscalar/wire"
)

// entry is a channel with what its node knows of it.
type entry struct {
	salt    Salt
	peer    wire.Point
	machine *channel.Machine
	// confirmed is the real short channel id, 0 before the funding transaction
	// is deep enough and for ever in a factory.
	confirmed payment.SCID
	// theirs is what the peer said in channel_update.
	theirs payment.Policy
	// settled is true when all that ended on the chain is buried.
	settled bool
	// funding is the signed transaction of a channel outside a factory that we
	// opened, empty otherwise.
	funding []byte
	// opened numbers the channels in the order in which this process opened them, 0 for
	// those that it found.
	opened uint64
	// kept are the onions that have a record of their own.
	kept map[onionID]bool
}

// onionID names an HTLC of a channel.
type onionID struct {
	by channel.Side
	id channel.HTLCID
}

// alias is what we call the channel in channel_ready: a short channel id that no
// block can have (BOLT 2), from the salt, so that it is the same for ever.
func (s Salt) alias() payment.SCID {
	const firstBlock, blocks = 16_000_000, 250_000 // above any height, under 2^24
	sum := sha256.Sum256(append([]byte("alias"), s[:]...))
	n := binary.BigEndian.Uint64(sum[:8])
	return payment.SCID((firstBlock+n%blocks)<<40 | n>>24&0xffffffffff)
}

// names are the short channel ids under which an onion may name the channel.
func (c *entry) names() []payment.SCID {
	names := []payment.SCID{c.salt.alias()}
	if c.confirmed != 0 {
		names = append(names, c.confirmed)
	}
	return names
}

// Buckets of the store.
const (
	bucketChannels = "channels"
	bucketRevoked  = "revoked"
	bucketOnions   = "onions"
	bucketPayments = "payments"
)

// entryVersion is the first byte of a stored channel. In version 1 the onions
// were part of the state; reading makes no difference between the two.
const (
	entryVersion = 2
	firstVersion = 1
)

// ErrRecord is a stored channel that cannot be read.
var ErrRecord = errors.New("record of a channel")

// write stores the channel: version, peer, short channel id, policy of the peer,
// funding transaction, state of the machine.
func (c *entry) write(tx *store.Tx) error {
	b := append([]byte{entryVersion}, c.peer[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(c.confirmed))
	b = append(b, encodePolicy(c.theirs)...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(c.funding)))
	b = append(b, c.funding...)
	if err := c.writeOnions(tx); err != nil {
		return err
	}
	return tx.Put(bucketChannels, c.salt.String(), append(b, c.machine.EncodeApart()...))
}

// writeOnions stores the onions that are not stored yet and deletes those that
// nobody needs. A hub whose transaction fails reads all of it again.
func (c *entry) writeOnions(tx *store.Tx) error {
	needed := map[onionID]bool{}
	for _, o := range c.machine.Onions() {
		id := onionID{o.By, o.ID}
		needed[id] = true
		if c.kept[id] {
			continue
		}
		if err := tx.Put(bucketOnions, c.salt.onionName(id), o.Bytes); err != nil {
			return err
		}
	}
	var over []string
	for id := range c.kept {
		if !needed[id] {
			over = append(over, c.salt.onionName(id))
		}
	}
	slices.Sort(over)
	for _, name := range over {
		if err := tx.Delete(bucketOnions, name); err != nil {
			return err
		}
	}
	c.kept = needed
	return nil
}

// onionName is the name of the record of an onion: salt, side, id.
func (s Salt) onionName(o onionID) string { return fmt.Sprintf("%s/%d/%016x", s, o.by, uint64(o.id)) }

// readOnions reads the onions of a channel back. names are those of all onions,
// sorted.
func (c *entry) readOnions(tx *store.Tx, names []string) error {
	prefix := c.salt.String() + "/"
	c.kept = map[onionID]bool{}
	var all []channel.Onion
	first, _ := slices.BinarySearch(names, prefix)
	for _, name := range names[first:] {
		if !strings.HasPrefix(name, prefix) {
			break
		}
		var o onionID
		if _, err := fmt.Sscanf(name[len(prefix):], "%d/%016x", &o.by, &o.id); err != nil || c.salt.onionName(o) != name {
			return fmt.Errorf("%w: an onion named %q", ErrRecord, name)
		}
		b, _, err := tx.Get(bucketOnions, name)
		if err != nil {
			return err
		}
		c.kept[o] = true
		all = append(all, channel.Onion{By: o.by, ID: o.id, Bytes: b})
	}
	if err := c.machine.SetOnions(all); err != nil {
		return fmt.Errorf("channel %s: %w", c.salt, err)
	}
	return nil
}

const policySize = 1 + 4 + 4 + 2 + 8

func encodePolicy(p payment.Policy) []byte {
	b := []byte{0}
	if p.Known {
		b[0] = 1
	}
	b = binary.BigEndian.AppendUint32(b, p.FeeBaseMsat)
	b = binary.BigEndian.AppendUint32(b, p.FeePPM)
	b = binary.BigEndian.AppendUint16(b, p.CLTVDelta)
	return binary.BigEndian.AppendUint64(b, uint64(p.HTLCMinimum))
}

func decodePolicy(b []byte) payment.Policy {
	return payment.Policy{
		Known: b[0] == 1, FeeBaseMsat: binary.BigEndian.Uint32(b[1:]), FeePPM: binary.BigEndian.Uint32(b[5:]),
		CLTVDelta: binary.BigEndian.Uint16(b[9:]), HTLCMinimum: payment.Msat(binary.BigEndian.Uint64(b[11:])),
	}
}

// read is the inverse of write.
func (h *Hub) read(name string, b []byte) (*entry, error) {
	const head = 1 + 33 + 8 + policySize + 4
	c := &entry{}
	if len(name) != 2*len(c.salt) {
		return nil, fmt.Errorf("%w: its name %q is no salt", ErrRecord, name)
	}
	if _, err := hex.Decode(c.salt[:], []byte(name)); err != nil {
		return nil, fmt.Errorf("%w: its name %q is no salt", ErrRecord, name)
	}
	if len(b) < head || b[0] < firstVersion || b[0] > entryVersion {
		return nil, fmt.Errorf("%w %s: no known version", ErrRecord, name)
	}
	copy(c.peer[:], b[1:])
	c.confirmed = payment.SCID(binary.BigEndian.Uint64(b[34:]))
	c.theirs = decodePolicy(b[42:])
	size := int(binary.BigEndian.Uint32(b[head-4:]))
	if size > len(b)-head {
		return nil, fmt.Errorf("%w %s: truncated", ErrRecord, name)
	}
	c.funding = slices.Clone(b[head : head+size])
	state := b[head+size:]
	cfg, err := h.machineConfig(c, state)
	if err != nil {
		return nil, err
	}
	if c.machine, err = channel.Restore(cfg, state); err != nil {
		return nil, fmt.Errorf("channel %s: %w", name, err)
	}
	h.setUse(c)
	return c, nil
}

// readChannels reads every channel, in the order of their salts.
func (h *Hub) readChannels(tx *store.Tx) ([]*entry, error) {
	names, err := tx.Keys(bucketChannels)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	onions, err := tx.Keys(bucketOnions)
	if err != nil {
		return nil, err
	}
	slices.Sort(onions)
	var out []*entry
	for _, name := range names {
		b, _, err := tx.Get(bucketChannels, name)
		if err != nil {
			return nil, err
		}
		c, err := h.read(name, b)
		if errors.Is(err, ErrForgotten) {
			h.gone = append(h.gone, name)
			continue
		}
		if errors.Is(err, ErrAside) {
			h.cfg.Log.Error("channel set aside", "channel", name, "error", err)
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := c.readOnions(tx, onions); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// remove deletes what is stored of a channel.
func remove(tx *store.Tx, salt string) error {
	for _, bucket := range []string{bucketRevoked, bucketOnions} {
		names, err := tx.Keys(bucket)
		if err != nil {
			return err
		}
		for _, name := range names {
			if !strings.HasPrefix(name, salt+"/") {
				continue
			}
			if err := tx.Delete(bucket, name); err != nil {
				return err
			}
		}
	}
	return tx.Delete(bucketChannels, salt)
}

// revoked adds a revoked commitment to the records that are never changed.
func (c *entry) revoked(r channel.Revoked) func(*store.Tx) error {
	name := c.salt.revokedName(r.Number)
	b := r.Encode()
	return func(tx *store.Tx) error { return tx.Put(bucketRevoked, name, b) }
}

// readPayments reads the records of the router. Their names are hexadecimal: the
// store takes no zero bytes.
func readPayments(tx *store.Tx) ([]payment.Record, error) {
	keys, err := tx.Keys(bucketPayments)
	if err != nil {
		return nil, err
	}
	slices.Sort(keys)
	var out []payment.Record
	for _, k := range keys {
		v, _, err := tx.Get(bucketPayments, k)
		if err != nil {
			return nil, err
		}
		key, err := hex.DecodeString(k)
		if err != nil {
			return nil, fmt.Errorf("%w: the name %q of a payment", ErrRecord, k)
		}
		out = append(out, payment.Record{Key: key, Value: v})
	}
	return out, nil
}

func writePayments(tx *store.Tx, p payment.Persist) error {
	for _, r := range p.Puts {
		if err := tx.Put(bucketPayments, hex.EncodeToString(r.Key), r.Value); err != nil {
			return err
		}
	}
	for _, k := range p.Deletes {
		if err := tx.Delete(bucketPayments, hex.EncodeToString(k)); err != nil {
			return err
		}
	}
	return nil
}
