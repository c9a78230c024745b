package peer_test

import (
	"bytes"
	"testing"

	"superscalar/refnode/peer"
	"superscalar/wire"
)

// referee feeds a machine and checks what holds for every conversation,
// whatever the peer sends.
type referee struct {
	t interface {
		Helper()
		Fatalf(string, ...any)
	}
	codec    wire.Codec
	machine  *peer.Machine
	started  bool // init was sent
	heard    bool // init was received and accepted
	offered  bool // the peer's init offers factories
	listed   bool // supported_factory_protocols was sent
	closed   bool
	allDone  []peer.Action // everything the machine did
	received []byte        // the last message
}

// mostAttempts is what SPEC.md leaves to the node, and this node's promise.
const mostAttempts = 64

func (r *referee) start() { r.check(r.machine.Start()) }

func (r *referee) receive(raw []byte) {
	r.t.Helper()
	r.received = raw
	before := bytes.Clone(raw)
	if typ, _ := wire.TypeOf(raw); typ == wire.TypeInit && !r.heard {
		if m, err := r.codec.Decode(raw); err == nil {
			r.offered = m.(*wire.Init).All().Offers(wire.FeatureFactories)
		}
	}
	r.check(r.machine.Receive(raw))
	if !bytes.Equal(raw, before) {
		r.t.Fatalf("Receive changed the message %x into %x", before, raw)
	}
	if r.machine.Ready() {
		r.heard = true
	}
}

func (r *referee) sell(amountSat uint64) {
	r.t.Helper()
	actions, err := r.machine.Sell(amountSat)
	if err != nil && len(actions) > 0 {
		r.t.Fatalf("actions beside error %v", err)
	}
	r.check(actions)
}

func (r *referee) check(actions []peer.Action) {
	r.t.Helper()
	for _, a := range actions {
		if r.closed {
			r.t.Fatalf("after the close, on %x: %s", r.received, render(r.codec, a))
		}
		r.action(a)
	}
	if n := r.machine.Pending(); n > mostAttempts {
		r.t.Fatalf("%d channels being opened", n)
	}
	r.allDone = append(r.allDone, actions...)
}

func (r *referee) action(a peer.Action) {
	r.t.Helper()
	switch a := a.(type) {
	case peer.Send:
		r.sent(a.Message)
	case peer.Event:
		if i := firstUnprintable(a.Text); i >= 0 || len(a.Text) > 1000 {
			r.t.Fatalf("an event of %d bytes, byte %d is not printable: %q", len(a.Text), i, a.Text)
		}
	case peer.Close:
		r.closed = true
		if a.Rule == "" && a.Reason == "" {
			r.t.Fatalf("a close without rule and reason")
		}
	}
}

// sent checks a message of the node: it decodes, init is the first and is
// sent once, nothing else comes before the peer's init, the list of protocols
// is the first factory message and is sent once, and factory messages go only
// to a peer that knows them.
func (r *referee) sent(raw []byte) {
	r.t.Helper()
	m, err := r.codec.Decode(raw)
	if err != nil {
		r.t.Fatalf("sent %x, which does not decode: %v", raw, err)
	}
	_, isInit := m.(*wire.Init)
	_, isList := m.(*wire.SupportedProtocols)
	_, isFactory := m.(wire.FactoryMessage)
	switch {
	case isInit == r.started:
		r.t.Fatalf("init is sent first, and once; sent %s", m.Name())
	case isInit:
		r.started = true
		return
	case !r.heard && !r.machineHeardInit():
		r.t.Fatalf("sent %s before the peer's init", m.Name())
	case isFactory && !r.offered:
		r.t.Fatalf("sent %s to a peer without the feature", m.Name())
	case isFactory && isList == r.listed:
		r.t.Fatalf("the list of protocols is sent first, and once; sent %s", m.Name())
	case isList:
		r.listed = true
	}
	if text := notice(m); firstUnprintable(text) >= 0 {
		r.t.Fatalf("%s with unprintable text %q", m.Name(), text)
	}
}

// machineHeardInit: the message being answered is an init.
func (r *referee) machineHeardInit() bool {
	typ, err := wire.TypeOf(r.received)
	return err == nil && typ == wire.TypeInit
}

func notice(m wire.Message) string {
	switch m := m.(type) {
	case *wire.ErrorMessage:
		return string(m.Data)
	case *wire.Warning:
		return string(m.Data)
	}
	return ""
}

// firstUnprintable returns the index of the first byte outside 32 to 126, -1
// when there is none.
func firstUnprintable(s string) int {
	for i := range len(s) {
		if s[i] < 32 || s[i] > 126 {
			return i
		}
	}
	return -1
}

// Whatever a peer puts into error, warning and init, the log gets one short
// printable line of it (TRN-073).
func TestEventsArePrintable(t *testing.T) {
	var every []byte
	for b := range 256 {
		every = append(every, byte(b))
	}
	for _, tt := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, ""},
		{"plain", []byte("all 100% fine ~"), "all 100% fine ~"},
		{"new line", []byte("a\nlevel=error"), `a\nlevel=error`},
		{"terminal escape", []byte("\x1b[31mred"), `\x1b[31mred`},
		{"carriage return and bell", []byte("\r\a"), `\r\a`},
		{"delete", []byte{127}, `\x7f`},
		{"backslash and quote", []byte(`\x41"`), `\\x41\"`},
		{"broken UTF-8", []byte{0xff, 0xc3}, `\xff\xc3`},
		{"right to left", []byte("\u202e"), `\u202e`},
		{"line separator", []byte("\u2028"), `\u2028`},
		{"beyond the plane", []byte("\U0001f600"), `\U0001f600`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, m := range []wire.Message{&wire.ErrorMessage{ChannelID: fill(5), Data: tt.data}, &wire.Warning{Data: tt.data}} {
				if got, want := eventOf(t, m), m.Name()+": "+tt.want; got != want {
					t.Errorf("event %q, want %q", got, want)
				}
			}
		})
	}
	for _, data := range [][]byte{every, bytes.Repeat([]byte{0}, 60_000), bytes.Repeat([]byte("\U0001f600"), 100)} {
		got := eventOf(t, &wire.ErrorMessage{Data: data})
		if i := firstUnprintable(got); i >= 0 || len(got) > 2100 {
			t.Errorf("%d bytes became %d, byte %d is not printable", len(data), len(got), i)
		}
	}
}

// A peer that sets every odd feature bit does not fill the disk of the log.
func TestReadyEventIsShort(t *testing.T) {
	got := eventOf(t, nil, &wire.Init{Features: bytes.Repeat([]byte{0xaa}, 60_000)})
	if firstUnprintable(got) >= 0 || len(got) > 300 {
		t.Errorf("the event has %d bytes: %.300s", len(got), got)
	}
}

// eventOf returns the text of the one event that a message causes, after init
// unless the message is an init.
func eventOf(t *testing.T, messages ...wire.Message) string {
	t.Helper()
	m := peer.New(config(wire.Codec{}), them)
	m.Start()
	if messages[0] != nil {
		m.Receive(encode(t, wire.Codec{}, build("init", newArgs(nil))))
	}
	var events []string
	for _, msg := range messages {
		if msg == nil {
			continue
		}
		for _, a := range m.Receive(encode(t, wire.Codec{}, msg)) {
			if e, ok := a.(peer.Event); ok {
				events = append(events, e.Text)
			}
		}
	}
	if len(events) != 1 {
		t.Fatalf("%d events", len(events))
	}
	return events[0]
}
