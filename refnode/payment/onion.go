package payment

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	sphinx "github.com/lightningnetwork/lightning-onion"

	"superscalar/wire"
)

// peeled is an onion with this node's layer removed.
type peeled struct {
	secret  [32]byte // shared with the payer
	payload []byte   // for this node
	final   bool     // there is no further node
	next    Onion    // for the next one
}

// errPayloadLength is an onion whose layer is authentic and holds no payload.
var errPayloadLength = errors.New("onion payload has no valid length")

// badOnion is an onion that this node cannot open: its peer has to build the
// error.
type badOnion struct{ code Code }

func (e *badOnion) Error() string { return e.code.String() }

// peel opens an onion with the payment hash as associated data. Errors are
// *badOnion, and errPayloadLength when only the payload is bad; the secret is
// valid then.
func peel(key sphinx.SingleKeyECDH, onion Onion, hash Hash) (peeled, error) {
	var packet sphinx.OnionPacket
	switch err := packet.Decode(bytes.NewReader(onion[:])); {
	case errors.Is(err, sphinx.ErrInvalidOnionVersion):
		return peeled{}, &badOnion{InvalidOnionVersion}
	case err != nil:
		return peeled{}, &badOnion{InvalidOnionKey}
	}
	secret, err := key.ECDH(packet.EphemeralKey)
	if err != nil {
		return peeled{}, &badOnion{InvalidOnionKey}
	}
	p := peeled{secret: secret}
	router := sphinx.NewRouter(agreed{key, packet.EphemeralKey, secret}, sphinx.NewNoOpReplayLog())
	out, err := router.ReconstructOnionPacket(&packet, hash[:], sphinx.WithTLVPayloadOnly())
	switch {
	case errors.Is(err, sphinx.ErrInvalidOnionHMAC):
		return peeled{}, &badOnion{InvalidOnionHMAC}
	case err != nil:
		return p, fmt.Errorf("%w: %w", errPayloadLength, err)
	}
	p.payload, p.final = out.Payload.Payload, out.Action == sphinx.ExitNode
	if !p.final {
		var b bytes.Buffer
		if err := out.NextPacket.Encode(&b); err != nil || b.Len() != len(p.next) {
			return p, errPayloadLength
		}
		copy(p.next[:], b.Bytes())
	}
	return p, nil
}

// agreed is a key that knows one shared secret already: opening an onion takes
// one multiplication and not two.
type agreed struct {
	sphinx.SingleKeyECDH
	with   *btcec.PublicKey
	secret [32]byte
}

// ECDH returns the secret that is shared with a key.
func (a agreed) ECDH(with *btcec.PublicKey) ([32]byte, error) {
	if with.IsEqual(a.with) {
		return a.secret, nil
	}
	return a.SingleKeyECDH.ECDH(with)
}

// layer is one hop of an onion to build.
type layer struct {
	node    wire.Point
	payload []byte
}

// wrap builds an onion. The same session key and layers give the same bytes: the
// filling is drawn from the session key.
func wrap(session *btcec.PrivateKey, layers []layer, hash Hash) (Onion, error) {
	var path sphinx.PaymentPath
	if len(layers) > len(path) {
		return Onion{}, fmt.Errorf("%d hops, an onion holds %d", len(layers), len(path))
	}
	for i, l := range layers {
		node, err := btcec.ParsePubKey(l.node[:])
		if err != nil {
			return Onion{}, fmt.Errorf("node id of hop %d: %w", i, err)
		}
		payload, err := sphinx.NewTLVHopPayload(l.payload)
		if err != nil {
			return Onion{}, fmt.Errorf("payload of hop %d: %w", i, err)
		}
		path[i] = sphinx.OnionHop{NodePub: *node, HopPayload: payload}
	}
	packet, err := sphinx.NewOnionPacket(&path, session, hash[:], sphinx.DeterministicPacketFiller)
	if err != nil {
		return Onion{}, fmt.Errorf("onion: %w", err)
	}
	var b bytes.Buffer
	if err := packet.Encode(&b); err != nil {
		return Onion{}, fmt.Errorf("onion: %w", err)
	}
	var onion Onion
	copy(onion[:], b.Bytes())
	return onion, nil
}

// unwrapFailure finds who of nodes, first hop first, made an encrypted reason,
// and what it says. from counts from 0.
func unwrapFailure(session *btcec.PrivateKey, nodes []wire.Point, reason []byte) (from int, f Failure, err error) {
	c := sphinx.Circuit{SessionKey: session}
	for i, n := range nodes {
		node, err := btcec.ParsePubKey(n[:])
		if err != nil {
			return 0, Failure{}, fmt.Errorf("node id of hop %d: %w", i, err)
		}
		c.PaymentPath = append(c.PaymentPath, node)
	}
	d, err := sphinx.NewOnionErrorDecrypter(&c).DecryptError(reason)
	if err != nil {
		return 0, Failure{}, fmt.Errorf("reason of the failure: %w", err)
	}
	f, err = parseFailure(d.Message)
	return d.SenderIdx - 1, f, err
}

// shaOfOnion is the sha256_of_onion of a failure.
func shaOfOnion(o Onion) [32]byte { return sha256.Sum256(o[:]) }
