package vectors

// RelayedError is what a node tells upstream of an HTLC that failed downstream with a
// reason. In a bad vector Relayed is something else.
type RelayedError struct {
	Head
	Secret Hex `json:"shared_secret"` // of the node with the payer, from the onion
	Reason Hex `json:"reason"`        // of update_fail_htlc that arrived
	// Relayed is the reason of the update_fail_htlc that the node sends, Claim what it is said
	// to be in a bad vector.
	Relayed Hex `json:"relayed,omitempty"`
	Claim   Hex `json:"claim,omitempty"`
	Outcome
}
