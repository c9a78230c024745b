package storm

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg"
	sphinx "github.com/lightningnetwork/lightning-onion"

	"superscalar/refnode/channel"
	"superscalar/refnode/payment"
	"superscalar/wire"
)

// part offers one part of what an invoice asks for, to a direct peer. Its router holds what
// it has until the rest comes, or a minute has passed.
func (w *world) part(b *bill, id wire.ChannelID, amount payment.Msat) error {
	request, err := payment.DecodeInvoice(b.inv.Request, &chaincfg.RegressionNetParams)
	if err != nil {
		return err
	}
	height, err := b.payer.hub.Height()
	if err != nil {
		return err
	}
	return b.payer.hub.Do(id, func(m *channel.Machine) error {
		expiry := uint32(height) + uint32(m.Link().EarlyWarning) + 100
		onion, err := lastLayer(b, request, amount, uint32(height)+uint32(request.FinalDelta)+20)
		if err != nil {
			return err
		}
		origin := channel.Origin(append(bytes.Clone(request.Hash[:]), b.sent, 0, 0, 0, 0, 0, 0, 1)) // each is another one
		b.sent++
		_, err = m.Add(channel.AddHTLC{Origin: origin, Amount: channel.MilliSat(amount), Hash: request.Hash, Expiry: channel.Height(expiry), Onion: onion})
		return err
	})
}

// lastLayer is the onion of a hop that is the payee (BOLT 4).
func lastLayer(bill *bill, request *payment.Bolt11, amount payment.Msat, expiry uint32) ([]byte, error) {
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
	seed := sha256.Sum256(append(bytes.Clone(request.Secret[:]), bill.sent))
	session, _ := btcec.PrivKeyFromBytes(seed[:])
	path := sphinx.PaymentPath{{NodePub: *bill.payee.key.PubKey(), HopPayload: payload}}
	packet, err := sphinx.NewOnionPacket(&path, session, request.Hash[:], sphinx.DeterministicPacketFiller)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = packet.Encode(&out)
	return out.Bytes(), err
}
