package vectors

// ChannelConversation is one side of a channel inside a factory, and everything
// that happens to it, step by step. The other side is messages only. A bad one
// has a message, or an order, that must not be followed.
type ChannelConversation struct {
	Head
	Party string `json:"party"` // "lsp", who opened the channel, or "client": who is under test
	// After names the good conversation of the same party that it has lived
	// through, AfterSteps how many steps of it (absent: all). Since then the
	// connection has ended, and with it whatever was on its way; whether the
	// process ended too makes no difference.
	After      string `json:"after,omitempty"`
	AfterSteps *Uint  `json:"after_steps,omitempty"`
	// Channel is set where After is not.
	Channel *ChannelFacts `json:"channel,omitempty"`
	Steps   []ChannelStep `json:"steps"`
	// Allows are other reactions to the fault that SPEC.md leaves a choice of.
	Allows []string `json:"allows,omitempty"`
	Outcome

	// Before is what After names; Load sets it.
	Before *ChannelConversation `json:"-"`
}

// ChannelFacts is what both sides know before the first step: open_channel and
// accept_channel have been exchanged.
type ChannelFacts struct {
	Height uint32         `json:"height"` // of the best block, from start to end
	Open   Hex            `json:"open_channel"`
	Accept Hex            `json:"accept_channel"`
	Output FactoryOutput  `json:"output"` // that the ceremony made for the channel
	LSP    ChannelSecrets `json:"lsp"`
	Client ChannelSecrets `json:"client"`
	// Others are more channels of the two, which sales made. They are number 1, 2
	// and so on; the one above is number 0.
	Others []OtherChannel `json:"others,omitempty"`
	// Limits are what the factory lets its channels be used for; absent: no limits.
	Limits *ChannelLimits `json:"limits,omitempty"`
}

// OtherChannel is what both sides know of another channel of theirs.
type OtherChannel struct {
	Open   Hex            `json:"open_channel"`
	Accept Hex            `json:"accept_channel"`
	Output FactoryOutput  `json:"output"`
	LSP    ChannelSecrets `json:"lsp"`
	Client ChannelSecrets `json:"client"`
}

// ChannelLimits are what a factory lets its channels be used for.
type ChannelLimits struct {
	Until       uint32 `json:"until"`             // from this height on no HTLC is offered: T - exit_time (CHAN-011)
	MaxExposure Uint   `json:"max_exposure_msat"` // of a client: what HTLCs towards it may sum to (CHAN-012)
}

// FactoryOutput is an output for a channel in a factory.
type FactoryOutput struct {
	Txid  Hex  `json:"txid"` // as it stands in an input
	Index Uint `json:"output"`
	Value Uint `json:"satoshis"`
}

// ChannelSecrets are the secret keys of one side of a channel.
type ChannelSecrets struct {
	Funding    Hex `json:"funding_privkey"`
	Revocation Hex `json:"revocation_basepoint_secret"`
	Payment    Hex `json:"payment_basepoint_secret"`
	Delayed    Hex `json:"delayed_payment_basepoint_secret"`
	HTLC       Hex `json:"htlc_basepoint_secret"`
	Seed       Hex `json:"per_commitment_seed"`
}

// ChannelStep is one event and what the party under test does about it.
type ChannelStep struct {
	Event   string          `json:"event"`             // see the schema
	Channel *Uint           `json:"channel,omitempty"` // number of the one that an order is for; absent: 0
	Message *ChannelMessage `json:"message,omitempty"`
	Output  *FactoryOutput  `json:"output,omitempty"`  // of an update
	Absorbs []Uint          `json:"absorbs,omitempty"` // numbers of the channels that go into number 0 by it
	HTLC    *OfferedHTLC    `json:"htlc,omitempty"`    // to add
	// ID is of the HTLC to remove, Preimage or Reason what with.
	ID       *Uint  `json:"id,omitempty"`
	Preimage Hex    `json:"preimage,omitempty"`
	Reason   Hex    `json:"reason,omitempty"`
	Feerate  uint32 `json:"feerate_per_kw,omitempty"`
	Seconds  uint32 `json:"seconds,omitempty"`
	Height   uint32 `json:"height,omitempty"`      // of the new best block
	Tx       Hex    `json:"transaction,omitempty"` // that a block has
	Txid     Hex    `json:"txid,omitempty"`        // of the transaction with an output of the channel that a block has
	Fault    bool   `json:"fault,omitempty"`       // this is what is wrong

	Sends   []ChannelMessage `json:"sends,omitempty"`
	Refused bool             `json:"refused,omitempty"` // an order is not followed
	Closes  bool             `json:"closes,omitempty"`  // the party ends the connection, behind what it sends
	State   string           `json:"state"`             // afterwards
	Holds   *ChannelHolds    `json:"holds,omitempty"`   // when it is not what it was before
	// Others are the other channels whose state, or what is held of them, is not
	// what it was before.
	Others []OtherSeen `json:"others,omitempty"`
	// Leaves says that the party starts its way out of the factory.
	Leaves bool `json:"leaves,omitempty"`
	// Publishes are the transactions that it wants in a block, without children.
	Publishes []Hex `json:"publishes,omitempty"`
	// Punishes is what it takes of a commitment that was revoked.
	Punishes *Punished `json:"punishes,omitempty"`
}

// OtherSeen is a channel other than number 0, after a step.
type OtherSeen struct {
	Channel Uint          `json:"channel"`
	State   string        `json:"state"`
	Holds   *ChannelHolds `json:"holds,omitempty"` // when it is not what it was before
}

// Punished is what a party takes of a revoked commitment in a block.
type Punished struct {
	Number  Uint   `json:"commitment_number"`
	Key     Hex    `json:"revocation_privkey"`
	Outputs []Uint `json:"outputs"` // of the transaction, in order: all but the anchors
}

// ChannelMessage is a message of a channel.
type ChannelMessage struct {
	Name  string `json:"name"`
	Bytes Hex    `json:"bytes"`
	Decoded
	Compare string `json:"compare,omitempty"` // of what the party sends
}

// OfferedHTLC is an HTLC that the party is asked to offer. Its onion is zeros.
type OfferedHTLC struct {
	Amount Uint   `json:"amount_msat"`
	Hash   Hex    `json:"payment_hash"`
	Expiry uint32 `json:"cltv_expiry"`
}

// ChannelHolds is what a party knows of its channel.
type ChannelHolds struct {
	Own      Uint  `json:"commitment_number"`        // of its latest commitment
	Peer     Uint  `json:"revoked_by_peer"`          // how many commitments the other side has revoked
	Outputs  []Hex `json:"funding_txids"`            // that updates are signed for, the one in use first
	Next     Hex   `json:"change_txid,omitempty"`    // of the change that is committed to and not continued
	Opener   Uint  `json:"opener_msat"`              // on the output in use, each HTLC counted to who offered it
	Accepter Uint  `json:"accepter_msat"`            //
	HTLCs    Uint  `json:"htlcs"`                    // that are not irrevocably gone
	Replaced []Hex `json:"replaced_txids,omitempty"` // outputs of before whose commitments are kept
	// CalledOff are outputs of changes that were called off, for which a
	// commitment is signed that is not revoked.
	CalledOff []Hex `json:"called_off_txids,omitempty"`
}
