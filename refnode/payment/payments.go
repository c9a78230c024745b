package payment

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"

	"superscalar/wire"
)

// PaymentState is what became of a payment.
type PaymentState uint8

// The states of a payment.
const (
	InFlight PaymentState = 1 + iota
	Succeeded
	Failed
)

// String names the state.
func (s PaymentState) String() string {
	switch s {
	case InFlight:
		return "in flight"
	case Succeeded:
		return "succeeded"
	case Failed:
		return "failed"
	}
	return "unknown"
}

// Reason says why a payment failed.
type Reason struct {
	// Code is the failure that ended it, 0 when it ended here.
	Code Code
	// From is the node that failed it, zero when that is not known.
	From wire.Point
	Text string
}

// String writes the reason in one line.
func (r Reason) String() string {
	if r.Code == 0 {
		return r.Text
	}
	return fmt.Sprintf("%v from %v", r.Code, r.From)
}

// payment is the record of a payment that this node makes.
type payment struct {
	Hash   Hash
	State  PaymentState
	Text   string // the payment request
	Amount Msat   // what the payee gets
	MaxFee Msat
	Routes []byte // the caller's hints, encoded
	// Over is true when no more parts are sent: it fails with the last of those
	// in flight.
	Over     bool
	Reason   Reason
	Preimage Preimage
	Fee      Msat // paid, msat
	// Attempts counts parts, those of earlier tries too: it numbers them.
	// Earlier is how many of them an earlier try sent.
	Attempts, Earlier uint64
	Created           UnixTime
	Ended             UnixTime // when nothing was in flight any more; 0: not yet, or not written down

	request *Bolt11 // of Text; nil until needed
	hints   [][]Hop // of Routes
	parts   []*part // by number
}

// partState is what became of a part.
type partState uint8

const (
	partInFlight partState = 1 + iota
	partPaid
	partFailed
)

// part is the record of one HTLC of a payment. It is dropped when the payment has
// ended and the HTLC, too.
type part struct {
	Number  uint64
	State   partState
	HTLC    HTLCKey
	Session [32]byte // session key of the onion
	Amount  Msat     // for the payee
	Sent    Msat     // offered
	Path    []byte   // encoded
	// Where and how it failed: 1 + index of the node that said so, 0 unknown.
	From uint64
	Code Code
	// Blameless is true when nothing is known against its path.
	Blameless bool
}

// Payment is what can be seen of a payment.
type Payment struct {
	Hash     Hash
	State    PaymentState
	Payee    wire.Point
	Amount   Msat // msat for the payee
	Fee      Msat // msat paid in fees, those of parts that were taken and not settled yet included
	InFlight Msat // msat offered and not resolved
	Attempts uint64
	Preimage Preimage // once it succeeded
	Reason   Reason   // once it failed
	Created  UnixTime
}

func (p *payment) fields() []field {
	over := uint8(btoi(p.Over))
	f := []field{
		number(0, &p.State), text(2, &p.Text), number(4, &p.Amount), number(6, &p.MaxFee), blob(8, &p.Routes),
		number(10, &over), number(12, &p.Reason.Code), point(14, &p.Reason.From), text(16, &p.Reason.Text),
		array(18, &p.Preimage), number(20, &p.Fee), number(22, &p.Attempts), number(24, &p.Created), number(26, &p.Earlier),
		number(28, &p.Ended),
	}
	f[5].read = func(r *wire.Reader) { p.Over = r.U64("over") == 1 }
	return f
}

func (t *part) fields() []field {
	blameless := uint8(btoi(t.Blameless))
	f := []field{
		number(0, &t.State), htlc(2, &t.HTLC), array(4, &t.Session), number(6, &t.Amount), number(8, &t.Sent),
		blob(10, &t.Path), number(12, &t.From), number(14, &t.Code), number(16, &blameless),
	}
	f[8].read = func(r *wire.Reader) { t.Blameless = r.U64("blameless") == 1 }
	return f
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// point is a field of 33 bytes, absent when all are 0.
func point(typ uint64, v *wire.Point) field {
	f := field{typ: typ, read: func(r *wire.Reader) { copy(v[:], r.Bytes("point", len(v))) }}
	if *v != (wire.Point{}) {
		f.value = slices.Clone(v[:])
	}
	return f
}

// hopSize is the length in bytes of an encoded hop.
const hopSize = 33 + 8 + 4 + 4 + 2

// encodePath writes hops one after the other.
func encodePath(p path) []byte {
	var b []byte
	for _, h := range p {
		b = append(b, h.Node[:]...)
		b = append(b, u64(uint64(h.SCID))...)
		b = append(b, u32(h.FeeBaseMsat)...)
		b = append(b, u32(h.FeePPM)...)
		b = append(b, byte(h.CLTVDelta>>8), byte(h.CLTVDelta))
	}
	return b
}

// decodePath reads what encodePath wrote.
func decodePath(b []byte) (path, error) {
	if len(b)%hopSize != 0 {
		return nil, fmt.Errorf("%w: path of %d bytes", ErrRecord, len(b))
	}
	var p path
	r := wire.Codec{}.NewReader("path", b)
	for r.Remaining() > 0 && r.Err() == nil {
		h := Hop{Node: r.Point("node")}
		h.SCID, h.FeeBaseMsat, h.FeePPM, h.CLTVDelta = SCID(r.U64("scid")), r.U32("base"), r.U32("ppm"), r.U16("delta")
		p = append(p, h)
	}
	if r.Err() != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecord, r.Err())
	}
	return p, nil
}

