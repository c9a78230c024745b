package gen

import (
	"errors"
	"fmt"

	"superscalar/refnode/expiry"
	"superscalar/vectors"
	"superscalar/wire/rule"
)

// htlcExpiries are the limits of SPEC.md 3.7, each one block below, at and one
// above. The figures are sums of what stands in the vector, worked out here.
func htlcExpiries() (vectors.File, error) {
	f := file("PCF", "htlc_expiry", "SPEC.md 3.7: sums of the numbers in each vector",
		"A node at height, with a channel of early_warning_time. op: \"receive\" an HTLC that is irrevocably committed, \"release\" the preimage of one that ends here, \"offer\" one that is forwarded, \"forward\" one from a channel of early_warning_time to one that asks for cltv_expiry_delta; blocks is how many it has to spare, and a bad one is refused. \"pay\": the route asks for cltv_expiry, blocks is the expiry of the HTLC on the own channel, without padding. \"invoice\": blocks is min_final_cltv_expiry_delta, early_warning_time the highest of the channels that can receive it and cltv_expiry_delta what the payee asks for itself, which gives way down to 18. \"final\": a payer tells the payee cltv_expiry, who asks for cltv_expiry_delta; blocks is what it has above the least, which is one block more than the sum. The last three judge an HTLC that lies at height, and blocks is how many more it may lie, or unbounded as long as it likes; a bad one may not: \"offered\", and the plugin has to be warned; \"claimed\", received and its preimage given, and the same; \"forwarded\" by the LSP, without an end of the outgoing one, and it has to be failed, early_warning_time being that of the incoming channel. preimage: the node knows it. trimmed: the HTLC (the outgoing one, on a channel of a factory that has not failed) is on neither commitment.")
	const height = 800_000
	for _, ewt := range []int{0, 1, 144, 864, 1997} {
		for _, op := range []struct {
			name  string
			rules []rule.ID
		}{
			{"receive", []rule.ID{rule.PCF087}}, {"release", []rule.ID{rule.PCF094}}, {"offer", []rule.ID{rule.PCF099, rule.PCF086}},
		} {
			for _, spare := range []int{-1, 0, 1} {
				v := &vectors.HTLCExpiry{Head: head(slug("htlc", op.name, fmt.Sprint(ewt), side(spare)), op.rules...), Op: op.name,
					EarlyWarning: vectors.Uint(ewt), Height: ptr(height), Expiry: ptr(height + ewt + 18 + spare)}
				decide(v, spare, op.rules[0])
				f.Vectors = append(f.Vectors, v)
			}
		}
		for _, spare := range []int{-1, 0, 1} {
			v := &vectors.HTLCExpiry{Head: head(slug("htlc-forward", fmt.Sprint(ewt), side(spare)), rule.PCF088), Op: "forward",
				EarlyWarning: vectors.Uint(ewt), Expiry: ptr(height + 100 + ewt + 40 + spare), Outgoing: ptr(height + 100), Delta: ptr(40)}
			decide(v, spare, rule.PCF088)
			f.Vectors = append(f.Vectors, v)
		}
		f.Vectors = append(f.Vectors, &vectors.HTLCExpiry{Head: head(slug("htlc-pay", fmt.Sprint(ewt)), rule.PCF057), Op: "pay",
			EarlyWarning: vectors.Uint(ewt), Expiry: ptr(height + 67), Blocks: ptr(height + 67 + ewt)})
	}
	for _, c := range []struct{ ewt, own, want int }{
		{0, 18, 18}, {0, 24, 24}, {144, 18, 162}, {864, 40, 904}, {1991, 24, 2015}, {1992, 24, 2015}, {1997, 24, 2015}, {1997, 18, 2015},
	} {
		f.Vectors = append(f.Vectors, &vectors.HTLCExpiry{Head: head(slug("htlc-invoice", fmt.Sprint(c.ewt), fmt.Sprint(c.own)), rule.PCF093), Op: "invoice",
			EarlyWarning: vectors.Uint(c.ewt), Delta: ptr(c.own), Blocks: ptr(c.want)})
	}
	f.Vectors = append(f.Vectors, finalExpiries(height)...)
	f.Vectors = append(f.Vectors, lateExpiries(height)...)
	f.Vectors = append(f.Vectors, lyingExpiries(height)...)
	f.Vectors = append(f.Vectors, &vectors.HTLCExpiry{Head: head("htlc-invoice-1998", rule.PCF093, rule.PCF069), Op: "invoice",
		EarlyWarning: 1998, Delta: ptr(18), Outcome: fault("refused", "early_warning_time", -1, rule.PCF069)})
	return f, nil
}

