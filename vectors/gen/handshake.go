package gen

import (
	"errors"
	"fmt"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"superscalar/refnode/transport"
	"superscalar/vectors"
	"superscalar/wire/rule"
)

// actFault is what a class of handshake failure means.
type actFault struct {
	field  string
	offset int // in the act; -1: where the act ends
	rule   rule.ID
}

// actFaults are the classes of BOLT 8 appendix A. A read that ends early has
// no requirement of its own: the appendix is what names it (TRN-008).
var actFaults = map[string]actFault{
	transport.Act1ReadFailed:    {"act", -1, rule.TRN008},
	transport.Act1BadVersion:    {"version", 0, rule.TRN001},
	transport.Act1BadPubkey:     {"ephemeral_key", 1, rule.TRN002},
	transport.Act1BadTag:        {"tag", 34, rule.TRN003},
	transport.Act2ReadFailed:    {"act", -1, rule.TRN008},
	transport.Act2BadVersion:    {"version", 0, rule.TRN005},
	transport.Act2BadPubkey:     {"ephemeral_key", 1, rule.TRN005},
	transport.Act2BadTag:        {"tag", 34, rule.TRN005},
	transport.Act3ReadFailed:    {"act", -1, rule.TRN008},
	transport.Act3BadVersion:    {"version", 0, rule.TRN001},
	transport.Act3BadCiphertext: {"node_id", 1, rule.TRN003},
	transport.Act3BadPubkey:     {"node_id", 1, rule.TRN002},
	transport.Act3BadTag:        {"tag", 50, rule.TRN003},
}

func handshakes() (vectors.File, error) {
	f := file("TRN", "handshake", "BOLT 8 appendix A",
		"Give the side named by role its keys, feed it the acts from the other side, compare the acts from its own. The inner values of an act are those of either side. An offset is counted from the first byte of the last act.")
	for _, role := range []string{"initiator", "responder"} {
		v := actorOf(role)
		v.Head = head("handshake-"+role+"-good", rule.TRN008)
		v.Acts = goodActs(3)
		for i := range v.Acts {
			v.Acts[i].Intermediates = &inner[i]
		}
		v.ChainingKey, v.SendingKey, v.ReceivingKey = finalChain, finalKeys[0], finalKeys[1]
		if role == "responder" {
			v.SendingKey, v.ReceivingKey = finalKeys[1], finalKeys[0]
		}
		f.Vectors = append(f.Vectors, &v)
	}
	for _, c := range badActs {
		f.Vectors = append(f.Vectors, badHandshake(c.name, c.class, c.act, unhex(c.bytes)))
	}
	return f, nil
}

// actorOf returns a vector with the keys of one side.
func actorOf(role string) vectors.Handshake {
	if role == "initiator" {
		return vectors.Handshake{Role: role, LocalKey: initiatorKey, LocalID: initiatorID, RemoteID: responderID,
			EphemeralKey: initiatorEphemeral, EphemeralID: initiatorEphemeralID}
	}
	return vectors.Handshake{Role: role, LocalKey: responderKey, LocalID: responderID,
		EphemeralKey: responderEphemeral, EphemeralID: responderEphemeralID}
}

// goodActs returns the first n acts.
func goodActs(n int) []vectors.Act {
	var out []vectors.Act
	for i := range n {
		out = append(out, vectors.Act{Act: i + 1, From: sender(i + 1), Bytes: acts[i]})
	}
	return out
}

func sender(act int) string {
	if act == 2 {
		return "responder"
	}
	return "initiator"
}

// badHandshake has its fault in the last act.
func badHandshake(name, class string, act int, b []byte) vectors.Vector {
	role := "responder"
	if act == 2 {
		role = "initiator"
	}
	v := actorOf(role)
	a := actFaults[class]
	if a.offset < 0 {
		a.offset = len(b)
	}
	v.Head = head("handshake-"+name, rule.TRN008)
	if a.rule != rule.TRN008 {
		v.Rules = append(v.Rules, a.rule)
	}
	v.Acts = append(goodActs(act-1), vectors.Act{Act: act, From: sender(act), Bytes: b})
	v.Outcome = blame(sender(act), class, a.field, a.offset, a.rule)
	return &v
}

// machine is a transport.Machine as the vectors see it. TRN-008 is "compute as
// the appendix does", which no switch in the transport can turn off without
// breaking every connection of a mutant; so the mutant is made here: without
// the rule, one bit of act two is wrong on its way out of the machine.
type machine struct {
	*transport.Machine
	flip bool
}

func (m machine) feed(act []byte) ([]byte, error) {
	out, err := m.Feed(act)
	if m.flip && len(out) == actTwoSize {
		out[len(out)-1] ^= 1
	}
	return out, err
}

const actTwoSize = 50 // of the acts a machine answers with, only act two has this size

// start returns the machine of one side and its first output.
func (r runner) start(role string, key, remote, ephemeral []byte) (machine, []byte, error) {
	local, eph := secp256k1.PrivKeyFromBytes(key), secp256k1.PrivKeyFromBytes(ephemeral)
	m := machine{flip: !r.rules.On(rule.TRN008)}
	var err error
	if role == "initiator" {
		if len(remote) != 33 {
			return m, nil, fmt.Errorf("an initiator needs a node id of 33 bytes, not %d", len(remote))
		}
		m.Machine, err = transport.NewInitiator(local, transport.NodeID(remote), eph, r.rules)
	} else {
		m.Machine, err = transport.NewResponder(local, eph, r.rules)
	}
	if err != nil {
		return m, nil, err
	}
	out, err := m.Start()
	return m, out, err
}

func (r runner) handshake(v *vectors.Handshake) error {
	m, out, err := r.start(v.Role, v.LocalKey, v.RemoteID, v.EphemeralKey)
	if err != nil {
		return err
	}
	if id := m.LocalID(); string(id[:]) != string(v.LocalID) {
		return fmt.Errorf("node id %s, want %x", id, v.LocalID)
	}
	for i, act := range v.Acts {
		if act.From == v.Role {
			if err := sameBytes(fmt.Sprintf("act %d", act.Act), out, act.Bytes); err != nil {
				return err
			}
			continue
		}
		out, err = m.feed(act.Bytes)
		if i == len(v.Acts)-1 && v.Error != nil {
			return refusedAct(v.Error, err, len(act.Bytes))
		}
		if err != nil {
			return fmt.Errorf("act %d: %w", act.Act, err)
		}
	}
	if !m.Done() {
		return errors.New("the handshake is not complete")
	}
	return nil
}

// refusedAct compares a failure with the one a vector asks for; size is that
// of the act.
func refusedAct(want *vectors.Failure, err error, size int) error {
	var got *transport.HandshakeError
	if err == nil {
		return fmt.Errorf("accepted, want %s", want.Kind)
	}
	if !errors.As(err, &got) || got.Class != want.Kind {
		return fmt.Errorf("refused with %q, want %s", err, want.Kind)
	}
	a := actFaults[got.Class]
	if a.field != want.Field || a.rule != want.Rule {
		return fmt.Errorf("%s is about %s (%s), not %s (%s)", got.Class, a.field, a.rule, want.Field, want.Rule)
	}
	if a.offset < 0 {
		a.offset = size
	}
	if want.Offset != nil && *want.Offset != a.offset {
		return fmt.Errorf("%s is at byte %d, not %d", got.Class, a.offset, *want.Offset)
	}
	return nil
}
