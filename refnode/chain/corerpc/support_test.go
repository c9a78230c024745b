package corerpc

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// What testdata/node.json is about.
var (
	genesis = *chaincfg.RegressionNetParams.GenesisHash
	block1  = mustHash("0e9ed1aa7bed8412af6b03a0d68fcf6ea0418a7d03f076b79a78b6a8ec26457f")
	block2  = mustHash("6fb4a926619ed4e7a38aa779cd92a3b55b435f5391d76bf0c189ea417cd0e13e")
	block3  = mustHash("38a282783e960f183455bbcced018d7396bf750c7d41c29768462377b863e1fd")
	// rival2 stands on block 1, as block 2 does, and is not in the best chain.
	rival2 = mustHash("604c858a0e5626b5771c1c4605af45da586e9d4aa4af8922d5c7e04c466159a7")

	coinbase1 = mustHash("5e9cd154e5a2a117dca5f9972a8b41b03d87725e6712fdea2beeffd1bf5a55bf")
	coinbase3 = mustHash("8ce7c9375a1523a7f82daa1b59cca934e907aad74630eef6c6f4e5d35d0d81fe")
	// paid is in block 2, spends the coinbase of block 1, and has two outputs; waiting spends the first and is in the mempool.
	paid    = mustHash("ea38b2fc09599d3d41f2beac4fcde71138e451222da44b1ece50b067c1d3244a")
	waiting = mustHash("8fead901de5d54c4d952fe00d296b68f823bc00b9d2c4aaab34aa52adfe80860")
	unknown = chainhash.Hash{1}
)

func mustHash(text string) chainhash.Hash {
	hash, err := chainhash.NewHashFromStr(text)
	if err != nil {
		panic(err)
	}
	return *hash
}

// recordedAnswer is an entry of testdata/node.json.
type recordedAnswer struct {
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Status int             `json:"status"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

// handler answers a call in place of the recording.
type handler func(w http.ResponseWriter, id json.RawMessage, params json.RawMessage)

// fakeNode answers as recorded, except where a test has set something else.
type fakeNode struct {
	t       *testing.T
	server  *httptest.Server
	answers map[string]recordedAnswer

	mu       sync.Mutex
	instead  map[string]handler
	calls    map[string]int
	password string
}

func key(method string, params json.RawMessage) string {
	var value any
	if err := json.Unmarshal(params, &value); err != nil {
		return method
	}
	canonical, _ := json.Marshal(value)
	return method + string(canonical)
}

func newNode(t *testing.T) *fakeNode {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "node.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Answers []recordedAnswer `json:"answers"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	n := &fakeNode{t: t, answers: make(map[string]recordedAnswer), instead: make(map[string]handler), calls: make(map[string]int), password: "secret"}
	for _, a := range file.Answers {
		n.answers[key(a.Method, a.Params)] = a
	}
	n.server = httptest.NewServer(n)
	t.Cleanup(n.server.Close)
	return n
}

func (n *fakeNode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Params json.RawMessage `json:"params"`
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		n.t.Errorf("request: %v", err)
	}
	user, password, _ := r.BasicAuth()
	n.mu.Lock()
	n.calls[asked.Method]++
	instead, wrong := n.instead[asked.Method], user != "user" || password != n.password
	n.mu.Unlock()
	switch a, ok := n.answers[key(asked.Method, asked.Params)]; {
	case wrong:
		w.WriteHeader(http.StatusUnauthorized)
	case instead != nil:
		instead(w, asked.ID, asked.Params)
	case !ok:
		n.t.Errorf("nothing is recorded for %s %s", asked.Method, asked.Params)
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		a.write(w, asked.ID)
	}
}

func (a recordedAnswer) write(w http.ResponseWriter, id json.RawMessage) {
	null := json.RawMessage("null")
	if a.Status != 0 {
		w.WriteHeader(a.Status)
	}
	fmt.Fprintf(w, `{"result":%s,"error":%s,"id":%s}`, orNull(a.Result, null), orNull(a.Error, null), id)
}

func orNull(value, null json.RawMessage) json.RawMessage {
	if value == nil {
		return null
	}
	return value
}

// set answers every later call of a method by h; nil goes back to the recording.
func (n *fakeNode) set(method string, h handler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.instead[method] = h
}

func (n *fakeNode) count(method string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.calls[method]
}

// recorded is the recorded result of a call, as text.
func (n *fakeNode) recorded(method string, params ...any) string {
	n.t.Helper()
	if params == nil {
		params = []any{}
	}
	raw, err := json.Marshal(params)
	if err != nil {
		n.t.Fatal(err)
	}
	a, ok := n.answers[key(method, raw)]
	if !ok {
		n.t.Fatalf("nothing is recorded for %s %s", method, raw)
	}
	return string(a.Result)
}

// result answers with this JSON.
func result(text string) handler {
	return func(w http.ResponseWriter, id, _ json.RawMessage) {
		recordedAnswer{Result: json.RawMessage(text)}.write(w, id)
	}
}

// failure answers with an error of the node.
func failure(code int, message string) handler {
	return func(w http.ResponseWriter, id, _ json.RawMessage) {
		text, _ := json.Marshal(map[string]any{"code": code, "message": message})
		recordedAnswer{Status: http.StatusInternalServerError, Error: text}.write(w, id)
	}
}

// plain answers with a status and a text that need not be JSON.
func plain(status int, text string) handler {
	return func(w http.ResponseWriter, _, _ json.RawMessage) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

func (n *fakeNode) options() Options {
	return Options{Address: n.server.URL, User: "user", Password: "secret", Params: &chaincfg.RegressionNetParams, Ticks: make(chan time.Time)}
}

func connect(t *testing.T, options Options) *Client {
	t.Helper()
	c, err := New(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func out(txid chainhash.Hash, index uint32) wire.OutPoint {
	return wire.OutPoint{Hash: txid, Index: index}
}
