package cli

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/node"
	"superscalar/refnode/peer"
	"superscalar/refnode/plugin"
	"superscalar/refnode/transport"
	"superscalar/wire"
)

// patience is how long the doctor waits for a node to do what its driver says
// it has done.
const patience = 10 * time.Second

// suitePeer is the Lightning peer that a driver's node is told to dial. It
// goes through init and offers Loopback, so that the node has nothing to close
// the connection for and can begin what it is told.
type suitePeer struct {
	listener *transport.Listener
	arrivals chan transport.NodeID
	ctx      context.Context
	stop     context.CancelFunc
	wg       sync.WaitGroup
}

func newSuitePeer() (*suitePeer, error) {
	key, err := btcec.NewPrivateKey()
	if err != nil {
		return nil, err
	}
	l, err := transport.Listen("127.0.0.1:0", transport.Options{Key: key})
	if err != nil {
		return nil, err
	}
	p := &suitePeer{listener: l, arrivals: make(chan transport.NodeID)}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.wg.Go(p.accept)
	return p, nil
}

// Address implements driver.Peer.
func (p *suitePeer) Address() string { return p.listener.Address().String() }

// Arrived implements driver.Peer.
func (p *suitePeer) Arrived(ctx context.Context, nodeID string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	came := ""
	for {
		select {
		case id := <-p.arrivals:
			if id.String() == nodeID {
				return nil
			}
			came = fmt.Sprintf(", but %s did", id)
		case <-ctx.Done():
			return fmt.Errorf("it did not complete a handshake within %s%s", patience, came)
		}
	}
}

// Close implements driver.Peer. It returns when nothing of the peer runs.
func (p *suitePeer) Close() error {
	p.stop()
	err := p.listener.Close()
	p.wg.Wait()
	return err
}

func (p *suitePeer) accept() {
	for {
		conn, err := p.listener.Accept(p.ctx)
		if err != nil {
			return // closed
		}
		p.wg.Go(func() { p.talk(conn) })
		p.wg.Go(func() {
			select {
			case p.arrivals <- conn.RemoteID():
			case <-p.ctx.Done():
			}
		})
	}
}

// talk runs the base node's side of a connection until it ends.
func (p *suitePeer) talk(conn *transport.Conn) {
	defer context.AfterFunc(p.ctx, func() { _ = conn.Close() })()
	defer conn.Close()
	var codec wire.Codec
	m := peer.New(peer.Config{
		Features:    peer.Features(),
		ChainHash:   node.Regtest,
		Plugins:     []plugin.Plugin{plugin.NewSuperScalar(codec), plugin.NewLoopback(codec, rand.Reader)},
		Keys:        freshKeys,
		TemporaryID: func() (id wire.ChannelID, err error) { _, err = rand.Read(id[:]); return id, err },
	}, wire.Point(conn.RemoteID()))
	for actions := m.Start(); ; {
		for _, a := range actions {
			send, ok := a.(peer.Send)
			if _, over := a.(peer.Close); over || ok && conn.WriteMessage(send.Message) != nil {
				return
			}
		}
		raw, err := conn.ReadMessage()
		if err != nil {
			return
		}
		actions = m.Receive(raw)
	}
}

// freshKeys draws keys for a channel that is never used.
func freshKeys() (keys wire.ChannelKeys, err error) {
	for _, into := range []*wire.Point{&keys.Funding, &keys.Revocation, &keys.Payment, &keys.DelayedPayment, &keys.HTLC, &keys.FirstPerCommitment} {
		key, err := btcec.NewPrivateKey()
		if err != nil {
			return keys, err
		}
		copy(into[:], key.PubKey().SerializeCompressed())
	}
	return keys, nil
}
