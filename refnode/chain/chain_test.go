package chain

import (
	"errors"
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
)

func TestConfirmations(t *testing.T) {
	for _, test := range []struct {
		name string
		at   Position
		tip  Height
		want uint32
	}{
		{"mempool", Position{}, 100, 0},
		{"tip", Position{Confirmed: true, Block: BlockID{Height: 100}}, 100, 1},
		{"deeper", Position{Confirmed: true, Block: BlockID{Height: 91}}, 100, 10},
		{"above a stale tip", Position{Confirmed: true, Block: BlockID{Height: 101}}, 100, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.at.Confirmations(test.tip); got != test.want {
				t.Errorf("%d confirmations, want %d", got, test.want)
			}
		})
	}
}

func TestRejection(t *testing.T) {
	refusal := &Rejection{Reason: ReasonDust, Index: 1, Txid: chainhash.Hash{1}, Detail: "tx with dust output must be 0-fee"}
	wrapped := fmt.Errorf("submit: %w", refusal)
	if !IsRejection(wrapped, ReasonDust) || IsRejection(wrapped, ReasonTRUC) || IsRejection(ErrClosed, ReasonDust) {
		t.Error("reasons are mixed up")
	}
	var found *Rejection
	if !errors.As(wrapped, &found) || found.Index != 1 {
		t.Errorf("found %+v", found)
	}
	want := fmt.Sprintf("submit: transaction 1 of the package (%v) refused: dust: tx with dust output must be 0-fee", refusal.Txid)
	if wrapped.Error() != want {
		t.Errorf("text %q\nwant %q", wrapped, want)
	}
}
