package gen

import "superscalar/vectors"

func ceremonyMessageSchema() object {
	var names []string
	var perMessage []any
	for _, l := range vectors.CeremonyLayouts {
		names = append(names, l.Name)
		perMessage = append(perMessage, object{
			"if":   object{"properties": object{"message": object{"const": l.Name}}},
			"then": object{"properties": object{"records": recordsSchema(l)}}})
	}
	s := schema("ceremony_message", "One ceremony message", object{"op": oneOf("decode", "encode"), "message": oneOf(names...)}, nil, object{
		"bytes":           about("The whole payload; absent where writing has to fail.", ref("hex")),
		"records":         about("The known records that are present.", object{"type": "object"}),
		"unknown_records": about("Records of odd types that are skipped.", ref("records")),
	}, object{
		"allOf": perMessage,
		"if":    object{"properties": object{"op": object{"const": "decode"}}},
		"then": object{"required": []string{"bytes"},
			"oneOf": []any{object{"required": []string{"records"}}, object{"required": []string{"error"}}}},
		"else": object{"required": []string{"records"}},
	})
	s["x-layouts"] = vectors.CeremonyLayouts
	return s
}

func scriptSchema() object {
	key, point := bytesOf(32), bytesOf(33)
	return schema("script", "One output of a factory", object{
		"output": oneOf("node", "stock", "channel", "payout", "anchor"),
	}, object{"descriptor": object{"type": "string", "pattern": "^.+#[a-z0-9]{8}$", "description": "With its checksum."}}, object{
		"lsp_factory_key": point,
		"factory_keys":    about("Of the clients, in client order.", listOf(point)),
		"stock_csv":       object{"type": "integer", "minimum": 1, "maximum": 1008},
		"channel_keys":    about("Both funding keys, in any order.", listOf(point)),
		"payout_key":      key,
		"script":          about("The scriptPubKey; in a bad vector the one to refuse.", ref("hex")),
		"aggregate_key":   about("The BIP-327 aggregate before any tweak.", point),
		"internal_key":    key,
		"output_key":      key,
		"leaf_script":     ref("hex"),
		"leaf_hash":       about("BIP-341 TapLeaf hash, the merkle root.", key),
		"control_block":   bytesOf(33),
		"witness_script":  ref("hex"),
	}, nil)
}

// upTo is an integer from 0 to max.
func upTo(max int64) object { return object{"type": "integer", "minimum": 0, "maximum": max} }

func parametersObject() object {
	u8, u16, u32 := upTo(1<<8-1), upTo(1<<16-1), upTo(1<<32-1)
	return closed(object{
		"step": u16, "states": u8, "confirm_blocks": u16, "max_chain": u8, "stock_csv": u16, "omission_delay": u16, "to_self_delay": u16,
		"margin": u16, "max_funding_wait": u16, "active": u16, "dying": u16, "tip_height": u32, "expiry": u32,
	})
}

func shapeObject() object {
	u8 := upTo(1<<8 - 1)
	return closed(object{"leaf": u8, "levels": listOf(closed(object{"kind": u8, "arity": u8}))})
}

func parametersSchema() object {
	u32 := upTo(1<<32 - 1)
	return schema("parameters", "The parameters of one proposal", object{
		"chain":      oneOf("mainnet", "other"),
		"n":          about("Clients.", upTo(1<<16-1)),
		"parameters": parametersObject(),
		"shape":      shapeObject(),
		"own_height": about("Of the receiver's best block.", u32),
	}, object{
		"early_warning_time": about("Blocks.", u32), "exit_time": about("Blocks.", u32), "exit_height": u32,
	}, nil, nil)
}

func splitSchema() object {
	counts := listOf(listOf(upTo(1024)))
	return schema("split", "How a shape splits clients", object{"n": upTo(1 << 16), "shape": shapeObject()}, nil, object{
		"levels": about("Clients of each transaction of each level.", counts),
		"groups": about("Clients of each group of each leaf.", counts),
	}, object{"dependentRequired": object{"levels": []string{"groups"}, "groups": []string{"levels"}},
		"anyOf": []any{object{"required": []string{"levels"}}, object{"required": []string{"error"}}}})
}

func termsObject() object {
	point, sats := bytesOf(33), listOf(ref("uint"))
	terms := closed(object{
		"chain": oneOf("mainnet", "other"), "parameters": parametersObject(), "shape": shapeObject(),
		"lsp_factory_key": point, "factory_keys": listOf(point),
		"capacities":      about("Sat, of the clients of the region.", sats),
		"payout_keys":     about("X-only output keys, of the clients of the region.", listOf(bytesOf(32))),
		"stocks":          about("Sat, of each group of each leaf of the region.", sats),
		"channel_keys":    about("The clients' funding keys; with client, of its leaf.", listOf(point)),
		"lsp_channel_key": about("The LSP's funding key of all channels.", point),
	})
	properties := terms["properties"].(object)
	properties["client"] = about("Who is told this; absent for the LSP's complete terms.", upTo(1023))
	properties["sums"] = about("Sat, for each child of each transaction above the region.", listOf(sats))
	return terms
}

