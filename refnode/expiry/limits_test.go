package expiry

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"superscalar/wire/rule"
)

// Whatever the numbers: the LSP fails a forwarded HTLC while its sender still waits, in each
// of the last blocks before that one leaves for the chain, and in no other (CHAN-040, PCF-089).
func TestTheLSPGivesUpBeforeTheSenderLeaves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := Lying{Expiry: Height(rapid.Uint32().Draw(t, "expiry")), EarlyWarning: Blocks(rapid.Uint32().Draw(t, "early warning"))}
		l := Limits{Height: Height(rapid.Uint32().Draw(t, "height"))}
		if near := int64(x.Expiry) - int64(x.EarlyWarning) + rapid.Int64Range(-6, 3).Draw(t, "near"); rapid.Bool().Draw(t, "close") && near >= 0 {
			l.Height = Height(near)
		}
		left := int64(x.Expiry) - int64(l.Height) - int64(x.EarlyWarning) // blocks until the sender leaves
		spare, sender := l.Offered(x)
		if (sender != nil) != (left <= 0) || sender == nil && int64(spare) != left-1 {
			t.Fatalf("%d blocks before it leaves the sender has %d to spare, %v", left, spare, sender)
		}
		spare, given := l.Forwarded(x)
		if (given != nil) != (left > 0 && left <= 3) {
			t.Fatalf("%d blocks before the sender leaves the HTLC is given up: %v", left, given)
		}
		if left > 3 && int64(spare) != left-4 || left <= 0 && spare != Forever {
			t.Fatalf("%d blocks before the sender leaves there are %d to spare", left, spare)
		}
		var why *Error
		if errors.As(given, &why) && (why.Rule != rule.CHAN040 || int64(why.Missing) != 4-left) {
			t.Fatalf("%d blocks before the sender leaves: %v", left, why)
		}
	})
}

// Nobody goes to the chain for what brings nothing there, and only a preimage makes a
// received HTLC worth a way out (PCF-089, PCF-090).
func TestWhatBringsNothingLies(t *testing.T) {
	late := Limits{Height: 1000}
	for _, c := range []struct {
		name string
		of   func(Lying) (Blocks, error)
		x    Lying
		lies bool
	}{
		{"offered", late.Offered, Lying{Expiry: 1000}, false},
		{"offered, paid for", late.Offered, Lying{Expiry: 1000, Preimage: true}, true},
		{"offered, trimmed", late.Offered, Lying{Expiry: 1000, Trimmed: true}, true},
		{"received, preimage given", late.Claimed, Lying{Expiry: 1018, Preimage: true}, false},
		{"received, no preimage", late.Claimed, Lying{Expiry: 1018}, true},
		{"received, trimmed", late.Claimed, Lying{Expiry: 1018, Preimage: true, Trimmed: true}, true},
		{"forwarded", late.Forwarded, Lying{Expiry: 1003}, false},
		{"forwarded, over", late.Forwarded, Lying{Expiry: 1003, Preimage: true}, true},
		{"forwarded, trimmed", late.Forwarded, Lying{Expiry: 1003, Trimmed: true}, true},
	} {
		if spare, err := c.of(c.x); (err == nil) != c.lies || c.lies && spare != Forever {
			t.Errorf("%s: %d to spare, %v", c.name, spare, err)
		}
	}
}
