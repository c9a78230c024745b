package transport

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/google/go-cmp/cmp"
	"superscalar/wire/rule"
)

// hexBytes is a byte string written as hexadecimal digits in JSON.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) error {
	raw, err := hex.DecodeString(string(text))
	*h = raw

	return err
}

// handshakeCase is one handshake of the appendix.
type handshakeCase struct {
	Name           string   `json:"name"`
	Role           string   `json:"role"`
	LocalKey       hexBytes `json:"local_key"`
	LocalID        hexBytes `json:"local_id"`
	RemoteID       hexBytes `json:"remote_id"`
	EphemeralKey   hexBytes `json:"ephemeral_key"`
	EphemeralPoint hexBytes `json:"ephemeral_point"`
	SendKey        hexBytes `json:"send_key"`
	ReceiveKey     hexBytes `json:"receive_key"`
	Steps          []struct {
		Feed   hexBytes `json:"feed"`
		Answer hexBytes `json:"answer"`
		Fails  string   `json:"fails"`
	} `json:"steps"`
}

// frameCase is one frame of the message test.
type frameCase struct {
	Index int      `json:"index"`
	Frame hexBytes `json:"frame"`
}

// appendixA is the file with the figures of BOLT 8.
type appendixA struct {
	Source     string          `json:"source"`
	Handshakes []handshakeCase `json:"handshakes"`
	Messages   struct {
		Note          string      `json:"note"`
		Plain         hexBytes    `json:"plain"`
		FromInitiator []frameCase `json:"from_initiator"`
		FromResponder []frameCase `json:"from_responder"`
	} `json:"messages"`
}

func loadAppendixA(t *testing.T) appendixA {
	t.Helper()
	raw, err := os.ReadFile("testdata/bolt8.json")
	if err != nil {
		t.Fatal(err)
	}
	var a appendixA
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil {
		t.Fatal(err)
	}
	if len(a.Handshakes) != 15 {
		t.Fatalf("%d handshakes in the file, the appendix has 15",
			len(a.Handshakes))
	}

	return a
}

// machine builds the side that a case describes.
func (c handshakeCase) machine(t *testing.T, rules rule.Set) *Machine {
	t.Helper()
	local, _ := btcec.PrivKeyFromBytes(c.LocalKey)
	ephemeral, point := btcec.PrivKeyFromBytes(c.EphemeralKey)
	if got := point.SerializeCompressed(); !bytes.Equal(got, c.EphemeralPoint) {
		t.Fatalf("ephemeral point %x, want %x", got, c.EphemeralPoint)
	}
	var (
		m   *Machine
		err error
	)
	switch c.Role {
	case "initiator":
		m, err = NewInitiator(local, NodeID(c.RemoteID), ephemeral, rules)
	case "responder":
		m, err = NewResponder(local, ephemeral, rules)
	default:
		t.Fatalf("unknown role %q", c.Role)
	}
	if err != nil {
		t.Fatal(err)
	}
	if m.LocalID() != NodeID(c.LocalID) {
		t.Fatalf("local id %s, want %x", m.LocalID(), c.LocalID)
	}

	return m
}

// step feeds an act, or starts the machine when there is none.
func step(m *Machine, act []byte) ([]byte, error) {
	if act == nil {
		return m.Start()
	}

	return m.Feed(act)
}

func TestAppendixAHandshakes(t *testing.T) {
	for _, c := range loadAppendixA(t).Handshakes {
		t.Run(c.Role+" "+c.Name, func(t *testing.T) {
			m := c.machine(t, rule.Set{})
			for i, s := range c.Steps {
				answer, err := step(m, s.Feed)
				var failed *HandshakeError
				errors.As(err, &failed)
				switch {
				case s.Fails == "" && err != nil:
					t.Fatalf("step %d: %v", i, err)
				case s.Fails != "" && failed == nil:
					t.Fatalf("step %d: got %v, want %s", i,
						err, s.Fails)
				case s.Fails != "" && failed.Class != s.Fails:
					t.Fatalf("step %d: got %s, want %s", i,
						failed.Class, s.Fails)
				case !bytes.Equal(answer, s.Answer):
					t.Fatalf("step %d: answer %x, want %x", i,
						answer, s.Answer)
				}
			}
			if last := c.Steps[len(c.Steps)-1]; m.Done() != (last.Fails == "") {
				t.Fatalf("done is %v", m.Done())
			}
		})
	}
}

// appendixPair completes the two successful handshakes of the appendix against
// each other.
func appendixPair(t *testing.T, rules rule.Set) (initiator, responder *Machine) {
	t.Helper()
	a := loadAppendixA(t)
	for _, c := range a.Handshakes {
		if c.SendKey == nil {
			continue
		}
		m := c.machine(t, rules)
		for _, s := range c.Steps {
			if _, err := step(m, s.Feed); err != nil {
				t.Fatal(err)
			}
		}
		if c.Role == "initiator" {
			initiator = m
		} else {
			responder = m
		}
	}
	if responder.RemoteID() != initiator.LocalID() ||
		initiator.RemoteID() != responder.LocalID() {
		t.Fatal("the sides do not know each other")
	}

	return initiator, responder
}

