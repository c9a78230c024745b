package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"
	"github.com/google/go-cmp/cmp"

	"superscalar/harness/chainserver"
	"superscalar/refnode/chain/embedded"
	"superscalar/refnode/control"
)

// network is a chain that processes share, and how to start nodes on it.
type network struct {
	t      *testing.T
	chain  *embedded.Chain
	server *chainserver.Server
	dir    string
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	n := &network{t: t, dir: t.TempDir()}
	var err error
	if n.chain, err = embedded.New(embedded.Config{Seed: 7}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.chain.Close() })
	n.mine(120)
	if n.server, err = chainserver.New(n.chain, chainserver.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.server.Close() })
	if err := n.server.WriteCookie(filepath.Join(n.dir, "cookie")); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *network) mine(blocks uint32) {
	n.t.Helper()
	if _, err := n.chain.Mine(blocks); err != nil {
		n.t.Fatal(err)
	}
}

// runningNode is a node in a process of its own.
type runningNode struct {
	*process
	id   string // of the node
	peer string // with its address
	last int    // id of the last command
}

func (n *network) start(role, name string) *runningNode {
	n.t.Helper()
	p := start(n.t, "node", role, "--datadir", filepath.Join(n.dir, name), "--listen", "127.0.0.1:0", "--json",
		"--chain", n.server.Address(), "--chain-cookie", filepath.Join(n.dir, "cookie"), "--chain-birthday", "400")
	at := p.ready()
	return &runningNode{process: p, id: at.ID.String(), peer: at.String()}
}

// nodeReply is any reply.
type nodeReply struct {
	OK    bool
	Error string
	Peers []struct {
		NodeID string `json:"node_id"`
	}
	CeremonyID string `json:"ceremony_id"`
	Bolt11     string
	FeeMsat    uint64 `json:"fee_msat"`
	Channels   []control.ChannelStatus
	control.Standing
}

// ready wants n channels in factories that are ready, with msat of the node's own
// in them.
func ready(n int, msat uint64) func(nodeReply) bool {
	return func(s nodeReply) bool {
		got, local := 0, uint64(0)
		for _, c := range s.Channels {
			if c.State == control.ChannelReady && c.SendMsat+c.ReceiveMsat > 0 && c.FactoryID != "" {
				got, local = got+1, local+c.LocalMsat
			}
		}
		return got == n && local == msat
	}
}

// pays pays an invoice of another node.
func (r *runningNode) pays(to *runningNode, msat uint64) {
	r.t.Helper()
	invoice := to.must(`{"cmd":"invoice","amount_msat":%d}`, msat).Bolt11
	r.must(`{"cmd":"pay","bolt11":"%s"}`, invoice)
}

// does gives a command, its id left out, and returns the reply.
func (r *runningNode) does(command string, args ...any) (out nodeReply) {
	r.t.Helper()
	r.last++
	line := fmt.Sprintf(`{"id":%d,`, r.last) + fmt.Sprintf(command, args...)[1:]
	if _, err := fmt.Fprintln(r.in, line); err != nil {
		r.t.Fatal(err)
	}
	got := r.line()
	if err := json.Unmarshal([]byte(got), &out); err != nil {
		r.t.Fatalf("%s: %s: %v", line, got, err)
	}
	return out
}

func (r *runningNode) must(command string, args ...any) nodeReply {
	r.t.Helper()
	out := r.does(command, args...)
	if !out.OK {
		r.t.Fatalf("%s: %s", fmt.Sprintf(command, args...), out.Error)
	}
	return out
}

// until asks for the status until it is as wanted.
func (r *runningNode) until(what string, wanted func(nodeReply) bool) nodeReply {
	r.t.Helper()
	end := time.Now().Add(longest)
	for {
		s := r.must(`{"cmd":"status"}`)
		if wanted(s) {
			return s
		}
		if time.Now().After(end) {
			r.t.Fatalf("never %s: %+v", what, s)
		}
	}
}

// orders gives a node an order from another process and returns what is printed.
func (n *network) orders(name string, words ...string) string {
	n.t.Helper()
	code, out, says := runProgram(append([]string{"cli", "--datadir", filepath.Join(n.dir, name)}, words...)...)
	if code != ExitOK {
		n.t.Fatalf("%v: exit code %d, %q", words, code, says)
	}
	return strings.TrimSpace(out)
}

func (r *runningNode) kill() {
	r.t.Helper()
	r.signal(os.Kill)
	_, _ = r.cmd.Process.Wait()
}

// active wants n usable factories.
func active(n int) func(nodeReply) bool {
	return func(s nodeReply) bool {
		usable := 0
		for _, f := range s.Factories {
			if f.State == control.StateActive {
				usable++
			}
		}
		return usable == n
	}
}

