package harness_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/harness"
	"superscalar/harness/report"
	"superscalar/refnode/node"
	"superscalar/refnode/transport"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// fake is a target that speaks init and ping, and does with message 40001 what
// the test says.
type fake struct {
	t     *testing.T
	ln    *transport.Listener
	react func(*transport.Conn) (alive bool)
}

func startFake(t *testing.T, react func(*transport.Conn) bool) *fake {
	t.Helper()
	key, _ := btcec.PrivKeyFromBytes([]byte{31: 9})
	ln, err := transport.Listen("127.0.0.1:0", transport.Options{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{t: t, ln: ln, react: react}
	go func() {
		for {
			c, err := ln.Accept(context.Background())
			if err != nil {
				return
			}
			go f.serve(c)
		}
	}()
	t.Cleanup(func() { ln.Close() })
	return f
}

func (f *fake) serve(c *transport.Conn) {
	defer c.Close()
	say(c, &wire.Init{Features: wire.NewFeatures(1), Networks: [][32]byte{node.Regtest}})
	for {
		raw, err := c.ReadMessage()
		if err != nil {
			return
		}
		m, _ := wire.Codec{}.Decode(raw)
		switch m := m.(type) {
		case *wire.Ping:
			say(c, &wire.Pong{Ignored: make([]byte, m.NumPongBytes)})
		case *wire.Unknown:
			if !f.react(c) {
				return
			}
		}
	}
}

func say(c *transport.Conn, m wire.Message) {
	b, _ := wire.Codec{}.Encode(m)
	_ = c.WriteMessage(b)
}

func (f *fake) Kind() string               { return "fake" }
func (f *fake) Tier() harness.Tier         { return harness.Wire }
func (f *fake) Roles() []harness.Role      { return []harness.Role{node.LSP} }
func (f *fake) Release(harness.Node)       {}
func (f *fake) Close() error               { return nil }
func (f *fake) Address() transport.Address { return f.ln.Address() }
func (f *fake) Version() string            { return "fake" }
func (f *fake) Acquire(context.Context, harness.Role, [32]byte) (harness.Node, error) {
	return f, nil
}

func warnFirst(c *transport.Conn) bool { say(c, &wire.Warning{Data: []byte("hm")}); return true }
func errFirst(c *transport.Conn) bool  { say(c, &wire.ErrorMessage{Data: []byte("no")}); return true }

// The reactions a target can have are told apart, whatever the case wants.
func TestOutcomes(t *testing.T) {
	forever := make(chan struct{})
	t.Cleanup(func() { close(forever) })
	for _, c := range []struct {
		name  string
		react func(*transport.Conn) bool
		want  harness.Outcome
	}{
		{"ignored", func(*transport.Conn) bool { return true }, harness.Ignored},
		{"warned", warnFirst, harness.Warned},
		{"errored", errFirst, harness.Errored},
		{"closed", func(*transport.Conn) bool { return false }, harness.Closed},
		{"warned and closed", func(c *transport.Conn) bool { warnFirst(c); return false }, harness.WarnedClosed},
		{"errored and closed", func(c *transport.Conn) bool { errFirst(c); return false }, harness.ErroredClosed},
		{"hung", func(*transport.Conn) bool { <-forever; return false }, harness.Hung},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := startFake(t, c.react)
			for _, allowed := range []harness.Outcome{harness.Ignored, harness.Warned, harness.Errored, harness.Closed, harness.WarnedClosed, harness.ErroredClosed} {
				result, got := provoke(t, target, allowed)
				if got != c.want {
					t.Errorf("outcome %q, want %q", got, c.want)
				}
				if passed := result.State == report.Passed; passed != (allowed == c.want) {
					t.Errorf("allowed %q, happened %q: the case %s", allowed, c.want, result.State)
				}
			}
		})
	}
}

