package participant

import (
	"errors"
	"fmt"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/control"
	"superscalar/refnode/exit"
	"superscalar/refnode/factory"
	"superscalar/refnode/node"
	"superscalar/refnode/role"
	"superscalar/refnode/wallet"
	"superscalar/wire"
)

// ErrBirthday : a factory in the store is older than the birthday. Its funding
// transaction would never be found, and its way out would never start.
var ErrBirthday = errors.New("the chain's birthday is too late")

// checkBirthday refuses what would make the way out of a factory blind.
func (p *Participant) checkBirthday() error {
	born := factory.Height(p.cfg.Birthday.Height)
	check := func(id wire.CeremonyID, t *factory.Tree) error {
		if made := t.Factory().Terms().Params.TipHeight; born > made {
			return fmt.Errorf("%w: height %d, factory %s is from height %d on", ErrBirthday, born, id, made)
		}
		return nil
	}
	var errs []error
	if p.lsp != nil {
		for _, f := range p.lsp.Factories() {
			errs = append(errs, check(f.ID, f.Tree))
		}
		return errors.Join(errs...)
	}
	for _, f := range p.client.Factories() {
		errs = append(errs, check(f.ID, f.Tree))
	}
	return errors.Join(errs...)
}

// openWayOut makes what leaves factories: it looks at each after each block.
func (p *Participant) openWayOut() (err error) {
	exits := func() ([]role.Exit, error) { return p.client.Exits() }
	if p.lsp != nil {
		exits = func() ([]role.Exit, error) { return p.lsp.Exits() }
	}
	p.wayout, err = role.NewWayOut(role.WayOutConfig{
		Exits: exits, Chain: p.cfg.Chain, Wallet: p.wallet, Fees: p.cfg.Fees, Timeout: lookTimeout, Retry: p.cfg.Retry, Tell: p.cfg.Tell,
	})
	return err
}

// Leave implements control.Factories: a client's own way out. It tells the cost
// before anything is published.
func (p *Participant) Leave(d control.Departure) (out control.Leaving, err error) {
	if p.lsp != nil {
		return out, fmt.Errorf("an LSP leaving before T - exit_time: %w", node.ErrUnsupported)
	}
	n := 0
	var index factory.ClientIndex
	var tree *factory.Tree
	var lsp ceremony.Peer
	var id wire.CeremonyID
	for _, f := range p.client.Factories() {
		if d.Factory == nil || *d.Factory == f.ID {
			lsp, id, index, tree = f.LSP, f.ID, f.Index, f.Tree
			n++
		}
	}
	switch {
	case n == 0 && d.Factory != nil:
		return out, fmt.Errorf("%s: %w", d.Factory, ErrNotOurs)
	case n == 0:
		return out, ErrNotOurs
	case n > 1:
		return out, ErrWhichToLeave
	}
	cost, err := exit.Preview(tree, index)
	if err != nil {
		return out, fmt.Errorf("factory %s: %w", id, err)
	}
	out = control.Leaving{FactoryID: id.String(), Cost: p.costOf(cost), Detail: p.price(cost)}
	p.cfg.Tell(fmt.Sprintf("factory %.8s: leaving: %s", id, out.Detail))
	if err := p.client.Leave(lsp, id); err != nil {
		return out, err
	}
	p.wayout.Wake()
	return out, nil
}

// Errors of leave.
var (
	// ErrNotOurs : there is no factory to leave, or none of this id.
	ErrNotOurs = errors.New("no such factory")
	// ErrWhichToLeave : there are several.
	ErrWhichToLeave = errors.New("several factories: say which, by factory_id")
)

// costOf puts a cost into numbers.
func (p *Participant) costOf(c exit.Cost) control.Cost {
	fees := p.wayout.Fees()
	return control.Cost{
		Transactions: c.Transactions, VBytes: uint64(c.VBytes), Blocks: uint32(c.Blocks),
		FeeSat: uint64(c.Fee(fees.Start)), FeeRate: uint64(fees.Start), MaxFeeSat: uint64(c.Fee(fees.Max)), MaxFeeRate: uint64(fees.Max),
	}
}

// price is a cost in words, with what the wallet has.
func (p *Participant) price(c exit.Cost) string {
	fees, have := p.wayout.Fees(), p.wallet.Balance().Available
	text := fmt.Sprintf("%s; %d sat at %s, at most %d sat at %s", c, c.Fee(fees.Start), fees.Start, c.Fee(fees.Max), fees.Max)
	if most := c.Fee(fees.Max); have < most {
		text += fmt.Sprintf("; the wallet has %d sat: what it cannot pay for waits for coins", have)
	}
	return text
}

// exitStatus is what the way out of a factory does, nil before its first look.
func (p *Participant) exitStatus(lsp ceremony.Peer, id wire.CeremonyID, t *factory.Tree, cost exit.Cost, leaving bool) *control.ExitStatus {
	now, found := p.wayout.Progress(lsp, id)
	if !found {
		return nil
	}
	terms := t.Factory().Terms()
	s := &control.ExitStatus{
		Height: uint32(now.Height), Leaving: leaving || p.lsp != nil && now.Height >= terms.Params.ExitHeight(terms.Shape), Cost: p.costOf(cost),
		Published: []control.ExitTx{}, Waiting: []control.ExitTx{}, NextHeight: uint32(now.Plan.Again), PaidSat: uint64(now.Plan.Paid),
	}
	if now.Err != nil {
		s.Error = printable(now.Err.Error())
	}
	for _, c := range now.Plan.Confirmed {
		tx := control.ExitTx{Kind: c.Tx.Kind.String(), Txid: c.Tx.Txid.String(), Height: uint32(c.Height), VBytes: uint64(c.Tx.VSize() + wallet.ChildVBytes)}
		if sent, ours := now.Sent[c.Tx.Outpoint()]; ours && sent.Err == nil {
			tx.FeeSat, tx.Rule, tx.Reason = uint64(sent.Fee), string(sent.Action.Rule), sent.Action.Reason
		}
		s.Published = append(s.Published, tx)
	}
	for _, a := range now.Plan.Publish {
		if sent, tried := now.Sent[a.Outpoint]; !tried || sent.Err == nil {
			tx := exitTx(a)
			tx.FeeSat = uint64(sent.Fee)
			s.Published = append(s.Published, tx)
		}
	}
	for _, sent := range now.Waiting() {
		tx := exitTx(sent.Action)
		tx.Error = printable(sent.Err.Error())
		s.Waiting = append(s.Waiting, tx)
	}
	return s
}

func exitTx(a exit.Action) control.ExitTx {
	tx := control.ExitTx{Kind: a.Kind(), Deadline: uint32(a.Deadline), Rule: string(a.Rule), Reason: a.Reason}
	if a.Tx != nil {
		tx.Txid, tx.VBytes = a.Tx.Txid.String(), uint64(a.Tx.VSize()+wallet.ChildVBytes)
	}
	return tx
}
