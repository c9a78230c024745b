package transport

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"go.uber.org/goleak"
	"superscalar/wire/rule"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// begin is when every ManualClock of the tests starts.
var begin = time.Unix(1_700_000_000, 0)

// testKey returns a private key of 32 equal bytes.
func testKey(b byte) *btcec.PrivateKey {
	key, _ := btcec.PrivKeyFromBytes(bytes.Repeat([]byte{b}, 32))

	return key
}

// testID returns the node id of testKey.
func testID(b byte) NodeID { return NodeIDOf(testKey(b).PubKey()) }

// The responder of the tests has the key 0x21.., the initiator 0x11...
const (
	clientKey = 0x11
	serverKey = 0x21
)

// without returns the options of the responder with rules switched off and a
// clock that stands.
func without(ids ...rule.ID) Options {
	return Options{
		Key:   testKey(serverKey),
		Clock: NewManualClock(begin),
		Rules: rule.Without(ids...),
	}
}

// outcome is what a handshake on another goroutine ends with.
type outcome struct {
	conn *Conn
	err  error
}

// respond runs the responder on nc.
func respond(ctx context.Context, nc net.Conn, o Options) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		conn, err := Respond(ctx, nc, o)
		done <- outcome{conn, err}
	}()

	return done
}

// bareClient is the initiator's end without a Conn around it.
type bareClient struct {
	*Machine
	net.Conn
}

// frame encrypts a message.
func (b bareClient) frame(t *testing.T, message string) []byte {
	t.Helper()
	frame, err := b.EncryptMessage([]byte(message))
	if err != nil {
		t.Fatal(err)
	}

	return frame
}

// connected returns a responder's Conn over net.Pipe and the other end. A
// write to a pipe returns when the bytes are read, or the pipe is closed.
func connected(t *testing.T, o Options) (bareClient, *Conn) {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	done := respond(t.Context(), far, o)
	m, err := NewInitiator(testKey(clientKey), testID(serverKey), nil,
		rule.Set{})
	if err != nil {
		t.Fatal(err)
	}
	if err := exchange(t.Context(), near, m); err != nil {
		t.Fatal(err)
	}
	got := <-done
	if got.err != nil {
		t.Fatal(got.err)
	}

	return bareClient{m, near}, got.conn
}

// firstAct returns a correct act one for the responder of the tests, the one
// of BOLT 8 appendix A.
func firstAct(t *testing.T) []byte {
	t.Helper()
	m, err := NewInitiator(testKey(clientKey), testID(serverKey),
		testKey(0x12), rule.Set{})
	if err != nil {
		t.Fatal(err)
	}
	act, err := m.Start()
	if err != nil {
		t.Fatal(err)
	}

	return act
}
