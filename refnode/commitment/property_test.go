package commitment

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	btcwire "github.com/btcsuite/btcd/wire"
	"pgregory.net/rapid"

	"superscalar/wire"
)

// drawPair draws the parameters of a channel.
func drawPair(t *rapid.T) *pair {
	p := newPair(Type(rapid.IntRange(0, 1).Draw(t, "type")), Sat(rapid.Int64Range(20_000, 2_000_000).Draw(t, "value")))
	for side := range 2 {
		p.DustLimit[side] = Sat(rapid.SampledFrom([]int64{0, 354, 546, 3000}).Draw(t, "dust limit"))
		p.Delay[side] = rapid.SampledFrom([]uint16{0, 1, 16, 17, 144, 2016, 65535}).Draw(t, "delay")
	}

	return p
}

// drawState divides the funding output into HTLCs, many of them around a dust
// limit and in groups of equals, and balances.
func drawState(t *rapid.T, p *pair) State {
	s := State{Number: Number(rapid.Uint64Range(0, uint64(MaxNumber)).Draw(t, "number"))}
	if p.Type == Anchors {
		s.Feerate = Feerate(rapid.SampledFrom([]uint32{0, 253, 1000, 10_000}).Draw(t, "feerate"))
	}
	left := ofSat(p.Fund.Value)
	if p.Type == Anchors {
		left -= 2000 * MilliSat(AnchorValue) // the opener keeps what the anchors take
	}
	for i := range rapid.IntRange(0, 8).Draw(t, "HTLCs") {
		h := HTLC{
			OfferedBy: Side(rapid.IntRange(0, 1).Draw(t, "offered by")), ID: uint64(i),
			Hash:   paymentHash(uint64(rapid.IntRange(0, 2).Draw(t, "preimage"))),
			Expiry: Height(rapid.Uint32Range(500, 502).Draw(t, "expiry")),
		}
		around := ofSat(p.DustLimit[rapid.IntRange(0, 1).Draw(t, "side of dust")])
		h.Amount = rapid.SampledFrom([]MilliSat{1, 999, 1000, 4_000_000, 4_000_001, around, around + 999, max(around, 1) - 1, around + 1000}).Draw(t, "amount")
		if h.Amount > left {
			break
		}
		left -= h.Amount
		s.HTLCs = append(s.HTLCs, h)
	}
	mine := MilliSat(rapid.Uint64Range(0, uint64(left)).Draw(t, "opener's"))
	s.Balance = [2]MilliSat{mine, left - mine}
	if p.Type == Anchors {
		s.Balance[Opener] += 2000 * MilliSat(AnchorValue)
	}

	return s
}

func drawCommitment(t *rapid.T) (*pair, *Commitment) {
	p := drawPair(t)
	s := drawState(t, p)
	owner := Side(rapid.IntRange(0, 1).Draw(t, "owner"))
	point, err := p.Seeds[owner].Point(s.Number)
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.Build(owner, &p.Fund, &s, point)
	if err != nil {
		t.Fatal(err)
	}

	return p, c
}

// Nothing is lost: outputs and fee are the funding output, and every output is
// what BOLT 3 says it is, no more and no less.
func TestAmounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, c := drawCommitment(t)
		var sum, trimmed Sat
		kinds := map[OutputKind]int{}
		for i, out := range c.Outputs {
			value := Sat(c.Tx.TxOut[i].Value)
			sum += value
			kinds[out.Kind]++
			switch out.Kind {
			case LocalAnchor, RemoteAnchor:
				if value != AnchorValue {
					t.Fatalf("%s of %d sat", out.Kind, value)
				}
			case SharedAnchor:
				if value > MaxSharedAnchor || value < 0 || value < MaxSharedAnchor && c.Fee != 0 {
					t.Fatalf("shared anchor of %d sat with a fee of %d sat", value, c.Fee)
				}
			default:
				if value < p.DustLimit[c.Owner] {
					t.Fatalf("%s of %d sat under the dust limit", out.Kind, value)
				}
			}
		}
		if sum+c.Fee != p.Fund.Value || c.Fee < 0 {
			t.Fatalf("outputs of %d sat and a fee of %d sat in %d sat", sum, c.Fee, p.Fund.Value)
		}
		untrimmed := 0
		for _, h := range c.State.HTLCs {
			if h.Amount.Sat() < p.DustLimit[c.Owner] {
				trimmed += h.Amount.Sat()
			} else {
				untrimmed++
			}
		}
		if got := kinds[OfferedHTLC] + kinds[ReceivedHTLC]; got != untrimmed || len(c.HTLCs) != untrimmed {
			t.Fatalf("%d HTLC outputs and %d HTLC transactions for %d HTLCs", got, len(c.HTLCs), untrimmed)
		}
		checkBalances(t, p, c, kinds, untrimmed)
	})
}

