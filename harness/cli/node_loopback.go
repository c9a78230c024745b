package cli

import (
	"crypto/rand"
	"errors"
	"log/slog"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"

	"superscalar/refnode/hub"
	"superscalar/refnode/node"
	"superscalar/refnode/store"
	"superscalar/refnode/transport"
	"superscalar/wire"
)

// loopbackChannels are the channels of a node that offers Loopback and follows no
// chain; nil for any other. They hold no money, and look at no block.
type loopbackChannels struct {
	hub     *hub.Hub
	store   *store.Store
	answers *hub.Loopback
}

func openLoopback(id *identity, role node.Role, log *slog.Logger) (*loopbackChannels, error) {
	s, err := store.Open(id.Path())
	if err != nil {
		return nil, err
	}
	pay, err := id.DeriveKey("loopback/shutdown", 0)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	l := &loopbackChannels{store: s, answers: hub.NewLoopback(hub.Config{}.Rules)}
	l.hub, err = hub.Open(hub.Config{
		Store: s, Key: id.NodeKey(), Net: &chaincfg.RegressionNetParams, Rand: rand.Reader, Log: log,
		Script:    append([]byte{0, 20}, btcutil.Hash160(pay.PubKey().SerializeCompressed())...),
		Derive:    func(label string) (*btcec.PrivateKey, error) { return id.DeriveKey(label, 0) },
		Forward:   role == node.LSP,
		Factories: map[wire.ProtocolID]hub.Factory{wire.Codec{}.LoopbackID(): l.answers},
	}, 0)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return l, nil
}

// join makes the channels those of a node that is about to start.
func (l *loopbackChannels) join(cfg *node.Config) {
	cfg.Channels = l.hub
	cfg.LoopbackOrders = func(payload []byte) { l.answers.Order(l.hub, payload) }
}

func (l *loopbackChannels) attach(n *node.Node) {
	if l != nil {
		l.hub.Attach(func(peer wire.Point) { n.Wake(transport.NodeID(peer)) })
	}
}

func (l *loopbackChannels) close() {
	if l != nil {
		l.hub.Close()
		_ = l.store.Close()
	}
}
