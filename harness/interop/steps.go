package interop

import (
	"encoding/hex"
	"errors"
	"fmt"

	"superscalar/refnode/control"
	"superscalar/refnode/transport"
	"superscalar/wire"
)

// step is one thing that has to come to pass.
type step struct {
	name string
	run  func(*script) (string, error)
}

// steps are the script, in order: each relies on those before.
var steps = []step{
	{"the LSP opens a channel to lnd", openToLND},
	{"lnd opens a channel to the LSP", openFromLND},
	{"the LSP opens a channel to the client", openToClient},
	{"the LSP pays an invoice of lnd", lspPaysLND},
	{"lnd pays an invoice of the LSP", lndPaysLSP},
	{"lnd pays an invoice of the client", lndPaysClient},
	{"the client pays an invoice of lnd", clientPaysLND},
	{"a payment that nobody can take comes back", lndPaysTooMuch},
	{"a factory is created for two other clients", foundFactory},
	{"lnd pays a client inside the factory", lndPaysMember},
	{"a client inside the factory pays lnd", memberPaysLND},
	{"the LSP and its clients restart", restart},
	{"lnd pays the client after the restart", lndPaysClient},
	{"lnd pays into the factory after the restart", lndPaysMember},
	{"a sale moves channels with an HTLC to lnd in flight", sellInFlight},
	{"a sale moves channels with an HTLC from lnd in flight", sellWhileHeld},
	{"lnd pays into the factory after the changes", lndPaysMember},
	{"lnd closes its channel by agreement", lndCloses},
	{"the LSP closes its channel by agreement", lspCloses},
	{"the LSP opens another channel to lnd", openAnotherToLND},
	{"lnd closes it by force, two HTLCs in flight", lndForces},
	{"lnd opens another channel to the LSP", openAnotherFromLND},
	{"the LSP closes it by force, two HTLCs in flight", lspForces},
}

func (s *script) lspID() string { return s.lsp.node.Address().ID.String() }

// connectLND makes the LSP dial lnd.
func (s *script) connectLND() error {
	to, err := transport.ParseAddress(s.lnd.NodeID + "@" + s.lnd.Address)
	if err != nil {
		return err
	}
	return s.lsp.node.Connect(s.ctx, to)
}

func openToLND(s *script) (string, error)          { return s.openToLND(1, 200_000) }
func openAnotherToLND(s *script) (string, error)   { return s.openToLND(1, 300_000) }
func openFromLND(s *script) (string, error)        { return s.openFromLND(2, 100_000) }
func openAnotherFromLND(s *script) (string, error) { return s.openFromLND(1, 250_000) }

// openToLND opens a channel that is the n-th between the LSP and lnd, and gives
// lnd some sat of it.
func (s *script) openToLND(n int, push uint64) (string, error) {
	if err := s.connectLND(); err != nil {
		return "", err
	}
	id, err := transport.ParseNodeID(s.lnd.NodeID)
	if err != nil {
		return "", err
	}
	if err := s.openOutside(id, 1_000_000, push); err != nil {
		return "", err
	}
	return s.opened(n, 1_000_000)
}

// openOutside opens a channel outside of factories once init is exchanged.
func (s *script) openOutside(id transport.NodeID, sat, push uint64) error {
	return s.until("init is exchanged", func() (bool, error) { return s.lsp.node.OpenOutside(id, sat, push*1000) == nil, nil })
}

func (s *script) openFromLND(n, push int) (string, error) {
	var answer struct {
		Txid string `json:"funding_txid"`
	}
	err := s.lnd.Lncli(s.ctx, &answer, "openchannel", "--private", "--node_key="+s.lspID(), "--local_amt=800000", fmt.Sprint("--push_amt=", push), "--sat_per_vbyte=5")
	if err != nil {
		return "", err
	}
	return s.opened(n, 800_000)
}

// opened mines until lnd lists n active channels with the LSP and the LSP as
// many.
func (s *script) opened(n int, sat int64) (string, error) {
	if err := s.untilMempool("the funding transaction"); err != nil {
		return "", err
	}
	if err := s.mine(6); err != nil {
		return "", err
	}
	err := s.until("the channel is active on both sides", func() (bool, error) {
		list, err := s.lndChannels()
		active := 0
		for _, c := range list {
			if c.Active && c.Peer == s.lspID() {
				active++
			}
		}
		return active == n && len(s.lsp.channelsWith(s.lnd.NodeID, true)) == n, err
	})
	return fmt.Sprintf("%d sat, active", sat), err
}

