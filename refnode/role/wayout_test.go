package role_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/chain"
	"superscalar/refnode/exit"
	"superscalar/refnode/factory"
	"superscalar/refnode/role"
	"superscalar/refnode/role/roletest"
	"superscalar/refnode/wallet"
	"superscalar/wire"
)

// shortLived makes a factory of all clients with short delays and confirms it.
func shortLived(t *testing.T, w *roletest.World, shape string) wire.CeremonyID {
	t.Helper()
	s, err := factory.ParseShape(shape)
	if err != nil {
		t.Fatal(err)
	}
	o := ceremony.Order{Shape: func(int) factory.Shape { return s }, Params: factory.DefaultParams(s.Leaf), Stock: 50_000}
	p := &o.Params
	p.Step, p.States, p.ConfirmBlocks, p.StockCSV, p.OmissionDelay, p.Margin, p.MaxFundingWait, p.Active, p.Dying = 4, 3, 2, 10, 5, 2, 6, 10, 2
	p.MaxChain = min(p.MaxChain, 2)
	for _, c := range w.Clients {
		o.Clients = append(o.Clients, ceremony.OrderClient{Peer: c.Peer, Capacity: 100_000})
	}
	before := len(w.LSP.LSP.Factories())
	id, err := w.LSP.LSP.Create(o)
	if err != nil {
		t.Fatal(err)
	}
	w.Run(nil)
	if len(w.LSP.LSP.Factories()) != before+1 {
		t.Fatalf("no factory: %v", w.Events)
	}
	w.Mine(1)
	return id
}

