package vectors

// OwnExit is whether a client waits for its LSP to leave a factory at a height. In a bad
// vector it does not: it starts its own way out.
type OwnExit struct {
	Head
	Parameters Parameters `json:"parameters"`
	Shape      Shape      `json:"shape"`
	Height     uint32     `json:"height"`   // of the best block
	Channels   []HeldMsat `json:"channels"` // of the client in the factory, none of them on the chain
	Cover      Uint       `json:"cover"`    // sat (SPEC.md 6.1)
	Waits      *bool      `json:"waits,omitempty"`
	Outcome
}

// HeldMsat is what a client has in a channel.
type HeldMsat struct {
	Own      Uint `json:"own_msat"`
	Incoming Uint `json:"incoming_msat"` // HTLCs towards it
}
