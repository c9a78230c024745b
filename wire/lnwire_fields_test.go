package wire_test

import (
	"bytes"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/lightningnetwork/lnd/lnwire"
	"pgregory.net/rapid"

	"superscalar/wire"
)

var sharedMessages = []shared{
	{
		"init", func(t *rapid.T) wire.Message {
			return &wire.Init{GlobalFeatures: shortest(t), Features: shortest(t), Networks: hashes(t), RemoteAddr: optionalData(t)}
		},
		func(m wire.Message) lnwire.Message {
			i := m.(*wire.Init)
			out := lnwire.NewInitMessage(lndFeatures(i.GlobalFeatures), lndFeatures(i.Features))
			if i.Networks != nil {
				out.ExtraData = append(out.ExtraData, tlvRecord(1, flat(i.Networks))...)
			}
			if i.RemoteAddr != nil {
				out.ExtraData = append(out.ExtraData, tlvRecord(3, i.RemoteAddr)...)
			}
			return out
		},
		func(m lnwire.Message) wire.Message {
			i := m.(*lnwire.Init)
			out := &wire.Init{GlobalFeatures: fromLndFeatures(i.GlobalFeatures), Features: fromLndFeatures(i.Features)}
			records := lndRecords(i.ExtraData)
			if v, ok := records[1]; ok {
				out.Networks = [][32]byte{}
				for ; len(v) > 0; v = v[32:] {
					out.Networks = append(out.Networks, [32]byte(v[:32]))
				}
			}
			if v, ok := records[3]; ok {
				out.RemoteAddr = append([]byte{}, v...)
			}
			return out
		},
	},
	{
		"error", func(t *rapid.T) wire.Message { return &wire.ErrorMessage{ChannelID: array32(t), Data: data(t)} },
		func(m wire.Message) lnwire.Message {
			e := m.(*wire.ErrorMessage)
			return &lnwire.Error{ChanID: lnwire.ChannelID(e.ChannelID), Data: e.Data}
		},
		func(m lnwire.Message) wire.Message {
			e := m.(*lnwire.Error)
			return &wire.ErrorMessage{ChannelID: wire.ChannelID(e.ChanID), Data: e.Data}
		},
	},
	{
		"warning", func(t *rapid.T) wire.Message { return &wire.Warning{ChannelID: array32(t), Data: data(t)} },
		func(m wire.Message) lnwire.Message {
			w := m.(*wire.Warning)
			return &lnwire.Warning{ChanID: lnwire.ChannelID(w.ChannelID), Data: w.Data}
		},
		func(m lnwire.Message) wire.Message {
			w := m.(*lnwire.Warning)
			return &wire.Warning{ChannelID: wire.ChannelID(w.ChanID), Data: w.Data}
		},
	},
	{
		"ping", func(t *rapid.T) wire.Message {
			return &wire.Ping{NumPongBytes: rapid.Uint16().Draw(t, "num_pong_bytes"), Ignored: data(t)}
		},
		func(m wire.Message) lnwire.Message {
			p := m.(*wire.Ping)
			return &lnwire.Ping{NumPongBytes: p.NumPongBytes, PaddingBytes: p.Ignored}
		},
		func(m lnwire.Message) wire.Message {
			p := m.(*lnwire.Ping)
			return &wire.Ping{NumPongBytes: p.NumPongBytes, Ignored: p.PaddingBytes}
		},
	},
	{
		"pong", func(t *rapid.T) wire.Message { return &wire.Pong{Ignored: data(t)} },
		func(m wire.Message) lnwire.Message { return lnwire.NewPong(m.(*wire.Pong).Ignored) },
		func(m lnwire.Message) wire.Message { return &wire.Pong{Ignored: m.(*lnwire.Pong).PongBytes} },
	},
	{"open_channel", drawSharedOpen, openToLnd, openFromLnd},
	{"accept_channel", drawSharedAccept, acceptToLnd, acceptFromLnd},
	{
		"commitment_signed", func(t *rapid.T) wire.Message {
			m := &wire.CommitmentSigned{ChannelID: array32(t), Signature: signature(t)}
			for range rapid.IntRange(0, 3).Draw(t, "num_htlcs") {
				m.HTLCSignatures = append(m.HTLCSignatures, signature(t))
			}
			m.FundingTxid = optional(t, rapid.Custom(func(t *rapid.T) wire.Txid { return array32(t) }))
			return m
		},
		func(m wire.Message) lnwire.Message {
			c := m.(*wire.CommitmentSigned)
			out := &lnwire.CommitSig{ChanID: lnwire.ChannelID(c.ChannelID), CommitSig: lndSig(c.Signature)}
			for _, s := range c.HTLCSignatures {
				out.HtlcSigs = append(out.HtlcSigs, lndSig(s))
			}
			if c.FundingTxid != nil {
				out.ExtraData = tlvRecord(1, c.FundingTxid[:])
			}
			return out
		},
		func(m lnwire.Message) wire.Message {
			c := m.(*lnwire.CommitSig)
			out := &wire.CommitmentSigned{ChannelID: wire.ChannelID(c.ChanID), Signature: wire.Signature(c.CommitSig.RawBytes())}
			for _, s := range c.HtlcSigs {
				out.HTLCSignatures = append(out.HTLCSignatures, wire.Signature(s.RawBytes()))
			}
			if v, ok := lndRecords(c.ExtraData)[1]; ok {
				txid := wire.Txid(v)
				out.FundingTxid = &txid
			}
			return out
		},
	},
	{
		// Without records: lnwire cannot write them, see TestLnwireDropsRecords.
		"channel_reestablish", func(t *rapid.T) wire.Message {
			return &wire.ChannelReestablish{
				ChannelID:                   array32(t),
				NextCommitmentNumber:        rapid.Uint64().Draw(t, "next_commitment_number"),
				NextRevocationNumber:        rapid.Uint64().Draw(t, "next_revocation_number"),
				YourLastPerCommitmentSecret: array32(t), MyCurrentPerCommitmentPoint: point(t),
			}
		},
		func(m wire.Message) lnwire.Message {
			r := m.(*wire.ChannelReestablish)
			return &lnwire.ChannelReestablish{
				ChanID:                lnwire.ChannelID(r.ChannelID),
				NextLocalCommitHeight: r.NextCommitmentNumber, RemoteCommitTailHeight: r.NextRevocationNumber,
				LastRemoteCommitSecret: r.YourLastPerCommitmentSecret, LocalUnrevokedCommitPoint: lndPoint(r.MyCurrentPerCommitmentPoint),
			}
		},
		func(m lnwire.Message) wire.Message {
			r := m.(*lnwire.ChannelReestablish)
			return &wire.ChannelReestablish{
				ChannelID:            wire.ChannelID(r.ChanID),
				NextCommitmentNumber: r.NextLocalCommitHeight, NextRevocationNumber: r.RemoteCommitTailHeight,
				YourLastPerCommitmentSecret: r.LastRemoteCommitSecret, MyCurrentPerCommitmentPoint: fromLndPoint(r.LocalUnrevokedCommitPoint),
			}
		},
	},
	{
		"stfu", func(t *rapid.T) wire.Message {
			return &wire.Stfu{ChannelID: array32(t), Initiator: rapid.ByteRange(0, 1).Draw(t, "initiator")}
		},
		func(m wire.Message) lnwire.Message {
			s := m.(*wire.Stfu)
			return &lnwire.Stfu{ChanID: lnwire.ChannelID(s.ChannelID), Initiator: s.Initiator == 1}
		},
		func(m lnwire.Message) wire.Message {
			s := m.(*lnwire.Stfu)
			out := &wire.Stfu{ChannelID: wire.ChannelID(s.ChanID)}
			if s.Initiator {
				out.Initiator = 1
			}
			return out
		},
	},
}

