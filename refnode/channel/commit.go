package channel

import (
	"fmt"

	"superscalar/refnode/commitment"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Commit signs the updates that the peer's commitment lacks, if there are any
// or a round is owed, and its last commitment is acknowledged. It is cheap when there is nothing
// to do, and does nothing twice. What Take returned has been carried out. A round may become due after our stfu (PCF-172): it is
// made before the peer's.
func (m *Machine) Commit() {
	m.locked = false
	m.advance()
	if m.operational() && !m.awaiting() && (m.unsigned(m.peer()) || m.owesRound() && !m.quiescent()) {
		m.sign()
	}
	m.advance()
}

// sign moves the updates into the peer's next commitment, stores that, and
// sends its signatures for every output that updates are signed for.
func (m *Machine) sign() {
	m.eachStage(func(by Side, st *stage) { *st = st.signs(m.Side, by) })
	m.SignedNumber++
	m.CommitLast = true
	m.Fundings[0].Did &^= roundOwed
	m.save()
	m.sendCommitment()
}

// sendCommitment signs the peer's latest commitment, number SignedNumber, once
// for each output: one message, or a batch (PCF-130, PCF-144).
func (m *Machine) sendCommitment() {
	point := m.TheirNext
	if !m.awaiting() { // only for the first commitment on a new output
		point = m.TheirPoint
	}
	var msgs []wire.Message
	for _, f := range m.signedFundings() {
		msg, err := m.signOn(f, point)
		if err != nil {
			m.broken("signing a commitment", err)
			return
		}
		msgs = append(msgs, msg)
	}
	if len(msgs) > 1 && m.on(rule.PCF130) {
		m.sendStartBatch(len(msgs))
	}
	for _, msg := range msgs {
		m.send(msg)
	}
}

func (m *Machine) sendStartBatch(n int) {
	kind := uint16(wire.TypeCommitmentSigned)
	m.send(&wire.StartBatch{ChannelID: m.ID, BatchSize: uint16(n), MessageType: &kind})
}

// signedFundings are the outputs that an update is signed for. A mutant may
// forget the pending ones.
func (m *Machine) signedFundings() []*Funding {
	all := m.activeFundings()
	if !m.on(rule.PCF144) {
		return all[:1]
	}
	return all
}

// signOn signs the peer's commitment number SignedNumber on one output. Its
// funding_txid is set inside a factory: BOLT 2 asks for it since splicing, and
// a peer outside may be older.
func (m *Machine) signOn(f *Funding, point wire.Point) (*wire.CommitmentSigned, error) {
	if f.Absorbed() { // there is nothing to sign: the message revokes what is on the output before
		txid := f.Txid
		msg := &wire.CommitmentSigned{ChannelID: m.ID, FundingTxid: &txid}
		if !m.on(rule.CHG021) {
			msg.Signature[0] = 1
		}
		return msg, nil
	}
	c, err := m.build(m.peer(), f, latest, m.SignedNumber, point)
	if err != nil {
		return nil, err
	}
	sig, htlcs, err := c.Sign(m.cfg.Keys.Funding(f.Key), m.cfg.Keys.Secrets)
	if err != nil {
		return nil, err
	}
	msg := &wire.CommitmentSigned{ChannelID: m.ID, Signature: sig, HTLCSignatures: htlcs}
	if m.inFactory() {
		txid := f.Txid
		msg.FundingTxid = &txid
	}
	return msg, nil
}

// commitmentSigned handles a commitment_signed that is not in a batch: for a
// new output, or for the only one.
func (m *Machine) commitmentSigned(msg *wire.CommitmentSigned) {
	if !m.firstOnNewOutput(msg) && m.mayCommit() {
		msgs, err := alone(m.cfg.Rules, m.activeTxids(), msg)
		m.acceptUnless(err, msgs)
	}
}

// stands reports whether a change stands on the commitments of now, here or, until it has
// answered that it is called off, at the peer. The next one
// would revoke the only commitment that there is on the new output (PCF-138).
func (m *Machine) stands() bool {
	return (m.changing() != nil || m.quiet.aborting) && m.on(rule.PCF138)
}

// accept checks the signatures on our next commitment, one message for each
// output that updates are signed for, and revokes the one before. Both happen
// in one step: what is stored is the new commitment with the old one revoked.
func (m *Machine) accept(msgs []*wire.CommitmentSigned) {
	n := m.LocalNumber + 1
	fundings := m.activeFundings()
	for i, f := range fundings[:len(msgs)] {
		if f.Absorbed() {
			if (msgs[i].Signature != wire.Signature{} || len(msgs[i].HTLCSignatures) > 0) && m.on(rule.CHG021) {
				m.warn(rule.CHG021, "commitment_signed with signatures where there is no commitment")
				return
			}
			continue
		}
		c, err := m.build(m.Side, f, next, n, m.ourPoint(n))
		if err != nil {
			m.broken("building our commitment", err)
			return
		}
		if err := c.Verify(msgs[i].Signature, msgs[i].HTLCSignatures); err != nil {
			m.warn("", "commitment_signed: "+err.Error())
			return
		}
	}
	for i, f := range fundings[:len(msgs)] {
		f.Sig, f.HTLCSigs = msgs[i].Signature, msgs[i].HTLCSignatures
	}
	m.eachStage(func(by Side, st *stage) { *st = st.signs(m.peer(), by) })
	m.LocalNumber = n
	m.revoke()
	if !m.on(rule.PCF134) && len(msgs) > 1 {
		m.sendRevocation()
	}
}

// revoke gives up our previous commitment, once (PCF-134).
func (m *Machine) revoke() {
	m.eachStage(func(by Side, st *stage) { *st = st.revokes(m.Side, by) })
	m.CommitLast = false
	for _, h := range m.settle() {
		m.act(HTLCRemoved{m.ID, h.ID}) // one of the peer's: ours are over when the peer revokes
	}
	m.save()
	m.sendRevocation()
	m.oldRevoked()
}

// sendRevocation sends the revoke_and_ack of the commitment before our latest.
func (m *Machine) sendRevocation() {
	m.send(revokeMessage(m.ID, m.cfg.Keys.Seed.Secret(m.LocalNumber-1), m.ourPoint(m.LocalNumber+1)))
}

// LatestCommitment returns our latest commitment on an output, complete: the
// one to broadcast. On a replaced output it fails once that commitment is
// revoked: publishing it would lose everything.
func (m *Machine) LatestCommitment(txid wire.Txid) (*SignedCommitment, error) {
	if f := m.findFunding(txid); f != nil && !f.Absorbed() {
		return m.complete(f, m.view(m.Side, f, latest))
	}
	for i := range m.Replaced {
		if r := &m.Replaced[i]; r.Funding.Txid == txid && r.Local.Number == m.LocalNumber {
			return m.complete(&r.Funding, r.Local)
		}
	}
	return nil, fmt.Errorf("funding transaction %v: %w", txid, ErrNoCommitment)
}

// complete signs our latest commitment on an output, v, beside the peer.
func (m *Machine) complete(f *Funding, v commitment.State) (*SignedCommitment, error) {
	v.Number = m.LocalNumber
	c, err := m.buildState(m.Side, f, &v, m.ourPoint(v.Number))
	if err != nil {
		return nil, err
	}
	if err := c.Verify(f.Sig, f.HTLCSigs); err != nil {
		return nil, err
	}
	tx, err := c.Complete(m.cfg.Keys.Funding(f.Key), f.Sig)
	if err != nil {
		return nil, err
	}
	return &SignedCommitment{Commitment: c, Tx: tx, HTLCSigs: f.HTLCSigs}, nil
}
