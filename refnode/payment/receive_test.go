package payment

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/wire"
	"superscalar/wire/rule"
)

const (
	me    = 1 // the router under test
	lsp   = 2
	other = 3
	payer = 9
)

// sent is an HTLC made by hand for the router under test.
type sent struct {
	session *btcec.PrivateKey
	nodes   []wire.Point
	event   HTLCReceived
}

var sessions uint32

// send makes an HTLC whose onion has these payloads for these nodes. Every call
// has a session key of its own.
func send(t testing.TB, key HTLCKey, amount Msat, expiry Height, hash Hash, nodes []byte, payloads ...[]byte) sent {
	t.Helper()
	sessions++
	session, _ := btcec.PrivKeyFromBytes(binary.BigEndian.AppendUint32([]byte{1}, sessions))
	s := sent{session: session}
	var layers []layer
	for i, n := range nodes {
		s.nodes = append(s.nodes, nodeID(n))
		layers = append(layers, layer{nodeID(n), payloads[i]})
	}
	onion, err := wrap(session, layers, hash)
	if err != nil {
		t.Fatal(err)
	}
	s.event = HTLCReceived{Channel: key.Channel, ID: key.ID, Amount: amount, Hash: hash, Expiry: expiry, Onion: onion}
	return s
}

// inFactory is a channel of the router under test with its LSP.
func inFactory(n byte, ewt Blocks) Link {
	return Link{
		Channel: channelID(n), Peer: nodeID(lsp), InFactory: ewt > 0, EarlyWarning: ewt, SCIDs: []SCID{SCID(n)}, HintSCID: 100 + SCID(n),
		Policy:     Policy{Known: true, CLTVDelta: 40, FeeBaseMsat: 1000, FeePPM: 100, HTLCMinimum: 1000},
		PeerPolicy: Policy{Known: true, CLTVDelta: 34, FeeBaseMsat: 500, FeePPM: 10},
		Up:         true, Receives: true, CanSend: 1_000_000_000, CanReceive: 1_000_000_000, HTLCMinimum: 1,
	}
}

// mustInvoice makes an invoice over 10,000 msat.
func (b *bench) mustInvoice(amount Msat) (Invoice, *Bolt11) {
	b.t.Helper()
	inv, actions, err := b.r.Invoice(b.desk, InvoiceRequest{Amount: amount, Description: "test"})
	if err != nil {
		b.t.Fatal(err)
	}
	b.take(actions)
	text, err := DecodeInvoice(inv.Request, b.cfg.Net)
	if err != nil {
		b.t.Fatal(err)
	}
	return inv, text
}

// last returns the only command of a bench, and forgets it.
func (b *bench) last() command {
	b.t.Helper()
	if len(b.desk.commands) != 1 {
		b.t.Fatalf("%d commands, want 1", len(b.desk.commands))
	}
	c := b.desk.commands[0]
	b.desk.commands = nil
	return c
}

