package channel

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"superscalar/refnode/commitment"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// change is a factory change that is being negotiated: nothing of it is stored
// before it is committed to (SPEC.md 3.8, steps 1 to 5).
type change struct {
	id           ChangeID
	step         changeStep
	key          uint32 // index of our new funding key
	keys         [2]wire.Point
	contribution [2]int64 // sat, by Side
	payload      []byte   // ours, for factory_change_init
	ours         *outpoint
	theirs       *outpoint
	into         bool // the outpoint is that of the channel that takes what this one holds
	takes        bool // other channels go into this one
}

type outpoint struct {
	txid  wire.Txid
	index uint16
}

// changeStep is what a change waits for.
type changeStep uint8

const (
	waitQuiescence changeStep = iota // we asked for it
	waitAck                          // factory_change_init sent
	waitJudgeInit                    // received; the plugin looks at it
	waitJudgeAck                     // factory_change_ack received; the plugin looks at it
	outpoints                        // factory_change_ack sent or received and accepted: outpoints next
)

// StartChange begins a factory change that both plugins have agreed to by
// piggyback (PCF-110): quiescence first, then factory_change_init. The
// contribution is in sat; payload is nil for none. The error is *Refused.
func (m *Machine) StartChange(contributionSat int64, payload []byte) error {
	reason := m.changeFault()
	switch {
	case reason == "" && m.WantShutdown != nil:
		reason = "the channel is about to be shut down"
	case reason == "" && m.quieting():
		reason = "the channel is becoming quiescent already"
	case reason == "" && !m.cfg.Features.Offers(wire.FeatureQuiesce):
		reason = "option_quiesce is not negotiated"
	}
	if reason != "" && m.on(rule.PCF111) {
		return &Refused{reason}
	}
	m.change = m.newChange(waitQuiescence)
	m.change.payload = payload
	m.change.contribution[m.Side] = contributionSat
	m.quiet.wanted = true
	m.advance()
	return nil
}

func (m *Machine) newChange(step changeStep) *change {
	m.changes++
	return &change{id: m.changes, step: step}
}

// changeFault is what forbids a new change, apart from quiescence (PCF-111,
// PCF-107).
func (m *Machine) changeFault() string {
	switch {
	case !m.inFactory():
		return "the channel is not in a factory"
	case !m.operational():
		return "the channel is not ready"
	case m.Scripts[0] != nil || m.Scripts[1] != nil:
		return "the channel is shutting down"
	case m.change != nil || m.changing() != nil:
		return "another change is being negotiated"
	case len(m.Fundings) >= maxBatch && m.on(rule.PCF107):
		return "there are 19 pending changes"
	}
	return ""
}

// sendInit sends factory_change_init: the channel is quiescent and we began. The peer's
// shutdown may have crossed our stfu (PCF-111).
func (m *Machine) sendInit() {
	c := m.change
	reason := m.contributionFault(m.Side, c.contribution[m.Side])
	if m.Scripts[m.peer()] != nil && m.on(rule.PCF111) {
		reason = "the channel is shutting down"
	}
	if reason != "" {
		m.forgetChange(reason)
		m.act(Disconnect{Reason: "nothing to do in quiescence"})
		m.Disconnected()
		return
	}
	c.step = waitAck
	m.freshKey(c)
	m.send(&wire.ChangeInit{Change: m.ourChange(c), Payload: c.payload})
}

// freshKey takes the next funding key of ours (PCF-117), or the one there is
// where the factory wants it (CHG-003).
func (m *Machine) freshKey(c *change) {
	switch {
	case m.cfg.Keys.Fixed && m.on(rule.CHG003):
		c.key = m.Fundings[0].Key
	case m.on(rule.PCF117):
		c.key = m.NextKey
		m.NextKey++
	default:
		c.key = m.NextKey
	}
	c.keys[m.Side] = pointOf(m.memo.PublicKey(m.cfg.Keys.Funding(c.key)))
	m.save()
}

