package hub_test

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"

	"superscalar/refnode/channel"
	"superscalar/refnode/node"
	"superscalar/wire"
)

func sha(b []byte) [32]byte { return sha256.Sum256(b) }

// Types of the base messages of BOLT 2.
const (
	fundingCreated = 34
	fundingSigned  = 35
	channelReady   = 36
	shutdown       = 38
	closingSigned  = 39
	addHTLC        = 128
	fulfilHTLC     = 130
	failHTLC       = 131
	revokeAndAck   = 133
	updateFee      = 134
	failMalformed  = 135
)

// message is a column of the table: a message about a channel.
type message struct {
	name string
	// write makes one that is right in itself, for a channel with this id, whatever the
	// channel is doing.
	write func(x *scripted, id wire.ChannelID) wire.Message
	// speak has the machine of the scripted side say it, where it can in this state: it
	// says nothing otherwise.
	speak func(x *scripted)
	// under is the column of the table, when it is not the name.
	under string
	// opens says that the message names a channel by its temporary id.
	opens bool
}

// column is the message's column of the table.
func (m *message) column() string {
	if m.under != "" {
		return m.under
	}
	return m.name
}

// messages are those of the table, in its order.
var messages = []message{
	{name: "open_channel", under: "open", opens: true, write: func(x *scripted, id wire.ChannelID) wire.Message {
		return x.proposal(sha(append([]byte("another"), id[:]...)))
	}},
	{name: "accept_channel", under: "accept", opens: true, write: func(x *scripted, id wire.ChannelID) wire.Message {
		return x.accept(x.proposal(id))
	}},
	{name: "funding_created", under: "created", opens: true, write: func(x *scripted, id wire.ChannelID) wire.Message {
		return base(fundingCreated, id, make([]byte, 34), signature())
	}},
	{name: "funding_signed", under: "signed", write: func(_ *scripted, id wire.ChannelID) wire.Message {
		return base(fundingSigned, id, signature())
	}},
	{name: "channel_ready", under: "ready", write: func(x *scripted, id wire.ChannelID) wire.Message {
		return base(channelReady, id, x.point(1))
	}},
	{name: "shutdown", write: func(x *scripted, id wire.ChannelID) wire.Message {
		return base(shutdown, id, []byte{0, byte(len(x.cfg.Script))}, x.cfg.Script)
	}},
	{name: "closing_signed", under: "closing", write: func(_ *scripted, id wire.ChannelID) wire.Message {
		return base(closingSigned, id, u64(500), signature())
	}},
	{name: "update_add_htlc", under: "add", write: func(x *scripted, id wire.ChannelID) wire.Message {
		n, height := uint64(0), channel.Height(0)
		if x.m != nil {
			n, height = uint64(x.m.NextID[x.m.Side]), x.m.Height()
		}
		expiry := binary.BigEndian.AppendUint32(nil, uint32(height+1000))
		return base(addHTLC, id, u64(n), u64(5_000_000), make([]byte, 32), expiry, make([]byte, 1366))
	}},
	{name: "update_fulfill_htlc", under: "remove", write: func(x *scripted, id wire.ChannelID) wire.Message {
		n, preimage := x.offered()
		return base(fulfilHTLC, id, u64(n), preimage[:])
	}},
	{name: "update_fail_htlc", under: "remove", write: func(x *scripted, id wire.ChannelID) wire.Message {
		n, _ := x.offered()
		return base(failHTLC, id, u64(n), []byte{0, 3}, []byte("not"))
	}},
	{name: "update_fail_malformed_htlc", under: "remove", write: func(x *scripted, id wire.ChannelID) wire.Message {
		n, _ := x.offered()
		return base(failMalformed, id, u64(n), make([]byte, 32), []byte{0xc0, 5})
	}},
	{name: "update_fee", under: "fee", write: func(_ *scripted, id wire.ChannelID) wire.Message {
		return base(updateFee, id, []byte{0, 0, 1, 44})
	}},
	{name: "commitment_signed", under: "commit", write: func(x *scripted, id wire.ChannelID) wire.Message {
		m := &wire.CommitmentSigned{ChannelID: id, Signature: wire.Signature(signature())}
		if x.m != nil && len(x.m.Fundings) > 0 {
			txid := x.m.Fundings[0].Txid
			m.FundingTxid = &txid
		}
		return m
	}},
	{name: "revoke_and_ack", under: "revoke", speak: (*scripted).listen, write: func(x *scripted, id wire.ChannelID) wire.Message {
		n := channel.Number(0)
		if x.m != nil {
			n = x.m.LocalNumber
		}
		s := x.keys.Seed.Secret(n)
		return base(revokeAndAck, id, s[:], x.point(n+2))
	}},
	{name: "stfu", write: func(_ *scripted, id wire.ChannelID) wire.Message {
		return &wire.Stfu{ChannelID: id, Initiator: 1}
	}},
	{name: "start_batch", under: "batch", write: func(_ *scripted, id wire.ChannelID) wire.Message {
		kind := uint16(wire.TypeCommitmentSigned)
		return &wire.StartBatch{ChannelID: id, BatchSize: 2, MessageType: &kind}
	}},
	{name: "factory_change_init", under: "init", write: func(x *scripted, id wire.ChannelID) wire.Message {
		return &wire.ChangeInit{Change: wire.Change{ChannelID: id, FundingPubkey: x.points().Funding}}
	}},
	{name: "factory_change_ack", under: "ack", write: func(x *scripted, id wire.ChannelID) wire.Message {
		return &wire.ChangeAck{Change: wire.Change{ChannelID: id, FundingPubkey: x.points().Funding}}
	}},
	{name: "factory_change_funding", under: "funding", speak: (*scripted).listen, write: func(x *scripted, id wire.ChannelID) wire.Message {
		return &wire.ChangeFunding{Outpoint: x.newest(id)}
	}},
	{name: "factory_change_continue", under: "continue", speak: func(x *scripted) { _ = x.m.ChangeStored() },
		write: func(x *scripted, id wire.ChannelID) wire.Message {
			return &wire.ChangeContinue{Outpoint: x.newest(id)}
		}},
	{name: "factory_change_locked", under: "locked", speak: func(x *scripted) { _ = x.m.Lock(x.newest(wire.ChannelID{}).FundingTxid) },
		write: func(x *scripted, id wire.ChannelID) wire.Message {
			return &wire.ChangeLocked{ChannelID: id, LockedFundingTxid: x.newest(id).FundingTxid}
		}},
	{name: "factory_change_abort", under: "abort", write: func(_ *scripted, id wire.ChannelID) wire.Message {
		return &wire.ChangeAbort{ChannelID: id, Data: []byte("no more")}
	}},
	{name: "channel_reestablish", under: "reestablish", write: func(x *scripted, id wire.ChannelID) wire.Message {
		m := &wire.ChannelReestablish{ChannelID: id, NextCommitmentNumber: 1, MyCurrentPerCommitmentPoint: wire.Point(x.point(0))}
		if x.m != nil {
			m.NextCommitmentNumber, m.NextRevocationNumber = uint64(x.m.LocalNumber)+1, uint64(x.m.Revoked.Next())
			m.MyCurrentPerCommitmentPoint = wire.Point(x.point(x.m.LocalNumber))
			if n := x.m.Revoked.Next(); n > 0 {
				m.YourLastPerCommitmentSecret, _ = x.m.Revoked.Secret(n - 1)
			}
		}
		return m
	}},
	{name: "warning", write: func(_ *scripted, id wire.ChannelID) wire.Message {
		return &wire.Warning{ChannelID: id, Data: []byte("take care")}
	}},
	{name: "error", write: func(_ *scripted, id wire.ChannelID) wire.Message {
		return &wire.ErrorMessage{ChannelID: id, Data: []byte("that is all")}
	}},
}

