package participant

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/control"
	"superscalar/refnode/exit"
	"superscalar/refnode/factory"
	"superscalar/refnode/role"
	"superscalar/wire/rule"
)

// Standing implements control.Factories. A chain that does not answer is in
// it, not an error.
func (p *Participant) Standing(ctx context.Context) (control.Standing, error) {
	s := control.Standing{Factories: []control.FactoryStatus{}}
	p.mu.Lock()
	s.Ceremonies, s.Chain = append([]control.CeremonyStatus{}, p.heard...), p.silent
	p.mu.Unlock()
	tip, err := p.cfg.Chain.Tip(ctx)
	if err != nil {
		s.Chain = err.Error()
	} else if err = p.wallet.Sync(ctx, p.cfg.Chain); err != nil {
		s.Chain = err.Error()
	}
	s.Height = uint32(tip.Height)
	if s.Address, err = p.Address(); err != nil {
		return s, err
	}
	b := p.wallet.Balance()
	s.Wallet = control.WalletStatus{ConfirmedSat: uint64(b.Confirmed), ReservedSat: uint64(b.Reserved), AvailableSat: uint64(b.Available)}
	s.Factories = append(s.Factories, p.factories(ctx)...)
	return s, nil
}

// Address is where to send coins: one until coins have come there, then the
// next, so that nobody is paid twice at one place.
func (p *Participant) Address() (string, error) {
	saved, err := p.receiveScript()
	if err != nil {
		return "", err
	}
	a, err := btcutil.NewAddressTaproot(saved[2:], &chaincfg.RegressionNetParams)
	if err != nil {
		return "", fmt.Errorf("script %s: %w", hex.EncodeToString(saved), err)
	}
	return a.EncodeAddress(), nil
}

// receiveScript is the script of Address.
func (p *Participant) receiveScript() ([]byte, error) {
	saved, found, err := p.store.Get(walletBucket, walletScript)
	if err != nil {
		return nil, err
	}
	for _, coin := range p.wallet.Coins() {
		found = found && !bytes.Equal(coin.Script, saved)
	}
	if !found {
		if saved, err = p.wallet.NewScript(); err != nil {
			return nil, err
		}
		if err := p.store.Put(walletBucket, walletScript, saved); err != nil {
			return nil, err
		}
	}
	return saved, nil
}

// damaged are the factories that were set aside.
func damaged(list []role.Aside) []control.FactoryStatus {
	var out []control.FactoryStatus
	for _, a := range list {
		text := strings.Join(strings.Fields(printable(a.Err.Error())), " ")
		out = append(out, control.FactoryStatus{FactoryID: a.ID.String(), State: control.StateDamaged, Detail: "nothing is signed in it: " + text})
	}
	return out
}

func (p *Participant) factories(ctx context.Context) []control.FactoryStatus {
	var out []control.FactoryStatus
	if p.lsp != nil {
		out = damaged(p.lsp.Aside())
		for _, f := range p.lsp.Factories() {
			s := p.standing(ctx, f.Tree)
			s.FactoryID, s.Interrupted = f.ID.String(), f.Interrupted
			for i, m := range f.Members {
				s.Clients = append(s.Clients, m.Peer.String())
				s.CapacitySat += uint64(f.Tree.Capacities(factory.ClientIndex(i)))
			}
			s.Exit = p.exitStatus(ceremony.Peer{}, f.ID, f.Tree, exit.PreviewAll(f.Tree), false)
			stock := stockOf(f.Tree)
			s.StockSat = &stock
			out = append(out, s)
		}
		return out
	}
	out = damaged(p.client.Aside())
	for _, f := range p.client.Factories() {
		s := p.standing(ctx, f.Tree)
		index := uint16(f.Index)
		s.FactoryID, s.LSP, s.ClientIndex = f.ID.String(), f.LSP.String(), &index
		s.CapacitySat = uint64(f.Tree.Capacities(f.Index))
		if cost, err := exit.Preview(f.Tree, f.Index); err == nil {
			s.Exit = p.exitStatus(f.LSP, f.ID, f.Tree, cost, f.Leaving)
		}
		if cover, err := f.Tree.Cover(f.Index); err == nil {
			sat := uint64(cover)
			s.CoverSat = &sat
		}
		out = append(out, s)
	}
	return out
}

// stockOf is what is left to sell in a factory, in sat.
func stockOf(t *factory.Tree) (sum uint64) {
	for _, n := range t.Nodes() {
		for group := range n.Stocks {
			if stock, ok := t.NewestStock(n.ID, uint8(group)); ok {
				sum += uint64(stock.Value)
			}
		}
	}
	return sum
}

// standing is what holds for both roles: how far a factory is in its life.
func (p *Participant) standing(ctx context.Context, t *factory.Tree) control.FactoryStatus {
	terms := t.Factory().Terms()
	params := terms.Params
	exit := params.ExitHeight(terms.Shape)
	s := control.FactoryStatus{ExitHeight: uint32(exit), ExpiryHeight: uint32(params.Expiry)}
	backend := p.backend(ctx)
	var err error
	s.Confirmations, err = backend.Usable(t, rule.Set{}, Confirmations)
	tip, tipErr := backend.Tip()
	switch {
	case tipErr != nil || err != nil && !errors.Is(err, role.ErrNotUsable):
		s.State, s.Detail = control.StateBuilding, "not known: "+errors.Join(err, tipErr).Error()
	case errors.Is(err, role.ErrNeverUsable):
		s.State, s.Detail = control.StateClosed, err.Error()
	case err != nil:
		s.State, s.Detail = control.StateBuilding, "waiting for confirmations: "+err.Error()
	case tip >= params.Expiry:
		s.State, s.Detail = control.StateClosed, fmt.Sprintf("expired at height %d", params.Expiry)
	case tip >= exit-min(exit, factory.Height(params.Dying)):
		s.State, s.Detail = control.StateDying, fmt.Sprintf("usable until height %d; move on to another factory", exit)
	default:
		s.State, s.Detail = control.StateActive, fmt.Sprintf("usable until height %d", exit)
	}
	s.Detail = strings.Join(strings.Fields(s.Detail), " ")
	return s
}

// backend asks the chain no longer than a context allows.
func (p *Participant) backend(ctx context.Context) role.Chain {
	c := role.Chain{Backend: p.cfg.Chain}
	if at, ok := ctx.Deadline(); ok {
		c.Timeout = max(time.Until(at), time.Millisecond)
	}
	return c
}

// printable keeps what a peer wrote to one line of text.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}
