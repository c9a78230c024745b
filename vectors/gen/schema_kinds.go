package gen

import (
	"maps"
	"slices"

	"superscalar/vectors"
)

func handshakeSchema() object {
	key, id := bytesOf(32), bytesOf(33)
	inner := object{
		"type": "object", "additionalProperties": false, "required": []string{"ss", "ck", "temp_k", "c", "h_c"},
		"properties": object{
			"h_key":  about("h after the ephemeral public key was mixed in; acts 1 and 2.", key),
			"ss":     about("The ECDH secret of the act.", key),
			"ck":     about("The chaining key after ss was mixed in.", key),
			"temp_k": about("The key of the act's last encryption.", key),
			"c":      about("Acts 1 and 2: the tag. Act 3: the encrypted node id.", ref("hex")),
			"h_c":    about("h after c was mixed in.", key),
			"t":      about("The tag at the end of act 3.", bytesOf(16)),
		}}
	act := object{
		"type": "object", "additionalProperties": false, "required": []string{"act", "from", "bytes"},
		"properties": object{"act": object{"enum": []int{1, 2, 3}}, "from": oneOf("initiator", "responder"), "bytes": ref("hex"), "intermediates": inner}}
	return schema("handshake", "One side of a BOLT 8 handshake", object{
		"role":      about("The side under test.", oneOf("initiator", "responder")),
		"local_key": key, "local_id": id, "ephemeral_key": key, "ephemeral_id": id,
		"acts": object{"type": "array", "minItems": 1, "maxItems": 3, "items": act},
	}, object{
		"ck": key, "sending_key": about("Of the side under test.", key), "receiving_key": key,
	}, object{"remote_id": about("What an initiator knows of the responder.", id)}, nil)
}

func transportSchema() object {
	key := bytesOf(32)
	return schema("transport", "One frame of a BOLT 8 connection", object{
		"initiator_key": key, "initiator_ephemeral": key, "responder_key": key, "responder_ephemeral": key,
		"from":        about("Who sends.", oneOf("initiator", "responder")),
		"ck":          about("The chaining key after the handshake.", key),
		"sending_key": about("Of the sender, for message 0.", key),
		"plaintext":   about("Of the frame, and of all messages before it.", ref("hex")),
		"index":       object{"type": "integer", "minimum": 0},
		"frame":       about("Encrypted length, tag, encrypted message, tag.", ref("hex")),
	}, nil, object{
		"rotations": about("After each rotation before the frame.", listOf(closed(object{"ck": key, "key": key}))),
	}, nil)
}

func bigsizeSchema() object {
	return schema("bigsize", "One bigsize", object{"op": oneOf("decode", "encode"), "bytes": ref("hex")},
		object{"value": ref("uint")}, nil, nil)
}

func tlvSchema() object {
	s := schema("tlv", "One tlv_stream", object{"op": oneOf("decode", "encode")}, nil, object{
		"namespace":       about("any: n1 and n2 give the same.", oneOf("any", "n1", "n2")),
		"input":           about("Records to write, in any order.", ref("records")),
		"bytes":           ref("hex"),
		"records":         about("The known records that are present.", object{"type": "object"}),
		"unknown_records": about("Records of odd types that are skipped.", ref("records")),
	}, object{
		"if":   object{"properties": object{"op": object{"const": "decode"}}},
		"then": object{"required": []string{"namespace", "bytes"}, "properties": object{"input": false}},
		"else": object{"required": []string{"input"}, "properties": forbid(object{"namespace": nil, "records": nil, "unknown_records": nil}),
			"oneOf": []any{object{"required": []string{"bytes"}}, object{"required": []string{"error"}}}},
		"allOf": []any{object{
			"if":   object{"properties": object{"namespace": object{"const": "n2"}}},
			"then": object{"properties": object{"records": recordsSchema(vectors.Namespaces[1])}},
			"else": object{"properties": object{"records": recordsSchema(vectors.Namespaces[0])}},
		}},
	})
	s["x-layouts"] = vectors.Namespaces
	return s
}

func signedSchema() object {
	return schema("signed", "One signed integer", object{"width": object{"enum": []int{1, 2, 4, 8}}, "bytes": ref("hex")},
		object{"value": ref("int")}, nil, nil)
}

