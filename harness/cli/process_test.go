package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/google/go-cmp/cmp"

	"superscalar/refnode/node"
	"superscalar/refnode/transport"
	"superscalar/wire"
)

// process is the program in a process of its own.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	errOut strings.Builder
}

// start starts the program. It is killed when the test does not end it.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*longest)
	p := &process{t: t, cmd: exec.CommandContext(ctx, self, args...)}
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	p.cmd.Stderr = &p.errOut
	p.in, err = p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = p.cmd.Wait()
	})
	return p
}

func (p *process) line() string {
	p.t.Helper()
	s, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatalf("no line on the standard output: %v; %q; error output %q", err, s, p.errOut.String())
	}
	return s
}

// ready waits until the node listens and says where.
func (p *process) ready() transport.Address {
	p.t.Helper()
	line := p.line()
	var r map[string]string
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		p.t.Fatalf("%q: %v", line, err)
	}
	a, err := transport.ParseAddress(r["node_id"] + "@" + r["address"])
	if err != nil {
		p.t.Fatal(err)
	}
	want := map[string]string{"event": "ready", "node_id": a.ID.String(), "address": a.HostPort, "version": "superscalar/0.3"}
	if diff := cmp.Diff(want, r); diff != "" {
		p.t.Fatal(diff)
	}
	return a
}

// ask sends one control command and checks the reply.
func (p *process) ask(request, reply string) {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.in, request); err != nil {
		p.t.Fatal(err)
	}
	if got := strings.TrimSpace(p.line()); got != reply {
		p.t.Errorf("%s: reply %s, want %s", request, got, reply)
	}
}

// ended waits for the end and checks the exit code and that nothing else was
// said.
func (p *process) ended(code int) {
	p.t.Helper()
	rest, err := io.ReadAll(p.out)
	if err != nil {
		p.t.Fatal(err)
	}
	_ = p.cmd.Wait()
	if got := p.cmd.ProcessState.ExitCode(); got != code || len(rest) > 0 || p.errOut.Len() > 0 {
		p.t.Errorf("exit code %d, want %d; %q %q", got, code, rest, p.errOut.String())
	}
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

func testKey(seed byte) *btcec.PrivateKey {
	k, _ := btcec.PrivKeyFromBytes([]byte{31: seed})
	return k
}

func longContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	t.Cleanup(cancel)
	return ctx
}

