package wire

// EmptyOf returns the message that a message of the given type is read into,
// for TypeFactory with the given submessage id: what Decode's switches know.
func EmptyOf(typ MsgType, sub SubType) Message {
	var c Codec
	return c.empty(typ, c.NewReader("", []byte{byte(sub >> 8), byte(sub)}))
}
