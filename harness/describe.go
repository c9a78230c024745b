package harness

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"

	"superscalar/wire"
)

// Describe returns an encoded message in one line for a person, or what is
// wrong with it.
func Describe(codec wire.Codec, raw []byte) (name, text string) {
	m, err := codec.Decode(raw)
	if err != nil {
		return "malformed", err.Error()
	}
	if c := CeremonyOf(codec, m); c != nil {
		return c.Name(), c.Name() + fields(reflect.ValueOf(c).Elem())
	}
	return m.Name(), m.Name() + fields(reflect.ValueOf(m).Elem())
}

func fields(v reflect.Value) string {
	var parts []string
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() || f.Name == "Parsed" {
			continue
		}
		if s := value(v.Field(i)); s != "" {
			parts = append(parts, f.Name+"="+s)
		}
	}
	return "{" + strings.Join(parts, " ") + "}"
}

// value formats one field; absent ones give "".
func value(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case wire.Features:
		if x == nil {
			return ""
		}
		return fmt.Sprint(x.Bits())
	case wire.Stream:
		var parts []string
		for _, r := range x {
			parts = append(parts, fmt.Sprintf("%d:%x", r.Type, r.Value))
		}
		return strings.Join(parts, ",")
	case []byte:
		return bytesValue(x)
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return ""
		}
		return value(v.Elem())
	case reflect.Struct:
		return fields(v)
	case reflect.Array:
		out := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(out), v)
		return hex.EncodeToString(out)
	case reflect.Slice:
		var parts []string
		for i := range v.Len() {
			parts = append(parts, value(v.Index(i)))
		}
		return "[" + strings.Join(parts, " ") + "]"
	}
	return fmt.Sprint(v.Interface())
}

// bytesValue shows text as text and the rest as hex, shortened.
func bytesValue(b []byte) string {
	const most = 64
	if b == nil {
		return ""
	}
	if n := len(b); n > 16 && bytes.Count(b, []byte{0}) == n {
		return fmt.Sprintf("(%d zero bytes)", n)
	}
	tail := ""
	if len(b) > most {
		tail = fmt.Sprintf("...(%d bytes)", len(b))
		b = b[:most]
	}
	for _, c := range b {
		if c < 32 || c > 126 {
			return hex.EncodeToString(b) + tail
		}
	}
	return fmt.Sprintf("%q", b) + tail
}