// greet dials a node, exchanges init and returns its first two messages.
func greet(t *testing.T, to transport.Address, codec wire.Codec) (*transport.Conn, *wire.Init, *wire.SupportedProtocols) {
	t.Helper()
	c, err := transport.Dial(longContext(t), to, transport.Options{Key: testKey(7)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	hello, err := codec.Encode(&wire.Init{Features: wire.NewFeatures(35, 47, 51, 271), Networks: [][32]byte{node.Regtest}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.WriteMessage(hello); err != nil {
		t.Fatal(err)
	}
	var got [2]wire.Message
	for i := range got {
		raw, err := c.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		if got[i], err = codec.Decode(raw); err != nil {
			t.Fatal(err)
		}
	}
	first, ok := got[0].(*wire.Init)
	second, ok2 := got[1].(*wire.SupportedProtocols)
	if !ok || !ok2 {
		t.Fatalf("the node says %s and %s", got[0].Name(), got[1].Name())
	}
	return c, first, second
}

func TestNodeProcess(t *testing.T) {
	dir := t.TempDir()
	args := []string{"node", "lsp", "--datadir", filepath.Join(dir, "a", "b"), "--listen", "127.0.0.1:0", "--json"}
	lsp := start(t, args...)
	at := lsp.ready()
	lsp.ask(`{"id":1,"cmd":"status"}`, `{"id":1,"ok":true,"peers":[],"channels":[],"factories":[]}`)

	_, hello, protocols := greet(t, at, wire.Codec{})
	if !hello.All().Offers(wire.FeatureFactories) || len(protocols.IDs) != 1 || protocols.IDs[0] != (wire.Codec{}).SuperScalarID() {
		t.Errorf("the node offers %v and lists %x", hello.All().Bits(), protocols.IDs)
	}
	me := transport.NodeIDOf(testKey(7).PubKey()).String()
	lsp.ask(`{"id":2,"cmd":"status"}`, `{"id":2,"ok":true,"peers":[{"node_id":"`+me+`"}],"channels":[],"factories":[]}`)

	t.Run("a second process is refused", func(t *testing.T) {
		before := tree(t, dir)
		second := start(t, args...)
		if rest, _ := io.ReadAll(second.out); len(rest) > 0 {
			t.Errorf("it says %q", rest)
		}
		_ = second.cmd.Wait()
		result{second.cmd.ProcessState.ExitCode(), "", second.errOut.String()}.checkError(t, ExitUsage,
			fmt.Sprintf("in use by process %d", lsp.cmd.Process.Pid))
		if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
			t.Errorf("left behind:\n%s", diff)
		}
	})

	t.Run("connect", func(t *testing.T) {
		client := start(t, "node", "client", "--datadir", filepath.Join(dir, "client"), "--listen", "127.0.0.1:0", "--json")
		to := client.ready()
		lsp.ask(`{"id":3,"cmd":"connect","peer":"`+to.String()+`"}`, `{"id":3,"ok":true}`)
		client.ask(`{"id":1,"cmd":"buy","peer":"`+at.ID.String()+`","amount_sat":1}`,
			`{"id":1,"ok":false,"error":"a client buying liquidity: this role cannot do that yet","code":"unsupported"}`)
		_ = client.in.Close() // the end of the input ends the node
		client.ended(ExitOK)
	})

	lsp.ask(`{"id":4,"cmd":"stop"}`, `{"id":4,"ok":true}`)
	if c, err := transport.Dial(longContext(t), at, transport.Options{Key: testKey(7)}); err == nil {
		_ = c.Close()
		t.Error("the port is open after stop")
	}
	lsp.ended(ExitOK)

	for _, end := range []struct {
		name   string
		signal os.Signal
		code   int
	}{
		{"SIGTERM", syscall.SIGTERM, ExitOK}, {"SIGINT", os.Interrupt, ExitOK}, {"SIGKILL", os.Kill, -1}, {"the last one", syscall.SIGTERM, ExitOK},
	} {
		t.Run("restart, then "+end.name, func(t *testing.T) {
			again := start(t, args...)
			if a := again.ready(); a.ID != at.ID {
				t.Errorf("the node was %s and came back as %s", at.ID, a.ID)
			}
			again.ask(`{"id":1,"cmd":"status"}`, `{"id":1,"ok":true,"peers":[],"channels":[],"factories":[]}`)
			again.signal(end.signal)
			again.ended(end.code)
		})
	}
}

// The text form says the same in three lines, and its node does not care for
// its standard input.
func TestNodeText(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	p := start(t, "node", "client", "--datadir", filepath.Join(dir, "d"), "--listen", "127.0.0.1:0", "--log", log, "--compat-envelope", "--loopback")
	_ = p.in.Close()
	var got [3]string
	for i, name := range []string{"node id  ", "address  ", "peer     "} {
		var ok bool
		if got[i], ok = strings.CutPrefix(strings.TrimSpace(p.line()), name); !ok {
			t.Fatalf("line %d is %q", i, got[i])
		}
	}
	if got[2] != got[0]+"@"+got[1] {
		t.Errorf("%q", got)
	}
	at, err := transport.ParseAddress(got[2])
	if err != nil {
		t.Fatal(err)
	}
	codec := wire.Codec{Envelope: wire.TypeFactoryCompat}
	if _, _, protocols := greet(t, at, codec); len(protocols.IDs) != 2 {
		t.Errorf("the node lists %x", protocols.IDs)
	}
	p.signal(syscall.SIGTERM)
	p.ended(ExitOK)
	me := transport.NodeIDOf(testKey(7).PubKey()).String()
	if text := readFile(t, log); !strings.Contains(text, "msg=ready peer="+me) {
		t.Errorf("the log says %q", text)
	}
}

// An LSP that is asked to sells a channel: open_channel goes out with keys of
// its own.
func TestNodeSells(t *testing.T) {
	lsp := start(t, "node", "lsp", "--datadir", t.TempDir(), "--listen", "127.0.0.1:0", "--json", "--loopback")
	c, _, protocols := greet(t, lsp.ready(), wire.Codec{})
	var codec wire.Codec
	list, err := codec.Encode(&wire.SupportedProtocols{IDs: protocols.IDs})
	if err != nil {
		t.Fatal(err)
	}
	ping, err := codec.Encode(&wire.Ping{NumPongBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range [][]byte{list, ping} {
		if err := c.WriteMessage(raw); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.ReadMessage(); err != nil { // the pong: the list has been read
		t.Fatal(err)
	}
	me := transport.NodeIDOf(testKey(7).PubKey()).String()
	lsp.ask(`{"id":1,"cmd":"buy","peer":"`+me+`","amount_sat":100000}`, `{"id":1,"ok":true}`)
	raw, err := c.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	m, err := codec.Decode(raw)
	if open, ok := m.(*wire.OpenChannel); !ok || open.FundingSat != 100_000 || open.ChannelInFactory == nil {
		t.Errorf("the node says %v (%v)", m, err)
	}
	other := transport.NodeIDOf(testKey(8).PubKey()).String()
	lsp.ask(`{"id":2,"cmd":"buy","peer":"`+other+`","amount_sat":100000}`,
		`{"id":2,"ok":false,"error":"`+other+`: no connection with this peer","code":"failed"}`)
	if _, err := fmt.Fprintf(lsp.in, `{"id":3,"cmd":"connect","peer":"%s@127.0.0.1:1"}`+"\n", me); err != nil {
		t.Fatal(err)
	}
	if got := lsp.line(); !strings.HasPrefix(got, `{"id":3,"ok":false,`) || !strings.HasSuffix(got, `connection refused","code":"failed"}`+"\n") {
		t.Errorf("connect to nobody: %s", got)
	}
	_ = lsp.in.Close()
	lsp.ended(ExitOK)
}
