package wire

import "unicode/utf8"

// Invite asks a client to take part: ceremony_invite.
type Invite struct {
	Attempt
	Capacity uint64    // sat, of the client's channel
	Factory  *[32]byte // the factory in which a sale is meant; nil to create one
}

// Name implements Ceremony.
func (*Invite) Name() string { return "ceremony_invite" }

// Type implements Ceremony.
func (*Invite) Type() CeremonyType { return TypeInvite }
func (m *Invite) fields() []field {
	return []field{
		u64Field(2, "capacity", &m.Capacity),
		{4, "factory", true,
			func(r *Reader) { id := r.Array32("factory"); m.Factory = &id },
			func(w *writer) bool {
				if m.Factory == nil {
					return false
				}
				w.bytes(m.Factory[:])
				return true
			}},
	}
}

// Join accepts an invitation: ceremony_join.
type Join struct {
	Attempt
	FactoryKey Point
	ChannelKey Point    // the client's funding key of its channel
	PayoutKey  [32]byte // x-only output key (SCRIPT-005)
}

// Name implements Ceremony.
func (*Join) Name() string { return "ceremony_join" }

// Type implements Ceremony.
func (*Join) Type() CeremonyType { return TypeJoin }
func (m *Join) fields() []field {
	return []field{
		pointField(2, "factory_key", &m.FactoryKey),
		pointField(4, "channel_key", &m.ChannelKey),
		array32Field(6, "payout_key", &m.PayoutKey),
	}
}

// Parameters are the numbers of a factory: section 4.1 of SPEC.md. Delays and
// heights are in blocks.
type Parameters struct {
	Step           uint16
	States         uint8
	ConfirmBlocks  uint16
	MaxChain       uint8
	StockCSV       uint16
	OmissionDelay  uint16
	ToSelfDelay    uint16
	Margin         uint16
	MaxFundingWait uint16
	Active         uint16
	Dying          uint16
	TipHeight      uint32
	Expiry         uint32
}

func (p *Parameters) read(r *Reader) {
	p.Step = r.U16("step")
	p.States = r.U8("states")
	p.ConfirmBlocks = r.U16("confirm_blocks")
	p.MaxChain = r.U8("max_chain")
	for _, v := range p.delays() {
		*v = r.U16("parameters")
	}
	p.TipHeight = r.U32("tip_height")
	p.Expiry = r.U32("expiry")
}

func (p *Parameters) write(w *writer) bool {
	w.u16(p.Step)
	w.u8(p.States)
	w.u16(p.ConfirmBlocks)
	w.u8(p.MaxChain)
	for _, v := range p.delays() {
		w.u16(*v)
	}
	w.u32(p.TipHeight)
	w.u32(p.Expiry)
	return true
}

// delays are the fields from stock_csv to dying, in their order.
func (p *Parameters) delays() []*uint16 {
	return []*uint16{&p.StockCSV, &p.OmissionDelay, &p.ToSelfDelay, &p.Margin, &p.MaxFundingWait, &p.Active, &p.Dying}
}

// ShapeLevel is a level of a shape: section 4.2 of SPEC.md.
type ShapeLevel struct {
	Kind  uint8 // 0 static, 1 kickoff, 2 state
	Arity uint8
}

// ShapeRecord is the shape of a tree, levels root first.
type ShapeRecord struct {
	Leaf   uint8 // 1 dw, 2 ps
	Levels []ShapeLevel
}

func (s *ShapeRecord) read(r *Reader) {
	s.Leaf = r.U8("shape")
	s.Levels = nil
	for r.err == nil && r.Remaining() > 0 {
		s.Levels = append(s.Levels, ShapeLevel{r.U8("kind"), r.U8("arity")})
	}
}

func (s *ShapeRecord) write(w *writer) bool {
	w.u8(s.Leaf)
	for _, l := range s.Levels {
		w.u8(l.Kind)
		w.u8(l.Arity)
	}
	return true
}

// FundingRecord is the funding output of a factory.
type FundingRecord struct {
	Txid   Txid
	Output uint16
	Value  uint64 // sat
}