// coins is a wallet with some confirmed coins.
func coins(t *testing.T, w *roletest.World, count int) *wallet.Wallet {
	t.Helper()
	purse, err := wallet.New(wallet.Options{Keys: func(i uint32) (*btcec.PrivateKey, error) {
		key, _ := btcec.PrivKeyFromBytes([]byte{7, byte(count), byte(i)})
		return key, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	script, err := purse.NewScript()
	if err != nil {
		t.Fatal(err)
	}
	for range count {
		if _, err := w.Regtest.Fund(script, 100_000); err != nil {
			t.Fatal(err)
		}
	}
	w.Mine(1)
	return purse
}

// lines collects what a way out tells.
type lines struct {
	mu   sync.Mutex
	text []string
}

func (l *lines) tell(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, s)
}

// count is how many lines have a part.
func (l *lines) count(part string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.text {
		if strings.Contains(s, part) {
			n++
		}
	}
	return n
}

func wayOut(t *testing.T, cfg role.WayOutConfig) *role.WayOut {
	t.Helper()
	w, err := role.NewWayOut(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// A client that was told to leave goes on after a restart, pays no more than was
// previewed, and tells each thing once.
func TestLeave(t *testing.T) {
	w := roletest.New(t, 2)
	id := shortLived(t, w, "kickoff 1 / ps 2")
	alice := w.Clients[0]
	purse, told := coins(t, w, 3), &lines{}
	start := func() *role.WayOut {
		return wayOut(t, role.WayOutConfig{
			Exits: func() ([]role.Exit, error) { return alice.Client.Exits() }, Chain: alice.Chain, Wallet: purse, Tell: told.tell,
		})
	}
	out := start()
	step := func() role.Progress {
		t.Helper()
		if err := out.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		p, found := out.Progress(w.LSP.Peer, id)
		if !found {
			t.Fatal("no progress after a look")
		}
		return p
	}
	if p := step(); len(p.Plan.Publish) != 0 || !p.Plan.Funded {
		t.Fatalf("before it was told to leave: %+v", p.Plan)
	}
	if err := alice.Client.Leave(w.LSP.Peer, wire.CeremonyID{9}); err == nil {
		t.Error("it leaves a factory that it does not have")
	}
	preview, err := exit.Preview(alice.Client.Factories()[0].Tree, 0)
	if err != nil {
		t.Fatal(err)
	}
	alice.Disk.FailAfter(0)
	if err := alice.Client.Leave(w.LSP.Peer, id); !errors.Is(err, roletest.ErrFull) || alice.Client.Factories()[0].Leaving {
		t.Fatalf("leaving with a full disk: %v", err)
	}
	alice.Disk.FailAfter(-1)
	for range 2 { // twice is once
		if err := alice.Client.Leave(w.LSP.Peer, id); err != nil {
			t.Fatal(err)
		}
	}
	if p := step(); len(p.Plan.Publish) != 1 || len(p.Waiting()) != 0 {
		t.Fatalf("the kickoff: %+v", p.Plan)
	}
	w.Restart(alice)
	out = start()
	var vbytes int64
	for blocks := 0; ; blocks++ {
		p := step()
		if len(p.Plan.Channels) == 1 {
			for _, c := range p.Plan.Confirmed {
				vbytes += c.Tx.VSize() + wallet.ChildVBytes
			}
			if vbytes != preview.VBytes || len(p.Plan.Confirmed) != preview.Transactions || blocks > int(preview.Blocks) {
				t.Errorf("%d vB, %d transactions, %d blocks; previewed %s", vbytes, len(p.Plan.Confirmed), blocks, preview)
			}
			break
		}
		if blocks > 100 {
			t.Fatalf("it does not come out: %v", told.text)
		}
		w.Mine(1)
	}
	for _, part := range []string{"published kickoff", "kickoff", "published state", "state"} {
		if n := told.count(part); part == "published state" && n != 1 || n == 0 {
			t.Errorf("%q was told %d times: %q", part, n, told.text)
		}
	}
}

// Without a coin it says what waits for one, and goes on when it has come.
func TestLeaveWithoutACoin(t *testing.T) {
	w := roletest.New(t, 2)
	id := shortLived(t, w, "kickoff 1 / ps 2")
	alice := w.Clients[0]
	if err := alice.Client.Leave(w.LSP.Peer, id); err != nil {
		t.Fatal(err)
	}
	purse, told := coins(t, w, 0), &lines{}
	out := wayOut(t, role.WayOutConfig{
		Exits: func() ([]role.Exit, error) { return alice.Client.Exits() }, Chain: alice.Chain, Wallet: purse, Tell: told.tell,
	})
	for range 3 {
		if err := out.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	p, _ := out.Progress(w.LSP.Peer, id)
	if list := p.Waiting(); len(list) != 1 || !errors.Is(list[0].Err, exit.ErrNoCoin) || told.count("waits for a confirmed coin") != 1 {
		t.Errorf("waiting: %+v, told %q", list, told.text)
	}
	script, err := purse.NewScript()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Regtest.Fund(script, 100_000); err != nil {
		t.Fatal(err)
	}
	w.Mine(1)
	if err := out.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p, _ = out.Progress(w.LSP.Peer, id); len(p.Plan.Publish) != 1 || len(p.Waiting()) != 0 {
		t.Errorf("with a coin: %+v", p.Plan)
	}
}

// broken is a factory whose transactions cannot be looked at.
func broken(id wire.CeremonyID) role.Exit { return role.Exit{ID: id} }

// What is wrong with one factory, or with the list, does not keep the others in.
func TestOneFailureIsNotTheOthers(t *testing.T) {
	w := roletest.New(t, 2)
	id := shortLived(t, w, "kickoff 1 / ps 2")
	alice := w.Clients[0]
	if err := alice.Client.Leave(w.LSP.Peer, id); err != nil {
		t.Fatal(err)
	}
	missing := errors.New("one more, which cannot be read")
	out := wayOut(t, role.WayOutConfig{Chain: alice.Chain, Wallet: coins(t, w, 2), Exits: func() ([]role.Exit, error) {
		list, err := alice.Client.Exits()
		return append([]role.Exit{broken(wire.CeremonyID{1})}, list...), errors.Join(err, missing)
	}})
	if err := out.Step(t.Context()); !errors.Is(err, missing) || !errors.Is(err, exit.ErrConfig) {
		t.Errorf("the errors of the others: %v", err)
	}
	if p, _ := out.Progress(w.LSP.Peer, id); len(p.Plan.Publish) != 1 || len(p.Waiting()) != 0 {
		t.Errorf("the good factory: %+v", p.Plan)
	}
	if _, found, err := w.Regtest.Spend(t.Context(), alice.Client.Factories()[0].Tree.Funding()); err != nil || !found {
		t.Errorf("nothing was published: %v", err)
	}
}

// A chain that dies is told of once, asked again, and what was to be done is done
// when it is back.
func TestWayOutAndADyingChain(t *testing.T) {
	gone := errors.New("the chain is gone")
	for _, f := range []roletest.Faults{{Err: gone}, {Hang: true}, {Mute: gone}} {
		w := roletest.New(t, 2)
		id := shortLived(t, w, "kickoff 1 / ps 2")
		alice, told := w.Clients[0], &lines{}
		if err := alice.Client.Leave(w.LSP.Peer, id); err != nil {
			t.Fatal(err)
		}
		failed := make(chan string, 100)
		out := wayOut(t, role.WayOutConfig{
			Exits: alice.Client.Exits, Chain: alice.Chain, Wallet: coins(t, w, 2), Timeout: 50 * time.Millisecond, Retry: time.Millisecond,
			Tell: func(s string) {
				told.tell(s)
				if strings.HasPrefix(s, "way out: ") {
					failed <- s
				}
			},
		})
		alice.Chain.Set(f)
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { out.Run(ctx) })
		<-failed
		alice.Chain.Set(roletest.Faults{})
		tip, err := w.Regtest.Tip(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := out.Looked(ctx, tip); err != nil {
			t.Fatal(err)
		}
		if _, found, err := w.Regtest.Spend(ctx, alice.Client.Factories()[0].Tree.Funding()); err != nil || !found {
			t.Errorf("%+v: nothing was published: %v", f, err)
		}
		for line := range failed { // on a slow machine it may fail in another way too
			if line == "way out: it goes on" {
				break
			}
		}
		stop()
		wg.Wait()
		if told.count("it goes on") != 1 || len(slices.Compact(slices.Clone(told.text))) != len(told.text) {
			t.Errorf("%+v: told %q", f, told.text)
		}
	}
}

// Run ends with its chain.
func TestWayOutEndsWithItsChain(t *testing.T) {
	closed := &roletest.Chain{Interface: roletest.New(t, 1).Regtest}
	closed.Set(roletest.Faults{Err: chain.ErrClosed})
	out := wayOut(t, role.WayOutConfig{Exits: func() ([]role.Exit, error) { return nil, nil }, Chain: closed})
	out.Run(t.Context())
	for _, cfg := range []role.WayOutConfig{
		{Chain: closed}, {Exits: func() ([]role.Exit, error) { return nil, nil }},
		{Exits: func() ([]role.Exit, error) { return nil, nil }, Chain: closed, Fees: exit.Fees{Start: 5, Max: 4}},
	} {
		if _, err := role.NewWayOut(cfg); !errors.Is(err, exit.ErrConfig) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

// Ceremonies go on while both roles look after their ways out: for the race
// detector. What was published is the latest that was signed.
func TestCeremoniesAndWaysOut(t *testing.T) {
	w := roletest.New(t, 2)
	id := shortLived(t, w, "kickoff 1 / ps 2")
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var outs []*role.WayOut
	for i, exits := range []func() ([]role.Exit, error){w.LSP.LSP.Exits, w.Clients[0].Client.Exits, w.Clients[1].Client.Exits} {
		out := wayOut(t, role.WayOutConfig{Exits: exits, Chain: w.Regtest, Wallet: coins(t, w, 3+i)})
		outs = append(outs, out)
		wg.Go(func() { out.Run(ctx) })
		wg.Go(func() {
			for ctx.Err() == nil {
				out.Wake()
				_ = out.Step(ctx) // ends with ctx
			}
		})
	}
	for i, change := range []func(ceremony.Purchase) (wire.CeremonyID, error){w.LSP.LSP.Sell, w.LSP.LSP.Update, w.LSP.LSP.Update} {
		if _, err := change(ceremony.Purchase{Factory: id, Buyer: factory.ClientIndex(i % 2), Amount: 5_000}); err != nil {
			t.Fatal(err)
		}
		w.Run(nil)
	}
	if got := len(w.LSP.LSP.Factory(id).Tree().Former()); got != 2 {
		t.Errorf("%d states were replaced", got)
	}
	if err := w.Clients[1].Client.Leave(w.LSP.Peer, id); err != nil {
		t.Fatal(err)
	}
	outs[2].Wake()
	tree := w.Clients[1].Client.Factories()[0].Tree
	for blocks := 0; ; blocks++ {
		tip, err := w.Regtest.Tip(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, out := range outs {
			if err := out.Step(ctx); err != nil {
				t.Fatal(err)
			}
			if err := out.Looked(ctx, tip); err != nil {
				t.Fatal(err)
			}
		}
		spend, found, err := w.Regtest.Spend(ctx, tree.Nodes()[1].Tx.Outpoint())
		if err != nil || blocks > 50 {
			t.Fatalf("no state after %d blocks: %v", blocks, err)
		}
		if found {
			if spend.Tx.TxHash() != tree.Nodes()[1].Tx.Txid {
				t.Error("another state than the latest is out")
			}
			break
		}
		w.Mine(1)
	}
	stop()
	wg.Wait()
}
