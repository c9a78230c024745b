package wallet

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/wire"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"superscalar/refnode/chain"
	"superscalar/refnode/chain/embedded"
)

func TestCoinsFollowTheChain(t *testing.T) {
	w, b := funded(t, 1000, 2000)
	first := b.list[1].Transactions[1]
	spend := b.foreign()
	spend.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: first.TxHash(), Index: 1}, nil, nil))
	spend.AddTxOut(first.TxOut[0]) // the same script again
	spend.TxOut[0].Value = 1000
	must(t, w.Process(b.mine(spend)))
	if got := w.Balance().Confirmed; got != 2000 || len(w.Coins()) != 2 {
		t.Fatalf("after a spend: %v, %v", got, w.Coins())
	}
	must(t, w.Process(b.undo()))
	if got := w.Balance(); got.Confirmed != 3000 || got.Available != 3000 {
		t.Fatalf("after the spend is undone: %v", got)
	}
	must(t, w.Process(b.undo()))
	if got := w.Coins(); len(got) != 0 || w.Tip() != b.list[0].BlockID {
		t.Fatalf("after all is undone: %v at %v", got, w.Tip())
	}
}

func TestUpdatesThatDoNotFit(t *testing.T) {
	for _, c := range []struct {
		name   string
		update func(b *blocks) chain.Update
	}{
		{"a block is missing", func(b *blocks) chain.Update { b.mine(); return b.mine() }},
		{"another tip is undone", func(b *blocks) chain.Update {
			b.mine()
			return b.undo()
		}},
		{"it ends elsewhere", func(b *blocks) chain.Update {
			u := b.mine()
			u.Tip.Height++
			return u
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, b := funded(t, 1000)
			tip := w.Tip()
			if err := w.Process(c.update(b)); !errors.Is(err, ErrChain) {
				t.Fatalf("got %v", err)
			}
			if w.Tip() != tip || w.Balance().Confirmed != 1000 {
				t.Error("something was applied")
			}
		})
	}
}

func TestCoinbaseMatures(t *testing.T) {
	w, b := newWallet(t, Options{}), &blocks{}
	script, err := w.NewScript()
	must(t, err)
	must(t, w.Process(b.mineTo(script)))
	for range coinbaseMaturity - 2 {
		must(t, w.Process(b.mine()))
	}
	if got := w.Balance(); got.Immature != 50e8 || got.Available != 0 {
		t.Fatalf("99 blocks in: %v", got)
	}
	must(t, w.Process(b.mine())) // the next block may spend it
	if got := w.Balance(); got.Available != 50e8 {
		t.Fatalf("100 blocks in: %v", got)
	}
}

func TestReservationsOutliveEverythingButRelease(t *testing.T) {
	var saved []byte
	o := Options{Save: func(raw []byte) error { saved = raw; return nil }}
	w, b := newWallet(t, o), &blocks{}
	must(t, w.Process(b.mine()))
	must(t, w.Process(b.mine(b.pay(t, w, 5000, 9000))))
	coin, err := w.ReserveCoin("bump", 4000)
	must(t, err)
	if coin.Value != 5000 || coin.Reserved != "bump" {
		t.Fatalf("reserved %v", coin)
	}
	if _, err := w.ReserveCoin("bump", 1); !errors.Is(err, ErrReserved) {
		t.Errorf("twice: %v", err)
	}
	var short *ShortError
	if _, err := w.ReserveCoin("other", 9500); !errors.As(err, &short) || short.Missing != 500 {
		t.Errorf("too much: %v", err)
	}
	block := b.list[len(b.list)-1]
	must(t, w.Process(b.undo()))
	o.Saved = saved
	w = newWallet(t, o) // a restart in the middle of a reorganisation
	must(t, w.Process(b.mine(block.Transactions[1])))
	if got := w.Balance(); got.Reserved != 5000 || got.Available != 9000 {
		t.Fatalf("after all that: %v", got)
	}
	if diff := cmp.Diff([]string{"bump"}, w.Reservations()); diff != "" {
		t.Error(diff)
	}
	must(t, w.Release("bump"))
	if err := w.Release("bump"); !errors.Is(err, ErrUnknownReservation) {
		t.Errorf("released twice: %v", err)
	}
	if got := w.Balance(); got.Available != 14000 {
		t.Fatalf("released: %v", got)
	}
}

func TestRescanFindsTheCoins(t *testing.T) {
	w, b := newWallet(t, Options{}), &blocks{}
	for range gap - 1 { // given out and never paid
		_, err := w.NewScript()
		must(t, err)
	}
	must(t, w.Process(b.mine(b.pay(t, w, 1000))))
	for range gap - 1 {
		_, err := w.NewScript()
		must(t, err)
	}
	must(t, w.Process(b.mine(b.pay(t, w, 2000))))

	again := newWallet(t, Options{})
	must(t, again.Process(chain.Update{Connected: b.list, Tip: b.tip()}))
	if diff := cmp.Diff(w.Coins(), again.Coins()); diff != "" {
		t.Fatal(diff)
	}
	stranger := newWallet(t, Options{Keys: testKeys(2)})
	must(t, stranger.Process(chain.Update{Connected: b.list, Tip: b.tip()}))
	if got := stranger.Coins(); len(got) != 0 {
		t.Fatalf("somebody else sees %v", got)
	}
}