// base is a base message: an id and what follows it.
func base(kind wire.MsgType, id wire.ChannelID, fields ...[]byte) *wire.Base {
	return &wire.Base{Kind: kind, Payload: slices.Concat(append([][]byte{id[:]}, fields...)...)}
}

func u64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

// signature is one that parses, and is nobody's.
func signature() []byte {
	sum := sha([]byte("nobody's"))
	return compact(keyOf("nobody"), sum[:])
}

// compact is an ECDSA signature as messages have it.
func compact(key *btcec.PrivateKey, hash []byte) []byte {
	s := ecdsa.SignCompact(key, hash, true)
	return s[1:]
}

// points are the keys of the scripted side.
func (x *scripted) points() wire.ChannelKeys {
	p := func(k *btcec.PublicKey) wire.Point { return wire.Point(k.SerializeCompressed()) }
	b := x.keys.Secrets.Basepoints()
	return wire.ChannelKeys{
		Funding: p(x.keys.Funding(0).PubKey()), Revocation: p(b.Revocation), Payment: p(b.Payment),
		DelayedPayment: p(b.Delayed), HTLC: p(b.HTLC), FirstPerCommitment: wire.Point(x.point(0)),
	}
}

// point is its per-commitment point of a number.
func (x *scripted) point(n channel.Number) []byte {
	k, err := x.keys.Seed.Point(n)
	check(x.t, err)
	return k.SerializeCompressed()
}