// Every way in which an HTLC that ends here can be wrong, each limit one below, at
// and one above, with the failure that BOLT 4 asks for.
func TestReceiveFailures(t *testing.T) {
	const ewt, delta, amount = 100, 100 + 24, 10_000
	ok := Code(0) // held or fulfilled
	type change struct {
		pay    hopPayload
		htlc   Msat
		expiry Height
		hash   Hash
		path   *wire.Point
		refuse Refuse
		raw    []byte
	}
	path := nodeID(other)
	cases := []struct {
		name string
		edit func(*change)
		want Code
	}{
		{"as asked", func(c *change) {}, ok},
		{"unknown hash", func(c *change) { c.hash = Hash{1} }, IncorrectDetails},
		{"wrong secret", func(c *change) { c.pay.Secret[0] ^= 1 }, IncorrectDetails},
		{"no payment data", func(c *change) { c.pay.PaymentData = false }, IncorrectDetails},
		{"total one below", func(c *change) { c.pay.Total-- }, IncorrectDetails},
		{"total one above", func(c *change) { c.pay.Total++; c.pay.Amount++; c.htlc++ }, ok},
		{"total twice", func(c *change) { c.pay.Total, c.pay.Amount, c.htlc = 2*amount, 2*amount, 2*amount }, ok},
		{"total above twice", func(c *change) { c.pay.Total, c.pay.Amount, c.htlc = 2*amount+1, 2*amount+1, 2*amount+1 }, IncorrectDetails},
		{"total of everything", func(c *change) { c.pay.Total = 1<<64 - 1 }, IncorrectDetails},
		{"part", func(c *change) { c.pay.Amount, c.htlc = 1, 1 }, ok},
		{"htlc one below the onion", func(c *change) { c.htlc-- }, FinalIncorrectAmount},
		{"htlc above the onion", func(c *change) { c.htlc++ }, ok},
		{"expiry one below the onion", func(c *change) { c.pay.Expiry++ }, FinalIncorrectCLTV},
		{"expiry above the onion", func(c *change) { c.pay.Expiry-- }, ok},
		{"expiry one below the invoice", func(c *change) { c.expiry, c.pay.Expiry = 1000+delta-1, 1000+delta-1 }, IncorrectDetails},
		{"expiry one above the invoice", func(c *change) { c.expiry, c.pay.Expiry = 1000+delta+1, 1000+delta+1 }, ok},
		{"no expiry", func(c *change) { c.expiry, c.pay.Expiry = 0, 0 }, IncorrectDetails},
		{"the largest expiry", func(c *change) { c.expiry, c.pay.Expiry = 1<<32-1, 1<<32-1 }, ok},
		{"the channel says too late", func(c *change) { c.refuse = RefuseExpiry }, IncorrectDetails},
		{"the channel says too much", func(c *change) { c.refuse = RefuseLimit }, TemporaryNodeFailure},
		{"path key", func(c *change) { c.path = &path }, InvalidOnionBlinding},
		{"scid for the last node", func(c *change) { c.pay.SCID = 1 }, InvalidOnionPayload},
		{"no tlv", func(c *change) { c.raw = []byte{1} }, InvalidOnionPayload},
		{"unknown even record", func(c *change) { c.raw = append(c.pay.encode(), 30, 0) }, InvalidOnionPayload},
		{"unknown odd record", func(c *change) { c.raw = append(c.pay.encode(), 31, 0) }, ok},
		{"blinded", func(c *change) { c.raw = []byte{10, 1, 0} }, InvalidOnionBlinding},
		{"no amount", func(c *change) { c.raw = []byte{4, 1, 9} }, InvalidOnionPayload},
	}
	for _, c := range cases {
		b := newBench(t, me, false, rule.Set{}, inFactory(1, ewt))
		inv, _ := b.mustInvoice(amount)
		x := change{
			pay:  hopPayload{Amount: amount, Expiry: 1000 + delta, PaymentData: true, Secret: b.r.invoices[inv.Hash].Secret, Total: amount},
			htlc: amount, expiry: 1000 + delta, hash: inv.Hash,
		}
		c.edit(&x)
		if x.raw == nil {
			x.raw = x.pay.encode()
		}
		s := send(t, HTLCKey{channelID(1), 5}, x.htlc, x.expiry, x.hash, []byte{me}, x.raw)
		s.event.PathKey, s.event.Refuse = x.path, x.refuse
		b.do(s.event)
		got, data := ok, []byte(nil)
		for _, cmd := range b.desk.commands {
			if cmd.code != 0 {
				got = cmd.code
				if cmd.sha != shaOfOnion(s.event.Onion) {
					t.Errorf("%s: sha of another onion", c.name)
				}
			} else if cmd.reason != nil {
				_, f := failureOf(t, s.session, s.nodes, cmd)
				got, data = f.Code, f.Data
			}
		}
		if got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if got == IncorrectDetails && !bytes.Equal(data, append(u64(uint64(x.htlc)), u32(1000)...)) {
			t.Errorf("%s: data %x", c.name, data)
		}
	}
}

// PCF-087 and PCF-094 one block below, at and above their limit, with an early
// warning time that has grown since the invoice.
func TestReceiveExpiry(t *testing.T) {
	const ewt = 300
	limit := Height(1000 + ewt + 18)
	cases := []struct {
		name     string
		rules    rule.Set
		expiry   Height
		fulfiled bool
	}{
		{"one below", rule.Set{}, limit - 1, false},
		{"at the limit", rule.Set{}, limit, true},
		{"one above", rule.Set{}, limit + 1, true},
		{"one below, without PCF-087", rule.Without(rule.PCF087), limit - 1, false},
		{"one below, without PCF-094", rule.Without(rule.PCF094), limit - 1, false},
		{"one below, without both", rule.Without(rule.PCF087, rule.PCF094), limit - 1, true},
	}
	for _, c := range cases {
		b := newBench(t, me, false, c.rules, inFactory(1, 10))
		inv, _ := b.mustInvoice(1000)
		b.desk.links[0].EarlyWarning = ewt
		pay := hopPayload{Amount: 1000, Expiry: c.expiry, PaymentData: true, Secret: b.r.invoices[inv.Hash].Secret, Total: 1000}
		b.do(send(t, HTLCKey{channelID(1), 0}, 1000, c.expiry, inv.Hash, []byte{me}, pay.encode()).event)
		cmd := b.last()
		if got := cmd.preimage == inv.Preimage; got != c.fulfiled || cmd.forwarded {
			t.Errorf("%s: fulfilled %v", c.name, got)
		}
	}
}

