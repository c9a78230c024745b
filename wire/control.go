package wire

// ErrorMessage is the `error` message of BOLT 1. (It is not a Go error.)
type ErrorMessage struct {
	ChannelID ChannelID
	Data      []byte // at most 65,499 bytes
	Extra     Stream
}

// Name implements Message.
func (*ErrorMessage) Name() string          { return "error" }
func (*ErrorMessage) msgType(Codec) MsgType { return TypeError }

func (m *ErrorMessage) read(r *Reader)  { m.ChannelID, m.Data, m.Extra = readNotice(r) }
func (m *ErrorMessage) write(w *writer) { writeNotice(w, m.ChannelID, m.Data, m.Extra) }

// Warning is the `warning` message of BOLT 1.
type Warning struct {
	ChannelID ChannelID
	Data      []byte // at most 65,499 bytes
	Extra     Stream
}

// Name implements Message.
func (*Warning) Name() string          { return "warning" }
func (*Warning) msgType(Codec) MsgType { return TypeWarning }

func (m *Warning) read(r *Reader)  { m.ChannelID, m.Data, m.Extra = readNotice(r) }
func (m *Warning) write(w *writer) { writeNotice(w, m.ChannelID, m.Data, m.Extra) }

func readNotice(r *Reader) (ChannelID, []byte, Stream) {
	id := ChannelID(r.Array32("channel_id"))
	data := r.Bytes("data", int(r.U16("len")))
	return id, data, r.Stream()
}

func writeNotice(w *writer, id ChannelID, data []byte, extra Stream) {
	w.bytes(id[:])
	w.sized("data", data)
	w.stream(nil, extra)
}

// Ping asks for a pong of NumPongBytes bytes; 65,532 and more ask for none.
// BOLT 1, section 2.6 of SPEC.md.
type Ping struct {
	NumPongBytes uint16
	Ignored      []byte // at most 65,529 bytes
	Extra        Stream
}

// Name implements Message.
func (*Ping) Name() string          { return "ping" }
func (*Ping) msgType(Codec) MsgType { return TypePing }

func (m *Ping) read(r *Reader) {
	m.NumPongBytes = r.U16("num_pong_bytes")
	m.Ignored = r.Bytes("ignored", int(r.U16("byteslen")))
	m.Extra = r.Stream()
}

func (m *Ping) write(w *writer) {
	w.u16(m.NumPongBytes)
	w.sized("ignored", m.Ignored)
	w.stream(nil, m.Extra)
}

// MaxPongBytes is the largest number of bytes a ping can ask for.
const MaxPongBytes = 65531

// Pong answers a ping.
type Pong struct {
	Ignored []byte // as many bytes as the ping asked for
	Extra   Stream
}

// Name implements Message.
func (*Pong) Name() string          { return "pong" }
func (*Pong) msgType(Codec) MsgType { return TypePong }

func (m *Pong) read(r *Reader) {
	m.Ignored = r.Bytes("ignored", int(r.U16("byteslen")))
	m.Extra = r.Stream()
}

func (m *Pong) write(w *writer) {
	w.sized("ignored", m.Ignored)
	w.stream(nil, m.Extra)
}