func (m *Machine) ourChange(c *change) wire.Change {
	return wire.Change{ChannelID: m.ID, FundingContributionSat: c.contribution[m.Side], FundingPubkey: c.keys[m.Side]}
}

// contributionFault looks whether a side has what it takes out (PCF-113), and
// that no amount leaves the range there is.
func (m *Machine) contributionFault(side Side, sat int64) string {
	balance := int64(m.view(side, &m.Fundings[0], latest).Balance[side])
	if sat > maxSat || sat < -maxSat || sat < 0 && -sat > balance/1000 && m.on(rule.PCF113) {
		return fmt.Sprintf("funding_contribution_satoshis %d with a balance of %d msat", sat, balance)
	}
	return ""
}

// changeInit handles factory_change_init (PCF-112).
func (m *Machine) changeInit(msg *wire.ChangeInit) {
	reason := m.changeFault()
	switch {
	case m.quiet.aborting:
		return
	case reason == "" && !m.quiescent():
		reason = "the channel is not quiescent"
	case reason == "" && m.initiator() != m.peer():
		reason = "its sender did not begin quiescence"
	}
	if reason != "" && m.on(rule.PCF112) {
		m.warn(rule.PCF112, "factory_change_init: "+reason)
		return
	}
	if reason := m.contributionFault(m.peer(), msg.Change.FundingContributionSat); reason != "" {
		m.warn(rule.PCF113, reason)
		return
	}
	m.change = m.newChange(waitJudgeInit)
	m.judgeChange(msg.Change, msg.Payload, false)
}

// changeAck handles factory_change_ack (PCF-116).
func (m *Machine) changeAck(msg *wire.ChangeAck) {
	switch {
	case m.quiet.aborting:
		return
	case m.change == nil || m.change.step != waitAck:
		if !m.on(rule.PCF116) {
			return
		}
		m.warn(rule.PCF116, "factory_change_ack without factory_change_init")
		return
	}
	if reason := m.contributionFault(m.peer(), msg.Change.FundingContributionSat); reason != "" {
		m.warn(rule.PCF113, reason)
		return
	}
	m.change.step = waitJudgeAck
	m.judgeChange(msg.Change, msg.Payload, true)
}

// judgeChange asks the plugin about the peer's part (PCF-114).
func (m *Machine) judgeChange(theirs wire.Change, payload []byte, ack bool) {
	m.change.contribution[m.peer()] = theirs.FundingContributionSat
	m.change.keys[m.peer()] = theirs.FundingPubkey
	m.act(AskChange{m.change.id, theirs.FundingContributionSat, theirs.FundingPubkey, payload, ack})
}

// AnswerChange is the answer to the AskChange with this id. A reason refuses the change. Where
// factory_change_init was asked about, the contribution and payload are those
// of our factory_change_ack. Errors are ErrNotNow and *Refused.
func (m *Machine) AnswerChange(id ChangeID, contributionSat int64, payload []byte, reason string) error {
	c := m.change
	if c == nil || c.id != id || c.step != waitJudgeInit && c.step != waitJudgeAck {
		return ErrNotNow
	}
	if reason != "" && m.on(rule.PCF114) {
		return m.AbortChange(reason)
	}
	if c.step == waitJudgeInit {
		if fault := m.contributionFault(m.Side, contributionSat); fault != "" {
			return &Refused{fault}
		}
		c.contribution[m.Side] = contributionSat
		m.freshKey(c)
		m.send(&wire.ChangeAck{Change: m.ourChange(c), Payload: payload})
	}
	c.step = outpoints
	m.act(AskChangeOutpoint{c.id})
	m.bothFunded()
	return nil
}

