package lab

import (
	"context"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/factory"
	"superscalar/refnode/hub"
	"superscalar/refnode/leaves"
	"superscalar/refnode/node"
	"superscalar/refnode/payment"
	"superscalar/refnode/role"
	"superscalar/wire"
)

// openChannels starts the channels of a party that has any.
func (p *Party) openChannels(o PartyOptions, seed uint64) error {
	if p.channels == nil {
		return nil
	}
	tip, err := o.Chain.Tip(context.Background())
	if err != nil {
		return err
	}
	backend := role.Chain{Backend: o.Chain}
	h, err := hub.Open(hub.Config{
		Store: p.Store, Key: p.dir.NodeKey(), Net: &chaincfg.RegressionNetParams, Rand: seeded(seed, "hub"), Forward: o.Role == node.LSP,
		Derive:    func(label string) (*btcec.PrivateKey, error) { return p.dir.DeriveKey(label, 0) },
		Broadcast: func(tx *btcwire.MsgTx, _ string) { _ = backend.Submit(tx) }, // what was refused is tried again
		Factories: map[wire.ProtocolID]hub.Factory{leaves.Protocol: p.channels},
	}, payment.Height(tip.Height))
	if err != nil {
		return err
	}
	p.Hub, p.done = h, make(chan struct{})
	p.leaves = leaves.New(leaves.Config{
		Registry: p.channels, Hub: h, LSP: p.LSP, Client: p.Client, Chain: backend, Confirmations: 1,
		Coins: func(enough factory.Sat) bool { return p.Wallet.Balance().Available >= enough }, Leave: func() {}, Tell: func(string) {},
	})
	p.keeping.Go(func() { p.leaves.Run(p.done) })
	return nil
}

// Look shows the chain to the channels of everybody: those of a factory that has
// been confirmed get ready, one party after the other.
func (l *Lab) Look(ctx context.Context) error {
	var errs []error
	for _, p := range append([]*Party{l.LSP}, l.Clients...) {
		if p.Hub == nil {
			continue
		}
		if err := errors.Join(p.Hub.Look(ctx, l.Chain), p.leaves.Check()); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.Name, err))
		}
	}
	return errors.Join(errs...)
}

// Pay pays an invoice of another party over the channels, and returns when the
// payment is over. The error says why it failed.
func (p *Party) Pay(ctx context.Context, to *Party, amount payment.Msat) (payment.Payment, error) {
	inv, err := to.Hub.Invoice(payment.InvoiceRequest{Amount: amount})
	if err != nil {
		return payment.Payment{}, err
	}
	got, err := p.Hub.Pay(payment.PayRequest{Invoice: inv.Request, MaxFee: amount})
	for err == nil && got.State == payment.InFlight {
		changed := p.Hub.Changed()
		if got, _ = p.Hub.Payment(inv.Hash); got.State != payment.InFlight {
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return got, ctx.Err()
		}
	}
	if err == nil && got.State != payment.Succeeded {
		err = fmt.Errorf("%s pays %s: %s", p.Name, to.Name, got.Reason)
	}
	return got, err
}

// Up counts the channels in factories that take payments; those of a client also
// wait for what its LSP asks for forwarding, which goes into its invoices.
func (p *Party) Up() (n int) {
	for _, c := range p.Hub.Channels() {
		if c.Link.Up && c.Instance != nil && (p.LSP != nil || c.Policy.Known) {
			n++
		}
	}
	return n
}
