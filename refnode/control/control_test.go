package control_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"superscalar/refnode/control"
	"superscalar/refnode/node"
	"superscalar/refnode/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The public keys of the private keys 1 and 2.
const (
	one = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
	two = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5"
)

// fake is a node that notes what it is told.
type fake struct {
	told []string
	err  error
}

func (f *fake) Connect(ctx context.Context, to transport.Address) error {
	if _, bounded := ctx.Deadline(); !bounded {
		f.told = append(f.told, "without a deadline")
	}
	f.told = append(f.told, "connect "+to.String())
	return f.err
}

func (f *fake) Buy(id transport.NodeID, amountSat uint64) error {
	f.told = append(f.told, fmt.Sprintf("buy %s %d", id, amountSat))
	return f.err
}

func (f *fake) Close() error {
	f.told = append(f.told, "close")
	return f.err
}

func (f *fake) Peers() []transport.NodeID {
	if f.told == nil {
		return nil
	}
	id, _ := transport.ParseNodeID(one)
	return []transport.NodeID{id}
}

func TestReplies(t *testing.T) {
	for _, row := range []struct {
		name, line string
		err        error  // of the node
		reply      string // begins with this, the whole line if it ends in }
		told       string
	}{
		{"connect", `{"id":1,"cmd":"connect","peer":"` + one + `@127.0.0.1:9735"}`, nil, `{"id":1,"ok":true}`, "connect " + one + "@127.0.0.1:9735"},
		{"connect fails", `{"id":1,"cmd":"connect","peer":"` + one + `@127.0.0.1:1"}`, errors.New("no\nway"), `{"id":1,"ok":false,"error":"no way","code":"failed"}`, "connect " + one + "@127.0.0.1:1"},
		{"connect to nobody", `{"id":2,"cmd":"connect","peer":"nobody"}`, nil, `{"id":2,"ok":false,"error":"peer: `, ""},
		{"connect without peer", `{"id":2,"cmd":"connect"}`, nil, `{"id":2,"ok":false,"error":"peer is missing or not a string","code":"bad-request"}`, ""},
		{"connect to null", `{"id":2,"cmd":"connect","peer":null}`, nil, `{"id":2,"ok":false,"error":"peer is missing`, ""},
		{"buy", `{"id":3,"cmd":"buy","peer":"` + two + `","amount_sat":100000}`, nil, `{"id":3,"ok":true}`, "buy " + two + " 100000"},
		{"buy every satoshi", `{"id":3,"cmd":"buy","peer":"` + two + `","amount_sat":2100000000000000}`, nil, `{"id":3,"ok":true}`, "buy " + two + " 2100000000000000"},
		{"buy one more", `{"id":3,"cmd":"buy","peer":"` + two + `","amount_sat":2100000000000001}`, nil, `{"id":3,"ok":false,"error":"amount_sat is not`, ""},
		{"buy nothing", `{"id":3,"cmd":"buy","peer":"` + two + `","amount_sat":0}`, nil, `{"id":3,"ok":false,"error":"amount_sat is not`, ""},
		{"buy no amount", `{"id":3,"cmd":"buy","peer":"` + two + `"}`, nil, `{"id":3,"ok":false,"error":"amount_sat is not`, ""},
		{"buy text", `{"id":3,"cmd":"buy","peer":"` + two + `","amount_sat":"1"}`, nil, `{"id":3,"ok":false,"error":"amount_sat is not`, ""},
		{"buy a fraction", `{"id":3,"cmd":"buy","peer":"` + two + `","amount_sat":1.5}`, nil, `{"id":3,"ok":false,"error":"amount_sat is not`, ""},
		{"buy less than nothing", `{"id":3,"cmd":"buy","peer":"` + two + `","amount_sat":-1}`, nil, `{"id":3,"ok":false,"error":"amount_sat is not`, ""},
		{"buy from no key", `{"id":3,"cmd":"buy","peer":"02` + strings.Repeat("ff", 32) + `","amount_sat":1}`, nil, `{"id":3,"ok":false,"error":"peer: `, ""},
		{"buy fails", `{"id":3,"cmd":"buy","peer":"` + two + `","amount_sat":1}`, node.ErrNotConnected, `{"id":3,"ok":false,"error":"no connection with this peer","code":"failed"}`, "buy " + two + " 1"},
		{"buy unsupported", `{"id":3,"cmd":"buy","peer":"` + two + `","amount_sat":1}`, fmt.Errorf("a client: %w", node.ErrUnsupported), `{"id":3,"ok":false,"error":"a client: this role cannot do that yet","code":"unsupported"}`, "buy " + two + " 1"},
		{"status without peers", `{"id":4,"cmd":"status"}`, nil, `{"id":4,"ok":true,"peers":[],"channels":[],"factories":[]}`, ""},
		{"stop", `{"id":5,"cmd":"stop"}`, nil, `{"id":5,"ok":true}`, "close"},
		{"stop without restart", `{"id":5,"cmd":"stop","restart":false}`, nil, `{"id":5,"ok":true}`, "close"},
		{"stop and restart", `{"id":5,"cmd":"stop","restart":true}`, nil, `{"id":5,"ok":false,"error":"a node does not restart itself`, ""},
		{"stop, maybe", `{"id":5,"cmd":"stop","restart":"maybe"}`, nil, `{"id":5,"ok":false,"error":"restart is neither`, ""},
		{"stop, null", `{"id":5,"cmd":"stop","restart":null}`, nil, `{"id":5,"ok":false,"error":"restart is neither`, ""},
		{"a command of a driver", `{"id":6,"cmd":"invoice","amount_msat":1}`, nil, `{"id":6,"ok":false,"error":"the node has no channels, so no invoice: start it with --chain","code":"unsupported"}`, ""},
		{"no such command", `{"id":6,"cmd":"dance\n"}`, nil, `{"id":6,"ok":false,"error":"no such command: \"dance\\n\"","code":"unknown-command"}`, ""},
		{"no command", `{"id":6}`, nil, `{"id":6,"ok":false,"error":"cmd is missing or not a string","code":"bad-request"}`, ""},
		{"command of another type", `{"id":6,"cmd":["stop"]}`, nil, `{"id":6,"ok":false,"error":"cmd is missing`, ""},
		{"empty line", ``, nil, `{"id":null,"ok":false,"error":"the line is not a JSON object","code":"bad-request"}`, ""},
		{"text", `stop`, nil, `{"id":null,"ok":false,"error":"the line is not`, ""},
		{"list", `[]`, nil, `{"id":null,"ok":false,"error":"the line is not`, ""},
		{"null", `null`, nil, `{"id":null,"ok":false,"error":"the line is not`, ""},
		{"two objects", `{"id":1,"cmd":"stop"}{}`, nil, `{"id":null,"ok":false,"error":"the line is not`, ""},
		{"bytes", "\xff\xfe", nil, `{"id":null,"ok":false,"error":"the line is not`, ""},
		{"id is text", `{"id":"1","cmd":"stop"}`, nil, `{"id":null,"ok":false,"error":"id is not`, ""},
		{"id in capitals", `{"ID":1,"cmd":"stop"}`, nil, `{"id":null,"ok":false,"error":"id is not`, ""},
		{"id is zero", `{"id":0,"cmd":"stop"}`, nil, `{"id":null,"ok":false,"error":"id is not`, ""},
		{"id is null", `{"id":null,"cmd":"stop"}`, nil, `{"id":null,"ok":false,"error":"id is not`, ""},
		{"id too large", `{"id":9007199254740992,"cmd":"stop"}`, nil, `{"id":null,"ok":false,"error":"id is not`, ""},
		{"largest id", `{"id":9007199254740991,"cmd":"stop"}`, nil, `{"id":9007199254740991,"ok":true}`, "close"},
		{"carriage return", `{"id":1,"cmd":"stop"}` + "\r", nil, `{"id":1,"ok":true}`, "close"},
		{"line too long", `{"id":1,"cmd":"stop","x":"` + strings.Repeat("x", control.MaxLine) + `"}`, nil, `{"id":null,"ok":false,"error":"the line is longer than 1048576 bytes","code":"bad-request"}`, ""},
		{"longest line", `{"id":1,"cmd":"stop","x":"` + strings.Repeat("x", control.MaxLine-len(`{"id":1,"cmd":"stop","x":""}`)) + `"}`, nil, `{"id":1,"ok":true}`, "close"},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := &fake{err: row.err}
			var out strings.Builder
			if err := control.Serve(t.Context(), strings.NewReader(row.line+"\n"), &out, f); err != nil {
				t.Fatal(err)
			}
			got := out.String()
			if strings.Count(got, "\n") != 1 || !strings.HasPrefix(got, row.reply) || strings.HasSuffix(row.reply, "}") && got != row.reply+"\n" {
				t.Errorf("reply %q, want %q", got, row.reply)
			}
			if strings.Contains(row.reply, "is missing") && !strings.Contains(got, `"bad-request"`) {
				t.Errorf("reply %q, want bad-request", got)
			}
			if told := strings.Join(f.told, "; "); told != row.told {
				t.Errorf("the node was told %q, want %q", told, row.told)
			}
		})
	}
}

