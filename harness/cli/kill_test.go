package cli

import (
	"encoding/json"
	"fmt"
	"testing"

	"superscalar/harness/cable"
	"superscalar/refnode/transport"
)

// moment is when a process dies, as it shows on its wires: what a node sends it
// has stored before.
type moment struct {
	name   string
	sends  bool // the piece is the victim's own, else it is for the victim
	passes bool // the piece still arrives
}

var moments = []moment{
	{"before a message reaches it", false, false},
	{"while it handles and stores a message", false, true},
	{"after a write, before its message leaves", true, false},
	{"after its message left", true, true},
}

// street is an LSP with two clients, which it dials over cables.
type street struct {
	*network
	nodes  [3]*runningNode // payer, LSP, payee
	cables [3]*cable.Cable // to the clients; the LSP has none
	// What the clients have, in msat.
	atPayer, atPayee uint64
}

const (
	payer = iota
	middle
	payee
)

var streetNames = [3]string{"payer", "lsp", "payee"}

func newStreet(t *testing.T) *street {
	s := &street{network: newNetwork(t)}
	for i := range s.nodes {
		s.begin(i)
	}
	return s
}

// begin starts a node, or starts it again.
func (s *street) begin(i int) {
	s.t.Helper()
	role := "client"
	if i == middle {
		role = "lsp"
	}
	s.nodes[i] = s.start(role, streetNames[i])
	if i == middle {
		return
	}
	at, err := transport.ParseAddress(s.nodes[i].peer)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.cables[i] != nil {
		s.cables[i].To(at.HostPort)
		return
	}
	if s.cables[i], err = cable.Lay(at.HostPort); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = s.cables[i].Close() })
}

// connect has the LSP dial clients.
func (s *street) connect(clients ...int) {
	s.t.Helper()
	for _, i := range clients {
		s.nodes[middle].must(`{"cmd":"connect","peer":"%s@%s"}`, s.nodes[i].id, s.cables[i].Address())
	}
}

// found creates a factory and gives the payer something to pay with.
func (s *street) found() {
	s.t.Helper()
	lsp := s.nodes[middle]
	s.pay(lsp.must(`{"cmd":"status"}`).Address, 3_000_000, 2)
	lsp.until("rich", func(r nodeReply) bool { return r.Wallet.AvailableSat == 6_000_000 })
	s.connect(payer, payee)
	lsp.must(`{"cmd":"factory","clients":["%s","%s"],"capacity_sat":200000,"stock_sat":50000}`, s.nodes[payer].id, s.nodes[payee].id)
	lsp.until("funded", func(r nodeReply) bool { return len(r.Factories) == 1 })
	s.mine(1)
	for _, i := range []int{payer, payee} {
		s.nodes[i].until("ready", ready(1, 0))
	}
	s.atPayer = 18_000_000
	lsp.pays(s.nodes[payer], s.atPayer)
	s.settled()
}

// settled waits until the clients have what they should, and both sides of their
// channels agree.
func (s *street) settled() {
	s.t.Helper()
	want := map[string]uint64{s.nodes[payer].id: s.atPayer, s.nodes[payee].id: s.atPayee}
	s.nodes[payer].until(fmt.Sprintf("left with %d msat", s.atPayer), ready(1, s.atPayer))
	s.nodes[payee].until(fmt.Sprintf("paid %d msat", s.atPayee), ready(1, s.atPayee))
	s.nodes[middle].until("of the same opinion", func(r nodeReply) bool {
		agreed := 0
		for _, c := range r.Channels {
			if c.SendMsat+c.ReceiveMsat > 0 && c.LocalMsat+want[c.Peer] == 1000*c.CapacitySat {
				agreed++
			}
		}
		return agreed == 2
	})
}

// strike kills a node when piece number k of those that moment speaks of passes
// on the cable of a client, and reports when that has happened.
func (s *street) strike(victim, client, k int, m moment) <-chan struct{} {
	direction := cable.Forth // from the LSP
	if (victim == middle) != m.sends {
		direction = cable.Back
	}
	process, struck, seen := s.nodes[victim].cmd.Process, make(chan struct{}), 0
	s.cables[client].Show(func(d cable.Direction, _ int) bool {
		if d == direction {
			seen++
		}
		if d != direction || seen != k+1 {
			return true
		}
		if m.passes && !m.sends { // the piece has to be there first
			go func() { _ = process.Kill(); close(struck) }()
			return true
		}
		_ = process.Kill()
		close(struck)
		return m.passes
	})
	return struck
}

