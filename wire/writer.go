package wire

import (
	"encoding/binary"
	"fmt"
	"math"

	"superscalar/wire/rule"
)

// writer is the mirror of Reader.
type writer struct {
	codec Codec
	name  string
	b     []byte
	err   error
}

func (w *writer) fail(field string, k Kind, detail string) {
	if w.err == nil {
		w.err = &Error{Message: w.name, Field: field, Offset: len(w.b), Kind: k, Rule: rule.TRN025, Detail: detail}
	}
}

func (w *writer) u8(v uint8)     { w.b = append(w.b, v) }
func (w *writer) u16(v uint16)   { w.b = binary.BigEndian.AppendUint16(w.b, v) }
func (w *writer) u32(v uint32)   { w.b = binary.BigEndian.AppendUint32(w.b, v) }
func (w *writer) u64(v uint64)   { w.b = binary.BigEndian.AppendUint64(w.b, v) }
func (w *writer) s64(v int64)    { w.u64(uint64(v)) }
func (w *writer) bytes(v []byte) { w.b = append(w.b, v...) }

// sized writes a u16 length and v.
func (w *writer) sized(field string, v []byte) {
	if len(v) > math.MaxUint16 {
		w.fail(field, TooLong, fmt.Sprintf("%d bytes", len(v)))
		return
	}
	w.u16(uint16(len(v)))
	w.bytes(v)
}

// stream writes known and extra records as one tlv_stream. A codec that does
// not keep TRN-042 forgets the extra ones.
func (w *writer) stream(known, extra Stream) {
	all := append(Stream{}, known...)
	if w.codec.Rules.On(rule.TRN042) {
		all = append(all, extra...)
	}
	b, err := w.codec.AppendStream(w.b, all)
	if err != nil {
		if w.err == nil {
			w.err = err
		}
		return
	}
	w.b = b
}

// AppendSigned appends v as a two's complement integer of n bytes, n from 1
// to 8. The caller makes sure that v fits. BOLT 1 appendix D.
func AppendSigned(b []byte, v int64, n int) []byte {
	for i := n - 1; i >= 0; i-- {
		b = append(b, byte(v>>(8*i)))
	}
	return b
}
