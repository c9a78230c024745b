package corerpc

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"superscalar/refnode/chain"
)

// TestChanged makes each kind of change and looks once.
func TestChanged(t *testing.T) {
	node := newNode(t)
	ticks := make(chan time.Time)
	options := node.options()
	options.Ticks = ticks
	c := connect(t, options)
	tick := func() { ticks <- time.Time{}; ticks <- time.Time{} } // the second is taken when the first look is over
	quiet := func(name string) {
		t.Helper()
		before := c.Changed()
		tick()
		select {
		case <-before:
			t.Errorf("%s: told of a change", name)
		default:
		}
	}
	told := func(name string, change func()) {
		t.Helper()
		before := c.Changed()
		change()
		tick()
		select {
		case <-before:
		default:
			t.Errorf("%s: not told", name)
		}
	}
	quiet("nothing")
	told("mempool", func() { node.set("getrawmempool", result(`{"txids":[],"mempool_sequence":8}`)) })
	quiet("after the mempool")
	told("block", func() { node.set("getbestblockhash", result(`"`+block2.String()+`"`)) })
	told("node gone", func() { node.set("getbestblockhash", plain(503, "")) })
	quiet("node still gone")
	told("node back", func() { node.set("getbestblockhash", result(`"`+block2.String()+`"`)) })
	withoutCounter := func(w http.ResponseWriter, id, params json.RawMessage) {
		if strings.Contains(string(params), ",") {
			failure(-32602, "too many params (expected 1, received 2)")(w, id, params)
			return
		}
		result(`["`+waiting.String()+`"]`)(w, id, params)
	}
	told("node without a counter", func() { node.set("getrawmempool", withoutCounter) })
	quiet("node without a counter, no change")

	before := c.Changed()
	c.Close()
	<-before
	<-c.Changed()
	if _, err := c.Tip(t.Context()); !errors.Is(err, chain.ErrClosed) {
		t.Errorf("after close: %v", err)
	}
}

// TestCookie restarts a node: it has a new password, and the file has it too.
func TestCookie(t *testing.T) {
	node := newNode(t)
	options := node.options()
	options.User, options.Password = "", ""
	options.CookieFile = filepath.Join(t.TempDir(), ".cookie")
	write := func(text string) {
		if err := os.WriteFile(options.CookieFile, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, bad := range []string{"", "user", "user:", ":secret"} {
		write(bad)
		if _, err := New(t.Context(), options); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("cookie %q: %v", bad, err)
		}
	}
	write("user:secret\n")
	c := connect(t, options)
	node.mu.Lock()
	node.password = "fresh"
	node.mu.Unlock()
	if _, err := c.Tip(t.Context()); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("before the file is written: %v", err)
	}
	write("user:fresh")
	if _, err := c.Tip(t.Context()); err != nil {
		t.Errorf("after the file is written: %v", err)
	}
}

// TestClosedNode asks a node that has gone.
func TestClosedNode(t *testing.T) {
	node := newNode(t)
	c := connect(t, node.options())
	node.server.Close()
	if _, err := c.Tip(t.Context()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v", err)
	}
	if _, err := New(t.Context(), node.options()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("new: got %v", err)
	}
}

// TestCloseDuringCall ends a call that would never end.
func TestCloseDuringCall(t *testing.T) {
	node := newNode(t)
	c := connect(t, node.options())
	asked, release := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(release) })
	node.set("getbestblockhash", func(http.ResponseWriter, json.RawMessage, json.RawMessage) { close(asked); <-release })
	failed := make(chan error)
	go func() {
		_, err := c.Tip(t.Context())
		failed <- err
	}()
	<-asked
	c.Close()
	if err := <-failed; !errors.Is(err, chain.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
