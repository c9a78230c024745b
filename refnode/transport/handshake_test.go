package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"go.uber.org/goleak"
	"superscalar/wire/rule"
)

// spoilt returns act one with one fault.
func spoilt(t *testing.T, at int, value byte) []byte {
	act := firstAct(t)
	act[at] = value

	return act
}

// badFirstActs are the ways to fail act one with 50 bytes.
var badFirstActs = []struct {
	name  string
	at    int
	value byte
	class string
	off   rule.ID
}{
	{"version", 0, 1, Act1BadVersion, ruleVersion},
	{"point", 1, 4, Act1BadPubkey, rulePoint},
	{"tag", 49, 0, Act1BadTag, ruleTag},
}

func TestRefusedActOne(t *testing.T) {
	for _, c := range badFirstActs {
		t.Run(c.name, func(t *testing.T) {
			defer goleak.VerifyNone(t)
			near, far := net.Pipe()
			done := respond(t.Context(), far, without())
			put(t, near, spoilt(t, c.at, c.value))
			if n, err := near.Read(make([]byte, 1)); err != io.EOF {
				t.Fatalf("read %d bytes, %v, want the end", n, err)
			}
			wantClass(t, (<-done).err, c.class)
		})
	}
}

func TestRefusedActTwoAndThree(t *testing.T) {
	for _, c := range []struct {
		name  string
		three bool
		at    int
		class string
	}{
		{"act two version", false, 0, Act2BadVersion},
		{"act two point", false, 1, Act2BadPubkey},
		{"act two tag", false, 40, Act2BadTag},
		{"act three version", true, 0, Act3BadVersion},
		{"act three id", true, 20, Act3BadCiphertext},
		{"act three id tag", true, 49, Act3BadCiphertext},
		{"act three tag", true, 65, Act3BadTag},
	} {
		t.Run(c.name, func(t *testing.T) {
			near, far := net.Pipe()
			ended := make(chan outcome, 1)
			go func() {
				conn, err := Initiate(t.Context(), near,
					testID(serverKey), Options{Key: testKey(clientKey)})
				ended <- outcome{conn, err}
			}()
			server, err := NewResponder(testKey(serverKey), nil, rule.Set{})
			if err != nil {
				t.Fatal(err)
			}
			act := make([]byte, 50)
			if _, err := io.ReadFull(far, act); err != nil {
				t.Fatal(err)
			}
			two, err := server.Feed(act)
			if err != nil {
				t.Fatal(err)
			}
			if !c.three {
				two[c.at] ^= 0xf0
				put(t, far, two)
				wantClass(t, (<-ended).err, c.class)
				if n, err := far.Read(act); err != io.EOF {
					t.Fatalf("read %d bytes, %v", n, err)
				}
				return
			}
			put(t, far, two)
			three := make([]byte, 66)
			if _, err := io.ReadFull(far, three); err != nil {
				t.Fatal(err)
			}
			three[c.at] ^= 0xf0
			_, err = server.Feed(three)
			wantClass(t, err, c.class)
			(<-ended).conn.Close()
		})
	}
}