func TestAppendixAMessages(t *testing.T) {
	a := loadAppendixA(t)
	initiator, responder := appendixPair(t, rule.Set{})
	for _, c := range []struct {
		name     string
		from, to *Machine
		frames   []frameCase
	}{
		{"from initiator", initiator, responder, a.Messages.FromInitiator},
		{"from responder", responder, initiator, a.Messages.FromResponder},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []frameCase
			for i, next := 0, 0; next < len(c.frames); i++ {
				frame, err := c.from.EncryptMessage(a.Messages.Plain)
				if err != nil {
					t.Fatal(err)
				}
				if i == c.frames[next].Index {
					got = append(got, frameCase{i, frame})
					next++
				}
				plain, rest, err := c.to.DecryptMessage(
					append(bytes.Clone(frame), "tail"...))
				if err != nil || string(rest) != "tail" ||
					!bytes.Equal(plain, a.Messages.Plain) {
					t.Fatalf("message %d: got %x, %x, %v", i,
						plain, rest, err)
				}
			}
			if diff := cmp.Diff(c.frames, got); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}

func TestFeedWrongSizes(t *testing.T) {
	for _, c := range []struct {
		name string
		size int
	}{
		{"nothing", 0}, {"one byte", 1}, {"one short", 49},
		{"one long", 51}, {"act three", 66}, {"huge", 70000},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := NewResponder(testKey(serverKey), nil, rule.Set{})
			if err != nil {
				t.Fatal(err)
			}
			_, err = m.Feed(make([]byte, c.size))
			wantClass(t, err, Act1ReadFailed)
			if _, err = m.Feed(firstAct(t)); !errors.Is(err, ErrOutOfTurn) {
				t.Fatalf("a failed machine goes on: %v", err)
			}
		})
	}
}

// wantClass fails unless err is a HandshakeError of the class.
func wantClass(t *testing.T, err error, class string) {
	t.Helper()
	var failed *HandshakeError
	if !errors.As(err, &failed) || failed.Class != class {
		t.Fatalf("got %v, want %s", err, class)
	}
}

func TestFeedKeepsItsInput(t *testing.T) {
	m, err := NewResponder(testKey(serverKey), nil,
		rule.Without(ruleVersion))
	if err != nil {
		t.Fatal(err)
	}
	act := firstAct(t)
	act[0] = 7
	before := bytes.Clone(act)
	if _, err := m.Feed(act); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(act, before) {
		t.Fatal("the act was changed")
	}
}

func TestOutOfTurn(t *testing.T) {
	initiator, responder := appendixPair(t, rule.Set{})
	fresh, err := NewResponder(testKey(serverKey), nil, rule.Set{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		call func() error
	}{
		{"start twice", func() error {
			_, err := initiator.Start()
			return err
		}},
		{"feed when done", func() error {
			_, err := responder.Feed(make([]byte, 66))
			return err
		}},
		{"encrypt before", func() error {
			_, err := fresh.EncryptMessage(nil)
			return err
		}},
		{"decrypt before", func() error {
			_, _, err := fresh.DecryptMessage(make([]byte, 34))
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.call(); !errors.Is(err, ErrOutOfTurn) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestMachineNeedsKeys(t *testing.T) {
	if _, err := NewResponder(nil, nil, rule.Set{}); !errors.Is(err, ErrNoKey) {
		t.Errorf("responder: %v", err)
	}
	_, err := NewInitiator(nil, testID(serverKey), nil, rule.Set{})
	if !errors.Is(err, ErrNoKey) {
		t.Errorf("initiator: %v", err)
	}
	_, err = NewInitiator(testKey(clientKey), NodeID{}, nil, rule.Set{})
	if !errors.Is(err, ErrNodeID) {
		t.Errorf("zero node id: %v", err)
	}
}

func TestDecryptErrors(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func([]byte) []byte
		want  error
	}{
		{"nothing", func(f []byte) []byte { return nil }, io.EOF},
		{"one byte", func(f []byte) []byte { return f[:1] }, io.ErrUnexpectedEOF},
		{"header less one", func(f []byte) []byte { return f[:17] }, io.ErrUnexpectedEOF},
		{"header alone", func(f []byte) []byte { return f[:18] }, io.ErrUnexpectedEOF},
		{"all but one", func(f []byte) []byte { return f[:len(f)-1] }, io.ErrUnexpectedEOF},
		{"header forged", func(f []byte) []byte { f[0] ^= 1; return f }, ErrBadMAC},
		{"header tag forged", func(f []byte) []byte { f[17] ^= 1; return f }, ErrBadMAC},
		{"body forged", func(f []byte) []byte { f[18] ^= 1; return f }, ErrBadMAC},
		{"body tag forged", func(f []byte) []byte { f[len(f)-1] ^= 1; return f }, ErrBadMAC},
	} {
		t.Run(c.name, func(t *testing.T) {
			from, to := appendixPair(t, rule.Set{})
			frame, err := from.EncryptMessage([]byte("hello"))
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = to.DecryptMessage(c.spoil(frame))
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestMessageSizes(t *testing.T) {
	from, to := appendixPair(t, rule.Set{})
	for _, size := range []int{0, 1, 2, 65534, 65535, 65536, 65537} {
		plain := bytes.Repeat([]byte{0xa5}, size)
		frame, err := from.EncryptMessage(plain)
		if size > MaxMessageSize {
			if !errors.Is(err, ErrMessageTooLarge) {
				t.Errorf("%d bytes: got %v", size, err)
			}
			continue
		}
		if err != nil || len(frame) != size+34 {
			t.Fatalf("%d bytes: %d bytes of frame, %v", size,
				len(frame), err)
		}
		got, rest, err := to.DecryptMessage(frame)
		if err != nil || len(rest) != 0 || !bytes.Equal(got, plain) {
			t.Fatalf("%d bytes: got %d, %v", size, len(got), err)
		}
	}
}
