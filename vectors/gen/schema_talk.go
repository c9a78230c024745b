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
		"change_txid":      about("Of the change that is committed to and not continued.", hash),
		"replaced_txids":   about("Outputs of before whose commitments are kept (PCF-127).", listOf(hash)),
		"called_off_txids": about("Outputs of changes that were called off, for which the party signed a commitment that is not revoked (CHG-026).", listOf(hash)),
	}))
	state := oneOf("opening", "normal", "negotiating", "funded", "committed", "continued", "over", "failed", "forgotten")
	step := partly(object{
		"event": about("receive: a message of the other side arrives. connect: a connection is made, init exchanged with option_quiesce. disconnect: it ends. wait: seconds pass; where they are the fault, the other side has said nothing in them. open: the LSP sends funding_created. usable: the factory is (PCF-082). add, fulfil, fail, feerate: an update is to be made, and signed as soon as it may be. update: an update of the factory is agreed by piggyback, which brings the channel to output: the LSP has the nonces of all, a client has given its own. begin: phase 1 of it begins: the LSP sends the aggregate nonces, a client gives its partial signatures. sign: the LSP signs the new state. store: the new state is complete and stored. poison: that of what it replaces is. end: the attempt of the update ends; without an update that which makes the output. make: what makes the output is to go on: the LSP signs the funding transaction or its part of the sale, the client says that it has stored it. drop: the attempt that makes the output ends before it is made. reopen: the other side has forgotten the channel; open_channel and accept_channel of the one with this number have been exchanged, on the same output. block: there is a new best block. confirmed: a block has the transaction with this txid, which has an output of the channel. spent: a block has transaction, which spends one. forget: the factory says that the channel can be forgotten. shutdown: the channel is to be shut down. change: a change of the channel is to begin, without an update: the ceremonies have no part in it, and end nothing of it. abort: that of the channel is to be called off.",
			oneOf("receive", "connect", "disconnect", "wait", "open", "usable", "add", "fulfil", "fail", "feerate", "update", "begin", "sign", "store", "poison", "end",
				"make", "drop", "reopen", "block", "confirmed", "spent", "forget", "shutdown", "change", "abort")),
		"state": about("Of number 0. opening: channel_ready is not exchanged. normal. negotiating: a change is. funded: factory_change_funding is exchanged. committed: commitment_signed on the new output is, and factory_change_continue is not; a channel that is absorbed needs none. continued: updates are signed for both. over: all it held is in another channel. failed. forgotten.", state),
	}, object{
		"channel": about("Number of the channel that an order is for; absent: 0. A message names its own.", u16),
		"absorbs": about("Numbers of the channels that go into number 0 by the update.", object{"type": "array", "minItems": 1, "items": u16}),
		"height":  u32, "transaction": about("With its witnesses.", ref("hex")), "txid": about("As it stands in an input.", hash),
		"others": about("Other channels than number 0 of which the state, or what the party knows, is not what it was; holds is absent where that is the same.",
			object{"type": "array", "minItems": 1, "items": partly(object{"channel": u16, "state": state}, object{"holds": holds})}),
		"leaves":    about("The party starts its way out of the factory (CHAN-010, CHAN-021).", object{"const": true}),
		"publishes": about("Transactions that the party wants in a block, complete; children that pay for them are its own matter.", object{"type": "array", "minItems": 1, "items": ref("hex")}),
		"punishes": about("What the party takes of a revoked commitment: outputs are all but the anchors, to_remote among them; how, and with which fee, is its own matter.",
			closed(object{"commitment_number": ref("uint"), "revocation_privkey": hash, "outputs": object{"type": "array", "minItems": 1, "items": u16}})),
		"message": channelMessageObject(nil), "output": output,
		"htlc": about("Its onion is zeros.", closed(object{"amount_msat": ref("uint"), "payment_hash": hash, "cltv_expiry": u32})),
		"id":   about("Of the HTLC to remove.", ref("uint")), "preimage": hash, "reason": ref("hex"), "feerate_per_kw": u32,
		"seconds": object{"type": "integer", "minimum": 1},
		"fault":   about("This is what is wrong.", object{"const": true}),
		"sends":   object{"type": "array", "minItems": 1, "items": channelMessageObject(object{"compare": about("See the comment of the file.", oneOf("exact", "signatures", "text", "failure"))})},
		"refused": about("The order is not followed.", object{"const": true}),
		"closes":  about("The party ends the connection.", object{"const": true}),
		"holds":   holds,
	})
	step["allOf"] = []any{
		needs("receive", "message"), needs("wait", "seconds"), needs("add", "htlc"), needs("fulfil", "id", "preimage"), needs("fail", "id", "reason"),
		needs("feerate", "feerate_per_kw"), needs("update", "output"), needs("reopen", "channel"), needs("block", "height"), needs("confirmed", "txid"), needs("spent", "transaction"),
	}
	one := object{
		"open_channel": ref("hex"), "accept_channel": ref("hex"),
		"output": about("That the ceremony made for the channel.", output),
		"lsp":    secrets, "client": secrets,
	}
	facts := about("open_channel and accept_channel have been exchanged.", partly(merge(object{
		"height": about("Of the best block, until there is an event block.", u32),
	}, one), object{
		"others": about("More channels of the two: number 1, 2 and so on. Sales made them; one with the output of number 0 is opened by reopen.", object{"type": "array", "minItems": 1, "items": closed(one)}),
		"limits": about("What the factory lets the channel be used for; absent: no limits.", closed(object{
			"until":             about("From this height on no HTLC is offered (CHAN-011).", u32),
			"max_exposure_msat": about("Of the client: what HTLCs towards it may sum to (CHAN-012).", ref("uint")),
		})),
	}))
	return schema("channel_conversation", "One side of a channel in a factory and what happens to it", object{
		"party": about("Who is under test; the lsp opened the channel.", oneOf("lsp", "client")),
		"steps": object{"type": "array", "minItems": 1, "items": step},
	}, nil, object{
		"after":       about("The conversation that the party has lived through; the connection has ended since.", object{"type": "string"}),
		"after_steps": about("How many steps of it; absent: all.", u16),
		"channel":     facts,
		"allows":      about("Other reactions to the fault.", object{"type": "array", "minItems": 1, "items": oneOf("warning", "error", "abort", "ignored", "refused", "leaves", "punished", "published", "failed", "closed")}),
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
