package peer_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"superscalar/wire"
)

// The words of a trace, and how they become messages:
//
//	NAME key=value key=value ...
//
// Bytes are pieces joined by +, each hex digits, XX*N (byte XX, N times), a
// quoted Go string, point:N (N times the generator), or the name of a factory
// protocol. A value that has to be 32 bytes long may be one byte: it is
// repeated. record=TYPE:BYTES appends a record after those of the message, in
// the order given; cut=N takes N bytes off the end; tail=BYTES adds bytes.

// words splits a line; a quoted string is part of its word.
func words(line string) []string {
	return regexp.MustCompile(`(?:[^\s"]|"(?:[^"\\]|\\.)*")+`).FindAllString(line, -1)
}

// args are the key=value words of a line.
type args struct {
	pairs [][2]string
	used  []bool
	err   error
}

func newArgs(words []string) *args {
	a := &args{used: make([]bool, len(words))}
	for _, w := range words {
		key, value, ok := strings.Cut(w, "=")
		if !ok {
			a.fail("%q is not key=value", w)
		}
		a.pairs = append(a.pairs, [2]string{key, value})
	}
	return a
}

func (a *args) fail(format string, v ...any) {
	if a.err == nil {
		a.err = fmt.Errorf(format, v...)
	}
}

// all returns the values of a key, in order.
func (a *args) all(key string) (out []string) {
	for i, p := range a.pairs {
		if p[0] == key {
			a.used[i] = true
			out = append(out, p[1])
		}
	}
	return out
}

func (a *args) text(key, missing string) string {
	if v := a.all(key); len(v) > 0 {
		return v[0]
	}
	return missing
}

// done returns the first error, which may be a key nobody asked for.
func (a *args) done() error {
	for i, used := range a.used {
		if !used {
			a.fail("unknown key %q", a.pairs[i][0])
		}
	}
	return a.err
}

// num overwrites an integer if the key is there.
func num[T uint8 | uint16 | uint32 | uint64 | int64 | int](a *args, key string, into *T) {
	for _, v := range a.all(key) {
		n, err := strconv.ParseUint(v, 0, 64)
		if err != nil || uint64(T(n)) != n {
			a.fail("%s=%s is not a number that fits", key, v)
		}
		*into = T(n)
	}
}

var protocolNames = map[string][32]byte{
	"superscalar": wire.Codec{}.SuperScalarID(),
	"loopback":    wire.Codec{}.LoopbackID(),
	"toy":         toyID,
}

var repeated = regexp.MustCompile(`^([0-9a-f]{2})\*(\d+)$`)

func (a *args) bytesOf(s string) (out []byte) {
	if s == "" {
		return []byte{}
	}
	for piece := range strings.SplitSeq(s, "+") {
		id, isProtocol := protocolNames[piece]
		number, isPoint := strings.CutPrefix(piece, "point:")
		rep := repeated.FindStringSubmatch(piece)
		var b []byte
		var err error
		switch {
		case isProtocol:
			b = id[:]
		case isPoint:
			var n int
			n, err = strconv.Atoi(number)
			p := point(uint32(n))
			b = p[:]
		case rep != nil:
			b, _ = hex.DecodeString(rep[1])
			n, _ := strconv.Atoi(rep[2])
			b = bytes.Repeat(b, n)
		case piece[0] == '"':
			var text string
			text, err = strconv.Unquote(piece)
			b = []byte(text)
		default:
			b, err = hex.DecodeString(piece)
		}
		if err != nil {
			a.fail("bytes %q: %v", piece, err)
		}
		out = append(out, b...)
	}
	return out
}

func (a *args) bytes(key string, into *[]byte) {
	for _, v := range a.all(key) {
		*into = a.bytesOf(v)
	}
}

func array32[T ~[32]byte](a *args, key string, into *T) {
	for _, v := range a.all(key) {
		b := a.bytesOf(v)
		if len(b) == 1 {
			b = bytes.Repeat(b, 32)
		}
		if len(b) != 32 {
			a.fail("%s=%s is not 1 or 32 bytes", key, v)
			return
		}
		*into = T(b)
	}
}

// features reads bit numbers with commas between them, or hex after 0x.
func (a *args) features(key string, into *wire.Features) {
	for _, v := range a.all(key) {
		if digits, ok := strings.CutPrefix(v, "0x"); ok {
			*into = a.bytesOf(digits)
			continue
		}
		if v == "absent" {
			*into = nil
			continue
		}
		*into = wire.Features{}
		for _, word := range strings.FieldsFunc(v, func(r rune) bool { return r == ',' }) {
			bit, err := strconv.Atoi(word)
			if err != nil {
				a.fail("%s: %v", key, err)
			}
			*into = into.With(wire.Feature(bit))
		}
	}
}

// ids reads protocols with commas between them.
func (a *args) ids(key string) [][32]byte {
	out := [][32]byte{}
	for _, v := range a.all(key) {
		for _, word := range strings.FieldsFunc(v, func(r rune) bool { return r == ',' }) {
			b := a.bytesOf(word)
			if len(b) == 1 {
				b = bytes.Repeat(b, 32)
			}
			if len(b) != 32 {
				a.fail("%s: %q is not 1 or 32 bytes", key, word)
				return nil
			}
			out = append(out, [32]byte(b))
		}
	}
	return out
}

// message reads NAME key=value ... and returns the bytes.
func message(codec wire.Codec, line []string) ([]byte, error) {
	if len(line) == 0 {
		return nil, fmt.Errorf("recv without a message")
	}
	a := newArgs(line[1:])
	var envelope wire.MsgType = codec.Envelope
	num(a, "envelope", (*uint16)(&envelope))
	codec.Envelope = envelope
	var raw []byte
	if line[0] == "raw" {
		a.bytes("bytes", &raw)
	} else {
		m := build(line[0], a)
		if m == nil {
			return nil, fmt.Errorf("unknown message %q", line[0])
		}
		var err error
		if raw, err = codec.Encode(m); err != nil {
			return nil, err
		}
	}
	for _, r := range a.records() {
		raw = append(raw, r...)
	}
	var cut int
	num(a, "cut", &cut)
	var tail []byte
	a.bytes("tail", &tail)
	if cut > len(raw) {
		a.fail("cut=%d of %d bytes", cut, len(raw))
		cut = 0
	}
	return slices.Concat(raw[:len(raw)-cut], tail), a.done()
}

// records encodes every record=TYPE:BYTES.
func (a *args) records() (out [][]byte) {
	for _, v := range a.all("record") {
		number, value, _ := strings.Cut(v, ":")
		typ, err := strconv.ParseUint(number, 0, 64)
		if err != nil {
			a.fail("record=%s: %v", v, err)
		}
		b, err := wire.Codec{}.AppendStream(nil, wire.Stream{{Type: typ, Value: a.bytesOf(value)}})
		if err != nil {
			a.fail("record=%s: %v", v, err)
		}
		out = append(out, b)
	}
	return out
}
