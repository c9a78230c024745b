package plugin_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/google/go-cmp/cmp"

	"superscalar/refnode/peer"
	"superscalar/refnode/plugin"
	"superscalar/wire"
)

// diary is a factory protocol of somebody else: it writes down what it is
// given, and answers with a count.
type diary struct {
	id       wire.ProtocolID
	payloads []string
	channels [][32]byte
	peers    []plugin.PeerID
}

func (d *diary) ProtocolID() wire.ProtocolID { return d.id }

func (d *diary) Receive(from plugin.PeerID, payload []byte) ([][]byte, error) {
	d.payloads = append(d.payloads, string(payload))
	d.peers = append(d.peers, from)
	return [][]byte{{byte(len(d.payloads))}}, nil
}

func (d *diary) CheckChannel(from plugin.PeerID, open *wire.OpenChannel) error {
	d.channels = append(d.channels, open.ChannelInFactory.InstanceID)
	d.peers = append(d.peers, from)
	return nil
}

func (d *diary) Offer(plugin.PeerID, uint64) (wire.ChannelInFactory, error) {
	return wire.ChannelInFactory{ProtocolID: d.id, InstanceID: fill(0xd1), EarlyWarningTime: 10}, nil
}

// node is a base node with the plugins of this package and one more.
type node struct {
	t       *testing.T
	machine *peer.Machine
}

func newNode(t *testing.T, plugins ...plugin.Plugin) *node {
	key := func() wire.Point {
		k, _ := btcec.PrivKeyFromBytes([]byte{7})
		return wire.Point(k.PubKey().SerializeCompressed())
	}()
	n := &node{t, peer.New(peer.Config{
		Features: peer.Features(), ChainHash: fill(0xc4), Plugins: plugins,
		Keys: func() (wire.ChannelKeys, error) {
			return wire.ChannelKeys{Funding: key, Revocation: key, Payment: key, DelayedPayment: key, HTLC: key, FirstPerCommitment: key}, nil
		},
		TemporaryID: func() (wire.ChannelID, error) { return fill(0xe1), nil },
	}, them)}
	n.machine.Start()
	return n
}

// tell feeds a message and returns what is sent back.
func (n *node) tell(m wire.Message) (out []wire.Message) {
	n.t.Helper()
	b, err := wire.Codec{}.Encode(m)
	if err != nil {
		n.t.Fatal(err)
	}
	return n.sent(n.machine.Receive(b))
}

func (n *node) sent(actions []peer.Action) (out []wire.Message) {
	n.t.Helper()
	for _, a := range actions {
		switch a := a.(type) {
		case peer.Send:
			m, err := wire.Codec{}.Decode(a.Message)
			if err != nil {
				n.t.Fatal(err)
			}
			out = append(out, m)
		case peer.Close:
			n.t.Fatalf("closed: %s %s", a.Rule, a.Reason)
		}
	}
	return out
}

