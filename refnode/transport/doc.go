// Package transport carries Lightning messages between two nodes over the
// encrypted and authenticated transport of BOLT 8. It implements the
// transport part of SPEC.md (area TRN).
//
// It promises:
//   - a Conn exists only after a complete handshake, so its RemoteID is
//     proven, and ReadMessage returns whole messages or an error that tells a
//     clean end (io.EOF), a cut (io.ErrUnexpectedEOF) and a forgery
//     (ErrBadMAC) apart;
//   - a failed handshake names the act and the check by its class of BOLT 8
//     appendix A, and the socket is closed without another byte;
//   - sockets that stay silent cannot keep an honest peer out of a Listener;
//   - a Listener leaves no goroutine behind after Close.
//
// The cryptography is lnd's brontide.Machine; only the socket handling is
// ours. Machine is the same handshake without a socket, for vectors.
//
// It does not look into messages (not even at the type), does not reconnect,
// and keeps no list of peers.
package transport
