package vectors

// OutOfPlace is a message about a channel that is right in itself, at a moment of a channel
// conversation, and what the party does with it (SPEC.md 3.9).
type OutOfPlace struct {
	Head
	// In names the good channel conversation that the party is in, Lived how many steps of
	// it are over. The connection is the one of then.
	In      string         `json:"in"`
	Lived   Uint           `json:"lived_steps"`
	Message ChannelMessage `json:"message"`
	// Reaction is "taken" or "ignored", absent in a bad vector, whose error says it.
	Reaction string `json:"reaction,omitempty"`
	Outcome

	// Conversation is what In names; Load sets it.
	Conversation *ChannelConversation `json:"-"`
}
