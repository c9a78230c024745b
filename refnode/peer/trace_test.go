package peer_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"superscalar/refnode/peer"
	"superscalar/refnode/plugin"
	"superscalar/wire"
	"superscalar/wire/rule"
)

var rewrite = flag.Bool("rewrite", false, "write what the node does into the traces, for a reviewer to read in the diff")

// TestTraces plays the conversations in testdata. A trace is text: a sentence
// of intent on top, then commands, and under each, indented, what the node
// does. The commands:
//
//	start [envelope=N] [features=BITS] [plugins=NAMES] [keys=fail] [ids=fail]
//	       a new node and connection: what it does unasked
//	node   the same, silently
//	ready  exchanges init and the lists of protocols, silently
//	recv   a message from the peer, see script_test.go
//	sell N the LSP proposes a channel of N sat
//	open N the peer opens N channels, with the ids 1 to N: the answers, counted
//	attempts
//	       how many channels are being opened
func TestTraces(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no traces: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, string(want))
			if *rewrite {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			compare(t, path, strings.Split(string(want), "\n"), strings.Split(got, "\n"))
		})
	}
}

// compare shows the first line that differs, after the command it is under.
func compare(t *testing.T, path string, want, got []string) {
	command := ""
	for i := range max(len(want), len(got)) {
		var w, g string
		if i < len(want) {
			w = want[i]
		}
		if i < len(got) {
			g = got[i]
		}
		if w != g {
			t.Fatalf("%s:%d: after %q\nwant %q\ngot  %q", path, i+1, command, w, g)
		}
		if !strings.HasPrefix(w, " ") {
			command = w
		}
	}
}

const indent = "    "

