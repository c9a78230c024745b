package participant

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/control"
	"superscalar/refnode/factory"
	"superscalar/refnode/hub"
	"superscalar/refnode/leaves"
	"superscalar/refnode/node"
	"superscalar/refnode/payment"
	"superscalar/refnode/role"
	"superscalar/refnode/transport"
	"superscalar/wire"
)

// openChannels starts the node's channels and payments. Without a node key
// there are none.
func (p *Participant) openChannels() error {
	if p.cfg.NodeKey == nil {
		return nil
	}
	script, err := p.receiveScript()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
	defer cancel()
	tip, err := p.cfg.Chain.Tip(ctx)
	if p.answered = err == nil; err != nil {
		p.cfg.Tell("chain: " + err.Error()) // blocks come when it answers
	}
	p.hub, err = hub.Open(hub.Config{
		Store: p.store, Script: script, Key: p.cfg.NodeKey, Net: &chaincfg.RegressionNetParams, Rand: p.cfg.Rand,
		Derive:  func(label string) (*btcec.PrivateKey, error) { return p.cfg.Derive(label, 0) },
		Forward: p.cfg.Role == node.LSP, Wallet: coins{p}, Coins: p.wallet, Broadcast: p.broadcast, Notice: p.paid,
		Factories: map[wire.ProtocolID]hub.Factory{leaves.Protocol: p.channels},
	}, payment.Height(tip.Height))
	if err != nil {
		return err
	}
	p.leaves = leaves.New(leaves.Config{
		Registry: p.channels, Hub: p.hub, LSP: p.lsp, Client: p.client, Chain: role.Chain{Backend: p.cfg.Chain, Timeout: lookTimeout},
		Confirmations: Confirmations, Coins: func(enough factory.Sat) bool { return p.wallet.Balance().Available >= enough }, Leave: p.wayout.Wake, Tell: p.cfg.Tell,
		ZeroFee: p.cfg.ZeroFee,
	})
	return p.hub.StartAt(p.cfg.Birthday)
}

// AttachOpener says how channels inside factories are opened: by
// node.Node.OpenInFactory. Without it none are, and no factory is funded.
func (p *Participant) AttachOpener(open leaves.Opener) {
	if p.leaves != nil {
		p.leaves.Attach(open)
	}
}

// Hub is what the base node hands channel messages to, nil without channels.
func (p *Participant) Hub() *hub.Hub { return p.hub }

// coins pays for channels outside factories.
type coins struct{ p *Participant }

// Fund implements hub.Wallet.
func (c coins) Fund(id string, out *btcwire.TxOut) (*btcwire.MsgTx, uint32, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
	defer cancel()
	if err := c.p.wallet.Sync(ctx, c.p.cfg.Chain); err != nil {
		return nil, 0, err
	}
	unsigned, err := c.p.wallet.FundTx(id, []*btcwire.TxOut{out}, c.p.cfg.Rate)
	if err != nil {
		return nil, 0, err
	}
	tx, err := c.p.wallet.Sign(unsigned)
	if err != nil {
		return nil, 0, errors.Join(err, c.p.wallet.Release(id))
	}
	return tx, 0, nil
}

// Release implements hub.Wallet.
func (c coins) Release(id string) { _ = c.p.wallet.Release(id) } // the hub reserved it

// broadcast publishes what channels want published. What the network refuses
// is told, and tried again after the next block.
func (p *Participant) broadcast(tx *btcwire.MsgTx, what string) {
	err := role.Chain{Backend: p.cfg.Chain, Timeout: lookTimeout}.Submit(tx)
	if err != nil && !chain.IsRejection(err, chain.ReasonMissingInputs) {
		p.cfg.Tell("channels: " + what + ": " + err.Error())
	}
}

