package peer_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"superscalar/refnode/peer"
	"superscalar/refnode/plugin"
	"superscalar/wire"
)

// TestMain fixes the seed of the property tests, so that a run can be
// repeated; -rapid.seed sets another.
func TestMain(m *testing.M) {
	flag.Parse()
	for name, value := range map[string][2]string{
		"rapid.seed": {"0", "56"}, "rapid.nofailfile": {"false", "true"},
	} {
		if f := flag.Lookup(name); f.Value.String() == value[0] {
			if err := f.Value.Set(value[1]); err != nil {
				panic(err)
			}
		}
	}
	os.Exit(m.Run())
}

func fill(x byte) [32]byte { return [32]byte(bytes.Repeat([]byte{x}, 32)) }

// chain is the chain hash of the node in all tests.
var chain = fill(0xc4)

// them is the peer in all tests.
var them = wire.Point(point(99))

// point returns n times the generator of secp256k1.
func point(n uint32) wire.Point {
	var k secp256k1.ModNScalar
	k.SetInt(n)
	return wire.Point(secp256k1.NewPrivateKey(&k).PubKey().SerializeCompressed())
}

// channelKeys returns the keys number n: six points that no other number has.
func channelKeys(n uint32) wire.ChannelKeys {
	return wire.ChannelKeys{
		Funding: point(6*n + 1), Revocation: point(6*n + 2), Payment: point(6*n + 3),
		DelayedPayment: point(6*n + 4), HTLC: point(6*n + 5), FirstPerCommitment: point(6*n + 6),
	}
}

// keyring holds the keys 0 to 99: making them takes longer than using them.
var keyring = func() (out [100]wire.ChannelKeys) {
	for n := range out {
		out[n] = channelKeys(uint32(n))
	}
	return out
}()

var errNoRandomness = errors.New("no randomness")

// config is a node with both plugins of this project and the toy. Everything
// it draws is counted up, so that two of them do the same.
func config(codec wire.Codec) peer.Config {
	ids, keys := byte(0xe0), 0
	return peer.Config{
		Codec:     codec,
		Features:  peer.Features(),
		ChainHash: chain,
		Plugins: []plugin.Plugin{
			plugin.NewSuperScalar(codec, nil), plugin.NewLoopback(codec, repeat(0x77)), toy{},
		},
		Keys: func() (wire.ChannelKeys, error) {
			keys++
			return keyring[keys%len(keyring)], nil
		},
		TemporaryID: func() (wire.ChannelID, error) {
			ids++
			return fill(ids), nil
		},
	}
}

// repeat is a random source that gives one byte over and over.
type repeat byte

func (r repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r)
	}
	return len(p), nil
}

// toy is a factory protocol of somebody else, to show what a base node does
// about a plugin that it does not know. What it does is in the payload.
type toy struct{}

var toyID = fill(0x70)

func (toy) ProtocolID() wire.ProtocolID { return toyID }

func (toy) Receive(_ plugin.PeerID, payload []byte) ([][]byte, error) {
	switch string(payload) {
	case "twice":
		return [][]byte{[]byte("one"), []byte("two")}, nil
	case "refuse":
		return [][]byte{[]byte("bye")}, &plugin.Violation{Reason: "toy says no"}
	case "break":
		return nil, errors.New("disk /var/toy is full")
	case "burst":
		return [][]byte{make([]byte, wire.MaxPayload+1), []byte("late")}, nil
	}
	return nil, nil
}

func (toy) CheckChannel(_ plugin.PeerID, open *wire.OpenChannel) error {
	switch open.ChannelInFactory.InstanceID {
	case fill(0xff):
		return errors.New("disk /var/toy is full")
	case fill(0xfe):
		return &plugin.Violation{Reason: "toy says no"}
	}
	return nil
}

func (toy) Offer(plugin.PeerID, uint64) (wire.ChannelInFactory, error) {
	return wire.ChannelInFactory{}, plugin.ErrNoFactory
}

// encode is Encode for messages that have to encode.
func encode(t testing.TB, c wire.Codec, m wire.Message) []byte {
	t.Helper()
	b, err := c.Encode(m)
	if err != nil {
		t.Fatalf("encoding %s: %v", m.Name(), err)
	}
	return b
}

// goodOpen is an open_channel that every check lets pass.
func goodOpen(id byte) *wire.OpenChannel {
	return &wire.OpenChannel{
		ChainHash: chain, TemporaryChannelID: fill(id),
		FundingSat: 100_000, DustLimitSat: 354, MaxHTLCInFlightMsat: 100_000_000, ChannelReserveSat: 1000,
		HTLCMinimumMsat: 1, FeeratePerKw: 253, ToSelfDelay: 144, MaxAcceptedHTLCs: 483,
		Keys:        keyring[90],
		ChannelType: wire.NewFeatures(12, 22, 46, 50),
		ChannelInFactory: &wire.ChannelInFactory{
			ProtocolID: wire.Codec{}.LoopbackID(), InstanceID: fill(0x11), EarlyWarningTime: 144,
		},
	}
}

// goodAccept is the answer to the open_channel of the node under test.
func goodAccept(id byte) *wire.AcceptChannel {
	return &wire.AcceptChannel{
		TemporaryChannelID: fill(id),
		DustLimitSat:       354, MaxHTLCInFlightMsat: 100_000_000, ChannelReserveSat: 1000, HTLCMinimumMsat: 1,
		ToSelfDelay: 144, MaxAcceptedHTLCs: 483,
		Keys:        keyring[91],
		ChannelType: wire.NewFeatures(12, 22, 46, 50),
	}
}
