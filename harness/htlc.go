package harness

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"
	sphinx "github.com/lightningnetwork/lightning-onion"

	"superscalar/refnode/channel"
	"superscalar/refnode/payment"
	"superscalar/wire"
)

// Invoicer is a node that can be told to make an invoice (tier driver).
type Invoicer interface {
	Invoice(ctx context.Context, amountMsat uint64) (bolt11 string, err error)
}

// Hop is one layer of an onion.
type Hop struct {
	Node    wire.Point
	Payload wire.Stream
}

// Truncated is a tu64, as payloads of onions have them.
func Truncated(v uint64) []byte {
	return bytes.TrimLeft(binary.BigEndian.AppendUint64(nil, v), "\x00")
}

// HTLC is an HTLC that the suite offered, with what opens its error.
type HTLC struct {
	Hash    [32]byte
	Channel *Channel

	id      channel.HTLCID
	session *btcec.PrivateKey
	path    []*btcec.PublicKey
}

// OfferOnion offers an HTLC with an onion for hops, the target first; amounts in msat.
func (ch *Channel) OfferOnion(hash [32]byte, amountMsat uint64, expiry channel.Height, hops ...Hop) *HTLC {
	p := ch.play
	session := p.Random32()
	h := &HTLC{Hash: hash, Channel: ch}
	h.session, _ = btcec.PrivKeyFromBytes(session[:])
	var path sphinx.PaymentPath
	for i, hop := range hops {
		key, err := btcec.ParsePubKey(hop.Node[:])
		if err != nil {
			panic(err)
		}
		raw, err := wire.Codec{}.AppendStream(nil, hop.Payload)
		if err != nil {
			panic(err)
		}
		payload, err := sphinx.NewTLVHopPayload(raw)
		if err != nil {
			panic(err)
		}
		path[i] = sphinx.OnionHop{NodePub: *key, HopPayload: payload}
		h.path = append(h.path, key)
	}
	packet, err := sphinx.NewOnionPacket(&path, h.session, hash[:], sphinx.DeterministicPacketFiller)
	if err != nil {
		panic(err)
	}
	var onion bytes.Buffer
	if err := packet.Encode(&onion); err != nil {
		panic(err)
	}
	var origin channel.Origin
	copy(origin[:], session[:])
	h.id, err = ch.M.Add(channel.AddHTLC{Origin: origin, Amount: channel.MilliSat(amountMsat), Hash: hash, Expiry: expiry, Onion: onion.Bytes()})
	if err != nil {
		p.controlFailed("an HTLC can be offered", oneLine(err.Error()))
	}
	return h
}

// Code is the failure code that came back, 0 when none did.
func (h *HTLC) Code() uint16 {
	for _, e := range h.Channel.Events {
		f, ok := e.(channel.HTLCFailed)
		if !ok || f.ID != h.id || f.Reason == nil {
			continue
		}
		d, err := sphinx.NewOnionErrorDecrypter(&sphinx.Circuit{SessionKey: h.session, PaymentPath: h.path}).DecryptError(f.Reason)
		if err == nil && len(d.Message) >= 4 {
			return binary.BigEndian.Uint16(d.Message[2:])
		}
	}
	return 0
}

// Fulfilled reports whether the preimage came.
func (h *HTLC) Fulfilled() bool {
	return slices.ContainsFunc(h.Channel.Events, func(e channel.Action) bool {
		f, ok := e.(channel.HTLCFulfilled)
		return ok && f.ID == h.id
	})
}

// Received are the HTLCs of the target that wait for an answer of the suite.
func (ch *Channel) Received() (out []channel.HTLCReceived) {
	for _, e := range ch.Events {
		if h, ok := e.(channel.HTLCReceived); ok {
			out = append(out, h)
		}
	}
	return out
}

// TargetID is the target's node id.
func (p *Play) TargetID() wire.Point { return wire.Point(p.Node.Address().ID) }

// PointID is the suite's node id on the channel.
func (ch *Channel) PointID() wire.Point { return wire.Point(ch.Peer.ID()) }

// Restart stops the target and starts it again.
func (p *Play) Restart() {
	n, ok := p.Node.(Restarter)
	if !ok {
		p.Unsupported("the target cannot be restarted")
	}
	if err := n.Restart(p.ctx); err != nil {
		p.controlFailed("the target starts again", oneLine(err.Error()))
	}
	p.event("the target was restarted")
}

// Away stops the target while something happens, and starts it again.
func (p *Play) Away(meanwhile func()) {
	n, ok := p.Node.(Sleeper)
	if !ok {
		p.Unsupported("the target cannot be stopped")
	}
	p.event("the target is stopped")
	if err := n.Away(p.ctx, meanwhile); err != nil {
		p.controlFailed("the target starts again", oneLine(err.Error()))
	}
	p.event("the target is started")
}

// Invoice has the target make an invoice.
func (p *Play) Invoice(amountMsat uint64) string {
	n, ok := p.Node.(Invoicer)
	if !ok {
		p.Unsupported("the target cannot be told to make an invoice")
	}
	text, err := n.Invoice(p.ctx, amountMsat)
	if err != nil {
		p.controlFailed("the target makes an invoice", oneLine(err.Error()))
	}
	return text
}

// Invoice implements Invoicer.
func (n *refnodeNode) Invoice(_ context.Context, amountMsat uint64) (string, error) {
	inv, err := n.hub.Invoice(payment.InvoiceRequest{Amount: payment.Msat(amountMsat), Description: "case"})
	return inv.Request, err
}
