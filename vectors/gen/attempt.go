package gen

import (
	"errors"
	"fmt"
	"slices"

	"superscalar/refnode/channel"
	"superscalar/refnode/peer"
	"superscalar/refnode/plugin"
	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

const attemptComment = "A base node that offers Loopback (SPEC.md 3.6) opens and accepts channels with two peers, numbers 0 and 1, up to accept_channel. connect: init and supported_factory_protocols are exchanged on a new connection with the peer; what was with it has ended. open: the node sends an open_channel with temporary_channel_id. receive: message arrives. answer goes back, with answer_id for its id; attempts is how many there are with the peer afterwards. The features of SPEC.md 3.7 are negotiated, and the chain is regtest."

// attempted is a story of attempts in the making: named ids are a, b and c.
type attempted struct {
	name  string
	rules []rule.ID
	field string // of the last message; empty: nothing is wrong
	steps []vectors.AttemptStep
}

func attemptID(name byte) vectors.Hex { return newSource("attempt " + string(name)).bytes(32) }

func connectsTo(n int) vectors.AttemptStep {
	return vectors.AttemptStep{Event: "connect", Peer: vectors.Uint(n)}
}

// attemptOpen is an open_channel of a peer.
func attemptOpen(id byte) *wire.OpenChannel {
	b := newOpenBase().open
	in := *b.ChannelInFactory
	in.ProtocolID, b.ChannelInFactory = wire.Codec{}.LoopbackID(), &in
	b.TemporaryChannelID = wire.ChannelID(attemptID(id))
	return &b
}

func attemptAccept(id byte) *wire.AcceptChannel {
	open := channel.NewOpen([32]byte{}, wire.ChannelID(attemptID(id)), 1_000_000, wire.ChannelInFactory{}, wire.ChannelKeys{})
	return channel.NewAccept(open, attemptOpen(id).Keys)
}

// tellsAttempt is a message that is answered with a name ("" for nothing), and leaves some attempts.
func tellsAttempt(n int, m wire.Message, id byte, answer string, left int) vectors.AttemptStep {
	s := vectors.AttemptStep{Event: "receive", Peer: vectors.Uint(n), Message: encoded(m), Answer: answer, Attempts: vectors.Uint(left)}
	if answer != "" {
		s.AnswerID = attemptID(id)
	}
	return s
}

func attemptStories() []attempted {
	const accept, refuse = "accept_channel", "error"
	open := func(n int, id byte, answer string, left int) vectors.AttemptStep {
		return tellsAttempt(n, attemptOpen(id), id, answer, left)
	}
	accepts := func(n int, id byte, answer string, left int) vectors.AttemptStep {
		return tellsAttempt(n, attemptAccept(id), id, answer, left)
	}
	fails := func(n int, id byte, left int) vectors.AttemptStep {
		return tellsAttempt(n, &wire.ErrorMessage{ChannelID: wire.ChannelID(attemptID(id)), Data: []byte("no")}, id, "", left)
	}
	own := func(n int, id byte, left int) vectors.AttemptStep {
		return vectors.AttemptStep{Event: "open", Peer: vectors.Uint(n), ID: attemptID(id), Attempts: vectors.Uint(left)}
	}
	story := func(name, field string, rules []rule.ID, steps ...vectors.AttemptStep) attempted {
		return attempted{name, rules, field, append([]vectors.AttemptStep{connectsTo(0), connectsTo(1)}, steps...)}
	}
	const id = "temporary_channel_id"
	return []attempted{
		story("two ids", "", ids(rule.PCF075), open(0, 'a', accept, 1), open(0, 'b', accept, 2)),
		story("id again after both were failed", "", ids(rule.PCF076, rule.PCF075), open(0, 'a', accept, 1), fails(0, 'a', 0), open(0, 'a', accept, 1)),
		story("id again on a new connection", "", ids(rule.PCF077), open(0, 'a', accept, 1), connectsTo(0), open(0, 'a', accept, 1)),
		story("own id again on a new connection", "", ids(rule.PCF077), own(0, 'c', 1), connectsTo(0), open(0, 'c', accept, 1)),
		story("one id of two peers", "", ids(rule.PCF078), open(0, 'a', accept, 1), open(1, 'a', accept, 1), fails(0, 'a', 0), open(1, 'b', accept, 2)),
		story("accepted", "", ids(rule.PCF079, rule.PCF165), own(0, 'c', 1), accepts(0, 'c', "", 1)),
		story("both open", "", ids(rule.PCF075, rule.PCF165), own(0, 'c', 1), open(0, 'a', accept, 2), accepts(0, 'c', "", 2)),
		story("peer fails an own one", "", ids(rule.PCF076), own(0, 'c', 1), fails(0, 'c', 0), open(0, 'c', accept, 1)),

		story("id in use", id, ids(rule.PCF075), open(0, 'a', accept, 1), open(0, 'a', refuse, 0)),
		story("id in use of one of two", id, ids(rule.PCF075), open(0, 'a', accept, 1), open(0, 'b', accept, 2), open(0, 'a', refuse, 1)),
		story("id in use by an own one", id, ids(rule.PCF075), own(0, 'c', 1), open(0, 'c', refuse, 0)),
		story("id in use on one connection", id, ids(rule.PCF075, rule.PCF077), open(0, 'a', accept, 1), connectsTo(0), open(0, 'a', accept, 1), open(0, 'a', refuse, 0)),
		story("error of another peer ends nothing", id, ids(rule.PCF075, rule.PCF078), open(0, 'a', accept, 1), fails(1, 'a', 0), open(0, 'a', refuse, 0)),
		story("id of another peer in use", id, ids(rule.PCF075, rule.PCF078), open(0, 'a', accept, 1), open(1, 'a', accept, 1), open(1, 'a', refuse, 0)),
		story("accept of what the peer failed", id, ids(rule.PCF079, rule.PCF076), own(0, 'c', 1), fails(0, 'c', 0), accepts(0, 'c', refuse, 0)),
		story("accept of nothing", id, ids(rule.PCF079), accepts(0, 'c', refuse, 0)),
		story("accept after the connection ended", id, ids(rule.PCF079, rule.PCF077), own(0, 'c', 1), connectsTo(0), accepts(0, 'c', refuse, 0)),
		story("accept by another peer", id, ids(rule.PCF079, rule.PCF078), own(0, 'c', 1), accepts(1, 'c', refuse, 0)),
		story("accept of what the peer opened", id, ids(rule.PCF165), open(0, 'a', accept, 1), accepts(0, 'a', refuse, 0)),
		story("accept again", id, ids(rule.PCF165), own(0, 'c', 1), accepts(0, 'c', "", 1), accepts(0, 'c', refuse, 0)),
	}
}

func attempts() (vectors.File, error) {
	f := file("PCF", "attempt", "SPEC.md 3.7 and 3.9; BOLT 2, \"The open_channel Message\"; BOLT 1, \"The error and warning Messages\"", attemptComment)
	for _, c := range attemptStories() {
		v := &vectors.Attempt{Head: head(slug("attempt", c.name), c.rules...), Steps: slices.Clone(c.steps)}
		if c.field != "" {
			v.Steps[len(v.Steps)-1].Fault = true
			v.Outcome = fault("error", c.field, -1, c.rules[0])
		}
		f.Vectors = append(f.Vectors, v)
	}
	return f, nil
}

// attemptNode has a connection with each peer.
type attemptNode struct {
	rules rule.Set
	with  [2]*peer.Machine
}

// connect exchanges what comes before channels.
func (n *attemptNode) connect(with vectors.Uint) error {
	codec := wire.Codec{Rules: n.rules}
	loop := plugin.NewLoopback(codec, nil)
	m := peer.New(peer.Config{
		Codec: codec, Features: peer.Features(), ChainHash: regtest, Plugins: []plugin.Plugin{loop},
		Keys: func() (wire.ChannelKeys, error) { return attemptOpen('k').Keys, nil },
	}, wire.Point{2, byte(with)})
	m.Start()
	for _, msg := range []wire.Message{
		&wire.Init{Features: peer.Features(), Networks: [][32]byte{regtest}},
		&wire.SupportedProtocols{IDs: [][32]byte{wire.Codec{}.LoopbackID()}},
	} {
		m.Receive(encoded(msg))
	}
	n.with[with] = m
	if !m.Ready() {
		return errors.New("the connection is not made")
	}
	return nil
}

// step returns what the node answers to a step.
func (n *attemptNode) step(h *vectors.AttemptStep) (answer string, id vectors.Hex, err error) {
	if h.Peer > 1 || h.Event != "connect" && n.with[h.Peer] == nil {
		return "", nil, errors.New("there is no such peer, or no connection with it")
	}
	var actions []peer.Action
	switch m := n.with[h.Peer]; h.Event {
	case "connect":
		return "", nil, n.connect(h.Peer)
	case "receive":
		actions = m.Receive(h.Message)
	case "open":
		if len(h.ID) != 32 {
			return "", nil, errors.New("no id")
		}
		in := wire.ChannelInFactory{ProtocolID: wire.Codec{}.LoopbackID(), InstanceID: [32]byte{1}, EarlyWarningTime: 144}
		_, err = m.OpenInFactory(peer.InFactory{In: in, FundingSat: 1_000_000, Funding: attemptOpen('k').Keys.Funding, ToSelfDelay: 144, TemporaryID: wire.ChannelID(h.ID)})
		return "", nil, err
	default:
		return "", nil, fmt.Errorf("no event %q", h.Event)
	}
	for _, a := range actions {
		s, ok := a.(peer.Send)
		if !ok {
			continue
		}
		m, err := wire.Codec{}.Decode(s.Message)
		if err != nil {
			return "", nil, err
		}
		switch m := m.(type) {
		case *wire.ErrorMessage:
			answer, id = m.Name(), m.ChannelID[:]
		case *wire.AcceptChannel:
			answer, id = m.Name(), m.TemporaryChannelID[:]
		}
	}
	return answer, id, nil
}

func (r runner) attempt(v *vectors.Attempt) error {
	if n := len(v.Steps); v.Error != nil && (n == 0 || v.Error.Kind != v.Steps[n-1].Answer) {
		return fmt.Errorf("the last answer is no %s", v.Error.Kind)
	}
	n := &attemptNode{rules: r.rules}
	for i := range v.Steps {
		h := &v.Steps[i]
		answer, id, err := n.step(h)
		if err == nil && (answer != h.Answer || string(id) != string(h.AnswerID)) {
			err = fmt.Errorf("the answer is %q with %x, want %q with %x", answer, id, h.Answer, h.AnswerID)
		}
		if left := n.with[h.Peer]; err == nil && vectors.Uint(left.Pending()) != h.Attempts {
			err = fmt.Errorf("%d attempts are left, want %d", left.Pending(), h.Attempts)
		}
		if err != nil {
			return fmt.Errorf("step %d (%s): %w", i, h.Event, err)
		}
	}
	return nil
}

func attemptSchema() object {
	step := partly(object{
		"event": oneOf("connect", "open", "receive"), "peer": object{"enum": []int{0, 1}}, "attempts": upTo(64),
	}, object{
		"temporary_channel_id": bytesOf(32), "message": ref("hex"), "fault": about("This is what is wrong.", object{"const": true}),
		"answer": oneOf("accept_channel", "error"), "answer_id": bytesOf(32),
	})
	step["allOf"] = []any{needs("open", "temporary_channel_id"), needs("receive", "message")}
	return schema("attempt", "Channels that are being opened with two peers", object{
		"steps": object{"type": "array", "minItems": 1, "items": step},
	}, nil, nil, nil)
}
