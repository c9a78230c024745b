package wire

// Init is the first message of a connection. BOLT 1; sections 2.4 and 3.1 of
// SPEC.md.
type Init struct {
	GlobalFeatures Features
	Features       Features
	// Networks are the chain hashes the sender is interested in; nil when the
	// record is absent, empty when it is there without any.
	Networks [][32]byte
	// RemoteAddr is an address descriptor of BOLT 7, nil when absent.
	RemoteAddr []byte
	Extra      Stream // unknown odd records
}

// Name implements Message.
func (*Init) Name() string          { return "init" }
func (*Init) msgType(Codec) MsgType { return TypeInit }

// All returns the OR of both feature fields (TRN-056).
func (m *Init) All() Features { return m.Features.Or(m.GlobalFeatures) }

func (m *Init) read(r *Reader) {
	m.GlobalFeatures = r.Bytes("globalfeatures", int(r.U16("gflen")))
	m.Features = r.Bytes("features", int(r.U16("flen")))
	m.Extra = r.Stream(
		RecordType{1, "networks", func(v *Reader) {
			m.Networks = [][32]byte{}
			for v.err == nil && v.Remaining() > 0 {
				m.Networks = append(m.Networks, v.Array32("chain_hash"))
			}
		}},
		RecordType{3, "remote_addr", func(v *Reader) { m.RemoteAddr = v.Rest() }},
	)
}

func (m *Init) write(w *writer) {
	w.sized("globalfeatures", m.GlobalFeatures)
	w.sized("features", m.Features)
	var known Stream
	if m.Networks != nil {
		known = append(known, Record{1, concat(m.Networks)})
	}
	if m.RemoteAddr != nil {
		known = append(known, Record{3, m.RemoteAddr})
	}
	w.stream(known, m.Extra)
}

func concat(hashes [][32]byte) []byte {
	out := make([]byte, 0, 32*len(hashes))
	for _, h := range hashes {
		out = append(out, h[:]...)
	}
	return out
}
