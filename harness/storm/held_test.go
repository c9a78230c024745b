package storm

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg"
	sphinx "github.com/lightningnetwork/lightning-onion"

	"superscalar/refnode/channel"
	"superscalar/refnode/payment"
	"superscalar/wire"
)

// part offers a client one part of what an invoice asks for, from the LSP. A client
// holds what it has until the rest comes, or a minute has passed.
func (w *world) part(c *party, inv payment.Invoice, id wire.ChannelID, amount payment.Msat) error {
	request, err := payment.DecodeInvoice(inv.Request, &chaincfg.RegressionNetParams)
	if err != nil {
		return err
	}
	height, err := w.lsp.hub.Height()
	if err != nil {
		return err
	}
	return w.lsp.hub.Do(id, func(m *channel.Machine) error {
		link := m.Link()
		expiry := uint32(height) + uint32(link.EarlyWarning) + 100
		onion, err := lastLayer(c.key.PubKey(), request, amount, uint32(height)+uint32(request.FinalDelta)+20)
		if err != nil {
			return err
		}
		_, err = m.Add(channel.AddHTLC{Amount: channel.MilliSat(amount), Hash: request.Hash, Expiry: channel.Height(expiry), Onion: onion})
		return err
	})
}

// lastLayer is the onion of a hop that is the payee (BOLT 4).
func lastLayer(to *btcec.PublicKey, request *payment.Bolt11, amount payment.Msat, expiry uint32) ([]byte, error) {
	short := func(n uint64) []byte { return bytes.TrimLeft(binary.BigEndian.AppendUint64(nil, n), "\x00") }
	var b []byte
	for _, r := range []struct {
		kind byte
		data []byte
	}{{2, short(uint64(amount))}, {4, short(uint64(expiry))}, {8, append(bytes.Clone(request.Secret[:]), short(uint64(request.Amount))...)}} {
		b = append(append(b, r.kind, byte(len(r.data))), r.data...)
	}
	if request.Metadata != nil {
		return nil, fmt.Errorf("an invoice with metadata")
	}
	payload, err := sphinx.NewTLVHopPayload(b)
	if err != nil {
		return nil, err
	}
	session, _ := btcec.PrivKeyFromBytes(request.Secret[:])
	path := sphinx.PaymentPath{{NodePub: *to, HopPayload: payload}}
	packet, err := sphinx.NewOnionPacket(&path, session, request.Hash[:], sphinx.DeterministicPacketFiller)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = packet.Encode(&out)
	return out.Bytes(), err
}
