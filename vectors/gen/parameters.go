package gen

import (
	"fmt"

	"superscalar/refnode/factory"
	"superscalar/vectors"
	"superscalar/wire/rule"
)

// limitsCase is a change of parameters that are right. The expiry follows
// unless it is what is wrong.
type limitsCase struct {
	name   string
	shape  string
	chain  string
	rule   rule.ID
	field  string // of the fault, empty in a good case
	change func(*vectors.Limits)
}

func parameters() (vectors.File, error) {
	f := file("TREE", "parameters", "SPEC.md 4.1 and 4.5",
		"A client on this chain whose best block has own_height receives a proposal for n clients with these parameters and this shape: it computes the delays, or refuses. Kinds of level and leaf are the numbers of SPEC.md 4.2. exit_height is T - exit_time.")
	for _, c := range limitsCases() {
		s := shapeOf(c.shape)
		v := &vectors.Limits{Head: head("parameters-"+c.name, c.rule), Chain: c.chain, Clients: 2, Parameters: defaultParameters(s), Shape: s}
		v.OwnHeight = v.Parameters.TipHeight
		before := v.Parameters.Expiry
		c.change(v)
		if v.Parameters.Expiry == before && c.rule != rule.DELAY005 {
			v.Parameters = withExpiry(v.Parameters, s)
		}
		if c.field != "" {
			v.Outcome = fault("refused", c.field, -1, c.rule)
		} else {
			warning, exit := delays(v.Parameters, s)
			height := v.Parameters.Expiry - exit
			v.EarlyWarningTime, v.ExitTime, v.ExitHeight = &warning, &exit, &height
		}
		f.Vectors = append(f.Vectors, v)
	}
	return f, nil
}

const (
	oneLayer = "static 8 / kickoff 1 / ps 4"
	shallow  = "kickoff 1 / ps 4"
	dwLeaf   = "static 8 / kickoff 1 / dw 4"
	twoLayer = "kickoff 2 / state 2 / kickoff 1 / ps 4"
)

func limitsCases() []limitsCase {
	var out []limitsCase
	add := func(name, shape, chain string, id rule.ID, field string, change func(*vectors.Limits)) {
		out = append(out, limitsCase{name, shape, chain, id, field, change})
	}
	type set = func(p *vectors.Parameters, v uint16)
	rows := []struct {
		field    string
		set      set
		low      [2]int // mainnet, other; -1 where no value below is its only fault
		high     int
		highOnly string // chain on which a value above is the only fault, "" for mainnet
	}{
		{"step", func(p *vectors.Parameters, v uint16) { p.Step, p.States = v, 2 }, [2]int{72, -1}, 288, ""},
		{"states", func(p *vectors.Parameters, v uint16) { p.Step, p.ConfirmBlocks, p.States = 2, 1, uint8(v) }, [2]int{-1, 2}, 16, "other"},
		{"confirm_blocks", func(p *vectors.Parameters, v uint16) { p.ConfirmBlocks = v }, [2]int{6, 1}, 36, ""},
		{"stock_csv", func(p *vectors.Parameters, v uint16) { p.StockCSV = v }, [2]int{144, -1}, 1008, ""},
		{"to_self_delay", func(p *vectors.Parameters, v uint16) { p.ToSelfDelay = v }, [2]int{144, 4}, 2016, ""},
		{"margin", func(p *vectors.Parameters, v uint16) { p.Margin = v }, [2]int{72, 0}, 1008, ""},
		{"max_funding_wait", func(p *vectors.Parameters, v uint16) { p.MaxFundingWait = v }, [2]int{6, 1}, 1008, ""},
		{"active", func(p *vectors.Parameters, v uint16) { p.Active = v }, [2]int{1008, 1}, 8640, ""},
		{"dying", func(p *vectors.Parameters, v uint16) { p.Dying = v }, [2]int{144, 1}, 1008, ""},
		{"omission_delay", func(p *vectors.Parameters, v uint16) { p.OmissionDelay = v }, [2]int{13, 13}, 131, ""},
		{"max_chain", func(p *vectors.Parameters, v uint16) { p.MaxChain = uint8(v) }, [2]int{4, 1}, 32, ""},
	}
	for _, r := range rows {
		with := func(v int) func(*vectors.Limits) {
			return func(l *vectors.Limits) { r.set(&l.Parameters, uint16(v)) }
		}
		for i, chain := range []string{"mainnet", "other"} {
			if low := r.low[i]; low >= 0 {
				add(fmt.Sprintf("%s-%s-%d", slug(r.field), chain, low), shallow, chain, rule.TREE001, "", with(low))
				if low > 0 {
					add(fmt.Sprintf("%s-%s-%d", slug(r.field), chain, low-1), shallow, chain, rule.TREE001, r.field, with(low-1))
				}
			}
		}
		chain := "mainnet"
		if r.highOnly != "" {
			chain = r.highOnly
		}
		add(fmt.Sprintf("%s-%s-%d", slug(r.field), chain, r.high), shallow, chain, rule.TREE001, "", with(r.high))
		add(fmt.Sprintf("%s-%s-%d", slug(r.field), chain, r.high+1), shallow, chain, rule.TREE001, r.field, with(r.high+1))
	}
	none := func(*vectors.Limits) {}
	clients := func(n vectors.Uint) func(*vectors.Limits) { return func(l *vectors.Limits) { l.Clients = n } }
	add("n-1", shallow, "mainnet", rule.TREE001, "", clients(1))
	add("n-1024", shallow, "mainnet", rule.TREE001, "", clients(1024))
	add("n-0", shallow, "mainnet", rule.TREE001, "n", clients(0))
	add("n-1025", shallow, "mainnet", rule.TREE001, "n", clients(1025))
	add("dw-max-chain-0", dwLeaf, "mainnet", rule.TREE001, "", none)
	add("dw-max-chain-1", dwLeaf, "mainnet", rule.TREE001, "max_chain", func(l *vectors.Limits) { l.Parameters.MaxChain = 1 })

	steps := func(step, confirm uint16) func(*vectors.Limits) {
		return func(l *vectors.Limits) { l.Parameters.Step, l.Parameters.ConfirmBlocks = step, confirm }
	}
	add("step-twice-confirm-blocks", shallow, "mainnet", rule.TREE002, "", steps(72, 36))
	add("step-twice-confirm-blocks-other", shallow, "other", rule.TREE002, "", steps(22, 11))
	add("step-under-twice-confirm-blocks", shallow, "other", rule.TREE002, "step", steps(21, 11))
	add("step-under-twice-confirm-blocks-2", shallow, "other", rule.TREE002, "step", steps(20, 20))

	for _, d := range []int{-7, -6, 0, 6, 7} {
		field, name := "", fmt.Sprintf("tip-%d-above", d)
		if d < 0 {
			name = fmt.Sprintf("tip-%d-below", -d)
		}
		if d < -6 || d > 6 {
			field = "tip_height"
		}
		add(name, oneLayer, "mainnet", rule.TREE003, field, func(l *vectors.Limits) { l.OwnHeight = uint32(int(l.Parameters.TipHeight) - d) })
	}
	return append(out, delayCases()...)
}