func TestNodeFactoryProcesses(t *testing.T) {
	n := newNetwork(t)
	lsp, alice, bob := n.start("lsp", "lsp"), n.start("client", "alice"), n.start("client", "bob")
	n.pay(lsp.must(`{"cmd":"status"}`).Address, 3_000_000, 3)
	s := lsp.until("rich", func(s nodeReply) bool { return s.Wallet.AvailableSat == 9_000_000 })
	if again := lsp.must(`{"cmd":"status"}`).Address; again == "" || s.Address != again {
		t.Errorf("the address was %q and is %q", s.Address, again)
	}
	connect := func() {
		t.Helper()
		for _, c := range []*runningNode{alice, bob} {
			c.must(`{"cmd":"connect","peer":"%s"}`, lsp.peer)
		}
	}
	connect()
	order := func() string {
		return fmt.Sprintf(`{"cmd":"factory","clients":["%s","%s"],"capacity_sat":100000,"stock_sat":50000,"shape":"kickoff 1 / ps 2"}`, alice.id, bob.id)
	}
	if got := alice.does("%s", order()); got.OK || !strings.Contains(got.Error, "cannot do that") {
		t.Errorf("a client creates a factory: %+v", got)
	}
	if got := lsp.does(`{"cmd":"buy","peer":"%s","amount_sat":20000}`, alice.id); got.OK || !strings.Contains(got.Error, "no factory with this client") {
		t.Errorf("a sale without a factory: %+v", got)
	}
	lsp.must("%s", order())
	waiting := lsp.until("funded", func(s nodeReply) bool { return len(s.Factories) == 1 }).Factories[0]
	if waiting.State != control.StateBuilding || !strings.HasPrefix(waiting.Detail, "waiting for confirmations") || len(waiting.Clients) != 2 || waiting.CapacitySat != 200_000 {
		t.Errorf("an unconfirmed factory: %+v", waiting)
	}
	if got := lsp.does(`{"cmd":"buy","peer":"%s","amount_sat":20000}`, alice.id); got.OK || !strings.Contains(got.Error, "not usable") {
		t.Errorf("a sale in an unconfirmed factory: %+v", got)
	}
	n.mine(1)
	for _, p := range []*runningNode{lsp, alice, bob} {
		p.until("usable", active(1))
	}

	alice.until("ready for payments", ready(1, 0))
	lsp.pays(alice, 8_000_000)
	alice.until("paid", ready(1, 8_000_000))

	t.Run("kill -9 between ceremonies", func(t *testing.T) {
		alice.kill()
		lsp.kill()
		alice, lsp = n.start("client", "alice"), n.start("lsp", "lsp")
		mine := alice.until("usable again", active(1)).Factories[0]
		if mine.FactoryID != waiting.FactoryID || mine.CapacitySat != 100_000 || mine.CoverSat == nil || *mine.CoverSat != 100_000 || mine.LSP != lsp.id {
			t.Errorf("the client's factory after a restart: %+v", mine)
		}
		if theirs := lsp.until("usable again", active(1)).Factories[0]; !slices.Equal(theirs.Clients, []string{alice.id, bob.id}) || *theirs.StockSat != 100_000 {
			t.Errorf("the LSP's factory after a restart: %+v", theirs)
		}
		connect()
		lsp.must(`{"cmd":"buy","peer":"%s","amount_sat":20000,"factory":"%s"}`, alice.id, waiting.FactoryID)
		more := func(sat uint64) func(nodeReply) bool {
			return func(s nodeReply) bool { return s.Factories[0].CapacitySat == sat }
		}
		alice.until("richer", more(120_000))
		lsp.until("told so", more(220_000))
		alice.until("ready with both channels", ready(2, 8_000_000))
		invoice := n.orders("bob", "invoice", "3000") // at sockets that the kill left
		if paid := n.orders("alice", "pay", invoice); !strings.HasPrefix(paid, "paid 3,000 sat, fee 1.300 sat, preimage ") || n.orders("alice", "pay", invoice) != paid {
			t.Errorf("a payment from another terminal: %q", paid)
		}
		bob.until("paid", ready(1, 3_000_000))
	})

	t.Run("kill -9 of a client in a creation", func(t *testing.T) {
		lsp.must("%s", order())
		bob.kill()
		// The LSP goes on without it, unless it had stored everything.
		s := lsp.until("funded again", func(s nodeReply) bool { return len(s.Factories) == 2 })
		n.mine(1)
		bob = n.start("client", "bob")
		n.compare(s, alice, bob)
	})

	t.Run("kill -9 of the LSP in a creation", func(t *testing.T) {
		bob.must(`{"cmd":"connect","peer":"%s"}`, lsp.peer)
		lsp.must("%s", order())
		lsp.kill()
		lsp = n.start("lsp", "lsp")
		s := lsp.must(`{"cmd":"status"}`)
		if len(s.Factories) < 2 || len(s.Factories) > 3 {
			t.Fatalf("the LSP has %d factories", len(s.Factories))
		}
		n.mine(1)
		n.compare(lsp.until("usable", active(len(s.Factories))), alice, bob)
		connect()
		lsp.must("%s", order()) // its coins are free again
		lsp.until("funded once more", func(now nodeReply) bool { return len(now.Factories) == len(s.Factories)+1 })
	})
	for _, p := range []*runningNode{lsp, alice, bob} {
		p.must(`{"cmd":"stop"}`)
		p.ended(ExitOK)
	}
}

