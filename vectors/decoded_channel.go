package vectors

import "superscalar/wire"

// decodeChannel knows the messages of wire/channel.go and wire/open.go.
func decodeChannel(m wire.Message) (d Decoded, ok bool) {
	switch m := m.(type) {
	case *wire.Stfu:
		d = Decoded{Unknown: recordsOf(m.Extra), Fields: Object{
			{"channel_id", Hex(m.ChannelID[:])}, {"initiator", Uint(m.Initiator)}}}
	case *wire.StartBatch:
		d = Decoded{Unknown: recordsOf(m.Extra), Fields: Object{
			{"channel_id", Hex(m.ChannelID[:])}, {"batch_size", Uint(m.BatchSize)}}}
		if m.MessageType != nil {
			d.add("message_type", Object{{"message_type", Uint(*m.MessageType)}})
		}
	case *wire.CommitmentSigned:
		d = decodeCommitment(m)
	case *wire.ChannelReestablish:
		d = Decoded{Unknown: recordsOf(m.Extra), Fields: Object{
			{"channel_id", Hex(m.ChannelID[:])},
			{"next_commitment_number", Uint(m.NextCommitmentNumber)},
			{"next_revocation_number", Uint(m.NextRevocationNumber)},
			{"your_last_per_commitment_secret", Hex(m.YourLastPerCommitmentSecret[:])},
			{"my_current_per_commitment_point", Hex(m.MyCurrentPerCommitmentPoint[:])}}}
		d.funding("next_funding", m.NextFunding)
		d.funding("my_current_funding_locked", m.MyCurrentFundingLocked)
	case *wire.OpenChannel:
		d = decodeOpen(m)
	case *wire.AcceptChannel:
		d = decodeAccept(m)
	default:
		return d, false
	}
	return d, true
}

func decodeCommitment(m *wire.CommitmentSigned) Decoded {
	signatures := []Hex{}
	for _, s := range m.HTLCSignatures {
		signatures = append(signatures, Hex(s[:]))
	}
	d := Decoded{Unknown: recordsOf(m.Extra), Fields: Object{
		{"channel_id", Hex(m.ChannelID[:])},
		{"signature", Hex(m.Signature[:])},
		{"htlc_signatures", signatures}}}
	if m.FundingTxid != nil {
		d.add("funding_txid", Object{{"funding_txid", Hex(m.FundingTxid[:])}})
	}
	return d
}

func (d *Decoded) funding(record string, f *wire.FundingState) {
	if f != nil {
		d.add(record, Object{{"txid", Hex(f.Txid[:])}, {"retransmit_flags", Uint(f.RetransmitFlags)}})
	}
}

func decodeOpen(m *wire.OpenChannel) Decoded {
	d := Decoded{Unknown: recordsOf(m.Extra), Fields: Object{
		{"chain_hash", Hex(m.ChainHash[:])},
		{"temporary_channel_id", Hex(m.TemporaryChannelID[:])},
		{"funding_satoshis", Uint(m.FundingSat)},
		{"push_msat", Uint(m.PushMsat)},
		{"dust_limit_satoshis", Uint(m.DustLimitSat)},
		{"max_htlc_value_in_flight_msat", Uint(m.MaxHTLCInFlightMsat)},
		{"channel_reserve_satoshis", Uint(m.ChannelReserveSat)},
		{"htlc_minimum_msat", Uint(m.HTLCMinimumMsat)},
		{"feerate_per_kw", Uint(m.FeeratePerKw)},
		{"to_self_delay", Uint(m.ToSelfDelay)},
		{"max_accepted_htlcs", Uint(m.MaxAcceptedHTLCs)}}}
	d.keys(m.Keys)
	d.Fields = append(d.Fields, Member{"channel_flags", Uint(m.ChannelFlags)})
	d.opening(m.UpfrontShutdown, m.ChannelType)
	if f := m.ChannelInFactory; f != nil {
		d.add("channel_in_factory", Object{
			{"factory_protocol_id", Hex(f.ProtocolID[:])},
			{"factory_instance_id", Hex(f.InstanceID[:])},
			{"factory_early_warning_time", Uint(f.EarlyWarningTime)}})
	}
	return d
}

func decodeAccept(m *wire.AcceptChannel) Decoded {
	d := Decoded{Unknown: recordsOf(m.Extra), Fields: Object{
		{"temporary_channel_id", Hex(m.TemporaryChannelID[:])},
		{"dust_limit_satoshis", Uint(m.DustLimitSat)},
		{"max_htlc_value_in_flight_msat", Uint(m.MaxHTLCInFlightMsat)},
		{"channel_reserve_satoshis", Uint(m.ChannelReserveSat)},
		{"htlc_minimum_msat", Uint(m.HTLCMinimumMsat)},
		{"minimum_depth", Uint(m.MinimumDepth)},
		{"to_self_delay", Uint(m.ToSelfDelay)},
		{"max_accepted_htlcs", Uint(m.MaxAcceptedHTLCs)}}}
	d.keys(m.Keys)
	d.opening(m.UpfrontShutdown, m.ChannelType)
	return d
}

func (d *Decoded) keys(k wire.ChannelKeys) {
	d.Fields = append(d.Fields,
		Member{"funding_pubkey", Hex(k.Funding[:])},
		Member{"revocation_basepoint", Hex(k.Revocation[:])},
		Member{"payment_basepoint", Hex(k.Payment[:])},
		Member{"delayed_payment_basepoint", Hex(k.DelayedPayment[:])},
		Member{"htlc_basepoint", Hex(k.HTLC[:])},
		Member{"first_per_commitment_point", Hex(k.FirstPerCommitment[:])})
}

func (d *Decoded) opening(shutdown []byte, channelType wire.Features) {
	if shutdown != nil {
		d.add("upfront_shutdown_script", Object{{"shutdown_scriptpubkey", Hex(shutdown)}})
	}
	if channelType != nil {
		d.add("channel_type", Object{{"type", Hex(channelType)}})
	}
}