// encodeHints writes paths, each behind its number of hops.
func encodeHints(hints [][]Hop) []byte {
	var b []byte
	for _, h := range hints {
		b = append(b, byte(len(h)))
		b = append(b, encodePath(h)...)
	}
	return b
}

// decodeHints reads what encodeHints wrote.
func decodeHints(b []byte) ([][]Hop, error) {
	var hints [][]Hop
	for len(b) > 0 {
		n := int(b[0]) * hopSize
		if n == 0 || len(b) < 1+n {
			return nil, fmt.Errorf("%w: hints are truncated", ErrRecord)
		}
		p, err := decodePath(b[1 : 1+n])
		if err != nil {
			return nil, err
		}
		hints, b = append(hints, p), b[1+n:]
	}
	return hints, nil
}

// inFlight counts the parts that are not resolved.
func (p *payment) inFlight() int {
	n := 0
	for _, t := range p.parts {
		n += btoi(t.State == partInFlight)
	}
	return n
}

// covered is what parts that are in flight, or paid, bring the payee.
func (p *payment) covered() (amount, fees Msat) {
	for _, t := range p.parts {
		if t.State != partFailed {
			amount += t.Amount
			fees += t.Sent - t.Amount
		}
	}
	return amount, fees
}

// routes are the hints of the caller, then those of the invoice.
func (p *payment) routes() [][]Hop { return append(slices.Clone(p.hints), p.request.Hints...) }

// limit is the most that one part may bring the payee over a channel and a path,
// by what failed before: nothing where it failed for good, half of what a channel of
// the path could not carry.
func (p *payment) limit(l Link, way path) Msat {
	limit := MaxMsat
	for _, t := range p.parts {
		if t.State != partFailed || t.Blameless {
			continue
		}
		used, err := decodePath(t.Path)
		if err != nil {
			return 0
		}
		k := int(t.From) - 1
		if k < 0 || k >= len(used) { // nobody knows who, or the payee: this channel with this path
			if t.Code != MPPTimeout && t.HTLC.Channel == l.Channel && slices.Equal(used, way) {
				return 0
			}
			continue
		}
		if way.meets(used[k], t.Code) {
			if t.Code != TemporaryChannelFailure {
				return 0
			}
			limit = min(limit, t.Amount/2)
		}
	}
	return limit
}

// meets reports whether a path uses what failed: a hop's channel, or with the
// NODE flag the node.
func (p path) meets(h Hop, c Code) bool {
	return slices.ContainsFunc(p, func(k Hop) bool {
		return k.Node == h.Node && (k.SCID == h.SCID || c&Node != 0)
	})
}

// PaymentByHash returns a payment of this node.
func (r *Router) PaymentByHash(hash Hash) (Payment, bool) {
	p := r.payments[hash]
	if p == nil {
		return Payment{}, false
	}
	return r.show(p), true
}

// Payments returns every payment, oldest first.
func (r *Router) Payments() []Payment {
	var all []Payment
	for _, hash := range sortedHashes(r.payments) {
		all = append(all, r.show(r.payments[hash]))
	}
	slices.SortStableFunc(all, func(a, b Payment) int { return cmp.Compare(a.Created, b.Created) })
	return all
}

func (r *Router) show(p *payment) Payment {
	v := Payment{Hash: p.Hash, State: p.State, Amount: p.Amount, Fee: p.Fee, Attempts: p.Attempts, Preimage: p.Preimage, Reason: p.Reason, Created: p.Created}
	if request, err := r.request(p); err == nil {
		v.Payee = request.Payee
	}
	for _, t := range p.parts {
		if t.State == partInFlight {
			v.InFlight += t.Sent
			if p.State == Succeeded { // who has the preimage of one part takes all
				v.Fee += t.Sent - t.Amount
			}
		}
	}
	return v
}

// String prints a part without its session key.
func (t *part) String() string {
	return fmt.Sprintf("part %d: %d msat over %s", t.Number, t.Amount, hex.EncodeToString(t.HTLC.Channel[:4]))
}
