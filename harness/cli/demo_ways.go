package cli

import (
	"errors"
	"fmt"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	wayout "superscalar/refnode/exit"
	"superscalar/refnode/factory"
	"superscalar/refnode/wallet"
)

// childFor makes a child of a transaction of the factory.
func childFor(w *wallet.Wallet, tx *factory.Tx, signed *btcwire.MsgTx) (*btcwire.MsgTx, error) {
	const coin = 50_000 // sat, enough for one child
	id := "demo/" + tx.Txid.String()
	if _, err := w.ReserveCoin(id, coin); err != nil {
		return nil, err
	}
	child, err := w.BumpChild(wallet.Bump{ID: id, Parent: signed, Anchor: tx.Anchor().Index, Rate: wallet.SatPerVByte(2)})
	if err != nil {
		return nil, err
	}
	return child.Tx, nil
}

// exitFeeRate is what previews of a way out count with.
var exitFeeRate = wallet.SatPerVByte(2)

// leaveAlone : the LSP is gone, the client publishes its path.
func (s *story) leaveAlone() error {
	cost, err := wayout.Preview(s.held().Tree(), hero)
	if err != nil {
		return err
	}
	if err := s.coin(hero); err != nil {
		return err
	}
	s.screen.end(step{Name: "way out", Height: s.height(), Text: fmt.Sprintf(
		"the LSP is gone; client %d, with a coin to pay fees, leaves alone: %s and children, %s vB, %s sat at 2 sat/vB, at most %s", hero, count(cost.Transactions, "transaction"), figure(cost.VBytes), figure(int64(cost.Fee(exitFeeRate))),
		count(int(cost.Blocks), "block"))})
	driver, err := s.driver(hero)
	if err != nil {
		return err
	}
	driver.Leave()
	d := &drives{drivers: []*wayout.Driver{driver}}
	want, began := len(s.held().Tree().Channels(hero)), s.height()
	if err := s.drive(d, func() bool { return len(d.pending) == 0 && len(d.reports[0].Plan.Channels) == want }); err != nil {
		return err
	}
	var sum factory.Sat
	for _, channel := range d.reports[0].Plan.Channels {
		sum += channel.Channel.Value
	}
	took := count(int(s.height()-began), "block")
	if s.pays() {
		own, err := s.closeAlone()
		if err != nil {
			return err
		}
		s.hold(heroName, own, fmt.Sprintf("%s of the %s sat in %s that came onto the chain %s after it began: what it was paid",
			figure(int64(own)), figure(int64(sum)), count(want, "channel"), took))
	} else {
		s.hold(heroName, sum, fmt.Sprintf("%s sat in %s on the chain, %s after it began", figure(int64(sum)), count(want, "channel"), took))
	}
	leaf := s.leafClients()
	s.hold(who(int(leaf.Count)-1, "in its leaf"), demoCapacity, "100,000 sat each in channels that are on the chain with it")
	s.hold(who(s.clients-int(leaf.Count), "elsewhere"), demoCapacity, "100,000 sat each behind outputs that nobody has spent; the same way out is theirs")
	s.lspHolds("its stock")
	return nil
}

// expire : nobody does anything, and the distribution pays.
func (s *story) expire() error {
	began, n := s.height(), s.clients
	text := fmt.Sprintf("the LSP is gone and client %d, which has no coin at all, waits for the expiry", hero)
	if n > factory.MaxOwners {
		// The distribution at the top pays keys of groups, so nothing in it
		// pays for its child.
		if err := s.coin(hero); err != nil {
			return err
		}
		text = fmt.Sprintf("the LSP is gone and client %d waits for the expiry, with a coin: for more than %d clients distributions are nested",
			hero, factory.MaxOwners)
	}
	s.screen.end(step{Name: "way out", Height: s.height(), Text: text})
	driver, err := s.driver(hero)
	if err != nil {
		return err
	}
	d := &drives{drivers: []*wayout.Driver{driver}}
	if err := s.drive(d, func() bool { return len(d.pending) == 0 && d.reports[0].Plan.Paid > 0 }); err != nil {
		return err
	}
	paid := d.reports[0].Plan.Paid
	s.hold(heroName, paid, fmt.Sprintf("%s sat by the distribution, %s after the purchase: its capacity and a share of the stock, before the fee",
		figure(int64(paid)), count(int(s.height()-began), "block")))
	text = "160,000 sat each by the same transaction"
	if n > factory.MaxOwners {
		text = "160,000 sat each by the same transaction, or by a nested one that any of its owners can publish"
	}
	s.hold(who(n-1, "others"), demoCapacity+demoStock, text)
	s.hold("LSP", 0, "nothing: that is why it acts before the expiry")
	return nil
}

