package interop

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"superscalar/harness/cable"
	"superscalar/refnode/control"
	"superscalar/wire"
)

// What is in flight when a channel is closed by force, in sat.
const (
	heldByLND    = 20_000 // from a client inside the factory
	heldByMember = 25_000 // from lnd, to that client
)

// closingCosts is the most that the end of a channel may cost its side, in sat:
// commitment, claims and what pays for them.
const closingCosts = 40_000

// flight is what is in flight over the only channel between lnd and the LSP.
type flight struct {
	*held
	lnd chan error // how lnd's payment ended
}

// takeOff puts an HTLC in flight in each direction. Its payees hold them: lnd
// because it was told to, the client inside the factory because its answers do not
// arrive.
func (s *script) takeOff() (*flight, error) {
	h, err := s.hold(s.members[0])
	f := &flight{held: h, lnd: make(chan error, 1)}
	if err != nil {
		return f, err
	}
	inv, err := s.members[0].side.Invoice(heldByMember*1000, "held")
	if err != nil {
		return f, err
	}
	before := s.toMember()
	s.cable.Hold(cable.Forth)
	pay := func() {
		_, err := s.payFromLND(inv.Bolt11, heldByMember)
		f.lnd <- err
	}
	go pay()
	var said error
	err = s.until("lnd's HTLC is on its way to the client", func() (bool, error) {
		if s.toMember()+heldByMember*1000 <= before {
			return true, nil
		}
		select {
		case said = <-f.lnd: // lnd may not have found its new channel yet
			go pay()
		default:
		}
		return false, nil
	})
	if err != nil && said != nil {
		err = fmt.Errorf("%w; lnd says %w", err, said)
	}
	return f, err
}

// toMember is what the LSP could send to the client inside the factory, in msat.
func (s *script) toMember() uint64 {
	for _, c := range s.lsp.channelsWith(s.members[0].node.Address().ID.String(), false) {
		return c.SendMsat
	}
	return 0
}

// land lets both payees say their preimages once the commitment is in a block, and
// mines until both payers have them.
func (s *script) land(f *flight) error {
	s.cable.Release(cable.Forth)
	if err := s.reveal(f.held); err != nil {
		return err
	}
	landed, settled := false, false
	return s.until("both payments are over", func() (bool, error) {
		if err := s.mine(1); err != nil {
			return false, err
		}
		select {
		case err := <-f.lnd:
			if err != nil {
				return false, fmt.Errorf("lnd's payment: %w", err)
			}
			landed = true
		default:
		}
		var err error
		if !settled {
			settled, err = s.paid(f.held)
		}
		return settled && landed, err
	})
}

func lndForces(s *script) (string, error) {
	return s.force("LOCAL_FORCE_CLOSE", func(c lndChannel) error {
		var answer struct {
			Txid string `json:"closing_txid"`
		}
		return s.lnd.Lncli(s.ctx, &answer, "closechannel", "--force", "--chan_point="+c.Point)
	})
}

func lspForces(s *script) (string, error) {
	return s.force("REMOTE_FORCE_CLOSE", func(lndChannel) error {
		raw, err := hex.DecodeString(s.lsp.channelsWith(s.lnd.NodeID, true)[0].ChannelID)
		if err != nil {
			return err
		}
		return s.lsp.side.CloseChannel(wire.ChannelID(raw), true)
	})
}