func transactionsObject() object {
	t := closed(object{
		"name":    object{"type": "string", "minLength": 1},
		"value":   about("Sat, of the output it spends.", ref("uint")),
		"txid":    bytesOf(32),
		"sighash": bytesOf(32),
	})
	t["properties"].(object)["bytes"] = about("Without witness.", ref("hex"))
	return listOf(t)
}

func claimObject() object {
	return about("A transaction that somebody wants signed under this name.",
		closed(object{"name": object{"type": "string", "minLength": 1}, "bytes": ref("hex")}))
}

func treeSchema() object {
	return schema("tree", "A factory as it is created", object{
		"terms": termsObject(), "funding_txid": bytesOf(32), "funding_output": upTo(1<<16 - 1),
	}, object{
		"funding_value": about("Sat.", ref("uint")), "funding_script": ref("hex"), "transactions": transactionsObject(),
	}, object{
		"claim":  claimObject(),
		"signed": about("The names of all that is to be signed.", listOf(object{"type": "string"})),
	}, object{
		"if":   object{"anyOf": []any{object{"required": []string{"claim"}}, object{"required": []string{"signed"}}}},
		"then": object{"required": []string{"error"}},
	})
}

// stepObject is one step of a factory's history.
func stepObject() object {
	sats := listOf(ref("uint"))
	step := closed(object{
		"do":       oneOf("update", "failed-update", "sale", "poison", "lowest"),
		"level":    upTo(15),
		"position": upTo(1<<16 - 1),
	})
	properties := step["properties"].(object)
	for name, o := range (object{
		"remaining":       about("The new counter.", upTo(255)),
		"capacities":      about("Sat, of the clients that the state covers.", sats),
		"stocks":          about("Sat, of the groups below the state.", sats),
		"lsp_channel_key": about("The LSP's funding key of the new channels.", bytesOf(33)),
		"group":           upTo(255),
		"sales_before":    upTo(255),
		"buyer":           upTo(1023),
		"amount":          about("Sat.", ref("uint")),
		"channel_key":     about("The buyer's funding key.", bytesOf(33)),
		"clients":         about("Whom the change concerns.", listOf(upTo(1023))),
		"transactions":    transactionsObject(),
	}) {
		properties[name] = o
	}
	return step
}

func historySchema() object {
	return schema("history", "A factory and what happens to it", object{
		"terms": termsObject(), "funding_txid": bytesOf(32), "funding_output": upTo(1<<16 - 1),
		"steps": object{"type": "array", "minItems": 1, "items": stepObject()},
	}, nil, object{"claim": claimObject()}, object{"if": object{"required": []string{"claim"}}, "then": object{"required": []string{"error"}}})
}

func recordSchema() object {
	u32 := upTo(1<<32 - 1)
	return schema("record", "What a node is asked to sign, one after the other", object{
		"entries": object{"type": "array", "minItems": 1, "items": closed(object{
			"txid": bytesOf(32), "output": upTo(1<<16 - 1), "sequence": u32, "sighash": bytesOf(32),
			"kind": oneOf("static", "kickoff", "state", "distribution", "sale", "omission", "poison"),
		})},
	}, object{"recorded": about("Different transactions signed.", upTo(1024))}, nil, nil)
}

func nodeKeysSchema() object {
	return schema("node_keys", "The aggregates that come with a proposal", object{
		"shape":           shapeObject(),
		"client":          about("Who is sent them.", upTo(1023)),
		"lsp_factory_key": bytesOf(33),
		"factory_keys":    about("Of all clients, in their order.", listOf(bytesOf(33))),
		"node_keys":       about("The record, each key untweaked.", listOf(bytesOf(33))),
	}, object{
		"key_sets": about("First client and number of clients of each key set.", listOf(listOf(upTo(1024)))),
	}, nil, nil)
}

func sessionSchema() object {
	key, nonce := bytesOf(32), bytesOf(66)
	return schema("session", "One MuSig2 session", object{
		"secret_keys":        about("Of the clients, then the LSP.", listOf(key)),
		"message":            key,
		"randomness":         about("What NonceGen draws for each signer.", listOf(key)),
		"public_nonces":      listOf(ref("hex")),
		"aggregate_nonce":    nonce,
		"partial_signatures": listOf(key),
		"output_key":         key,
	}, object{"signature": bytesOf(64)}, object{
		"merkle_root": about("Of a stock output; absent for BIP-86.", key),
	}, nil)
}
