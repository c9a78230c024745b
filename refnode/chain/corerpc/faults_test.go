package corerpc

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg"

	"superscalar/refnode/chain"
)

// question is a call of the interface that ends in calls of the node.
type question func(t *testing.T, c *Client) (found bool, err error)

func askTip(t *testing.T, c *Client) (bool, error) {
	_, err := c.Tip(t.Context())
	return err == nil, err
}
func askSince(t *testing.T, c *Client) (bool, error) {
	_, err := c.Since(t.Context(), chain.BlockID{Hash: genesis})
	return err == nil, err
}
func askOutput(t *testing.T, c *Client) (bool, error) {
	_, found, err := c.Output(t.Context(), out(paid, 0))
	return found, err
}
func askWaiting(t *testing.T, c *Client) (bool, error) {
	_, found, err := c.Output(t.Context(), out(waiting, 0))
	return found, err
}
func askSpend(t *testing.T, c *Client) (bool, error) {
	_, found, err := c.Spend(t.Context(), out(paid, 0))
	return found, err
}
func askDeepSpend(t *testing.T, c *Client) (bool, error) {
	_, found, err := c.Spend(t.Context(), out(coinbase1, 0))
	return found, err
}
func askTransaction(t *testing.T, c *Client) (bool, error) {
	_, found, err := c.Transaction(t.Context(), waiting)
	return found, err
}
func askSubmit(t *testing.T, c *Client) (bool, error) {
	tx, _, err := c.Transaction(t.Context(), waiting)
	if err != nil {
		return false, err
	}
	err = c.Submit(t.Context(), chain.Package{tx.Tx})
	return err == nil, err
}

// edit replaces a part of the recorded answer to each call of a method. A part that is not there is a fault of the test.
func edit(n *fakeNode, method, old, new string) handler {
	return func(w http.ResponseWriter, id, params json.RawMessage) {
		a := n.answers[key(method, params)]
		a.Result = json.RawMessage(strings.ReplaceAll(string(a.Result), old, new))
		a.write(w, id)
	}
}

