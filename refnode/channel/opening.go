package channel

import (
	"errors"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/commitment"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// fundingCreated is a funding_created whose outpoint the plugin looks at.
type fundingCreated struct {
	txid  wire.Txid
	index uint16
	sig   wire.Signature
}

// ErrNotNow is the error of a command that does not fit the state of the
// channel.
var ErrNotNow = errors.New("not in this state of the channel")

// Opened says that both first commitments are signed and stored. An opener
// outside a factory broadcasts its funding transaction now, and only now; one
// inside never does (PCF-084).
type Opened struct {
	Channel wire.ChannelID
	Txid    wire.Txid
	Index   uint16
}

func (Opened) action() {}

// Outpoint gives the opener the funding outpoint: the one that the plugin
// names (PCF-080), or that of a transaction that is made and not broadcast. It
// sends funding_created. The error is ErrNotNow.
func (m *Machine) Outpoint(txid wire.Txid, index uint16) error {
	if m.Side != commitment.Opener || len(m.Fundings) > 0 || m.over() || !m.established {
		return ErrNotNow
	}
	if !m.on(rule.PCF080) {
		index++
	}
	m.firstFunding(txid, index)
	theirs, ok := m.firstCommitment(m.peer())
	if !ok {
		return nil
	}
	sig, _, err := theirs.Sign(m.cfg.Keys.Funding(0), m.cfg.Keys.Secrets)
	if err != nil {
		m.broken("signing the first commitment", err)
		return nil
	}
	m.send(body(m.TemporaryID()).raw(txid[:]).u16(index).raw(sig[:]).message(typeFundingCreated))
	return nil
}

// firstFunding sets the outpoint and with it the channel id: the txid with the
// index in its last two bytes (BOLT 2).
func (m *Machine) firstFunding(txid wire.Txid, index uint16) {
	m.ID = ChannelIDOf(txid, index)
	m.Fundings = []Funding{m.fundingAt(txid, index)}
}

func (m *Machine) fundingAt(txid wire.Txid, index uint16) Funding {
	return Funding{
		Txid: txid, Index: index, Value: Sat(m.Open.FundingSat),
		Keys: [2]wire.Point{m.Open.Keys.Funding, m.Accept.Keys.Funding},
		Did:  sentCommit | gotCommit | sentContinue | gotContinue,
	}
}

// TheirFirst is the id of the peer's commitment 0 on an outpoint, the transaction that
// funding_signed signs. It says everything about that commitment: outpoint, keys, amounts,
// delay. The error is that of a point that is none.
func (m *Machine) TheirFirst(txid wire.Txid, index uint16) (wire.Txid, error) {
	f := m.fundingAt(txid, index)
	c, err := m.build(m.peer(), &f, latest, 0, m.TheirPoint)
	if err != nil {
		return wire.Txid{}, err
	}
	return wire.Txid(c.Tx.TxHash()), nil
}

// ChannelIDOf returns the id of the channel that is funded by an outpoint.
func ChannelIDOf(txid wire.Txid, index uint16) wire.ChannelID {
	id := wire.ChannelID(txid)
	id[30] ^= byte(index >> 8)
	id[31] ^= byte(index)
	return id
}

// firstCommitment builds commitment number 0 of a side.
func (m *Machine) firstCommitment(owner Side) (*commitment.Commitment, bool) {
	point := m.TheirPoint
	if owner == m.Side {
		point = m.ourPoint(0)
	}
	c, err := m.build(owner, &m.Fundings[0], latest, 0, point)
	if err != nil {
		m.broken("building the first commitment", err)
		return nil, false
	}
	return c, true
}

// build makes the commitment of owner with a number, on funding output f.
func (m *Machine) build(owner Side, f *Funding, at moment, n Number, point wire.Point) (*commitment.Commitment, error) {
	v := m.view(owner, f, at)
	v.Number = n
	return m.buildState(owner, f, &v, point)
}

func (m *Machine) buildState(owner Side, f *Funding, v *commitment.State, point wire.Point) (*commitment.Commitment, error) {
	key, err := m.memo.ParseKey(point)
	if err != nil {
		return nil, err
	}
	out, err := f.output(m.memo)
	if err != nil {
		return nil, err
	}
	return m.params.Build(owner, out, v, key)
}

// output returns the funding output as package commitment wants it.
func (f *Funding) output(memo *commitment.Memo) (*commitment.Funding, error) {
	out := &commitment.Funding{
		Outpoint: btcwire.OutPoint{Hash: chainhash.Hash(f.Txid), Index: uint32(f.Index)},
		Value:    f.Value,
	}
	for side, raw := range f.Keys {
		key, err := memo.ParseKey(raw)
		if err != nil {
			return nil, err
		}
		out.Keys[side] = key
	}
	return out, nil
}

// fundingCreated handles funding_created: the plugin is asked about the
// outpoint first (PCF-081); the node looks whether another channel has it
// (PCF-046).
func (m *Machine) fundingCreated(msg *wire.Base) {
	if m.Side != commitment.Accepter || len(m.Fundings) > 0 || m.created != nil {
		m.warn("", "funding_created out of place")
		return
	}
	r := fields(msg)
	c := &fundingCreated{txid: r.Array32("funding_txid"), index: r.U16("funding_output_index"), sig: r.Signature("signature")}
	if r.Err() != nil {
		m.warn("", r.Err().Error())
		return
	}
	m.created = c
	m.act(AskOutpoint{c.txid, c.index})
}

// OutpointIs is the answer to AskOutpoint. With reason "" the outpoint is
// right: funding_signed goes out once our first commitment is stored.
func (m *Machine) OutpointIs(reason string) error {
	c := m.created
	if c == nil || m.over() || !m.established {
		return ErrNotNow
	}
	m.created = nil
	if reason != "" && m.on(rule.PCF081) {
		m.fail(rule.PCF081, "funding outpoint refused: "+reason)
		return nil
	}
	m.firstFunding(c.txid, c.index)
	ours, ok := m.firstCommitment(m.Side)
	if !ok {
		return nil
	}
	if err := ours.Verify(c.sig, nil); err != nil {
		m.fail("", "funding_created: "+err.Error())
		return nil
	}
	theirs, ok := m.firstCommitment(m.peer())
	if !ok {
		return nil
	}
	sig, _, err := theirs.Sign(m.cfg.Keys.Funding(0), m.cfg.Keys.Secrets)
	if err != nil {
		m.broken("signing the first commitment", err)
		return nil
	}
	m.Fundings[0].Sig = c.sig
	m.save()
	m.send(body(m.ID).raw(sig[:]).message(typeFundingSigned))
	m.act(Opened{m.ID, c.txid, c.index})
	m.advance()
	return nil
}

// fundingSigned handles funding_signed. From here on the opener remembers the
// channel (PCF-095).
func (m *Machine) fundingSigned(msg *wire.Base) {
	if m.Side != commitment.Opener || len(m.Fundings) == 0 || m.GotSigned {
		m.warn("", "funding_signed out of place")
		return
	}
	r := fields(msg)
	sig := r.Signature("signature")
	ours, ok := m.firstCommitment(m.Side)
	if !ok {
		return
	}
	if err := ours.Verify(sig, nil); err != nil {
		m.fail("", "funding_signed: "+err.Error())
		return
	}
	f := &m.Fundings[0]
	f.Sig = sig
	m.GotSigned = true
	m.save()
	m.act(Persist{}) // the event lets the node broadcast
	m.dirty = false
	m.act(Opened{m.ID, f.Txid, f.Index})
}

// SetUsable says that the factory is usable (PCF-082), or, outside a factory, that
// the funding transaction has reached its depth: channel_ready may go out.
func (m *Machine) SetUsable() {
	if m.Usable || m.over() {
		return
	}
	m.Usable = true
	m.save()
	m.advance()
}

// sayReady sends channel_ready when it is time.
func (m *Machine) sayReady() {
	opened := len(m.Fundings) > 0 && (m.Side == commitment.Accepter || m.GotSigned)
	if !opened || m.SentReady || !m.mayBeReady() {
		return
	}
	m.SentReady = true
	m.save()
	m.send(readyMessage(m.ID, m.ourPoint(1), m.cfg.Alias))
}

// mayBeReady reports whether the factory lets channel_ready out (PCF-082), whatever
// the peer has said (CHAN-009).
func (m *Machine) mayBeReady() bool {
	return m.Usable || !m.on(rule.PCF082) || m.GotReady && !m.on(rule.CHAN009)
}

// channelReady handles channel_ready. A redundant one may bring a new alias
// and nothing else (BOLT 2).
func (m *Machine) channelReady(msg *wire.Base) {
	second, alias, err := readReady(msg)
	switch {
	case err != nil:
		m.warn("", err.Error())
		return
	case len(m.Fundings) == 0 || m.Side == commitment.Opener && !m.GotSigned:
		m.warn("", "channel_ready before the first commitments")
		return
	case alias != 0:
		m.PeerAlias = alias
	}
	if !m.GotReady {
		m.GotReady, m.TheirNext = true, second
	}
	m.save()
}