// replay returns a trace with the actions of this node.
func replay(t *testing.T, trace string) string {
	if !strings.HasPrefix(trace, "# ") {
		t.Fatal("a trace begins with a sentence of intent")
	}
	var out strings.Builder
	var s *session
	for number, line := range strings.Split(strings.TrimSuffix(trace, "\n"), "\n") {
		if strings.HasPrefix(line, indent) {
			continue // what the node did when the trace was written
		}
		fmt.Fprintln(&out, line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		w := words(line)
		if w[0] == "start" || w[0] == "node" {
			var err error
			if s, err = newSession(t, w[1:]); err != nil {
				t.Fatalf("line %d: %v", number+1, err)
			}
		}
		if s == nil {
			t.Fatalf("line %d: a trace begins with node", number+1)
		}
		result, err := s.command(w)
		if err != nil {
			t.Fatalf("line %d: %q: %v", number+1, line, err)
		}
		for _, r := range result {
			fmt.Fprintln(&out, indent+r)
		}
	}
	return out.String()
}

// session is one connection of a trace.
type session struct {
	t       *testing.T
	codec   wire.Codec
	ids     []wire.ProtocolID
	machine *peer.Machine
	closed  bool
}

func newSession(t *testing.T, options []string) (*session, error) {
	a := newArgs(options)
	s := &session{t: t}
	num(a, "envelope", (*uint16)(&s.codec.Envelope))
	cfg := config(s.codec)
	a.features("features", &cfg.Features)
	s.ids = [][32]byte{s.codec.LoopbackID(), s.codec.SuperScalarID()}
	if names := a.ids("plugins"); len(names) > 0 {
		s.ids = names
	}
	all := cfg.Plugins
	cfg.Plugins = nil
	for _, id := range s.ids {
		i := slices.IndexFunc(all, func(p plugin.Plugin) bool { return p.ProtocolID() == id })
		cfg.Plugins = append(cfg.Plugins, all[i])
	}
	if a.text("keys", "") == "fail" {
		cfg.Keys = func() (wire.ChannelKeys, error) { return wire.ChannelKeys{}, errNoRandomness }
	}
	if a.text("ids", "") == "fail" {
		cfg.TemporaryID = func() (wire.ChannelID, error) { return wire.ChannelID{}, errNoRandomness }
	}
	s.machine = peer.New(cfg, them)
	return s, a.done()
}

// command carries out one line.
func (s *session) command(w []string) ([]string, error) {
	switch w[0] {
	case "start":
		return s.actions(s.machine.Start()), nil
	case "node":
		s.actions(s.machine.Start())
		return nil, nil
	case "ready":
		first := s.actions(s.machine.Receive(encode(s.t, s.codec, build("init", newArgs(nil)))))
		second := s.actions(s.machine.Receive(encode(s.t, s.codec, &wire.SupportedProtocols{IDs: s.ids})))
		if s.closed || len(first) != 2 || len(second) != 0 {
			return nil, fmt.Errorf("not ready: %q %q", first, second)
		}
		return nil, nil
	case "recv":
		raw, err := message(s.codec, w[1:])
		if err != nil {
			return nil, err
		}
		out := s.actions(s.machine.Receive(raw))
		if len(out) == 0 {
			out = []string{"(nothing)"}
		}
		return out, nil
	case "sell":
		return s.sell(w)
	case "open":
		return s.open(w)
	case "attempts":
		return []string{strconv.Itoa(s.machine.Pending())}, nil
	}
	return nil, fmt.Errorf("unknown command")
}

func (s *session) sell(w []string) ([]string, error) {
	if len(w) != 2 {
		return nil, errors.New("sell SAT")
	}
	amount, err := strconv.ParseUint(w[1], 10, 64)
	if err != nil {
		return nil, err
	}
	actions, err := s.machine.Sell(amount)
	if err != nil {
		if len(actions) > 0 {
			s.t.Errorf("%q: actions beside error %v", w, err)
		}
		return []string{"error: " + err.Error()}, nil
	}
	return s.actions(actions), nil
}

// open counts the answers to many open_channel.
func (s *session) open(w []string) ([]string, error) {
	if len(w) != 2 {
		return nil, errors.New("open N")
	}
	n, err := strconv.Atoi(w[1])
	if err != nil {
		return nil, err
	}
	var names []string
	count := map[string]int{}
	for id := 1; id <= n; id++ {
		for _, a := range s.actions(s.machine.Receive(encode(s.t, s.codec, goodOpen(byte(id))))) {
			name := regexp.MustCompile(` (id|channel)=[0-9a-f]{2}| keys=#\d+`).ReplaceAllString(a, "")
			if count[name]++; count[name] == 1 {
				names = append(names, name)
			}
		}
	}
	for i, name := range names {
		names[i] = fmt.Sprintf("%d times %s", count[name], name)
	}
	return names, nil
}

// actions renders what the node does, and checks what no trace may show: a
// word after the close, a close without a reason, a rule that does not exist.
func (s *session) actions(actions []peer.Action) (out []string) {
	for _, a := range actions {
		if s.closed {
			s.t.Errorf("after the close: %s", render(s.codec, a))
		}
		if c, ok := a.(peer.Close); ok {
			s.closed = true
			checkClose(s.t, c)
		}
		out = append(out, render(s.codec, a))
	}
	return out
}

func checkClose(t interface{ Errorf(string, ...any) }, c peer.Close) {
	if c.Rule == "" && c.Reason == "" {
		t.Errorf("a close without rule and reason")
	}
	if _, ok := rule.Embedded().Lookup(c.Rule); c.Rule != "" && !ok {
		t.Errorf("a close for %s, which SPEC.md does not have", c.Rule)
	}
}

// Every reaction of this package that ends a connection is in a trace.
func TestTracesShowEveryClose(t *testing.T) {
	var all strings.Builder
	paths, _ := filepath.Glob("testdata/*.txt")
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	for _, id := range []rule.ID{
		rule.TRN021, rule.TRN022, rule.TRN023, rule.TRN052, rule.TRN053, rule.TRN054, rule.TRN057, rule.TRN063, rule.TRN065,
		rule.PCF003, rule.PCF010, rule.PCF012, rule.PCF013, rule.PCF015, rule.PCF017, rule.PCF022, rule.PCF024, rule.PCF025, rule.PCF028,
		rule.PCF030, rule.PCF031, rule.PCF032, rule.PCF041, rule.PCF043, rule.PCF044, rule.PCF058, rule.PCF068,
		rule.PCF100, rule.PCF101, rule.PCF102, rule.PCF103, rule.PCF104, rule.PCF105,
	} {
		if !strings.Contains(all.String(), "\n"+indent+"close "+string(id)+": ") {
			t.Errorf("no trace closes for %s", id)
		}
	}
}