// TestFaults lets the node lie or fail in one way at a time. Each must be an error of the right kind that names the call.
func TestFaults(t *testing.T) {
	all := map[string]question{"getbestblockhash": askTip, "getblockheader": askSince, "getblock": askSince, "gettxout": askOutput,
		"getblockhash": askOutput, "gettxspendingprevout": askSpend, "getrawtransaction": askTransaction, "sendrawtransaction": askSubmit}
	type fault struct {
		name, method string
		ask          question
		answer       func(n *fakeNode) handler
		kind         error
	}
	var faults []fault
	always := func(h handler) func(*fakeNode) handler { return func(*fakeNode) handler { return h } }
	for method, ask := range all {
		for _, f := range []fault{
			{name: "401", answer: always(plain(401, "")), kind: ErrUnauthorized},
			{name: "403", answer: always(plain(403, "")), kind: ErrUnauthorized},
			{name: "500 without JSON", answer: always(plain(500, "Internal Server Error")), kind: ErrStatus},
			{name: "503", answer: always(plain(503, "Work queue depth exceeded")), kind: ErrStatus},
			{name: "302", answer: always(plain(302, "")), kind: ErrStatus},
			{name: "warming up", answer: always(failure(-28, "Loading block index...")), kind: ErrReported},
			{name: "empty answer", answer: always(plain(200, "")), kind: ErrMalformed},
			{name: "truncated JSON", answer: always(plain(200, `{"result":"ab`)), kind: ErrMalformed},
			{name: "trailing bytes", answer: always(plain(200, `{"result":1,"error":null,"id":1} x`)), kind: ErrMalformed},
			{name: "no id", answer: always(plain(200, `{"result":null,"error":null}`)), kind: ErrMalformed},
			{name: "another id", answer: always(plain(200, `{"result":null,"error":null,"id":999999}`)), kind: ErrContradiction},
			{name: "error without a code", answer: always(func(w http.ResponseWriter, id, _ json.RawMessage) {
				fmt.Fprintf(w, `{"result":null,"error":{"message":"x"},"id":%s}`, id)
			}), kind: ErrMalformed},
			{name: "another type", answer: always(result(`[[7]]`)), kind: ErrMalformed},
			{name: "huge", answer: always(plain(200, strings.Repeat(" ", 1<<20))), kind: ErrTooLarge},
			{name: "connection closed", answer: always(func(http.ResponseWriter, json.RawMessage, json.RawMessage) { panic(http.ErrAbortHandler) }), kind: ErrUnreachable},
		} {
			f.method, f.ask = method, ask
			faults = append(faults, f)
		}
	}
	change := func(name, method string, ask question, old, new string, kind error) {
		faults = append(faults, fault{name: name, method: method, ask: ask, kind: kind,
			answer: func(n *fakeNode) handler { return edit(n, method, old, new) }})
	}
	change("hash too short", "getbestblockhash", askTip, "38a2", "", ErrMalformed)
	change("hash not hex", "getbestblockhash", askTip, "38a2", "zzzz", ErrMalformed)
	change("no height", "getblockheader", askSince, `"height"`, `"depth"`, ErrMalformed)
	change("height below zero", "getblockheader", askSince, `"height": 1`, `"height": -1`, ErrMalformed)
	change("height of a neighbour", "getblockheader", askSince, `"height": 1`, `"height": 2`, ErrContradiction)
	change("wrong previous hash", "getblockheader", askSince, block1.String(), rival2.String(), ErrContradiction)
	change("wrong time", "getblockheader", askSince, `"time": 17`, `"time": 18`, ErrContradiction)
	change("bits not hex", "getblockheader", askSince, "207fffff", "easy", ErrMalformed)
	change("block not hex", "getblock", askSince, `"00000020`, `"zz000020`, ErrMalformed)
	change("block cut short", "getblock", askSince, `00000000"`, `"`, ErrMalformed)
	change("block with bytes behind it", "getblock", askSince, `00000000"`, `0000000000"`, ErrMalformed)
	change("block with another header", "getblock", askSince, `"00000020`, `"00000021`, ErrContradiction)
	change("block with another amount", "getblock", askSince, "005ed0b2", "005ed0b3", ErrContradiction)
	change("block with another witness", "getblock", askSince, "5a5a5a5a", "5a5a5a5b", ErrContradiction)
	change("amount out of range", "gettxout", askOutput, "30.0", "21000030.0", ErrContradiction)
	change("amount below zero", "gettxout", askOutput, "30.0", "-30.0", ErrContradiction)
	change("amount with nine decimals", "gettxout", askOutput, "30.0", "30.00", nil) // still 30
	change("another amount", "gettxout", askOutput, "30.0", "31.0", ErrContradiction)
	change("no amount", "gettxout", askOutput, `"value"`, `"worth"`, ErrMalformed)
	change("no confirmations", "gettxout", askOutput, `"confirmations"`, `"depth"`, ErrMalformed)
	change("too many confirmations", "gettxout", askOutput, `"confirmations": 2`, `"confirmations": 20`, ErrContradiction)
	change("none of them", "gettxout", askOutput, `"confirmations": 2`, `"confirmations": 0`, ErrContradiction)
	change("confirmed elsewhere", "gettxout", askOutput, `"confirmations": 2`, `"confirmations": 3`, ErrContradiction)
	change("coinbase that is none", "gettxout", askOutput, `"coinbase": false`, `"coinbase": true`, ErrContradiction)
	change("another script", "gettxout", askOutput, `"hex": "5120`, `"hex": "5121`, ErrContradiction)
	change("of another moment", "gettxout", askOutput, block3.String(), block2.String(), ErrUnsettled)
	change("transaction not hex", "getrawtransaction", askWaiting, `"hex": "02`, `"hex": "0x`, ErrMalformed)
	change("transaction cut short", "getrawtransaction", askWaiting, `00000000"`, `"`, ErrMalformed)
	change("another transaction", "getrawtransaction", askWaiting, `"hex": "02`, `"hex": "03`, ErrContradiction)
	change("spend of something else", "gettxspendingprevout", askSpend, `"vout": 0`, `"vout": 1`, ErrContradiction)
	change("no answer about it", "gettxspendingprevout", askSpend, `[`, `[{},`, ErrContradiction)
	change("another id came back", "sendrawtransaction", askSubmit, waiting.String(), paid.String(), ErrContradiction)
	faults = append(faults,
		fault{"transaction that does not spend it", "gettxspendingprevout", func(t *testing.T, c *Client) (bool, error) {
			_, found, err := c.Spend(t.Context(), out(paid, 1))
			return !found && err == nil, err
		}, func(*fakeNode) handler {
			return result(`[{"txid":"` + paid.String() + `","vout":1,"spendingtxid":"` + waiting.String() + `"}]`)
		}, ErrContradiction},
		fault{"block of a searched range is gone", "getblock", askDeepSpend, always(failure(-1, "Block not available (pruned data)")), ErrReported},
		fault{"header below the tip is unknown", "getblockheader", askSince, func(n *fakeNode) handler {
			return func(w http.ResponseWriter, id, params json.RawMessage) {
				if strings.Contains(string(params), block2.String()) {
					failure(-5, "Block not found")(w, id, params)
					return
				}
				n.answers[key("getblockheader", params)].write(w, id)
			}
		}, ErrContradiction},
	)
	for _, f := range faults {
		t.Run(f.method+" "+f.name, func(t *testing.T) {
			node := newNode(t)
			options := node.options()
			options.MaxAnswer = 64 << 10
			c := connect(t, options)
			node.set(f.method, f.answer(node))
			found, err := f.ask(t, c)
			if f.kind == nil {
				if err != nil || !found {
					t.Errorf("got %v, %v", found, err)
				}
				return
			}
			if found || !errors.Is(err, f.kind) {
				t.Fatalf("got %v, %v, want %v", found, err, f.kind)
			}
			if !strings.Contains(err.Error(), f.method) && f.kind != ErrContradiction && f.kind != ErrUnsettled || strings.Contains(err.Error(), "\n") {
				t.Errorf("error does not name the call in one line: %v", err)
			}
			node.set(f.method, nil)
			if found, err := f.ask(t, c); err != nil || !found {
				t.Errorf("an honest answer afterwards: %v, %v", found, err)
			}
		})
	}
}