// send gives a command. Its answer comes when it is there, none from a node that
// died.
func (r *runningNode) send(command string) <-chan nodeReply {
	r.t.Helper()
	r.last++
	if _, err := fmt.Fprintf(r.in, `{"id":%d,%s`+"\n", r.last, command[1:]); err != nil {
		r.t.Fatal(err)
	}
	answer := make(chan nodeReply, 1)
	go func() {
		defer close(answer)
		if line, err := r.out.ReadString('\n'); err == nil {
			var reply nodeReply
			if json.Unmarshal([]byte(line), &reply) == nil {
				answer <- reply
			}
		}
	}()
	return answer
}

// again brings a node back that was killed, and its connections.
func (s *street) again(victim int) {
	s.t.Helper()
	_ = s.nodes[victim].cmd.Wait()
	s.begin(victim)
	if victim == middle {
		s.connect(payer, payee)
	} else {
		s.connect(victim)
	}
}

// killedAt makes a payment in which a node is killed, and returns what became of
// it. Several messages may pass as one piece: then there is no piece number k, and
// after a payment without a victim an earlier one is taken.
func (s *street) killedAt(victim, client, k int, m moment) (end nodeReply) {
	s.t.Helper()
	for ; k >= 0; k-- {
		bill := s.nodes[payee].must(`{"cmd":"invoice","amount_msat":%d}`, killAmount).Bolt11
		order := fmt.Sprintf(`{"cmd":"pay","bolt11":"%s"}`, bill)
		struck := s.strike(victim, client, k, m)
		answer := s.nodes[payer].send(order)
		var answered bool
		select {
		case <-struck:
		case end, answered = <-answer:
		}
		s.cables[client].Show(nil)
		killed := false
		select {
		case <-struck:
			killed = true
			s.again(victim)
		default:
		}
		if !answered {
			end, answered = <-answer
		}
		if !answered {
			end = s.nodes[payer].does("%s", order) // the payer is another process now
		}
		s.over(order, end.OK)
		switch {
		case killed:
			return end
		case !end.OK:
			s.t.Fatalf("nobody was killed, and it failed: %s", end.Error)
		}
	}
	s.t.Fatal("no piece passed")
	return end
}

// TestARestartedNodeDialsAgain: a node that was killed finds by itself the peers that
// it dialled before and has channels with.
func TestARestartedNodeDialsAgain(t *testing.T) {
	s := newStreet(t)
	s.found()
	lsp := s.nodes[middle]
	lsp.kill()
	s.begin(middle)
	s.nodes[middle].until("with both clients", func(r nodeReply) bool { return len(r.Peers) == 2 })
	s.atPayer += 1_000_000
	s.nodes[middle].pays(s.nodes[payer], 1_000_000)
	s.settled()
	s.end()
}

const killAmount = 200_000 // msat

// over waits until a payment has ended the same way for everybody. One that was
// tried again in two parts is paid when the first preimage comes, and its fee is
// known when both have.
func (s *street) over(order string, paid bool) {
	s.t.Helper()
	if paid {
		s.atPayee += killAmount
		s.atPayer -= killAmount
		s.nodes[payee].until("paid", ready(1, s.atPayee))
		fee := uint64(0)
		s.nodes[payer].until("left with the rest", func(r nodeReply) bool {
			fee = s.nodes[payer].must("%s", order).FeeMsat
			return ready(1, s.atPayer-fee)(r)
		})
		s.atPayer -= fee
	}
	s.settled()
}

// TestKilledInAPayment kills real nodes with SIGKILL in the middle of payments
// between two clients of a factory: each of the three, at every kind of moment. It
// starts again, and the payment ends, paid or not paid, the same for everybody.
func TestKilledInAPayment(t *testing.T) {
	s := newStreet(t)
	s.found()
	kills, settled := 0, 0
	for victim := range s.nodes {
		for i, m := range moments {
			client := victim
			if victim == middle { // its steps show on both cables
				client = []int{payer, payee}[(i+1)/2%2]
			}
			k := (victim + i) % 3 // a hop of a payment is five messages, two or three of them one way
			end := s.killedAt(victim, client, k, m)
			if end.OK {
				settled++
			}
			kills++
			t.Logf("%s killed %s: paid %v %s", streetNames[victim], m.name, end.OK, end.Error)
		}
	}
	t.Logf("%d processes killed, each at another point; %d payments settled, %d failed", kills, settled, kills-settled)
}
