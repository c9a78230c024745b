package vectors

// Handshake is one side of a BOLT 8 handshake with fixed keys.
type Handshake struct {
	Head
	Role         string `json:"role"` // "initiator" or "responder": the side under test
	LocalKey     Hex    `json:"local_key"`
	LocalID      Hex    `json:"local_id"`
	RemoteID     Hex    `json:"remote_id,omitempty"` // known to an initiator only
	EphemeralKey Hex    `json:"ephemeral_key"`
	EphemeralID  Hex    `json:"ephemeral_id"`
	Acts         []Act  `json:"acts"` // in order; the last one carries the fault of a bad vector
	// The results, from the point of view of Role; absent in a bad vector.
	ChainingKey  Hex `json:"ck,omitempty"`
	SendingKey   Hex `json:"sending_key,omitempty"`
	ReceivingKey Hex `json:"receiving_key,omitempty"`
	Outcome
}

// Act is one act as it travels.
type Act struct {
	Act           int            `json:"act"`  // 1 to 3
	From          string         `json:"from"` // "initiator" or "responder"
	Bytes         Hex            `json:"bytes"`
	Intermediates *Intermediates `json:"intermediates,omitempty"`
}

// Intermediates are the inner values of an act that BOLT 8 appendix A prints,
// in the order they come up.
type Intermediates struct {
	HashKey   Hex `json:"h_key,omitempty"` // h after the ephemeral key, acts 1 and 2
	Secret    Hex `json:"ss"`              // ECDH secret
	Chain     Hex `json:"ck"`              // chaining key after the ECDH
	TempKey   Hex `json:"temp_k"`
	Cipher    Hex `json:"c"`           // acts 1 and 2: the tag; act 3: the encrypted node id
	HashAfter Hex `json:"h_c"`         // h after c
	Tag       Hex `json:"t,omitempty"` // act 3
}

// Transport is one frame of a connection whose handshake is complete. The
// messages 0 to Index-1 before it all have the same plaintext.
type Transport struct {
	Head
	InitiatorKey       Hex        `json:"initiator_key"`
	InitiatorEphemeral Hex        `json:"initiator_ephemeral"`
	ResponderKey       Hex        `json:"responder_key"`
	ResponderEphemeral Hex        `json:"responder_ephemeral"`
	From               string     `json:"from"` // "initiator" or "responder"
	ChainingKey        Hex        `json:"ck"`
	SendingKey         Hex        `json:"sending_key"` // of From, for message 0
	Rotations          []Rotation `json:"rotations,omitempty"`
	Plaintext          Hex        `json:"plaintext"`
	Index              int        `json:"index"` // of the message, from 0
	Frame              Hex        `json:"frame"`
	Outcome
}

// Rotation is one key rotation before a frame.
type Rotation struct {
	ChainingKey Hex `json:"ck"`
	Key         Hex `json:"key"`
}

// BigSize is one reading or writing of a bigsize.
type BigSize struct {
	Head
	Op    string `json:"op"` // "decode" or "encode"
	Bytes Hex    `json:"bytes"`
	Value *Uint  `json:"value,omitempty"`
	Outcome
}

// TLV is one tlv_stream in a namespace of BOLT 1 appendix B.
type TLV struct {
	Head
	Op        string   `json:"op"`                  // "decode" or "encode"
	Namespace string   `json:"namespace,omitempty"` // "n1", "n2" or "any": both; decode only
	Input     []Record `json:"input,omitempty"`     // encode only: in any order
	Bytes     Hex      `json:"bytes,omitzero"`      // absent in a bad encode
	Decoded
	Outcome
}

// Signed is a signed integer of BOLT 1 appendix D, as the whole value of a
// record; good ones are read and written.
type Signed struct {
	Head
	Width int  `json:"width"` // bytes of the type: 1, 2, 4 or 8
	Bytes Hex  `json:"bytes"`
	Value *Int `json:"value,omitempty"`
	Outcome
}

// Message is a whole message. A good one is decoded, compared with Decoded,
// and encoded again to the same bytes.
type Message struct {
	Head
	Message  string `json:"message"`            // name in its specification
	Envelope uint16 `json:"envelope,omitempty"` // 33001 when the reader is in the compatibility form
	Bytes    Hex    `json:"bytes"`
	Decoded
	Outcome
}

// Decoded is what a message or stream says. Which names and types appear is
// fixed by a Layout.
type Decoded struct {
	Fields  Object   `json:"fields,omitempty"`          // fixed fields, in wire order
	Records Object   `json:"records,omitempty"`         // known records by name, each an object
	Unknown []Record `json:"unknown_records,omitempty"` // skipped, and kept
}

// Record is a TLV record without interpretation.
type Record struct {
	Type  Uint `json:"type"`
	Value Hex  `json:"value"`
}

// Payload is a SuperScalar message as it stands in a piggyback; good ones are
// read and written.
type Payload struct {
	Head
	Bytes   Hex      `json:"bytes"`
	Type    *Uint    `json:"type,omitempty"`
	Records []Record `json:"records,omitempty"`
	Outcome
}

// ProtocolID is the id of a factory protocol.
type ProtocolID struct {
	Head
	Protocol   string `json:"protocol"`    // ASCII
	ProtocolID Hex    `json:"protocol_id"` // its SHA-256
	Outcome
}

// OpenDecision is what a node answers to an open_channel. It is refused with
// the rule of Error, or accepted.
type OpenDecision struct {
	Head
	Negotiated  Hex    `json:"negotiated"` // features both sides offer, even bits
	Common      []Hex  `json:"common"`     // protocol ids both sides listed
	ChainHash   Hex    `json:"chain_hash"` // of the receiver's chain
	OpenChannel Hex    `json:"open_channel"`
	Decision    string `json:"decision,omitempty"` // "accept", absent when refused
	Outcome
}
