package vectors

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
)

// Hex is a byte string, in JSON lower-case hexadecimal digits.
type Hex []byte

// MarshalText implements encoding.TextMarshaler.
func (h Hex) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// UnmarshalText implements encoding.TextUnmarshaler. It refuses upper case.
func (h *Hex) UnmarshalText(text []byte) error {
	b := make([]byte, hex.DecodedLen(len(text)))
	if _, err := hex.Decode(b, text); err != nil {
		return fmt.Errorf("bytes in hexadecimal digits: %w", err)
	}
	if bytes.ContainsAny(text, "ABCDEF") {
		return fmt.Errorf("hexadecimal digits %q are not lower case", text)
	}
	*h = b
	return nil
}

// exact is the first integer that a JSON number does not carry safely: a
// reader that uses doubles cannot tell 2^53 and 2^53+1 apart.
const exact = 1 << 53

// Uint is an unsigned integer: in JSON a number below 2^53, else a decimal
// string.
type Uint uint64

// MarshalJSON implements json.Marshaler.
func (u Uint) MarshalJSON() ([]byte, error) {
	return number(strconv.FormatUint(uint64(u), 10), u >= exact), nil
}

// UnmarshalJSON implements json.Unmarshaler. It refuses any other form.
func (u *Uint) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseUint(unquote(b), 10, 64)
	if err != nil {
		return fmt.Errorf("unsigned integer: %w", err)
	}
	*u = Uint(v)
	return canonical(b, *u)
}

// Int is a signed integer: in JSON a number between -2^53 and 2^53, both
// excluded, else a decimal string.
type Int int64

// MarshalJSON implements json.Marshaler.
func (i Int) MarshalJSON() ([]byte, error) {
	return number(strconv.FormatInt(int64(i), 10), i >= exact || i <= -exact), nil
}

// UnmarshalJSON implements json.Unmarshaler. It refuses any other form.
func (i *Int) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseInt(unquote(b), 10, 64)
	if err != nil {
		return fmt.Errorf("signed integer: %w", err)
	}
	*i = Int(v)
	return canonical(b, *i)
}

func number(digits string, quoted bool) []byte {
	if quoted {
		return []byte(`"` + digits + `"`)
	}
	return []byte(digits)
}

func unquote(b []byte) string { return string(bytes.Trim(b, `"`)) }

func canonical(b []byte, v json.Marshaler) error {
	want, err := v.MarshalJSON()
	if err == nil && !bytes.Equal(want, b) {
		err = fmt.Errorf("integer %s has to be written %s", b, want)
	}
	return err
}

// Object is a JSON object that keeps the order of its members, so that a file
// shows fields in the order of the wire. The order carries no meaning.
type Object []Member

// Member is one member of an Object. Its value is a Hex, a Uint, an Int, a
// string, a list of Hex or an Object; after Load a json.RawMessage.
type Member struct {
	Name  string
	Value any
}

// MarshalJSON implements json.Marshaler.
func (o Object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		v, err := json.Marshal(m.Value)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%q:%s", m.Name, v)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON implements json.Unmarshaler. It refuses a name that appears
// twice. What comes here is JSON: encoding/json has looked.
func (o *Object) UnmarshalJSON(b []byte) error {
	if b = bytes.TrimSpace(b); len(b) < 2 || b[0] != '{' {
		return fmt.Errorf("an object has to stand here, not %.20s", b)
	}
	for rest := bytes.TrimSpace(bytes.Clone(b[1 : len(b)-1])); len(rest) > 0; {
		var name string
		n := valueEnd(rest, ':')
		if err := json.Unmarshal(rest[:n], &name); err != nil {
			return err
		}
		rest = rest[min(n+1, len(rest)):]
		n = valueEnd(rest, ',')
		if _, twice := o.Get(name); twice {
			return fmt.Errorf("member %q appears twice", name)
		}
		*o = append(*o, Member{name, json.RawMessage(bytes.TrimSpace(rest[:n:n]))})
		rest = bytes.TrimSpace(rest[min(n+1, len(rest)):])
	}
	return nil
}

// valueEnd is where the JSON value at the beginning of b ends: at the next mark
// that is neither in a string nor inside an object or a list.
func valueEnd(b []byte, mark byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case c == '{', c == '[':
			depth++
		case c == '}', c == ']':
			depth--
		case c == mark && depth == 0:
			return i
		}
	}
	return len(b)
}

// Get returns the value of a member.
func (o Object) Get(name string) (any, bool) {
	for _, m := range o {
		if m.Name == name {
			return m.Value, true
		}
	}
	return nil, false
}

// Equal reports whether both objects say the same, in any order.
func (o Object) Equal(p Object) bool {
	return len(o) == len(p) && reflect.DeepEqual(o.plain(), p.plain())
}

// plain turns an object into what encoding/json makes of it; integers stay
// exact.
func (o Object) plain() any {
	b, err := json.Marshal(o)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return err
	}
	return v
}