// A part that waits while blocks come is not released too late: with the block
// that takes it under the limit the set fails.
func TestHeldPartGrowsOld(t *testing.T) {
	const ewt = 300
	expiry := Height(1000 + ewt + 18 + 10)
	b := newBench(t, me, false, rule.Set{}, inFactory(1, 10))
	inv, _ := b.mustInvoice(1000)
	b.desk.links[0].EarlyWarning = ewt
	pay := hopPayload{Amount: 999, Expiry: expiry, PaymentData: true, Secret: b.r.invoices[inv.Hash].Secret, Total: 1000}
	s := send(t, HTLCKey{channelID(1), 0}, 999, expiry, inv.Hash, []byte{me}, pay.encode())
	b.do(s.event)
	b.do(Block{1010})
	if len(b.desk.commands) != 0 {
		t.Fatal("a part at the limit is failed")
	}
	b.do(Block{1011})
	if _, f := failureOf(t, s.session, s.nodes, b.last()); f.Code != IncorrectDetails {
		t.Errorf("failed with %v", f.Code)
	}
}

// parts makes the HTLCs of one payment.
func parts(t testing.TB, b *bench, inv Invoice, total Msat, amounts ...Msat) []sent {
	var all []sent
	for i, a := range amounts {
		pay := hopPayload{Amount: a, Expiry: 1500, PaymentData: true, Secret: b.r.invoices[inv.Hash].Secret, Total: total}
		all = append(all, send(t, HTLCKey{channelID(1), uint64(i)}, a, 1500, inv.Hash, []byte{me}, pay.encode()))
	}
	return all
}

// Nothing is released before the whole amount is there, then all of it, and
// the invoice is settled once: also over a restart between any two parts.
func TestPartsAreReleasedTogether(t *testing.T) {
	for restart := range 5 {
		b := newBench(t, me, false, rule.Set{}, inFactory(1, 100))
		inv, _ := b.mustInvoice(10_000)
		all := parts(t, b, inv, 10_000, 3000, 3000, 4000)
		for i, s := range all {
			if len(b.desk.commands) != 0 {
				t.Fatalf("%d commands before the last part", len(b.desk.commands))
			}
			b.do(s.event)
			if v, _ := b.r.InvoiceByHash(inv.Hash); i < 2 && v.Held != Msat(i+1)*3000 {
				t.Errorf("held %d", v.Held)
			}
			if i == restart {
				b.restart()
				for _, again := range all[:i+1] {
					b.do(again.event)
				}
			}
		}
		got := map[HTLCKey]bool{}
		for _, c := range b.desk.commands {
			if c.preimage != inv.Preimage {
				t.Fatalf("restart %d: a part got %+v", restart, c)
			}
			got[c.key] = true
		}
		if v, _ := b.r.InvoiceByHash(inv.Hash); len(got) != 3 || v.State != Settled || v.Received != 10_000 {
			t.Errorf("restart %d: %d parts, %+v", restart, len(got), v)
		}
		// The payment hash is spent: more of it is unknown.
		b.desk.commands = nil
		more := parts(t, b, inv, 10_000, 10_000)[0]
		more.event.ID = 9
		b.do(more.event)
		if _, f := failureOf(t, more.session, more.nodes, b.last()); f.Code != IncorrectDetails {
			t.Errorf("a second payment got %v", f.Code)
		}
	}
}

// An incomplete set fails 60 seconds after its first part, not a second
// earlier, with mpp_timeout; the deadline survives a restart.
func TestPartsTimeOut(t *testing.T) {
	b := newBench(t, me, false, rule.Set{}, inFactory(1, 100))
	inv, _ := b.mustInvoice(10_000)
	all := parts(t, b, inv, 10_000, 3000, 3000)
	b.do(all[0].event)
	if w, ok := notice[Wake](b); !ok || w.At != b.now+60 {
		t.Errorf("wake at %d", w.At-b.now)
	}
	b.now += 30
	b.do(Tick{b.now})
	b.do(all[1].event)
	b.restart()
	b.do(Tick{b.now + 29})
	if len(b.desk.commands) != 0 {
		t.Fatal("failed too early")
	}
	b.do(Tick{b.now + 30})
	if len(b.desk.commands) != 2 {
		t.Fatalf("%d commands", len(b.desk.commands))
	}
	for i, c := range b.desk.commands {
		if _, f := failureOf(t, all[i].session, all[i].nodes, c); f.Code != MPPTimeout {
			t.Errorf("part %d failed with %v", i, f.Code)
		}
	}
	if v, _ := b.r.InvoiceByHash(inv.Hash); v.State != Open || v.Held != 0 {
		t.Errorf("%+v", v)
	}
}

