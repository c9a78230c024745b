package ceremony

import (
	"fmt"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/factory"
	"superscalar/refnode/musig"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// What the wire calls by numbers and the factory by types.

func paramsOf(p wire.Parameters) factory.Params {
	return factory.Params{
		Step: p.Step, States: p.States, ConfirmBlocks: p.ConfirmBlocks, MaxChain: p.MaxChain,
		StockCSV: p.StockCSV, OmissionDelay: p.OmissionDelay, ToSelfDelay: p.ToSelfDelay, Margin: p.Margin,
		MaxFundingWait: p.MaxFundingWait, Active: p.Active, Dying: p.Dying,
		TipHeight: factory.Height(p.TipHeight), Expiry: factory.Height(p.Expiry),
	}
}

func parametersOf(p factory.Params) wire.Parameters {
	return wire.Parameters{
		Step: p.Step, States: p.States, ConfirmBlocks: p.ConfirmBlocks, MaxChain: p.MaxChain,
		StockCSV: p.StockCSV, OmissionDelay: p.OmissionDelay, ToSelfDelay: p.ToSelfDelay, Margin: p.Margin,
		MaxFundingWait: p.MaxFundingWait, Active: p.Active, Dying: p.Dying,
		TipHeight: uint32(p.TipHeight), Expiry: uint32(p.Expiry),
	}
}

func shapeOf(r wire.ShapeRecord) factory.Shape {
	s := factory.Shape{Leaf: factory.LeafKind(r.Leaf)}
	for _, l := range r.Levels {
		s.Levels = append(s.Levels, factory.Level{Kind: factory.Kind(l.Kind), Arity: l.Arity})
	}
	return s
}

func shapeRecord(s factory.Shape) wire.ShapeRecord {
	r := wire.ShapeRecord{Leaf: uint8(s.Leaf)}
	for _, l := range s.Levels {
		r.Levels = append(r.Levels, wire.ShapeLevel{Kind: uint8(l.Kind), Arity: l.Arity})
	}
	return r
}

func sats(values []uint64) ([]factory.Sat, error) {
	out := make([]factory.Sat, len(values))
	for i, v := range values {
		if v > uint64(factory.MaxSat) {
			return nil, fail(wire.ReasonAmounts, rule.CER013, "%d sat is more than there is", v)
		}
		out[i] = factory.Sat(v)
	}
	return out, nil
}

func numbers(values []factory.Sat) []uint64 {
	out := make([]uint64, len(values))
	for i, v := range values {
		out[i] = uint64(v)
	}
	return out
}

// splitSums gives each transaction above the region its children's values;
// record 14 is their concatenation, root first (CER-013).
func splitSums(l *factory.Layout, path []factory.NodeID, region factory.NodeID, flat []factory.Sat) ([][]factory.Sat, error) {
	var out [][]factory.Sat
	for _, id := range path {
		if id.Level >= region.Level {
			break
		}
		n := len(l.Children(id))
		if n > len(flat) {
			return nil, fail(wire.ReasonAmounts, rule.CER013, "sums end at transaction %s", id)
		}
		out = append(out, flat[:n:n])
		flat = flat[n:]
	}
	if len(flat) > 0 {
		return nil, fail(wire.ReasonAmounts, rule.CER013, "%d sums too many", len(flat))
	}
	return out, nil
}

func flatSums(sums [][]factory.Sat) []uint64 {
	var out []uint64
	for _, s := range sums {
		out = append(out, numbers(s)...)
	}
	return out
}

// below is the part of a client's path from a transaction on.
func below(path []factory.NodeID, top factory.NodeID) []factory.NodeID {
	for i, id := range path {
		if id == top {
			return path[i:]
		}
	}
	return nil
}

// amountsOf reads the amounts that a proposal or an update gives client c for
// everything below top (CER-013).
func amountsOf(l *factory.Layout, c factory.ClientIndex, top factory.NodeID, sums, capacities, stocks []uint64) (a factory.Amounts, err error) {
	path := below(l.Path(c), top)
	if path == nil {
		return a, fail(wire.ReasonRefused, rule.CER041, "transaction %s is not on the path of client %d", top, c)
	}
	region, _ := l.Region(c)
	if region.Level < top.Level {
		region = top
	}
	a.Region = l.Range(region)
	flat, err := sats(sums)
	if err != nil {
		return a, err
	}
	if a.Sums, err = splitSums(l, path, region, flat); err != nil {
		return a, err
	}
	if len(capacities) != int(a.Region.Count) {
		return a, fail(wire.ReasonAmounts, rule.CER013, "%d capacities for %d clients", len(capacities), a.Region.Count)
	}
	if a.Capacities, err = sats(capacities); err != nil {
		return a, err
	}
	if want := l.GroupCount(region); len(stocks) != want {
		return a, fail(wire.ReasonAmounts, rule.CER013, "%d stocks, the shape has %d", len(stocks), want)
	}
	a.Stocks, err = sats(stocks)
	return a, err
}

// channelsOf reads the channel scripts of client c's leaf and checks its own
// against both funding keys (CER-011).
func channelsOf(l *factory.Layout, c factory.ClientIndex, scripts [][34]byte, own factory.Channel, rules rule.Set) ([]factory.Channel, factory.ClientIndex, error) {
	id, _ := l.Leaf(c)
	leaf := l.Range(id)
	if len(scripts) != int(leaf.Count) {
		return nil, 0, fail(wire.ReasonAmounts, rule.CER013, "%d channel scripts for a leaf of %d clients", len(scripts), leaf.Count)
	}
	out := make([]factory.Channel, len(scripts))
	for i, s := range scripts {
		ch, err := factory.ChannelFromScript(s[:])
		if err != nil && rules.On(rule.SCRIPT003) {
			return nil, 0, err
		}
		ch.Script = s
		out[i] = ch
	}
	i := int(c - leaf.First)
	if out[i].Script != own.Script && rules.On(rule.CER011) {
		return nil, 0, fail(wire.ReasonKeys, rule.CER011, "the channel script of client %d is not the one of its keys", c)
	}
	out[i] = own
	return out, leaf.First, nil
}

// termsOf reads a proposal as client c, whose own channel is given. It checks
// the lengths of the lists (CER-013); package factory checks the rest.
func termsOf(cfg Config, p *wire.Proposal, own factory.Channel) (t factory.Terms, err error) {
	c := factory.ClientIndex(p.ClientIndex)
	if int(c) >= len(p.FactoryKeys) {
		return t, fail(wire.ReasonKeys, rule.CER011, "client index %d of %d clients", c, len(p.FactoryKeys))
	}
	t = factory.Terms{Chain: cfg.Chain, Params: paramsOf(p.Parameters), Shape: shapeOf(p.Shape)}
	l, err := factory.NewLayout(len(p.FactoryKeys), t.Shape, cfg.Rules)
	if err != nil {
		return t, err
	}
	if t.LSP, err = musig.ParsePublicKey(p.LSPFactoryKey[:]); err != nil {
		return t, fail(wire.ReasonKeys, rule.SCRIPT001, "the LSP's factory key: %w", err)
	}
	if t.Keys, err = musig.ParsePublicKeys(p.FactoryKeys); err != nil {
		return t, fail(wire.ReasonKeys, rule.SCRIPT001, "factory keys: %w", err)
	}
	capacities := make([]uint64, len(p.Owners))
	for i, o := range p.Owners {
		capacities[i] = o.Capacity
		t.Payouts = append(t.Payouts, o.PayoutKey)
	}
	if t.Amounts, err = amountsOf(l, c, factory.NodeID{}, p.Sums, capacities, p.Stocks); err != nil {
		return t, err
	}
	t.Channels, t.ChannelsFirst, err = channelsOf(l, c, p.ChannelScripts, own, cfg.Rules)
	return t, err
}

// proposalOf writes what the LSP proposes to client c.
func proposalOf(f *factory.Factory, id wire.CeremonyID, c factory.ClientIndex, funding btcwire.OutPoint, lspChannel wire.Point) (*wire.Proposal, error) {
	t, err := f.TermsFor(c)
	if err != nil {
		return nil, err
	}
	p := &wire.Proposal{
		Attempt:       wire.Attempt{Ceremony: id},
		Parameters:    parametersOf(t.Params),
		Shape:         shapeRecord(t.Shape),
		Funding:       wire.FundingRecord{Txid: wire.Txid(funding.Hash), Output: uint16(funding.Index), Value: uint64(f.Value())},
		ClientIndex:   uint16(c),
		LSPFactoryKey: t.LSP.Bytes(),
		Sums:          flatSums(t.Amounts.Sums),
		Stocks:        numbers(t.Amounts.Stocks),
		LSPChannelKey: lspChannel,
	}
	for _, k := range t.Keys {
		p.FactoryKeys = append(p.FactoryKeys, k.Bytes())
	}
	if len(t.Payouts) != len(t.Amounts.Capacities) {
		return nil, fmt.Errorf("%d payout keys for %d clients", len(t.Payouts), len(t.Amounts.Capacities))
	}
	for i, capacity := range t.Amounts.Capacities {
		p.Owners = append(p.Owners, wire.Owner{Capacity: uint64(capacity), PayoutKey: t.Payouts[i]})
	}
	for _, ch := range t.Channels {
		p.ChannelScripts = append(p.ChannelScripts, ch.Script)
	}
	return p, nil
}

// outpoint is the funding outpoint of a proposal.
func outpoint(f wire.FundingRecord) btcwire.OutPoint {
	return btcwire.OutPoint{Hash: chainhash.Hash(f.Txid), Index: uint32(f.Output)}
}