// TestBehind shows best chains that must or must not follow a tip of block 3.
func TestBehind(t *testing.T) {
	node := newNode(t)
	c := connect(t, node.options())
	for name, best := range map[string]string{"an ancestor": block2.String(), "the genesis block": genesis.String(), "a shorter branch": rival2.String()} {
		node.set("getbestblockhash", result(`"`+best+`"`))
		if _, err := c.Tip(t.Context()); !errors.Is(err, ErrBehind) {
			t.Errorf("%s: got %v", name, err)
		}
		if _, err := c.Since(t.Context(), chain.BlockID{Hash: block1}); !errors.Is(err, ErrBehind) {
			t.Errorf("%s, since: got %v", name, err)
		}
	}
	node.set("getbestblockhash", nil)
	if tip, err := c.Tip(t.Context()); err != nil || tip.Hash != block3 {
		t.Errorf("back again: %v, %v", tip, err)
	}
	node.set("getbestblockhash", result(`"`+rival2.String()+`"`))
	late := connect(t, node.options())
	node.set("getbestblockhash", nil)
	update, err := late.Since(t.Context(), chain.BlockID{Hash: rival2})
	if err != nil || len(update.Disconnected) != 1 || len(update.Connected) != 2 {
		t.Errorf("a longer branch: %+v, %v", update, err)
	}
}