// cheatWithOldLeaf : everybody sleeps for too long, and the LSP publishes the
// leaf that was replaced.
func (s *story) cheatWithOldLeaf() error {
	tree := s.tree()
	old := tree.Former()[len(tree.Former())-1].Node
	s.screen.end(step{Name: "cheat", Height: s.height(), Text: fmt.Sprintf(
		"everybody sleeps far longer than the %d blocks they may, and the LSP publishes the leaf from before the purchase", s.params.MaxOffline())})
	if err := s.lspPublishesAbove(old.ID); err != nil {
		return err
	}
	if err := s.lspPublishes(old.Tx, fmt.Sprintf(", the replaced one, after %d blocks; had anybody been awake, the latest would have been there after %d",
		old.Tx.Sequence(), old.Tx.Sequence()-uint32(s.params.Step))); err != nil {
		return err
	}
	d, err := s.wake(old.Clients)
	if err != nil {
		return err
	}
	owed := func() bool {
		for _, r := range d.reports {
			if len(r.Plan.Publish) > 0 || r.Plan.Paid == 0 {
				return false
			}
		}
		return len(d.pending) == 0
	}
	if err := s.drive(d, owed); err != nil {
		return err
	}
	paid, leaf := d.reports[hero].Plan.Paid, int(old.Clients.Count)
	s.hold(heroName, paid, fmt.Sprintf("%s sat by poison, before fees: all of its old channel and a share of the old stock; its channel has %s",
		figure(int64(paid)), figure(int64(s.held().Tree().Capacities(hero)))))
	s.hold(who(leaf-1, "in its leaf"), demoCapacity+demoStock, "160,000 sat each in the same way")
	s.hold(who(s.clients-leaf, "elsewhere"), demoCapacity, "100,000 sat each behind outputs that nobody has spent")
	s.hold("LSP", 0, "nothing of that leaf, and it paid the fees of the cheat")
	return nil
}

// lspPublishesAbove publishes the path down to a transaction.
func (s *story) lspPublishesAbove(leaf factory.NodeID) error {
	for _, id := range s.tree().Factory().Layout().Path(hero) {
		n, ok := s.tree().Node(id)
		if id == leaf || !ok {
			return nil
		}
		if err := s.lspPublishes(n.Tx, ""); err != nil {
			return err
		}
	}
	return nil
}

// wake makes drivers for clients, the hero's first.
func (s *story) wake(clients factory.Range) (*drives, error) {
	d := &drives{}
	for c := int(clients.First); c < clients.End(); c++ {
		driver, err := s.driver(c)
		if err != nil {
			return nil, err
		}
		d.drivers = append(d.drivers, driver)
	}
	return d, nil
}

