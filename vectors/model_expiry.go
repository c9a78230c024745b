package vectors

// HTLCExpiry is one comparison or computation of an expiry that involves a
// factory's early warning time.
type HTLCExpiry struct {
	Head
	// Op is "receive", "release", "offer", "forward" or "final", which may be refused,
	// "pay" or "invoice", which compute a number, or "offered", "claimed" or
	// "forwarded", of an HTLC that lies, which may have to end.
	Op           string `json:"op"`
	EarlyWarning Uint   `json:"early_warning_time"` // blocks; of the incoming channel in "forward"
	Height       *Uint  `json:"height,omitempty"`   // absent where it does not matter
	Expiry       *Uint  `json:"cltv_expiry,omitempty"`
	Outgoing     *Uint  `json:"outgoing_cltv_value,omitempty"` // "forward" only
	Delta        *Uint  `json:"cltv_expiry_delta,omitempty"`   // "forward": of the outgoing channel; "invoice": the payee's own
	Preimage     bool   `json:"preimage,omitempty"`            // "offered", "claimed", "forwarded": the node knows it
	Trimmed      bool   `json:"trimmed,omitempty"`             // the same ops: on neither commitment
	// Blocks is the result, absent in a bad vector and beside Unbounded: the HTLC may
	// lie as long as it likes.
	Blocks    *Uint `json:"blocks,omitempty"`
	Unbounded bool  `json:"unbounded,omitempty"`
	Outcome
}
