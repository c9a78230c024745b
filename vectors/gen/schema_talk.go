package gen

import "superscalar/vectors"

// channelMessageObject is a message with what it says.
func channelMessageObject(required object) object {
	var names []string
	for _, l := range vectors.Layouts {
		names = append(names, l.Name)
	}
	m := closed(merge(object{"name": oneOf(names...), "bytes": ref("hex")}, required))
	properties := m["properties"].(object)
	properties["fields"] = about("Decoded: see x-layouts of schema message. The onion of update_add_htlc is in bytes alone.", object{"type": "object"})
	properties["records"] = object{"type": "object"}
	properties["unknown_records"] = ref("records")
	return m
}

// partly is an object with keys that may be missing.
func partly(required, optional object) object {
	o := closed(required)
	properties := o["properties"].(object)
	for name, x := range optional {
		properties[name] = x
	}
	return o
}

func talkSchema() object {
	hash, u16, u32 := bytesOf(32), upTo(1<<16-1), upTo(1<<32-1)
	secrets := closed(object{
		"funding_privkey": hash, "revocation_basepoint_secret": hash, "payment_basepoint_secret": hash,
		"delayed_payment_basepoint_secret": hash, "htlc_basepoint_secret": hash, "per_commitment_seed": hash,
	})
	output := closed(object{"txid": about("As it stands in an input.", hash), "output": u16, "satoshis": ref("uint")})
	holds := about("What the party knows; absent where it is what it was before.", partly(object{
		"commitment_number": about("Of its own latest commitment.", ref("uint")),
		"revoked_by_peer":   about("How many commitments the other side has revoked.", ref("uint")),
		"funding_txids":     about("That updates are signed for, the one in use first.", listOf(hash)),
		"opener_msat":       about("On the output in use; an HTLC counts to who offered it until its end is irrevocable.", ref("uint")),
		"accepter_msat":     ref("uint"),
		"htlcs":             about("That are not irrevocably gone.", u16),
	}, object{
		"change_txid":    about("Of the change that is committed to and not continued.", hash),
		"replaced_txids": about("Outputs of before whose commitments are kept (PCF-127).", listOf(hash)),
	}))
	step := partly(object{
		"event": about("receive: a message of the other side arrives. connect: a connection is made, init exchanged with option_quiesce. disconnect: it ends. wait: seconds pass. open: the LSP sends funding_created. usable: the factory is (PCF-082). add, fulfil, fail, feerate: an update is to be made, and signed as soon as it may be. update: an update of the factory is agreed by piggyback, which brings the channel to output: the LSP has the nonces of all, a client has given its own. begin: phase 1 of it begins: the LSP sends the aggregate nonces, a client gives its partial signatures. sign: the LSP signs the new state. store: the new state is complete and stored. poison: that of what it replaces is. end: the attempt of the update ends.",
			oneOf("receive", "connect", "disconnect", "wait", "open", "usable", "add", "fulfil", "fail", "feerate", "update", "begin", "sign", "store", "poison", "end")),
		"state": about("opening: channel_ready is not exchanged. normal. negotiating: a change is. funded: factory_change_funding is exchanged. committed: commitment_signed on the new output is, and factory_change_continue is not. continued: updates are signed for both. failed.",
			oneOf("opening", "normal", "negotiating", "funded", "committed", "continued", "failed")),
	}, object{
		"message": channelMessageObject(nil), "output": output,
		"htlc": about("Its onion is zeros.", closed(object{"amount_msat": ref("uint"), "payment_hash": hash, "cltv_expiry": u32})),
		"id":   about("Of the HTLC to remove.", ref("uint")), "preimage": hash, "reason": ref("hex"), "feerate_per_kw": u32,
		"seconds": object{"type": "integer", "minimum": 1},
		"fault":   about("This is what is wrong.", object{"const": true}),
		"sends":   object{"type": "array", "minItems": 1, "items": channelMessageObject(object{"compare": about("See the comment of the file.", oneOf("exact", "signatures", "text"))})},
		"refused": about("The order is not followed.", object{"const": true}),
		"closes":  about("The party ends the connection.", object{"const": true}),
		"holds":   holds,
	})
	step["allOf"] = []any{
		needs("receive", "message"), needs("wait", "seconds"), needs("add", "htlc"), needs("fulfil", "id", "preimage"), needs("fail", "id", "reason"),
		needs("feerate", "feerate_per_kw"), needs("update", "output"),
	}
	facts := about("open_channel and accept_channel have been exchanged.", closed(object{
		"height":       about("Of the best block, from start to end.", u32),
		"open_channel": ref("hex"), "accept_channel": ref("hex"),
		"output": about("That the ceremony made for the channel.", output),
		"lsp":    secrets, "client": secrets,
	}))
	return schema("channel_conversation", "One side of a channel in a factory and what happens to it", object{
		"party": about("Who is under test; the lsp opened the channel.", oneOf("lsp", "client")),
		"steps": object{"type": "array", "minItems": 1, "items": step},
	}, nil, object{
		"after":       about("The conversation that the party has lived through; the connection has ended since.", object{"type": "string"}),
		"after_steps": about("How many steps of it; absent: all.", u16),
		"channel":     facts,
		"allows":      about("Other reactions to the fault.", object{"type": "array", "minItems": 1, "items": oneOf("warning", "error", "abort", "ignored", "refused")}),
	}, object{"if": object{"required": []string{"after"}}, "then": object{"properties": object{"channel": false}},
		"else": object{"required": []string{"channel"}, "properties": object{"after_steps": false}}})
}

func batchSchema() object {
	point, hash, signature := bytesOf(33), bytesOf(32), bytesOf(64)
	u16, u32 := upTo(1<<16-1), upTo(1<<32-1)
	like := commitmentSchema()["properties"].(object)["vectors"].(object)["items"].(object)["properties"].(object)
	output := partly(object{
		"funding_txid": about("As it stands in an input.", hash), "funding_output": u32, "funding_satoshis": ref("uint"),
		"opener_msat":   about("Before fee and anchors, with the contributions of the change.", ref("uint")),
		"accepter_msat": ref("uint"),
	}, object{
		"commitment_tx": about("Without witness.", ref("hex")), "txid": hash, "sighash": hash, "htlc_txs": like["htlc_txs"],
		"signature": about("As in its commitment_signed, with RFC 6979.", signature), "htlc_signatures": listOf(signature),
	})
	return schema("batch", "The signatures of one commitment on every funding output", object{
		"channel_id": hash, "channel_type": oneOf("option_anchors", "zero_fee_commitments"),
		"owner":             about("Who receives the messages.", oneOf("opener", "accepter")),
		"commitment_number": ref("uint"), "per_commitment_point": about("Of the owner.", point),
		"opener": like["opener"], "accepter": like["accepter"],
		"dust_limit_satoshis": about("Of the owner.", ref("uint")), "to_self_delay": about("That the owner waits.", u16), "feerate_per_kw": u32,
		"outputs":  about("The one in use first, then those of pending changes. Results stand in good vectors.", object{"type": "array", "minItems": 1, "maxItems": 20, "items": output}),
		"messages": object{"type": "array", "minItems": 1, "items": channelMessageObject(nil)},
	}, object{
		"taken": about("Txids of outputs.", listOf(hash)),
	}, object{"htlcs": like["htlcs"]}, nil)
}
