package closing

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/commitment"
)

// deaf is a backend that does not say what spends some outpoints.
type deaf struct {
	chain.Interface
	to []btcwire.OutPoint
}

var errDeaf = errors.New("no answer for this outpoint")

func (d deaf) Spend(ctx context.Context, o btcwire.OutPoint) (chain.Spend, bool, error) {
	if slices.Contains(d.to, o) {
		return chain.Spend{}, false, errDeaf
	}

	return d.Interface.Spend(ctx, o)
}

// A coin is free again when what it was for is buried, whatever the backend fails to say of
// other outpoints; theirs stay reserved.
func TestReleaseOfOneCoin(t *testing.T) {
	x := quiet(commitment.Anchors)
	x.coins = 3
	s := newScene(t, newChain(t), x)
	unknown := []btcwire.OutPoint{{Index: 1}, {Hash: chainhash.Hash{31: 0xff}}}
	for _, o := range append(slices.Clone(unknown), s.funding.Outpoint) {
		_, err := s.wallet.ReserveCoin(reservation(o), 1000)
		check(t, err)
	}
	s.mine(s.ours.tx)
	for range Buried {
		s.mine()
	}
	if err := s.driver.Release(t.Context(), deaf{s.chain, unknown}); !errors.Is(err, errDeaf) {
		t.Errorf("it says %v", err)
	}
	left := s.wallet.Reservations()
	if len(left) != len(unknown) || slices.Contains(left, reservation(s.funding.Outpoint)) {
		t.Errorf("reserved: %v", left)
	}
}