// Owner is what a proposal says of a client of the region.
type Owner struct {
	Capacity  uint64 // sat
	PayoutKey [32]byte
}

// Proposal is everything a client needs to recompute its path:
// ceremony_proposal. The keys are not parsed: a proposal has up to 1,024, and
// they are parsed once, where they are aggregated.
type Proposal struct {
	Attempt
	Parameters     Parameters
	Shape          ShapeRecord
	Funding        FundingRecord
	ClientIndex    uint16
	LSPFactoryKey  Point
	FactoryKeys    [][33]byte
	Sums           []uint64 // sat; empty when the region is everybody
	Owners         []Owner
	Stocks         []uint64 // sat
	ChannelScripts [][34]byte
	LSPChannelKey  Point
	// NodeKeys are the aggregates of the receiver's sets of clients, in the
	// order of SIGN-021, nil when the LSP sends none. Whoever reads them checks
	// them (SIGN-020).
	NodeKeys [][33]byte
}

// Name implements Ceremony.
func (*Proposal) Name() string { return "ceremony_proposal" }

// Type implements Ceremony.
func (*Proposal) Type() CeremonyType { return TypeProposal }
func (m *Proposal) fields() []field {
	return []field{
		{2, "parameters", false, m.Parameters.read, m.Parameters.write},
		{4, "shape", false, m.Shape.read, m.Shape.write},
		{6, "funding", false,
			func(r *Reader) {
				m.Funding = FundingRecord{Txid(r.Array32("funding")), r.U16("funding"), r.U64("funding")}
			},
			func(w *writer) bool {
				w.bytes(m.Funding.Txid[:])
				w.u16(m.Funding.Output)
				w.u64(m.Funding.Value)
				return true
			}},
		u16Field(8, "client_index", &m.ClientIndex),
		pointField(10, "lsp_factory_key", &m.LSPFactoryKey),
		rawListField(12, "factory_keys", false, &m.FactoryKeys),
		u64ListField(14, "sums", true, &m.Sums),
		listField(16, "owners", 40, false, &m.Owners,
			func(r *Reader) Owner { return Owner{r.U64("owners"), r.Array32("owners")} },
			func(w *writer, o Owner) { w.u64(o.Capacity); w.bytes(o.PayoutKey[:]) }),
		u64ListField(18, "stocks", false, &m.Stocks),
		rawListField(20, "channel_scripts", false, &m.ChannelScripts),
		pointField(22, "lsp_channel_key", &m.LSPChannelKey),
		rawListField(23, "node_keys", true, &m.NodeKeys),
	}
}

// Nonces are a client's public nonces, one for each slot: ceremony_nonces.
type Nonces struct {
	Attempt
	Phase  uint8
	Nonces [][66]byte
}

// Name implements Ceremony.
func (*Nonces) Name() string { return "ceremony_nonces" }

// Type implements Ceremony.
func (*Nonces) Type() CeremonyType { return TypeNonces }
func (m *Nonces) fields() []field {
	return []field{u8Field(2, "phase", &m.Phase), rawListField(4, "nonces", false, &m.Nonces)}
}

// AggregateNonces are the LSP's answer, one for each slot of the receiver:
// ceremony_aggregate.
type AggregateNonces struct {
	Attempt
	Phase  uint8
	Nonces [][66]byte
}

// Name implements Ceremony.
func (*AggregateNonces) Name() string { return "ceremony_aggregate" }

// Type implements Ceremony.
func (*AggregateNonces) Type() CeremonyType { return TypeAggregate }
func (m *AggregateNonces) fields() []field {
	return []field{u8Field(2, "phase", &m.Phase), rawListField(4, "aggregate_nonces", false, &m.Nonces)}
}

// Partials are a client's partial signatures: ceremony_partials.
type Partials struct {
	Attempt
	Phase    uint8
	Partials [][32]byte
}

// Name implements Ceremony.
func (*Partials) Name() string { return "ceremony_partials" }

// Type implements Ceremony.
func (*Partials) Type() CeremonyType { return TypePartials }
func (m *Partials) fields() []field {
	return []field{u8Field(2, "phase", &m.Phase), rawListField(4, "partial_signatures", false, &m.Partials)}
}