// cheatWithoutSale : the LSP publishes the leaf and keeps the sale to itself,
// to take the stock back after its delay.
func (s *story) cheatWithoutSale() error {
	tree := s.tree()
	leaf, group, _ := tree.Factory().Layout().Group(hero)
	n, _ := tree.Node(leaf)
	stock := n.Stocks[group]
	s.screen.end(step{Name: "cheat", Height: s.height(), Text: fmt.Sprintf(
		"the LSP publishes the leaf, keeps the sale to itself and means to take the stock back after %d blocks", s.params.StockCSV)})
	if err := s.lspPublishesAbove(leaf); err != nil {
		return err
	}
	if err := s.lspPublishes(n.Tx, ""); err != nil {
		return err
	}
	at := s.height()
	d, err := s.wake(factory.Range{First: hero, Count: 1})
	if err != nil {
		return err
	}
	if err := s.drive(d, func() bool { return len(d.pending) == 0 && d.reports[0].Plan.Paid > 0 }); err != nil {
		return err
	}
	paid := d.reports[0].Plan.Paid
	if err := s.claimTooLate(stock, at); err != nil {
		return err
	}
	owners, all := int(stock.Owners.Count), int(s.leafClients().Count)
	first, own := factory.Sat(demoCapacity), ""
	if s.pays() {
		first = s.balanceOn(n.Tx.Txid)
		own = figure(int64(first)) + " of the "
	}
	s.hold(heroName, first+paid, fmt.Sprintf("%s100,000 sat in its channel on the chain, %s sat by the omission: the purchase and a share of the rest, before the fee",
		own, figure(int64(paid))))
	share := (stock.Value - demoPurchase) / factory.Sat(owners)
	s.hold(who(owners-1, "in its group"), demoCapacity+share, fmt.Sprintf("100,000 sat each in channels on the chain, %s sat each by the omission", figure(int64(share))))
	s.hold(who(all-owners, "in its leaf"), demoCapacity, "100,000 sat each in channels that are on the chain")
	s.hold(who(s.clients-all, "elsewhere"), demoCapacity, "100,000 sat each behind outputs that nobody has spent")
	s.hold("LSP", 0, "nothing of that stock")
	return nil
}

// claimTooLate lets the LSP try what it meant to do.
func (s *story) claimTooLate(stock *factory.Stock, at uint32) error {
	if csv := at + uint32(s.params.StockCSV); s.height() < csv {
		if err := s.mine(csv - s.height()); err != nil {
			return err
		}
	}
	script, err := s.lab.LSP.Wallet.NewScript()
	if err != nil {
		return err
	}
	claim, err := s.factory().Claim(stock, script, 1_000)
	if err != nil {
		return err
	}
	err = s.lab.Chain.Submit(s.ctx, chain.Package{claim})
	var refused *chain.Rejection
	if !errors.As(err, &refused) {
		return fmt.Errorf("the LSP's claim should be refused: %w", err)
	}
	s.screen.end(step{Name: fmt.Sprintf("block %s", figure(int64(s.height()))), Height: s.height(),
		Text: "the LSP's claim of the stock is refused: " + refused.Reason})
	return nil
}

// stay : nobody leaves.
func (s *story) stay() {
	has := s.held().Tree().Capacities(hero)
	own, part := has, ""
	if s.pays() {
		own = factory.Sat(s.own(hero) / 1000)
		part = figure(int64(own)) + " of the "
	}
	s.hold(heroName, own, part+figure(int64(has))+" sat in channels inside the factory, 50,000 of them bought")
	s.hold(who(s.clients-1, "others"), demoCapacity, "100,000 sat each in channels inside the factory")
	s.lspHolds("its stock for sale")
}

// heroName is the hero's in the summary.
const heroName = "client 0"

// who names so many clients besides the hero, "" for none.
func who(n int, where string) string {
	if n == 0 {
		return ""
	}
	return figure(int64(n)) + " " + where
}

// hold adds a line to the summary, if there is anybody.
func (s *story) hold(who string, has factory.Sat, text string) {
	if who != "" {
		s.holds = append(s.holds, holding{who, has, text})
	}
}

// leafClients are the clients in the hero's leaf.
func (s *story) leafClients() factory.Range {
	layout := s.tree().Factory().Layout()
	leaf, _ := layout.Leaf(hero)
	return layout.Range(leaf)
}

// lspHolds sums up what is for sale.
func (s *story) lspHolds(text string) {
	var left factory.Sat
	tree := s.tree()
	layout := tree.Factory().Layout()
	for _, id := range layout.Nodes() {
		for g := range layout.Groups(id) {
			if stock, ok := tree.NewestStock(id, uint8(g)); ok {
				left += stock.Value
			}
		}
	}
	s.hold("LSP", left, figure(int64(left))+" sat, "+text)
}
