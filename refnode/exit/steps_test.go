package exit_test

import (
	"errors"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/exit"
	"superscalar/refnode/factory"
	"superscalar/refnode/wallet"
)

func (w *world) mine(n uint32) {
	w.t.Helper()
	if _, err := w.chain.Mine(n); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) tip() factory.Height {
	w.t.Helper()
	tip, err := w.chain.Tip(w.ctx)
	if err != nil {
		w.t.Fatal(err)
	}

	return factory.Height(tip.Height)
}

// mineTo mines until the best block has a height.
func (w *world) mineTo(h factory.Height) {
	w.t.Helper()
	if tip := w.tip(); h > tip {
		w.mine(uint32(h - tip))
	}
}

// driver of client i; with payout it may pay out of what it is paid.
func (w *world) driver(i int, payout bool) *exit.Driver {
	w.t.Helper()
	cfg := exit.Config{
		Holder: w.held(i), Party: exit.Client(factory.ClientIndex(i)), Chain: w.chain, Wallet: w.wallets[i],
	}
	if payout {
		cfg.Payout, _ = keys(w.name(i, len(w.clients))).Payout(w.id)
	}

	return w.newDriver(cfg)
}

func (w *world) lspDriver() *exit.Driver {
	w.t.Helper()

	return w.newDriver(exit.Config{Holder: w.factory(), Party: exit.LSP(), Chain: w.chain, Wallet: w.wallets[len(w.clients)]})
}

func (w *world) newDriver(cfg exit.Config) *exit.Driver {
	w.t.Helper()
	d, err := exit.NewDriver(cfg)
	if err != nil {
		w.t.Fatal(err)
	}

	return d
}

// step runs drivers once; whatever they send has to be accepted.
func (w *world) step(drivers ...*exit.Driver) []exit.Report {
	w.t.Helper()
	var all []exit.Report
	for _, d := range drivers {
		r, err := d.Step(w.ctx)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, s := range r.Sent {
			if s.Err != nil {
				w.t.Fatalf("height %d: %s: %v", r.Height, s.Action.Kind(), s.Err)
			}
		}
		all = append(all, r)
	}

	return all
}

// walk steps and mines until done says so, at most n blocks, and returns how
// many it took.
func (w *world) walk(n int, done func() bool, drivers ...*exit.Driver) int {
	w.t.Helper()
	for i := range n + 1 {
		if done() {
			return i
		}
		w.step(drivers...)
		w.mine(1)
	}
	w.t.Fatalf("not done after %d blocks", n)

	return 0
}

// confirmed reports whether a block holds a transaction.
func (w *world) confirmed(txid chainhash.Hash) bool {
	w.t.Helper()
	tx, found, err := w.chain.Transaction(w.ctx, txid)
	if err != nil {
		w.t.Fatal(err)
	}

	return found && tx.Confirmed
}

// unspent reports whether an output is on the chain and nothing in a block
// spends it.
func (w *world) unspent(o btcwire.OutPoint) bool {
	w.t.Helper()
	out, found, err := w.chain.Output(w.ctx, o)
	if err != nil {
		w.t.Fatal(err)
	}

	return found && out.Confirmed
}

// complete signs with a holder.
func (w *world) complete(h exit.Holder, tx *factory.Tx) *btcwire.MsgTx {
	w.t.Helper()
	signed, err := h.Complete(tx)
	if err != nil {
		w.t.Fatal(err)
	}

	return signed
}

// force puts a transaction into the next block, past the mempool, as an
// adversary with a miner does.
func (w *world) force(txs ...*btcwire.MsgTx) {
	w.t.Helper()
	if _, err := w.chain.MineWith(txs...); err != nil {
		w.t.Fatal(err)
	}
}

// offer submits a parent with a child that the LSP's wallet pays.
func (w *world) offer(tx *btcwire.MsgTx, rate wallet.FeeRate) error {
	w.t.Helper()
	purse, id := w.wallets[len(w.clients)], "attack/"+tx.TxHash().String()
	if err := purse.Sync(w.ctx, w.chain); err != nil {
		w.t.Fatal(err)
	}
	if _, err := purse.ReserveCoin(id, 50_000); err != nil && !errors.Is(err, wallet.ErrReserved) {
		w.t.Fatal(err)
	}
	child, err := purse.BumpChild(wallet.Bump{ID: id, Parent: tx, Anchor: uint32(len(tx.TxOut) - 1), Rate: rate})
	if err != nil {
		w.t.Fatal(err)
	}

	return w.chain.Submit(w.ctx, chain.Package{tx, child.Tx})
}
