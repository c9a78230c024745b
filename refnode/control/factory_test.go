package control_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"superscalar/refnode/control"
	"superscalar/refnode/node"
	"superscalar/wire"
)

// member is a fake node with a factory side.
type member struct {
	*fake
}

func (m member) Found(o control.Order) (wire.CeremonyID, error) {
	text := fmt.Sprintf("found %d clients %d %d", len(o.Clients), o.CapacitySat, o.StockSat)
	if len(o.Shape.Levels) > 0 {
		text += " " + o.Shape.String()
	}
	m.told = append(m.told, text)
	return wire.CeremonyID{1}, m.err
}

func (m member) Sell(s control.Sale) (wire.CeremonyID, error) {
	text := fmt.Sprintf("sell %s %d", s.Peer, s.AmountSat)
	if s.Factory != nil {
		text += fmt.Sprintf(" in %.4s", s.Factory)
	}
	if s.From != nil {
		text += fmt.Sprintf(" from %s", s.From)
	}
	m.told = append(m.told, text)
	return wire.CeremonyID{2}, m.err
}

func (m member) Leave(d control.Departure) (control.Leaving, error) {
	text := "leave"
	if d.Factory != nil {
		text += fmt.Sprintf(" %.4s", d.Factory)
	}
	m.told = append(m.told, text)
	return control.Leaving{FactoryID: "01", Cost: control.Cost{Transactions: 2, VBytes: 500, Blocks: 30, FeeSat: 1000, FeeRate: 2000, MaxFeeSat: 50_000, MaxFeeRate: 100_000}, Detail: "dear"}, m.err
}

func (m member) Standing(ctx context.Context) (control.Standing, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		m.told = append(m.told, "without a deadline")
	}
	cover := uint64(5)
	return control.Standing{
		Height: 7, Address: "bcrt1p", Ceremonies: []control.CeremonyStatus{},
		Factories: []control.FactoryStatus{{FactoryID: "00", State: control.StateActive, Detail: "usable", CoverSat: &cover}},
	}, m.err
}

