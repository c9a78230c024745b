package factory_test

import (
	"testing"

	"superscalar/refnode/factory"
	"superscalar/wire/rule"
)

func TestEarlyWarningTime(t *testing.T) {
	tests := []struct {
		name   string
		shape  string
		change func(*factory.Params)
		want   factory.Blocks
		exit   factory.Blocks
	}{
		{"one state layer", "static 8 / kickoff 1 / ps 4", func(*factory.Params) {}, 432 + 12*(3+4), 516 + 24 + 144 + 144},
		{"dw leaves chain no sales", "static 8 / kickoff 1 / dw 4", func(*factory.Params) {}, 432 + 12*3, 468 + 24 + 144 + 144},
		{"two layers of three states", "kickoff 1 / state 4 / kickoff 1 / ps 4", func(p *factory.Params) { p.States = 3 }, 576 + 12*(4+4), 672 + 312},
		{"longer chains", "kickoff 1 / ps 4", func(p *factory.Params) { p.MaxChain = 32 }, 432 + 12*34, 840 + 312},
		{"one state is no delay", "kickoff 1 / ps 4", func(p *factory.Params) { p.States = 1 }, 12 * 6, 72 + 312},
		{"no state at all does not wrap around", "kickoff 1 / ps 4", func(p *factory.Params) { p.States = 0 }, 12 * 6, 72 + 312},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := shapeOf(t, tt.shape)
			p := factory.DefaultParams(s.Leaf)
			tt.change(&p)
			if got := p.EarlyWarningTime(s); got != tt.want {
				t.Errorf("early warning time %d, want %d", got, tt.want)
			}
			if got := p.ExitTime(s); got != tt.exit {
				t.Errorf("exit time %d, want %d", got, tt.exit)
			}
			p.TipHeight = 1000
			expiry := must(p.ExpiryFor(s))(t)
			if want := 1000 + 144 + 4320 + 432 + factory.Height(tt.exit); expiry != want {
				t.Errorf("expiry %d, want %d", expiry, want)
			}
			p.Expiry = expiry
			if got := p.ExitHeight(s); got != expiry-factory.Height(tt.exit) {
				t.Errorf("exit height %d", got)
			}
		})
	}
	if got := factory.DefaultParams(factory.PS).MaxOffline(); got != 72-24 {
		t.Errorf("a client may be offline %d blocks, want 48", got)
	}
}

func TestParamsCheck(t *testing.T) {
	tests := []struct {
		name    string
		clients int
		other   bool // off mainnet
		change  func(*factory.Params)
		keep    bool // the expiry is not computed again
		want    rule.ID
	}{
		{name: "defaults", clients: 128},
		{name: "no clients", clients: 0, want: rule.TREE001},
		{name: "too many clients", clients: 1025, want: rule.TREE001},
		{name: "step too short", clients: 8, change: func(p *factory.Params) { p.Step = 71 }, want: rule.TREE001},
		{name: "step too long", clients: 8, change: func(p *factory.Params) { p.Step, p.States = 289, 2 }, want: rule.TREE001},
		{name: "step under two confirmations", clients: 8, other: true, change: func(p *factory.Params) { p.Step = 23 }, want: rule.TREE002},
		{name: "one state", clients: 8, change: func(p *factory.Params) { p.States = 1 }, want: rule.TREE001},
		{name: "no sales", clients: 8, change: func(p *factory.Params) { p.MaxChain = 0 }, want: rule.TREE001},
		{name: "few sales on mainnet", clients: 8, change: func(p *factory.Params) { p.MaxChain = 3 }, want: rule.TREE001},
		{name: "few sales elsewhere", clients: 8, other: true, change: func(p *factory.Params) { p.MaxChain = 1 }},
		{name: "confirm_blocks 0", clients: 8, other: true, change: func(p *factory.Params) { p.ConfirmBlocks = 0 }, want: rule.TREE001},
		{name: "omission as early as a confirmation", clients: 8, change: func(p *factory.Params) { p.OmissionDelay = 12 }, want: rule.TREE001},
		{name: "earliest omission", clients: 8, change: func(p *factory.Params) { p.OmissionDelay = 13 }},
		{name: "latest omission", clients: 8, change: func(p *factory.Params) { p.OmissionDelay = 131 }},
		{name: "omission as late as the claim", clients: 8, change: func(p *factory.Params) { p.OmissionDelay = 132 }, want: rule.TREE001},
		{name: "stock_csv too short", clients: 8, change: func(p *factory.Params) { p.StockCSV = 143 }, want: rule.TREE001},
		{name: "to_self_delay too long", clients: 8, change: func(p *factory.Params) { p.ToSelfDelay = 2017 }, want: rule.TREE001},
		{name: "no margin", clients: 8, change: func(p *factory.Params) { p.Margin = 0 }, want: rule.TREE001},
		{name: "no margin elsewhere", clients: 8, other: true, change: func(p *factory.Params) { p.Margin = 0 }},
		{name: "funding may take forever", clients: 8, change: func(p *factory.Params) { p.MaxFundingWait = 1009 }, want: rule.TREE001},
		{name: "active too long", clients: 8, change: func(p *factory.Params) { p.Active = 8641 }, want: rule.TREE001},
		{name: "dying too short", clients: 8, change: func(p *factory.Params) { p.Dying = 143 }, want: rule.TREE001},
		{name: "early warning time too long", clients: 8, change: func(p *factory.Params) { p.States = 7 }, want: rule.DELAY004},
		{name: "expiry a block early", clients: 8, change: func(p *factory.Params) { p.Expiry-- }, keep: true, want: rule.DELAY005},
		{name: "expiry that is a time", clients: 8, change: func(p *factory.Params) { p.TipHeight = 499_999_000; p.Expiry = 500_004_000 }, keep: true, want: rule.DELAY005},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := shapeOf(t, "static 8 / kickoff 1 / ps 4")
			p := factory.DefaultParams(s.Leaf)
			p.TipHeight = 900_000
			p.Expiry = must(p.ExpiryFor(s))(t)
			if tt.change != nil {
				tt.change(&p)
			}
			if !tt.keep {
				p.Expiry = must(p.ExpiryFor(s))(t)
			}
			chain := factory.Mainnet
			if tt.other {
				chain = factory.Other
			}
			err := p.Check(chain, tt.clients, s, rule.Set{})
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}

				return
			}
			wantRule(t, err, tt.want)
			if err := p.Check(chain, tt.clients, s, rule.Without(tt.want)); err != nil && tt.clients == 8 {
				t.Errorf("refused without %s: %v", tt.want, err)
			}
		})
	}
}