// shortest is a feature field without leading zeros, the only form lnwire
// writes, and not nil.
func shortest(t *rapid.T) wire.Features {
	bits := rapid.SliceOfN(rapid.IntRange(0, 600), 0, 5).Draw(t, "features")
	f := wire.Features{}
	for _, b := range bits {
		f = f.With(wire.Feature(b))
	}
	return f
}

// script is one that lnwire takes: up to 34 bytes, and always there, since
// lnwire writes the record even when it is empty.
func script(t *rapid.T) []byte {
	return append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 34).Draw(t, "upfront_shutdown_script")...)
}

func channelType(t *rapid.T) wire.Features {
	if !rapid.Bool().Draw(t, "channel_type present") {
		return nil
	}
	return shortest(t)
}

func drawSharedOpen(t *rapid.T) wire.Message {
	m := drawOpenChannel(t).(*wire.OpenChannel)
	m.UpfrontShutdown, m.ChannelType = script(t), channelType(t)
	m.ChannelInFactory, m.Extra = nil, nil
	return m
}

func drawSharedAccept(t *rapid.T) wire.Message {
	m := drawAcceptChannel(t).(*wire.AcceptChannel)
	m.UpfrontShutdown, m.ChannelType, m.Extra = script(t), channelType(t), nil
	return m
}