// ChangeOutpoint answers the AskChangeOutpoint with this id: it names the new funding outpoint: factory_change_funding is
// sent (PCF-118). Errors are ErrNotNow and *Refused.
func (m *Machine) ChangeOutpoint(id ChangeID, txid wire.Txid, index uint16) error {
	c := m.change
	if c == nil || c.id != id || c.step != outpoints || c.ours != nil {
		return ErrNotNow
	}
	if m.known(txid, index) {
		return &Refused{"the outpoint funds the channel already"}
	}
	c.ours = &outpoint{txid, index}
	m.send(&wire.ChangeFunding{Outpoint: wire.ChangeOutpoint{ChannelID: m.ID, FundingTxid: txid, FundingOutputIndex: index}})
	m.bothFunded()
	return nil
}

// ChangeInto is ChangeOutpoint for the outpoint of another channel, which takes what
// this one holds: there is nothing to commit to (CHG-017).
func (m *Machine) ChangeInto(id ChangeID, txid wire.Txid, index uint16) error {
	if c := m.change; c != nil && c.id == id {
		c.into = true
	}
	return m.ChangeOutpoint(id, txid, index)
}

// ChangeTaking is ChangeOutpoint for a channel that others go into (CHG-019).
func (m *Machine) ChangeTaking(id ChangeID, txid wire.Txid, index uint16) error {
	if c := m.change; c != nil && c.id == id {
		c.takes = true
	}
	return m.ChangeOutpoint(id, txid, index)
}

func (m *Machine) known(txid wire.Txid, _ uint16) bool {
	if m.findFunding(txid) != nil { // by txid: that is all commitment_signed names
		return true
	}
	for _, r := range m.Replaced {
		if r.Funding.Txid == txid {
			return true
		}
	}
	return false
}

// changeFunding handles factory_change_funding. It is judged once our plugin
// has named the outpoint (PCF-119).
func (m *Machine) changeFunding(msg *wire.ChangeFunding) {
	c := m.change
	switch {
	case m.quiet.aborting:
		return
	case c == nil || c.step != outpoints && c.step != waitJudgeAck || c.theirs != nil:
		m.warn(rule.PCF118, "factory_change_funding before factory_change_ack, or twice")
		return
	}
	c.theirs = &outpoint{msg.Outpoint.FundingTxid, msg.Outpoint.FundingOutputIndex}
	m.bothFunded()
}

// bothFunded commits to the new output once both sides have named the same.
func (m *Machine) bothFunded() {
	c := m.change
	if c.step != outpoints || c.ours == nil || c.theirs == nil {
		return
	}
	if *c.ours != *c.theirs && m.on(rule.PCF119) {
		m.warn(rule.PCF119, "factory_change_funding names another outpoint than our plugin")
		return
	}
	f := Funding{Txid: c.ours.txid, Index: c.ours.index, Key: c.key, Keys: c.keys, Delta: c.contribution, Value: m.Fundings[0].Value}
	for _, sat := range c.contribution {
		f.Value += Sat(sat)
	}
	reason := m.newOutputFault(&f)
	switch {
	case c.into:
		reason = m.absorbFault(&f)
	case m.signedOtherwise(&f):
		reason = "another commitment of this number was signed on the outpoint"
		m.Fundings[0].Did |= roundOwed
		m.save()
	}
	if reason != "" {
		if err := m.AbortChange(reason); err != nil {
			m.broken("refusing a change", err)
		}
		return
	}
	m.change = nil
	if c.into {
		f.Did = absorbed | sentCommit | gotCommit
	}
	if c.takes {
		f.Did |= absorbing
	}
	m.Fundings = append(m.Fundings, f)
	m.save()
	if c.into {
		m.act(ChangeCommitted{f.Txid})
		return
	}
	if m.on(rule.PCF129) {
		m.signNewOutput(&m.Fundings[len(m.Fundings)-1])
	}
}

