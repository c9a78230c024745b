package control_test

import (
	"context"
	"strings"
	"testing"

	"superscalar/refnode/control"
	"superscalar/refnode/transport"
	"superscalar/wire"
)

// payer is a node with channels that notes what it is to pay.
type payer struct {
	*fake
	order control.Pay
}

func (p *payer) Invoice(uint64, string) (control.Invoice, error) { return control.Invoice{}, p.err }

func (p *payer) Pay(_ context.Context, order control.Pay) (control.Paid, error) {
	p.order = order
	return control.Paid{}, p.err
}

func (p *payer) OpenChannel(transport.NodeID, uint64, uint64) error { return p.err }

func (p *payer) CloseChannel(wire.ChannelID, bool) error { return p.err }

func (p *payer) Channels() []control.ChannelStatus { return nil }

// What an order to pay may cost: what it says, or the usual part of what is paid. The
// amount of an invoice is not known here.
func TestWhatAPaymentMayCost(t *testing.T) {
	for _, row := range []struct {
		name, line string
		want       control.Pay
	}{
		{"nothing is said", `{"id":1,"cmd":"pay","bolt11":"lnbcrt"}`, control.Pay{Bolt11: "lnbcrt", UsualFee: true}},
		{"an amount", `{"id":1,"cmd":"pay","bolt11":"lnbcrt","amount_msat":500000000}`, control.Pay{Bolt11: "lnbcrt", AmountMsat: 500_000_000, UsualFee: true}},
		{"a fee", `{"id":1,"cmd":"pay","bolt11":"lnbcrt","max_fee_msat":7}`, control.Pay{Bolt11: "lnbcrt", MaxFeeMsat: 7}},
		{"no fee", `{"id":1,"cmd":"pay","bolt11":"lnbcrt","max_fee_msat":0}`, control.Pay{Bolt11: "lnbcrt"}},
	} {
		p := &payer{fake: &fake{}}
		var out strings.Builder
		if err := control.Serve(t.Context(), strings.NewReader(row.line+"\n"), &out, p); err != nil {
			t.Fatal(err)
		}
		if p.order != row.want || !strings.Contains(out.String(), `"ok":true`) {
			t.Errorf("%s: %+v, %s", row.name, p.order, out.String())
		}
	}
}