// paid tells how payments went.
func (p *Participant) paid(a payment.Action) {
	switch a := a.(type) {
	case payment.InvoiceSettled:
		p.cfg.Tell("received " + a.Amount.String() + " for " + a.Hash.String()[:8])
	case payment.PaymentSucceeded:
		p.cfg.Tell("paid " + a.Hash.String()[:8])
	case payment.PaymentFailed:
		p.cfg.Tell("payment " + a.Hash.String()[:8] + " failed: " + a.Reason.String())
	}
}

var errNoChannels = errors.New("this node has no channels")

// Invoice implements control.Payments.
func (p *Participant) Invoice(msat uint64, text string) (control.Invoice, error) {
	if p.hub == nil {
		return control.Invoice{}, errNoChannels
	}
	inv, err := p.hub.Invoice(payment.InvoiceRequest{Amount: payment.Msat(msat), Description: text})
	return control.Invoice{Bolt11: inv.Request, PaymentHash: inv.Hash.String()}, err
}

// payTimeout is how long an order to pay waits for the end of a payment.
const payTimeout = 60 * time.Second

// Pay implements control.Payments. A payment that is still in flight after a
// minute goes on: the same order again waits for it again.
func (p *Participant) Pay(ctx context.Context, order control.Pay) (control.Paid, error) {
	if p.hub == nil {
		return control.Paid{}, errNoChannels
	}
	ctx, cancel := context.WithTimeout(ctx, payTimeout)
	defer cancel()
	got, err := p.hub.Pay(payment.PayRequest{
		Invoice: order.Bolt11, Amount: payment.Msat(order.AmountMsat), MaxFee: payment.Msat(order.MaxFeeMsat), UsualFee: order.UsualFee, Retry: true,
		Hints: hints(order.Hint),
	})
	for err == nil && got.State == payment.InFlight {
		changed := p.hub.Changed()
		if got, _ = p.hub.Payment(got.Hash); got.State != payment.InFlight {
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return control.Paid{}, control.ErrInFlight
		}
	}
	if err == nil && got.State != payment.Succeeded {
		err = errors.New("the payment failed: " + got.Reason.String())
	}
	if err != nil {
		return control.Paid{}, err
	}
	return control.Paid{Preimage: hex.EncodeToString(got.Preimage[:]), AmountMsat: uint64(got.Amount), FeeMsat: uint64(got.Fee)}, nil
}

// hints are the routes that an order names.
func hints(h *control.Hint) [][]payment.Hop {
	if h == nil {
		return nil
	}
	node, err := transport.ParseNodeID(h.NodeID)
	if err != nil {
		return nil
	}
	return [][]payment.Hop{{{
		Node: wire.Point(node), SCID: payment.SCID(h.SCID), FeeBaseMsat: h.FeeBaseMsat, FeePPM: h.FeePPM, CLTVDelta: h.CLTVDelta,
	}}}
}

// Channels implements control.Payments.
func (p *Participant) Channels() []control.ChannelStatus {
	if p.hub == nil {
		return nil
	}
	var out []control.ChannelStatus
	for _, c := range p.hub.Channels() {
		s := control.ChannelStatus{
			ChannelID: c.ID.String(), Peer: c.Peer.String(), State: c.State(), CapacitySat: uint64(c.Link.Capacity), LocalMsat: uint64(c.Local),
			SendMsat: uint64(c.Link.Sendable), ReceiveMsat: uint64(c.Link.Receivable), Detail: printable(c.Failure),
		}
		if c.Instance != nil {
			s.FactoryID = hex.EncodeToString(c.Instance[:])
		}
		if s.State != control.ChannelClosed && p.leaves.Voided(c.ID) {
			s.State, s.SendMsat, s.ReceiveMsat = control.ChannelVoided, 0, 0
		}
		out = append(out, s)
	}
	return out
}

// CloseChannel implements control.Payments: by agreement to an output of the
// wallet, or by force.
func (p *Participant) CloseChannel(id wire.ChannelID, force bool) error {
	if p.hub == nil {
		return errNoChannels
	}
	script, err := p.wallet.NewScript()
	if err != nil {
		return err
	}
	return p.hub.CloseChannel(id, script, force)
}
