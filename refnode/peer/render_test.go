package peer_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"superscalar/refnode/peer"
	"superscalar/wire"
)

// render is one action as a line of a trace.
func render(codec wire.Codec, a peer.Action) string {
	switch a := a.(type) {
	case peer.Send:
		m, err := codec.Decode(a.Message)
		if err != nil {
			return fmt.Sprintf("send %x, WHICH DOES NOT DECODE: %v", a.Message, err)
		}
		return "send " + describe(m)
	case peer.Event:
		return fmt.Sprintf("event %s: %s", a.Kind, a.Text)
	case peer.Close:
		if a.Rule == "" {
			return "close: " + a.Reason
		}
		return fmt.Sprintf("close %s: %s", a.Rule, a.Reason)
	}
	return fmt.Sprintf("UNKNOWN ACTION %T", a)
}

// describe is a message that the node sent.
func describe(m wire.Message) string {
	switch m := m.(type) {
	case *wire.Init:
		s := fmt.Sprintf("init features=%s", bits(m.Features))
		if len(m.GlobalFeatures) > 0 {
			s += " global=" + bits(m.GlobalFeatures)
		}
		if slices.Equal(m.Networks, [][32]byte{chain}) {
			s += " networks=ours"
		}
		return s
	case *wire.Pong:
		s := fmt.Sprintf("pong of %d bytes", len(m.Ignored))
		if bytes.ContainsFunc(m.Ignored, func(r rune) bool { return r != 0 }) {
			s += ", NOT ALL ZERO"
		}
		return s
	case *wire.ErrorMessage:
		return fmt.Sprintf("error channel=%s %+q", short(m.ChannelID), m.Data)
	case *wire.Warning:
		if m.ChannelID == (wire.ChannelID{}) {
			return fmt.Sprintf("warning %+q", m.Data)
		}
		return fmt.Sprintf("warning channel=%s %+q", short(m.ChannelID), m.Data)
	case *wire.SupportedProtocols:
		var names []string
		for _, id := range m.IDs {
			names = append(names, short(id))
		}
		return fmt.Sprintf("%s ids=%s", m.Name(), strings.Join(names, ","))
	case *wire.Piggyback:
		if len(m.Payload) > 100 {
			return fmt.Sprintf("%s protocol=%s payload of %d bytes", m.Name(), short(m.ProtocolID), len(m.Payload))
		}
		return fmt.Sprintf("%s protocol=%s payload=%+q", m.Name(), short(m.ProtocolID), m.Payload)
	case *wire.OpenChannel:
		return fmt.Sprintf("%s id=%s funding=%d push=%d dust=%d reserve=%d feerate=%d delay=%d htlcs=%d flags=%d type=%s protocol=%s instance=%s ewt=%d keys=%s",
			m.Name(), short(m.TemporaryChannelID), m.FundingSat, m.PushMsat, m.DustLimitSat, m.ChannelReserveSat, m.FeeratePerKw, m.ToSelfDelay,
			m.MaxAcceptedHTLCs, m.ChannelFlags, bits(m.ChannelType), short(m.ChannelInFactory.ProtocolID), short(m.ChannelInFactory.InstanceID),
			m.ChannelInFactory.EarlyWarningTime, keyNumber(m.Keys))
	case *wire.AcceptChannel:
		return fmt.Sprintf("%s id=%s dust=%d reserve=%d depth=%d delay=%d htlcs=%d type=%s keys=%s",
			m.Name(), short(m.TemporaryChannelID), m.DustLimitSat, m.ChannelReserveSat, m.MinimumDepth, m.ToSelfDelay, m.MaxAcceptedHTLCs,
			bits(m.ChannelType), keyNumber(m.Keys))
	}
	return fmt.Sprintf("%s %+v", m.Name(), m)
}

// bits are the set bits of a feature field, and a note when it is longer than
// it has to be.
func bits(f wire.Features) string {
	var out []string
	for _, bit := range f.Bits() {
		out = append(out, fmt.Sprint(int(bit)))
	}
	s := strings.Join(out, ",")
	if len(f) > 0 && f[0] == 0 {
		s += " IN A FIELD TOO LONG"
	}
	return s
}

// short is a protocol's name, one byte when all 32 are the same, else all.
func short[T ~[32]byte](id T) string {
	for name, known := range protocolNames {
		if T(known) == id {
			return name
		}
	}
	if id == T(fill(id[0])) {
		return hex.EncodeToString(id[:1])
	}
	return hex.EncodeToString(id[:])
}

func keyNumber(keys wire.ChannelKeys) string {
	return fmt.Sprintf("#%d", slices.Index(keyring[:], keys))
}
