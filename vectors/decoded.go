package vectors

import (
	"errors"
	"fmt"

	"superscalar/wire"
)

// Decode returns what a message of package wire says, in the form it has in a
// file, with the name of its layout. Messages that package wire leaves to
// lnwire are read by their layout; those errors are *wire.Error.
func Decode(m wire.Message) (name string, d Decoded, err error) {
	switch m := m.(type) {
	case *wire.Base:
		return decodeBase(m)
	case *wire.Unknown:
		return "unknown", Decoded{Fields: Object{{"payload", Hex(m.Payload)}}}, nil
	case *wire.UnknownFactory:
		return m.Name(), Decoded{Fields: Object{
			{"factory_submessage_id", Uint(m.Sub)}, {"rest", Hex(m.Rest)}}}, nil
	}
	if d, ok := decodeControl(m); ok {
		return m.Name(), d, nil
	}
	if d, ok := decodeChannel(m); ok {
		return m.Name(), d, nil
	}
	if d, ok := decodeFactory(m); ok {
		return m.Name(), d, nil
	}
	return "", Decoded{}, fmt.Errorf("message %s has no form in the vectors", m.Name())
}

// ErrNoLayout says that a message type has no layout, as most of gossip.
var ErrNoLayout = errors.New("no layout for this message type")

func decodeBase(m *wire.Base) (string, Decoded, error) {
	for _, l := range Layouts {
		if l.Type == uint16(m.Kind) {
			d, err := l.Read(reader(l.Name, m.Payload))
			return l.Name, d, err
		}
	}
	return "", Decoded{}, fmt.Errorf("%w: %d", ErrNoLayout, m.Kind)
}

func reader(name string, b []byte) *wire.Reader { return wire.Codec{}.NewReader(name, b) }

// decodeControl knows the messages of wire/init.go and wire/control.go.
func decodeControl(m wire.Message) (Decoded, bool) {
	switch m := m.(type) {
	case *wire.Init:
		d := Decoded{Unknown: recordsOf(m.Extra), Fields: Object{
			{"globalfeatures", Hex(m.GlobalFeatures)}, {"features", Hex(m.Features)}}}
		if m.Networks != nil {
			d.add("networks", Object{{"chain_hashes", list(m.Networks)}})
		}
		if m.RemoteAddr != nil {
			d.add("remote_addr", Object{{"data", Hex(m.RemoteAddr)}})
		}
		return d, true
	case *wire.Warning:
		return notice(m.ChannelID, m.Data, m.Extra), true
	case *wire.ErrorMessage:
		return notice(m.ChannelID, m.Data, m.Extra), true
	case *wire.Ping:
		return Decoded{Unknown: recordsOf(m.Extra), Fields: Object{
			{"num_pong_bytes", Uint(m.NumPongBytes)}, {"ignored", Hex(m.Ignored)}}}, true
	case *wire.Pong:
		return Decoded{Unknown: recordsOf(m.Extra), Fields: Object{{"ignored", Hex(m.Ignored)}}}, true
	}
	return Decoded{}, false
}

func notice(id wire.ChannelID, data []byte, extra wire.Stream) Decoded {
	return Decoded{Unknown: recordsOf(extra), Fields: Object{{"channel_id", Hex(id[:])}, {"data", Hex(data)}}}
}

// decodeFactory knows the messages of wire/factory.go and wire/change.go.
func decodeFactory(m wire.Message) (d Decoded, ok bool) {
	switch m := m.(type) {
	case *wire.SupportedProtocols:
		d.Unknown = recordsOf(m.Extra)
		d.add("factory_protocol_ids", Object{{"factory_protocol_ids", list(m.IDs)}})
	case *wire.Piggyback:
		d.Unknown = recordsOf(m.Extra)
		d.add("factory_protocol_id", Object{{"factory_protocol_id", Hex(m.ProtocolID[:])}})
		d.payload(m.Payload)
	case *wire.ChangeInit:
		d.change(m.Payload, m.Change, m.Extra)
	case *wire.ChangeAck:
		d.change(m.Payload, m.Change, m.Extra)
	case *wire.ChangeFunding:
		d.outpoint(m.Name(), m.Outpoint, m.Extra)
	case *wire.ChangeContinue:
		d.outpoint(m.Name(), m.Outpoint, m.Extra)
	case *wire.ChangeLocked:
		d.Unknown = recordsOf(m.Extra)
		d.add(m.Name(), Object{{"channel_id", Hex(m.ChannelID[:])}, {"locked_funding_txid", Hex(m.LockedFundingTxid[:])}})
	case *wire.ChangeAbort:
		d.Unknown = recordsOf(m.Extra)
		d.add(m.Name(), Object{{"channel_id", Hex(m.ChannelID[:])}, {"data", Hex(m.Data)}})
	default:
		return d, false
	}
	return d, true
}

func (d *Decoded) add(record string, o Object) { d.Records = append(d.Records, Member{record, o}) }

func (d *Decoded) payload(b []byte) {
	if b != nil {
		d.add("factory_piggyback_payload", Object{{"payload", Hex(b)}})
	}
}

func (d *Decoded) change(payload []byte, c wire.Change, extra wire.Stream) {
	d.Unknown = recordsOf(extra)
	d.payload(payload)
	d.add("factory_change", Object{
		{"channel_id", Hex(c.ChannelID[:])},
		{"funding_contribution_satoshis", Int(c.FundingContributionSat)},
		{"funding_pubkey", Hex(c.FundingPubkey[:])}})
}

func (d *Decoded) outpoint(name string, o wire.ChangeOutpoint, extra wire.Stream) {
	d.Unknown = recordsOf(extra)
	d.add(name, Object{
		{"channel_id", Hex(o.ChannelID[:])},
		{"funding_txid", Hex(o.FundingTxid[:])},
		{"funding_output_index", Uint(o.FundingOutputIndex)}})
}

func list(hashes [][32]byte) []Hex {
	out := []Hex{}
	for _, h := range hashes {
		out = append(out, Hex(h[:]))
	}
	return out
}
