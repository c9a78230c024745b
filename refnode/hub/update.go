package hub

import (
	"bytes"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/lightningnetwork/lnd/lnwire"

	"superscalar/refnode/payment"
	"superscalar/wire"
)

// introduce tells the peer, with a channel_update of its own, what this node
// asks for forwarding (BOLT 7): the peer puts it into the route hints of its
// invoices. Channels are never announced; a peer hears it on each connection.
func (st *step) introduce(c *entry) {
	h := st.hub
	if !h.cfg.Forward {
		return
	}
	if m, err := h.channelUpdate(c); err == nil {
		st.say(c.peer, m)
	}
}

// channelUpdate is what we say of our side of a channel.
func (h *Hub) channelUpdate(c *entry) (wire.Message, error) {
	v := c.machine.Link()
	scid := payment.SCID(v.PeerAlias)
	if scid == 0 {
		scid = c.confirmed
	}
	u := &lnwire.ChannelUpdate1{
		ShortChannelID:  lnwire.NewShortChanIDFromInt(uint64(scid)),
		Timestamp:       uint32(h.now()),
		MessageFlags:    lnwire.ChanUpdateRequiredMaxHtlc,
		ChannelFlags:    h.direction(c.peer),
		TimeLockDelta:   h.cfg.Policy.CLTVDelta,
		HtlcMinimumMsat: lnwire.MilliSatoshi(v.HTLCMinimum),
		HtlcMaximumMsat: lnwire.NewMSatFromSatoshis(v.Capacity),
		BaseFee:         h.cfg.Policy.FeeBaseMsat,
		FeeRate:         h.cfg.Policy.FeePPM,
	}
	copy(u.ChainHash[:], h.cfg.Net.GenesisHash[:])
	data, err := u.DataToSign()
	if err != nil {
		return nil, err
	}
	if u.Signature, err = lnwire.NewSigFromSignature(ecdsa.Sign(h.cfg.Key, chainhash.DoubleHashB(data))); err != nil {
		return nil, err
	}
	return wire.Wrap(u)
}

// direction is bit 0 of channel_flags: 0 when our node id is the smaller.
func (h *Hub) direction(peer wire.Point) lnwire.ChanUpdateChanFlags {
	own := point(h.cfg.Key.PubKey())
	if bytes.Compare(own[:], peer[:]) < 0 {
		return 0
	}
	return lnwire.ChanUpdateDirection
}

// maxAhead is how far in the future a channel_update may be.
const maxAhead = 14 * 24 * time.Hour

// Update takes in a channel_update of a connected peer about one of its
// channels with us. What does not check out is passed over, as gossip is.
func (h *Hub) Update(peer wire.Point, m *wire.Base) {
	u := &lnwire.ChannelUpdate1{}
	if m.Name() != "channel_update" || u.Decode(bytes.NewReader(m.Payload), 0) != nil {
		return
	}
	if !signedBy(u, peer) || u.ChainHash != *h.cfg.Net.GenesisHash || u.ChannelFlags&lnwire.ChanUpdateDirection == h.direction(peer) {
		return
	}
	if u.Timestamp > uint32(h.cfg.Clock.Now().Add(maxAhead).Unix()) {
		return
	}
	_ = h.do(func(st *step) {
		for _, c := range h.with(peer) {
			for _, name := range c.names() {
				if uint64(name) == u.ShortChannelID.ToUint64() {
					c.theirs = payment.Policy{
						Known: true, FeeBaseMsat: u.BaseFee, FeePPM: u.FeeRate, CLTVDelta: u.TimeLockDelta,
						HTLCMinimum: payment.Msat(u.HtlcMinimumMsat),
					}
					st.dirty = append(st.dirty, c)
				}
			}
		}
	})
}

func signedBy(u *lnwire.ChannelUpdate1, peer wire.Point) bool {
	key, err := btcec.ParsePubKey(peer[:])
	if err != nil {
		return false
	}
	data, err := u.DataToSign()
	if err != nil {
		return false
	}
	sig, err := u.Signature.ToSignature()
	if err != nil {
		return false
	}
	s, ok := sig.(*ecdsa.Signature)
	return ok && s.Verify(chainhash.DoubleHashB(data), key)
}
