package wallet

import (
	"errors"
	"testing"

	"github.com/btcsuite/btcd/wire"
)

// One coin is reserved by its outpoint, whatever others are worth: not one that is
// taken already, immature, spent or nobody's.
func TestReserveOutpoint(t *testing.T) {
	w, b := newWallet(t, Options{}), &blocks{}
	script, err := w.NewScript()
	must(t, err)
	must(t, w.Process(b.mineTo(script))) // immature
	must(t, w.Process(b.mine(b.pay(t, w, 5000, 9000, 9000))))
	coins := map[bool][]Coin{}
	for _, c := range w.Coins() {
		coins[c.Coinbase] = append(coins[c.Coinbase], c)
	}
	for i, c := range coins[false] {
		id := string(rune('a' + i))
		must(t, w.ReserveOutpoint(id, c.Outpoint))
		for _, got := range w.Coins() {
			if mine := got.Outpoint == c.Outpoint; mine != (got.Reserved == id) {
				t.Errorf("%s has %v", id, got)
			}
		}
	}
	if err := w.ReserveOutpoint("a", coins[true][0].Outpoint); !errors.Is(err, ErrReserved) {
		t.Errorf("an id twice: %v", err)
	}
	for name, at := range map[string]wire.OutPoint{
		"reserved": coins[false][0].Outpoint, "immature": coins[true][0].Outpoint, "nobody's": {Index: 7},
	} {
		if err := w.ReserveOutpoint("other", at); !errors.Is(err, ErrCoinGone) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := w.Reservations(); len(got) != 3 {
		t.Errorf("reserved: %v", got)
	}
}
