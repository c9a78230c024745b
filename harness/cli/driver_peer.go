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
	arrivals chan arrival
	ctx      context.Context
	stop     context.CancelFunc
	wg       sync.WaitGroup
}

// arrival is a node whose handshake is complete.
type arrival struct {
	id transport.NodeID
	// settled is closed when the node has read all that the suite says at
	// the beginning, or when the connection is over.
	settled chan struct{}
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
	p := &suitePeer{listener: l, arrivals: make(chan arrival)}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.wg.Go(p.accept)
	return p, nil
}

// Address implements driver.Peer.
func (p *suitePeer) Address() string { return p.listener.Address().String() }

// Arrived implements driver.Peer. It gives the node time to finish init too, as
// what it is told next may need that.
func (p *suitePeer) Arrived(ctx context.Context, nodeID string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	came := ""
	for {
		select {
		case a := <-p.arrivals:
			if a.id.String() == nodeID {
				select {
				case <-a.settled:
				case <-ctx.Done():
				}
				return nil
			}
			came = fmt.Sprintf(", but %s did", a.id)
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
		a := arrival{conn.RemoteID(), make(chan struct{})}
		p.wg.Go(func() { p.talk(conn, a) })
		p.wg.Go(func() {
			select {
			case p.arrivals <- a:
			case <-p.ctx.Done():
			}
		})
	}
}

// talk runs the base node's side of a connection until it ends. A ping behind
// init is a fence: who answers it has read what came before.
func (p *suitePeer) talk(conn *transport.Conn, a arrival) {
	settle := sync.OnceFunc(func() { close(a.settled) })
	defer settle()
	defer context.AfterFunc(p.ctx, func() { _ = conn.Close() })()
	defer conn.Close()
	m := newSuiteMachine(a.id)
	for actions := m.Start(); ; {
		if !carryOut(conn, actions) {
			return
		}
		raw, err := conn.ReadMessage()
		if err != nil {
			return
		}
		if typ, _ := wire.TypeOf(raw); typ == wire.TypePong {
			settle()
		}
		actions = m.Receive(raw)
	}
}

func newSuiteMachine(remote transport.NodeID) *peer.Machine {
	var codec wire.Codec
	return peer.New(peer.Config{
		Features:    peer.Features(),
		ChainHash:   node.Regtest,
		Plugins:     []plugin.Plugin{plugin.NewSuperScalar(codec, nil), plugin.NewLoopback(codec, rand.Reader)},
		Keys:        freshKeys,
		TemporaryID: func() (id wire.ChannelID, err error) { _, err = rand.Read(id[:]); return id, err },
	}, wire.Point(remote))
}

// carryOut does what the machine asks for and reports whether the connection
// goes on.
func carryOut(conn *transport.Conn, actions []peer.Action) bool {
	var fence []byte
	for _, a := range actions {
		switch a := a.(type) {
		case peer.Send:
			if conn.WriteMessage(a.Message) != nil {
				return false
			}
		case peer.Close:
			return false
		case peer.Event:
			if a.Kind == peer.EventReady {
				fence, _ = wire.Codec{}.Encode(&wire.Ping{})
			}
		}
	}
	return fence == nil || conn.WriteMessage(fence) == nil
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
