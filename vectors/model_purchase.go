package vectors

// Purchase is stock that moves to a client by an update: which state it replaces, and what
// is below it afterwards; or whether a client agrees to such an update. In a bad vector
// there is no such update, or Claim is another one.
type Purchase struct {
	Head
	Op            string `json:"op"` // "order" (of the LSP) or "agree" (a client to Claim)
	Terms         Terms  `json:"terms"`
	FundingTxid   Hex    `json:"funding_txid"`
	FundingOutput Uint   `json:"funding_output"`
	Steps         []Step `json:"steps"` // what happened to the factory before, as in kind history
	Buyer         Uint   `json:"buyer"`
	// From is a client of the group whose stock gives; absent: the buyer's own group.
	From   *Uint          `json:"from_client,omitempty"`
	Amount Uint           `json:"amount"` // sat
	Claim  *PlannedUpdate `json:"claim,omitempty"`
	// Update is the result of an order, Agrees that of a client; absent in a bad vector.
	Update *PlannedUpdate `json:"update,omitempty"`
	Agrees *bool          `json:"agrees,omitempty"`
	Outcome
}

// PlannedUpdate is what an update says.
type PlannedUpdate struct {
	Level      Uint   `json:"level"`
	Position   Uint   `json:"position"`
	Remaining  Uint   `json:"remaining"`
	Clients    []Uint `json:"clients"` // all whose channels move (CHG-013)
	Capacities []Uint `json:"capacities"`
	Stocks     []Uint `json:"stocks"`
}