// Sizes of the channels.
const (
	capacity = 1_000_000   // sat
	pushed   = 400_000_000 // msat, of the node from the start
	delay    = 5           // blocks until the node has its own
)

// proposal is an open_channel.
func (x *scripted) proposal(temporary wire.ChannelID) *wire.OpenChannel {
	o := channel.NewOutsideOpen(node.Regtest, temporary, capacity, pushed, x.points())
	if x.kind != outside {
		o = channel.NewOpen(node.Regtest, temporary, capacity, inFactory(temporary), x.points())
	}
	if x.kind == zeroFee {
		channel.ZeroFee(o)
	}
	o.PushMsat, o.ToSelfDelay = pushed, delay
	return o
}

// inFactory is the factory of a channel, each has one of its own.
func inFactory(temporary wire.ChannelID) wire.ChannelInFactory {
	return wire.ChannelInFactory{ProtocolID: wire.Codec{}.LoopbackID(), InstanceID: sha(temporary[:]), EarlyWarningTime: 144}
}

// accept is what answers an open_channel.
func (x *scripted) accept(o *wire.OpenChannel) *wire.AcceptChannel {
	if x.kind == outside {
		return channel.NewOutsideAccept(o, x.points())
	}
	return channel.NewAccept(o, x.points())
}

// newest is the output that the last change leads to, or the first one.
func (x *scripted) newest(id wire.ChannelID) wire.ChangeOutpoint {
	return wire.ChangeOutpoint{ChannelID: id, FundingTxid: x.next.txid, FundingOutputIndex: x.next.index}
}

// offered is the HTLC that the node offered, with its preimage; the first id there is
// and a preimage of nothing when there is none.
func (x *scripted) offered() (id uint64, preimage [32]byte) {
	for _, e := range x.events {
		if h, ok := e.(channel.HTLCReceived); ok {
			return uint64(h.ID), x.preimage()
		}
	}
	return 0, preimage
}

// preimage is that of the last invoice.
func (x *scripted) preimage() [32]byte {
	return sha(append([]byte{byte(x.invoices)}, x.key.Serialize()...))
}

// signsUnasked is a commitment_signed without updates for the output in use, and the
// machine that has said it: a twin of the peer's, which is in no change. It returns
// nil where nothing can be signed.
func (x *scripted) signsUnasked() (*channel.Machine, wire.Message) {
	if x.m == nil || !x.m.SentReady || !x.m.GotReady || len(x.m.Fundings) != 1 {
		return nil, nil
	}
	cfg := x.cfg
	cfg.Features = features()
	twin, err := channel.Restore(cfg, x.m.Encode())
	check(x.t, err)
	twin.Block(x.m.Height())
	twin.Connected()
	hello := &wire.ChannelReestablish{
		ChannelID: x.m.ID, NextCommitmentNumber: uint64(x.m.SignedNumber) + 1, NextRevocationNumber: uint64(x.m.LocalNumber),
		MyCurrentPerCommitmentPoint: x.m.TheirPoint,
	}
	if n := x.m.LocalNumber; n > 0 {
		hello.YourLastPerCommitmentSecret = x.keys.Seed.Secret(n - 1)
	}
	twin.Receive(hello)
	twin.Round()
	twin.Take()
	twin.Commit()
	for _, a := range twin.Take() {
		if s, ok := a.(channel.Send); ok && s.Message.Name() == "commitment_signed" {
			return twin, s.Message
		}
	}
	return nil, nil
}