// untilMempool waits until something is in the mempool.
func (s *script) untilMempool(what string) error {
	return s.until(what+" is in the mempool", func() (bool, error) {
		var pool []string
		err := s.lsp.chain.Call(s.ctx, "getrawmempool", &pool)
		return len(pool) > 0, err
	})
}

// lndChannel is what lncli listchannels says.
type lndChannel struct {
	Active bool   `json:"active"`
	Peer   string `json:"remote_pubkey"`
	Point  string `json:"channel_point"`
	Local  string `json:"local_balance"`
	Opener bool   `json:"initiator"`
}

func (s *script) lndChannels() ([]lndChannel, error) {
	var list struct {
		Channels []lndChannel `json:"channels"`
	}
	return list.Channels, s.list(&list)
}

func (s *script) list(into any) error { return s.lnd.Lncli(s.ctx, into, "listchannels") }

func openToClient(s *script) (string, error) {
	if err := s.client.node.Connect(s.ctx, s.lsp.node.Address()); err != nil {
		return "", err
	}
	id := s.client.node.Address().ID
	if err := s.openOutside(id, 500_000, 0); err != nil {
		return "", err
	}
	if err := s.untilMempool("the funding transaction"); err != nil {
		return "", err
	}
	if err := s.mine(6); err != nil {
		return "", err
	}
	return "500000 sat", s.ready(s.client)
}

// ready waits until a client can put a hint into an invoice.
func (s *script) ready(p *party) error {
	return s.until("the client's channel is ready", func() (bool, error) {
		for _, c := range p.side.Hub().Channels() {
			if c.Link.Up && c.Policy.Known {
				return len(s.lsp.channelsWith(p.node.Address().ID.String(), true)) == 1, nil
			}
		}
		return false, nil
	})
}

// lndInvoice makes an invoice of lnd.
func (s *script) lndInvoice(sat int) (bolt11, hash string, err error) {
	var answer struct {
		Request string `json:"payment_request"`
		Hash    string `json:"r_hash"`
	}
	err = s.lnd.Lncli(s.ctx, &answer, "addinvoice", "--private", fmt.Sprintf("--amt=%d", sat))
	return answer.Request, answer.Hash, err
}

// hintToLND says how the LSP reaches lnd. lnd puts no route hint into an invoice
// when the node at the other end is not in the public graph, so whoever gives the
// client the invoice has to.
func (s *script) hintToLND() *control.Hint {
	for _, c := range s.lsp.side.Hub().Channels() {
		if c.Peer.String() == s.lnd.NodeID && c.Link.Up && c.Link.Sendable > 100_000_000 {
			return &control.Hint{NodeID: s.lspID(), SCID: uint64(c.Alias), FeeBaseMsat: 1000, FeePPM: 100, CLTVDelta: 40}
		}
	}
	return nil
}

// settledAtLND asks lnd whether its invoice was paid.
func (s *script) settledAtLND(hash string) error {
	return s.until("lnd calls its invoice settled", func() (bool, error) {
		state, err := s.invoiceState(hash)
		return state == "SETTLED", err
	})
}

// invoiceState is what lnd says of its invoice.
func (s *script) invoiceState(hash string) (string, error) {
	var inv struct {
		State string `json:"state"`
	}
	err := s.lnd.Lncli(s.ctx, &inv, "lookupinvoice", hash)
	return inv.State, err
}

func (s *script) payLND(p *party, sat int) (string, error) {
	bolt11, hash, err := s.lndInvoice(sat)
	if err != nil {
		return "", err
	}
	paid, err := p.side.Pay(s.ctx, s.orderToLND(p, bolt11, sat))
	if err != nil {
		return "", err
	}
	s.toLND.count(sat)
	return fmt.Sprintf("%d sat for %d msat, preimage %.8s", sat, paid.FeeMsat, paid.Preimage), s.settledAtLND(hash)
}

// orderToLND is a party's order to pay an invoice of lnd.
func (s *script) orderToLND(p *party, bolt11 string, sat int) control.Pay {
	order := control.Pay{Bolt11: bolt11, MaxFeeMsat: uint64(sat) * 50}
	if p != s.lsp {
		order.Hint = s.hintToLND()
	}
	return order
}

