package conformance

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"time"

	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Section 2.4, the init message.
func initCases() []harness.Case {
	cases := []harness.Case{
		{
			Name: "trn/init/first", Summary: "The first message of a node that was dialled is init.",
			Rules: []rule.ID{rule.TRN050},
			Body:  func(p *harness.Play) { p.Connect() },
		},
		{
			Name: "trn/init/first-when-dialling", Summary: "The first message of a node that dials is init.",
			Rules: []rule.ID{rule.TRN050}, Tier: harness.Driver,
			Body: func(p *harness.Play) { dialled(p).Exchange() },
		},
		{
			Name: "trn/init/nothing-before-the-peers", Summary: "A node says nothing but init before it has the peer's init.",
			Rules: []rule.ID{rule.TRN051}, Body: nothingBeforeInit,
		},
		{
			Name: "trn/init/not-first", Summary: "A node closes a connection that does not begin with init.",
			Rules: []rule.ID{rule.TRN052},
			Body: func(p *harness.Play) {
				p.Connect()
				c := p.Dial()
				c.ReadInit()
				c.Provoke(rule.TRN052, harness.Stimulus{Message: &wire.Ping{NumPongBytes: 3}, What: "a ping before init"}, harness.Closed) // a word before init would break TRN-051
				c.After()
			},
		},
		{
			Name: "trn/init/second", Summary: "A node closes the connection on a second init.",
			Rules: []rule.ID{rule.TRN053}, Profile: harness.Extended,
			Body: func(p *harness.Play) {
				c := p.Connect()
				c.Provoke(rule.TRN053, harness.Stimulus{Message: c.InitMessage(), What: "a second init"}, harness.AnyClose...)
				c.After()
			},
		},
	}
	for _, s := range initStimuli() {
		for _, side := range sides() {
			cases = append(cases, harness.Case{
				Name: "trn/init/" + s.name + side.suffix, Summary: fmt.Sprintf("A node that %s reacts rightly to %s.", side.does, s.what), Rules: []rule.ID{s.rule}, Tier: side.tier,
				Body: func(p *harness.Play) {
					side.open(p).Exchange()
					c := side.open(p)
					c.ReadInit()
					m := c.InitMessage()
					s.change(m)
					c.Provoke(s.rule, harness.Stimulus{Message: m, What: s.what}, s.want...)
					c.After()
				},
			})
		}
	}
	cases = append(cases, initRecordCases()...)
	return append(cases, initContentCases()...)
}

// initRecordCases spoil the tlv_stream of a right init (TRN-065).
func initRecordCases() []harness.Case {
	var cases []harness.Case
	for _, s := range []struct {
		name, what string
		tail       []byte // replaces everything behind features
		fault      int    // offset in tail
	}{
		{"truncated-record", "init with a record that ends early", []byte{0xc9, 2, 1}, 2},
		{"unordered-records", "init with records out of order", []byte{0xcb, 0, 0xc9, 0}, 2},
		{"repeated-record", "init with one record twice", []byte{0xc9, 1, 1, 0xc9, 1, 2}, 3},
		{"non-minimal-type", "init with a record type that is not minimal", []byte{0xfd, 0, 0xc9, 0}, 0},
		{"networks-31-bytes", "init with networks of 31 bytes", append([]byte{1, 31}, make([]byte, 31)...), 1},
	} {
		cases = append(cases, harness.Case{
			Name: "trn/init/" + s.name, Summary: "A node refuses " + s.what + ".", Rules: []rule.ID{rule.TRN065},
			Body: func(p *harness.Play) {
				p.Connect()
				c := p.Dial()
				c.ReadInit()
				m := c.InitMessage()
				m.Networks = nil
				raw := c.Encode(m)
				c.Provoke(rule.TRN065, harness.Stimulus{Raw: append(raw, s.tail...), Planted: len(raw) + s.fault, What: s.what}, harness.AnyClose...)
				c.After()
			},
		})
	}
	return cases
}

// A side says who dials. A node has to keep the rules of the conversation on
// connections of both kinds.
type side struct {
	suffix, does string
	tier         harness.Tier
	open         func(*harness.Play) *harness.Peer
}

func sides() []side {
	return []side{
		{"", "was dialled", harness.Wire, (*harness.Play).Dial},
		{"-when-dialling", "dials", harness.Driver, dialled},
	}
}

// An init that differs from the suite's own in one thing.
type initStimulus struct {
	name   string
	rule   rule.ID
	what   string
	change func(*wire.Init)
	want   []harness.Outcome
}