// TestIndexFollowsReorganisation searches a branch that then loses.
func TestIndexFollowsReorganisation(t *testing.T) {
	for _, birthday := range []chain.Height{0, 2} {
		node := newNode(t)
		options := node.options()
		options.Birthday = birthday
		node.set("getbestblockhash", result(`"`+rival2.String()+`"`))
		node.set("gettxout", result("null"))
		c := connect(t, options)
		if _, found, err := c.Spend(t.Context(), out(coinbase1, 0)); found || err != nil {
			t.Errorf("birthday %d: on the branch without it: %v, %v", birthday, found, err)
		}
		node.set("getbestblockhash", nil)
		if spend, found, err := c.Spend(t.Context(), out(coinbase1, 0)); !found || err != nil || spend.Block.Hash != block2 {
			t.Errorf("birthday %d: on the branch with it: %+v, %v, %v", birthday, spend, found, err)
		}
		if _, ok := c.index.txs[paid]; !ok || len(c.index.blocks) != int(3-c.index.start)+1 {
			t.Errorf("birthday %d: index has %d blocks", birthday, len(c.index.blocks))
		}
	}
}

func TestOptions(t *testing.T) {
	good := Options{Address: "127.0.0.1:18443", User: "u", Password: "p"}
	rows := []struct {
		name   string
		change func(*Options)
		want   string // "" for a refusal
	}{
		{"host and port", func(*Options) {}, "http://127.0.0.1:18443/"},
		{"localhost", func(o *Options) { o.Address = "http://localhost:8332" }, "http://127.0.0.1:8332/"},
		{"version 6", func(o *Options) { o.Address = "http://[::1]:8332/" }, "http://[::1]:8332/"},
		{"not on loopback", func(o *Options) { o.Address = "10.0.0.1:8332" }, ""},
		{"a name", func(o *Options) { o.Address = "node.example:8332" }, ""},
		{"a name that looks like an address", func(o *Options) { o.Address = "127.0.0.1.example:8332" }, ""},
		{"password in the address", func(o *Options) { o.Address = "http://u:hush@127.0.0.1:8332" }, ""},
		{"https", func(o *Options) { o.Address = "https://127.0.0.1:8332" }, ""},
		{"no port", func(o *Options) { o.Address = "127.0.0.1" }, ""},
		{"a path", func(o *Options) { o.Address = "http://127.0.0.1:8332/wallet/x" }, ""},
		{"nonsense", func(o *Options) { o.Address = "http://u:hush@[" }, ""},
		{"nobody", func(o *Options) { o.User, o.Password = "", "" }, ""},
		{"cookie and password", func(o *Options) { o.CookieFile = "x" }, ""},
		{"negative timeout", func(o *Options) { o.Timeout = -1 }, ""},
	}
	for _, row := range rows {
		options := good
		row.change(&options)
		got, err := options.endpoint()
		if got != row.want || errors.Is(err, ErrOptions) != (row.want == "") {
			t.Errorf("%s: %q, %v", row.name, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: the error has the password: %v", row.name, err)
		}
	}
}

func TestOtherChain(t *testing.T) {
	options := newNode(t).options()
	options.Params = &chaincfg.MainNetParams
	if _, err := New(t.Context(), options); !errors.Is(err, ErrOtherChain) {
		t.Errorf("got %v", err)
	}
}

// TestTimeout asks a node that takes a call and never answers.
func TestTimeout(t *testing.T) {
	node := newNode(t)
	options := node.options()
	options.Timeout = 20 * time.Millisecond
	c := connect(t, options)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	node.set("getbestblockhash", func(http.ResponseWriter, json.RawMessage, json.RawMessage) { <-release })
	if _, err := c.Tip(t.Context()); !errors.Is(err, ErrTimeout) {
		t.Errorf("got %v", err)
	}
}
