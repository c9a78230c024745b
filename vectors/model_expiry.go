package vectors

// HTLCExpiry is one comparison or computation of an expiry that involves a
// factory's early warning time.
type HTLCExpiry struct {
	Head
	// Op is "receive", "release", "offer" or "forward", which may be refused,
	// or "final", which may be refused too,
	// "pay" or "invoice", which compute a number.
	Op           string `json:"op"`
	EarlyWarning Uint   `json:"early_warning_time"` // blocks; of the incoming channel in "forward"
	Height       *Uint  `json:"height,omitempty"`   // absent where it does not matter
	Expiry       *Uint  `json:"cltv_expiry,omitempty"`
	Outgoing     *Uint  `json:"outgoing_cltv_value,omitempty"` // "forward" only
	Delta        *Uint  `json:"cltv_expiry_delta,omitempty"`   // "forward": of the outgoing channel; "invoice": the payee's own
	// Blocks is the result, absent in a bad vector.
	Blocks *Uint `json:"blocks,omitempty"`
	Outcome
}
