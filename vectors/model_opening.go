package vectors

// Opening is one message that opens a channel on an output that a ceremony makes: what
// its receiver decides about it, or whether its sender may say it.
type Opening struct {
	Head
	// Op is "take-open" (the client reads open_channel), "take-accept" (the LSP reads
	// accept_channel), "say-open" (the LSP says it) or "say-accept" (the client does).
	Op     string      `json:"op"`
	Asked  AskedOutput `json:"asked"`
	Open   Hex         `json:"open_channel"`
	Accept Hex         `json:"accept_channel,omitempty"` // where it is the message, or an answer to be
	// Decision is "accept" or, of what is said, "right"; absent in a bad vector.
	Decision string `json:"decision,omitempty"`
	Outcome
}

// AskedOutput is what a ceremony says of an output for a channel.
type AskedOutput struct {
	Instance     Hex    `json:"factory_instance_id"`
	Value        Uint   `json:"satoshis"`
	LSPKey       Hex    `json:"lsp_channel_key"`
	Key          Hex    `json:"channel_key"`        // of ceremony_join
	EarlyWarning uint16 `json:"early_warning_time"` // of the factory, blocks
	ToSelfDelay  uint16 `json:"to_self_delay"`      // of the factory's parameters, blocks
	Live         bool   `json:"live"`               // the attempt that makes the output is going on
}
