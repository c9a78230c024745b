package vectors

// CeremonyMessage is a payload that is a ceremony message. A decoded one is
// read and, without unknown records, written again to the same bytes.
type CeremonyMessage struct {
	Head
	Op      string `json:"op"`              // "decode" or "encode"
	Message string `json:"message"`         // name in SPEC.md 5.2
	Bytes   Hex    `json:"bytes,omitempty"` // absent in a bad encode
	Decoded
	Outcome
}

// Script is an output of a factory. In a bad vector Script is a wrong one, or
// there is none because its keys are refused.
type Script struct {
	Head
	Output      string `json:"output"` // "node", "stock", "channel", "payout" or "anchor"
	LSPKey      Hex    `json:"lsp_factory_key,omitempty"`
	Keys        []Hex  `json:"factory_keys,omitempty"` // of the clients, in their order
	StockCSV    Uint   `json:"stock_csv,omitempty"`
	ChannelKeys []Hex  `json:"channel_keys,omitempty"`
	PayoutKey   Hex    `json:"payout_key,omitempty"`
	Script      Hex    `json:"script,omitempty"`
	// What leads to Script; absent in a bad vector.
	AggregateKey  Hex    `json:"aggregate_key,omitempty"` // compressed, before the tweak
	InternalKey   Hex    `json:"internal_key,omitempty"`
	OutputKey     Hex    `json:"output_key,omitempty"`
	LeafScript    Hex    `json:"leaf_script,omitempty"`
	LeafHash      Hex    `json:"leaf_hash,omitempty"`
	ControlBlock  Hex    `json:"control_block,omitempty"`
	WitnessScript Hex    `json:"witness_script,omitempty"`
	Descriptor    string `json:"descriptor,omitempty"` // with checksum
	Outcome
}

// Parameters are those of SPEC.md 4.1.
type Parameters struct {
	Step           uint16 `json:"step"`
	States         uint8  `json:"states"`
	ConfirmBlocks  uint16 `json:"confirm_blocks"`
	MaxChain       uint8  `json:"max_chain"`
	StockCSV       uint16 `json:"stock_csv"`
	OmissionDelay  uint16 `json:"omission_delay"`
	ToSelfDelay    uint16 `json:"to_self_delay"`
	Margin         uint16 `json:"margin"`
	MaxFundingWait uint16 `json:"max_funding_wait"`
	Active         uint16 `json:"active"`
	Dying          uint16 `json:"dying"`
	TipHeight      uint32 `json:"tip_height"`
	Expiry         uint32 `json:"expiry"`
}

// Shape is that of SPEC.md 4.2, with the numbers that messages carry.
type Shape struct {
	Leaf   uint8   `json:"leaf"`
	Levels []Level `json:"levels"`
}

// Level is a level of a shape.
type Level struct {
	Kind  uint8 `json:"kind"`
	Arity uint8 `json:"arity"`
}

// Limits is the check of parameters by a receiver.
type Limits struct {
	Head
	Chain      string     `json:"chain"` // "mainnet" or "other"
	Clients    Uint       `json:"n"`
	Parameters Parameters `json:"parameters"`
	Shape      Shape      `json:"shape"`
	OwnHeight  uint32     `json:"own_height"` // of the receiver's best block
	// Results in blocks and, for ExitHeight, a height; absent in a bad vector.
	EarlyWarningTime *uint32 `json:"early_warning_time,omitempty"`
	ExitTime         *uint32 `json:"exit_time,omitempty"`
	ExitHeight       *uint32 `json:"exit_height,omitempty"`
	Outcome
}

// Split is how a shape splits clients. In a bad vector Levels and Groups are
// wrong, or absent because the shape is refused.
type Split struct {
	Head
	Clients Uint     `json:"n"`
	Shape   Shape    `json:"shape"`
	Levels  [][]Uint `json:"levels,omitempty"` // clients that each transaction covers
	Groups  [][]Uint `json:"groups,omitempty"` // clients of each group of each leaf
	Outcome
}

// Terms are what a proposal says. With Client they are what that client is
// told: amounts and payout keys of its region, channels of its leaf.
type Terms struct {
	Chain      string     `json:"chain"`
	Parameters Parameters `json:"parameters"`
	Shape      Shape      `json:"shape"`
	Client     *Uint      `json:"client,omitempty"`
	LSPKey     Hex        `json:"lsp_factory_key"`
	Keys       []Hex      `json:"factory_keys"`
	Sums       [][]Uint   `json:"sums,omitempty"` // sat, for each transaction above the region
	Capacities []Uint     `json:"capacities"`     // sat
	PayoutKeys []Hex      `json:"payout_keys"`
	Stocks     []Uint     `json:"stocks"` // sat
	// ChannelKeys are the clients' funding keys, LSPChannelKey the LSP's of
	// all channels.
	ChannelKeys   []Hex `json:"channel_keys"`
	LSPChannelKey Hex   `json:"lsp_channel_key"`
}

