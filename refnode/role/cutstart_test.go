package role_test

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/channel"
	"superscalar/refnode/factory"
	"superscalar/refnode/ledger"
	"superscalar/refnode/role"
	"superscalar/wire"
)

// start begins a process on what the disk holds.
func (p *party) start() {
	w := p.w
	p.runs++
	p.dead, p.last, p.writes, p.lines, p.got = false, 0, 0, nil, nil
	var err error
	if p.ledger, err = ledger.New(w.rules, nil); err != nil {
		w.t.Fatal(err)
	}
	if err := p.ledger.Add(p.disk.recorded); err != nil {
		w.t.Fatal(err)
	}
	p.registry = role.NewChannels(superscalar, w.rules)
	cfg := ceremony.Config{
		Rules: w.rules, Chain: factory.Other, Rand: p.rand(), Keys: p, Store: p, Channels: p.registry,
		Seen: func(btcwire.OutPoint) (bool, error) { return false, nil }, Tip: func() (factory.Height, error) { return 1000, nil },
	}
	if p == w.parties[0] {
		p.startLSP(cfg)
	} else {
		p.startClient(cfg)
	}
	for _, k := range slices.SortedFunc(maps.Keys(p.disk.channels), func(a, b lineKey) int {
		return cmp.Or(bytes.Compare(a.peer[:], b.peer[:]), bytes.Compare(a.lsp[:], b.lsp[:]))
	}) {
		peer := k.peer
		s, err := channel.DecodeState(p.disk.channels[k])
		if err != nil {
			w.t.Fatal(err)
		}
		key, err := p.registry.FundingKey(peer, s.Open)
		if err != nil {
			w.t.Fatal(err)
		}
		m, err := channel.Restore(p.channelConfig(peer, key), p.disk.channels[k])
		if err != nil {
			w.t.Fatal(err)
		}
		c := &line{peer, m}
		p.lines = append(p.lines, c)
		p.step(c, func(m *channel.Machine) { m.Block(1000); m.Restart() })
	}
	for _, c := range p.lines {
		p.registry.RestoreOpened(c.peer, c.m.Open.Keys.Funding, c.m.ID, c.m.SentReady && c.m.GotReady)
	}
	p.registry.AttachHub(p.do)
	p.registry.FollowAll()
}

func (p *party) startLSP(cfg ceremony.Config) {
	var all []*ceremony.Factory
	for id, parts := range p.disk.parts {
		f, err := ceremony.OpenFactory(cfg, id, parts)
		if err != nil {
			p.w.t.Fatal(err)
		}
		all = append(all, f)
		p.restore(f.ChannelOutputs, f.Moves)
	}
	p.lsp = ceremony.NewLSP(ceremony.LSPConfig{Config: cfg, Funder: cutPurse{p}}, all)
}

func (p *party) startClient(cfg ceremony.Config) {
	var all []*ceremony.Held
	for id, parts := range p.disk.parts {
		h, err := ceremony.OpenHeld(cfg, id, parts)
		if err != nil {
			p.w.t.Fatal(err)
		}
		all = append(all, h)
		p.restore(h.ChannelOutputs, h.Moves)
	}
	p.client = ceremony.NewClient(ceremony.ClientConfig{Config: cfg, Failed: func(_ wire.CeremonyID, f *ceremony.Failure) { p.w.note("%s fails: %v", p.name, f) }}, p.w.parties[0].id, all)
}

func (p *party) restore(outputs, moves func() ([]ceremony.ChannelOutput, error)) {
	for i, list := range []func() ([]ceremony.ChannelOutput, error){outputs, moves} {
		all, err := list()
		if err != nil {
			p.w.t.Fatal(err)
		}
		for _, o := range all {
			if p != p.w.parties[0] {
				o.Peer = p.w.parties[0].id
			}
			if i == 0 {
				p.registry.Restore(o)
			} else {
				p.registry.RestoreMove(o)
			}
		}
	}
}
