package interop

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

// decoded is what lncli decodepayreq prints of an invoice with one hint, as far as it is read.
const decoded = `{"destination": "payee", "payment_hash": "aa", "payment_addr": "AQID", "cltv_expiry": "1000",
	"route_hints": [{"hop_hints": [{"node_id": "lsp", "chan_id": "77", "fee_base_msat": 1000, "fee_proportional_millionths": 100, "cltv_expiry_delta": 40}]}]}`

func read(t *testing.T, text string) *invoiceAtLND {
	t.Helper()
	inv := &invoiceAtLND{}
	if err := json.Unmarshal([]byte(text), inv); err != nil {
		t.Fatal(err)
	}
	return inv
}

// A part pays the fee of the hint and gives its delta; the payee reads that it is one of two.
func TestRouteOfAPart(t *testing.T) {
	text, err := read(t, decoded).route("5", 200)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Route struct {
			Time   uint32 `json:"total_time_lock"`
			Fees   uint64 `json:"total_fees_msat"`
			Amount uint64 `json:"total_amt_msat"`
			Hops   []struct {
				Chan   string `json:"chan_id"`
				Node   string `json:"pub_key"`
				Amount uint64 `json:"amt_to_forward_msat"`
				Fee    uint64 `json:"fee_msat"`
				Expiry uint32 `json:"expiry"`
				MPP    *struct {
					Address []byte `json:"payment_addr"`
					Total   uint64 `json:"total_amt_msat"`
				} `json:"mpp_record"`
			} `json:"hops"`
		} `json:"route"`
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	r := got.Route
	const part, fee, last = partFromLND * 1000, 1000 + 1200, 200 + 1000 + 3
	if r.Time != last+40 || r.Fees != fee || r.Amount != part+fee || len(r.Hops) != 2 {
		t.Fatalf("the route is %+v", r)
	}
	if h := r.Hops[0]; h.Chan != "5" || h.Node != "lsp" || h.Amount != part || h.Fee != fee || h.Expiry != last || h.MPP != nil {
		t.Errorf("the LSP gets %+v", h)
	}
	if h := r.Hops[1]; h.Chan != "77" || h.Node != "payee" || h.Amount != part || h.Fee != 0 || h.Expiry != last || h.MPP == nil ||
		h.MPP.Total != 2*part || string(h.MPP.Address) != "\x01\x02\x03" {
		t.Errorf("the payee gets %+v, %+v", h, h.MPP)
	}
}

func TestInvoicesWithoutARoute(t *testing.T) {
	for name, text := range map[string]string{
		"no hint":                   `{"cltv_expiry": "9"}`,
		"a hint of two hops":        `{"cltv_expiry": "9", "route_hints": [{"hop_hints": [{}, {}]}]}`,
		"a delta that is no number": strings.Replace(decoded, `"1000"`, `"soon"`, 1),
	} {
		if route, err := read(t, text).route("5", 200); err == nil {
			t.Errorf("%s: %s", name, route)
		}
	}
}

// What a side may lose in a forced close, and what it may not gain.
func TestShort(t *testing.T) {
	const want = 500_000
	for got, is := range map[int64]bool{
		want: false, want - closingCosts: false, want - closingCosts - 1: true, want + 1000: false, want + 1001: true,
	} {
		if short(got, want) != is {
			t.Errorf("%d of %d: short is %v", got, want, !is)
		}
	}
}

func TestClosedAs(t *testing.T) {
	all := []closedChannel{{"a:0", "COOPERATIVE_CLOSE"}, {"b:1", "LOCAL_FORCE_CLOSE"}}
	for _, tt := range []struct {
		point, kind string
		closed, bad bool
	}{
		{"b:1", "LOCAL_FORCE_CLOSE", true, false},
		{"b:1", "REMOTE_FORCE_CLOSE", false, true},
		{"c:0", "LOCAL_FORCE_CLOSE", false, false}, // not yet
	} {
		if closed, err := closedAs(all, tt.point, tt.kind); closed != tt.closed || (err != nil) != tt.bad {
			t.Errorf("%s as %s: %v, %v", tt.point, tt.kind, closed, err)
		}
	}
}

// A wait ends when it has come to pass, with the first error, with its time, or with the run.
func TestWithin(t *testing.T) {
	s := &script{ctx: t.Context()}
	looks, broken := 0, errors.New("broken")
	if err := s.within(time.Minute, "it happens", func() (bool, error) { looks++; return looks == 2, nil }); err != nil || looks != 2 {
		t.Errorf("%d looks: %v", looks, err)
	}
	if err := s.within(time.Minute, "it breaks", func() (bool, error) { return true, broken }); !errors.Is(err, broken) {
		t.Errorf("an error: %v", err)
	}
	never := func() (bool, error) { return false, nil }
	if err := s.within(time.Nanosecond, "pigs fly", never); err == nil || !strings.Contains(err.Error(), "pigs fly") {
		t.Errorf("what never happens: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := (&script{ctx: ctx}).within(time.Minute, "it is stopped", never); err == nil {
		t.Error("a run that was stopped goes on")
	}
}
