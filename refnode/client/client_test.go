package client_test

import (
	"bytes"
	"errors"
	"testing"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/client"
	"superscalar/refnode/role"
	"superscalar/refnode/role/roletest"
)

// step is a moment in the life of a funding transaction.
type step struct {
	name          string
	do            func(w *roletest.World)
	confirmations uint32
	usable, never bool
}

// A factory is usable while its funding transaction has enough confirmations,
// in time (CER-025, CER-026).
func TestUsable(t *testing.T) {
	mine := func(n uint32) func(*roletest.World) { return func(w *roletest.World) { w.Mine(n) } }
	reorg := func(w *roletest.World) {
		if err := w.Regtest.Reorg(1, nil, nil); err != nil { // two blocks without it
			w.T.Fatal(err)
		}
	}
	rebroadcast := func(w *roletest.World) {
		w.LSP.Chain.Set(roletest.Faults{})
		if err := w.LSP.LSP.CheckFunding(); err != nil {
			w.T.Fatal(err)
		}
	}
	publish := func(w *roletest.World) {
		id := w.LSP.LSP.Factories()[0].ID
		var tx btcwire.MsgTx
		if err := tx.Deserialize(bytes.NewReader(w.LSP.LSP.Factory(id).Funding)); err != nil {
			w.T.Fatal(err)
		}
		if _, err := w.Regtest.MineWith(&tx); err != nil {
			w.T.Fatal(err)
		}
	}
	lie := func(w *roletest.World) {
		w.Clients[0].Chain.Set(roletest.Faults{Lie: &btcwire.TxOut{PkScript: []byte{0x51}}})
	}
	honest := func(w *roletest.World) { w.Clients[0].Chain.Set(roletest.Faults{}) }
	for _, tt := range []struct {
		name  string
		muted bool // the funding transaction is not broadcast at once
		steps []step
	}{
		{"confirmed, then a reorganisation", false, []step{
			{"in the mempool", mine(0), 1, false, false},
			{"in a block", mine(1), 1, true, false},
			{"two wanted", mine(0), 2, false, false},
			{"taken away", reorg, 1, false, false},
			{"in another block", func(w *roletest.World) { rebroadcast(w); w.Mine(1) }, 1, true, false},
			{"twice confirmed", mine(1), 2, true, false},
		}},
		{"too late", true, []step{
			{"not there", mine(1), 1, false, false},
			{"not there in time", mine(150), 1, false, true},
			{"late", publish, 1, false, true},
		}},
		{"another output than proposed", false, []step{
			{"confirmed", mine(1), 1, true, false},
			{"the chain lies", lie, 1, false, true},
			{"and tells the truth", honest, 1, true, false},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := roletest.New(t, 1)
			if tt.muted {
				w.LSP.Chain.Set(roletest.Faults{Mute: errors.New("not now")})
			}
			id, err := w.Create("kickoff 1 / ps 2", nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range tt.steps {
				s.do(w)
				w.Restart(w.Clients[0]) // nothing hangs on what was seen before
				c := w.Clients[0].Client
				err := c.Usable(c.Held(w.LSP.Peer, id), s.confirmations)
				if (err == nil) != s.usable || err != nil && !errors.Is(err, client.ErrNotUsable) || errors.Is(err, role.ErrNeverUsable) != s.never {
					t.Errorf("%s: %v", s.name, err)
				}
			}
		})
	}
}

func TestUsableWithoutAChain(t *testing.T) {
	gone := errors.New("the chain is gone")
	w := roletest.New(t, 1)
	id := w.Factory("kickoff 1 / ps 2")
	w.Clients[0].Chain.Set(roletest.Faults{Err: gone})
	c := w.Clients[0].Client
	if err := c.Usable(c.Held(w.LSP.Peer, id), 1); !errors.Is(err, gone) || errors.Is(err, client.ErrNotUsable) {
		t.Errorf("%v", err)
	}
}

func TestReload(t *testing.T) {
	w := roletest.New(t, 2)
	id := w.Factory("kickoff 1 / ps 2")
	for i, p := range w.Clients {
		w.Restart(p)
		list := p.Client.Factories()
		if len(list) != 1 || list[0].ID != id || list[0].LSP != w.LSP.Peer || int(list[0].Index) != i || list[0].Tree.Capacities(list[0].Index) != 100_000 {
			t.Errorf("client %d has %+v", i, list)
		}
	}
}