// checkBalances compares to_local, to_remote and the anchors with the state.
func checkBalances(t *rapid.T, p *pair, c *Commitment, kinds map[OutputKind]int, untrimmed int) {
	fee := Sat(0)
	if p.Type == Anchors {
		fee = Sat((1124+172*int64(untrimmed))*int64(c.State.Feerate)/1000) + 660
	}
	left, ok := p.Afford(c.Owner, &c.State)
	if ok != (c.State.Balance[Opener] >= ofSat(fee)) || ok && left+ofSat(fee) != c.State.Balance[Opener] {
		t.Fatalf("afford says %s, %v of %s with a fee of %d sat", left, ok, c.State.Balance[Opener], fee)
	}
	for _, test := range []struct {
		kind, anchor OutputKind
		side         Side
	}{{ToLocal, LocalAnchor, c.Owner}, {ToRemote, RemoteAnchor, c.Owner.Other()}} {
		want := c.State.Balance[test.side].Sat()
		if test.side == Opener {
			want = left.Sat()
		}
		exists := want >= p.DustLimit[c.Owner]
		i := slices.IndexFunc(c.Outputs, func(o Output) bool { return o.Kind == test.kind })
		if exists != (i >= 0) || exists && Sat(c.Tx.TxOut[i].Value) != want {
			t.Fatalf("%s: output %d, want %d sat", test.kind, i, want)
		}
		anchor := 0
		if p.Type == Anchors && (exists || untrimmed > 0) {
			anchor = 1
		}
		if kinds[test.anchor] != anchor {
			t.Fatalf("%d outputs %s, want %d", kinds[test.anchor], test.anchor, anchor)
		}
	}
	if want := int(p.Type); kinds[SharedAnchor] != want {
		t.Fatalf("%d shared anchors, want %d", kinds[SharedAnchor], want)
	}
}

// Both sides keep their HTLCs in an order of their own, and get the same bytes
// and the same HTLC transactions in the same order.
func TestOrderOfHTLCsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, c := drawCommitment(t)
		s := c.State
		s.HTLCs = slices.Clone(s.HTLCs)
		rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "shuffle"), 0)).Shuffle(len(s.HTLCs), func(i, j int) {
			s.HTLCs[i], s.HTLCs[j] = s.HTLCs[j], s.HTLCs[i]
		})
		other, err := p.Build(c.Owner, &p.Fund, &s, c.point)
		if err != nil {
			t.Fatal(err)
		}
		if other.Txid != c.Txid {
			t.Fatalf("%s and %s", other.Txid, c.Txid)
		}
		for i, h := range c.HTLCs {
			if h.HTLC != other.HTLCs[i].HTLC || h.Tx.TxHash() != other.HTLCs[i].Tx.TxHash() {
				t.Fatalf("HTLC transaction %d is for %v and %v", i, h.HTLC, other.HTLCs[i].HTLC)
			}
		}
		if number, ok := p.NumberOf(c.Tx); !ok || number != s.Number {
			t.Fatalf("number %d, want %d", number, s.Number)
		}
		for i := 1; i < len(c.Tx.TxOut); i++ {
			if a, b := c.Tx.TxOut[i-1], c.Tx.TxOut[i]; a.Value > b.Value {
				t.Fatalf("output of %d sat before %d sat", a.Value, b.Value)
			}
		}
	})
}