// A plugin that this project does not know is registered beside the others and
// gets exactly its own payloads and channels (PCF-035, PCF-061).
func TestAThirdPlugin(t *testing.T) {
	d := &diary{id: fill(0xdd)}
	ss := plugin.NewSuperScalar(wire.Codec{}, nil)
	lb := plugin.NewLoopback(wire.Codec{}, rand.NewChaCha8([32]byte{1}))
	n := newNode(t, ss, d, lb)
	listed := n.tell(&wire.Init{Features: wire.NewFeatures(35, 47, 51, 271), Networks: [][32]byte{fill(0xc4)}})
	all := [][32]byte{ss.ProtocolID(), lb.ProtocolID(), d.id}
	slices.SortFunc(all, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
	if diff := cmp.Diff([]wire.Message{&wire.SupportedProtocols{IDs: all}}, listed, cmp.AllowUnexported(wire.SupportedProtocols{})); diff != "" {
		t.Fatalf("listed, -want +got:\n%s", diff)
	}
	n.tell(&wire.SupportedProtocols{IDs: all})

	var answers []string
	for _, p := range []struct {
		to      wire.ProtocolID
		payload string
	}{
		{d.id, "first"}, {lb.ProtocolID(), "\x00for loopback"}, {ss.ProtocolID(), "\x00\x01"}, {d.id, ""}, {lb.ProtocolID(), "\x01reply"}, {d.id, "\x00third"},
	} {
		for _, m := range n.tell(&wire.Piggyback{ProtocolID: p.to, Payload: []byte(p.payload)}) {
			reply, ok := m.(*wire.Piggyback)
			if !ok || reply.ProtocolID != p.to {
				t.Fatalf("answered %+v to a payload for %x", m, p.to)
			}
			answers = append(answers, string(reply.Payload))
		}
	}
	if diff := cmp.Diff([]string{"first", "", "\x00third"}, d.payloads); diff != "" {
		t.Errorf("the diary got, -want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"\x01", "\x01for loopback", "\x02", "\x03"}, answers); diff != "" {
		t.Errorf("answers, -want +got:\n%s", diff)
	}

	for i, id := range []wire.ProtocolID{d.id, lb.ProtocolID(), ss.ProtocolID()} {
		n.tell(openIn(id, byte(i+1)))
	}
	if diff := cmp.Diff([][32]byte{fill(1)}, d.channels); diff != "" {
		t.Errorf("the diary was asked about, -want +got:\n%s", diff)
	}
	for _, from := range d.peers {
		if from != them {
			t.Errorf("the diary was told of peer %s", from)
		}
	}
}

// openIn is an open_channel in instance n, with temporary id n.
func openIn(id wire.ProtocolID, n byte) *wire.OpenChannel {
	k, _ := btcec.PrivKeyFromBytes([]byte{9})
	p := wire.Point(k.PubKey().SerializeCompressed())
	return &wire.OpenChannel{
		ChainHash: fill(0xc4), TemporaryChannelID: fill(n), FundingSat: 100_000, DustLimitSat: 354, ChannelReserveSat: 354,
		FeeratePerKw: 253, MaxAcceptedHTLCs: 1, ChannelType: wire.NewFeatures(12, 22, 46, 50),
		Keys:             wire.ChannelKeys{Funding: p, Revocation: p, Payment: p, DelayedPayment: p, HTLC: p, FirstPerCommitment: p},
		ChannelInFactory: &wire.ChannelInFactory{ProtocolID: id, InstanceID: fill(n)},
	}
}

// A sale asks the plugins in common in the order of their ids, passes over
// those without a factory, and uses what the first of the others offers.
func TestAThirdPluginIsAskedForAFactory(t *testing.T) {
	ss := plugin.NewSuperScalar(wire.Codec{}, nil)
	lb := plugin.NewLoopback(wire.Codec{}, rand.NewChaCha8([32]byte{1}))
	for _, tt := range []struct {
		name   string
		id     wire.ProtocolID // of the third plugin
		common []wire.ProtocolID
		want   wire.ProtocolID // in which the channel is
	}{
		{"first in order", fill(0x01), [][32]byte{fill(0x01), lb.ProtocolID(), ss.ProtocolID()}, fill(0x01)},
		{"last in order", fill(0xff), [][32]byte{fill(0xff), lb.ProtocolID(), ss.ProtocolID()}, lb.ProtocolID()},
		{"after one without a factory", fill(0xff), [][32]byte{ss.ProtocolID(), fill(0xff)}, fill(0xff)},
		{"not in common", fill(0x01), [][32]byte{lb.ProtocolID()}, lb.ProtocolID()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNode(t, ss, lb, &diary{id: tt.id})
			n.tell(&wire.Init{Features: wire.NewFeatures(35, 47, 51, 271)})
			n.tell(&wire.SupportedProtocols{IDs: tt.common})
			actions, err := n.machine.Sell(100_000)
			if err != nil {
				t.Fatal(err)
			}
			sent := n.sent(actions)
			if len(sent) != 1 {
				t.Fatalf("sent %d messages", len(sent))
			}
			open, ok := sent[0].(*wire.OpenChannel)
			if !ok || open.ChannelInFactory.ProtocolID != tt.want {
				t.Errorf("sent %+v, want open_channel in %x", sent[0], tt.want)
			}
			if ok && open.ChannelInFactory.ProtocolID == tt.id && open.ChannelInFactory.EarlyWarningTime != 10 {
				t.Errorf("the early warning time is %d", open.ChannelInFactory.EarlyWarningTime)
			}
		})
	}
}
