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
	bucketPayments = "payments"
)

// entryVersion is the first byte of a stored channel.
const entryVersion = 1

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
	return tx.Put(bucketChannels, c.salt.String(), append(b, c.machine.Encode()...))
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
	if len(b) < head || b[0] != entryVersion {
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
		out = append(out, c)
	}
	return out, nil
}

// remove deletes what is stored of a channel.
func remove(tx *store.Tx, salt string) error {
	revoked, err := tx.Keys(bucketRevoked)
	if err != nil {
		return err
	}
	for _, name := range revoked {
		if strings.HasPrefix(name, salt+"/") {
			if err := tx.Delete(bucketRevoked, name); err != nil {
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
