package lsp_test

import (
	"errors"
	"testing"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/role/roletest"
)

// A change that needs a client who is not there is refused at once: nobody is told of
// it, and when the client is back it can be ordered. Others of the factory do not
// matter.
func TestAnAbsentClient(t *testing.T) {
	for shape, order := range map[string]func(*roletest.World, ceremony.Purchase) error{
		"kickoff 2 / dw 2": func(w *roletest.World, p ceremony.Purchase) error { _, err := w.LSP.LSP.Update(p); return err },
		"kickoff 2 / ps 2": func(w *roletest.World, p ceremony.Purchase) error { _, err := w.LSP.LSP.Sell(p); return err },
	} {
		w := roletest.New(t, 3)
		p := ceremony.Purchase{Factory: w.Factory(shape), Buyer: 0, Amount: 20_000}
		w.Events = nil
		for _, absent := range []int{0, 1} {
			w.LSP.LSP.Disconnected(w.Clients[absent].Peer)
			if err := order(w, p); !errors.Is(err, ceremony.ErrAbsent) {
				t.Errorf("%s without client %d: %v", shape, absent, err)
			}
			for i, c := range w.Clients {
				if out := w.LSP.LSP.Outgoing(c.Peer); len(out) > 0 {
					t.Errorf("%s: client %d is told %v", shape, i, out)
				}
			}
			w.LSP.LSP.Connected(w.Clients[absent].Peer)
		}
		w.LSP.LSP.Disconnected(w.Clients[2].Peer)
		if err := order(w, p); err != nil {
			t.Fatalf("%s without client 2, who is in another leaf: %v", shape, err)
		}
		w.Run(nil)
		if got := w.LSP.LSP.Factory(p.Factory).Tree().Capacities(0); got != 120_000 {
			t.Errorf("%s: the buyer has %d sat: %+v", shape, got, w.Events)
		}
	}
}
