package vectors

// Exposure is whether a client keeps an HTLC that comes on one of its channels. In a bad
// vector it fails it, since what is in flight towards it would be too much (CHAN-012).
type Exposure struct {
	Head
	Cover       Uint              `json:"cover"`           // sat (SPEC.md 6.1)
	Coins       Uint              `json:"coins"`           // sat that it can pay fees with
	Feerate     Uint              `json:"feerate_per_kvb"` // sat; that it begins with
	PathVBytes  []Uint            `json:"path_vbytes"`     // of each transaction of its path with its child
	ClaimVBytes Uint              `json:"claim_vbytes"`    // of its commitment and the transaction of an HTLC
	Channels    []ExposureChannel `json:"channels"`
	HTLC        ExposureHTLC      `json:"htlc"`
	Kept        *bool             `json:"kept,omitempty"`
	Outcome
}

// ExposureChannel is a channel of the client, and the HTLCs in flight in it.
type ExposureChannel struct {
	Factory  Uint   `json:"factory"`       // channels of the same number are of one factory
	Incoming []Uint `json:"incoming_msat"` // towards the client
	Outgoing []Uint `json:"outgoing_msat"` // that it offered
}

// ExposureHTLC is the HTLC that comes.
type ExposureHTLC struct {
	Channel Uint `json:"channel"` // index
	Amount  Uint `json:"amount_msat"`
}
