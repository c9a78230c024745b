package conformance

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"superscalar/harness"
	"superscalar/refnode/transport"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Section 2.1, transport.
func transportCases() []harness.Case {
	cases := []harness.Case{
		{
			Name:    "trn/transport/act-one-incomplete",
			Summary: "A responder sends nothing before it has all of act one.",
			Rules:   []rule.ID{rule.TRN004},
			Body: func(p *harness.Play) {
				p.Connect()
				r := p.DialRaw()
				defer r.Close()
				r.Write(r.Start()[:49])
				r.CloseWrite()
				r.SilentlyClosed(rule.TRN004, "act one without its last byte")
				p.Connect()
			},
		},
		{
			Name:    "trn/transport/key-rotation",
			Summary: "Six hundred messages in each direction cross one key rotation.",
			Rules:   []rule.ID{rule.TRN007},
			Body:    keyRotation,
		},
		{
			Name:    "trn/transport/silent-sockets",
			Summary: "Sixty sockets that say nothing do not keep an honest peer out.",
			Rules:   []rule.ID{rule.TRN009},
			Profile: harness.Extended,
			Body: func(p *harness.Play) {
				p.Connect()
				for range 60 {
					r := p.DialRaw()
					defer r.Close()
				}
				p.Step("60 silent sockets are open")
				c, err := p.TryDial(1)
				if err != nil {
					p.Fail(rule.TRN009, "an honest handshake did not complete", "handshake complete", err.Error())
					return
				}
				c.Exchange()
			},
		},
		{
			Name:    "trn/transport/idle-handshake",
			Summary: "A connection that stops in the handshake, or before init, is closed after 30 seconds.",
			Rules:   []rule.ID{rule.TRN010},
			Profile: harness.Extended,
			Slow:    true,
			Body:    idleHandshake,
		},
		{
			Name:    "trn/transport/second-connection",
			Summary: "A second connection with one node id replaces the first.",
			Rules:   []rule.ID{rule.TRN011},
			Body: func(p *harness.Play) {
				first := p.Connect()
				second := p.DialAs(0)
				second.Exchange()
				p.Step("a second connection with the same node id is up")
				if end := first.ReadToEnd(); end == harness.Hung {
					p.Fail(rule.TRN011, "the older connection stays open", "closed", string(end))
				}
				second.Control()
			},
		},
	}
	cases = append(cases, bothDial("smaller", -1), bothDial("larger", +1), harness.Case{
		Name: "trn/transport/fresh-ephemeral", Summary: "Two handshakes use two ephemeral keys.",
		Rules: []rule.ID{rule.TRN013},
		Body: func(p *harness.Play) {
			p.Connect()
			var keys [2][]byte
			for i := range keys {
				r := p.DialRaw()
				defer r.Close()
				r.Write(r.Start())
				keys[i] = r.ActTwo()[1:34]
			}
			if bytes.Equal(keys[0], keys[1]) {
				p.Fail(rule.TRN013, "two handshakes used one ephemeral key", "two different keys", hex.EncodeToString(keys[0]))
			}
		},
	})
	cases = append(cases, badActCases()...)
	return append(cases, badFrameCases()...)
}

// keyRotation sends more messages than one key may encrypt, in both
// directions, and wants an answer to each.
func keyRotation(p *harness.Play) {
	const messages = 600 // a key is good for 500
	c := p.Connect()
	for range messages {
		c.Send(&wire.Ping{NumPongBytes: 2})
	}
	p.Step("%d pings sent", messages)
	for i := range messages {
		m, ok := harness.Await[*wire.Pong](c, rule.TRN007, "a pong for every ping")
		if !ok {
			return
		}
		if len(m.Ignored) != 2 {
			p.Fail(rule.TRN007, "a pong of the wrong length", "2 bytes", fmt.Sprintf("%d bytes in pong %d", len(m.Ignored), i+1))
			return
		}
	}
	c.Control()
}

// bothDial has the target dial the suite, which dials back with the same node
// id, smaller or larger than the target's (order -1 or +1), and looks which
// connection is left.
func bothDial(name string, order int) harness.Case {
	return harness.Case{
		Name:    "trn/transport/both-dial-suite-" + name,
		Summary: "Of two connections dialled from opposite sides the one of the smaller node id stays, here with a suite whose id is " + name + ".",
		Rules:   []rule.ID{rule.TRN012}, Tier: harness.Driver, Profile: harness.Extended,
		Body: func(p *harness.Play) {
			target := p.Node.Address().ID
			in := p.ListenAs(func(id transport.NodeID) bool { return bytes.Compare(id[:], target[:]) == order })
			defer in.Close()
			theirs := in.Accept()
			theirs.Exchange()
			ours, err := in.DialBack()
			if err != nil {
				p.Fail(rule.TRN012, "the handshake of the second connection did not complete", "handshake complete, then one connection closed", err.Error())
				return
			}
			p.Step("two connections were dialled from opposite sides")
			stays, goes := ours, theirs
			if order > 0 {
				stays, goes = theirs, ours
			}
			if end := goes.ReadToEnd(); end == harness.Hung {
				p.Fail(rule.TRN012, "the connection dialled by the larger node id stays open", "closed", string(end))
				return
			}
			if stays == ours {
				stays.Exchange()
			}
			stays.Control()
		},
	}
}