func TestShortActs(t *testing.T) {
	for _, c := range []struct {
		name  string
		bytes int
		want  error
	}{
		{"nothing", 0, io.EOF},
		{"one byte", 1, io.ErrUnexpectedEOF},
		{"49 bytes", 49, io.ErrUnexpectedEOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			near, far := net.Pipe()
			done := respond(t.Context(), far, without())
			if c.bytes > 0 {
				put(t, near, firstAct(t)[:c.bytes])
			}
			near.Close()
			err := (<-done).err
			wantClass(t, err, Act1ReadFailed)
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestHandshakeDeadline(t *testing.T) {
	for _, c := range []struct {
		name string
		send int
	}{{"silent", 0}, {"stuck", 49}} {
		t.Run(c.name, func(t *testing.T) {
			defer goleak.VerifyNone(t)
			near, far := net.Pipe()
			o := without()
			clock := o.Clock.(*ManualClock)
			done := respond(t.Context(), far, o)
			if err := clock.WaitTimers(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			clock.Advance(DefaultHandshakeTimeout - 1)
			if c.send > 0 {
				// The write ends when the responder has read.
				put(t, near, firstAct(t)[:c.send])
			}
			clock.Advance(1)
			if _, err := near.Read(make([]byte, 1)); err != io.EOF {
				t.Fatalf("read: %v", err)
			}
			err := (<-done).err
			wantClass(t, err, Act1ReadFailed)
			if !errors.Is(err, ErrHandshakeTimeout) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestHandshakeEndsWithContext(t *testing.T) {
	defer goleak.VerifyNone(t)
	near, far := net.Pipe()
	defer near.Close()
	stop := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	done := respond(ctx, far, without())
	put(t, near, firstAct(t)[:10])
	cancel(stop)
	if err := (<-done).err; !errors.Is(err, stop) {
		t.Fatalf("got %v", err)
	}
}

func TestMutantsStayOpen(t *testing.T) {
	for _, c := range badFirstActs[1:] {
		t.Run(c.name, func(t *testing.T) {
			defer goleak.VerifyNone(t)
			near, far := net.Pipe()
			ctx, cancel := context.WithCancel(t.Context())
			o := without(c.off)
			done := respond(ctx, far, o)
			put(t, near, spoilt(t, c.at, c.value))
			put(t, near, []byte("is anybody there")) // fails when closed
			o.Clock.(*ManualClock).Advance(time.Hour)
			put(t, near, []byte("still there"))
			cancel()
			if n, err := near.Read(make([]byte, 1)); err != io.EOF {
				t.Fatalf("read %d bytes, %v", n, err)
			}
			wantClass(t, (<-done).err, c.class)
		})
	}
}

func TestMutantInitiatorStaysOpen(t *testing.T) {
	defer goleak.VerifyNone(t)
	near, far := net.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := Initiate(ctx, near, testID(serverKey), Options{
			Key:   testKey(clientKey),
			Rules: rule.Without(ruleInitiator),
		})
		ended <- err
	}()
	if _, err := io.ReadFull(far, make([]byte, 50)); err != nil {
		t.Fatal(err)
	}
	put(t, far, make([]byte, 50)) // 00 is no first byte of a point
	put(t, far, []byte("is anybody there"))
	cancel()
	if n, err := far.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("read %d bytes, %v", n, err)
	}
	wantClass(t, <-ended, Act2BadPubkey)
}

func TestMutantSpeaksAfterFailure(t *testing.T) {
	near, far := net.Pipe()
	done := respond(t.Context(), far, without(ruleSilent))
	put(t, near, spoilt(t, 49, 0))
	junk, err := io.ReadAll(near)
	if err != nil || len(junk) != 50 {
		t.Fatalf("got %d bytes, %v", len(junk), err)
	}
	wantClass(t, (<-done).err, Act1BadTag)
}

func TestMutantWaitsForEver(t *testing.T) {
	near, far := net.Pipe()
	o := without(ruleTimeout)
	clock := o.Clock.(*ManualClock)
	done := respond(t.Context(), far, o)
	if err := clock.WaitTimers(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Hour)
	m, err := NewInitiator(testKey(clientKey), testID(serverKey), nil, rule.Set{})
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
	got.conn.Close()
}

func TestDialErrors(t *testing.T) {
	l, err := Listen("127.0.0.1:0", Options{Key: testKey(serverKey)})
	if err != nil {
		t.Fatal(err)
	}
	wrongID := Address{ID: testID(0x33), HostPort: l.Address().HostPort}
	mine := Options{Key: testKey(clientKey)}

	t.Run("wrong node id", func(t *testing.T) {
		_, err := Dial(t.Context(), wrongID, mine)
		wantClass(t, err, Act2ReadFailed)
		if !strings.Contains(err.Error(), "is the node id right?") {
			t.Fatalf("no hint in %v", err)
		}
	})
	t.Run("no key", func(t *testing.T) {
		_, err := Dial(t.Context(), l.Address(), Options{})
		if !errors.Is(err, ErrNoKey) {
			t.Fatalf("got %v", err)
		}
		if _, err := Listen("127.0.0.1:0", Options{}); !errors.Is(err, ErrNoKey) {
			t.Fatalf("listen: %v", err)
		}
	})
	t.Run("no randomness", func(t *testing.T) {
		dry := errors.New("dry")
		o := mine
		o.Ephemeral = func() (*btcec.PrivateKey, error) { return nil, dry }
		if _, err := Dial(t.Context(), l.Address(), o); !errors.Is(err, dry) {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := Dial(ctx, l.Address(), mine)
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
	})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	t.Run("nobody listens", func(t *testing.T) {
		_, err := Dial(t.Context(), l.Address(), mine)
		if err == nil || !strings.Contains(err.Error(), "refused") {
			t.Fatalf("got %v", err)
		}
	})
}
