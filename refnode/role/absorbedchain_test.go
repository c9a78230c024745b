package role_test

import (
	"slices"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain/embedded"
	"superscalar/refnode/channel"
	"superscalar/refnode/closing"
	"superscalar/refnode/commitment"
	"superscalar/refnode/factory"
	"superscalar/refnode/wallet"
	"superscalar/wire"
)

// fund pays for a factory on the chain of a world that has one.
func (w *cutWorld) fund(out btcwire.TxOut) (*btcwire.MsgTx, uint32, error) {
	tx, err := w.chain.FundOutputs(&out)
	if err != nil {
		return nil, 0, err
	}
	at := slices.IndexFunc(tx.TxOut, func(o *btcwire.TxOut) bool { return string(o.PkScript) == string(out.PkScript) })
	return tx, uint32(at), nil
}

// mine adds blocks, the last one with what is given.
func (w *cutWorld) mine(blocks int, txs ...*btcwire.MsgTx) {
	w.t.Helper()
	for range blocks - 1 {
		if _, err := w.chain.MineWith(); err != nil {
			w.t.Fatal(err)
		}
	}
	if _, err := w.chain.MineWith(txs...); err != nil {
		w.t.Fatalf("%v: %q", err, w.log)
	}
}

// put puts transactions of the factory into blocks, each as soon as its delay is over.
func (w *cutWorld) put(id wire.CeremonyID, all ...*factory.Tx) {
	w.t.Helper()
	for _, tx := range all {
		signed, err := w.lsp().lsp.Factory(id).Complete(tx)
		if err != nil {
			w.t.Fatal(err)
		}
		blocks := 1
		if tx.Kind == factory.KindState {
			blocks = max(1, int(tx.Sequence()))
		}
		w.mine(blocks, signed)
	}
}

// enforcer looks after a channel of a party on the chain, with a wallet of its own.
func (p *party) enforcer() (*closing.Driver, []byte) {
	p.w.t.Helper()
	coins, err := wallet.New(wallet.Options{Keys: func(i uint32) (*btcec.PrivateKey, error) { return p.secret("wallet", i), nil }})
	if err != nil {
		p.w.t.Fatal(err)
	}
	script, err := coins.NewScript()
	if err != nil {
		p.w.t.Fatal(err)
	}
	return &closing.Driver{Wallet: coins}, script
}

// Either side publishes, past everything that could be done against it, the leaf that a
// cut-through replaced, the sale of a channel that was absorbed, and the last commitment
// that it had there: the other has all of it, checked by the scripts of a chain.
func TestTheLastCommitmentOfAnAbsorbedChannelIsPunished(t *testing.T) {
	for _, tt := range []struct {
		name string
		lsp  bool // is the thief
	}{{"lsp", true}, {"client", false}} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := embedded.New(embedded.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Mine(120); err != nil {
				t.Fatal(err)
			}
			w := newCutWorld(t, 2, nil)
			w.chain = c
			id := w.chained()
			thief, victim := w.parties[1], w.lsp()
			if tt.lsp {
				thief, victim = victim, thief
			}
			absorbed := thief.all(victim.id)[1]
			old := absorbed.m.Fundings[0]
			cheat, err := absorbed.m.LatestCommitment(old.Txid)
			if err != nil || old.Value != 20_000 {
				t.Fatalf("%v, of %d sat: %v", old.Txid, old.Value, err)
			}
			if err := w.cutThrough(id); err != nil || !w.whole(id) {
				t.Fatalf("not done: %v: %q", err, w.log)
			}
			tree := w.lsp().lsp.Factory(id).Tree()
			former := tree.Former()[0]
			w.mine(1, c.Mempool()...)
			w.put(id, tree.Nodes()[0].Tx, former.Node.Tx, former.Sales[0][0].Tx)
			w.mine(1, cheat.Tx)
			w.takesAll(victim, victim.lineOf(thief.id, absorbed.m.ID), cheat)
		})
	}
}

// takesAll lets a party look after a channel on the chain until nothing is left to claim,
// and checks that every output of a commitment but anchors has gone to its script.
func (w *cutWorld) takesAll(p *party, l *line, cheat *channel.SignedCommitment) {
	w.t.Helper()
	driver, script := p.enforcer()
	of := closing.Of(l.m)
	of.Revoked = func(n commitment.Number) (*channel.Revoked, error) { return p.record(l, n), nil }
	for range 3 {
		report, err := driver.Step(w.t.Context(), w.chain, of, script)
		if err != nil || report.Plan.End != closing.Revoked {
			w.t.Fatalf("%s: it ends %v: %v", p.name, report.Plan.End, err)
		}
		for _, sent := range report.Sent {
			if sent.Err != nil {
				w.t.Errorf("%s: %s: %v", p.name, sent.Action.Reason, sent.Err)
			}
		}
		w.mine(1, w.chain.Mempool()...)
	}
	taken := 0
	for i, o := range cheat.Outputs {
		if o.Kind != commitment.ToLocal && o.Kind != commitment.ToRemote {
			continue
		}
		spend, found, err := w.chain.Spend(w.t.Context(), btcwire.OutPoint{Hash: cheat.Tx.TxHash(), Index: uint32(i)})
		if err != nil || !found || !spend.Confirmed || string(spend.Tx.TxOut[0].PkScript) != string(script) {
			w.t.Errorf("%s has not got output %d, a %v: %v", p.name, i, o.Kind, err)
			continue
		}
		taken++
	}
	if taken != 2 {
		w.t.Errorf("%s took %d outputs", p.name, taken)
	}
}
