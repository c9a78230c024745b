package vectors

// Batch is what a side of a channel sends to sign one commitment of the other
// on every funding output of the channel: the one in use, and those of changes
// that are pending.
type Batch struct {
	Head
	ChannelID Hex           `json:"channel_id"`
	Type      string        `json:"channel_type"` // "option_anchors" or "zero_fee_commitments"
	Owner     string        `json:"owner"`        // of the commitment: who receives the messages; "opener" or "accepter"
	Number    Uint          `json:"commitment_number"`
	Point     Hex           `json:"per_commitment_point"` // of the owner
	Opener    ChannelSide   `json:"opener"`
	Accepter  ChannelSide   `json:"accepter"`
	DustLimit Uint          `json:"dust_limit_satoshis"` // of the owner
	Delay     uint16        `json:"to_self_delay"`       // that the owner waits
	Feerate   uint32        `json:"feerate_per_kw"`
	HTLCs     []ChannelHTLC `json:"htlcs,omitempty"`
	// Outputs begin with the one in use.
	Outputs []BatchOutput `json:"outputs"`
	// Messages are what the other side sends, in this order.
	Messages []ChannelMessage `json:"messages"`
	// Taken are the txids of Outputs whose signatures are taken; absent in a
	// bad vector.
	Taken []Hex `json:"taken,omitempty"`
	Outcome
}

// BatchOutput is one funding output with the commitment on it.
type BatchOutput struct {
	FundingTxid   Hex    `json:"funding_txid"` // as it stands in an input
	FundingOutput uint32 `json:"funding_output"`
	FundingSat    Uint   `json:"funding_satoshis"`
	OpenerMsat    Uint   `json:"opener_msat"` // before fee and anchors, contributions of pending changes added
	AccepterMsat  Uint   `json:"accepter_msat"`
	// The results, absent in a bad vector.
	Tx             Hex               `json:"commitment_tx,omitempty"`
	Txid           Hex               `json:"txid,omitempty"`
	Sighash        Hex               `json:"sighash,omitempty"`
	HTLCTxs        []HTLCTransaction `json:"htlc_txs,omitempty"`
	Signature      Hex               `json:"signature,omitempty"` // as in its commitment_signed
	HTLCSignatures []Hex             `json:"htlc_signatures,omitempty"`
}