func lspPaysLND(s *script) (string, error)    { return s.payLND(s.lsp, 50_000) }
func clientPaysLND(s *script) (string, error) { return s.payLND(s.client, 20_000) }

// fromLND makes lnd pay an invoice of a party.
func (s *script) fromLND(p *party, sat uint64) (string, error) {
	inv, err := p.side.Invoice(sat*1000, "interop")
	if err != nil {
		return "", err
	}
	return s.payFromLND(inv.Bolt11, sat)
}

func (s *script) payFromLND(bolt11 string, sat uint64) (string, error) {
	var paid struct {
		Status  string `json:"status"`
		Reason  string `json:"failure_reason"`
		FeeMsat string `json:"fee_msat"`
	}
	if err := s.lnd.Lncli(s.ctx, &paid, "payinvoice", "--force", "--json", "--timeout=30s", bolt11); err != nil {
		return "", err
	}
	if paid.Status != "SUCCEEDED" {
		return "", errors.New("lnd says " + paid.Status + ": " + paid.Reason)
	}
	s.byLND.count(int(sat))
	return fmt.Sprintf("%d sat for %s msat, lnd says %s", sat, paid.FeeMsat, paid.Status), nil
}

func lndPaysLSP(s *script) (string, error)    { return s.fromLND(s.lsp, 30_000) }
func lndPaysClient(s *script) (string, error) { return s.fromLND(s.client, 60_000) }

func lndPaysTooMuch(s *script) (string, error) {
	text, err := s.fromLND(s.client, 490_000)
	if err == nil {
		return "", errors.New("it succeeded: " + text)
	}
	if err := s.ready(s.client); err != nil {
		return "", err
	}
	return "it failed, and the channels are well", nil
}

func restart(s *script) (string, error) {
	all := s.parties()
	for _, p := range all {
		if err := p.stop(); err != nil {
			return "", err
		}
	}
	for _, p := range all {
		if err := s.start(p); err != nil {
			return "", err
		}
	}
	s.cable.To(s.lsp.node.Address().HostPort)
	if err := s.connectLND(); err != nil {
		return "", err
	}
	if err := s.connectMembers(); err != nil {
		return "", err
	}
	if err := s.client.node.Connect(s.ctx, s.lsp.node.Address()); err != nil {
		return "", err
	}
	for _, p := range all[1:] {
		if err := s.ready(p); err != nil {
			return "", err
		}
	}
	return "channels reestablished", s.until("lnd calls both channels active", func() (bool, error) {
		list, err := s.lndChannels()
		active := 0
		for _, c := range list {
			if c.Active {
				active++
			}
		}
		return active == 2 && len(s.lsp.channelsWith(s.lnd.NodeID, true)) == 2, err
	})
}

func lndCloses(s *script) (string, error) {
	list, err := s.lndChannels()
	if err != nil {
		return "", err
	}
	for _, c := range list {
		if c.Opener {
			var answer struct {
				Txid string `json:"closing_txid"`
			}
			if err := s.lnd.Lncli(s.ctx, &answer, "closechannel", "--sat_per_vbyte=5", "--chan_point="+c.Point); err != nil {
				return "", err
			}
			return "closing transaction " + answer.Txid[:8], s.closedAtLND(1)
		}
	}
	return "", errors.New("lnd lists no channel that it opened")
}

func lspCloses(s *script) (string, error) {
	left := s.lsp.channelsWith(s.lnd.NodeID, true)
	if len(left) == 0 {
		return "", errors.New("the LSP has no channel with lnd left")
	}
	raw, err := hex.DecodeString(left[0].ChannelID)
	if err != nil {
		return "", err
	}
	if err := s.lsp.side.CloseChannel(wire.ChannelID(raw), false); err != nil {
		return "", err
	}
	return "by the LSP's order", s.closedAtLND(2)
}

// closedAtLND mines until lnd lists n channels that were closed by agreement.
func (s *script) closedAtLND(n int) error {
	return s.until("lnd calls the channel closed", func() (bool, error) {
		if err := s.mine(1); err != nil {
			return false, err
		}
		var closed struct {
			Channels []struct {
				Type string `json:"close_type"`
			} `json:"channels"`
		}
		err := s.lnd.Lncli(s.ctx, &closed, "closedchannels", "--cooperative")
		return len(closed.Channels) == n, err
	})
}