// Transaction is one transaction of a factory.
type Transaction struct {
	Name    string `json:"name"`  // see the comment of the file
	Value   Uint   `json:"value"` // sat, of the output it spends
	Txid    Hex    `json:"txid"`
	Sighash Hex    `json:"sighash"`
	Bytes   Hex    `json:"bytes,omitempty"` // without witness
}

// Claim is a transaction that somebody wants signed.
type Claim struct {
	Name  string `json:"name"`
	Bytes Hex    `json:"bytes"`
}

// Tree is a whole factory as it is created, or one client's part of it. In a
// bad vector the terms are refused, Claim is none of its transactions, or one
// of them is not in Signed.
type Tree struct {
	Head
	Terms         Terms  `json:"terms"`
	FundingTxid   Hex    `json:"funding_txid"`
	FundingOutput Uint   `json:"funding_output"`
	Claim         *Claim `json:"claim,omitempty"`
	// Signed are the names of all that somebody wants to sign; one is missing.
	Signed []string `json:"signed,omitempty"`
	// Results; absent in a bad vector.
	FundingValue  *Uint         `json:"funding_value,omitempty"` // sat
	FundingScript Hex           `json:"funding_script,omitempty"`
	Transactions  []Transaction `json:"transactions,omitempty"`
	Outcome
}

// History is a factory and what happens to it, step by step. In a bad vector
// the last step is refused, or its claim is none of its transactions.
type History struct {
	Head
	Terms         Terms  `json:"terms"`
	FundingTxid   Hex    `json:"funding_txid"`
	FundingOutput Uint   `json:"funding_output"`
	Steps         []Step `json:"steps"`
	Claim         *Claim `json:"claim,omitempty"` // of the last step
	Outcome
}

// Step is a change of a factory.
type Step struct {
	Do       string `json:"do"` // "update", "failed-update", "sale", "poison" or "lowest"
	Level    Uint   `json:"level"`
	Position Uint   `json:"position"`
	// Update: of the clients and groups that the state covers. The channels
	// have the keys of the terms, the LSP's key is new.
	Remaining     *Uint  `json:"remaining,omitempty"`
	Capacities    []Uint `json:"capacities,omitempty"`
	Stocks        []Uint `json:"stocks,omitempty"`
	LSPChannelKey Hex    `json:"lsp_channel_key,omitempty"`
	// Sale.
	Group      *Uint `json:"group,omitempty"`
	Before     *Uint `json:"sales_before,omitempty"`
	Buyer      *Uint `json:"buyer,omitempty"`
	Amount     *Uint `json:"amount,omitempty"` // sat
	ChannelKey Hex   `json:"channel_key,omitempty"`
	// Lowest: Level and Position are the result.
	Clients []Uint `json:"clients,omitempty"`
	// Transactions are what is signed; absent in a step that is refused.
	Transactions []Transaction `json:"transactions,omitempty"`
}

// SignRecord is what a node is asked to sign, in this order. In a bad vector
// the last entry is refused.
type SignRecord struct {
	Head
	Entries  []SignEntry `json:"entries"`
	Recorded *Uint       `json:"recorded,omitempty"` // different transactions; absent in a bad vector
	Outcome
}

// SignEntry is one transaction to sign.
type SignEntry struct {
	Txid     Hex    `json:"txid"` // of the outpoint
	Output   Uint   `json:"output"`
	Kind     string `json:"kind"`
	Sequence uint32 `json:"sequence"`
	Sighash  Hex    `json:"sighash"`
}

// NodeKeys are the aggregates that an LSP sends client Client with a proposal of
// such a shape and such keys. In a bad vector one of them is wrong, or their
// number is.
type NodeKeys struct {
	Head
	Shape    Shape `json:"shape"`
	Client   Uint  `json:"client"`
	LSPKey   Hex   `json:"lsp_factory_key"`
	Keys     []Hex `json:"factory_keys"`
	NodeKeys []Hex `json:"node_keys"`
	// KeySets are the first client and the number of clients of each set; absent
	// in a bad vector.
	KeySets [][]Uint `json:"key_sets,omitempty"`
	Outcome
}

// Session is a MuSig2 session with fixed nonces.
type Session struct {
	Head
	SecretKeys     []Hex `json:"secret_keys"`
	MerkleRoot     Hex   `json:"merkle_root,omitempty"` // of a stock output
	Message        Hex   `json:"message"`
	Randomness     []Hex `json:"randomness"` // 32 bytes for each nonce
	PublicNonces   []Hex `json:"public_nonces"`
	AggregateNonce Hex   `json:"aggregate_nonce,omitempty"`
	Partials       []Hex `json:"partial_signatures,omitempty"`
	OutputKey      Hex   `json:"output_key,omitempty"`
	Signature      Hex   `json:"signature,omitempty"` // absent in a bad vector
	Outcome
}
