package vectors

import "superscalar/wire/rule"

// Namespaces are the two namespaces of BOLT 1 appendix B.
var Namespaces = []Layout{
	{Name: "n1", Records: []RecordLayout{
		record(1, "tlv1", "amount_msat tu64"),
		record(2, "tlv2", "scid short_channel_id"),
		record(3, "tlv3", "node_id point", "amount_msat_1 u64", "amount_msat_2 u64"),
		record(254, "tlv4", "cltv_delta u16"),
	}},
	{Name: "n2", Records: []RecordLayout{
		record(0, "tlv1", "amount_msat tu64"),
		record(11, "tlv2", "cltv_expiry tu32"),
	}},
}

// Layouts are the messages of package wire. Names, types and order of the
// fields are those of BOLT 1, BOLT 2 and SPEC.md 3.2 and 3.7.
var Layouts = []Layout{
	message("TRN", 16, "init", "globalfeatures u16*byte gflen", "features u16*byte flen").with(
		record(1, "networks", "chain_hashes ...*32*byte chain_hash"),
		record(3, "remote_addr", "data ...*byte")),
	message("TRN", 1, "warning", "channel_id channel_id", "data u16*byte len"),
	message("TRN", 17, "error", "channel_id channel_id", "data u16*byte len"),
	message("TRN", 18, "ping", "num_pong_bytes u16", "ignored u16*byte byteslen"),
	message("TRN", 19, "pong", "ignored u16*byte byteslen"),

	message("TRN", 34, "funding_created", "temporary_channel_id 32*byte", "funding_txid sha256", "funding_output_index u16", "signature signature"),
	message("TRN", 35, "funding_signed", "channel_id channel_id", "signature signature"),
	message("TRN", 36, "channel_ready", "channel_id channel_id", "second_per_commitment_point point").with(
		record(1, "short_channel_id", "alias short_channel_id")),
	message("TRN", 38, "shutdown", "channel_id channel_id", "scriptpubkey u16*byte len"),
	message("TRN", 39, "closing_signed", "channel_id channel_id", "fee_satoshis u64", "signature signature").with(
		record(1, "fee_range", "min_fee_satoshis u64", "max_fee_satoshis u64")),
	message("TRN", 128, "update_add_htlc", "channel_id channel_id", "id u64", "amount_msat u64", "payment_hash sha256", "cltv_expiry u32", "onion_routing_packet 1366*byte"),
	message("TRN", 130, "update_fulfill_htlc", "channel_id channel_id", "id u64", "payment_preimage 32*byte"),
	message("TRN", 131, "update_fail_htlc", "channel_id channel_id", "id u64", "reason u16*byte len"),
	message("TRN", 133, "revoke_and_ack", "channel_id channel_id", "per_commitment_secret 32*byte", "next_per_commitment_point point"),
	message("TRN", 134, "update_fee", "channel_id channel_id", "feerate_per_kw u32"),
	message("TRN", 135, "update_fail_malformed_htlc", "channel_id channel_id", "id u64", "sha256_of_onion sha256", "failure_code u16"),
	message("TRN", 258, "channel_update", "payload ...*byte").opaque(),
	message("TRN", 0, "unknown", "payload ...*byte").opaque(),

	message("PCF", 2, "stfu", "channel_id channel_id", "initiator byte"),
	message("PCF", 32, "open_channel", "chain_hash chain_hash", "temporary_channel_id 32*byte", "funding_satoshis u64", "push_msat u64",
		"dust_limit_satoshis u64", "max_htlc_value_in_flight_msat u64", "channel_reserve_satoshis u64", "htlc_minimum_msat u64",
		"feerate_per_kw u32", "to_self_delay u16", "max_accepted_htlcs u16", "funding_pubkey point", "revocation_basepoint point",
		"payment_basepoint point", "delayed_payment_basepoint point", "htlc_basepoint point", "first_per_commitment_point point",
		"channel_flags byte").with(
		record(0, "upfront_shutdown_script", "shutdown_scriptpubkey ...*byte"),
		record(1, "channel_type", "type ...*byte"),
		record(65600, "channel_in_factory", "factory_protocol_id 32*byte", "factory_instance_id 32*byte", "factory_early_warning_time u16")),
	message("PCF", 33, "accept_channel", "temporary_channel_id 32*byte", "dust_limit_satoshis u64", "max_htlc_value_in_flight_msat u64",
		"channel_reserve_satoshis u64", "htlc_minimum_msat u64", "minimum_depth u32", "to_self_delay u16", "max_accepted_htlcs u16",
		"funding_pubkey point", "revocation_basepoint point", "payment_basepoint point", "delayed_payment_basepoint point",
		"htlc_basepoint point", "first_per_commitment_point point").with(
		record(0, "upfront_shutdown_script", "shutdown_scriptpubkey ...*byte"),
		record(1, "channel_type", "type ...*byte")),
	message("PCF", 127, "start_batch", "channel_id channel_id", "batch_size u16").with(
		record(1, "message_type", "message_type u16")),
	message("PCF", 132, "commitment_signed", "channel_id channel_id", "signature signature", "htlc_signatures u16*signature num_htlcs htlc_signature").with(
		record(1, "funding_txid", "funding_txid sha256")),
	message("PCF", 136, "channel_reestablish", "channel_id channel_id", "next_commitment_number u64", "next_revocation_number u64",
		"your_last_per_commitment_secret 32*byte", "my_current_per_commitment_point point").with(
		record(1, "next_funding", "txid sha256", "retransmit_flags byte"),
		record(5, "my_current_funding_locked", "txid sha256", "retransmit_flags byte")),

	factory(2, "supported_factory_protocols",
		record(512, "factory_protocol_ids", "factory_protocol_ids ...*32*byte factory_protocol_id").required(rule.PCF024).multiple(rule.PCF025)),
	factory(4, "factory_piggyback",
		record(0, "factory_protocol_id", "factory_protocol_id 32*byte").required(rule.PCF030),
		record(1024, "factory_piggyback_payload", "payload ...*byte").required(rule.PCF031)),
	factory(6, "factory_change_init", payloadRecord, changeRecord.required(rule.PCF100)),
	factory(8, "factory_change_ack", payloadRecord, changeRecord.required(rule.PCF101)),
	factory(10, "factory_change_funding",
		record(2560, "factory_change_funding", "channel_id channel_id", "funding_txid sha256", "funding_output_index u16").required(rule.PCF102)),
	factory(12, "factory_change_continue",
		record(3072, "factory_change_continue", "channel_id channel_id", "funding_txid sha256", "funding_output_index u16").required(rule.PCF103)),
	factory(14, "factory_change_locked",
		record(3584, "factory_change_locked", "channel_id channel_id", "locked_funding_txid sha256").required(rule.PCF104)),
	factory(16, "factory_change_abort",
		record(4096, "factory_change_abort", "channel_id channel_id", "data ...*byte").required(rule.PCF105)),
	// A submessage id nobody knows.
	message("PCF", 32800, "factory_message", "factory_submessage_id u16", "rest ...*byte").opaque(),
}

var (
	payloadRecord = record(1024, "factory_piggyback_payload", "payload ...*byte")
	changeRecord  = record(1536, "factory_change", "channel_id channel_id", "funding_contribution_satoshis s64", "funding_pubkey point")
)
