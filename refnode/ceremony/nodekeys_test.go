package ceremony_test

import (
	"slices"
	"testing"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Proposals bring the aggregates of a client's key sets along (section 5.1).

const threeSets = "kickoff 1 / ps 2" // of three clients: all, and two groups

// TestProposalWithNodeKeys wants the LSP to send them and a factory to come of
// it, also for a client that is sent none, and after a restart.
func TestProposalWithNodeKeys(t *testing.T) {
	for _, sent := range []bool{true, false} {
		w := newWorld(t, 3)
		seen := 0
		w.bend = func(p packet) []packet {
			if m, ok := p.m.(*wire.Proposal); ok {
				if seen++; len(m.NodeKeys) != 3 {
					t.Errorf("%d keys for client %d", len(m.NodeKeys), p.client)
				}
				if !sent {
					m.NodeKeys = nil
				}
			}
			return []packet{p}
		}
		id := w.create(threeSets)
		if seen != 3 || len(w.funded()) != 1 {
			t.Fatalf("%d proposals, events %v", seen, w.events)
		}
		for i := range w.clients {
			h := w.reopened(i, id)
			if (h.Proposal.NodeKeys != nil) != sent {
				t.Errorf("client %d stored %d keys", i, len(h.Proposal.NodeKeys))
			}
			checkHeld(t, h, w.lsp.Factory(id), factory.ClientIndex(i))
		}
	}
}

// TestWrongNodeKeys wants a client to refuse what it can find wrong, with the
// reason of section 5.2, to sign nothing, and to be dropped for it.
func TestWrongNodeKeys(t *testing.T) {
	for name, bend := range map[string]func(m *wire.Proposal){
		"wrong":    func(m *wire.Proposal) { m.NodeKeys[2] = m.FactoryKeys[0] },
		"opposite": func(m *wire.Proposal) { m.NodeKeys[0][0] ^= 1 },
		"swapped":  func(m *wire.Proposal) { m.NodeKeys[1], m.NodeKeys[2] = m.NodeKeys[2], m.NodeKeys[1] },
		"too few":  func(m *wire.Proposal) { m.NodeKeys = m.NodeKeys[:2] },
		"too many": func(m *wire.Proposal) { m.NodeKeys = append(m.NodeKeys, m.NodeKeys[0]) },
		"no point": func(m *wire.Proposal) { m.NodeKeys[1] = [33]byte{} },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 3)
			var answer wire.Ceremony
			first := true
			w.bend = func(p packet) []packet {
				m, ok := p.m.(*wire.Proposal)
				switch {
				case ok && p.client == 1 && first:
					first = false
					m.NodeKeys = slices.Clone(m.NodeKeys)
					bend(m)
				case p.toLSP && p.client == 1 && !first && answer == nil:
					answer = p.m
				}
				return []packet{p}
			}
			w.create(threeSets)
			abort, ok := answer.(*wire.Abort)
			if !ok || abort.Reason != wire.ReasonKeys {
				t.Fatalf("answered with %v", answer)
			}
			if w.stores[1].signed != 0 || w.clients[1].Busy() {
				t.Error("it signed, or is still busy")
			}
			if len(w.funded()) != 1 { // without it
				t.Errorf("the others have no factory: %v", w.events)
			}
		})
	}
}

// TestEmptyNodeKeys is a record without a key: present, hence wrong.
func TestEmptyNodeKeys(t *testing.T) {
	w := newWorld(t, 3)
	var raw []byte
	w.bend = func(p packet) []packet {
		if m, ok := p.m.(*wire.Proposal); ok && p.client == 0 && raw == nil {
			m.NodeKeys = nil
			b, err := wire.Codec{}.EncodeCeremony(m)
			if err != nil {
				t.Fatal(err)
			}
			raw = append(b, 23, 0)
			empty, err := wire.Codec{}.DecodeCeremony(raw)
			if err != nil {
				t.Fatal(err)
			}
			out := w.clients[0].Receive(w.now, empty)
			if abort, ok := out[0].(*wire.Abort); !ok || abort.Reason != wire.ReasonKeys {
				t.Errorf("answered with %v", out[0])
			}
			return nil
		}
		return []packet{p}
	}
	w.create(threeSets)
	if raw == nil {
		t.Error("there was no proposal")
	}
}

// TestStoredNodeKeys has a disk that lies: a stored proposal is checked again.
func TestStoredNodeKeys(t *testing.T) {
	w := newWorld(t, 3)
	id := w.create(threeSets)
	keys := w.reopened(0, id).Proposal.NodeKeys
	record := slices.Clone(w.stores[0].parts[id]["creation"])
	at := -1
	for i := range record {
		if i+33 <= len(record) && [33]byte(record[i:i+33]) == keys[1] {
			at = i
		}
	}
	if at < 0 {
		t.Fatal("the key is not stored")
	}
	record[at] ^= 1 // the opposite point
	w.stores[0].parts[id]["creation"] = record
	if _, err := ceremony.OpenHeld(w.clientConfig(0, rule.Set{}), id, w.stores[0].parts[id]); err == nil {
		t.Error("a wrong key was read back")
	}
}

// TestNodeKeysWithoutRules has the two sides of the mutants: an LSP that sends
// none, a client that says nothing about wrong ones.
func TestNodeKeysWithoutRules(t *testing.T) {
	w := newWorldWith(t, 3, rule.Without(rule.CER046), rule.Set{})
	w.bend = func(p packet) []packet {
		if m, ok := p.m.(*wire.Proposal); ok && m.NodeKeys != nil {
			t.Error("keys were sent")
		}
		return []packet{p}
	}
	w.create(threeSets)
	if len(w.funded()) != 1 {
		t.Error("no factory without keys")
	}

	w = newWorldWith(t, 3, rule.Without(rule.SIGN021), rule.Without(rule.CER047))
	w.create(threeSets)
	for i := range w.clients {
		if w.clients[i].Busy() || w.stores[i].signed != 0 {
			t.Errorf("client %d goes on", i)
		}
	}
	if slices.ContainsFunc(w.log, func(line string) bool { return line == "0>ceremony_abort" }) {
		t.Error("it said something")
	}
}
