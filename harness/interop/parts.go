package interop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"superscalar/refnode/payment"
)

// A client holds an HTLC when it is a part of a payment: it waits for the others.
// So lnd pays in two parts, and between them the factory changes.
const (
	partFromLND  = 12_000 // sat, of two
	partsFromLND = 2 * partFromLND
)

// invoiceAtLND is what lnd reads in an invoice of a client: one hint, the LSP.
type invoiceAtLND struct {
	Hash    string `json:"payment_hash"`
	Payee   string `json:"destination"`
	Address []byte `json:"payment_addr"`
	Delta   string `json:"cltv_expiry"`
	Hints   []struct {
		Hops []struct {
			Node  string `json:"node_id"`
			Chan  string `json:"chan_id"`
			Base  uint64 `json:"fee_base_msat"`
			PPM   uint64 `json:"fee_proportional_millionths"`
			Delta uint32 `json:"cltv_expiry_delta"`
		} `json:"hop_hints"`
	} `json:"route_hints"`
}

// routeOfPart is the route of one part, as lncli reads it.
func (s *script) routeOfPart(bolt11 string) (hash, route string, err error) {
	var inv invoiceAtLND
	var list struct {
		Channels []struct {
			ID string `json:"scid"`
		} `json:"channels"`
	}
	var info struct {
		Height uint32 `json:"block_height"`
	}
	if err := errors.Join(s.lnd.Lncli(s.ctx, &inv, "decodepayreq", bolt11), s.list(&list), s.lnd.Lncli(s.ctx, &info, "getinfo")); err != nil {
		return "", "", err
	}
	if len(list.Channels) == 0 {
		return "", "", errors.New("lnd finds no channel")
	}
	route, err = inv.route(list.Channels[0].ID, info.Height)
	return inv.Hash, route, err
}

// route is that of one part over a channel of lnd's to the node that the invoice names as its
// hint, at a height in blocks.
func (inv *invoiceAtLND) route(scid string, height uint32) (string, error) {
	if len(inv.Hints) == 0 || len(inv.Hints[0].Hops) != 1 {
		return "", errors.New("the invoice has no hint of one hop")
	}
	var delta uint32
	if _, err := fmt.Sscan(inv.Delta, &delta); err != nil {
		return "", fmt.Errorf("cltv_expiry %q: %w", inv.Delta, err)
	}
	type hop = map[string]any
	hint, amount := inv.Hints[0].Hops[0], uint64(partFromLND*1000)
	fee, last := hint.Base+amount*hint.PPM/1_000_000, height+delta+3
	text, err := json.Marshal(hop{"route": hop{
		"total_time_lock": last + hint.Delta, "total_fees_msat": fee, "total_amt_msat": amount + fee,
		"hops": []hop{
			{"chan_id": scid, "pub_key": hint.Node, "amt_to_forward_msat": amount, "fee_msat": fee, "expiry": last, "tlv_payload": true},
			{"chan_id": hint.Chan, "pub_key": inv.Payee, "amt_to_forward_msat": amount, "fee_msat": 0, "expiry": last, "tlv_payload": true,
				"mpp_record": hop{"payment_addr": inv.Address, "total_amt_msat": partsFromLND * 1000}},
		},
	}})
	return string(text), err
}

// sendPart has lnd send a part, and returns when that is over.
func (s *script) sendPart(ctx context.Context, hash, route string) error {
	var sent struct {
		Status  string          `json:"status"`
		Failure json.RawMessage `json:"failure"`
	}
	if err := s.lnd.Lncli(ctx, &sent, "sendtoroute", "--payment_hash="+hash, "--routes="+route); err != nil {
		return err
	}
	if sent.Status != "SUCCEEDED" {
		return fmt.Errorf("lnd says of a part: %s %s", sent.Status, sent.Failure)
	}
	return nil
}

// sellWhileHeld sells liquidity to a client inside the factory while it holds an
// HTLC that came from lnd: the HTLC goes along, and is settled on the new output.
func sellWhileHeld(s *script) (string, error) {
	m := s.members[0]
	inv, err := m.side.Invoice(partsFromLND*1000, "interop")
	if err != nil {
		return "", err
	}
	hash, route, err := s.routeOfPart(inv.Bolt11)
	if err != nil {
		return "", err
	}
	room := m.side.Hub().Channels()[0].Link.Receivable
	ctx, stop := context.WithCancel(s.ctx)
	defer stop()
	first := make(chan error, 1)
	go func() { first <- s.sendPart(ctx, hash, route) }()
	if err := s.until("the client holds the HTLC", func() (bool, error) {
		select {
		case err := <-first:
			return false, errors.Join(errors.New("the first part is over before the second was sent"), err)
		default:
			return m.side.Hub().Channels()[0].Link.Receivable < room, nil
		}
	}); err != nil {
		return "", err
	}
	const more = 20_000 // sat
	if err := s.sell(more); err != nil {
		return "", err
	}
	if err := errors.Join(s.sendPart(ctx, hash, route), <-first); err != nil {
		return "", err
	}
	for _, i := range m.side.Hub().Invoices() {
		if fmt.Sprintf("%x", i.Hash[:]) == hash && i.State == payment.Settled {
			s.byLND.count(partsFromLND)
			return fmt.Sprintf("%d sat more, an HTLC of %d sat from lnd went along and was settled", more, partFromLND), s.ready(m)
		}
	}
	return "", errors.New("the client does not call its invoice settled")
}
