package node_test

import (
	"context"
	"crypto/sha256"
	"math/rand/v2"
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

// speak opens a connection and returns it after init was exchanged.
func speak(t *testing.T, n *node.Node, seed byte) *transport.Conn {
	t.Helper()
	c, err := transport.Dial(context.Background(), n.Address(), transport.Options{Key: key(seed)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	var codec wire.Codec
	b, err := codec.Encode(&wire.Init{Features: wire.NewFeatures(35, 47, 51, 271), Networks: [][32]byte{node.Regtest}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.WriteMessage(b); err != nil {
		t.Fatal(err)
	}
	return c
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
	n, err := node.Start(config(node.LSP, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	c := speak(t, n, 2)
	if m, ok := read(t, c).(*wire.Init); !ok || !m.All().Offers(wire.FeatureFactories) {
		t.Fatal("the first message is not init with the factory feature")
	}
	if m, ok := read(t, c).(*wire.SupportedProtocols); !ok || len(m.IDs) != 2 {
		t.Fatal("the second message does not list both protocols")
	}
}

func TestTwoNodesOpenAChannelUpToAccept(t *testing.T) {
	lsp, err := node.Start(config(node.LSP, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer lsp.Close()
	client, err := node.Start(config(node.Client, 2))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := lsp.Connect(t.Context(), client.Address()); err != nil {
		t.Fatal(err)
	}
	if got := lsp.Peers(); len(got) != 1 || got[0] != client.Address().ID {
		t.Fatalf("the LSP's peers are %v", got)
	}
}