// What one side signs, the other accepts; anything else it refuses, and says
// which signature it was.
func TestSignatures(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, c := drawCommitment(t)
		other := c.Owner.Other()
		sig, htlcs, err := c.Sign(p.Keys[other], p.Secrets[other])
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Verify(sig, htlcs); err != nil {
			t.Fatal(err)
		}
		if err := c.Verify(sig, append(slices.Clone(htlcs), sig)); !errors.Is(err, ErrCount) {
			t.Fatalf("one signature too many: %v", err)
		}
		bit := rapid.IntRange(0, 511).Draw(t, "bit")
		refuse(t, c.Verify(flip(sig, bit), htlcs), -1, ErrSignature, ErrHighS)
		refuse(t, c.Verify(highS(sig), htlcs), -1, ErrHighS)
		refuse(t, c.Verify(wire.Signature{}, htlcs), -1, ErrSignature)
		if len(htlcs) == 0 {
			return
		}
		if err := c.Verify(sig, htlcs[1:]); !errors.Is(err, ErrCount) {
			t.Fatalf("one signature too few: %v", err)
		}
		i := rapid.IntRange(0, len(htlcs)-1).Draw(t, "HTLC")
		with := func(s wire.Signature) []wire.Signature {
			list := slices.Clone(htlcs)
			list[i] = s

			return list
		}
		refuse(t, c.Verify(sig, with(flip(htlcs[i], bit))), i, ErrSignature, ErrHighS)
		refuse(t, c.Verify(sig, with(highS(htlcs[i]))), i, ErrHighS)
		refuse(t, c.Verify(sig, with(htlcs[(i+1)%len(htlcs)])), i, expectSwap(len(htlcs))...)
		refuse(t, c.Verify(sig, with(sig)), i, ErrSignature)
	})
}

// expectSwap: the next HTLC's signature is wrong, unless it is the same one.
func expectSwap(n int) []error {
	if n == 1 {
		return nil
	}

	return []error{ErrSignature}
}

func refuse(t *rapid.T, err error, htlc int, want ...error) {
	t.Helper()
	if len(want) == 0 {
		if err != nil {
			t.Fatal(err)
		}

		return
	}
	var at *SignatureError
	if !errors.As(err, &at) || at.HTLC != htlc || !slices.ContainsFunc(want, func(w error) bool { return errors.Is(err, w) }) {
		t.Fatalf("%v, want %v at %d", err, want, htlc)
	}
}

func flip(s wire.Signature, bit int) wire.Signature {
	s[bit/8] ^= 1 << (bit % 8)

	return s
}

// highS is the other signature that the same key could have made.
func highS(s wire.Signature) wire.Signature {
	parsed, err := parseCompact(s)
	if err != nil {
		panic(err)
	}
	high := parsed.S()
	high.Negate()
	high.PutBytesUnchecked(s[32:])

	return s
}

// A channel with a second funding output has, under the same number and point,
// another transaction there, and its signatures do not fit the first.
func TestSecondFundingOutput(t *testing.T) {
	p := newPair(Anchors, 100_000)
	s := State{Number: 7, Feerate: 253, Balance: [2]MilliSat{90_000_000, 10_000_000}}
	first := p.commitment(t, Opener, s)
	second := *p
	second.Fund.Outpoint.Index = 0
	second.Fund.Keys[Accepter] = testKey("new funding").PubKey()
	second.Keys[Accepter] = testKey("new funding")
	moved := second.commitment(t, Opener, s)
	sig, htlcs, err := moved.Sign(second.Keys[Accepter], p.Secrets[Accepter])
	if err != nil {
		t.Fatal(err)
	}
	if err := moved.Verify(sig, htlcs); err != nil {
		t.Error(err)
	}
	if err := first.Verify(sig, htlcs); !errors.Is(err, ErrSignature) {
		t.Errorf("the first output takes the second's signature: %v", err)
	}
	if moved.Tx.TxIn[0].Sequence != first.Tx.TxIn[0].Sequence || moved.Tx.LockTime != first.Tx.LockTime {
		t.Error("the numbers differ")
	}
	if _, _, err := first.Sign(second.Keys[Accepter], p.Secrets[Accepter]); !errors.Is(err, ErrOwnKey) {
		t.Errorf("signed with another funding key: %v", err)
	}
	if _, _, err := first.Sign(p.Keys[Accepter], p.Secrets[Opener]); !errors.Is(err, ErrOwnKey) {
		t.Errorf("signed with another side's HTLC key: %v", err)
	}
	if _, err := first.Complete(p.Keys[Accepter], sig); !errors.Is(err, ErrOwnKey) {
		t.Errorf("completed by the other side: %v", err)
	}
	if _, err := first.Complete(p.Keys[Opener], sig); !errors.Is(err, ErrSignature) {
		t.Errorf("completed with a wrong signature: %v", err)
	}
}

