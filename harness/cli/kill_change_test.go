package cli

import (
	"fmt"
	"testing"

	"superscalar/refnode/control"
)

// killShape has both clients below one state that changes: a sale to one moves the
// channels of both.
const killShape = "kickoff 1 / dw 2"

const (
	soldSat     = 5_000
	capacitySat = 50_000
)

// factory creates one more factory and returns its id.
func (s *street) factory() string {
	s.t.Helper()
	lsp := s.nodes[middle]
	known := map[string]bool{}
	for _, f := range lsp.must(`{"cmd":"status"}`).Factories {
		known[f.FactoryID] = true
	}
	lsp.until("both there", func(r nodeReply) bool {
		s.reconnect(r)
		return len(r.Peers) == 2
	})
	lsp.must(`{"cmd":"factory","clients":["%s","%s"],"capacity_sat":%d,"stock_sat":%d,"shape":"%s"}`,
		s.nodes[payer].id, s.nodes[payee].id, capacitySat, 4*soldSat, killShape)
	id := ""
	lsp.until("funded", func(r nodeReply) bool {
		for _, f := range r.Factories {
			if !known[f.FactoryID] {
				id = f.FactoryID
			}
		}
		return id != ""
	})
	s.mine(1)
	for i, n := range s.nodes {
		n.until("ready", func(r nodeReply) bool { return inFactory(r, id, 1+uint64(i%2), 0) })
	}
	return id
}

// inFactory reports whether the node's channels of a factory are in use, and one of
// them has grown by more sat.
func inFactory(r nodeReply, id string, channels, more uint64) bool {
	ready, capacity := uint64(0), uint64(0)
	for _, c := range r.Channels {
		if c.FactoryID == id && c.State == control.ChannelReady && c.SendMsat+c.ReceiveMsat > 0 {
			ready++
			capacity += c.CapacitySat
		}
	}
	return !interrupted(r, id) && ready == channels && capacity == channels*capacitySat+more
}

// reconnect brings those back whom the LSP has hung up on: nothing else ends a
// quiescence whose change was called off (PCF-142).
func (s *street) reconnect(r nodeReply) {
	s.t.Helper()
	there := map[string]bool{}
	for _, p := range r.Peers {
		there[p.NodeID] = true
	}
	for _, i := range []int{payer, payee} {
		if !there[s.nodes[i].id] {
			s.connect(i)
		}
	}
}

// sold waits until a sale is done for everybody. An interrupted one goes on by itself
// when everybody is back; the order is given again only when nothing is known to
// have come of it, for two that are taken are two sales.
func (s *street) sold(id string) {
	s.t.Helper()
	lsp := s.nodes[middle]
	lsp.until("done with the sale", func(r nodeReply) bool {
		if inFactory(r, id, 2, soldSat) {
			return true
		}
		s.reconnect(r)
		if idle(r) && inFactory(r, id, 2, 0) {
			lsp.does("%s", s.order(id))
		}
		return false
	})
	s.nodes[payer].until("moved", func(r nodeReply) bool { return inFactory(r, id, 1, soldSat) })
	s.nodes[payee].until("moved", func(r nodeReply) bool { return inFactory(r, id, 1, 0) })
}

// idle reports whether the LSP has no ceremony going on, and none that was done.
func idle(r nodeReply) bool {
	return len(r.Ceremonies) == 0 || r.Ceremonies[len(r.Ceremonies)-1].Event == "failed"
}

func interrupted(r nodeReply, id string) bool {
	for _, f := range r.Factories {
		if f.FactoryID == id && f.Interrupted != "" {
			return true
		}
	}
	return false
}

// order is the sale to the payer.
func (s *street) order(id string) string {
	return fmt.Sprintf(`{"cmd":"buy","peer":"%s","amount_sat":%d,"factory":"%s"}`, s.nodes[payer].id, soldSat, id)
}

// rich gives the LSP coins and connections.
func (s *street) rich() {
	s.t.Helper()
	lsp := s.nodes[middle]
	s.pay(lsp.must(`{"cmd":"status"}`).Address, 3_000_000, 2)
	lsp.until("rich", func(r nodeReply) bool { return r.Wallet.AvailableSat == 6_000_000 })
	s.connect(payer, payee)
}

// TestKilledInAChange kills real nodes with SIGKILL in the middle of changes that
// move the channels of two clients, each of the three at every kind of moment. It
// starts again, and the change ends: everybody is on the same outputs.
func TestKilledInAChange(t *testing.T) {
	kills := 0
	for victim, name := range streetNames {
		s := newStreet(t)
		s.rich()
		for i, m := range moments {
			id := s.factory()
			client := victim
			if victim == middle {
				client = []int{payer, payee}[(i+1)/2%2]
			}
			k := (4*victim + i) % changePieces
			struck := s.strike(victim, client, k, m)
			answer := s.nodes[middle].send(s.order(id))
			select {
			case <-struck:
			case <-t.Context().Done():
				t.Fatal("nobody was killed")
			}
			if reply, answered := <-answer; victim != middle && (!answered || !reply.OK) {
				t.Fatalf("the order: %+v", reply) // the LSP may be killed before it answers
			}
			s.cables[client].Show(nil)
			s.again(victim)
			s.sold(id)
			kills++
			t.Logf("%s killed %s, piece %d", name, m.name, k)
		}
		s.end()
	}
	t.Logf("%d processes killed, each at another point; every change was completed", kills)
}

// end stops every node.
func (s *street) end() {
	for _, n := range s.nodes {
		n.must(`{"cmd":"stop"}`)
		n.ended(ExitOK)
	}
}

// changePieces is about how many pieces a change sends one way over a cable, the
// last of them left out: they may come together.
const changePieces = 7
