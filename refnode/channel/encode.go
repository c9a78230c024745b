package channel

import (
	"fmt"
	"slices"

	"superscalar/refnode/commitment"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// stateVersion is the version of the encoding of a State. A reader refuses any
// other: a channel that is half understood is worse than one that is not.
const stateVersion = 1

// part is a record of an encoded State.
type part struct {
	typ  uint64
	name string
	code func(*coder, *State)
}

// parts are the records of an encoded State: a TLV stream with these types, all
// of them there. A later version may add odd ones, which this one passes over.
var parts = []part{
	{0, "version", func(c *coder, _ *State) {
		v := uint8(stateVersion)
		small(c, &v, stateVersion)
		if v != stateVersion {
			c.fail(fmt.Sprintf("version %d", v))
		}
	}},
	{2, "setup", func(c *coder, s *State) {
		small(c, &s.Side, commitment.Accepter)
		message(c, &s.Open)
		message(c, &s.Accept)
		c.fixed(s.ID[:])
	}},
	{4, "numbers", func(c *coder, s *State) {
		number(c, &s.LocalNumber)
		number(c, &s.SignedNumber)
		c.fixed(s.TheirPoint[:])
		c.fixed(s.TheirNext[:])
		c.flag(&s.CommitLast)
	}},
	{6, "revocations", codeRevocations},
	{8, "amounts", func(c *coder, s *State) {
		number(c, &s.Balance[0])
		number(c, &s.Balance[1])
		number(c, &s.Feerate)
		list(c, &s.Feerates, codeFee)
	}},
	{10, "htlcs", func(c *coder, s *State) {
		list(c, &s.HTLCs, codeHTLC)
		number(c, &s.NextID[0])
		number(c, &s.NextID[1])
		number(c, &s.Sequence)
	}},
	{12, "fundings", func(c *coder, s *State) {
		list(c, &s.Fundings, codeFunding)
		number(c, &s.NextKey)
		c.fixed(s.LastLocked[:])
	}},
	{14, "replaced", func(c *coder, s *State) { list(c, &s.Replaced, codeReplaced) }},
	{16, "ready", func(c *coder, s *State) {
		c.flag(&s.GotSigned)
		c.flag(&s.Usable)
		c.flag(&s.SentReady)
		c.flag(&s.GotReady)
		number(c, &s.PeerAlias)
	}},
	{18, "shutdown", func(c *coder, s *State) {
		c.bytes(&s.WantShutdown)
		c.bytes(&s.Scripts[0])
		c.bytes(&s.Scripts[1])
		c.bytes(&s.ClosingTx)
	}},
	{20, "end", func(c *coder, s *State) {
		c.text(&s.Failure)
		c.flag(&s.Stale)
		c.fixed(s.Confirmed[:])
		c.flag(&s.Forgotten)
	}},
}

// calledOff is one more record, of a State that has something to put into it.
var calledOff = part{22, "called off", func(c *coder, s *State) {
	list(c, &s.CalledOff, codeCalledOff)
	if len(s.CalledOff) == 0 {
		c.fail("nothing was called off")
	}
}}

// paid is one more record, of a State with HTLCs of ours whose preimage came and which are
// there all the same: their ids.
var paid = part{24, "paid", func(c *coder, s *State) {
	ids := s.paid()
	list(c, &ids, func(c *coder, id *HTLCID) { number(c, id) })
	if !c.reading || c.err != nil {
		return
	}
	for _, id := range ids {
		if h := s.find(s.Side, id); h != nil {
			h.Paid = true
		}
	}
	if len(ids) == 0 || !slices.Equal(ids, s.paid()) {
		c.fail("a preimage for no HTLC")
	}
}}

// paid are the HTLCs of ours whose preimage came.
func (s *State) paid() (ids []HTLCID) {
	for _, h := range s.HTLCs {
		if h.By == s.Side && h.Paid {
			ids = append(ids, h.ID)
		}
	}
	return ids
}

// extras are the records that a State has or has not.
func (s *State) extras() (all []part) {
	if len(s.CalledOff) > 0 {
		all = append(all, calledOff)
	}
	if len(s.paid()) > 0 {
		all = append(all, paid)
	}
	return all
}

func codeRevocations(c *coder, s *State) {
	raw := []byte(nil)
	if !c.reading {
		raw = s.Revoked.Encode()
	}
	c.bytes(&raw)
	if !c.reading || c.err != nil {
		return
	}
	var err error
	if s.Revoked, err = commitment.DecodeRevocations(raw); err != nil {
		c.fail(err.Error())
	}
}

func codeFee(c *coder, u *feeUpdate) {
	number(c, &u.Rate)
	small(c, &u.Stage, irrevocable)
	number(c, &u.Order)
}

func codeHTLC(c *coder, p **HTLC) {
	if c.reading {
		*p = &HTLC{}
	}
	h := *p
	small(c, &h.By, commitment.Accepter)
	number(c, &h.ID)
	number(c, &h.Amount)
	c.fixed(h.Hash[:])
	number(c, &h.Expiry)
	codeOnion(c, h)
	optional(c, &h.PathKey, func(c *coder, k *wire.Point) { c.fixed(k[:]) })
	c.stream(&h.Extra)
	c.fixed(h.Origin[:])
	small(c, &h.Refuse, RefuseShutdown)
	c.flag(new(bool)) // records of before say whether the plugin was warned: it is, with every block
	c.flag(&h.Ended)
	small(c, &h.Stage, irrevocable)
	number(c, &h.Order)
	optional(c, &h.Removal, codeRemoval)
}

func codeOnion(c *coder, h *HTLC) {
	onion := h.Onion
	if c.apart {
		onion = nil
	}
	c.bytes(&onion)
	if c.reading {
		h.Onion = onion
	}
}

func codeRemoval(c *coder, x *removal) {
	small(c, &x.Kind, malformed)
	c.fixed(x.Preimage[:])
	c.bytes(&x.Reason)
	number(c, &x.Code)
	small(c, &x.Stage, irrevocable)
	number(c, &x.Order)
}

// optional is a flag and, when it is set, the element.
func optional[T any](c *coder, p **T, code func(*coder, *T)) {
	there := *p != nil
	c.flag(&there)
	if c.reading {
		*p = nil
		if there && c.err == nil {
			*p = new(T)
		}
	}
	if *p != nil {
		code(c, *p)
	}
}

func codeFunding(c *coder, f *Funding) {
	c.fixed(f.Txid[:])
	number(c, &f.Index)
	number(c, &f.Value)
	number(c, &f.Key)
	c.fixed(f.Keys[0][:])
	c.fixed(f.Keys[1][:])
	number(c, &f.Delta[0])
	number(c, &f.Delta[1])
	c.fixed(f.Sig[:])
	list(c, &f.HTLCSigs, func(c *coder, s *wire.Signature) { c.fixed(s[:]) })
	number(c, &f.Did)
}

func codeReplaced(c *coder, r *Replaced) {
	codeFunding(c, &r.Funding)
	codeCommitment(c, &r.Local)
	list(c, &r.Remote, codeCommitment)
	list(c, &r.RemotePoint, func(c *coder, p *wire.Point) { c.fixed(p[:]) })
	c.flag(&r.Told)
	if c.reading && c.err == nil && (len(r.Remote) == 0 || len(r.Remote) > 2 || len(r.RemotePoint) != len(r.Remote)) {
		c.fail("a replaced output without its commitments")
	}
}

func codeCalledOff(c *coder, o *CalledOff) {
	c.fixed(o.Txid[:])
	list(c, &o.Remote, codeCommitment)
	if c.reading && c.err == nil && (len(o.Remote) == 0 || len(o.Remote) > 2) {
		c.fail("an output that was called off without its commitments")
	}
}

func codeCommitment(c *coder, v *commitment.State) {
	raw := []byte(nil)
	if !c.reading {
		raw = v.Encode()
	}
	c.bytes(&raw)
	if !c.reading || c.err != nil {
		return
	}
	var err error
	if *v, err = commitment.DecodeState(raw); err != nil {
		c.fail(err.Error())
	}
}

// Encode returns the state as it is stored. It writes the version first; all
// integers are big-endian.
func (s *State) Encode() []byte { return s.encode(false) }

func (s *State) encode(apart bool) []byte {
	var records wire.Stream
	for _, part := range append(slices.Clip(parts), s.extras()...) {
		c := &coder{apart: apart}
		part.code(c, s)
		records = append(records, wire.Record{Type: part.typ, Value: c.b})
	}
	b, err := wire.Codec{}.AppendStream(nil, records)
	if err != nil {
		return nil // no type is there twice
	}
	return b
}

// DecodeState reads what Encode wrote. The error wraps ErrCorrupt.
func DecodeState(b []byte) (*State, error) { return decodeState(b, wire.Codec{}) }

// decodeState is DecodeState; codec reads the messages in it.
func decodeState(b []byte, codec wire.Codec) (*State, error) {
	s, found := &State{}, 0
	var failure error
	var known []wire.RecordType
	for _, part := range append(slices.Clip(parts), calledOff, paid) {
		known = append(known, wire.RecordType{Type: part.typ, Name: part.name, Read: func(r *wire.Reader) {
			c := &coder{b: r.Rest(), reading: true, codec: codec}
			part.code(c, s)
			if c.err == nil && len(c.b) > 0 {
				c.fail("bytes left over")
			}
			if c.err != nil && failure == nil {
				failure = fmt.Errorf("%s: %w", part.name, c.err)
			}
			if part.typ <= parts[len(parts)-1].typ {
				found++
			}
		}})
	}
	_, err := wire.Codec{}.ReadStream("stored channel", b, known...)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	case failure != nil:
		return nil, failure
	case found != len(parts):
		return nil, fmt.Errorf("%w: %d of %d records", ErrCorrupt, found, len(parts))
	}
	return s, nil
}