func TestCheckTip(t *testing.T) {
	p := factory.Params{TipHeight: 1000}
	for _, own := range []factory.Height{994, 1000, 1006} {
		if err := p.CheckTip(own, rule.Set{}); err != nil {
			t.Errorf("own height %d: %v", own, err)
		}
	}
	for _, own := range []factory.Height{0, 993, 1007, 1<<32 - 1} {
		wantRule(t, p.CheckTip(own, rule.Set{}), rule.TREE003)
	}
}

func TestParseShape(t *testing.T) {
	tests := []struct {
		name, text string
		want       rule.ID // "" with ok
		ok         bool
	}{
		{"one pair", "kickoff 1 / ps 4", "", true},
		{"statics and two pairs", "static 2 / static 3 / kickoff 1 / state 200 / kickoff 7 / dw 9", "", true},
		{"nothing", "", "", false},
		{"no leaf", "kickoff 1 / state 4", rule.TREE011, false},
		{"leaf alone", "ps 4", rule.TREE010, false},
		{"two kickoffs", "kickoff 1 / kickoff 1 / ps 4", rule.TREE010, false},
		{"static below a kickoff", "kickoff 1 / static 2 / ps 4", rule.TREE010, false},
		{"arity 0", "kickoff 0 / ps 4", rule.TREE010, false},
		{"arity 201", "kickoff 201 / ps 4", rule.TREE010, false},
		{"arity 256", "kickoff 256 / ps 4", rule.TREE010, false},
		{"leaf in the middle", "ps 4 / kickoff 1", "", false},
		{"unknown kind", "kickof 1 / ps 4", "", false},
		{"seventeen levels", "static 1/static 1/static 1/static 1/static 1/static 1/static 1/static 1/static 1/static 1/static 1/static 1/static 1/static 1/static 1/kickoff 1/ps 1", rule.TREE010, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := factory.ParseShape(tt.text)
			if tt.ok {
				if err != nil || s.String() != tt.text {
					t.Fatalf("got %q, %v", s, err)
				}

				return
			}
			wantRule(t, err, tt.want)
		})
	}
}

func FuzzParamsCheck(f *testing.F) {
	f.Add(uint16(144), uint8(4), uint16(12), uint8(4), uint32(900_000), uint32(905_724), uint16(128), "kickoff 1 / ps 4")
	f.Fuzz(func(t *testing.T, step uint16, states uint8, confirm uint16, chain uint8, tip, expiry uint32, n uint16, text string) {
		s, err := factory.ParseShape(text)
		if err != nil {
			return
		}
		p := factory.DefaultParams(s.Leaf)
		p.Step, p.States, p.ConfirmBlocks, p.MaxChain = step, states, confirm, chain
		p.TipHeight, p.Expiry = factory.Height(tip), factory.Height(expiry)
		if err := p.Check(factory.Mainnet, int(n), s, rule.Set{}); err == nil && p.EarlyWarningTime(s) > factory.MaxEarlyWarning {
			t.Fatalf("early warning time %d passes", p.EarlyWarningTime(s))
		}
	})
}