// Lines are answered in order, the last one without its newline too, and
// nothing after a stop.
func TestOrder(t *testing.T) {
	status := `{"id":%d,"cmd":"status"}` + "\n"
	for _, row := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"no last newline", fmt.Sprintf(status, 1) + strings.TrimSpace(fmt.Sprintf(status, 2)),
			`{"id":1,"ok":true,"peers":[],"channels":[],"factories":[]}` + "\n" + `{"id":2,"ok":true,"peers":[],"channels":[],"factories":[]}` + "\n"},
		{"after stop", `{"id":1,"cmd":"stop"}` + "\n" + fmt.Sprintf(status, 2), `{"id":1,"ok":true}` + "\n"},
		{"peers", `{"id":1,"cmd":"connect","peer":"` + one + `@h:1"}` + "\n" + fmt.Sprintf(status, 2),
			`{"id":1,"ok":true}` + "\n" + `{"id":2,"ok":true,"peers":[{"node_id":"` + one + `"}],"channels":[],"factories":[]}` + "\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var out strings.Builder
			if err := control.Serve(t.Context(), strings.NewReader(row.in), &out, &fake{}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, out.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A failed stop does not end the serving: the node still runs.
func TestFailedStop(t *testing.T) {
	var out strings.Builder
	in := strings.NewReader(`{"id":1,"cmd":"stop"}` + "\n" + `{"id":2,"cmd":"stop"}` + "\n")
	if err := control.Serve(t.Context(), in, &out, &fake{err: errors.New("stuck")}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(out.String(), `"stuck","code":"failed"`); got != 2 {
		t.Errorf("%d failures in %q, want 2", got, out.String())
	}
}

// The end of the context ends Serve although its input says nothing.
func TestCancel(t *testing.T) {
	in, hold := io.Pipe()
	defer hold.Close()
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() { result <- control.Serve(ctx, in, io.Discard, &fake{}) }()
	cancel()
	select {
	case err := <-result:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("Serve goes on")
	}
}

func TestBrokenStreams(t *testing.T) {
	broken := errors.New("broken")
	in, feed := io.Pipe()
	_ = feed.CloseWithError(broken)
	if err := control.Serve(t.Context(), in, io.Discard, &fake{}); !errors.Is(err, broken) {
		t.Errorf("broken input: %v", err)
	}
	closed, out := io.Pipe()
	_ = closed.CloseWithError(broken)
	if err := control.Serve(t.Context(), strings.NewReader("x\n"), out, &fake{}); !errors.Is(err, broken) {
		t.Errorf("broken output: %v", err)
	}
}

var _ control.Node = (*node.Node)(nil)
