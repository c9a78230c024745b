package vectors

import "superscalar/wire/rule"

// CeremonyLayouts are the ceremony messages of SPEC.md 5.2. They are payloads:
// their types are SuperScalar types.
var CeremonyLayouts = []Layout{
	ceremony(2, "ceremony_invite", needed(2, "capacity", "capacity u64"), record(4, "factory", "factory 32*byte")),
	ceremony(4, "ceremony_join", needed(2, "factory_key", "factory_key point"), needed(4, "channel_key", "channel_key point"),
		needed(6, "payout_key", "payout_key 32*byte")),
	ceremony(6, "ceremony_proposal",
		needed(2, "parameters", "step u16", "states byte", "confirm_blocks u16", "max_chain byte", "stock_csv u16", "omission_delay u16",
			"to_self_delay u16", "margin u16", "max_funding_wait u16", "active u16", "dying u16", "tip_height u32", "expiry u32"),
		needed(4, "shape", "leaf byte", "levels ...*struct level").structure("kind byte", "arity byte"),
		needed(6, "funding", "txid 32*byte", "output u16", "value u64"),
		needed(8, "client_index", "client_index u16"),
		needed(10, "lsp_factory_key", "lsp_factory_key point"),
		listed(12, "factory_keys", "factory_keys ...*33*byte factory_key"),
		listed(14, "sums", "sums ...*u64 sum").optional(),
		listed(16, "owners", "owners ...*struct owner").structure("capacity u64", "payout_key 32*byte"),
		listed(18, "stocks", "stocks ...*u64 stock"),
		listed(20, "channel_scripts", "channel_scripts ...*34*byte channel_script"),
		needed(22, "lsp_channel_key", "lsp_channel_key point"),
		listed(23, "node_keys", "node_keys ...*33*byte node_key").optional()),
	ceremony(8, "ceremony_nonces", phase, listed(4, "nonces", "nonces ...*66*byte nonce")),
	ceremony(10, "ceremony_aggregate", phase, listed(4, "aggregate_nonces", "aggregate_nonces ...*66*byte aggregate_nonce")),
	ceremony(12, "ceremony_partials", phase, listed(4, "partial_signatures", "partial_signatures ...*32*byte partial_signature")),
	ceremony(14, "ceremony_signatures", phase, listed(4, "signatures", "signatures ...*64*byte signature"),
		listed(6, "channel_signatures", "channel_signatures ...*64*byte channel_signature")),
	ceremony(16, "ceremony_stored", phase),
	ceremony(18, "ceremony_funded", needed(2, "funding_tx", "funding_tx ...*byte")),
	ceremony(20, "ceremony_abort", needed(2, "reason", "reason u16"), record(3, "guilty", "guilty u16"), record(5, "text", "text ...*byte")),
	ceremony(22, "ceremony_update", factoryRecord, needed(4, "node", "level byte", "position u16", "remaining byte"),
		listed(14, "sums", "sums ...*u64 sum").optional(),
		listed(16, "capacities", "capacities ...*u64 capacity"),
		listed(18, "stocks", "stocks ...*u64 stock"),
		listed(20, "channel_scripts", "channel_scripts ...*34*byte channel_script")),
	ceremony(24, "ceremony_sale", factoryRecord, needed(4, "stock", "level byte", "position u16", "group byte", "sales_before byte"),
		needed(6, "buyer", "buyer u16"), needed(8, "amount", "amount u64"), needed(10, "channel_script", "channel_script ...*byte"),
		needed(12, "lsp_channel_key", "lsp_channel_key point")),
	ceremony(26, "ceremony_poison", factoryRecord, needed(4, "node", "level byte", "position u16")),
}

var (
	phase         = needed(2, "phase", "phase byte")
	factoryRecord = needed(2, "factory", "factory 32*byte")
)

// CeremonyLayoutOf returns the layout of a ceremony message by its name.
func CeremonyLayoutOf(name string) (Layout, bool) {
	for _, l := range CeremonyLayouts {
		if l.Name == name {
			return l, true
		}
	}
	return Layout{}, false
}

func ceremony(typ uint16, name string, records ...RecordLayout) Layout {
	id := needed(0, "ceremony_id", "ceremony_id 32*byte")
	return Layout{Name: name, Area: "CER", Type: typ, Records: append([]RecordLayout{id}, records...)}
}

// needed is a record that CER-001 asks for.
func needed(typ uint64, name string, fields ...string) RecordLayout {
	return record(typ, name, fields...).required(rule.CER001)
}

// listed is a record of elements of one size.
func listed(typ uint64, name string, fields ...string) RecordLayout {
	return needed(typ, name, fields...).multiple(rule.CER001)
}

func (r RecordLayout) optional() RecordLayout {
	r.Required = ""
	return r
}

// structure gives the elements of the record's list their fields.
func (r RecordLayout) structure(fields ...string) RecordLayout {
	r.Fields[len(r.Fields)-1].Fields = parseFields(fields)
	return r
}