// provoke runs a case that allows one outcome and returns what it saw.
func provoke(t *testing.T, target harness.Target, allowed harness.Outcome) (report.Case, harness.Outcome) {
	t.Helper()
	var got harness.Outcome
	cs := []harness.Case{{
		Name: "trn/messages/test", Summary: "A test.", Rules: []rule.ID{rule.TRN020},
		Body: func(p *harness.Play) {
			r := p.Connect().Provoke(rule.TRN020, harness.Stimulus{Raw: []byte{0x9c, 0x41}, What: "a test"}, allowed)
			got = r.Outcome
		},
	}}
	run := &harness.Runner{Target: target, Opts: harness.Options{Deadline: time.Second}}
	results := run.RunAll(t.Context(), harness.Select(cs, target, run.Opts), 1)
	if err := run.Broken(); err != nil {
		t.Fatal(err)
	}
	return results[0], got
}

// A reaction that comes after the pong is still seen where the target is known
// to answer from another thread.
func TestLateReactions(t *testing.T) {
	pinged := make(chan struct{}, 1)
	target := startFake(t, func(c *transport.Conn) bool {
		go func() {
			<-pinged
			say(c, &wire.ErrorMessage{Data: []byte("late")})
		}()
		return true
	})
	cs := []harness.Case{{
		Name: "trn/messages/late", Summary: "A test.", Rules: []rule.ID{rule.TRN020},
		Body: func(p *harness.Play) {
			c := p.Connect()
			c.SendRaw([]byte{0x9c, 0x41})
			c.Control() // the pong is here, the error is not
			pinged <- struct{}{}
			if r := c.Provoke(rule.TRN020, harness.Stimulus{Raw: []byte{0x9c, 0x43}, What: "a test"}, harness.Errored); r.Outcome != harness.Errored {
				t.Errorf("outcome %q", r.Outcome)
			}
		},
	}}
	run := &harness.Runner{Target: target, Opts: harness.Options{Deadline: 5 * time.Second, Settle: 5 * time.Second}}
	if r := run.RunAll(t.Context(), harness.Select(cs, target, run.Opts), 1); r[0].State != report.Passed {
		t.Errorf("%s: %v", r[0].State, r[0].Failures)
	}
}

// A panic in a case is the suite's defect, not the target's.
func TestABrokenCaseIsTheSuitesFault(t *testing.T) {
	target := startFake(t, func(*transport.Conn) bool { return true })
	cs := []harness.Case{{Name: "trn/messages/panic", Summary: "A test.", Rules: []rule.ID{rule.TRN020}, Body: func(*harness.Play) { panic("oops") }}}
	run := &harness.Runner{Target: target, Opts: harness.Options{Deadline: time.Second}}
	run.RunAll(t.Context(), harness.Select(cs, target, run.Opts), 1)
	if run.Broken() == nil {
		t.Error("the runner did not notice")
	}
}

// Selection and order are functions of their arguments.
func TestSelectAndOrder(t *testing.T) {
	target := harness.NewRefnode(harness.RefnodeOptions{})
	body := func(*harness.Play) {}
	cs := []harness.Case{
		{Name: "b", Rules: []rule.ID{rule.TRN020}, Body: body},
		{Name: "a", Rules: []rule.ID{rule.TRN021}, Roles: []harness.Role{node.LSP}, Tier: harness.Driver, Body: body},
		{Name: "c", Rules: []rule.ID{rule.TRN022}, Profile: harness.Extended, Body: body},
	}
	names := func(opts harness.Options) (out []string) {
		for _, i := range harness.Select(cs, target, opts) {
			out = append(out, i.Name())
		}
		return out
	}
	for _, c := range []struct {
		name string
		opts harness.Options
		want []string
	}{
		{"all", harness.Options{}, []string{"a/lsp", "b/client", "b/lsp", "c/client", "c/lsp"}},
		{"one role", harness.Options{Roles: []harness.Role{node.Client}}, []string{"b/client", "c/client"}},
		{"tier wire", harness.Options{Tier: harness.Wire}, []string{"b/client", "b/lsp", "c/client", "c/lsp"}},
		{"core", harness.Options{Profile: harness.Core}, []string{"a/lsp", "b/client", "b/lsp"}},
	} {
		if got := names(c.opts); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	all := harness.Select(cs, target, harness.Options{})
	same := func(a, b []harness.Instance) bool { return slices.Equal(a, b) }
	if !same(harness.Order(all, true, 5), harness.Order(all, true, 5)) || same(harness.Order(all, true, 5), all) {
		t.Error("the shuffle is not a function of the seed, or does nothing")
	}
}
