package conformance

import (
	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/channel"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// secondFirst opens the channel of an attempt that is going on, fails it once it holds
// the target's signature on the LSP's first commitment, and opens it again on the same
// output: with what it had the first time, then with other keys or another feerate, with
// which the first commitment of then is never revoked.
func secondFirst(p *harness.Play) {
	goodCreation(p)
	for _, v := range []struct {
		what, draw string
		feerate    uint32
		signs      int
	}{
		{"control: with the keys of the first time", "", 0, 1},
		{"with other keys", " again", 0, 0},
		{"with another feerate", "", channel.MinFeeratePerKw + 1, 0},
	} {
		s := p.Connect().LSPScript(harness.FactoryPlan{})
		s.Deaf = func(m wire.Ceremony) bool { return m.Type() == wire.TypePartials }
		s.Create()
		if !mustAccept(p, s, 1) {
			return
		}
		ch := s.Leaf.List[0]
		if !p.Check(rule.CHAN035, ch.Count(0, "funding_signed"), gomega.Equal(1), "control: the first commitments are signed") {
			return
		}
		p.Step("the channel fails and is opened again, %s", v.what)
		ch.Peer.Send(&wire.ErrorMessage{ChannelID: ch.M.ID, Data: []byte("not stored")})
		s.Leaf.List, s.Leaf.Draw = nil, v.draw // the new channel has the id of the old one
		s.Leaf.Open = func(o *wire.OpenChannel) {
			if v.feerate > 0 {
				o.FeeratePerKw = v.feerate
			}
		}
		s.Leaf.Propose(s.Leaf.Outputs()[0])
		s.Continue()
		signed := 0
		for _, again := range s.Leaf.List {
			signed += again.Count(0, "funding_signed")
		}
		what := "no second first commitment is signed on the output, " + v.what
		if v.signs > 0 {
			what = "the same first commitment is signed once more, " + v.what
		}
		p.Check(rule.CHAN035, signed, gomega.Equal(v.signs), what)
	}
	goodCreation(p)
}
