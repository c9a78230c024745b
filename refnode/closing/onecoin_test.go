package closing

import (
	"context"
	"crypto/sha256"
	"testing"

	btcwire "github.com/btcsuite/btcd/wire"
	"pgregory.net/rapid"

	"superscalar/refnode/chain/embedded"
	"superscalar/refnode/commitment"
	"superscalar/refnode/exit"
	"superscalar/refnode/wallet"
)

// crowd are terms with one coin and so many HTLCs, which the peer offered or which
// we did, and which expire so many blocks from now.
func crowd(t fatal, c *embedded.Chain, kind commitment.Type, by commitment.Side, n int, blocks commitment.Height) terms {
	t.Helper()
	tip, err := c.Tip(context.Background())
	check(t, err)
	state := commitment.State{Balance: [2]commitment.MilliSat{100_000_000, 100_000_000}}
	if kind == commitment.Anchors {
		state.Feerate = 500
	}
	const amount = 20_000_000
	state.Balance[by] = 900_000_000 - commitment.MilliSat(n)*amount
	for id := range uint64(n) {
		h := commitment.HTLC{OfferedBy: by, ID: id, Amount: amount, Expiry: commitment.Height(tip.Height) + 1 + blocks}
		preimage := preimageOf(h)
		h.Hash = sha256.Sum256(preimage[:])
		state.HTLCs = append(state.HTLCs, h)
	}

	return terms{
		kind: kind, us: commitment.Opener, delay: [2]uint16{144, 144}, coins: 1, inFactory: true,
		states: []commitment.State{state}, our: state,
	}
}

// ours counts the HTLC outputs of our commitment that went to us, and those that
// went to anybody.
func (s *scene) outcome() (ours, spent int) {
	s.t.Helper()
	for i, out := range s.ours.Outputs {
		if out.HTLC == nil {
			continue
		}
		if spend, found := s.spend(btcwire.OutPoint{Hash: s.ours.Txid, Index: uint32(i)}); found {
			spent++
			if s.paysUs(spend.Tx) {
				ours++
			}
		}
	}

	return ours, spent
}

// A channel output reaches the chain when its HTLCs have 18 blocks left (PCF-090),
// and the one coin that there is has to pay for the commitment and for 30
// transactions of HTLCs: all of them are in blocks before the peer can have them.
func TestOneCoinPaysForManyHTLCs(t *testing.T) {
	bothTypes(t, func(t *testing.T, kind commitment.Type) {
		const n = 30
		c := newChain(t)
		s := newScene(t, c, crowd(t, c, kind, commitment.Accepter, n, 18))
		for i := range s.channel.HTLCs {
			s.learn(&s.channel.HTLCs[i])
		}
		s.step()
		(&adversary{s: s}).greedy(40)
		if ours, spent := s.outcome(); ours != n || spent != n {
			t.Errorf("of %d HTLCs %d were taken, %d by us", n, spent, ours)
		}
	})
}

// However many HTLCs there are, whoever offered them, and whenever we are restarted:
// one coin is enough for all, and no coin stays reserved in the end.
func TestOneCoinIsEnough(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c, err := embedded.New(embedded.Config{})
		check(rt, err)
		defer func() { _ = c.Close() }()
		kind := rapid.SampledFrom([]commitment.Type{commitment.Anchors, commitment.ZeroFee}).Draw(rt, "type")
		by := rapid.SampledFrom([]commitment.Side{commitment.Opener, commitment.Accepter}).Draw(rt, "by")
		n := rapid.IntRange(1, 24).Draw(rt, "htlcs")
		x := crowd(rt, c, kind, by, n, 18)
		x.value = 2_000_000 // fees rise with each block that leaves ours out
		s := newScene(rt, c, x)
		for i := range s.channel.HTLCs {
			if h := &s.channel.HTLCs[i]; h.By == s.them {
				s.learn(h)
			}
		}
		s.step()
		a := &adversary{s: s, t: rt}
		for range 36 {
			if rapid.IntRange(0, 4).Draw(rt, "happens") == 0 {
				s.driver = &Driver{Wallet: s.wallet} // a restart
				s.step()
			}
			if s.height+6 < s.channel.HTLCs[0].Expiry && rapid.IntRange(0, 9).Draw(rt, "empty") == 0 {
				s.mine() // miners leave ours out
				s.step()
			}
			a.greedy(1)
		}
		if ours, spent := s.outcome(); ours != n || spent != n {
			rt.Fatalf("of %d HTLCs %d were taken, %d by us", n, spent, ours)
		}
		if left := s.wallet.Reservations(); len(left) > 0 {
			rt.Fatalf("reserved for ever: %v", left)
		}
	})
}

// A division that does not confirm is paid for more and more, by a driver that has just
// started too, with the same outputs; and never costs more than its share of the coin.
func TestDivisionIsRaised(t *testing.T) {
	c := newChain(t)
	s := newScene(t, c, crowd(t, c, commitment.Anchors, commitment.Accepter, 20, 40))
	s.driver.Fees = exit.Fees{Start: wallet.SatPerVByte(2), Max: wallet.SatPerVByte(200)}
	for i := range s.channel.HTLCs {
		s.learn(&s.channel.HTLCs[i])
	}
	division := func() (tx *btcwire.MsgTx, fee int64) {
		coin, held := dividing(s.wallet.Coins())
		if !held {
			t.Fatal("no coin is being divided")
		}
		tx, fee = s.pool(coin.Outpoint), int64(coin.Value)
		if tx == nil {
			t.Fatal("the division is not in the mempool")
		}
		for _, out := range tx.TxOut {
			fee -= out.Value
		}
		if fee > int64(coin.Value)/feeShare {
			t.Fatalf("it costs %d of %d sat", fee, int64(coin.Value))
		}
		return tx, fee
	}
	s.mine(s.ours.tx)
	s.step()
	first, least := division()
	last := least
	for n := range 30 {
		s.mine() // miners leave it out
		if n%3 == 0 {
			s.driver = &Driver{Wallet: s.wallet, Fees: s.driver.Fees}
		}
		s.step()
		for _, sent := range s.last.Sent {
			if sent.Action.Reason == "coins for HTLC transactions" && sent.Err != nil {
				t.Fatal(sent.Err)
			}
		}
		tx, fee := division()
		if fee < last || len(tx.TxOut) != len(first.TxOut) || string(tx.TxOut[0].PkScript) != string(first.TxOut[0].PkScript) {
			t.Fatalf("%d outputs for %d sat after %d for %d", len(tx.TxOut), fee, len(first.TxOut), last)
		}
		last = fee
	}
	if last < 5*least {
		t.Errorf("from %d to %d sat", least, last)
	}
}

