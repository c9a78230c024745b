package node_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/node"
	"superscalar/refnode/transport"
	"superscalar/wire"
)

func key(seed byte) *btcec.PrivateKey {
	k, _ := btcec.PrivKeyFromBytes([]byte{31: seed})
	return k
}

func config(role node.Role, seed byte) node.Config {
	return node.Config{
		Role:     role,
		Key:      key(seed),
		Listen:   "127.0.0.1:0",
		Rand:     rand.NewChaCha8([32]byte{seed}),
		Loopback: true,
		Derive: func(label string) (*btcec.PrivateKey, error) {
			h := sha256.Sum256(append([]byte{seed}, label...))
			k, _ := btcec.PrivKeyFromBytes(h[:])
			return k, nil
		},
	}
}

// speak opens a connection and sends init.
func speak(t *testing.T, n *node.Node, seed byte) *transport.Conn {
	t.Helper()
	c, err := transport.Dial(context.Background(), n.Address(), transport.Options{Key: key(seed)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	sayHello(t, c)
	return c
}

// sayHello sends an init that a factory needs.
func sayHello(t *testing.T, c *transport.Conn) {
	t.Helper()
	send(t, c, &wire.Init{Features: wire.NewFeatures(35, 47, 51, 271), Networks: [][32]byte{node.Regtest}})
}

func read(t *testing.T, c *transport.Conn) wire.Message {
	t.Helper()
	raw, err := c.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	m, err := wire.Codec{}.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestANodeExchangesInitAndProtocols(t *testing.T) {
	n, _ := start(t, config(node.LSP, 1))
	c := speak(t, n, 2)
	if m, ok := read(t, c).(*wire.Init); !ok || !m.All().Offers(wire.FeatureFactories) {
		t.Fatal("the first message is not init with the factory feature")
	}
	if m, ok := read(t, c).(*wire.SupportedProtocols); !ok || len(m.IDs) != 2 {
		t.Fatal("the second message does not list both protocols")
	}
}

func TestTwoNodesOpenAChannelUpToAccept(t *testing.T) {
	lsp, log := start(t, config(node.LSP, 1))
	client, _ := start(t, config(node.Client, 2))
	if err := lsp.Connect(t.Context(), client.Address()); err != nil {
		t.Fatal(err)
	}
	if got := lsp.Peers(); len(got) != 1 || got[0] != client.Address().ID {
		t.Fatalf("the LSP's peers are %v", got)
	}
	until(t, "the LSP can sell", func() bool { return lsp.Buy(client.Address().ID, 100_000) == nil })
	until(t, "the client accepted", func() bool { return log.count("accepted") == 1 })
	if log.count("refused") != 0 {
		t.Error("a channel was refused")
	}
}

func TestRoleAndAddress(t *testing.T) {
	n, _ := start(t, config(node.Client, 7))
	if n.Role() != node.Client || n.Address().ID != transport.NodeIDOf(key(7).PubKey()) {
		t.Errorf("a %s at %s", n.Role(), n.Address())
	}
	if got := n.Peers(); len(got) != 0 {
		t.Errorf("peers %v", got)
	}
}

// What cannot work is refused at the start.
func TestStartFails(t *testing.T) {
	busy, _ := start(t, config(node.LSP, 1))
	for _, tt := range []struct {
		name  string
		spoil func(*node.Config)
		want  error
	}{
		{"no key", func(c *node.Config) { c.Key = nil }, transport.ErrNoKey},
		{"address in use", func(c *node.Config) { c.Listen = busy.Address().HostPort }, syscall.EADDRINUSE},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(node.LSP, 2)
			tt.spoil(&cfg)
			n, err := node.Start(cfg)
			if err == nil {
				n.Close()
			}
			if !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
}