func TestImpossibleStates(t *testing.T) {
	good := func() (*pair, State) {
		p := newPair(Anchors, 100_000)

		return p, State{Feerate: 253, Balance: [2]MilliSat{90_000_000, 5_000_000},
			HTLCs: []HTLC{{Amount: 5_000_000, Expiry: 500}}}
	}
	for _, test := range []struct {
		name   string
		change func(*pair, *State)
	}{
		{"balance-1-msat-short", func(_ *pair, s *State) { s.Balance[Opener]-- }},
		{"balance-1-msat-over", func(_ *pair, s *State) { s.Balance[Accepter]++ }},
		{"balance-overflows", func(_ *pair, s *State) {
			s.Balance[Opener] -= 1
			s.Balance[Accepter] += 1 << 63
			s.HTLCs[0].Amount += 1 << 63
		}},
		{"htlc-above-all", func(_ *pair, s *State) { s.HTLCs[0].Amount = 100_000_001 }},
		{"htlc-without-side", func(_ *pair, s *State) { s.HTLCs[0].OfferedBy = 2 }},
		{"expiry-is-a-time", func(_ *pair, s *State) { s.HTLCs[0].Expiry = 500_000_000 }},
		{"number-2^48", func(_ *pair, s *State) { s.Number = MaxNumber + 1 }},
		{"feerate-with-zero-fee", func(p *pair, _ *State) { p.Type = ZeroFee }},
		{"484-htlcs", func(p *pair, s *State) { s.HTLCs = append(s.HTLCs, make([]HTLC, 483)...) }},
		{"115-htlcs-zero-fee", func(p *pair, s *State) {
			p.Type, s.Feerate = ZeroFee, 0
			s.HTLCs = append(s.HTLCs, make([]HTLC, 114)...)
		}},
		{"anchors-unpaid", func(_ *pair, s *State) { s.Balance = [2]MilliSat{0, 95_000_000} }},
		{"no-funding", func(p *pair, s *State) { p.Fund.Value = 0; *s = State{} }},
		{"no-funding-key", func(p *pair, _ *State) { p.Fund.Keys[Accepter] = nil }},
		{"no-basepoint", func(p *pair, _ *State) { p.Basepoints[Accepter].HTLC = nil }},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, s := good()
			point, _ := p.Seeds[Opener].Point(0)
			if _, err := p.Build(Opener, &p.Fund, &s, point); err != nil {
				t.Fatalf("before: %v", err)
			}
			test.change(p, &s)
			if _, err := p.Build(Opener, &p.Fund, &s, point); !errors.Is(err, ErrState) {
				t.Errorf("%v, want %v", err, ErrState)
			}
		})
	}
	p, s := good()
	point, _ := p.Seeds[Opener].Point(0)
	if _, err := p.Build(2, &p.Fund, &s, point); !errors.Is(err, ErrState) {
		t.Errorf("of nobody: %v", err)
	}
	if _, err := p.Build(Opener, &p.Fund, &s, nil); !errors.Is(err, ErrState) {
		t.Errorf("without a point: %v", err)
	}
}

func TestNumberOfOtherTransactions(t *testing.T) {
	p := newPair(Anchors, 100_000)
	c := p.commitment(t, Opener, State{Number: 3, Feerate: 253, Balance: [2]MilliSat{90_000_000, 10_000_000}})
	for name, change := range map[string]func(*btcwire.MsgTx){
		"locktime":   func(tx *btcwire.MsgTx) { tx.LockTime = 800_000 },
		"sequence":   func(tx *btcwire.MsgTx) { tx.TxIn[0].Sequence = 0xffffffff },
		"two inputs": func(tx *btcwire.MsgTx) { tx.TxIn = append(tx.TxIn, tx.TxIn[0]) },
	} {
		tx := c.Tx.Copy()
		change(tx)
		if n, ok := p.NumberOf(tx); ok {
			t.Errorf("%s: number %d", name, n)
		}
	}
}
