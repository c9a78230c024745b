package gen

import "superscalar/vectors"

func conversationSchema() object {
	key, hash := bytesOf(32), bytesOf(32)
	u16, u32 := upTo(1<<16-1), upTo(1<<32-1)
	party := object{"type": "string", "pattern": "^(lsp|client (0|[1-9][0-9]{0,3}))$"}
	var names []string
	for _, l := range vectors.CeremonyLayouts {
		names = append(names, l.Name)
	}
	// The records of a message are those that schema ceremony_message gives it.
	message := func(required, optional object) object {
		m := closed(merge(object{"name": oneOf(names...), "bytes": ref("hex")}, required))
		properties := m["properties"].(object)
		properties["records"] = about("Decoded: see x-layouts of schema ceremony_message.", object{"type": "object"})
		for name, o := range optional {
			properties[name] = o
		}
		return m
	}
	open := func(required, optional object) object {
		o := closed(required)
		for name, x := range optional {
			o["properties"].(object)[name] = x
		}
		return o
	}
	keeps := about("What is durable. In a step: only where it is not what it was before.", open(object{
		"factories": about("Complete ones; of an LSP those it has funded.", u16),
	}, object{
		"begun":   about("Something that spends an existing outpoint may be signed in the last change.", object{"const": true}),
		"phases":  about("Complete phases of the last change of a client.", upTo(3)),
		"pending": about("A change of an LSP was interrupted.", object{"const": true}),
		"txids":   about("Of what can be published now and could not before, sorted.", listOf(hash)),
	}))
	sends := object{"type": "array", "minItems": 1, "items": message(object{
		"to": party, "compare": about("See the comment of the file.", oneOf("exact", "nonces", "aggregate", "partials", "signatures", "abort")),
	}, nil)}
	state := about("The row of the tables of section 5.3 that the last message said leads to; idle: nothing is going on.",
		oneOf("idle", "joined", "proposed", "signing", "stored", "inviting", "storing", "funded"))
	points := listOf(closed(object{"txid": hash, "output": u16}))
	step := open(object{
		"event": about("receive: a message of from arrives. create, update, sell, resume, poison: the LSP's operator orders it. disconnect: the connection with from ends. wait: seconds pass. chain: what the chain says from here on. restart: the process ends and starts again from its disk.",
			oneOf("receive", "create", "update", "sell", "resume", "poison", "disconnect", "wait", "chain", "restart")),
		"state": state,
	}, object{
		"from": party, "message": message(nil, nil), "order": orderObject(), "seconds": object{"type": "integer", "minimum": 1}, "height": u32,
		"spent":      about("Outpoints that are spent by a transaction that is confirmed or in a mempool.", points),
		"unfunded":   about("The funding transactions are not confirmed; else they are, as proposed and in time.", object{"const": true}),
		"fault":      about("This is what is wrong.", object{"const": true}),
		"randomness": about("What each draw of 32 bytes returns in this step; absent where nothing that is said depends on it.", key),
		"signs": about("Put on record in this order.", listOf(closed(object{
			"txid": about("Of the outpoint spent.", hash), "output": u16, "sequence": u32, "sighash": hash,
			"kind": oneOf("static", "kickoff", "state", "distribution", "sale", "omission", "poison"),
		}))),
		"sends":      sends,
		"broadcasts": about("Txid of the funding transaction.", hash),
		"refused":    about("The order is not carried out.", object{"const": true}),
		"keeps":      keeps,
	})
	step["allOf"] = []any{
		needs("receive", "from", "message"), needs("disconnect", "from"), needs("wait", "seconds"), needs("chain", "height"),
		needs("create", "order"), needs("update", "order"), needs("sell", "order"), needs("resume", "order"), needs("poison", "order"),
	}
	return schema("conversation", "One party of ceremonies and what happens to it", object{
		"party":  about("Who is under test.", oneOf("client", "lsp")),
		"chain":  oneOf("mainnet", "other"),
		"height": about("Of the best block at the start.", u32),
		"keys": about("Secret keys, of everybody.", listOf(open(object{"party": party, "ceremony_id": key}, object{
			"factory_key": key, "payout_key": key, "channel_keys": about("A client's is the first; the LSP has one for each client, and for a sale one.", listOf(key)),
		}))),
		"steps": object{"type": "array", "minItems": 1, "items": step},
	}, nil, object{
		"client": about("The number of the client under test.", upTo(1023)),
		"after":  about("The conversation that the party has lived through; it was started again since.", object{"type": "string"}),
		"disconnects": about("What the end of the connection leaves behind.", object{"type": "array", "minItems": 1, "items": open(object{
			"messages": about("That have arrived, in either direction.", u16), "state": state, "keeps": keeps,
		}, object{"lost": about("The message that does not arrive.", oneOf(names...))})}),
	}, object{"if": object{"properties": object{"party": object{"const": "client"}}}, "then": object{"required": []string{"client"}},
		"else": object{"properties": object{"client": false}}})
}

// needs asks for keys in a step with an event.
func needs(event string, keys ...string) object {
	return object{"if": object{"properties": object{"event": object{"const": event}}}, "then": object{"required": keys}}
}

// orderObject is what an operator asks for.
func orderObject() object {
	parameters := parametersObject()
	return object{"type": "object", "additionalProperties": false, "properties": object{
		"capacities": about("Sat, of the clients 0, 1, ... that are invited.", listOf(ref("uint"))),
		"parameters": about("The LSP fills in tip_height and expiry.", parameters),
		"shape":      shapeObject(),
		"stock":      about("Sat in each stock output for each client of its group.", ref("uint")),
		"coin": about("The funding transaction of the n-th attempt has version 2, spends this txid at index n with nSequence 0xffffffff and nLockTime 0, and pays the factory alone.",
			bytesOf(32)),
		"factory":  about("The factory to change.", bytesOf(32)),
		"buyer":    upTo(1023),
		"amount":   about("Sat.", ref("uint")),
		"level":    upTo(15),
		"position": upTo(1<<16 - 1),
	}}
}