// finalExpiries are what a payer tells the payee, who asks for a delta: one block more than
// the sum, or several (CHAN-016).
func finalExpiries(height int) []vectors.Vector {
	var out []vectors.Vector
	for _, delta := range []int{18, 40, 2015} {
		for _, more := range []int{0, 1, 3} {
			v := &vectors.HTLCExpiry{Head: head(slug("htlc-final", fmt.Sprint(delta), fmt.Sprint(more), "more"), rule.CHAN016), Op: "final",
				Height: ptr(height), Expiry: ptr(height + delta + more), Delta: ptr(delta)}
			decide(v, more-1, rule.CHAN016)
			out = append(out, v)
		}
	}
	return out
}

// lateExpiries are more that are refused: what leaves out one of the three parts of a
// limit, is over already, or is exactly what a node may think who counts the block that
// is being made.
func lateExpiries(height int) []vectors.Vector {
	var out []vectors.Vector
	refused := func(v *vectors.HTLCExpiry, id rule.ID) {
		v.Outcome = fault("refused", "cltv_expiry", -1, id)
		out = append(out, v)
	}
	for _, op := range []struct {
		name  string
		rules []rule.ID
	}{
		{"receive", []rule.ID{rule.PCF087}}, {"release", []rule.ID{rule.PCF094}}, {"offer", []rule.ID{rule.PCF099, rule.PCF086}},
	} {
		for _, c := range []struct {
			name        string
			ewt, expiry int
		}{
			{"expired", 144, height - 1}, {"expires-now", 144, height}, {"without-early-warning-time", 864, height + 18},
			{"without-claim", 864, height + 864}, {"one-block-for-both", 432, height + 432 + 17}, {"of-another-factory", 1997, height + 144 + 18},
			{"zero", 0, 0}, {"at-creation-of-factory", 0, height + 17},
		} {
			refused(&vectors.HTLCExpiry{Head: head(slug("htlc", op.name, c.name), op.rules...), Op: op.name,
				EarlyWarning: vectors.Uint(c.ewt), Height: ptr(height), Expiry: ptr(c.expiry)}, op.rules[0])
		}
	}
	for _, c := range []struct {
		name                 string
		ewt, delta, outgoing int
		expiry               int
	}{
		{"without-early-warning-time", 864, 40, height + 100, height + 140},
		{"without-delta", 864, 40, height + 100, height + 964},
		{"with-half-of-both", 144, 80, height + 100, height + 100 + 72 + 40},
		{"equal", 144, 40, height + 100, height + 100},
		{"outgoing-later", 0, 40, height + 100, height + 99},
		{"delta-of-another-channel", 432, 144, height + 50, height + 50 + 432 + 40},
		{"delta-of-zero", 432, 0, height + 50, height + 50 + 431},
		{"at-the-longest", 1997, 18, height + 1, height + 1 + 1997 + 17},
	} {
		refused(&vectors.HTLCExpiry{Head: head(slug("htlc-forward", c.name), rule.PCF088), Op: "forward",
			EarlyWarning: vectors.Uint(c.ewt), Expiry: ptr(c.expiry), Outgoing: ptr(c.outgoing), Delta: ptr(c.delta)}, rule.PCF088)
	}
	for _, ewt := range []int{1999, 2016, 65535} {
		out = append(out, &vectors.HTLCExpiry{Head: head(slug("htlc-invoice", fmt.Sprint(ewt)), rule.PCF093, rule.PCF069), Op: "invoice",
			EarlyWarning: vectors.Uint(ewt), Delta: ptr(18), Outcome: fault("refused", "early_warning_time", -1, rule.PCF069)})
	}
	return out
}

// side names where an expiry stands.
func side(spare int) string {
	return [...]string{"one-below", "at-the-limit", "one-above"}[spare+1]
}

// decide gives a vector its result: the blocks to spare, or a refusal.
func decide(v *vectors.HTLCExpiry, spare int, id rule.ID) {
	if spare < 0 {
		v.Outcome = fault("refused", "cltv_expiry", -1, id)
		return
	}
	v.Blocks = ptr(spare)
}