// A large coin stays large: each part has what the highest rate may take, and the rest
// is one coin for whatever else there is to pay.
func TestALargeCoinStaysLarge(t *testing.T) {
	c := newChain(t)
	x := crowd(t, c, commitment.ZeroFee, commitment.Accepter, 10, 40)
	x.value = 10_000_000
	s := newScene(t, c, x)
	for i := range s.channel.HTLCs {
		s.learn(&s.channel.HTLCs[i])
	}
	s.step()
	s.block()
	s.block() // the division
	largest, free := int64(0), 0
	for _, coin := range s.wallet.Coins() {
		largest = max(largest, int64(coin.Value))
		if coin.Reserved == "" {
			free++
		}
	}
	if largest < 9_500_000 || free == 0 {
		t.Errorf("the largest of %d coins has %d sat, %d are free", len(s.wallet.Coins()), largest, free)
	}
}

// What the HTLCs bring bounds what a division for them costs, however large the coin is.
func TestADivisionForLittleCostsLittle(t *testing.T) {
	c := newChain(t)
	x := crowd(t, c, commitment.ZeroFee, commitment.Accepter, 10, 18)
	for i := range x.our.HTLCs { // and of x.states, which is the same list
		x.our.HTLCs[i].Amount = 2_000_000
	}
	for _, state := range []*commitment.State{&x.our, &x.states[0]} {
		state.Balance[commitment.Accepter] = 900_000_000 - 10*2_000_000
	}
	x.value = 10_000_000
	s := newScene(t, c, x)
	s.driver.Fees = exit.Fees{Start: wallet.SatPerVByte(2), Max: wallet.SatPerVByte(200)}
	for i := range s.channel.HTLCs {
		s.learn(&s.channel.HTLCs[i])
	}
	s.mine(s.ours.tx)
	s.step()
	for range 16 {
		s.mine()
		s.step()
	}
	coin, held := dividing(s.wallet.Coins())
	if !held {
		t.Fatal("no coin is being divided")
	}
	fee := int64(coin.Value)
	for _, out := range s.pool(coin.Outpoint).TxOut {
		fee -= out.Value
	}
	if fee > 10*2000/2/feeShare {
		t.Errorf("it costs %d sat for HTLCs of 20,000", fee)
	}
}

// Who has coins enough, or too little to make coins of, divides none.
func TestNothingToDivide(t *testing.T) {
	for name, tt := range map[string]struct {
		htlcs, coins int
		rate         int64
	}{"coins enough": {8, 10, 2}, "two left": {3, 2, 2}, "too little": {30, 1, 150}, "no coin": {30, 0, 2}} {
		t.Run(name, func(t *testing.T) {
			c := newChain(t)
			x := crowd(t, c, commitment.Anchors, commitment.Accepter, tt.htlcs, 18)
			x.coins = tt.coins
			s := newScene(t, c, x)
			s.driver.Fees = exit.Fees{Start: wallet.SatPerVByte(tt.rate), Max: wallet.SatPerVByte(tt.rate)}
			for i := range s.channel.HTLCs {
				s.learn(&s.channel.HTLCs[i])
			}
			s.mine(s.ours.tx)
			s.step()
			if coin, held := dividing(s.wallet.Coins()); held {
				t.Errorf("it divides %d sat", int64(coin.Value))
			}
		})
	}
}

// Where the most urgent HTLC transaction has to be in the next block there is none for a
// division before it: the coin pays for that one. With a block more it is divided.
func TestNoDivisionWithoutABlockForIt(t *testing.T) {
	bothTypes(t, func(t *testing.T, kind commitment.Type) {
		divided := map[bool]int{}
		for blocks := commitment.Height(1); blocks < 7; blocks++ {
			c := newChain(t)
			s := newScene(t, c, crowd(t, c, kind, commitment.Accepter, 10, blocks))
			for i := range s.channel.HTLCs {
				s.learn(&s.channel.HTLCs[i])
			}
			s.mine(s.ours.tx)
			s.step()
			first, n := commitment.Height(0), 0
			for _, a := range s.last.Plan.Publish {
				if a.Claim != nil && a.Claim.Pair != nil {
					n++
					if first == 0 || a.Deadline < first {
						first = a.Deadline
					}
				}
			}
			if n == 0 {
				continue // too late for the HTLCs as well
			}
			_, held := dividing(s.wallet.Coins())
			if inTime := first > s.height+1; held != inTime {
				t.Errorf("%d HTLC transactions, the first due in block %d, at height %d: the coin is divided: %v", n, first, s.height, held)
			}
			divided[held]++
		}
		if divided[true] == 0 || divided[false] == 0 {
			t.Errorf("control: divided %v", divided)
		}
	})
}