func TestFactoryReplies(t *testing.T) {
	first, second := "01"+strings.Repeat("0", 62), "02"+strings.Repeat("0", 62)
	list := `"clients":["` + one + `","` + two + `"]`
	for _, row := range []struct {
		name, line string
		err        error
		reply      string // begins with this, the whole line if it ends in }
		told       string
	}{
		{"factory", `{"id":1,"cmd":"factory",` + list + `,"capacity_sat":100000,"stock_sat":50000}`, nil, `{"id":1,"ok":true,"ceremony_id":"` + first + `"}`, "found 2 clients 100000 50000"},
		{"factory with a shape", `{"id":1,"cmd":"factory",` + list + `,"capacity_sat":1,"stock_sat":0,"shape":"kickoff 1 / dw 2"}`, nil, `{"id":1,"ok":true,"ceremony_id":"` + first + `"}`, "found 2 clients 1 0 kickoff 1 / dw 2"},
		{"factory fails", `{"id":1,"cmd":"factory",` + list + `,"capacity_sat":1,"stock_sat":0}`, errors.New("no\ncoins"), `{"id":1,"ok":false,"error":"no coins","code":"failed"}`, "found 2 clients 1 0"},
		{"factory of a client", `{"id":1,"cmd":"factory",` + list + `,"capacity_sat":1,"stock_sat":0}`, fmt.Errorf("a client: %w", node.ErrUnsupported), `{"id":1,"ok":false,"error":"a client: this role cannot do that yet","code":"unsupported"}`, "found 2 clients 1 0"},
		{"no clients", `{"id":1,"cmd":"factory","capacity_sat":1,"stock_sat":0}`, nil, `{"id":1,"ok":false,"error":"clients is missing or not a list of node ids","code":"bad-request"}`, ""},
		{"nobody", `{"id":1,"cmd":"factory","clients":[],"capacity_sat":1,"stock_sat":0}`, nil, `{"id":1,"ok":false,"error":"clients is missing`, ""},
		{"clients are numbers", `{"id":1,"cmd":"factory","clients":[1],"capacity_sat":1,"stock_sat":0}`, nil, `{"id":1,"ok":false,"error":"clients is missing or not a list`, ""},
		{"a client that is none", `{"id":1,"cmd":"factory","clients":["` + one + `","bob"],"capacity_sat":1,"stock_sat":0}`, nil, `{"id":1,"ok":false,"error":"clients: number 1: `, ""},
		{"a client twice", `{"id":1,"cmd":"factory","clients":["` + one + `","` + one + `"],"capacity_sat":1,"stock_sat":0}`, nil, `{"id":1,"ok":false,"error":"clients: number 1: ` + one + ` is there twice","code":"bad-request"}`, ""},
		{"too many clients", `{"id":1,"cmd":"factory","clients":["` + strings.Repeat(one+`","`, 1024) + one + `"],"capacity_sat":1,"stock_sat":0}`, nil, `{"id":1,"ok":false,"error":"clients: 1025 node ids, a factory has at most 1024","code":"bad-request"}`, ""},
		{"no capacity", `{"id":1,"cmd":"factory",` + list + `,"stock_sat":0}`, nil, `{"id":1,"ok":false,"error":"capacity_sat is not a whole number of sat from 1 to 2100000000000000","code":"bad-request"}`, ""},
		{"no stock", `{"id":1,"cmd":"factory",` + list + `,"capacity_sat":1}`, nil, `{"id":1,"ok":false,"error":"stock_sat is not a whole number of sat from 0 to 2100000000000000","code":"bad-request"}`, ""},
		{"null stock", `{"id":1,"cmd":"factory",` + list + `,"capacity_sat":1,"stock_sat":null}`, nil, `{"id":1,"ok":false,"error":"stock_sat is not`, ""},
		{"negative stock", `{"id":1,"cmd":"factory",` + list + `,"capacity_sat":1,"stock_sat":-1}`, nil, `{"id":1,"ok":false,"error":"stock_sat is not`, ""},
		{"shape is a number", `{"id":1,"cmd":"factory",` + list + `,"capacity_sat":1,"stock_sat":0,"shape":2}`, nil, `{"id":1,"ok":false,"error":"shape is missing or not a string","code":"bad-request"}`, ""},
		{"a shape that is none", `{"id":1,"cmd":"factory",` + list + `,"capacity_sat":1,"stock_sat":0,"shape":"round"}`, nil, `{"id":1,"ok":false,"error":"shape: `, ""},
		{"buy", `{"id":2,"cmd":"buy","peer":"` + two + `","amount_sat":5}`, nil, `{"id":2,"ok":true,"ceremony_id":"` + second + `"}`, "sell " + two + " 5"},
		{"buy in a factory", `{"id":2,"cmd":"buy","peer":"` + two + `","amount_sat":5,"factory":"` + first + `"}`, nil, `{"id":2,"ok":true,"ceremony_id":"` + second + `"}`, "sell " + two + " 5 in 0100"},
		{"buy in no factory", `{"id":2,"cmd":"buy","peer":"` + two + `","amount_sat":5,"factory":"01"}`, nil, `{"id":2,"ok":false,"error":"factory is not an id of 64 hex digits","code":"bad-request"}`, ""},
		{"buy from another group", `{"id":2,"cmd":"buy","peer":"` + two + `","amount_sat":5,"from":"` + one + `"}`, nil, `{"id":2,"ok":true,"ceremony_id":"` + second + `"}`, "sell " + two + " 5 from " + one},
		{"buy from nobody", `{"id":2,"cmd":"buy","peer":"` + two + `","amount_sat":5,"from":"bob"}`, nil, `{"id":2,"ok":false,"error":"from: `, ""},
		{"buy from null", `{"id":2,"cmd":"buy","peer":"` + two + `","amount_sat":5,"from":null}`, nil, `{"id":2,"ok":false,"error":"from is missing or not a string","code":"bad-request"}`, ""},
		{"buy in null", `{"id":2,"cmd":"buy","peer":"` + two + `","amount_sat":5,"factory":null}`, nil, `{"id":2,"ok":false,"error":"factory is missing or not a string","code":"bad-request"}`, ""},
		{"buy nothing", `{"id":2,"cmd":"buy","peer":"` + two + `","amount_sat":0}`, nil, `{"id":2,"ok":false,"error":"amount_sat is not`, ""},
		{"buy fails", `{"id":2,"cmd":"buy","peer":"` + two + `","amount_sat":5}`, errors.New("sold out"), `{"id":2,"ok":false,"error":"sold out","code":"failed"}`, "sell " + two + " 5"},
		{"leave", `{"id":5,"cmd":"leave"}`, nil, `{"id":5,"ok":true,"factory_id":"01","cost":{"transactions":2,"vbytes":500,"blocks":30,"fee_sat":1000,"fee_rate":2000,"max_fee_sat":50000,"max_fee_rate":100000},"detail":"dear"}`, "leave"},
		{"leave a factory", `{"id":5,"cmd":"leave","mode":"unilateral","factory_id":"` + second + `"}`, nil, `{"id":5,"ok":true,"factory_id":"01"`, "leave 0200"},
		{"leave no factory", `{"id":5,"cmd":"leave","factory_id":"02"}`, nil, `{"id":5,"ok":false,"error":"factory is not an id of 64 hex digits","code":"bad-request"}`, ""},
		{"leave null", `{"id":5,"cmd":"leave","factory_id":null}`, nil, `{"id":5,"ok":false,"error":"factory_id is missing or not a string","code":"bad-request"}`, ""},
		{"leave sideways", `{"id":5,"cmd":"leave","mode":"sideways"}`, nil, `{"id":5,"ok":false,"error":"mode is neither cooperative nor unilateral","code":"bad-request"}`, ""},
		{"leave together", `{"id":5,"cmd":"leave","mode":"cooperative"}`, nil, `{"id":5,"ok":false,"error":"the reference node leaves alone: mode unilateral","code":"unsupported"}`, ""},
		{"leave fails", `{"id":5,"cmd":"leave"}`, errors.New("no disk"), `{"id":5,"ok":false,"error":"no disk","code":"failed"}`, "leave"},
		{"leave of an LSP", `{"id":5,"cmd":"leave"}`, fmt.Errorf("an LSP: %w", node.ErrUnsupported), `{"id":5,"ok":false,"error":"an LSP: this role cannot do that yet","code":"unsupported"}`, "leave"},
		{"status", `{"id":3,"cmd":"status"}`, nil, `{"id":3,"ok":true,"peers":[],"channels":[],"height":7,"factories":[{"factory_id":"00","state":"active","detail":"usable","confirmations":0,"exit_height":0,"expiry_height":0,"capacity_sat":0,"cover_sat":5}],"ceremonies":[],"wallet":{"confirmed_sat":0,"reserved_sat":0,"available_sat":0},"address":"bcrt1p"}`, ""},
		{"status fails", `{"id":3,"cmd":"status"}`, errors.New("no disk"), `{"id":3,"ok":false,"error":"no disk","code":"failed"}`, ""},
		{"stop", `{"id":4,"cmd":"stop"}`, nil, `{"id":4,"ok":true}`, "close"},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := member{&fake{err: row.err}}
			var out strings.Builder
			if err := control.Serve(t.Context(), strings.NewReader(row.line+"\n"), &out, m); err != nil {
				t.Fatal(err)
			}
			got := out.String()
			if strings.Count(got, "\n") != 1 || !strings.HasPrefix(got, row.reply) || strings.HasSuffix(row.reply, "}") && got != row.reply+"\n" {
				t.Errorf("reply %q, want %q", got, row.reply)
			}
			if told := strings.Join(m.told, "; "); told != row.told {
				t.Errorf("the node was told %q, want %q", told, row.told)
			}
		})
	}
	var out strings.Builder
	if err := control.Serve(t.Context(), strings.NewReader(`{"id":1,"cmd":"factory"}`+"\n"), &out, &fake{}); err != nil {
		t.Fatal(err)
	}
	if want := `{"id":1,"ok":false,"error":"the node takes part in no factory: start it with --chain","code":"unsupported"}` + "\n"; out.String() != want {
		t.Errorf("a base node says %q", out.String())
	}
}
