package payment

import (
	"bytes"
	"errors"
	"io"
	"math/rand"
	"reflect"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// asked is an invoice of somebody else.
func asked(t testing.TB, payee byte, edit func(*Bolt11)) string {
	t.Helper()
	i := &Bolt11{Hash: Preimage{1}.Hash(), Amount: 1_000_000, Secret: [32]byte{2}, Description: "x", Timestamp: 1_000_000, Expiry: 3600, FinalDelta: 124, MPP: true,
		Hints: [][]Hop{{{Node: nodeID(lsp), SCID: 77, FeeBaseMsat: 1000, FeePPM: 100, CLTVDelta: 40}}}}
	if edit != nil {
		edit(i)
	}
	s, err := i.Encode(&chaincfg.RegressionNetParams, testKey(payee))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// pay gives the order to pay, and stores what comes of it.
func (b *bench) pay(q PayRequest) (Payment, error) {
	b.t.Helper()
	if q.MaxFee == 0 {
		q.MaxFee = 100_000
	}
	p, actions, err := b.r.Pay(b.desk, q)
	b.take(actions)
	return p, err
}

// refuseAt makes the reason with which a node of a part's route fails it.
func (b *bench) refuseAt(i int, by byte, f Failure) HTLCFailed {
	b.t.Helper()
	o := b.desk.added[i]
	e := HTLCFailed{Channel: o.channel, ID: o.id}
	var secrets [][32]byte
	onion := o.add.Onion
	for n := byte(lsp); ; n = by {
		p, err := peel(testKey(n), onion, o.add.Hash)
		if err != nil {
			b.t.Fatal(err)
		}
		secrets, onion = append(secrets, p.secret), p.next
		if n == by {
			break
		}
	}
	e.Reason = f.packet()
	for k := len(secrets) - 1; k >= 0; k-- {
		e.Reason = obfuscate(secrets[k], k == len(secrets)-1, e.Reason)
	}
	return e
}

// What a payment offers, for each kind of route: amounts with fees, expiries
// with deltas, padding and (PCF-057) the early warning time of the own channel.
func TestPayOffers(t *testing.T) {
	const ewt = 100
	cases := []struct {
		name     string
		payee    byte
		rules    rule.Set
		hints    [][]Hop
		amount   Msat
		expiry   Height
		payloads []hopPayload
	}{
		{"over the LSP", other, rule.Set{}, nil, 1_001_100, 1000 + 124 + 3 + 40 + 1 + ewt, []hopPayload{{Amount: 1_000_000, Expiry: 1127, SCID: 77}}},
		{"without PCF-057", other, rule.Without(rule.PCF057), nil, 1_001_100, 1000 + 124 + 3 + 40 + 1, []hopPayload{{Amount: 1_000_000, Expiry: 1127, SCID: 77}}},
		{"without CHAN-016", other, rule.Without(rule.CHAN016), nil, 1_001_100, 1000 + 124 + 40 + ewt, []hopPayload{{Amount: 1_000_000, Expiry: 1124, SCID: 77}}},
		{"direct", lsp, rule.Set{}, nil, 1_000_000, 1000 + 124 + 3 + ewt, nil},
		{"the caller knows better", other, rule.Set{}, [][]Hop{{{Node: nodeID(lsp), SCID: 78, CLTVDelta: 10}}}, 1_000_000, 1000 + 124 + 3 + 11 + ewt,
			[]hopPayload{{Amount: 1_000_000, Expiry: 1127, SCID: 78}}},
		{"two hops", other, rule.Set{}, [][]Hop{{{Node: nodeID(lsp), SCID: 78, FeeBaseMsat: 5, CLTVDelta: 10}, {Node: nodeID(5), SCID: 79, FeeBaseMsat: 7, CLTVDelta: 20}}},
			1_000_012, 1000 + 124 + 3 + 21 + 11 + ewt, []hopPayload{{Amount: 1_000_007, Expiry: 1148, SCID: 78}, {Amount: 1_000_000, Expiry: 1127, SCID: 79}}},
	}
	for _, c := range cases {
		b := newBench(t, me, false, c.rules, inFactory(1, ewt))
		p, err := b.pay(PayRequest{Invoice: asked(t, c.payee, nil), Hints: c.hints})
		if err != nil || p.State != InFlight || len(b.desk.added) != 1 {
			t.Fatalf("%s: %+v, %v", c.name, p, err)
		}
		o := b.desk.added[0].add
		if o.Amount != c.amount || o.Expiry != c.expiry {
			t.Errorf("%s: offers %d until %d, want %d until %d", c.name, o.Amount, o.Expiry, c.amount, c.expiry)
		}
		final := c.payloads
		keys := []byte{lsp, 5, other}
		if len(c.payloads) < 2 {
			keys = []byte{lsp, other}
		}
		onion := o.Onion
		for i := 0; ; i++ {
			got, err := peel(testKey(keys[i]), onion, o.Hash)
			if err != nil {
				t.Fatalf("%s: hop %d: %v", c.name, i, err)
			}
			pay, err := parsePayload(got.payload, got.final)
			if err != nil {
				t.Fatal(err)
			}
			if got.final {
				want := hopPayload{Amount: 1_000_000, Expiry: 1127, PaymentData: true, Secret: [32]byte{2}, Total: 1_000_000}
				if !c.rules.On(rule.CHAN016) {
					want.Expiry = 1124
				}
				if !reflect.DeepEqual(pay, want) || i != len(final) {
					t.Errorf("%s: the payee reads %+v", c.name, pay)
				}
				break
			}
			if !reflect.DeepEqual(pay, final[i]) {
				t.Errorf("%s: hop %d reads %+v, want %+v", c.name, i, pay, final[i])
			}
			onion = got.next
		}
	}
}

// What cannot be paid is refused and leaves nothing behind.
func TestPayRefuses(t *testing.T) {
	cases := []struct {
		name string
		edit func(*Bolt11)
		q    PayRequest
		desk func(*desk)
		want error
	}{
		{"no amount", func(i *Bolt11) { i.Amount = 0 }, PayRequest{}, nil, ErrAmount},
		{"another amount", nil, PayRequest{Amount: 5}, nil, ErrAmount},
		{"expired", func(i *Bolt11) { i.Timestamp -= 3600 }, PayRequest{}, nil, ErrExpired},
		{"fee one above", nil, PayRequest{MaxFee: 1099}, nil, ErrFee},
		{"no hint", func(i *Bolt11) { i.Hints = nil }, PayRequest{}, nil, ErrNoHint},
		{"hint from nobody we know", func(i *Bolt11) { i.Hints[0][0].Node = nodeID(5) }, PayRequest{}, nil, ErrNoRoute},
		{"channel down", nil, PayRequest{}, func(d *desk) { d.links[0].Up = false }, ErrNoRoute},
		{"one msat short", nil, PayRequest{}, func(d *desk) { d.links[0].CanSend = 1_001_099 }, ErrNoRoute},
		{"channel refuses", nil, PayRequest{}, func(d *desk) { d.refuse = map[wire.ChannelID]bool{channelID(1): true} }, ErrNoRoute},
		{"too far", func(i *Bolt11) { i.Hints[0][0].CLTVDelta = 2016 - 124 - 3 }, PayRequest{}, nil, ErrTooFar},
		{"two parts for a payee that takes one", func(i *Bolt11) { i.MPP = false }, PayRequest{},
			func(d *desk) {
				d.links[0].CanSend = 600_000
				d.links = append(d.links, inFactory(4, 10))
				d.links[1].CanSend = 600_000
			}, ErrNoRoute},
	}
	for _, c := range cases {
		b := newBench(t, me, false, rule.Set{}, inFactory(1, 100))
		if c.desk != nil {
			c.desk(b.desk)
		}
		c.q.Invoice = asked(t, other, c.edit)
		_, err := b.pay(c.q)
		if errors.Is(err, ErrNoHint) != (c.want == ErrNoHint) {
			t.Errorf("%s: %v", c.name, err) // the others have a hint: that is not what is missing
		}
		if !errors.Is(err, c.want) || len(b.store) != 0 || len(b.desk.added) != 0 || len(b.r.payments) != 0 {
			t.Errorf("%s: %v, %d records", c.name, err, len(b.store))
		}
	}
	b := newBench(t, me, false, rule.Set{}, inFactory(1, 100))
	for name, q := range map[string]PayRequest{
		"exactly the fee": {Invoice: asked(t, other, nil), MaxFee: 1100},
		"as far as it goes": {Invoice: asked(t, other, func(i *Bolt11) {
			i.Hash, i.Hints[0][0].CLTVDelta = Hash{8}, 2016-124-3-1
		})},
	} {
		if p, err := b.pay(q); err != nil || p.State != InFlight {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a payment may cost when nobody says so is a part of what the payee gets, whether
// the invoice or the order names the amount.
func TestTheUsualFee(t *testing.T) {
	for _, c := range []struct {
		name           string
		invoice, order Msat
		base           uint32
		want           error
	}{
		{"1 % and 5 sat of the invoice", 500_000_000, 0, 5_005_000, nil},
		{"one msat more", 500_000_000, 0, 5_005_001, ErrFee},
		{"1 % and 5 sat of the order", 0, 500_000_000, 5_005_000, nil},
		{"one msat more than of the order", 0, 500_000_000, 5_005_001, ErrFee},
		{"a small one", 1000, 0, 5010, nil},
	} {
		l := inFactory(1, 100)
		l.CanSend = 1_000_000_000
		b := newBench(t, me, false, rule.Set{}, l)
		_, err := b.pay(PayRequest{UsualFee: true, Amount: c.order, Invoice: asked(t, other, func(i *Bolt11) {
			i.Amount = c.invoice
			i.Hints[0][0].FeeBaseMsat, i.Hints[0][0].FeePPM = c.base, 0
		})})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// Paying again does nothing while it is in flight and after it succeeded, after a
// restart, too; a failed payment is tried again only when that is asked for.
func TestPayIsIdempotent(t *testing.T) {
	b := newBench(t, me, false, rule.Set{}, inFactory(1, 100))
	q := PayRequest{Invoice: asked(t, other, nil)}
	again := func(want PaymentState) {
		t.Helper()
		for _, retry := range []bool{false, true} {
			q.Retry = retry && want != Failed
			if p, err := b.pay(q); err != nil || p.State != want || p.Payee != nodeID(other) {
				t.Fatalf("%+v, %v, want %v", p, err, want)
			}
		}
		q.Retry = false
	}
	again(InFlight)
	b.restart()
	again(InFlight)
	if _, err := b.pay(PayRequest{Invoice: asked(t, other, func(i *Bolt11) { i.Description = "y" })}); !errors.Is(err, ErrDuplicate) {
		t.Errorf("another invoice for the hash: %v", err)
	}
	if len(b.desk.added) != 1 {
		t.Fatalf("%d HTLCs", len(b.desk.added))
	}
	b.do(b.refuseAt(0, other, failure(IncorrectDetails, u64(1), u32(2))))
	if n, ok := notice[PaymentFailed](b); !ok || n.Reason.Code != IncorrectDetails || n.Reason.From != nodeID(other) {
		t.Errorf("%+v", n)
	}
	b.restart()
	again(Failed)
	if len(b.desk.added) != 1 || len(b.store) != 1 {
		t.Fatalf("%d HTLCs, %d records", len(b.desk.added), len(b.store))
	}
	q.Retry = true
	if p, err := b.pay(q); err != nil || p.State != InFlight || len(b.desk.added) != 2 || b.desk.added[0].add.Origin == b.desk.added[1].add.Origin {
		t.Fatalf("%+v, %v", p, err)
	}
	b.restart()
	b.do(HTLCFulfilled{channelID(1), 1, Preimage{9}})
	if p, _ := b.r.PaymentByHash(Preimage{1}.Hash()); p.State != InFlight {
		t.Fatal("a wrong preimage")
	}
	b.do(HTLCFulfilled{channelID(1), 1, Preimage{1}})
	if n, ok := notice[PaymentSucceeded](b); !ok || n.Preimage != (Preimage{1}) {
		t.Errorf("%+v", n)
	}
	b.do(HTLCFulfilled{channelID(1), 1, Preimage{1}})
	b.do(HTLCFailed{Channel: channelID(1), ID: 1})
	if _, ok := notice[PaymentFailed](b); ok {
		t.Error("a paid payment fails")
	}
	again(Succeeded)
	b.restart()
	again(Succeeded)
	if p, _ := b.r.PaymentByHash(Preimage{1}.Hash()); p.Fee != 1100 || p.Preimage != (Preimage{1}) || len(b.desk.added) != 2 {
		t.Errorf("%+v, %d HTLCs", p, len(b.desk.added))
	}
}

// A payment is split over the channels of the payer: as few parts as possible, the
// largest first, the same way each time, and none too small for its channel.
func TestSplit(t *testing.T) {
	cases := []struct {
		name string
		send []Msat // what each channel can send
		min  Msat
		want []Msat // parts for the payee; nil: not possible
		over []byte
	}{
		{"one is enough", []Msat{1_100_000, 2_000_000}, 1, []Msat{1_000_000}, []byte{2}},
		{"two", []Msat{601_000, 701_000}, 1, []Msat{700_000, 300_000}, []byte{2, 1}},
		{"three", []Msat{401_000, 401_000, 301_000}, 1, []Msat{400_000, 400_000, 200_000}, []byte{1, 2, 3}},
		{"rest below the minimum", []Msat{1_000_000, 500_000}, 50_000, []Msat{950_000, 50_000}, []byte{1, 2}},
		{"one msat short", []Msat{501_000, 500_999}, 1, nil, nil},
	}
	for _, c := range cases {
		b := newBench(t, me, false, rule.Set{})
		for i, m := range c.send {
			l := inFactory(byte(i+1), 100)
			l.CanSend, l.HTLCMinimum = m, c.min
			b.desk.links = append(b.desk.links, l)
		}
		_, err := b.pay(PayRequest{Invoice: asked(t, other, func(i *Bolt11) { i.Hints[0][0].FeePPM = 0 })})
		if (err == nil) != (c.want != nil) || len(b.desk.added) != len(c.want) {
			t.Errorf("%s: %d parts, %v", c.name, len(b.desk.added), err)
			continue
		}
		for i, o := range b.desk.added {
			if o.add.Amount-1000 != c.want[i] || o.channel != channelID(c.over[i]) {
				t.Errorf("%s: part %d is %d over %v", c.name, i, o.add.Amount-1000, o.channel[0])
			}
		}
	}
}

// What failed on the way is tried another way, and only what failed; what the
// payee refused is not.
func TestRetries(t *testing.T) {
	busy := failure(TemporaryChannelFailure)
	cases := []struct {
		name  string
		links int
		fail  func(b *bench) HTLCFailed
		want  []Msat // amounts offered for the payee in all
		state PaymentState
		code  Code
	}{
		{"no room at the LSP: halves", 2, func(b *bench) HTLCFailed { return b.refuseAt(0, lsp, busy) }, []Msat{1_000_000, 500_000, 500_000}, InFlight, 0},
		{"one channel, halves all the same", 1, func(b *bench) HTLCFailed { return b.refuseAt(0, lsp, busy) }, []Msat{1_000_000, 500_000, 500_000}, InFlight, 0},
		{"the LSP refuses for good", 2, func(b *bench) HTLCFailed { return b.refuseAt(0, lsp, failure(UnknownNextPeer)) }, []Msat{1_000_000}, Failed, UnknownNextPeer},
		{"the payee refuses for good", 2, func(b *bench) HTLCFailed { return b.refuseAt(0, other, failure(IncorrectDetails)) }, []Msat{1_000_000}, Failed, IncorrectDetails},
		{"the last hop took something", 2, func(b *bench) HTLCFailed { return b.refuseAt(0, other, failure(FinalIncorrectAmount)) }, []Msat{1_000_000, 1_000_000}, InFlight, 0},
		{"the peer cannot read the onion", 1, func(*bench) HTLCFailed { return HTLCFailed{Malformed: &Malformed{Code: InvalidOnionKey}} }, []Msat{1_000_000}, Failed, InvalidOnionKey},
		{"a reason that nobody made", 2, func(*bench) HTLCFailed { return HTLCFailed{Reason: make([]byte, 292)} }, []Msat{1_000_000, 1_000_000}, InFlight, 0},
		{"a reason of one byte", 1, func(*bench) HTLCFailed { return HTLCFailed{Reason: []byte{1}} }, []Msat{1_000_000}, Failed, 0},
		{"on the chain", 2, func(*bench) HTLCFailed { return HTLCFailed{} }, []Msat{1_000_000, 1_000_000}, InFlight, 0},
		{"dropped", 1, func(*bench) HTLCFailed { return HTLCFailed{Dropped: true} }, []Msat{1_000_000, 1_000_000}, InFlight, 0},
	}
	for _, c := range cases {
		b := newBench(t, me, false, rule.Set{})
		for n := range c.links {
			b.desk.links = append(b.desk.links, inFactory(byte(n+1), 100))
		}
		if _, err := b.pay(PayRequest{Invoice: asked(t, other, func(i *Bolt11) { i.Hints[0][0].FeePPM = 0 })}); err != nil {
			t.Fatal(err)
		}
		e := c.fail(b)
		e.Channel, e.ID = b.desk.added[0].channel, b.desk.added[0].id
		b.restart()
		b.do(e)
		var got []Msat
		for _, o := range b.desk.added {
			got = append(got, o.add.Amount-1000)
		}
		p, _ := b.r.PaymentByHash(Preimage{1}.Hash())
		if !reflect.DeepEqual(got, c.want) || p.State != c.state || p.Reason.Code != c.code {
			t.Errorf("%s: %v, %v, %v", c.name, got, p.State, p.Reason)
		}
	}
}

// Attempts are bounded: a network that always fails ends the payment.
func TestAttemptsAreBounded(t *testing.T) {
	b := newBench(t, me, false, rule.Set{}, inFactory(1, 100))
	if _, err := b.pay(PayRequest{Invoice: asked(t, other, nil)}); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(b.desk.added); i++ {
		b.do(HTLCFailed{Channel: channelID(1), ID: uint64(i), Dropped: true})
	}
	if p, _ := b.r.PaymentByHash(Preimage{1}.Hash()); p.State != Failed || len(b.desk.added) != 64 {
		t.Errorf("%v after %d attempts", p.State, len(b.desk.added))
	}
}

// While one part is in flight only the other is sent again, and the payment fails
// with the last of them, not before.
func TestPartsFailOneByOne(t *testing.T) {
	one, two := inFactory(1, 100), inFactory(2, 100)
	one.CanSend, two.CanSend = 701_000, 601_000
	b := newBench(t, me, false, rule.Set{}, one, two)
	if _, err := b.pay(PayRequest{Invoice: asked(t, other, func(i *Bolt11) { i.Hints[0][0].FeePPM = 0 })}); err != nil || len(b.desk.added) != 2 {
		t.Fatal(err, len(b.desk.added))
	}
	b.do(b.refuseAt(0, other, failure(IncorrectDetails)))
	if p, _ := b.r.PaymentByHash(Preimage{1}.Hash()); p.State != InFlight || p.InFlight != 301_000 {
		t.Fatalf("%+v", p)
	}
	if _, ok := notice[PaymentFailed](b); ok {
		t.Fatal("failed while a part is in flight")
	}
	b.restart()
	b.do(b.refuseAt(1, other, failure(MPPTimeout)))
	if p, _ := b.r.PaymentByHash(Preimage{1}.Hash()); p.State != Failed || p.Reason.Code != IncorrectDetails || len(b.desk.added) != 2 {
		t.Fatalf("%+v", p)
	}
}

// The first preimage says what a payment costs: the other parts are taken, too. One
// that is not, after all, costs nothing.
func TestFeeOfParts(t *testing.T) {
	for _, last := range []struct {
		event Event
		fee   Msat
	}{{HTLCFulfilled{channelID(2), 1, Preimage{1}}, 2000}, {HTLCFailed{Channel: channelID(2), ID: 1}, 1000}} {
		one, two := inFactory(1, 100), inFactory(2, 100)
		one.CanSend, two.CanSend = 701_000, 601_000
		b := newBench(t, me, false, rule.Set{}, one, two)
		if _, err := b.pay(PayRequest{Invoice: asked(t, other, func(i *Bolt11) { i.Hints[0][0].FeePPM = 0 })}); err != nil || len(b.desk.added) != 2 {
			t.Fatal(err, len(b.desk.added))
		}
		fee := func(want Msat) {
			t.Helper()
			if p, _ := b.r.PaymentByHash(Preimage{1}.Hash()); p.Fee != want {
				t.Errorf("a fee of %d msat, not %d: %+v", p.Fee, want, p)
			}
		}
		fee(0)
		b.do(HTLCFulfilled{channelID(1), 0, Preimage{1}})
		fee(2000)
		b.do(last.event)
		fee(last.fee)
	}
}

// Before the first block and tick nothing is made, and what arrives is failed.
func TestNotReady(t *testing.T) {
	b := newBench(t, me, false, rule.Set{}, inFactory(1, 100))
	for _, e := range []Event{Block{1000}, Tick{5}} {
		r, err := New(b.cfg)
		if err != nil {
			t.Fatal(err)
		}
		b.r = r
		b.do(e)
		if _, err := b.pay(PayRequest{Invoice: asked(t, other, nil)}); !errors.Is(err, ErrState) {
			t.Errorf("%T alone: %v", e, err)
		}
		if _, _, err := b.r.Invoice(b.desk, InvoiceRequest{}); !errors.Is(err, ErrState) {
			t.Errorf("%T alone: %v", e, err)
		}
	}
	s := send(t, HTLCKey{channelID(1), 0}, 5, 900_000, Hash{1}, []byte{me}, hopPayload{Amount: 5, Expiry: 900_000}.encode())
	b.do(s.event)
	if _, f := failureOf(t, s.session, s.nodes, b.last()); f.Code != TemporaryNodeFailure {
		t.Errorf("without a height: %v", f.Code)
	}
}

// A payment fails when randomness fails, and sends nothing.
func TestNoRandomness(t *testing.T) {
	b := newBench(t, me, false, rule.Set{}, inFactory(1, 100))
	b.r.cfg.Rand = brokenSource{}
	if _, err := b.pay(PayRequest{Invoice: asked(t, other, nil)}); !errors.Is(err, ErrRandom) || len(b.desk.added) != 0 {
		t.Error(err)
	}
	if _, _, err := b.r.Invoice(b.desk, InvoiceRequest{}); !errors.Is(err, ErrRandom) || len(b.r.invoices) != 0 {
		t.Error(err)
	}
}

type brokenSource struct{}

func (brokenSource) Read([]byte) (int, error) { return 0, errors.New("broken") }

// Session keys are drawn until one is a scalar.
func TestSessionKey(t *testing.T) {
	b := newBench(t, me, false, rule.Set{})
	b.r.cfg.Rand = io.MultiReader(bytes.NewReader(make([]byte, 32)), bytes.NewReader(btcec.S256().N.Bytes()), rand.New(rand.NewSource(1)))
	var p part
	k, err := b.r.session(&p)
	if err != nil || k.Key.IsZero() || p.Session == [32]byte{} {
		t.Fatal(err)
	}
}
