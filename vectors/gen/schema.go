package gen

import (
	"superscalar/vectors"
)

// object is a JSON object of a schema.
type object = map[string]any

const (
	hexPattern = "^([0-9a-f]{2})*$"
	idPattern  = "^[A-Z]+-[0-9]{3}$"
	exact      = 1<<53 - 1 // largest integer a JSON number carries safely
)

// schemas returns the JSON Schema of each kind. They are closed: a key that is
// not named is refused.
func schemas() map[string]object {
	return map[string]object{
		"handshake":     handshakeSchema(),
		"transport":     transportSchema(),
		"bigsize":       bigsizeSchema(),
		"tlv":           tlvSchema(),
		"signed":        signedSchema(),
		"message":       messageSchema(),
		"payload":       payloadSchema(),
		"protocol_id":   protocolIDSchema(),
		"open_decision": openDecisionSchema(),

		"parameters":       parametersSchema(),
		"split":            splitSchema(),
		"tree":             treeSchema(),
		"history":          historySchema(),
		"record":           recordSchema(),
		"session":          sessionSchema(),
		"node_keys":        nodeKeysSchema(),
		"script":           scriptSchema(),
		"ceremony_message": ceremonyMessageSchema(),
		"conversation":     conversationSchema(),
		"attempt":          attemptSchema(),
		"opening":          openingSchema(),
		"relayed_error":    relayedErrorSchema(),
		"own_exit":         ownExitSchema(),
		"exposure":         exposureSchema(),
		"purchase":         purchaseSchema(),
		"out_of_place":     outOfPlaceSchema(),
		"commitment":       commitmentSchema(),
		"batch":            batchSchema(),
		"revocation":       revocationSchema(),
		"htlc_expiry":      htlcExpirySchema(),

		"channel_conversation": talkSchema(),
	}
}

// schema wraps the properties of one kind's vectors. Inputs stand in every
// vector, outputs in good ones only; optional keys may stand in both.
func schema(kind, title string, inputs, outputs, optional object, more object) object {
	vector := object{
		"type":                 "object",
		"additionalProperties": false,
		"required":             keys(object{"name": nil, "rules": nil}, inputs),
		"properties": merge(object{
			"name":    object{"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "description": "Unique among all files."},
			"comment": object{"type": "string"},
			"rules": object{"type": "array", "minItems": 1, "uniqueItems": true, "items": object{"type": "string", "pattern": idPattern},
				"description": "Requirements of SPEC.md that the vector decides."},
			"error": ref("error"),
		}, inputs, outputs, optional),
		"oneOf": []any{
			object{"title": "good", "required": keys(outputs), "properties": object{"error": false}},
			object{"title": "bad: exactly one fault", "required": []string{"error"}, "properties": forbid(outputs)},
		},
	}
	for k, v := range more {
		vector[k] = v
	}
	return object{
		"$schema":              "https://json-schema.org/draft/2020-12/schema",
		"title":                title,
		"type":                 "object",
		"additionalProperties": false,
		"required":             []string{"schema", "area", "kind", "source", "license", "comment", "vectors"},
		"properties": object{
			"schema":  object{"const": vectors.Version},
			"area":    object{"enum": vectors.Areas()},
			"kind":    object{"const": kind},
			"source":  object{"type": "string", "minLength": 1, "description": "Where the figures come from."},
			"license": object{"const": vectors.License},
			"comment": object{"type": "string", "minLength": 1, "description": "How to run the vectors."},
			"vectors": object{"type": "array", "minItems": 1, "items": vector},
		},
		"$defs": defs(),
	}
}

func defs() object {
	return object{
		"hex": object{"type": "string", "pattern": hexPattern, "description": "Bytes as lower-case hexadecimal digits."},
		"uint": object{"description": "Unsigned integer: a number below 2^53, else a decimal string.", "oneOf": []any{
			object{"type": "integer", "minimum": 0, "maximum": exact},
			object{"type": "string", "pattern": "^[1-9][0-9]{15,19}$"}}},
		"int": object{"description": "Signed integer: a number if its absolute value is below 2^53, else a decimal string.", "oneOf": []any{
			object{"type": "integer", "minimum": -exact, "maximum": exact},
			object{"type": "string", "pattern": "^-?[1-9][0-9]{15,18}$"}}},
		"records": object{"type": "array", "minItems": 1, "items": object{
			"type": "object", "additionalProperties": false, "required": []string{"type", "value"},
			"properties": object{"type": ref("uint"), "value": ref("hex")}}},
		"error": object{
			"type": "object", "additionalProperties": false, "required": []string{"kind", "field", "rule", "guilty"},
			"properties": object{
				"kind":  object{"type": "string", "pattern": "^([a-z]+(-[a-z]+)*|ACT[123](_[A-Z]+)+)$", "description": "The class of the error."},
				"field": object{"type": "string", "minLength": 1, "description": "Name of the field or record at fault."},
				"offset": object{"type": "integer", "minimum": 0,
					"description": "Byte where the field begins; for a value with bytes left over the first of them. Absent where nothing stands, as for a missing record, and for a bigsize that ends early."},
				"rule":   object{"type": "string", "pattern": idPattern, "description": "The requirement that asks for the failure."},
				"guilty": object{"enum": []string{"sender", "initiator", "responder", "signer", "lsp", "client", "chain"}},
				"signers": object{"type": "array", "minItems": 1, "items": object{"type": "integer", "minimum": 0},
					"description": "Positions of the guilty signers, from 0; in a conversation the clients that the abort names."},
			}},
	}
}

func ref(name string) object { return object{"$ref": "#/$defs/" + name} }

// bytesOf is a hexadecimal string of exactly n bytes.
func bytesOf(n int) object {
	return object{"allOf": []any{ref("hex")}, "minLength": 2 * n, "maxLength": 2 * n}
}

func about(description string, o object) object {
	return merge(object{"description": description}, o)
}

func oneOf(values ...string) object { return object{"enum": values} }

func listOf(items object) object { return object{"type": "array", "items": items} }

// closed is an object of exactly these keys.
func closed(properties object) object {
	return object{"type": "object", "additionalProperties": false, "required": keys(properties), "properties": properties}
}
