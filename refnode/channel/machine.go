package channel

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/commitment"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Keys are the secrets of one channel. They come from hardened derivation:
// nothing of them is in State.
type Keys struct {
	Secrets *commitment.Secrets
	Seed    commitment.Seed // of the per-commitment secrets
	// Funding returns funding key number i: 0 is the one of open_channel or
	// accept_channel, each factory change takes the next, unless Fixed.
	Funding func(i uint32) *btcec.PrivateKey
	// Fixed keeps the funding key over factory changes: the factory computes the
	// script of every output of the channel before it is negotiated (CHG-003).
	Fixed bool
	// Memo is what has been computed of these keys; nil: each Machine begins with
	// an empty one.
	Memo *commitment.Memo
}

// remembered is how many results of each kind a Machine keeps: those of the
// latest commitments of both sides.
const remembered = 16

// Limits are what this node chooses. Zero values have a meaning of their own.
type Limits struct {
	MaxDustExposure MilliSat // max_dust_htlc_exposure_msat; 0 is 50,000,000
	MaxExposure     MilliSat // HTLCs towards us at a time, for a node without a reserve on chain; 0 is no limit
	ClosingFee      Sat      // the fee of a mutual close that we propose; 0 takes the least there is
	MaxClosingFee   Sat      // the most we pay for it; 0 is 100 sat per virtual byte, or ClosingFee when that is more
}

// Config is what a Machine needs to know of its node and its peer.
type Config struct {
	Keys     Keys
	Limits   Limits
	Features wire.Features // negotiated, by even bit
	Script   []byte        // of our output when a channel is closed together and no other is said
	Alias    uint64        // our short_channel_id alias, 0: none
	Rules    rule.Set      // all, except in mutants
}

// Machine is one channel, as a pure state machine: inputs change it, Take
// returns what to do. It is not safe for concurrent use.
type Machine struct {
	State
	cfg    Config
	params commitment.Params
	memo   *commitment.Memo
	height Height
	since  Height // the first height that was said
	out    []Action
	dirty  bool // State changed since the last Persist
	locked bool // a change has, and the plugin, which may ask for a round, has not been told: until Commit
	up     bool // what Up and Down said last
	use    Use
	// elsewhere is what other channels hold of MaxExposure.
	elsewhere MilliSat

	// What a connection ends:
	established bool // channel_reestablish exchanged, or the channel is new
	asked       bool // we sent channel_reestablish
	// lockedBefore is what the peer's channel_reestablish said to be locked when it
	// was not continued here yet (PCF-156).
	lockedBefore wire.Txid
	created      *fundingCreated
	quiet        quiescence
	change       *change
	changes      ChangeID // the last one
	batch        *batch
	closing      closing
	timer        TimerID // the last one that was set
}

// ErrConfig is the error of keys, messages or a stored state that do not fit
// together.
var ErrConfig = errors.New("channel cannot be set up")

// NewOpener returns the machine of the side that sent open, after accept has
// been checked. It waits for Outpoint.
func NewOpener(cfg Config, open *wire.OpenChannel, accept *wire.AcceptChannel) (*Machine, error) {
	return newMachine(cfg, commitment.Opener, open, accept)
}

// NewAccepter returns the machine of the side that sent accept. It waits for
// funding_created.
func NewAccepter(cfg Config, open *wire.OpenChannel, accept *wire.AcceptChannel) (*Machine, error) {
	return newMachine(cfg, commitment.Accepter, open, accept)
}

func newMachine(cfg Config, side Side, open *wire.OpenChannel, accept *wire.AcceptChannel) (*Machine, error) {
	push := MilliSat(open.PushMsat)
	if open.FundingSat > maxSat || open.PushMsat > 1000*open.FundingSat {
		return nil, fmt.Errorf("%w: open_channel has impossible amounts", ErrConfig)
	}
	m := &Machine{cfg: cfg, established: true, State: State{
		Side: side, Open: open, Accept: accept, NextKey: 1,
		Balance: [2]MilliSat{commitment.Opener: MilliSat(1000*open.FundingSat) - push, commitment.Accepter: push},
		Feerate: Feerate(open.FeeratePerKw),
	}}
	m.TheirPoint = m.theirKeys().FirstPerCommitment
	if err := m.prepare(); err != nil {
		return nil, err
	}
	return m, nil
}

