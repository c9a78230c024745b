package hub

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/channel"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Loopback answers for channels under the test protocol of section 3.6 of
// SPEC.md: there is no factory, and it says yes to everything but what that
// section names. What it knows of a change is in memory only.
type Loopback struct {
	rules   rule.Set
	changes map[wire.ChannelID]loopbackChange // the last one of each channel
	flags   map[wire.Txid]byte
}

// loopbackChange is the payload of factory_change_init (PCF-161).
type loopbackChange struct {
	txid  wire.Txid
	index uint16
	flags byte
}

// Flags of a change.
const (
	neverStored = 1 << iota
	neverLocked
	refused
)

// Kinds of payloads that order something (PCF-162).
const (
	orderChange = 16 + iota
	orderAbort
	orderLock
)

const changeSize = 32 + 2 // of a payload without flags

// NewLoopback returns the answers of a node that keeps rules.
func NewLoopback(rules rule.Set) *Loopback {
	return &Loopback{rules: rules, changes: map[wire.ChannelID]loopbackChange{}, flags: map[wire.Txid]byte{}}
}

// all32 is the txid that is refused and the instance that is never usable.
var all32 = [32]byte(bytes.Repeat([]byte{0xff}, 32))

// FundingKey implements Factory.
func (l *Loopback) FundingKey(wire.Point, *wire.OpenChannel) (*btcec.PrivateKey, error) {
	return nil, nil
}

// Outpoint implements Factory.
func (l *Loopback) Outpoint(_ wire.Point, open *wire.OpenChannel) (wire.Txid, uint16, error) {
	return open.ChannelInFactory.InstanceID, 0, nil
}

// CheckOutpoint implements Factory.
func (l *Loopback) CheckOutpoint(_ wire.Point, _ *wire.OpenChannel, txid wire.Txid, _ uint16) error {
	if txid == all32 || !l.rules.On(rule.PCF160) {
		return errors.New("Loopback does not know this outpoint")
	}
	return nil
}

// Hear implements Factory.
func (l *Loopback) Hear(Channel, channel.Action) {}

// Answer implements Answerer. A command that comes too late changes nothing.
func (l *Loopback) Answer(m *channel.Machine, a channel.Action) {
	switch a := a.(type) {
	case channel.Opened:
		if m.Open.ChannelInFactory.InstanceID != all32 {
			m.SetUsable()
		}
	case channel.AskChange:
		c, ok := readChange(a.Payload)
		if a.Ack {
			ok = len(a.Payload) == 0 || ok && c.flags&refused == 0
		} else {
			ok = ok && c.flags&refused == 0
			l.changes[m.ID] = c
		}
		reason := ""
		if !ok || !l.rules.On(rule.PCF161) {
			reason = "Loopback refuses this change"
		}
		_ = m.AnswerChange(a.ID, 0, nil, reason)
	case channel.AskChangeOutpoint:
		c := l.changes[m.ID]
		l.flags[c.txid] = c.flags
		_ = m.ChangeOutpoint(a.ID, c.txid, c.index)
	case channel.AskContinue:
		if l.flags[a.Txid]&neverStored == 0 {
			_ = m.ChangePending()
			_ = m.ChangeStored()
		}
	case channel.AskLock:
		if l.flags[a.Txid]&neverLocked != 0 {
			m.LockRefused(a.Txid)
		} else {
			_ = m.Lock(a.Txid)
		}
	}
}

func readChange(payload []byte) (c loopbackChange, ok bool) {
	if len(payload) < changeSize {
		return c, false
	}
	copy(c.txid[:], payload)
	c.index = binary.BigEndian.Uint16(payload[32:])
	if len(payload) > changeSize {
		c.flags = payload[changeSize]
	}
	return c, true
}

// Order obeys a payload that orders something of a channel (PCF-162): its kind,
// the channel id, and for a change the contribution in sat and the payload of
// factory_change_init, for a lock the txid. It returns when that is stored.
func (l *Loopback) Order(h *Hub, payload []byte) {
	if len(payload) < 1+32 || !l.rules.On(rule.PCF162) {
		return
	}
	kind, id, rest := payload[0], wire.ChannelID(payload[1:33]), payload[33:]
	_ = h.Do(id, func(m *channel.Machine) error { // what cannot be done is not done
		if in := m.Open.ChannelInFactory; in == nil || h.cfg.Factories[in.ProtocolID] != Factory(l) {
			return ErrNoChannel
		}
		switch {
		case kind == orderChange && len(rest) >= 8+changeSize:
			c, _ := readChange(rest[8:])
			err := m.StartChange(int64(binary.BigEndian.Uint64(rest)), rest[8:])
			if err == nil {
				l.changes[id] = c
			}
			return err
		case kind == orderAbort:
			return m.AbortChange("by order")
		case kind == orderLock && len(rest) == 32:
			return m.Lock(wire.Txid(rest))
		}
		return nil
	})
}
