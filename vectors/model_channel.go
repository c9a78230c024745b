package vectors

// Commitment is the commitment transaction of one side of a channel with the
// HTLC transactions on top of it, and what the other side signs for its owner.
// A bad one has a signature that the owner has to refuse.
type Commitment struct {
	Head
	ChannelType   string        `json:"channel_type"` // "option_anchors" or "zero_fee_commitments"
	Owner         string        `json:"owner"`        // "opener" or "accepter"
	FundingTxid   Hex           `json:"funding_txid"` // as it stands in an input
	FundingOutput uint32        `json:"funding_output"`
	FundingSat    Uint          `json:"funding_satoshis"`
	Number        Uint          `json:"commitment_number"`
	Point         Hex           `json:"per_commitment_point"` // of the owner
	Opener        ChannelSide   `json:"opener"`
	Accepter      ChannelSide   `json:"accepter"`
	DustLimit     Uint          `json:"dust_limit_satoshis"` // of the owner
	Delay         uint16        `json:"to_self_delay"`       // that the owner waits
	Feerate       uint32        `json:"feerate_per_kw"`
	OpenerMsat    Uint          `json:"opener_msat"` // before fee and anchors
	AccepterMsat  Uint          `json:"accepter_msat"`
	HTLCs         []ChannelHTLC `json:"htlcs,omitempty"` // in any order
	// As in commitment_signed.
	Signature      Hex   `json:"signature"`
	HTLCSignatures []Hex `json:"htlc_signatures,omitempty"`
	// The results, absent in a bad vector.
	FeeSat   *Uint             `json:"fee_satoshis,omitempty"` // paid by the transaction, trimmed amounts included
	Tx       Hex               `json:"commitment_tx,omitempty"`
	Txid     Hex               `json:"txid,omitempty"`
	Sighash  Hex               `json:"sighash,omitempty"`
	SignedTx Hex               `json:"signed_commitment_tx,omitempty"`
	HTLCTxs  []HTLCTransaction `json:"htlc_txs,omitempty"` // in the order of htlc_signatures
	Outcome
}

// ChannelSide are the keys of one side of a channel: private where the side
// signs with them.
type ChannelSide struct {
	FundingKey Hex `json:"funding_privkey"`
	HTLCSecret Hex `json:"htlc_basepoint_secret"`
	Revocation Hex `json:"revocation_basepoint"`
	Payment    Hex `json:"payment_basepoint"`
	Delayed    Hex `json:"delayed_payment_basepoint"`
}

// ChannelHTLC is an HTLC of a commitment transaction.
type ChannelHTLC struct {
	OfferedBy string `json:"offered_by"` // "opener" or "accepter"
	ID        Uint   `json:"id"`
	Amount    Uint   `json:"amount_msat"`
	Hash      Hex    `json:"payment_hash"`
	Expiry    uint32 `json:"cltv_expiry"`
}

// HTLCTransaction is an HTLC-success or HTLC-timeout transaction, without fee
// and witness.
type HTLCTransaction struct {
	Output  uint32 `json:"output"` // of the commitment transaction
	Tx      Hex    `json:"tx"`
	Sighash Hex    `json:"sighash"` // that the other side signs
}

// Revocation are the per-commitment secrets that a node is given, one after
// the other, with the points that it was given before. In a bad vector the
// last secret has to be refused.
type Revocation struct {
	Head
	Secrets  []CommitmentSecret `json:"secrets"`
	Received *Uint              `json:"received,omitempty"` // how many were taken; absent in a bad vector
	Outcome
}

// CommitmentSecret is the secret of commitments 0, 1 and so on.
type CommitmentSecret struct {
	Point  Hex `json:"per_commitment_point"`
	Secret Hex `json:"per_commitment_secret"`
}
