package driver

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// greet is the Probe of these tests: fake nodes say their id to who connects.
func greet(ctx context.Context, nodeID, address string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	id, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if got := strings.TrimSpace(id); got != nodeID {
		return fmt.Errorf("there is %s", got)
	}
	return nil
}

// fakePeer is the suite's peer in these tests.
type fakePeer struct {
	listener *net.TCPListener
	conns    []net.Conn
}

func newFakePeer(context.Context) (Peer, error) {
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	return &fakePeer{listener: listener}, nil
}

func (p *fakePeer) Address() string { return nobody + "@" + p.listener.Addr().String() }

// Arrived gives up soon: the node has dialled before the driver answered.
func (p *fakePeer) Arrived(_ context.Context, nodeID string) error {
	_ = p.listener.SetDeadline(time.Now().Add(time.Second))
	conn, err := p.listener.Accept()
	if err != nil {
		return err
	}
	p.conns = append(p.conns, conn)
	_ = conn.SetDeadline(time.Now().Add(patience))
	id, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && strings.TrimSpace(id) != nodeID {
		err = fmt.Errorf("%s came", id)
	}
	return err
}

func (p *fakePeer) Close() error {
	for _, conn := range p.conns {
		_ = conn.Close()
	}
	return p.listener.Close()
}

// examine runs Doctor on a command.
func examine(t *testing.T, command string, opts Options, hooks Hooks) (string, error) {
	t.Helper()
	var out strings.Builder
	err := Doctor(longContext(t), &out, func(ctx context.Context) (*Client, error) {
		return Spawn(ctx, command, opts)
	}, hooks)
	for line := range strings.Lines(out.String()) {
		if len(line) > 700 {
			t.Errorf("a line of %d bytes: %q", len(line), line)
		}
	}
	return out.String(), err
}

func TestDoctorFindsNothing(t *testing.T) {
	for _, row := range []struct {
		name  string
		hooks Hooks
		says  []string
	}{
		{"with a peer", Hooks{Probe: greet, Peer: newFakePeer}, []string{"dialled the suite", "lists the suite's peer"}},
		{"without a peer, as client", Hooks{Probe: greet, Role: RoleClient, Seed: "00"}, []string{"a peer that is not there: failed"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			out, err := examine(t, self("fake-driver none"), Options{}, row.hooks)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, cmd := range Commands() {
				row.says = append(row.says, fmt.Sprintf("\nok     %-9s", cmd))
			}
			checkOutput(t, out, append(row.says, "unsupported: cases", "keeps its id", "takes its node along", "checks, all ok")...)
		})
	}
}

func TestDoctorFinds(t *testing.T) {
	for _, row := range []struct {
		fault string
		says  string // in a line that begins with wrong
	}{
		{"nonsense", "wrong  nonsense"},
		{"bad-line-ok", "a line that is not JSON: accepted"},
		{"unchecked", `the parameters {"role":"nobody"`},
		{"bad-node-id", "breaks the schema: node_id: "},
		{"no-address", "address"},
		{"other-node-id", "no BOLT 8 handshake with " + nobody},
		{"lies", "the node did not arrive"},
		{"pays-anything", "that was no invoice"},
		{"unknown-invoice", `use "unsupported"`},
		{"lists-nobody", "peers lacks " + nobody},
		{"bad-status", "peers: "},
		{"forgets", "came back as"},
		{"stays", "still accepts connections"},
		{"deaf", "did not end within"},
		{"garbage", "where one JSON reply was due"},
		{"die", `trouble 29`},
	} {
		t.Run(row.fault, func(t *testing.T) {
			opts := Options{}
			if row.fault == "deaf" {
				opts.Grace = 50 * time.Millisecond
			}
			out, err := examine(t, self("fake-driver "+row.fault), opts, Hooks{Probe: greet, Peer: newFakePeer})
			checkError(t, err, ErrUnwell, "checks wrong")
			found := false
			for line := range strings.Lines(out) {
				found = found || strings.HasPrefix(line, "wrong") && strings.Contains(line, row.says) && strings.Contains(line, "to mend: ")
			}
			if !found {
				t.Errorf("no wrong line says %q with a way to mend:\n%s", row.says, out)
			}
		})
	}
}

// A node that survives its driver, in a session of its own, is noticed.
func TestDoctorFindsTheOrphan(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var orphans []string
	probe := func(ctx context.Context, nodeID, address string) error {
		orphans = append(orphans, address)
		return greet(ctx, nodeID, address)
	}
	out, err := examine(t, self("fake-driver orphan"), Options{}, Hooks{Probe: probe})
	for line := range strings.Lines(out) { // the one started last was not probed
		if _, rest, ok := strings.Cut(line, "accepts connections at "); ok {
			orphans = append(orphans, strings.TrimSuffix(strings.Fields(rest)[0], ";"))
		}
	}
	for _, address := range orphans {
		if conn, err := net.Dial("tcp", address); err == nil {
			fmt.Fprintln(conn, "quit")
			_ = conn.Close()
		}
	}
	checkError(t, err, ErrUnwell)
	checkOutput(t, out, "wrong  cleanup   the driver has ended, but somebody still accepts")
}

func TestDoctorOwnTrouble(t *testing.T) {
	broken := func(context.Context) (Peer, error) { return nil, fmt.Errorf("no port left") }
	_, err := examine(t, self("fake-driver none"), Options{}, Hooks{Probe: greet, Peer: broken})
	if err == nil || strings.Contains(err.Error(), ErrUnwell.Error()) || !strings.Contains(err.Error(), "no port left") {
		t.Errorf("the suite's own trouble is blamed on the driver: %v", err)
	}
}

func checkOutput(t *testing.T, out string, says ...string) {
	t.Helper()
	for _, s := range says {
		if !strings.Contains(out, s) {
			t.Errorf("the output does not say %q:\n%s", s, out)
		}
	}
}