// Without --json the node says where it stands, then what happens.
func TestNodeTextWithAChain(t *testing.T) {
	n := newNetwork(t)
	args := []string{"node", "client", "--datadir", filepath.Join(n.dir, "d"), "--listen", "127.0.0.1:0",
		"--chain", n.server.Address(), "--chain-cookie", filepath.Join(n.dir, "cookie")}
	p := start(t, args...)
	for _, want := range []string{"node id  ", "address  127.0.0.1:", "peer     ", "chain    " + n.server.Address() + ", height 552\n", "wallet   0 sat; send coins to bcrt1p"} {
		if got := p.line(); !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	p.signal(os.Interrupt)
	p.ended(ExitOK)

	t.Run("a chain that is gone", func(t *testing.T) {
		_ = n.server.Close()
		before := tree(t, filepath.Join(n.dir, "d"))
		run("", args...).checkError(t, ExitUsage, "--chain: connect to the node at http://"+n.server.Address())
		if diff := cmp.Diff(before, tree(t, filepath.Join(n.dir, "d"))); diff != "" {
			t.Errorf("left behind:\n%s", diff)
		}
		fresh := filepath.Join(n.dir, "e", "f")
		run("", "node", "lsp", "--datadir", fresh, "--listen", "127.0.0.1:0", "--chain", n.server.Address(), "--chain-cookie", filepath.Join(n.dir, "cookie")).
			checkError(t, ExitUsage, "--chain: ")
		if _, err := os.Stat(filepath.Dir(fresh)); err == nil {
			t.Error("a data directory is left behind")
		}
	})
}

// A chain that dies under a running node does not end it, and a birthday that is
// still to come is refused.
func TestNodeChainDies(t *testing.T) {
	n := newNetwork(t)
	lsp, alice := n.start("lsp", "lsp"), n.start("client", "alice")
	n.pay(lsp.must(`{"cmd":"status"}`).Address, 3_000_000, 1)
	alice.must(`{"cmd":"connect","peer":"%s"}`, lsp.peer)
	run("", "node", "lsp", "--datadir", filepath.Join(n.dir, "x"), "--listen", "127.0.0.1:0", "--chain", n.server.Address(),
		"--chain-cookie", filepath.Join(n.dir, "cookie"), "--chain-birthday", "9999").checkError(t, ExitUsage, "--chain-birthday 9999: the best block has height 553")
	_ = n.server.Close()
	s := lsp.must(`{"cmd":"status"}`)
	if s.Chain == "" || s.Height != 0 || s.Address == "" {
		t.Errorf("the status without a chain: %+v", s)
	}
	lsp.must(`{"cmd":"factory","clients":["%s"],"capacity_sat":100000,"stock_sat":50000}`, alice.id)
	s = lsp.until("told why", func(s nodeReply) bool {
		return len(s.Ceremonies) > 0 && s.Ceremonies[len(s.Ceremonies)-1].Event == "failed"
	})
	if text := s.Ceremonies[len(s.Ceremonies)-1].Text; !strings.Contains(text, "no height from the chain") || len(s.Factories) != 0 {
		t.Errorf("the reason is %q", text)
	}
	for _, p := range []*runningNode{lsp, alice} {
		p.must(`{"cmd":"stop"}`)
		p.ended(ExitOK)
	}
}

// pay sends coins to an address and confirms them.
func (n *network) pay(address string, sat int64, times int) {
	n.t.Helper()
	a, err := btcutil.DecodeAddress(address, &chaincfg.RegressionNetParams)
	if err != nil {
		n.t.Fatal(err)
	}
	script, err := txscript.PayToAddrScript(a)
	if err != nil {
		n.t.Fatal(err)
	}
	for range times {
		if _, err := n.chain.Fund(script, btcutil.Amount(sat)); err != nil {
			n.t.Fatal(err)
		}
		n.mine(1)
	}
}

// compare wants every factory of the LSP to be usable for each client in it.
func (n *network) compare(lsp nodeReply, clients ...*runningNode) {
	n.t.Helper()
	for _, c := range clients {
		for _, f := range lsp.Factories {
			if !slices.Contains(f.Clients, c.id) {
				continue
			}
			c.until("in the factory", func(s nodeReply) bool {
				return slices.ContainsFunc(s.Factories, func(x control.FactoryStatus) bool {
					return x.FactoryID == f.FactoryID && x.State == control.StateActive
				})
			})
		}
	}
}
