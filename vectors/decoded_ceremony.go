package vectors

import "superscalar/wire"

// DecodeCeremony returns what a ceremony message says, in the form it has in a
// file; false for one without a layout.
func DecodeCeremony(m wire.Ceremony) (d Decoded, ok bool) {
	id := m.ID()
	d.one("ceremony_id", Hex(id[:]))
	switch m := m.(type) {
	case *wire.Invite:
		d.one("capacity", Uint(m.Capacity))
		if m.Factory != nil {
			d.one("factory", Hex(m.Factory[:]))
		}
	case *wire.Join:
		d.one("factory_key", Hex(m.FactoryKey[:]))
		d.one("channel_key", Hex(m.ChannelKey[:]))
		d.one("payout_key", Hex(m.PayoutKey[:]))
	case *wire.Proposal:
		d.proposal(m)
	case *wire.Nonces:
		d.round(m.Phase, "nonces", bytesList(m.Nonces, func(b *[66]byte) []byte { return b[:] }))
	case *wire.AggregateNonces:
		d.round(m.Phase, "aggregate_nonces", bytesList(m.Nonces, func(b *[66]byte) []byte { return b[:] }))
	case *wire.Partials:
		d.round(m.Phase, "partial_signatures", bytesList(m.Partials, func(b *[32]byte) []byte { return b[:] }))
	case *wire.Signatures:
		d.round(m.Phase, "signatures", bytesList(m.Signatures, func(b *[64]byte) []byte { return b[:] }))
		d.one("channel_signatures", bytesList(m.Channels, func(b *[64]byte) []byte { return b[:] }))
	case *wire.Stored:
		d.one("phase", Uint(m.Phase))
	case *wire.Funded:
		d.one("funding_tx", Hex(m.Transaction))
	case *wire.Abort:
		d.one("reason", Uint(m.Reason))
		if m.Guilty != nil {
			d.one("guilty", Uint(*m.Guilty))
		}
		if m.Text != "" {
			d.one("text", Hex(m.Text))
		}
	default:
		return d.changes(m)
	}
	return d, true
}

// changes knows the messages of wire/ceremony_changes.go.
func (d Decoded) changes(m wire.Ceremony) (Decoded, bool) {
	switch m := m.(type) {
	case *wire.Update:
		d.one("factory", Hex(m.Factory[:]))
		d.add("node", append(nodeObject(m.Node), Member{"remaining", Uint(m.Remaining)}))
		d.amounts(m.Sums, func() { d.one("capacities", uints(m.Capacities)) }, m.Stocks, m.ChannelScripts)
	case *wire.Sale:
		d.one("factory", Hex(m.Factory[:]))
		d.add("stock", append(nodeObject(m.Leaf), Member{"group", Uint(m.Group)}, Member{"sales_before", Uint(m.Before)}))
		d.one("buyer", Uint(m.Buyer))
		d.one("amount", Uint(m.Amount))
		d.one("channel_script", Hex(m.ChannelScript))
		d.one("lsp_channel_key", Hex(m.LSPChannelKey[:]))
	case *wire.Poison:
		d.one("factory", Hex(m.Factory[:]))
		d.add("node", nodeObject(m.Node))
	default:
		return Decoded{}, false
	}
	return d, true
}

func (d *Decoded) proposal(m *wire.Proposal) {
	p := m.Parameters
	d.add("parameters", Object{
		{"step", Uint(p.Step)}, {"states", Uint(p.States)}, {"confirm_blocks", Uint(p.ConfirmBlocks)}, {"max_chain", Uint(p.MaxChain)},
		{"stock_csv", Uint(p.StockCSV)}, {"omission_delay", Uint(p.OmissionDelay)}, {"to_self_delay", Uint(p.ToSelfDelay)},
		{"margin", Uint(p.Margin)}, {"max_funding_wait", Uint(p.MaxFundingWait)}, {"active", Uint(p.Active)}, {"dying", Uint(p.Dying)},
		{"tip_height", Uint(p.TipHeight)}, {"expiry", Uint(p.Expiry)}})
	levels := []Object{}
	for _, l := range m.Shape.Levels {
		levels = append(levels, Object{{"kind", Uint(l.Kind)}, {"arity", Uint(l.Arity)}})
	}
	d.add("shape", Object{{"leaf", Uint(m.Shape.Leaf)}, {"levels", levels}})
	d.add("funding", Object{{"txid", Hex(m.Funding.Txid[:])}, {"output", Uint(m.Funding.Output)}, {"value", Uint(m.Funding.Value)}})
	d.one("client_index", Uint(m.ClientIndex))
	d.one("lsp_factory_key", Hex(m.LSPFactoryKey[:]))
	d.one("factory_keys", bytesList(m.FactoryKeys, func(b *[33]byte) []byte { return b[:] }))
	owners := []Object{}
	for _, o := range m.Owners {
		owners = append(owners, Object{{"capacity", Uint(o.Capacity)}, {"payout_key", Hex(o.PayoutKey[:])}})
	}
	d.amounts(m.Sums, func() { d.one("owners", owners) }, m.Stocks, m.ChannelScripts)
	d.one("lsp_channel_key", Hex(m.LSPChannelKey[:]))
	if len(m.NodeKeys) > 0 {
		d.one("node_keys", bytesList(m.NodeKeys, func(b *[33]byte) []byte { return b[:] }))
	}
}

// amounts adds records 14 to 20.
func (d *Decoded) amounts(sums []uint64, clients func(), stocks []uint64, scripts [][34]byte) {
	if len(sums) > 0 {
		d.one("sums", uints(sums))
	}
	clients()
	d.one("stocks", uints(stocks))
	d.one("channel_scripts", bytesList(scripts, func(b *[34]byte) []byte { return b[:] }))
}

// one adds a record of one field of the same name.
func (d *Decoded) one(name string, v any) { d.add(name, Object{{name, v}}) }

func (d *Decoded) round(phase uint8, name string, list []Hex) {
	d.one("phase", Uint(phase))
	d.one(name, list)
}

func nodeObject(n wire.NodeRecord) Object {
	return Object{{"level", Uint(n.Level)}, {"position", Uint(n.Position)}}
}

func bytesList[T any](items []T, bytes func(*T) []byte) []Hex {
	out := []Hex{}
	for _, item := range items {
		out = append(out, Hex(bytes(&item)))
	}
	return out
}

func uints(list []uint64) []Uint {
	out := []Uint{}
	for _, v := range list {
		out = append(out, Uint(v))
	}
	return out
}
