package cli

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/factory"
	"superscalar/refnode/hub"
	"superscalar/refnode/payment"
)

// payers is the largest number of clients with channels in the demonstration.
// Opening them takes longer than the ceremony, and more of them show nothing new.
const payers = 32

// What is paid, in sat.
const (
	atOnce        = 10_000  // at most: 10 % of a client's cover (CHAN-012)
	firstPayment  = 40_000  // by the LSP to the hero
	secondPayment = 8_000   // by the hero to the next client
	largePayment  = 100_000 // to the hero, more than its first channel has room for
)

// neighbour is the client that the hero pays, theLSP stands for no client.
const (
	neighbour = 1
	theLSP    = -1
)

// pays reports whether there are channels in this demonstration.
func (s *story) pays() bool { return s.clients <= payers }

// until looks again and again whether something has happened.
func (s *story) until(happened func() bool) error {
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for !happened() {
		select {
		case <-again.C:
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	}
	return nil
}

// openChannels lets the channels see that their factory, or a change of it, has
// come to be, and waits until so many are ready on either side.
func (s *story) openChannels(want int) error {
	if err := s.lab.Look(s.ctx); err != nil {
		return err
	}
	return s.until(func() bool {
		up := 0
		for _, c := range s.lab.Clients {
			up += c.Up()
		}
		return up == want && s.lab.LSP.Up() == want
	})
}

// own is what a client has in its channels.
func (s *story) own(client int) (sum payment.Msat) {
	for _, c := range s.channels(client) {
		sum += c.Local
	}
	return sum
}

// balanceOn is what the hero has in its channel on a transaction, in whole sat.
func (s *story) balanceOn(txid chainhash.Hash) (sum factory.Sat) {
	for _, c := range s.channels(hero) {
		if chainhash.Hash(c.Txid) == txid {
			sum += factory.Sat(c.Local / 1000)
		}
	}
	return sum
}

func (s *story) channels(client int) []hub.Status { return s.lab.Clients[client].Hub.Channels() }

// pay makes a payment and returns once every channel it went through has it in its
// balances, on both sides.
func (s *story) pay(from, to int, sat factory.Sat) (payment.Payment, error) {
	amount := payment.Msat(1000 * sat)
	want := map[int]payment.Msat{to: s.own(to) + amount}
	payer := s.lab.LSP
	if from != theLSP {
		payer, want[from] = s.lab.Clients[from], s.own(from)-amount
	}
	paid, err := payer.Pay(s.ctx, s.lab.Clients[to], amount)
	if err != nil {
		return paid, err
	}
	if from != theLSP {
		want[from] -= paid.Fee
	}
	return paid, s.until(func() bool {
		var clients, lsp payment.Msat
		for i := range s.lab.Clients {
			own := s.own(i)
			if w, ok := want[i]; ok && own != w {
				return false
			}
			clients += own
		}
		for _, c := range s.lab.LSP.Hub.Channels() {
			lsp += c.Remote
		}
		return lsp == clients
	})
}

// receive has the LSP pay the hero, as much at a time as a client without coins
// takes.
func (s *story) receive(sat factory.Sat) error {
	for ; sat > 0; sat -= atOnce {
		if _, err := s.pay(theLSP, hero, min(sat, atOnce)); err != nil {
			return err
		}
	}
	return nil
}

// payInside has clients paid, and pay each other, inside the factory.
func (s *story) payInside() error {
	if !s.pays() {
		s.screen.end(step{Name: "payments", Height: s.height(), Text: fmt.Sprintf("are shown with up to %d clients: here channels are outputs and nothing more", payers)})
		return nil
	}
	if err := s.openChannels(s.clients); err != nil {
		return err
	}
	s.screen.end(step{Name: "channels", Height: s.height(), Text: count(s.clients, "channel") +
		" opened while the factory was signed; now they carry payments"})
	if err := s.receive(firstPayment); err != nil {
		return err
	}
	st := step{Name: "payments", Height: s.height(), Text: fmt.Sprintf(
		"the LSP pays client %d %s sat, %s at a time: a client without coins has no more in flight (CHAN-012)", hero, figure(firstPayment), figure(atOnce))}
	if s.clients > neighbour {
		paid, err := s.pay(hero, neighbour, secondPayment)
		if err != nil {
			return err
		}
		st.Text += fmt.Sprintf("; client %d pays client %d %s sat through the LSP, for a fee of %s sat",
			hero, neighbour, figure(secondPayment), sats(paid.Fee))
		st.Notes = append(st.Notes, fmt.Sprintf("of the %s sat in either's channel, client %d has %s now and client %d %s; nothing was on the chain",
			figure(demoCapacity), hero, sats(s.own(hero)), neighbour, sats(s.own(neighbour))))
	}
	s.screen.end(st)
	return nil
}

// payMore uses what was bought.
func (s *story) payMore() error {
	if !s.pays() {
		return nil
	}
	channels, where := s.clients, "its channel has moved to the new leaf"
	if s.shapeOf.Leaf == factory.PS {
		channels, where = s.clients+1, "now it has two channels"
	}
	if err := s.openChannels(channels); err != nil {
		return err
	}
	if err := s.receive(largePayment); err != nil {
		return err
	}
	s.screen.end(step{Name: "payments", Height: s.height(), Text: fmt.Sprintf("the LSP pays client %d %s sat, for which there was no room before: %s",
		hero, figure(largePayment), where), Notes: []string{fmt.Sprintf("client %d has %s of %s sat now", hero, sats(s.own(hero)), figure(int64(s.held().Tree().Capacities(hero))))}})
	return nil
}

// closeAlone publishes the hero's commitments once their channels are on the chain
// and nobody answers, and returns what they pay it.
func (s *story) closeAlone() (sum factory.Sat, err error) {
	if err := s.lab.LSP.Vanish(); err != nil {
		return 0, err
	}
	p, channels := s.lab.Clients[hero], s.channels(hero)
	if err := p.Hub.Look(s.ctx, s.lab.Chain); err != nil { // their outputs are on the chain
		return 0, err
	}
	for _, c := range channels {
		if err := p.Hub.CloseChannel(c.ID, nil, true); err != nil {
			return 0, err
		}
	}
	st := step{Name: fmt.Sprintf("block %s", figure(int64(s.height()+1))), Height: s.height() + 1, Blocks: 1,
		Text: fmt.Sprintf("%s of client %d, with its own on one side and the LSP's on the other", count(len(channels), "commitment"), hero)}
	var spends []*btcwire.MsgTx
	for _, c := range channels {
		outpoint := btcwire.OutPoint{Hash: chainhash.Hash(c.Txid), Index: uint32(c.Index)}
		tx, err := s.spender(outpoint)
		if err != nil {
			return 0, err
		}
		spends = append(spends, tx)
		own := factory.Sat(c.Local / 1000)
		if own > 0 && !slices.ContainsFunc(tx.TxOut, func(out *btcwire.TxOut) bool { return out.Value == int64(own) }) {
			return 0, fmt.Errorf("the commitment of %s does not pay client %d its %s sat", outpoint, hero, figure(int64(own)))
		}
		sum += own
	}
	if err := s.mine(1); err != nil {
		return 0, err
	}
	for _, tx := range spends {
		bill, err := s.billOf(tx.TxHash())
		if err != nil {
			return 0, err
		}
		bill.addTo(&st)
	}
	s.screen.end(st)
	return sum, nil
}

// spender waits for the transaction that spends an outpoint.
func (s *story) spender(outpoint btcwire.OutPoint) (tx *btcwire.MsgTx, err error) {
	waited := s.until(func() bool {
		spend, found, failed := s.lab.Chain.Spend(s.ctx, outpoint)
		err = failed
		if found {
			tx = spend.Tx
		}
		return found || failed != nil
	})
	return tx, errors.Join(err, waited)
}

// sats prints an amount in sat with what there is after the point.
func sats(m payment.Msat) string {
	whole := figure(int64(m / 1000))
	if m%1000 == 0 {
		return whole
	}
	return fmt.Sprintf("%s.%03d", whole, m%1000)
}