// messageSchema knows the fields and records of every message, from the
// layouts, and carries the layouts themselves.
func messageSchema() object {
	var names []string
	var perMessage []any
	for _, l := range vectors.Layouts {
		names = append(names, l.Name)
		properties := object{"fields": false, "records": false}
		then := object{"properties": properties}
		if len(l.Fields) > 0 {
			properties["fields"] = fieldsSchema(l.Fields)
			then["anyOf"] = []any{object{"required": []string{"error"}}, object{"required": []string{"fields"}}}
		}
		if len(l.Records) > 0 {
			properties["records"] = recordsSchema(l)
		}
		perMessage = append(perMessage, object{"if": object{"properties": object{"message": object{"const": l.Name}}}, "then": then})
	}
	s := schema("message", "One message", object{"message": oneOf(names...), "bytes": ref("hex")}, nil, object{
		"envelope":        about("The type a reader in the compatibility form expects for factory messages.", object{"const": 33001}),
		"fields":          about("The fixed fields.", object{"type": "object"}),
		"records":         about("The known records that are present.", object{"type": "object"}),
		"unknown_records": about("Records of odd types that are skipped, and kept.", ref("records")),
	}, object{
		"allOf": perMessage,
		"if":    object{"required": []string{"error"}},
		"then":  object{"properties": forbid(object{"fields": nil, "records": nil, "unknown_records": nil})},
	})
	s["x-layouts"] = vectors.Layouts
	return s
}

func recordsSchema(l vectors.Layout) object {
	properties := object{}
	required := []string{}
	for _, r := range l.Records {
		properties[r.Name] = fieldsSchema(r.Fields)
		if r.Required != "" {
			required = append(required, r.Name)
		}
	}
	return object{"type": "object", "additionalProperties": false, "required": required, "properties": properties}
}

func fieldsSchema(fields []vectors.Field) object {
	properties := object{}
	for _, f := range fields {
		properties[f.Name] = fieldSchema(f)
	}
	return closed(properties)
}

func fieldSchema(f vectors.Field) object {
	switch f.Type {
	case "byte":
		return object{"type": "integer", "minimum": 0, "maximum": 1<<8 - 1}
	case "u16":
		return object{"type": "integer", "minimum": 0, "maximum": 1<<16 - 1}
	case "u32", "tu32":
		return object{"type": "integer", "minimum": 0, "maximum": 1<<32 - 1}
	case "u64", "tu64":
		return ref("uint")
	case "s64":
		return ref("int")
	case "short_channel_id":
		return object{"type": "string", "pattern": "^[0-9]+x[0-9]+x[0-9]+$", "description": "Block, transaction, output."}
	case "u16*byte", "...*byte":
		return ref("hex")
	case "u16*signature":
		return listOf(bytesOf(64))
	case "...*u64":
		return listOf(ref("uint"))
	case "...*struct":
		return listOf(fieldsSchema(f.Fields))
	}
	if n := f.ItemSize(); n > 0 {
		return listOf(bytesOf(n))
	}
	return bytesOf(f.Size())
}

func payloadSchema() object {
	return schema("payload", "One SuperScalar message", object{"bytes": ref("hex")},
		object{"type": object{"type": "integer", "minimum": 0, "maximum": 1<<16 - 1}},
		object{"records": ref("records")},
		object{"if": object{"required": []string{"error"}}, "then": object{"properties": object{"records": false}}})
}

func protocolIDSchema() object {
	return schema("protocol_id", "One factory_protocol_id", object{
		"protocol":    object{"type": "string", "pattern": "^[ -~]+$"},
		"protocol_id": bytesOf(32),
	}, nil, nil, nil)
}

func openDecisionSchema() object {
	return schema("open_decision", "The answer to one open_channel", object{
		"negotiated":   about("Features both sides offer, as a bit field with the even bits set.", ref("hex")),
		"common":       about("Protocol ids both sides listed.", listOf(bytesOf(32))),
		"chain_hash":   about("Of the receiver's chain.", bytesOf(32)),
		"open_channel": about("The whole message.", ref("hex")),
	}, object{"decision": object{"const": "accept"}}, nil, nil)
}

// merge joins objects; no key may stand in two.
func merge(list ...object) object {
	out := object{}
	for _, o := range list {
		maps.Copy(out, o)
	}
	return out
}

// keys returns all keys, sorted within each object.
func keys(list ...object) []string {
	out := []string{}
	for _, o := range list {
		out = append(out, slices.Sorted(maps.Keys(o))...)
	}
	return out
}

// forbid refuses every key of o.
func forbid(o object) object {
	out := object{}
	for k := range o {
		out[k] = false
	}
	return out
}