// newOutputFault looks whether both commitments are possible on an output.
func (m *Machine) newOutputFault(f *Funding) string {
	for owner := commitment.Opener; owner <= commitment.Accepter; owner++ {
		v := m.view(owner, f, latest)
		if _, ok := m.params.Afford(owner, &v); !ok || f.Value <= 0 || f.Value > maxSat {
			return "the opener could not pay the commitment fee after the change"
		}
	}
	return ""
}

// signedOtherwise reports whether another commitment of the peer, of the number that it
// has now, was signed on an output, for a change that was called off (CHG-027).
func (m *Machine) signedOtherwise(f *Funding) bool {
	now := m.theirStates(f)
	return m.on(rule.CHG027) && slices.ContainsFunc(m.CalledOff, func(o CalledOff) bool {
		return o.Txid == f.Txid && slices.ContainsFunc(o.Remote, func(was commitment.State) bool {
			return was.Number == now[0].Number && !bytes.Equal(was.Encode(), now[0].Encode())
		})
	})
}

// absorbFault looks whether a channel can end in another: nothing is in flight, and
// less than a sat is left on each side.
func (m *Machine) absorbFault(f *Funding) string {
	switch {
	case len(m.HTLCs) > 0 && m.on(rule.CHG020):
		return "the channel has HTLCs"
	case f.Value > 1 && m.on(rule.CHG017+"/peer") && m.on(rule.CHG017):
		return fmt.Sprintf("%d sat would be left", f.Value)
	}
	return ""
}

// signNewOutput signs the peer's current commitment on a new output: same
// number, same feerate, all HTLCs (PCF-120), no start_batch (PCF-136), and no
// revoke_and_ack will answer it (PCF-121).
func (m *Machine) signNewOutput(f *Funding) {
	if m.awaiting() {
		m.broken("signing on a new output", errors.New("a commitment is not revoked yet"))
		return
	}
	f.Did |= sentCommit
	m.save()
	msg, err := m.signOn(f, m.TheirPoint)
	if err != nil {
		m.broken("signing on a new output", err)
		return
	}
	if !m.on(rule.PCF136) {
		m.sendStartBatch(2)
	}
	m.send(msg)
}

// firstOnNewOutput takes the peer's first commitment_signed on a new output and
// reports whether msg was that.
func (m *Machine) firstOnNewOutput(msg *wire.CommitmentSigned) bool {
	if off := m.quiet.off; m.quiet.aborting && off != (wire.Txid{}) && msg.FundingTxid != nil && *msg.FundingTxid == off {
		return true // it was on its way when we called the change off
	}
	f := m.changing()
	if f == nil || msg.FundingTxid == nil || *msg.FundingTxid != f.Txid {
		return false
	}
	ours, err := m.build(m.Side, f, latest, m.LocalNumber, m.ourPoint(m.LocalNumber))
	if err != nil {
		m.broken("building a commitment on a new output", err)
		return true
	}
	if err := m.verifyNew(ours, msg); err != nil {
		m.warn("", "commitment_signed on a new output: "+err.Error())
		return true
	}
	f.Sig, f.HTLCSigs = msg.Signature, msg.HTLCSignatures
	f.Did |= gotCommit
	m.save()
	m.act(ChangeCommitted{f.Txid})
	m.act(AskContinue{f.Txid})
	if !m.on(rule.PCF121) && m.LocalNumber > 0 {
		m.sendRevocation()
	}
	if !m.on(rule.PCF122) {
		_ = m.ChangeStored()
	}
	return true
}

// verifyNew checks the peer's signatures on our first commitment on a new output, on
// its HTLCs too (CHG-002).
func (m *Machine) verifyNew(ours *commitment.Commitment, msg *wire.CommitmentSigned) error {
	err := ours.Verify(msg.Signature, msg.HTLCSignatures)
	var bad *commitment.SignatureError
	if errors.As(err, &bad) && bad.HTLC >= 0 && !m.on(rule.CHG002+"/htlcs") {
		return nil
	}
	return err
}