// Restore returns the machine of a stored channel; call Restart before any
// input. The error wraps ErrConfig or ErrCorrupt.
func Restore(cfg Config, state []byte) (*Machine, error) {
	m := &Machine{cfg: cfg, memo: memoOf(cfg)}
	s, err := decodeState(state, wire.Codec{Point: m.memo.CheckPoint})
	if err != nil {
		return nil, err
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	m.State = *s
	if err := m.prepare(); err != nil {
		return nil, err
	}
	return m, nil
}

// memoOf is the memory of a channel, one of its own when it was given none.
func memoOf(cfg Config) *commitment.Memo {
	if cfg.Keys.Memo != nil {
		return cfg.Keys.Memo
	}
	return commitment.NewMemo(remembered)
}

// prepare derives what State implies and checks that the keys are ours.
func (m *Machine) prepare() error {
	kind, err := commitment.TypeOf(m.Open.ChannelType)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if m.memo == nil {
		m.memo = memoOf(m.cfg)
	}
	p := commitment.Params{
		Type: kind, Memo: m.memo,
		DustLimit: [2]Sat{Sat(m.Open.DustLimitSat), Sat(m.Accept.DustLimitSat)},
		Delay:     [2]uint16{m.Accept.ToSelfDelay, m.Open.ToSelfDelay},
		Rules:     m.cfg.Rules,
	}
	for side, keys := range [2]wire.ChannelKeys{m.Open.Keys, m.Accept.Keys} {
		if p.Basepoints[side], err = m.memo.NewBasepoints(keys); err != nil {
			return fmt.Errorf("%w: keys of the %s: %w", ErrConfig, Side(side), err)
		}
	}
	m.params = p
	return m.checkKeys()
}

func (m *Machine) checkKeys() error {
	ours := m.ourKeys()
	b := m.memo.Basepoints(m.cfg.Keys.Secrets)
	want := wire.ChannelKeys{
		Funding: pointOf(m.memo.PublicKey(m.cfg.Keys.Funding(0))), Revocation: pointOf(b.Revocation), Payment: pointOf(b.Payment),
		DelayedPayment: pointOf(b.Delayed), HTLC: pointOf(b.HTLC), FirstPerCommitment: m.ourPoint(0),
	}
	if ours != want {
		return fmt.Errorf("%w: the channel was opened with other keys", ErrConfig)
	}
	return nil
}

func pointOf(k *btcec.PublicKey) wire.Point { return wire.Point(k.SerializeCompressed()) }

// ourPoint is our per-commitment point of a number. A seed without one (there
// is none but by a chance of 2^-128) gives zeros, which no commitment is built
// with.
func (m *Machine) ourPoint(n Number) wire.Point {
	point, err := m.memo.Point(m.cfg.Keys.Seed, n)
	if err != nil {
		return wire.Point{}
	}
	return pointOf(point)
}

func (m *Machine) ourKeys() wire.ChannelKeys   { return m.keysOf(m.Side) }
func (m *Machine) theirKeys() wire.ChannelKeys { return m.keysOf(m.peer()) }

func (m *Machine) keysOf(side Side) wire.ChannelKeys {
	if side == commitment.Opener {
		return m.Open.Keys
	}
	return m.Accept.Keys
}

func (m *Machine) on(id rule.ID) bool { return m.cfg.Rules.On(id) }

// TemporaryID is the id of the channel until its funding outpoint is known.
func (m *Machine) TemporaryID() wire.ChannelID { return m.Open.TemporaryChannelID }

// ChannelID is the id of the channel: the temporary one until the funding
// outpoint is known. It does not change with the outpoint (PCF-126).
func (m *Machine) ChannelID() wire.ChannelID {
	if m.ID == (wire.ChannelID{}) {
		return m.TemporaryID()
	}
	return m.ID
}

// SetFeatures sets what a new connection negotiated, before Connected.
func (m *Machine) SetFeatures(negotiated wire.Features) { m.cfg.Features = negotiated }

// Take returns what there is to do since the last call.
func (m *Machine) Take() []Action {
	if up := m.canAdd(); up != m.up {
		m.up = up
		if up {
			m.act(Up{m.ID})
		} else {
			m.act(Down{m.ID})
		}
	}
	if m.dirty {
		m.dirty = false
		m.out = append(m.out, Persist{})
	}
	out := m.out
	m.out = nil
	return out
}

func (m *Machine) act(a Action) { m.out = append(m.out, a) }

// save marks State as changed: it is stored before anything else leaves.
func (m *Machine) save() { m.dirty = true }

func (m *Machine) send(msg wire.Message) {
	if m.dirty {
		m.dirty = false
		m.act(Persist{})
	}
	m.act(Send{msg})
}

// operational reports whether updates and commitments may travel.
func (m *Machine) operational() bool {
	return m.established && m.SentReady && m.GotReady && !m.over()
}

// over reports whether the channel has come to its end, one way or another.
func (m *Machine) over() bool { return m.Failure != "" || m.Forgotten }

// canAdd reports whether HTLCs may be offered now.
func (m *Machine) canAdd() bool {
	return m.operational() && !m.shuttingDown() && !m.quieting() && m.inUse() && !m.frozen()
}

// Receive handles a message that names the channel.
func (m *Machine) Receive(msg wire.Message) {
	if msg, ok := msg.(*wire.ErrorMessage); ok {
		m.peerFailed(msg)
		return
	}
	if _, warning := msg.(*wire.Warning); warning || m.over() && m.on(rule.PCF169) {
		return
	}
	if reestablish, ok := msg.(*wire.ChannelReestablish); ok {
		m.reestablish(reestablish)
	} else if m.established {
		m.dispatch(msg)
	} else if m.on(rule.PCF168) {
		m.warn(rule.PCF168, msg.Name()+" before channel_reestablish")
	}
	m.advance()
}

func (m *Machine) dispatch(msg wire.Message) {
	if m.batched(msg) {
		return
	}
	if _, factory := msg.(wire.FactoryMessage); factory && !m.inFactory() {
		m.fail(rule.PCF106, msg.Name()+" for a channel that is not in a factory")
		return
	}
	switch msg := msg.(type) {
	case *wire.StartBatch:
		m.startBatch(msg)
	case *wire.CommitmentSigned:
		m.commitmentSigned(msg)
	case *wire.Stfu:
		m.stfu(msg)
	case *wire.ChangeInit:
		m.changeInit(msg)
	case *wire.ChangeAck:
		m.changeAck(msg)
	case *wire.ChangeFunding:
		m.changeFunding(msg)
	case *wire.ChangeContinue:
		m.changeContinue(msg)
	case *wire.ChangeLocked:
		m.changeLocked(msg.LockedFundingTxid)
	case *wire.ChangeAbort:
		m.changeAbort(msg)
	case *wire.Base:
		m.base(msg)
	}
}

func (m *Machine) base(msg *wire.Base) {
	switch msg.Kind {
	case typeFundingCreated:
		m.fundingCreated(msg)
	case typeFundingSigned:
		m.fundingSigned(msg)
	case typeChannelReady:
		m.channelReady(msg)
	case typeShutdown:
		m.shutdown(msg)
	case typeClosingSigned:
		m.closingSigned(msg)
	case typeRevokeAndAck:
		m.revokeAndAck(msg)
	case typeAddHTLC, typeFulfilHTLC, typeFailHTLC, typeFailMalformed, typeUpdateFee:
		m.update(msg)
	}
}

// update handles an update_ message, which needs a channel in operation.
func (m *Machine) update(msg *wire.Base) {
	switch {
	case !m.operational():
		m.early(msg)
	case m.quiet.theirs && m.on(rule.PCF167):
		m.warn(rule.PCF167, msg.Name()+" after stfu")
	case m.frozen():
		m.warn(rule.CHG018, msg.Name()+" on a channel that goes into another")
	case msg.Kind == typeAddHTLC:
		m.addReceived(msg)
	case msg.Kind == typeUpdateFee:
		m.feeReceived(msg)
	default:
		m.removalReceived(msg)
	}
}

// early answers what needs a channel in operation, and comes before that.
func (m *Machine) early(msg wire.Message) {
	if m.on(rule.PCF166) {
		m.warn(rule.PCF166, msg.Name()+" before channel_ready was exchanged")
	}
}

// advance does what has become possible: each step looks whether it may.
func (m *Machine) advance() {
	if !m.established || m.over() {
		return
	}
	m.sayReady()
	m.sayLocked()
	m.deliver()
	m.sayStfu()
	m.sayShutdown()
	m.sayClosing()
}