func (r runner) htlcExpiry(v *vectors.HTLCExpiry) error {
	at := func(n *vectors.Uint) expiry.Height {
		if n == nil {
			return 0
		}
		return expiry.Height(*n)
	}
	l := expiry.Limits{Height: at(v.Height), Rules: r.rules}
	ewt := expiry.Blocks(v.EarlyWarning)
	lying := expiry.Lying{Expiry: at(v.Expiry), EarlyWarning: ewt, Preimage: v.Preimage, Trimmed: v.Trimmed}
	var got expiry.Blocks
	var err error
	switch v.Op {
	case "receive":
		got, err = l.Received(at(v.Expiry), ewt)
	case "release":
		got, err = l.Release(at(v.Expiry), ewt)
	case "offer":
		got, err = l.Offer(at(v.Expiry), ewt)
	case "forward":
		got, err = l.Forward(at(v.Expiry), at(v.Outgoing), ewt, expiry.Blocks(at(v.Delta)))
	case "pay":
		got = expiry.Blocks(l.FirstHop(at(v.Expiry), ewt))
	case "final":
		got, err = r.finalExpiry(l, at(v.Expiry), expiry.Blocks(at(v.Delta)))
	case "invoice":
		got, err = l.FinalDelta(expiry.Blocks(at(v.Delta)), ewt)
	case "offered":
		got, err = l.Offered(lying)
	case "claimed":
		got, err = l.Claimed(lying)
	case "forwarded":
		got, err = l.Forwarded(lying)
	default:
		return fmt.Errorf("no op %q", v.Op)
	}
	return refusedExpiry(v, got, err)
}

// finalExpiry is how many blocks an expiry has above the least that a payer may tell the
// payee. This node's own may not be under that.
func (r runner) finalExpiry(l expiry.Limits, told expiry.Height, delta expiry.Blocks) (expiry.Blocks, error) {
	least := l.Height + expiry.Height(delta) + 1
	if own := l.Final(delta); own < least {
		return 0, fmt.Errorf("this node says %d", own)
	}
	if told < least {
		return 0, &expiry.Error{Rule: rule.CHAN016, Missing: expiry.Blocks(least - told)}
	}
	return expiry.Blocks(told - least), nil
}

// refusedExpiry compares a result with that of a vector.
func refusedExpiry(v *vectors.HTLCExpiry, got expiry.Blocks, err error) error {
	var refused *expiry.Error
	switch {
	case err == nil && v.Error == nil:
		return sameBlocks(v, got)
	case err == nil:
		return fmt.Errorf("allowed, want refused by %s", v.Error.Rule)
	case v.Error == nil:
		return fmt.Errorf("refused: %w", err)
	case v.Error.Kind != "refused":
		return fmt.Errorf("refused, want %s", v.Error.Kind)
	case errors.As(err, &refused) && refused.Rule != v.Error.Rule:
		return fmt.Errorf("refused by %s, want %s", refused.Rule, v.Error.Rule)
	case errors.Is(err, expiry.ErrEarlyWarning) != (v.Error.Field == "early_warning_time"):
		return fmt.Errorf("refused with %q, want a refusal of %s", err, v.Error.Field)
	}
	return nil
}

// sameBlocks compares the blocks to spare.
func sameBlocks(v *vectors.HTLCExpiry, got expiry.Blocks) error {
	switch unbounded := got == expiry.Forever; {
	case unbounded != v.Unbounded:
		return fmt.Errorf("unbounded is %t", unbounded)
	case !unbounded && (v.Blocks == nil || vectors.Uint(got) != *v.Blocks):
		return fmt.Errorf("blocks is %d", got)
	}
	return nil
}

func htlcExpirySchema() object {
	u16, u32 := upTo(1<<16-1), upTo(1<<32-1)
	return schema("htlc_expiry", "One expiry and the early warning time that it needs", object{
		"op":                 oneOf("receive", "release", "offer", "forward", "pay", "invoice", "final", "offered", "claimed", "forwarded"),
		"early_warning_time": u16,
	}, object{
		"blocks":    about("To spare; in pay the expiry to offer, in invoice min_final_cltv_expiry_delta.", u32),
		"unbounded": about("There instead of blocks: the HTLC may lie as long as it likes.", object{"type": "boolean"}),
	}, object{
		"height":              u32,
		"cltv_expiry":         u32,
		"outgoing_cltv_value": u32,
		"cltv_expiry_delta":   u16,
		"preimage":            object{"type": "boolean"},
		"trimmed":             object{"type": "boolean"},
	}, object{"oneOf": []any{
		object{"title": "good", "required": []string{"blocks"}, "properties": object{"error": false, "unbounded": false}},
		object{"title": "good, and there is no limit", "required": []string{"unbounded"}, "properties": object{"error": false, "blocks": false, "op": oneOf("offered", "claimed", "forwarded")}},
		object{"title": "bad: exactly one fault", "required": []string{"error"}, "properties": object{"blocks": false, "unbounded": false}},
	}})
}