// Parts that disagree about the total all fail.
func TestPartsDisagree(t *testing.T) {
	b := newBench(t, me, false, rule.Set{}, inFactory(1, 100))
	inv, _ := b.mustInvoice(10_000)
	b.do(parts(t, b, inv, 10_000, 3000)[0].event)
	second := parts(t, b, inv, 10_001, 0, 3000)[1]
	b.do(second.event)
	if len(b.desk.commands) != 2 || b.desk.commands[0].reason == nil || b.desk.commands[1].reason == nil {
		t.Fatalf("%+v", b.desk.commands)
	}
}

// Cancelling and expiring end an invoice and fail what is held, for good.
func TestInvoiceEnds(t *testing.T) {
	for _, how := range []InvoiceState{Cancelled, Expired} {
		b := newBench(t, me, false, rule.Set{}, inFactory(1, 100))
		inv, _ := b.mustInvoice(10_000)
		b.do(Tick{inv.Expires - 1})
		all := parts(t, b, inv, 10_000, 3000, 7000)
		b.do(all[0].event)
		if how == Cancelled {
			actions, err := b.r.Cancel(b.desk, inv.Hash)
			if err != nil {
				t.Fatal(err)
			}
			b.take(actions)
		} else {
			b.do(Tick{inv.Expires})
		}
		b.restart()
		b.desk.commands = b.desk.commands[:1]
		if _, f := failureOf(t, all[0].session, all[0].nodes, b.last()); f.Code != IncorrectDetails {
			t.Errorf("%v: %v", how, f.Code)
		}
		b.do(all[1].event)
		if _, f := failureOf(t, all[1].session, all[1].nodes, b.last()); f.Code != IncorrectDetails {
			t.Errorf("%v: %v", how, f.Code)
		}
		if v, _ := b.r.InvoiceByHash(inv.Hash); v.State != how {
			t.Errorf("%v, want %v", v.State, how)
		}
		if _, err := b.r.Cancel(b.desk, inv.Hash); err == nil {
			t.Error("an ended invoice is cancelled")
		}
	}
}

// PCF-093: the highest early warning time of the channels that can receive,
// and never 2,016 blocks.
func TestFinalDelta(t *testing.T) {
	shut, empty := inFactory(3, 900), inFactory(4, 900)
	shut.Receives, empty.CanReceive = false, 0
	for _, c := range []struct {
		links []Link
		rules rule.Set
		want  Blocks
	}{
		{nil, rule.Set{}, 24},
		{[]Link{inFactory(1, 100), inFactory(2, 300), shut, empty}, rule.Set{}, 324},
		{[]Link{inFactory(1, 300)}, rule.Without(rule.PCF093), 24},
		{[]Link{inFactory(1, 1991)}, rule.Set{}, 2015},
		{[]Link{inFactory(1, 1992)}, rule.Set{}, 2015},
		{[]Link{inFactory(1, 1997)}, rule.Set{}, 2015},
	} {
		b := newBench(t, me, false, c.rules, c.links...)
		if _, text := b.mustInvoice(5); text.FinalDelta != c.want {
			t.Errorf("%d blocks, want %d", text.FinalDelta, c.want)
		}
	}
	b := newBench(t, me, false, rule.Set{}, inFactory(1, 1998))
	if _, _, err := b.r.Invoice(b.desk, InvoiceRequest{}); err == nil {
		t.Error("an invoice that nobody can pay")
	}
}

// A route hint names the peer, the alias that the peer gave and its policy, of at
// most four channels.
func TestInvoiceHints(t *testing.T) {
	var links []Link
	for n := byte(1); n <= 6; n++ {
		l := inFactory(n, 10)
		l.CanReceive = Msat(n) * 1000
		links = append(links, l)
	}
	links[5].HintSCID = 0
	b := newBench(t, me, false, rule.Set{}, links...)
	_, text := b.mustInvoice(5)
	if len(text.Hints) != 4 || text.Hints[0][0] != (Hop{Node: nodeID(lsp), SCID: 105, FeeBaseMsat: 500, FeePPM: 10, CLTVDelta: 34}) || text.Hints[3][0].SCID != 102 {
		t.Errorf("%+v", text.Hints)
	}
	if !text.MPP || text.Payee != nodeID(me) {
		t.Errorf("%+v", text)
	}
}