func openToLnd(m wire.Message) lnwire.Message {
	o := m.(*wire.OpenChannel)
	return &lnwire.OpenChannel{
		ChainHash: chainhash.Hash(o.ChainHash), PendingChannelID: o.TemporaryChannelID,
		FundingAmount: btcutil.Amount(o.FundingSat), PushAmount: lnwire.MilliSatoshi(o.PushMsat),
		DustLimit: btcutil.Amount(o.DustLimitSat), MaxValueInFlight: lnwire.MilliSatoshi(o.MaxHTLCInFlightMsat),
		ChannelReserve: btcutil.Amount(o.ChannelReserveSat), HtlcMinimum: lnwire.MilliSatoshi(o.HTLCMinimumMsat),
		FeePerKiloWeight: o.FeeratePerKw, CsvDelay: o.ToSelfDelay, MaxAcceptedHTLCs: o.MaxAcceptedHTLCs,
		FundingKey: lndPoint(o.Keys.Funding), RevocationPoint: lndPoint(o.Keys.Revocation), PaymentPoint: lndPoint(o.Keys.Payment),
		DelayedPaymentPoint: lndPoint(o.Keys.DelayedPayment), HtlcPoint: lndPoint(o.Keys.HTLC),
		FirstCommitmentPoint: lndPoint(o.Keys.FirstPerCommitment), ChannelFlags: lnwire.FundingFlag(o.ChannelFlags),
		UpfrontShutdownScript: o.UpfrontShutdown, ChannelType: (*lnwire.ChannelType)(lndFeatures(o.ChannelType)),
	}
}

func openFromLnd(m lnwire.Message) wire.Message {
	o := m.(*lnwire.OpenChannel)
	return &wire.OpenChannel{
		ChainHash: o.ChainHash, TemporaryChannelID: o.PendingChannelID,
		FundingSat: uint64(o.FundingAmount), PushMsat: uint64(o.PushAmount), DustLimitSat: uint64(o.DustLimit),
		MaxHTLCInFlightMsat: uint64(o.MaxValueInFlight), ChannelReserveSat: uint64(o.ChannelReserve),
		HTLCMinimumMsat: uint64(o.HtlcMinimum), FeeratePerKw: o.FeePerKiloWeight, ToSelfDelay: o.CsvDelay,
		MaxAcceptedHTLCs: o.MaxAcceptedHTLCs,
		Keys: wire.ChannelKeys{
			Funding: fromLndPoint(o.FundingKey), Revocation: fromLndPoint(o.RevocationPoint), Payment: fromLndPoint(o.PaymentPoint),
			DelayedPayment: fromLndPoint(o.DelayedPaymentPoint), HTLC: fromLndPoint(o.HtlcPoint),
			FirstPerCommitment: fromLndPoint(o.FirstCommitmentPoint),
		},
		ChannelFlags: uint8(o.ChannelFlags), UpfrontShutdown: append([]byte{}, o.UpfrontShutdownScript...),
		ChannelType: fromLndFeatures((*lnwire.RawFeatureVector)(o.ChannelType)),
	}
}

