package lsp_test

import (
	"errors"
	"testing"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/role/roletest"
	"superscalar/wire"
)

// What was for a client that is gone does not go out when it comes back: the abort
// of its attempt, and an invitation to one that went on without it.
func TestNothingStaleGoesOut(t *testing.T) {
	w := roletest.New(t, 2)
	id := w.Factory("kickoff 1 / ps 2")
	gone := w.Clients[0].Peer
	if _, err := w.LSP.LSP.Sell(ceremony.Purchase{Factory: id, Buyer: 0, Amount: 20_000}); err != nil {
		t.Fatal(err)
	}
	w.Run(func(toLSP bool, _ int, m wire.Ceremony) bool { return !toLSP }) // nobody answers
	w.LSP.LSP.Disconnected(gone)
	if left := w.LSP.LSP.Outgoing(gone); len(left) != 0 {
		t.Errorf("%d messages wait for a client that is gone: %s", len(left), left[0].Name())
	}
	if _, err := w.LSP.LSP.Sell(ceremony.Purchase{Factory: id, Buyer: 0, Amount: 20_000}); !errors.Is(err, ceremony.ErrAbsent) {
		t.Fatal(err)
	}
	w.Clock.Advance(ceremony.DefaultDeadline)
	w.LSP.LSP.Connected(gone)
	for _, m := range w.LSP.LSP.Outgoing(gone) {
		t.Errorf("%s goes out late", m.Name())
	}
}
