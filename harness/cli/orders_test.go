package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"superscalar/refnode/control"
)

// A node obeys what is ordered from another process, whether it is started with
// --json or without, beside what it is told at its input; and stop ends it.
func TestOrdersFromAnotherTerminal(t *testing.T) {
	for _, mode := range []string{"--json", "--public"} { // --public changes nothing here
		t.Run(mode, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "n")
			p := start(t, "node", "client", "--datadir", dir, "--listen", "127.0.0.1:0", mode)
			lines := 1
			if mode != "--json" {
				lines = 3
			}
			for range lines {
				p.line()
			}
			for _, row := range []struct {
				args, out string
				code      int
				says      string
			}{
				{"status", "channels 0, 0 of them ready", 0, ""},
				{"status --json", `"ok":true`, 0, ""},
				{"channels", "no channel", 0, ""},
				{"invoice 5", "", 1, "the node has no channels"},
				{"invoice 5 --json", `"code":"unsupported"`, 1, ""},
				{"connect nobody", "", 1, "peer: "},
				{"open 02 1x", "", 2, `"1x" is not a whole number of sat`},
				{"pay", "", 2, "it is pay BOLT11 [SAT]; see 'superscalar cli pay --help'"},
				{"stop", "done", 0, ""},
			} {
				code, out, says := runProgram(append([]string{"cli", "--datadir", dir}, strings.Fields(row.args)...)...)
				if code != row.code || !strings.Contains(out, row.out) || !strings.Contains(says, row.says) || (row.says == "") != (says == "") {
					t.Errorf("%s: code %d, %q, %q", row.args, code, out, says)
				}
			}
			p.ended(ExitOK)
			if code, _, says := runProgram("cli", "status", "--datadir", dir); code != ExitUnreachable || !strings.Contains(says, "no node runs with data directory "+dir) {
				t.Errorf("after the end: code %d, %q", code, says)
			}
		})
	}
}

// A payment without an end is told apart from one that failed: what still can succeed must
// not be paid in another way.
func TestAPaymentInFlightHasItsOwnExitCode(t *testing.T) {
	for _, row := range []struct {
		err  error
		code int
		says string
	}{
		{fmt.Errorf("so: %w", control.ErrInFlight), ExitInFlight, `"in_flight":true`},
		{errors.New("the payment failed: no route"), ExitFailed, `"error":"the payment failed: no route","code":"failed"}`},
	} {
		dir := t.TempDir()
		s, err := control.Listen(filepath.Join(dir, control.SocketName))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			s.Serve(ctx, &typed{err: row.err})
		}()
		if code, out, says := runProgram("cli", "pay", "lnbcrt1", "--datadir", dir); code != row.code || out != "" || !strings.Contains(says, row.err.Error()) {
			t.Errorf("code %d, %q, %q", code, out, says)
		}
		if code, out, says := runProgram("cli", "pay", "lnbcrt1", "--datadir", dir, "--json"); code != row.code || !strings.Contains(out, row.says) || says != "" {
			t.Errorf("--json: code %d, %q, %q", code, out, says)
		}
		cancel()
		<-ended
	}
}

// A data directory whose path is too long for a socket has a node all the same.
func TestANodeWithoutASocket(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("x", 120))
	p := start(t, "node", "lsp", "--datadir", dir, "--listen", "127.0.0.1:0", "--json", "--log", filepath.Join(t.TempDir(), "log"))
	p.ready()
	p.ask(`{"id":1,"cmd":"stop"}`, `{"id":1,"ok":true}`)
	p.ended(ExitOK)
	if _, err := os.Lstat(filepath.Join(dir, control.SocketName)); err == nil {
		t.Error("there is a socket after all")
	}
}

func runProgram(args ...string) (code int, out, errOut string) {
	var o, e strings.Builder
	code = Main(args, strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}