func initStimuli() []initStimulus {
	alive := []harness.Outcome{harness.Ignored}
	return []initStimulus{
		{"unknown-even-feature", rule.TRN054, "init with unknown even feature 1000", func(m *wire.Init) { m.Features = m.Features.With(1000) }, harness.AnyClose},
		{"unknown-odd-feature", rule.TRN055, "init with unknown odd feature 1001", func(m *wire.Init) { m.Features = m.Features.With(1001) }, alive},
		{"unknown-even-global-feature", rule.TRN056, "init with unknown even feature 100 in globalfeatures", func(m *wire.Init) {
			m.GlobalFeatures = wire.NewFeatures(100)
		}, harness.AnyClose},
		{"missing-dependency", rule.TRN057, "init with option_zeroconf and without option_scid_alias", func(m *wire.Init) {
			m.Features = m.Features.Without(wire.FeatureFactories).Without(wire.FeatureScidAlias)
		}, harness.AnyClose},
		{"no-common-network", rule.TRN063, "init whose networks are another chain's", func(m *wire.Init) {
			m.Networks = [][32]byte{sha256.Sum256([]byte("another chain"))}
		}, harness.AnyClose},
		{"several-networks", rule.TRN063, "init whose networks are another chain's and the target's", func(m *wire.Init) {
			m.Networks = append([][32]byte{sha256.Sum256([]byte("another chain"))}, m.Networks...)
		}, alive},
		{"unknown-even-record", rule.TRN065, "init with unknown even record 202", func(m *wire.Init) {
			m.Extra = wire.Stream{{Type: 202, Value: []byte{42}}}
		}, harness.AnyClose},
		{"unknown-odd-record", rule.TRN066, "init with unknown odd records 201 and 203", func(m *wire.Init) {
			m.Extra = wire.Stream{{Type: 201, Value: []byte{42}}, {Type: 203, Value: []byte{4}}}
		}, alive},
	}
}

// nothingBeforeInit holds the suite's init back on one connection until
// another one has been all the way through a conversation. Whatever the target
// says on the first without waiting has arrived by then; the case can miss a
// slow offender, and never accuses an honest node.
func nothingBeforeInit(p *harness.Play) {
	c := p.Dial()
	c.ReadInit()
	p.Connect()
	p.Step("init is held back")
	if raw, ok := c.Peek(100 * time.Millisecond); ok {
		name, _ := harness.Describe(p.Codec, raw)
		p.Fail(rule.TRN051, "a message came before the suite's init", "nothing but init", name)
	}
	c.Exchange() // and the connection is good for something
}

// initContentCases look at what the target's own init says.
func initContentCases() []harness.Case {
	look := func(name, summary string, id rule.ID, check func(*harness.Play, *wire.Init)) harness.Case {
		return harness.Case{Name: "trn/init/" + name, Summary: summary, Rules: []rule.ID{id}, Body: func(p *harness.Play) {
			c := p.Connect()
			p.Step("the target's init")
			check(p, c.Init)
		}}
	}
	return []harness.Case{
		look("not-both-bits", "A node sets at most one bit of a feature.", rule.TRN058, func(p *harness.Play, m *wire.Init) {
			for _, bit := range m.All().Bits() {
				if bit%2 == 0 && m.All().Bit(bit+1) {
					p.Fail(rule.TRN058, "both bits of a feature are set", "one bit of the pair", fmt.Sprintf("bits %d and %d", bit, bit+1))
				}
			}
		}),
		look("minimal-features", "A node's features have no leading zero bytes.", rule.TRN059, func(p *harness.Play, m *wire.Init) {
			if len(m.Features) > 0 {
				p.Check(rule.TRN059, m.Features[0], gomega.Not(gomega.BeZero()), "features without a leading zero byte")
			}
		}),
		look("own-dependencies", "A node sets what its features depend on.", rule.TRN060, func(p *harness.Play, m *wire.Init) {
			for _, bit := range m.All().Bits() {
				for _, needed := range wire.Dependencies(bit) {
					if bit&^1 != wire.FeatureFactories && !m.All().Offers(needed) {
						p.Fail(rule.TRN060, "a dependency is missing", fmt.Sprintf("feature %d", needed), fmt.Sprintf("feature %d without it", bit))
					}
				}
			}
		}),
		look("globalfeatures", "A node sets nothing above bit 13 in globalfeatures.", rule.TRN061, func(p *harness.Play, m *wire.Init) {
			for _, bit := range m.GlobalFeatures.Bits() {
				p.Check(rule.TRN061, int(bit), gomega.BeNumerically("<=", 13), "globalfeatures without bits above 13")
			}
		}),
		look("networks", "A node names its chains.", rule.TRN062, func(p *harness.Play, m *wire.Init) {
			p.Check(rule.TRN062, m.Networks, gomega.Not(gomega.BeEmpty()), "at least one chain in networks")
		}),
		look("no-private-remote-addr", "A node does not tell a peer its loopback address.", rule.TRN064, func(p *harness.Play, m *wire.Init) {
			if addr, ok := ipOf(m.RemoteAddr); ok && (addr.IsLoopback() || addr.IsPrivate()) {
				p.Fail(rule.TRN064, "remote_addr is not a public address", "no remote_addr, or a public one", addr.String())
			}
		}),
	}
}

// ipOf reads an address descriptor of BOLT 7, types 1 (IPv4) and 2 (IPv6).
func ipOf(descriptor []byte) (netip.Addr, bool) {
	switch {
	case len(descriptor) == 1+4+2 && descriptor[0] == 1:
		return netip.AddrFromSlice(descriptor[1:5])
	case len(descriptor) == 1+16+2 && descriptor[0] == 2:
		return netip.AddrFromSlice(descriptor[1:17])
	}
	return netip.Addr{}, false
}
