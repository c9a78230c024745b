package hub_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg"

	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/refnode/hub"
	"superscalar/refnode/peer"
	"superscalar/refnode/store"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// oneOutput is a factory whose channels are all on one output.
type oneOutput struct{ key *btcec.PrivateKey }

func (o oneOutput) FundingKey(wire.Point, *wire.OpenChannel) (*btcec.PrivateKey, error) {
	return o.key, nil
}

func (o oneOutput) Outpoint(wire.Point, *wire.OpenChannel) (wire.Txid, uint16, error) {
	return wire.Txid{5}, 1, nil
}

func (o oneOutput) CheckOutpoint(wire.Point, *wire.OpenChannel, wire.Txid, uint16) error { return nil }
func (o oneOutput) Hear(hub.Channel, channel.Action)                                     {}

// taker is a client's hub, and the LSP that opens channels with it.
type taker struct {
	t     *testing.T
	dir   string
	rules rule.Set
	many  bool // outputs, each with a key of its own
	store *store.Store
	hub   *hub.Hub
	lsp   wire.Point
	n     byte // channels that were opened

	starts int // a process that starts again draws something else
}

func secret(label string) *btcec.PrivateKey {
	sum := sha256.Sum256([]byte(label))
	k, _ := btcec.PrivKeyFromBytes(sum[:])
	return k
}

func deriver(who string) hub.Derive {
	return func(label string) (*btcec.PrivateKey, error) { return secret(who + label), nil }
}

func (k *taker) start() {
	k.t.Helper()
	var err error
	var outputs hub.Factory = oneOutput{secret("channel_key")}
	if k.many {
		outputs = manyOutputs{}
	}
	k.store, err = store.Open(k.dir)
	check(k.t, err)
	k.starts++
	k.hub, err = hub.Open(hub.Config{
		Store: k.store, Key: secret("client"), Net: &chaincfg.RegressionNetParams, Rand: source(fmt.Sprint("client", k.starts)), Derive: deriver("client"), Rules: k.rules,
		Factories: map[wire.ProtocolID]hub.Factory{{1}: outputs},
	}, 100)
	check(k.t, err)
	k.hub.Connected(k.lsp, nil)
}

func (k *taker) stop() {
	k.hub.Close()
	check(k.t, k.store.Close())
}

// signs opens a channel as far as the client goes, with the keys that a salt gives the
// LSP, and reports whether the client signs the LSP's first commitment.
func (k *taker) signs(salt byte, feerate uint32) bool { return k.signsAt(salt, feerate, 1) }

// factoryOf is the factory that has an output.
func factoryOf(index uint16) [32]byte { return [32]byte{8, byte(index / 7)} }

// signsAt does so on another output.
func (k *taker) signsAt(salt byte, feerate uint32, index uint16) bool {
	k.t.Helper()
	k.n++
	keys, err := hub.Keys(deriver("lsp"), hub.Salt{salt}, secret("lsp_channel_key"))
	check(k.t, err)
	in := wire.ChannelInFactory{ProtocolID: wire.ProtocolID{1}, InstanceID: factoryOf(index), EarlyWarningTime: 144}
	open := channel.NewOpen(chainHash, wire.ChannelID{9, k.n}, 100_000, in, hub.Points(keys))
	open.FeeratePerKw = feerate
	ours, theirs, err := k.hub.NewKeys(k.lsp, open)
	check(k.t, err)
	accept := channel.NewAccept(open, theirs)
	m, err := channel.NewOpener(channel.Config{Keys: keys}, open, accept)
	check(k.t, err)
	check(k.t, k.hub.Opened(k.lsp, peer.Opening{Salt: ours, Open: open, Accept: accept}))
	check(k.t, m.Outpoint(wire.Txid{5}, index))
	for _, a := range m.Take() {
		if s, ok := a.(channel.Send); ok {
			k.hub.Receive(k.lsp, open.TemporaryChannelID, s.Message)
		}
	}
	for _, out := range k.hub.Outgoing(k.lsp) {
		if out.Message != nil && out.Message.Name() == "funding_signed" {
			return true
		}
	}
	return false
}

// forget ends the attempt: nothing of its channel is kept.
func (k *taker) forget() {
	k.t.Helper()
	id := channel.ChannelIDOf(wire.Txid{5}, 1)
	if err := k.hub.Do(id, func(m *channel.Machine) error { m.Forget(); return nil }); err != nil && !errors.Is(err, hub.ErrNoChannel) {
		k.t.Fatal(err)
	}
	if n := len(k.hub.Channels()); n != 0 {
		k.t.Fatalf("%d channels are left", n)
	}
}

var chainHash = [32]byte(*chaincfg.RegressionNetParams.GenesisHash)

// The client signs one first commitment of the LSP on an output, however often the
// channel is forgotten and opened again, and after a restart: the secret of another one
// need never come out (CHAN-035). The same one it signs again.
func TestOneFirstCommitmentOnAnOutput(t *testing.T) {
	const rate = channel.MinFeeratePerKw
	k := &taker{t: t, dir: t.TempDir(), lsp: wire.Point(secret("lsp").PubKey().SerializeCompressed())}
	k.start()
	if !k.signs(1, rate) {
		t.Fatal("it does not sign the first one")
	}
	for _, again := range []string{"forgotten", "and after a restart"} {
		k.forget()
		if k.signs(2, rate) {
			t.Fatalf("%s, it signs one with other keys", again)
		}
		if k.signs(1, rate+1) {
			t.Fatalf("%s, it signs one with another feerate", again)
		}
		if !k.signs(1, rate) {
			t.Fatalf("%s, it does not sign the same one again", again)
		}
		k.forget()
		k.stop()
		k.start()
	}
	k.stop()
}

// What TheirFirst says is what funding_signed signs: the opener's own first commitment.
func TestTheirFirst(t *testing.T) {
	lsp, err := hub.Keys(deriver("lsp"), hub.Salt{1}, secret("lsp_channel_key"))
	check(t, err)
	client, err := hub.Keys(deriver("client"), hub.Salt{2}, secret("channel_key"))
	check(t, err)
	open := channel.NewOpen(chainHash, wire.ChannelID{9}, 100_000, wire.ChannelInFactory{ProtocolID: wire.ProtocolID{1}, EarlyWarningTime: 144}, hub.Points(lsp))
	accept := channel.NewAccept(open, hub.Points(client))
	a, err := channel.NewOpener(channel.Config{Keys: lsp}, open, accept)
	check(t, err)
	b, err := channel.NewAccepter(channel.Config{Keys: client}, open, accept)
	check(t, err)
	b.Connected()
	txid := wire.Txid{5}
	said, err := b.TheirFirst(txid, 1)
	check(t, err)
	check(t, a.Outpoint(txid, 1))
	for _, action := range a.Take() {
		if s, ok := action.(channel.Send); ok {
			b.Receive(s.Message)
		}
	}
	check(t, b.OutpointIs(""))
	for _, action := range b.Take() {
		if s, ok := action.(channel.Send); ok {
			a.Receive(s.Message)
		}
	}
	signed, err := a.LatestCommitment(txid)
	check(t, err)
	if got := wire.Txid(signed.Tx.TxHash()); got != said || signed.State.Balance[commitment.Accepter] != 0 {
		t.Errorf("it signs %x, said %x", got, said)
	}
}
