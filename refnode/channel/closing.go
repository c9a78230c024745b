package channel

import (
	"bytes"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/commitment"
	"superscalar/wire"
)

// closing is the negotiation of the fee of a mutual close (closing_signed). It
// starts over with every connection.
type closing struct {
	last *closingSigned // our last offer
}

// Weight units of a closing transaction with two outputs of the largest
// standard scripts: what its fee is counted for.
const closingWeight = 720

// maxClosingRate bounds what an opener pays for a mutual close when nobody says
// otherwise, in sat per 1,000 weight units: the accepter names the fee and does not pay it.
const maxClosingRate Feerate = 25_000

// closingTx is the closing transaction, but for its fee.
func (m *Machine) closingTx() (*commitment.Closing, error) {
	out, err := m.Fundings[0].output(m.memo)
	if err != nil {
		return nil, err
	}
	return &commitment.Closing{
		Funding: *out, Balance: m.view(m.Side, &m.Fundings[0], latest).Balance,
		Scripts: m.Scripts, DustLimit: m.params.DustLimit,
	}, nil
}

// feeRange is what we agree to: the opener pays, so it has an upper end.
func (m *Machine) feeRange() (low, ideal, high Sat) {
	low = feeOf(MinFeeratePerKw)
	if m.Side == commitment.Accepter {
		return low, low, maxSat
	}
	ideal = m.cfg.Limits.ClosingFee
	if ideal == 0 {
		ideal = feeOf(max(m.Feerate, MinFeeratePerKw))
	}
	limit := m.cfg.Limits.MaxClosingFee
	if limit == 0 {
		limit = max(ideal, feeOf(maxClosingRate))
	}
	high = min(m.view(m.Side, &m.Fundings[0], latest).Balance[m.Side].Sat(), limit)
	low = min(low, high)
	return low, min(max(ideal, low), high), high
}

func feeOf(rate Feerate) Sat { return Sat(uint64(rate) * closingWeight / 1000) }

// sayClosing makes the opener's first offer.
func (m *Machine) sayClosing() {
	if m.Side != commitment.Opener || m.closing.last != nil || !m.closes() {
		return
	}
	_, fee, _ := m.feeRange()
	m.offer(fee)
}

// offer sends closing_signed with a fee. It reports whether it could.
func (m *Machine) offer(fee Sat) bool {
	c, err := m.closingTx()
	if err != nil {
		m.broken("making a closing transaction", err)
		return false
	}
	sig, err := c.Sign(fee, m.fundingKey())
	if err != nil {
		m.fail("", "closing_signed: "+err.Error())
		return false
	}
	low, _, high := m.feeRange()
	m.closing.last = &closingSigned{fee: fee, sig: sig, hasRange: true, low: low, high: high}
	m.send(m.closing.last.message(m.ID))
	return true
}

// closingSigned handles closing_signed: agree, or offer another fee, with
// fee_range or in the old way between the last two offers.
func (m *Machine) closingSigned(msg *wire.Base) {
	theirs, err := readClosing(msg)
	switch {
	case err != nil:
		m.warn("", err.Error())
		return
	case !m.closes():
		m.warn("", "closing_signed before shutdown is complete")
		return
	}
	c, err := m.closingTx()
	if err != nil {
		m.broken("making a closing transaction", err)
		return
	}
	tx, err := c.Verify(theirs.fee, m.peer(), theirs.sig)
	if err != nil {
		m.warn("", "closing_signed: "+err.Error())
		return
	}
	if !m.settleFee(theirs) {
		return
	}
	complete, err := c.Complete(tx, m.fundingKey(), theirs.sig)
	if err != nil {
		m.broken("completing a closing transaction", err)
		return
	}
	var raw bytes.Buffer
	if err := complete.Serialize(&raw); err != nil {
		m.broken("storing a closing transaction", err)
		return
	}
	m.ClosingTx = raw.Bytes()
	m.save()
	m.act(Closed{"closed together"})
	m.act(Persist{})
	m.dirty = false
	m.act(Broadcast{Tx: complete, What: "mutual close"})
}

// settleFee reports whether the peer's fee ends the negotiation; if not, it
// has answered.
func (m *Machine) settleFee(theirs closingSigned) bool {
	low, _, high := m.feeRange()
	last := m.closing.last
	fits := theirs.fee >= low && theirs.fee <= high
	switch {
	case last != nil && theirs.fee == last.fee:
		return true
	case last != nil && m.Side == commitment.Accepter && theirs.hasRange:
		m.fail("", "closing_signed: the fee is not the one we chose")
		return false
	case fits && (!theirs.hasRange || theirs.fee >= theirs.low && theirs.fee <= theirs.high):
		return m.offer(theirs.fee)
	case theirs.hasRange:
		m.answerRange(theirs, low, high)
		return false
	default:
		m.between(theirs.fee, low, high)
		return false
	}
}

// answerRange picks a fee in both ranges, as only the accepter may: an opener
// whose range was left fails the channel (BOLT 2).
func (m *Machine) answerRange(theirs closingSigned, low, high Sat) {
	low, high = max(low, theirs.low), min(high, theirs.high)
	switch {
	case low > high:
		m.warn("", "closing_signed: no fee that both sides allow")
	case m.Side == commitment.Opener:
		m.fail("", "closing_signed: the fee is outside both ranges")
	default:
		m.offer(low)
	}
}

// between answers a fee that does not fit with one strictly between it and our
// last, as long as there is one in our range.
func (m *Machine) between(fee, low, high Sat) {
	if m.closing.last == nil {
		m.offer(min(max(fee, low), high))
		return
	}
	middle := (fee + m.closing.last.fee) / 2
	if middle == fee || middle == m.closing.last.fee || middle < low || middle > high {
		m.warn("", "closing_signed: no fee that both sides allow")
		return
	}
	m.offer(middle)
}

// fundingKey is the private key of our part of the current funding output.
func (m *Machine) fundingKey() *btcec.PrivateKey { return m.cfg.Keys.Funding(m.Fundings[0].Key) }