// check refuses a state that decodes and that no channel can be in.
func (s *State) check() error {
	next := s.Revoked.Next()
	switch {
	case len(s.Fundings) == 0 || s.ID == wire.ChannelID{}:
		return fmt.Errorf("%w: no funding output", ErrCorrupt)
	case !s.Fundings[0].active():
		return fmt.Errorf("%w: the current output is not continued", ErrCorrupt)
	case !s.Forgotten && s.SignedNumber != next && s.SignedNumber != next+1:
		return fmt.Errorf("%w: signed %d, revoked up to %d", ErrCorrupt, s.SignedNumber, next)
	}
	return nil
}

// Encode returns the record as it is stored.
func (r *Revoked) Encode() []byte {
	c := &coder{}
	r.code(c)
	return c.b
}

// DecodeRevoked reads what Encode wrote. The error wraps ErrCorrupt.
func DecodeRevoked(b []byte) (*Revoked, error) {
	r, c := &Revoked{}, &coder{b: b, reading: true}
	r.code(c)
	if c.err == nil && len(c.b) > 0 {
		c.fail("bytes left over")
	}
	return r, c.err
}

func (r *Revoked) code(c *coder) {
	number(c, &r.Number)
	c.fixed(r.Secret[:])
	list(c, &r.On, func(c *coder, on *RevokedOn) {
		c.fixed(on.Txid[:])
		codeCommitment(c, &on.State)
	})
}