func TestFailedSaveChangesNothing(t *testing.T) {
	var full error
	w, b := newWallet(t, Options{Save: func([]byte) error { return full }}), &blocks{}
	must(t, w.Process(b.mine(b.pay(t, w, 50_000))))
	before := w.state
	full = errors.New("disk full")
	for name, try := range map[string]func() error{
		"script":  func() error { _, err := w.NewScript(); return err },
		"reserve": func() error { _, err := w.ReserveCoin("a", 1); return err },
		"fund":    func() error { _, err := w.FundTx("a", []*wire.TxOut{out(1000)}, 1000); return err },
		"process": func() error { defer b.undo(); return w.Process(b.mine()) },
	} {
		if err := try(); !errors.Is(err, full) || w.state != before {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSavedStates(t *testing.T) {
	for _, c := range []struct{ name, raw string }{
		{"empty", ""}, {"text", "hello"}, {"newer", `{"version":2}`}, {"no coins", `{"version":1,"coins":null}`},
		{"coin of a key that was never used", `{"version":1,"coins":{"0000000000000000000000000000000000000000000000000000000000000000:1":{"index":3}}}`},
		{"millions of keys", `{"version":1,"next":4000000000}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := New(Options{Keys: testKeys(1), Saved: []byte(c.raw)}); !errors.Is(err, ErrState) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

// TestRandomLife lets several ceremonies, payments, reorganisations and restarts happen in any order.
func TestRandomLife(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var saved []byte
		o := Options{Keys: testKeys(1), Save: func(raw []byte) error { saved = raw; return nil }}
		w, err := New(o)
		must(rt, err)
		b := &blocks{}
		pending := map[string]*Unsigned{}
		serial := 0
		must(rt, w.Process(b.mine()))
		rt.Repeat(map[string]func(*rapid.T){
			"receive": func(rt *rapid.T) {
				tx := b.foreign()
				for _, value := range rapid.SliceOfN(rapid.Int64Range(330, 200_000), 1, 5).Draw(rt, "values") {
					script, err := w.NewScript()
					must(rt, err)
					tx.AddTxOut(wire.NewTxOut(value, script))
				}
				tx.AddTxOut(out(5000))
				if rapid.Bool().Draw(rt, "confirmed") {
					must(rt, w.Process(b.mine(tx)))
				} // else it stays in the mempool, where the wallet must not see it
			},
			"fund": func(rt *rapid.T) { serial++; fundSomething(rt, w, pending, fmt.Sprint("ceremony ", serial)) },
			"confirm": func(rt *rapid.T) {
				if len(pending) == 0 {
					rt.Skip("nothing pending")
				}
				id := rapid.SampledFrom(slices.Sorted(maps.Keys(pending))).Draw(rt, "id")
				if !present(b, pending[id].Inputs) {
					rt.Skip("its coins went in a reorganisation")
				}
				before := w.Balance().Confirmed
				must(rt, w.Process(b.mine(pending[id].Tx)))
				change := btcutil.Amount(0)
				if i := pending[id].Change; i >= 0 {
					change = btcutil.Amount(pending[id].Tx.TxOut[i].Value)
				}
				if got := w.Balance().Confirmed; got != before-sum(pending[id].Inputs)+change {
					rt.Fatalf("balance %v after %v", got, before)
				}
				delete(pending, id)
				must(rt, w.Release(id))
			},
			"give up": func(rt *rapid.T) {
				if len(pending) == 0 {
					rt.Skip("nothing pending")
				}
				id := rapid.SampledFrom(slices.Sorted(maps.Keys(pending))).Draw(rt, "id")
				delete(pending, id)
				must(rt, w.Release(id))
			},
			"reorganise": func(rt *rapid.T) {
				depth := rapid.IntRange(1, 3).Draw(rt, "depth")
				for range min(depth, len(b.list)-1) {
					must(rt, w.Process(b.undo()))
				}
				must(rt, w.Process(b.mine()))
			},
			"restart": func(*rapid.T) { // New without deriving all keys again, which takes long
				w.state, err = decodeState(saved)
				must(rt, err)
			},
			"": func(rt *rapid.T) {
				rescan := &Wallet{keys: w.keys, save: func([]byte) error { return nil }, state: newState(chain.BlockID{}),
					scripts: w.scripts, indexes: w.indexes} // deriving them again takes long
				must(rt, rescan.Process(chain.Update{Connected: b.list, Tip: b.tip()}))
				coins := w.Coins()
				for i := range coins {
					coins[i].Reserved = ""
				}
				if diff := cmp.Diff(rescan.Coins(), coins); diff != "" {
					rt.Fatalf("a rescan finds something else: %s", diff)
				}
				if !slices.Equal(slices.Sorted(maps.Keys(pending)), w.Reservations()) {
					rt.Fatalf("reserved for %v, pending %v", w.Reservations(), pending)
				}
				balance := w.Balance()
				if balance.Confirmed != balance.Available+balance.Reserved+balance.Immature {
					rt.Fatalf("balance %v", balance)
				}
			},
		})
	})
}

// present tells whether all coins are in the best chain.
func present(b *blocks, coins []Coin) bool {
	made := map[wire.OutPoint]bool{}
	for _, block := range b.list {
		for _, tx := range block.Transactions {
			for i := range tx.TxOut {
				made[wire.OutPoint{Hash: tx.TxHash(), Index: uint32(i)}] = true
			}
		}
	}
	return !slices.ContainsFunc(coins, func(c Coin) bool { return !made[c.Outpoint] })
}

// fundSomething checks FundTx and Sign against what is known of the coins, whether they suffice or not.
func fundSomething(rt *rapid.T, w *Wallet, pending map[string]*Unsigned, id string) {
	free := map[wire.OutPoint]bool{}
	for _, coin := range w.Coins() {
		free[coin.Outpoint] = coin.Reserved == ""
	}
	for _, u := range pending {
		for _, coin := range u.Inputs {
			free[coin.Outpoint] = false
		}
	}
	var outputs []*wire.TxOut
	for _, value := range rapid.SliceOfN(rapid.Int64Range(330, 150_000), 1, 4).Draw(rt, "outputs") {
		outputs = append(outputs, out(btcutil.Amount(value)))
	}
	rate := FeeRate(rapid.Int64Range(int64(MinFeeRate), 60_000).Draw(rt, "rate"))
	u, err := w.FundTx(id, outputs, rate)
	if err != nil {
		var short *ShortError
		if !errors.As(err, &short) || short.Missing <= 0 || short.Missing != short.Needed-short.Available {
			rt.Fatalf("fund: %v", err)
		}
		return
	}
	pending[id] = u
	for _, coin := range u.Inputs {
		if !free[coin.Outpoint] {
			rt.Fatalf("it spends %v, which is not free", coin)
		}
		free[coin.Outpoint] = false
	}
	checkFunded(rt, u, outputs, rate)
	signed, err := w.Sign(u)
	must(rt, err)
	if signed.TxHash() != u.Tx.TxHash() || vsize(signed) != u.VSize {
		rt.Fatalf("signing changes the txid, or %d vB into %d", u.VSize, vsize(signed))
	}
	checkScripts(rt, signed, u.Inputs, nil)
}

func sum(coins []Coin) (total btcutil.Amount) {
	for _, coin := range coins {
		total += coin.Value
	}
	return total
}

// checkFunded checks amounts, order and fee of what FundTx made.
func checkFunded(t interface{ Fatalf(string, ...any) }, u *Unsigned, outputs []*wire.TxOut, rate FeeRate) {
	if diff := cmp.Diff(outputs, u.Tx.TxOut[:len(outputs)]); diff != "" {
		t.Fatalf("outputs: %s", diff)
	}
	paid := btcutil.Amount(0)
	for _, o := range u.Tx.TxOut {
		paid += btcutil.Amount(o.Value)
	}
	if sum(u.Inputs) != paid+u.Fee {
		t.Fatalf("inputs %d, outputs %d, fee %d", sum(u.Inputs), paid, u.Fee)
	}
	target := rate.Fee(u.VSize)
	if u.Change >= 0 {
		if u.Fee != target || u.Change != len(outputs) || u.Tx.TxOut[u.Change].Value < int64(dustLimit) {
			t.Fatalf("fee %d, want %d; change %d", u.Fee, target, u.Change)
		}
		return
	}
	// Without change the fee takes what would have been dust, and what the change would have cost.
	if u.Fee < target || u.Fee >= rate.Fee(u.VSize+43)+dustLimit || len(u.Tx.TxOut) != len(outputs) {
		t.Fatalf("fee %d, want %d or a little more", u.Fee, target)
	}
}

// Several parts of a process may bring one wallet up to date at once.
func TestSyncAtOnce(t *testing.T) {
	c, err := embedded.New(embedded.Config{Seed: 9})
	must(t, err)
	defer func() { must(t, c.Close()) }()
	w := newWallet(t, Options{})
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			for range 20 {
				if err := w.Sync(t.Context(), c); err != nil {
					errs[i] = err
				}
			}
		})
	}
	for range 100 {
		_, err := c.Mine(1)
		must(t, err)
	}
	wg.Wait()
	must(t, errors.Join(errs...))
}
