package payment

import (
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chaincfg"
	"pgregory.net/rapid"

	"superscalar/refnode/expiry"
	"superscalar/wire"
)

type invoiceExample struct {
	Name, Request, Payee, Hash, Description, Metadata, Why string
	Amount                                                 uint64
	Expiry                                                 int64
	Hints                                                  int
}

// The examples of BOLT 11 read as its text says. One of them is refused, whose
// fields of a wrong length "must be ignored": the requirement says that they
// fail the payment.
func TestPublishedInvoices(t *testing.T) {
	var v struct{ Good, Bad []invoiceExample }
	loadJSON(t, "bolt11.json", &v)
	for _, e := range v.Good {
		net := &chaincfg.MainNetParams
		if strings.HasPrefix(e.Request, "lntb") {
			net = &chaincfg.TestNet3Params
		}
		i, err := DecodeInvoice(e.Request, net)
		if err != nil {
			t.Errorf("%s: %v", e.Name, err)
			continue
		}
		hints := 0
		if len(i.Hints) > 0 {
			hints = len(i.Hints[0])
		}
		if e.Payee != "" && i.Payee.String() != e.Payee || i.Hash.String() != e.Hash || uint64(i.Amount) != e.Amount ||
			e.Description != "*" && i.Description != e.Description || i.Expiry != e.Expiry || hints != e.Hints ||
			hex.EncodeToString(i.Metadata) != e.Metadata || i.Secret[0] != 0x11 {
			t.Errorf("%s reads %+v", e.Name, i)
		}
	}
	for _, e := range v.Bad {
		if _, err := DecodeInvoice(e.Request, &chaincfg.MainNetParams); !errors.Is(err, ErrInvoice) || !strings.Contains(err.Error(), e.Why) {
			t.Errorf("%s: %v, want %q", e.Name, err, e.Why)
		}
	}
	if _, err := DecodeInvoice(v.Good[0].Request, &chaincfg.RegressionNetParams); !errors.Is(err, ErrInvoice) {
		t.Error("an invoice of another network is read")
	}
}

func genInvoice(t *rapid.T) *Bolt11 {
	b32 := rapid.SliceOfN(rapid.Byte(), 32, 32)
	i := &Bolt11{
		Hash: Hash(b32.Draw(t, "hash")), Secret: [32]byte(b32.Draw(t, "secret")),
		Amount: Msat(rapid.Uint64Range(0, uint64(MaxMsat)).Draw(t, "amount")), Description: rapid.StringN(0, 40, 100).Draw(t, "description"),
		Timestamp: UnixTime(rapid.Int64Range(1, 1<<34).Draw(t, "time")), Expiry: rapid.Int64Range(1, maxInvoiceExpiry).Draw(t, "expiry"),
		FinalDelta: Blocks(rapid.Uint32Range(18, 2015).Draw(t, "delta")), MPP: rapid.Bool().Draw(t, "mpp"),
	}
	if rapid.Bool().Draw(t, "hashed") {
		h := [32]byte(b32.Draw(t, "description hash"))
		i.Description, i.DescriptionHash = "", &h
	}
	for range rapid.IntRange(0, 3).Draw(t, "hints") {
		hop := Hop{
			Node: nodeID(byte(rapid.IntRange(1, 9).Draw(t, "node"))), SCID: SCID(rapid.Uint64().Draw(t, "scid")),
			FeeBaseMsat: rapid.Uint32().Draw(t, "base"), FeePPM: rapid.Uint32().Draw(t, "ppm"), CLTVDelta: rapid.Uint16().Draw(t, "cltv"),
		}
		i.Hints = append(i.Hints, []Hop{hop})
	}
	return i
}

// What is encoded reads the same, and names its signer as payee.
func TestInvoiceRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := genInvoice(t)
		s, err := want.Encode(&chaincfg.RegressionNetParams, testKey(7))
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeInvoice(s, &chaincfg.RegressionNetParams)
		if err != nil {
			t.Fatal(err)
		}
		want.Payee = nodeID(7)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("\n got %+v\nwant %+v", got, want)
		}
	})
}

func FuzzDecodeInvoice(f *testing.F) {
	s, err := (&Bolt11{Hash: Hash{1}, Secret: [32]byte{2}, Amount: 5, Description: "x", Timestamp: 1, Expiry: 60, FinalDelta: 20, MPP: true,
		Hints: [][]Hop{{{Node: nodeID(3), SCID: 9, CLTVDelta: 40}}}}).Encode(&chaincfg.RegressionNetParams, testKey(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s)
	f.Add(strings.ToUpper(s))
	f.Fuzz(func(t *testing.T, s string) {
		i, err := DecodeInvoice(s, &chaincfg.RegressionNetParams)
		if err != nil {
			if !errors.Is(err, ErrInvoice) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		if i.Secret == [32]byte{} && i.Payee == (wire.Point{}) || i.FinalDelta < expiry.ClaimMargin || i.Amount > MaxMsat || i.Expires() < i.Timestamp {
			t.Fatalf("accepted: %+v", i)
		}
	})
}
