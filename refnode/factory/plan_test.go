package factory_test

import (
	"testing"

	"superscalar/refnode/factory"
	"superscalar/wire/rule"
)

func TestPlan(t *testing.T) {
	tests := []struct {
		name    string
		request factory.Request
		found   bool
	}{
		{"128 clients under 720 blocks", factory.Request{Clients: 128, MaxBlocks: 720}, true},
		{"128 clients in two layers under 864 blocks", factory.Request{Clients: 128, MaxBlocks: 864, Layers: 2}, true},
		{"one client", factory.Request{Clients: 1, MaxBlocks: 720}, true},
		{"1,024 clients", factory.Request{Clients: 1024, MaxBlocks: 720}, true},
		{"dw leaves", factory.Request{Clients: 128, MaxBlocks: 720, Leaf: factory.DW}, true},
		{"128 clients under 300 blocks", factory.Request{Clients: 128, MaxBlocks: 300}, false},
		{"three layers of small steps on a test chain", factory.Request{Clients: 1024, Layers: 3, Params: factory.Params{
			Step: 24, States: 4, ConfirmBlocks: 12, MaxChain: 4, StockCSV: 144, OmissionDelay: 72, ToSelfDelay: 720,
			Margin: 144, MaxFundingWait: 144, Active: 4320, Dying: 432,
		}}, true},
		{"three layers", factory.Request{Clients: 128, Layers: 3}, false},
		{"more clients than a factory has", factory.Request{Clients: 1025}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rows := factory.Plan(tt.request)
			if (len(rows) > 0) != tt.found {
				t.Fatalf("%d shapes, want some: %v", len(rows), tt.found)
			}
			for _, row := range rows {
				checkRow(t, tt.request, row)
			}
		})
	}
}

func checkRow(t *testing.T, r factory.Request, row factory.Row) {
	t.Helper()
	p := row.Params
	p.TipHeight = 900_000
	p.Expiry = must(p.ExpiryFor(row.Shape))(t)
	chain := factory.Mainnet
	if r.Params.Step == 24 {
		chain = factory.Other
	}
	if err := p.Check(chain, r.Clients, row.Shape, rule.Set{}); err != nil {
		t.Fatalf("%s: %v", row.Shape, err)
	}
	if r.MaxBlocks > 0 && row.EarlyWarning > r.MaxBlocks || r.Layers > 0 && row.Shape.StateLevels() != r.Layers {
		t.Fatalf("%s takes %d blocks in %d layers", row.Shape, row.EarlyWarning, row.Shape.StateLevels())
	}
}

// TestPlanCountsRight compares what the plan says with trees that are built.
func TestPlanCountsRight(t *testing.T) {
	for _, r := range []factory.Request{
		{Clients: 23, MaxBlocks: 720}, {Clients: 23, Layers: 2}, {Clients: 301, MaxBlocks: 720},
	} {
		rows := factory.Plan(r)
		for _, row := range []factory.Row{rows[0], rows[len(rows)-1]} {
			te := terms(t, r.Clients, row.Shape)
			tree := build(t, te)
			exit := must(tree.ExitPath(0, 152))(t)
			if exit.VBytes != row.ExitVBytes || len(exit.Steps) != row.ExitTxs {
				t.Errorf("%s: exit of %d vB, planned %d", row.Shape, exit.VBytes, row.ExitVBytes)
			}
			if got := len(tree.AllSlots()); got != row.AllSignatures {
				t.Errorf("%s: %d signatures, planned %d", row.Shape, got, row.AllSignatures)
			}
			for c := range r.Clients {
				client := factory.ClientIndex(c)
				if got := must(tree.ExitPath(client, 152))(t).VBytes; got > row.ExitVBytes {
					t.Errorf("%s: client %d leaves with %d vB, planned %d", row.Shape, c, got, row.ExitVBytes)
				}
				if got := len(tree.Slots(client)); got > row.Signatures || c == 0 && got != row.Signatures {
					t.Errorf("%s: client %d signs %d times, planned %d", row.Shape, c, got, row.Signatures)
				}
			}
		}
	}
}

func TestDefaultShapes(t *testing.T) {
	for n := range 1024 {
		if n%93 != 0 && n > 20 {
			continue
		}
		s := factory.DefaultShape(n + 1)
		if _, err := factory.NewLayout(n+1, s, rule.Set{}); err != nil {
			t.Errorf("%d clients: %q: %v", n+1, s, err)
		}
	}
	if s := factory.DefaultShape(0); len(s.Levels) != 0 {
		t.Errorf("no client has shape %q", s)
	}
}
