package gen

import (
	"fmt"

	"superscalar/vectors"
	"superscalar/wire/rule"
)

// lyingExpiries are HTLCs that lie in a channel: until the way out has to start for one that
// was offered (PCF-089) or whose preimage was given (PCF-090), or until the LSP fails one
// that it forwarded (CHAN-040).
func lyingExpiries(height int) []vectors.Vector {
	var out []vectors.Vector
	for _, op := range []struct {
		name     string
		rule     rule.ID
		preimage bool
		margin   int // blocks on top of the early warning time at which it may not lie any more
	}{
		{"offered", rule.PCF089, false, 0}, {"claimed", rule.PCF090, true, 18}, {"forwarded", rule.CHAN040, false, 3},
	} {
		lies := func(name string, ewt, left int) *vectors.HTLCExpiry {
			return &vectors.HTLCExpiry{Head: head(slug("htlc", op.name, name), op.rule), Op: op.name,
				EarlyWarning: vectors.Uint(ewt), Height: ptr(height), Expiry: ptr(height + left), Preimage: op.preimage}
		}
		add := func(v *vectors.HTLCExpiry, spare int) {
			decide(v, spare, op.rule)
			out = append(out, v)
		}
		for _, ewt := range []int{0, 144, 864, 1997} {
			for _, spare := range []int{-1, 0, 1} {
				add(lies(slug(fmt.Sprint(ewt), side(spare)), ewt, ewt+op.margin+1+spare), spare)
			}
		}
		for _, harmless := range []struct {
			name string
			edit func(*vectors.HTLCExpiry)
		}{
			{"trimmed", func(v *vectors.HTLCExpiry) { v.Trimmed = true }},
			{"preimage-the-other-way", func(v *vectors.HTLCExpiry) { v.Preimage = !op.preimage }},
		} {
			for _, left := range []int{1, op.margin, 144 + op.margin} {
				v := lies(slug(harmless.name, fmt.Sprint(left), "left"), 144, left)
				harmless.edit(v)
				v.Unbounded = true
				out = append(out, v)
			}
		}
	}
	return append(out, lateLying(height)...)
}

// lateLying are HTLCs that lie although they may not, as a node has them that leaves a part
// out of the sum, counts from another block or thinks that it is too late; and the end of
// what CHAN-040 asks for, once the sender is leaving.
func lateLying(height int) []vectors.Vector {
	var out []vectors.Vector
	for _, c := range []struct {
		op       string
		rule     rule.ID
		preimage bool
		name     string
		ewt      int
		left     int // blocks to the expiry, below 0 behind it
		lies     bool
	}{
		{"offered", rule.PCF089, false, "expired", 144, -1, false},
		{"offered", rule.PCF089, false, "expires-now", 144, 0, false},
		{"offered", rule.PCF089, false, "without-early-warning-time", 864, 863, false},
		{"offered", rule.PCF089, false, "after-the-grace-of-bolt-2", 432, -2, false},
		{"offered", rule.PCF089, false, "half-of-the-early-warning-time", 720, 360, false},
		{"offered", rule.PCF089, false, "of-another-factory", 1997, 145, false},
		{"offered", rule.PCF089, false, "no-early-warning-time-expires-now", 0, 0, false},
		{"claimed", rule.PCF090, true, "expired", 144, -1, false},
		{"claimed", rule.PCF090, true, "expires-now", 144, 0, false},
		{"claimed", rule.PCF090, true, "without-early-warning-time", 864, 19, false},
		{"claimed", rule.PCF090, true, "without-claim", 864, 865, false},
		{"claimed", rule.PCF090, true, "as-if-offered", 432, 433, false},
		{"claimed", rule.PCF090, true, "of-another-factory", 1997, 144 + 19, false},
		{"claimed", rule.PCF090, true, "one-block-for-both", 432, 432 + 17, false},
		{"forwarded", rule.CHAN040, false, "two-before-the-sender-leaves", 144, 146, false},
		{"forwarded", rule.CHAN040, false, "one-before-the-sender-leaves", 144, 145, false},
		{"forwarded", rule.CHAN040, false, "the-sender-leaves", 144, 144, true},
		{"forwarded", rule.CHAN040, false, "the-sender-has-left", 144, 100, true},
		{"forwarded", rule.CHAN040, false, "expired", 144, -1, true},
		{"forwarded", rule.CHAN040, false, "outside-one-before-the-expiry", 0, 1, false},
		{"forwarded", rule.CHAN040, false, "outside-two-before-the-expiry", 0, 2, false},
		{"forwarded", rule.CHAN040, false, "outside-expires-now", 0, 0, true},
		{"forwarded", rule.CHAN040, false, "longest-one-before", 1997, 1998, false},
		{"forwarded", rule.CHAN040, false, "longest-two-before", 1997, 1999, false},
	} {
		v := &vectors.HTLCExpiry{Head: head(slug("htlc", c.op, c.name), c.rule), Op: c.op,
			EarlyWarning: vectors.Uint(c.ewt), Height: ptr(height), Expiry: ptr(height + c.left), Preimage: c.preimage}
		if !c.lies {
			v.Outcome = fault("refused", "cltv_expiry", -1, c.rule)
		}
		v.Unbounded = c.lies
		out = append(out, v)
	}
	return out
}
