package vectors

// Attempt is what a base node does with channels that are being opened, up to
// accept_channel, step by step. A bad one has a message that must be refused: the last.
type Attempt struct {
	Head
	Steps []AttemptStep `json:"steps"`
	Outcome
}

// AttemptStep is one event and the answer to it.
type AttemptStep struct {
	// Event is "connect" (a new connection with the peer, the one of before has ended),
	// "open" (the node sends open_channel with ID) or "receive".
	Event   string `json:"event"`
	Peer    Uint   `json:"peer"`
	ID      Hex    `json:"temporary_channel_id,omitempty"`
	Message Hex    `json:"message,omitempty"`
	Fault   bool   `json:"fault,omitempty"`
	// Answer is the name of the message that goes back with AnswerID, absent: none.
	Answer   string `json:"answer,omitempty"`
	AnswerID Hex    `json:"answer_id,omitempty"`
	Attempts Uint   `json:"attempts"` // with the peer, afterwards; accepted ones count
}
