package gen

func commitmentSchema() object {
	point, hash, signature := bytesOf(33), bytesOf(32), bytesOf(64)
	u16, u32 := upTo(1<<16-1), upTo(1<<32-1)
	side := closed(object{
		"funding_privkey": hash, "htlc_basepoint_secret": hash,
		"revocation_basepoint": point, "payment_basepoint": point, "delayed_payment_basepoint": point,
	})

	return schema("commitment", "One commitment transaction with its HTLC transactions", object{
		"channel_type":         oneOf("option_anchors", "zero_fee_commitments"),
		"owner":                oneOf("opener", "accepter"),
		"funding_txid":         about("As it stands in an input.", hash),
		"funding_output":       u32,
		"funding_satoshis":     ref("uint"),
		"commitment_number":    ref("uint"),
		"per_commitment_point": about("Of the owner.", point),
		"opener":               side,
		"accepter":             side,
		"dust_limit_satoshis":  about("Of the owner.", ref("uint")),
		"to_self_delay":        about("That the owner waits.", u16),
		"feerate_per_kw":       u32,
		"opener_msat":          about("Before fee and anchors.", ref("uint")),
		"accepter_msat":        about("Before fee and anchors.", ref("uint")),
		"signature":            about("Of the side that is not the owner, compact.", signature),
	}, object{
		"fee_satoshis":         about("What the transaction pays, trimmed amounts included.", ref("uint")),
		"commitment_tx":        about("Without witness.", ref("hex")),
		"txid":                 about("As it stands in an input.", hash),
		"sighash":              hash,
		"signed_commitment_tx": about("With the owner's signature too.", ref("hex")),
	}, object{
		"htlcs": about("In any order.", listOf(closed(object{
			"offered_by": oneOf("opener", "accepter"), "id": ref("uint"), "amount_msat": ref("uint"), "payment_hash": hash, "cltv_expiry": u32,
		}))),
		"htlc_signatures": about("Of the side that is not the owner, in the order of the outputs.", listOf(signature)),
		"htlc_txs": about("In the order of htlc_signatures, without witness; sighash is of type SINGLE|ANYONECANPAY.", listOf(closed(object{
			"output": u32, "tx": ref("hex"), "sighash": hash,
		}))),
	}, object{"if": object{"required": []string{"error"}}, "then": object{"properties": object{"htlc_txs": false}}})
}

func revocationSchema() object {
	return schema("revocation", "Per-commitment secrets as they are received", object{
		"secrets": object{"type": "array", "minItems": 1, "items": closed(object{
			"per_commitment_point": bytesOf(33), "per_commitment_secret": bytesOf(32),
		})},
	}, object{"received": about("How many were taken.", upTo(1<<16))}, nil, nil)
}