// Signatures are the complete signatures of the receiver's slots, and the
// LSP's ECDSA signatures for the receiver's channel outpoints:
// ceremony_signatures.
type Signatures struct {
	Attempt
	Phase      uint8
	Signatures [][64]byte
	Channels   [][64]byte
}

// Name implements Ceremony.
func (*Signatures) Name() string { return "ceremony_signatures" }

// Type implements Ceremony.
func (*Signatures) Type() CeremonyType { return TypeSignatures }
func (m *Signatures) fields() []field {
	return []field{
		u8Field(2, "phase", &m.Phase),
		rawListField(4, "signatures", false, &m.Signatures),
		rawListField(6, "channel_signatures", false, &m.Channels),
	}
}

// Stored says that a client has checked and stored a phase: ceremony_stored.
type Stored struct {
	Attempt
	Phase uint8
}

// Name implements Ceremony.
func (*Stored) Name() string { return "ceremony_stored" }

// Type implements Ceremony.
func (*Stored) Type() CeremonyType { return TypeStored }
func (m *Stored) fields() []field  { return []field{u8Field(2, "phase", &m.Phase)} }

// Funded carries the signed funding transaction: ceremony_funded.
type Funded struct {
	Attempt
	Transaction []byte // as Bitcoin serializes it, with witnesses
}

// Name implements Ceremony.
func (*Funded) Name() string { return "ceremony_funded" }

// Type implements Ceremony.
func (*Funded) Type() CeremonyType { return TypeFunded }
func (m *Funded) fields() []field  { return []field{bytesField(2, "funding_tx", &m.Transaction)} }

// Reason says why an attempt ended; section 5.2 of SPEC.md.
type Reason uint16

// The reasons.
const (
	ReasonRefused          Reason = 1
	ReasonBusy             Reason = 2
	ReasonUnknownCeremony  Reason = 3
	ReasonUnexpected       Reason = 4
	ReasonParameters       Reason = 5
	ReasonShape            Reason = 6
	ReasonKeys             Reason = 7
	ReasonAmounts          Reason = 8
	ReasonCover            Reason = 9
	ReasonNonces           Reason = 10
	ReasonPartialSignature Reason = 11
	ReasonSignature        Reason = 12
	ReasonDeadline         Reason = 13
	ReasonRecorded         Reason = 14
	ReasonChain            Reason = 15
	ReasonRestart          Reason = 16
	ReasonInternal         Reason = 17
)

var reasonNames = [...]string{"", "refused", "busy", "unknown_ceremony", "unexpected", "parameters", "shape", "keys", "amounts", "cover",
	"nonces", "partial_signature", "signature", "deadline", "recorded", "chain", "restart", "internal"}

// String returns the name in SPEC.md, "unknown reason" for a number without
// one.
func (r Reason) String() string {
	if r == 0 || int(r) >= len(reasonNames) {
		return "unknown reason"
	}
	return reasonNames[r]
}

// Abort ends an attempt: ceremony_abort.
type Abort struct {
	Attempt
	Reason Reason
	Guilty *uint16 // client index, nil when nobody is named
	Text   string  // for people; what is not UTF-8 reads as the empty string
}

// Name implements Ceremony.
func (*Abort) Name() string { return "ceremony_abort" }

// Type implements Ceremony.
func (*Abort) Type() CeremonyType { return TypeAbort }
func (m *Abort) fields() []field {
	return []field{
		{2, "reason", false, func(r *Reader) { m.Reason = Reason(r.U16("reason")) }, func(w *writer) bool { w.u16(uint16(m.Reason)); return true }},
		{3, "guilty", true,
			func(r *Reader) { i := r.U16("guilty"); m.Guilty = &i },
			func(w *writer) bool {
				if m.Guilty == nil {
					return false
				}
				w.u16(*m.Guilty)
				return true
			}},
		{5, "text", true,
			func(r *Reader) {
				if raw := r.Rest(); utf8.Valid(raw) {
					m.Text = string(raw)
				}
			},
			func(w *writer) bool { w.bytes([]byte(m.Text)); return m.Text != "" }},
	}
}
