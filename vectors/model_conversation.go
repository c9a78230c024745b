package vectors

// Conversation is one party of ceremonies, and everything that happens to it,
// step by step. The other parties are messages only.
type Conversation struct {
	Head
	Party  string `json:"party"`            // "client" or "lsp": who is under test
	Client *Uint  `json:"client,omitempty"` // its number, when it is a client
	// After names the good conversation that the party has lived through: it
	// was started again since. Absent: it has no factory.
	After  string       `json:"after,omitempty"`
	Chain  string       `json:"chain"`  // "mainnet" or "other"
	Height uint32       `json:"height"` // of the best block at the start
	Keys   []PartyKeys  `json:"keys"`
	Steps  []Happening  `json:"steps"`
	Breaks []Disconnect `json:"disconnects,omitempty"`
	Outcome

	// Before is what After names; Load sets it.
	Before *Conversation `json:"-"`
}

// PartyKeys are the secret keys of one party for one attempt.
type PartyKeys struct {
	Party    string `json:"party"` // "lsp", "client 0", ...
	Ceremony Hex    `json:"ceremony_id"`
	Factory  Hex    `json:"factory_key,omitempty"`
	Payout   Hex    `json:"payout_key,omitempty"`
	Channels []Hex  `json:"channel_keys,omitempty"` // of the LSP: by client
}

// Happening is one event and what the party under test does about it.
type Happening struct {
	Event string `json:"event"` // see the schema
	// From is whose message arrives, or whose connection ends.
	From    string       `json:"from,omitempty"`
	Message *Said        `json:"message,omitempty"`
	Order   *PartyOrder  `json:"order,omitempty"`
	Seconds Uint         `json:"seconds,omitempty"` // that pass
	Height  uint32       `json:"height,omitempty"`
	Spent   []ChainPoint `json:"spent,omitempty"`
	// Unfunded: the funding transactions are not confirmed, or not any more.
	Unfunded bool `json:"unfunded,omitempty"`
	Fault    bool `json:"fault,omitempty"` // this is what is wrong

	// Randomness is what every draw of this step returns; absent when none is
	// made.
	Randomness Hex `json:"randomness,omitempty"`
	// Signs is put on record, durably, before anything of Sends leaves.
	Signs []SignEntry `json:"signs,omitempty"`
	Sends []Said      `json:"sends,omitempty"`
	// Broadcast is the txid of what an LSP hands to the network.
	Broadcast Hex    `json:"broadcasts,omitempty"`
	Refused   bool   `json:"refused,omitempty"` // an order is refused
	State     string `json:"state"`             // of section 5.3 afterwards
	Keeps     Keeps  `json:"keeps,omitzero"`    // when it is not what it was before
}

// Said is a message with whom it is for.
type Said struct {
	To      string `json:"to,omitempty"` // absent: the party under test
	Name    string `json:"name"`
	Bytes   Hex    `json:"bytes"`
	Records Object `json:"records,omitempty"`
	Compare string `json:"compare,omitempty"` // of what the party sends
}

// PartyOrder is what the operator of an LSP asks for.
type PartyOrder struct {
	// A creation.
	Capacities []Uint      `json:"capacities,omitempty"` // sat, of the clients invited
	Parameters *Parameters `json:"parameters,omitempty"` // without heights
	Shape      *Shape      `json:"shape,omitempty"`
	Stock      Uint        `json:"stock,omitempty"` // sat, for each client of a group
	// Coin is the outpoint that the funding transaction of each attempt
	// spends, its index counting from 1.
	Coin Hex `json:"coin,omitempty"`
	// A change.
	Factory  Hex   `json:"factory,omitempty"`
	Buyer    *Uint `json:"buyer,omitempty"`
	Amount   Uint  `json:"amount,omitempty"` // sat
	Level    *Uint `json:"level,omitempty"`
	Position *Uint `json:"position,omitempty"`
}

// ChainPoint is an outpoint.
type ChainPoint struct {
	Txid   Hex  `json:"txid"`
	Output Uint `json:"output"`
}

// Keeps is what is on the disk of the party under test.
type Keeps struct {
	Factories Uint  `json:"factories"`         // complete: of an LSP those it has funded
	Begun     bool  `json:"begun,omitempty"`   // something on an existing outpoint may be signed in the last change
	Phases    Uint  `json:"phases,omitempty"`  // of the last change, complete
	Pending   bool  `json:"pending,omitempty"` // of an LSP: a change was interrupted
	Txids     []Hex `json:"txids,omitempty"`   // of what it can publish now and could not before, sorted
}

// Disconnect is what two parties are left with when their connection ends
// after Messages messages have arrived, and the next one is lost.
type Disconnect struct {
	Messages Uint   `json:"messages"`
	Lost     string `json:"lost,omitempty"` // name of the message that does not arrive
	State    string `json:"state"`          // of the party under test
	Keeps    Keeps  `json:"keeps"`
	Sends    []Said `json:"sends,omitempty"` // to others
}
