package channel

import (
	"encoding/binary"
	"errors"
	"fmt"

	"superscalar/wire"
)

// ErrCorrupt is the error of a stored state that does not decode.
var ErrCorrupt = errors.New("stored channel is corrupt")

// coder writes or reads fields, so that one function says how a structure is
// laid out in both directions. After an error it does nothing.
type coder struct {
	b       []byte
	reading bool
	apart   bool // writing: onions are left out
	err     error
	codec   wire.Codec
}

func (c *coder) fail(what string) {
	if c.err == nil {
		c.err = fmt.Errorf("%w: %s", ErrCorrupt, what)
	}
}

// fixed writes b, or reads into it.
func (c *coder) fixed(b []byte) {
	switch {
	case c.err != nil:
	case !c.reading:
		c.b = append(c.b, b...)
	case len(c.b) < len(b):
		c.fail("it ends early")
	default:
		copy(b, c.b)
		c.b = c.b[len(b):]
	}
}

// integer writes or reads an integer of n bytes.
func (c *coder) integer(v uint64, n int) uint64 {
	var raw [8]byte
	binary.BigEndian.PutUint64(raw[:], v)
	c.fixed(raw[8-n:])
	return binary.BigEndian.Uint64(raw[:])
}

// number is an integer of any type, in 8 bytes.
func number[T ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~int64](c *coder, v *T) {
	raw := c.integer(uint64(*v), 8)
	*v = T(raw)
	if uint64(*v) != raw {
		c.fail("a number is too large for its field")
	}
}

// small is an integer in one byte, at most most.
func small[T ~uint8](c *coder, v *T, most T) {
	*v = T(c.integer(uint64(*v), 1))
	if *v > most {
		c.fail("a value that there is not")
	}
}

func (c *coder) flag(v *bool) {
	var raw uint8
	if *v {
		raw = 1
	}
	small(c, &raw, 1)
	*v = raw == 1
}

// bytes is a byte string with its length in 4 bytes; none and empty are the
// same.
func (c *coder) bytes(v *[]byte) {
	n := int(c.integer(uint64(len(*v)), 4))
	if c.reading {
		if n > len(c.b) {
			c.fail("it ends early")
			return
		}
		*v = nil
		if n > 0 {
			*v = make([]byte, n)
		}
	}
	c.fixed(*v)
}

func (c *coder) text(v *string) {
	raw := []byte(*v)
	c.bytes(&raw)
	*v = string(raw)
}

// list is a number of elements in 4 bytes and each of them.
func list[T any](c *coder, v *[]T, each func(*coder, *T)) {
	n := int(c.integer(uint64(len(*v)), 4))
	if c.reading {
		*v = nil
	}
	for i := 0; i < n && c.err == nil; i++ {
		if c.reading {
			if len(c.b) == 0 {
				c.fail("it ends early")
				return
			}
			*v = append(*v, *new(T))
		}
		each(c, &(*v)[i])
	}
}

// message is a message of package wire.
func message[M wire.Message](c *coder, m *M) {
	var raw []byte
	if !c.reading {
		var err error
		if raw, err = (wire.Codec{}).Encode(*m); err != nil {
			c.fail(err.Error())
		}
	}
	c.bytes(&raw)
	if !c.reading || c.err != nil {
		return
	}
	decoded, err := c.codec.Decode(raw)
	if err != nil {
		c.fail(err.Error())
		return
	}
	var ok bool
	if *m, ok = decoded.(M); !ok {
		c.fail("another message than expected")
	}
}

func (c *coder) stream(v *wire.Stream) {
	var raw []byte
	if !c.reading {
		var err error
		if raw, err = (wire.Codec{}).AppendStream(nil, *v); err != nil {
			c.fail(err.Error())
		}
	}
	c.bytes(&raw)
	if !c.reading || c.err != nil {
		return
	}
	extra, err := wire.Codec{}.ReadStream("stored records", raw)
	if err != nil {
		c.fail(err.Error())
	}
	*v = extra
}