// force has the only channel between lnd and the LSP closed by force while HTLCs
// are in flight, and waits until both have on the chain what is theirs.
func (s *script) force(kind string, closeIt func(lndChannel) error) (string, error) {
	list, err := s.lndChannels()
	if err != nil {
		return "", err
	}
	ours := s.lsp.channelsWith(s.lnd.NodeID, true)
	if len(list) != 1 || len(ours) != 1 {
		return "", fmt.Errorf("lnd lists %d channels, the LSP %d", len(list), len(ours))
	}
	local, err := strconv.ParseInt(list[0].Local, 10, 64)
	if err != nil {
		return "", err
	}
	had, lspHad, err := s.wallets()
	if err != nil {
		return "", err
	}
	f, err := s.takeOff()
	defer f.stop()
	if err != nil {
		return "", err
	}
	if err := closeIt(list[0]); err != nil {
		return "", err
	}
	if err := s.buried(list[0].Point); err != nil {
		return "", err
	}
	if err := s.land(f); err != nil {
		return "", err
	}
	if err := s.resolved(list[0].Point, kind, ours[0].ChannelID); err != nil {
		return "", err
	}
	has, lspHas, err := s.wallets()
	if err != nil {
		return "", err
	}
	want, lspWant := local+heldByLND-heldByMember, int64(ours[0].LocalMsat/1000)-heldByLND+heldByMember
	text := fmt.Sprintf("both paid; of %d sat lnd has %d, of %d the LSP %d", want, has-had, lspWant, lspHas-lspHad)
	if short(has-had, want) || short(lspHas-lspHad, lspWant) {
		return "", errors.New("somebody lost more than the costs, or gained: " + text)
	}
	return text, nil
}

// short reports whether a side got too little or too much.
func short(got, want int64) bool { return got < want-closingCosts || got > want+1000 }

// buried waits until the commitment is out and confirms it until lnd, which wants
// more than one block, says that the channel's end is pending, with something in
// limbo.
func (s *script) buried(point string) error {
	if err := s.untilMempool("the commitment"); err != nil {
		return err
	}
	return s.until("lnd calls the forced close pending", func() (bool, error) {
		if err := s.mine(1); err != nil {
			return false, err
		}
		p, err := s.pending()
		for _, c := range p.Forced {
			if c.Channel.Point == point && c.Limbo != "0" {
				return true, err
			}
		}
		return false, err
	})
}

// pendingChannels is what lncli pendingchannels says.
type pendingChannels struct {
	Forced []struct {
		Channel struct {
			Point string `json:"channel_point"`
		} `json:"channel"`
		Limbo string `json:"limbo_balance"`
	} `json:"pending_force_closing_channels"`
	Waiting []struct{} `json:"waiting_close_channels"`
}

func (s *script) pending() (p pendingChannels, err error) {
	return p, s.lnd.Lncli(s.ctx, &p, "pendingchannels")
}

// resolved mines until neither side has anything left to do about the channel.
func (s *script) resolved(point, kind, id string) error {
	return s.within(limitChain, "both sides are done with the channel", func() (bool, error) {
		if err := s.mine(16); err != nil {
			return false, err
		}
		p, err := s.pending()
		if err != nil || len(p.Forced)+len(p.Waiting) > 0 {
			return false, err
		}
		var closed struct {
			Channels []closedChannel `json:"channels"`
		}
		if err := s.lnd.Lncli(s.ctx, &closed, "closedchannels"); err != nil {
			return false, err
		}
		atLND, err := closedAs(closed.Channels, point, kind)
		if err != nil {
			return false, err
		}
		for _, c := range s.lsp.side.Channels() {
			if c.ChannelID == id {
				return atLND && c.State == control.ChannelClosed, nil
			}
		}
		return atLND, nil
	})
}

// closedChannel is one of lncli closedchannels.
type closedChannel struct {
	Point string `json:"channel_point"`
	Type  string `json:"close_type"`
}

// closedAs reports whether a channel is among those that are closed. The error says that lnd
// gives another kind of end.
func closedAs(all []closedChannel, point, kind string) (bool, error) {
	for _, c := range all {
		if c.Point != point {
			continue
		}
		if c.Type != kind {
			return false, fmt.Errorf("lnd calls it %s", c.Type)
		}
		return true, nil
	}
	return false, nil
}

// wallets are what lnd and the LSP own on the chain, in sat.
func (s *script) wallets() (atLND, atLSP int64, err error) {
	var w struct {
		Total string `json:"total_balance"`
	}
	if err := s.lnd.Lncli(s.ctx, &w, "walletbalance"); err != nil {
		return 0, 0, err
	}
	if atLND, err = strconv.ParseInt(w.Total, 10, 64); err != nil {
		return 0, 0, err
	}
	now, err := s.lsp.side.Standing(s.ctx)
	return atLND, int64(now.Wallet.ConfirmedSat), err
}