// idleHandshake leaves one connection after act two and one before init.
func idleHandshake(p *harness.Play) {
	p.Connect()
	inHandshake := p.DialRaw()
	defer inHandshake.Close()
	inHandshake.Write(inHandshake.Start())
	inHandshake.ActThree() // read act two, keep act three
	beforeInit := p.Dial()
	beforeInit.ReadInit()
	p.Step("31 seconds after both connections were opened")
	p.Pass(31 * time.Second)
	inHandshake.Closes(rule.TRN010, "no act three for 31 seconds")
	if end := beforeInit.ReadToEnd(); end == harness.Hung {
		p.Fail(rule.TRN010, "no init for 31 seconds: the connection stays open", "closed", string(end))
	}
	p.Connect()
}

// A bad act, given the right one.
type badAct struct {
	name, what string
	rule       rule.ID
	spoil      func(act []byte) []byte
}

func flip(i int) func([]byte) []byte {
	return func(act []byte) []byte {
		act = slices.Clone(act)
		act[(i+len(act))%len(act)] ^= 0x01
		return act
	}
}

// set replaces one byte; the key's first byte 4 is a form that is not allowed
// in compressed points.
func set(i int, b byte) func([]byte) []byte {
	return func(act []byte) []byte {
		act = slices.Clone(act)
		act[i] = b
		return act
	}
}

func badActCases() []harness.Case {
	one, three := []badAct{
		{"act-one-bad-version", "act one of version 1", rule.TRN001, set(0, 1)},
		{"act-one-bad-key", "act one with a key that is no compressed point", rule.TRN002, set(1, 4)},
		{"act-one-bad-tag", "act one with a wrong tag", rule.TRN003, flip(-1)},
	}, []badAct{
		{"act-three-bad-version", "act three of version 1", rule.TRN001, set(0, 1)},
		{"act-three-bad-ciphertext", "act three whose node id does not authenticate", rule.TRN003, flip(20)},
		{"act-three-bad-tag", "act three with a wrong tag", rule.TRN003, flip(-1)},
	}
	var cases []harness.Case
	refused := func(b badAct, send func(r *harness.Raw)) {
		cases = append(cases, harness.Case{
			Name: "trn/transport/" + b.name, Summary: "A responder silently refuses " + b.what + ".", Rules: []rule.ID{b.rule},
			Body: func(p *harness.Play) {
				p.Connect()
				r := p.DialRaw()
				defer r.Close()
				send(r)
				r.SilentlyClosed(b.rule, b.what)
				p.Connect()
			},
		})
	}
	for _, b := range one {
		refused(b, func(r *harness.Raw) { r.Write(b.spoil(r.Start())) })
	}
	for _, b := range three {
		refused(b, func(r *harness.Raw) {
			r.Write(r.Start())
			r.Write(b.spoil(r.ActThree()))
		})
	}
	for _, b := range []badAct{
		{"act-two-bad-version", "act two of version 1", rule.TRN005, set(0, 1)},
		{"act-two-bad-key", "act two with a key that is no compressed point", rule.TRN005, set(1, 4)},
		{"act-two-bad-tag", "act two with a wrong tag", rule.TRN005, flip(-1)},
	} {
		cases = append(cases, harness.Case{
			Name: "trn/transport/" + b.name, Summary: "An initiator refuses " + b.what + " without act three.", Rules: []rule.ID{b.rule},
			Tier: harness.Driver,
			Body: func(p *harness.Play) {
				dialled(p).Exchange()
				in := p.Listen()
				defer in.Close()
				r, act2 := in.AcceptRaw()
				defer r.Close()
				r.Write(b.spoil(act2))
				r.SilentlyClosed(b.rule, b.what)
				dialled(p).Exchange()
			},
		})
	}
	return cases
}

// dialled has the target dial the suite, at a node id not used before.
func dialled(p *harness.Play) *harness.Peer {
	in := p.Listen()
	defer in.Close()
	return in.Accept()
}

// badFrameCases break one frame after a good handshake.
func badFrameCases() []harness.Case {
	var cases []harness.Case
	for _, b := range []struct {
		name, what string
		at         int // byte of the frame that is flipped
	}{
		{"bad-length-tag", "a length prefix that does not authenticate", 17},
		{"bad-message-tag", "a message that does not authenticate", -1},
	} {
		for _, side := range sides() {
			cases = append(cases, harness.Case{
				Name: "trn/transport/" + b.name + side.suffix, Summary: "A node that " + side.does + " closes the connection on " + b.what + ".", Rules: []rule.ID{rule.TRN006}, Tier: side.tier,
				Body: func(p *harness.Play) {
					c := side.open(p)
					c.Exchange() // a ping is answered: frames of this connection are read
					c.SendForged(&wire.Ping{NumPongBytes: 4}, b.at)
					p.Step("after %s", b.what)
					if end := c.ReadToEnd(); end == harness.Hung {
						p.Fail(rule.TRN006, b.what+": the target did not close", "closed", string(end))
					}
					p.Connect()
				},
			})
		}
	}
	return cases
}
