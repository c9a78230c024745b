package wire

// NodeRecord names a transaction of a tree.
type NodeRecord struct {
	Level    uint8
	Position uint16
}

func (n *NodeRecord) read(r *Reader) {
	n.Level = r.U8("node")
	n.Position = r.U16("node")
}

func (n *NodeRecord) write(w *writer) {
	w.u8(n.Level)
	w.u16(n.Position)
}

// Update proposes to replace a state: ceremony_update.
type Update struct {
	Attempt
	Factory        [32]byte
	Node           NodeRecord
	Remaining      uint8
	Sums           []uint64 // sat; empty when the region is everybody below the node
	Capacities     []uint64 // sat, of the clients of the region
	Stocks         []uint64 // sat
	ChannelScripts [][34]byte
}

// Name implements Ceremony.
func (*Update) Name() string { return "ceremony_update" }

// Type implements Ceremony.
func (*Update) Type() CeremonyType { return TypeUpdate }
func (m *Update) fields() []field {
	return []field{
		array32Field(2, "factory", &m.Factory),
		{4, "node", false,
			func(r *Reader) { m.Node.read(r); m.Remaining = r.U8("remaining") },
			func(w *writer) bool { m.Node.write(w); w.u8(m.Remaining); return true }},
		u64ListField(14, "sums", true, &m.Sums),
		u64ListField(16, "capacities", false, &m.Capacities),
		u64ListField(18, "stocks", false, &m.Stocks),
		rawListField(20, "channel_scripts", false, &m.ChannelScripts),
	}
}

// Sale proposes to sell from a stock: ceremony_sale.
type Sale struct {
	Attempt
	Factory       [32]byte
	Leaf          NodeRecord
	Group         uint8
	Before        uint8 // sales that the stock has seen
	Buyer         uint16
	Amount        uint64 // sat
	ChannelScript []byte
	LSPChannelKey Point
}

// Name implements Ceremony.
func (*Sale) Name() string { return "ceremony_sale" }

// Type implements Ceremony.
func (*Sale) Type() CeremonyType { return TypeSale }
func (m *Sale) fields() []field {
	return []field{
		array32Field(2, "factory", &m.Factory),
		{4, "stock", false,
			func(r *Reader) { m.Leaf.read(r); m.Group, m.Before = r.U8("group"), r.U8("sales before") },
			func(w *writer) bool { m.Leaf.write(w); w.u8(m.Group); w.u8(m.Before); return true }},
		u16Field(6, "buyer", &m.Buyer),
		u64Field(8, "amount", &m.Amount),
		bytesField(10, "channel_script", &m.ChannelScript),
		pointField(12, "lsp_channel_key", &m.LSPChannelKey),
	}
}

// Poison proposes to sign what is still missing of the poison of a replaced
// state: ceremony_poison.
type Poison struct {
	Attempt
	Factory [32]byte
	Node    NodeRecord
}

// Name implements Ceremony.
func (*Poison) Name() string { return "ceremony_poison" }

// Type implements Ceremony.
func (*Poison) Type() CeremonyType { return TypePoison }
func (m *Poison) fields() []field {
	return []field{
		array32Field(2, "factory", &m.Factory),
		{4, "node", false, m.Node.read, func(w *writer) bool { m.Node.write(w); return true }},
	}
}
