package chainserver

import (
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/chain/corerpc"
	"superscalar/refnode/chain/embedded"
)

var anyone = []byte{txscript.OP_1, txscript.OP_DATA_2, 0x4e, 0x73}

// TestAnswers sends requests as they travel, and reads status and text of the answers.
func TestAnswers(t *testing.T) {
	s := newServer(t, newChain(t), Options{})
	zero := strings.Repeat("0", 64)
	rows := []struct {
		name, verb, password, body string
		status                     int
		text                       string
	}{
		{"no password", "POST", "", `{}`, 401, ""},
		{"wrong password", "POST", "x" + s.password, `{}`, 401, ""},
		{"not a POST", "GET", s.password, ``, 405, "only POST"},
		{"no JSON", "POST", s.password, `{`, 500, `"code":-32700`},
		{"unknown method", "POST", s.password, `{"id":7,"method":"stop"}`, 404, `"code":-32601`},
		{"id comes back", "POST", s.password, `{"id":"seven","method":"getblockcount"}`, 200, `{"result":432,"error":null,"id":"seven"}`},
		{"height out of range", "POST", s.password, `{"id":7,"method":"getblockhash","params":[433]}`, 500, `{"code":-8,"message":"Block height out of range"}`},
		{"height below zero", "POST", s.password, `{"id":7,"method":"getblockhash","params":[-1]}`, 500, `"code":-8`},
		{"height of another type", "POST", s.password, `{"id":7,"method":"getblockhash","params":["x"]}`, 500, `"code":-3`},
		{"parameter missing", "POST", s.password, `{"id":7,"method":"getblockhash","params":[]}`, 500, `"code":-1`},
		{"unknown block", "POST", s.password, `{"id":7,"method":"getblock","params":["` + zero + `",0]}`, 500, `{"code":-5,"message":"Block not found"}`},
		{"hash too short", "POST", s.password, `{"id":7,"method":"getblock","params":["00",0]}`, 500, `"code":-8`},
		{"no output", "POST", s.password, `{"id":7,"method":"gettxout","params":["` + zero + `",0]}`, 200, `{"result":null,"error":null,"id":7}`},
		{"undecodable", "POST", s.password, `{"id":7,"method":"sendrawtransaction","params":["00"]}`, 500, `"code":-22`},
		{"empty package", "POST", s.password, `{"id":7,"method":"submitpackage","params":[[]]}`, 500, `Array must contain between 1 and 25 transactions.`},
		{"mempool", "POST", s.password, `{"id":7,"method":"getrawmempool"}`, 200, `{"result":[],"error":null,"id":7}`},
	}
	for _, row := range rows {
		req, err := http.NewRequestWithContext(t.Context(), row.verb, "http://"+s.Address(), strings.NewReader(row.body))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(user, row.password)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != row.status || !strings.Contains(string(text), row.text) {
			t.Errorf("%s: %d %s, %v", row.name, resp.StatusCode, text, err)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestTwoRemotes shares a chain: what one does the other sees.
func TestTwoRemotes(t *testing.T) {
	s := newServer(t, newChain(t), Options{})
	cookie := filepath.Join(t.TempDir(), ".cookie")
	if err := s.WriteCookie(cookie); err != nil {
		t.Fatal(err)
	}
	one := dial(t, s.Client())
	two := dial(t, corerpc.Options{Address: s.Address(), CookieFile: cookie})
	changed := two.Changed()
	outpoint, err := one.Fund(anyone, 12_345)
	if err != nil {
		t.Fatal(err)
	}
	<-changed
	out, found, err := two.Output(t.Context(), outpoint)
	if err != nil || !found || out.Value != 12_345 || out.Confirmed {
		t.Errorf("got %+v, %v, %v", out, found, err)
	}
	blocks, err := two.Mine(2)
	if err != nil || len(blocks) != 2 {
		t.Fatalf("%v, %v", blocks, err)
	}
	if tip, err := one.Tip(t.Context()); err != nil || tip != blocks[1] {
		t.Errorf("tip %v, %v, want %v", tip, err, blocks[1])
	}
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&outpoint, nil, nil))
	tx.AddTxOut(wire.NewTxOut(12_345, anyone))
	block, err := one.MineWith(tx)
	if err != nil {
		t.Fatal(err)
	}
	spend, found, err := two.Spend(t.Context(), outpoint)
	if err != nil || !found || spend.Block != block {
		t.Errorf("spend %+v, %v, %v", spend, found, err)
	}
}

// TestRemoteErrors asks for what the chain refuses; the errors match those of package embedded.
func TestRemoteErrors(t *testing.T) {
	s := newServer(t, newChain(t), Options{})
	r := dial(t, s.Client())
	nothing := wire.NewMsgTx(2)
	nothing.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: [32]byte{1}}, nil, nil))
	nothing.AddTxOut(wire.NewTxOut(1, anyone))
	if _, err := r.MineWith(nothing); !errors.Is(err, embedded.ErrBlockRefused) {
		t.Errorf("block: %v", err)
	}
	if err := r.Reorg(1); !errors.Is(err, embedded.ErrReorgDepth) {
		t.Errorf("reorganisation: %v", err)
	}
	if _, err := r.Fund(anyone, btcutil.MaxSatoshi); !errors.Is(err, embedded.ErrFaucetEmpty) {
		t.Errorf("faucet: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("again: %v", err)
	}
	if _, err := r.Mine(1); !errors.Is(err, corerpc.ErrUnreachable) {
		t.Errorf("after close: %v", err)
	}
	if _, err := r.Tip(t.Context()); !errors.Is(err, corerpc.ErrUnreachable) {
		t.Errorf("tip after close: %v", err)
	}
}

// TestClosedChain serves a chain that was closed under it.
func TestClosedChain(t *testing.T) {
	c := newChain(t)
	r := dial(t, newServer(t, c, Options{}).Client())
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	var failed *corerpc.CallError
	if _, err := r.Tip(t.Context()); !errors.As(err, &failed) || failed.Kind != corerpc.ErrReported || errors.Is(err, chain.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