func acceptToLnd(m wire.Message) lnwire.Message {
	a := m.(*wire.AcceptChannel)
	return &lnwire.AcceptChannel{
		PendingChannelID: a.TemporaryChannelID, DustLimit: btcutil.Amount(a.DustLimitSat),
		MaxValueInFlight: lnwire.MilliSatoshi(a.MaxHTLCInFlightMsat), ChannelReserve: btcutil.Amount(a.ChannelReserveSat),
		HtlcMinimum: lnwire.MilliSatoshi(a.HTLCMinimumMsat), MinAcceptDepth: a.MinimumDepth, CsvDelay: a.ToSelfDelay,
		MaxAcceptedHTLCs: a.MaxAcceptedHTLCs,
		FundingKey:       lndPoint(a.Keys.Funding), RevocationPoint: lndPoint(a.Keys.Revocation), PaymentPoint: lndPoint(a.Keys.Payment),
		DelayedPaymentPoint: lndPoint(a.Keys.DelayedPayment), HtlcPoint: lndPoint(a.Keys.HTLC),
		FirstCommitmentPoint:  lndPoint(a.Keys.FirstPerCommitment),
		UpfrontShutdownScript: a.UpfrontShutdown, ChannelType: (*lnwire.ChannelType)(lndFeatures(a.ChannelType)),
	}
}

func acceptFromLnd(m lnwire.Message) wire.Message {
	a := m.(*lnwire.AcceptChannel)
	return &wire.AcceptChannel{
		TemporaryChannelID: a.PendingChannelID, DustLimitSat: uint64(a.DustLimit), MaxHTLCInFlightMsat: uint64(a.MaxValueInFlight),
		ChannelReserveSat: uint64(a.ChannelReserve), HTLCMinimumMsat: uint64(a.HtlcMinimum), MinimumDepth: a.MinAcceptDepth,
		ToSelfDelay: a.CsvDelay, MaxAcceptedHTLCs: a.MaxAcceptedHTLCs,
		Keys: wire.ChannelKeys{
			Funding: fromLndPoint(a.FundingKey), Revocation: fromLndPoint(a.RevocationPoint), Payment: fromLndPoint(a.PaymentPoint),
			DelayedPayment: fromLndPoint(a.DelayedPaymentPoint), HTLC: fromLndPoint(a.HtlcPoint),
			FirstPerCommitment: fromLndPoint(a.FirstCommitmentPoint),
		},
		UpfrontShutdown: append([]byte{}, a.UpfrontShutdownScript...),
		ChannelType:     fromLndFeatures((*lnwire.RawFeatureVector)(a.ChannelType)),
	}
}

func lndFeatures(f wire.Features) *lnwire.RawFeatureVector {
	if f == nil {
		return nil
	}
	out := lnwire.NewRawFeatureVector()
	for _, b := range f.Bits() {
		out.Set(lnwire.FeatureBit(b))
	}
	return out
}

// fromLndFeatures is the field without the length that lnwire puts before it.
func fromLndFeatures(f *lnwire.RawFeatureVector) wire.Features {
	if f == nil {
		return nil
	}
	var b bytes.Buffer
	if err := f.Encode(&b); err != nil {
		panic(err)
	}
	return append(wire.Features{}, b.Bytes()[2:]...)
}

func lndSig(s wire.Signature) lnwire.Sig {
	out, err := lnwire.NewSigFromWireECDSA(s[:])
	if err != nil {
		panic(err)
	}
	return out
}

func tlvRecord(typ uint64, v []byte) []byte {
	return append(append(bigSize(typ), bigSize(uint64(len(v)))...), v...)
}

// lndRecords are the records lnd does not interpret.
func lndRecords(extra lnwire.ExtraOpaqueData) map[uint64][]byte {
	records, err := extra.ExtractRecords()
	if err != nil {
		panic(err)
	}
	out := map[uint64][]byte{}
	for typ, v := range records {
		out[uint64(typ)] = v
	}
	return out
}

func flat(hashes [][32]byte) (out []byte) {
	for _, h := range hashes {
		out = append(out, h[:]...)
	}
	return out
}