// Encode returns what is to be stored of the channel: its State (PCF-071).
func (m *Machine) Encode() []byte { return m.stored().Encode() }

// EncodeApart is Encode without onions, which are most of it and do not change:
// a caller that keeps each Onion on its own writes it once. See Onions.
func (m *Machine) EncodeApart() []byte { return m.stored().encode(true) }

// stored is the State that is stored. A mutant forgets what of it is a factory's.
func (m *Machine) stored() *State {
	if m.on(rule.PCF071) {
		return &m.State
	}
	s, open := m.State, *m.Open
	open.ChannelInFactory = nil
	s.Open = &open
	return &s
}

// Onion is the onion of one HTLC.
type Onion struct {
	By    Side
	ID    HTLCID
	Bytes []byte // 1,366 bytes; do not change them
}

// Onions returns the onions that the channel needs still, in the order of its
// HTLCs.
func (m *Machine) Onions() []Onion {
	var all []Onion
	for _, h := range m.HTLCs {
		if len(h.Onion) > 0 {
			all = append(all, Onion{h.By, h.ID, h.Onion})
		}
	}
	return all
}

// SetOnions gives back what Onions returned, to a machine restored from
// EncodeApart. The error wraps ErrCorrupt: for an HTLC that there is not, or that
// has an onion.
func (m *Machine) SetOnions(all []Onion) error {
	for _, o := range all {
		h := m.find(o.By, o.ID)
		if h == nil || len(h.Onion) > 0 || len(o.Bytes) != onionSize {
			return fmt.Errorf("%w: an onion of %d bytes for HTLC %d of the %s", ErrCorrupt, len(o.Bytes), o.ID, o.By)
		}
		h.Onion = o.Bytes
	}
	return nil
}