// delayCases are about the early warning time and the expiry.
func delayCases() []limitsCase {
	chain := func(n uint8) func(*vectors.Limits) { return func(l *vectors.Limits) { l.Parameters.MaxChain = n } }
	expiry := func(d int) func(*vectors.Limits) {
		return func(l *vectors.Limits) { l.Parameters.Expiry = uint32(int(l.Parameters.Expiry) + d) }
	}
	// tip moves the tip so that the expiry is t.
	tip := func(t uint32) func(*vectors.Limits) {
		return func(l *vectors.Limits) {
			l.Parameters.TipHeight += t - l.Parameters.Expiry
			l.OwnHeight = l.Parameters.TipHeight
			l.Parameters = withExpiry(l.Parameters, l.Shape)
		}
	}
	var out []limitsCase
	for _, s := range []struct{ name, shape string }{{"one-layer", oneLayer}, {"shallow", shallow}, {"dw", dwLeaf}, {"two-layers", twoLayer}} {
		out = append(out, limitsCase{"delays-" + s.name, s.shape, "mainnet", rule.DELAY004, "", func(*vectors.Limits) {}})
	}
	long := func(l *vectors.Limits) { l.Parameters.Step, l.Parameters.States = 144, 4 }
	short := func(l *vectors.Limits) { l.Parameters.Step = 288 }
	return append(out,
		limitsCase{"early-warning-864", "static 2 / static 2 / kickoff 1 / ps 4", "mainnet", rule.DELAY004, "", chain(32)},
		limitsCase{"early-warning-876", "static 2 / static 2 / static 2 / kickoff 1 / ps 4", "mainnet", rule.DELAY004, "early_warning_time", chain(32)},
		limitsCase{"early-warning-two-layers", twoLayer, "mainnet", rule.DELAY004, "early_warning_time", long},
		limitsCase{"early-warning-dw", dwLeaf, "mainnet", rule.DELAY004, "early_warning_time", short},
		limitsCase{"expiry", oneLayer, "mainnet", rule.DELAY005, "", func(*vectors.Limits) {}},
		limitsCase{"expiry-two-layers", twoLayer, "mainnet", rule.DELAY005, "", func(*vectors.Limits) {}},
		limitsCase{"expiry-early", oneLayer, "mainnet", rule.DELAY005, "expiry", expiry(-1)},
		limitsCase{"expiry-late", oneLayer, "mainnet", rule.DELAY005, "expiry", expiry(1)},
		limitsCase{"expiry-last-height", oneLayer, "mainnet", rule.DELAY005, "", tip(499_999_999)},
		limitsCase{"expiry-is-a-time", oneLayer, "mainnet", rule.DELAY005, "expiry", tip(500_000_000)},
	)
}

func (r runner) limits(v *vectors.Limits) error {
	chain, err := factoryChain(v.Chain)
	if err != nil {
		return err
	}
	p, s := factoryParams(v.Parameters), factoryShape(v.Shape)
	err = s.Check(r.rules)
	if err == nil {
		err = p.Check(chain, int(v.Clients), s, r.rules)
	}
	if err == nil {
		err = p.CheckTip(factory.Height(v.OwnHeight), r.rules)
	}
	goOn, mismatch := refusal(v, err)
	if !goOn {
		return mismatch
	}
	if v.Error != nil {
		return fmt.Errorf("accepted, want %s", v.Error.Kind)
	}
	for _, c := range []struct {
		what      string
		got, want uint32
	}{
		{"early_warning_time", uint32(p.EarlyWarningTime(s)), *v.EarlyWarningTime},
		{"exit_time", uint32(p.ExitTime(s)), *v.ExitTime},
		{"exit_height", uint32(p.ExitHeight(s)), *v.ExitHeight},
	} {
		if c.got != c.want {
			return fmt.Errorf("%s is %d, want %d", c.what, c.got, c.want)
		}
	}
	return nil
}
