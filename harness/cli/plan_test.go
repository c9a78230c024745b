package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"superscalar/refnode/factory"
)

func TestPlanRefusals(t *testing.T) {
	for _, row := range []struct {
		name, args string
		code       int
		says       string
	}{
		{"argument", "128", 2, `one argument too many: "128"; see 'superscalar plan --help'`},
		{"flag", "--dance", 2, "unknown flag: --dance"},
		{"no clients", "", 2, "--clients is missing"},
		{"0 clients", "--clients 0", 2, "--clients 0: a factory has 1 to 1024"},
		{"1,025 clients", "--clients 1025", 2, "--clients 1025: a factory has 1 to 1024"},
		{"clients in words", "--clients many", 2, `invalid argument "many"`},
		{"no blocks", "--clients 8 --max-blocks 0", 2, "--max-blocks 0: 1 to 864 are possible (DELAY-004)"},
		{"too many blocks", "--clients 8 --max-blocks 865", 2, "--max-blocks 865: 1 to 864"},
		{"no layers", "--clients 8 --layers 0", 2, "--layers 0: 1 to 3"},
		{"four layers", "--clients 8 --layers 4", 2, "--layers 4: 1 to 3"},
		{"free", "--clients 8 --feerate 0", 2, "--feerate 0: 0.001 to 100000"},
		{"below free", "--clients 8 --feerate -3", 2, "--feerate -3"},
		{"no fee rate at all", "--clients 8 --feerate NaN", 2, "--feerate NaN"},
		{"without end", "--clients 8 --feerate +Inf", 2, "--feerate +Inf"},
		{"leaf", "--clients 8 --leaf oak", 2, `--leaf "oak" is neither ps nor dw`},
		{"dw leaves chain nothing", "--clients 8 --leaf dw --max-chain 4", 2, "--max-chain belongs to ps leaves"},
		{"short chain", "--clients 8 --max-chain 3", 2, "max_chain: 3, allowed 4 to 32"},
		{"long chain", "--clients 8 --max-chain 33", 2, "max_chain: 33, allowed 4 to 32"},
		{"chain that overflows", "--clients 8 --max-chain 260", 2, "--max-chain 260 is out of bounds"},
		{"chain below nothing", "--clients 8 --max-chain -1", 2, "--max-chain -1 is out of bounds"},
		{"short step", "--clients 8 --step 71", 2, "step: 71, allowed 72 to 288"},
		{"long step", "--clients 8 --step 289", 2, "step: 289, allowed 72 to 288"},
		{"step that overflows", "--clients 8 --step 65680", 2, "--step 65680 is out of bounds"},
		{"show nothing", "--clients 8 --top 0", 2, "--top 0: at least 1"},

		{"300 blocks", "--clients 128 --max-blocks 300", 1,
			"no shape for 128 clients has an early warning time of at most 300 blocks: the least is 360, 288 of delay (1 layer of 3 states, " +
				"144 blocks apart) and 12 to confirm each of 2 transactions and 4 sales; what helps: --max-blocks 360, or --step 72"},
		{"a long chain in 360 blocks", "--clients 128 --max-blocks 360 --max-chain 10", 1,
			"what helps: --max-blocks 432, or --step 72, or --max-chain 4"},
		{"three layers", "--clients 128 --layers 3", 1, "in 3 layers of states has an early warning time of at most 720 blocks: " +
			"it takes more than the 864 that SPEC.md allows (DELAY-004); what helps: --layers 2, or --step 72"},
		{"one block", "--clients 1 --max-blocks 1 --json", 1, "no shape for 1 client has"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := run("", append([]string{"plan"}, strings.Fields(row.args)...)...)
			r.checkError(t, row.code, row.says)
			if r.out != "" {
				t.Errorf("output %q", r.out)
			}
		})
	}
}

// Whatever a refusal says would help does help, and one block less than it asks
// for does not.
func TestPlanHelps(t *testing.T) {
	for _, args := range []string{
		"--clients 128 --max-blocks 300", "--clients 128 --max-blocks 360 --max-chain 10", "--clients 128 --layers 3", "--clients 1024 --leaf dw --max-blocks 200",
	} {
		t.Run(args, func(t *testing.T) {
			command := append([]string{"plan"}, strings.Fields(args)...)
			_, help, _ := strings.Cut(strings.TrimSpace(run("", command...).errOut), "; what helps: ")
			if help == "" {
				t.Fatal("nothing helps")
			}
			for _, change := range strings.Split(help, ", or ") {
				run("", append(command, strings.Fields(change)...)...).checkOK(t, "Shape 1 is recommended")
				var blocks int
				if n, _ := fmt.Sscanf(change, "--max-blocks %d", &blocks); n == 1 {
					run("", append(command, "--max-blocks", fmt.Sprint(blocks-1))...).checkError(t, ExitFailed, change)
				}
			}
		})
	}
}

func TestPlan(t *testing.T) {
	for _, row := range []struct {
		name, args string
		because    string // in the two sentences
		says       []string
	}{
		{"128 clients", "--clients 128 --max-blocks 720", "a stock output sells up to 4 times and each sale adds 319 vB", []string{
			"128 clients, ps leaves, early warning time at most 720 blocks, 10 sat/vB\n",
			" 1    432     528    4   1,749     17,490       9    202    12,373       4    2  static 4 / static 8 / kickoff 1 / ps 2\n",
			"Shape 1 is recommended: ", "\n  superscalar demo --clients 128 --shape 'static 4 / static 8 / kickoff 1 / ps 2'\n",
		}},
		{"two layers", "--clients 128 --layers 2 --max-blocks 864", "with 2 layers of 3 states, 144 blocks apart,", []string{" / kickoff 1 / state 8 / kickoff 1 / ps 2'\n"}},
		{"a fee rate", "--clients 128 --feerate 0.5", "4 transactions, 1,749 vB", []string{", 0.5 sat/vB\n", "  1,749        875 "}},
		{"dw", "--clients 128 --leaf dw", "and a sale replaces the leaf.", []string{"128 clients, dw leaves", "superscalar demo --clients 128 --leaf dw --shape 'static 4 / static 4 / kickoff 1 / dw 8'\n"}},
		{"one", "--clients 1", "a sale needs 1 client awake", []string{"1 client, ps leaves", "kickoff 1 / ps 2\n"}},
		{"1,024", "--clients 1024 --top 1", "Shape 1 is recommended: with 1 layer of 4 states", []string{"1,024 clients, ps leaves", " more (--top "}},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := run("", append([]string{"plan"}, strings.Fields(row.args)...)...)
			r.checkOK(t, row.says...)
			if !strings.Contains(strings.Join(strings.Fields(r.out), " "), row.because) {
				t.Errorf("it does not say %q:\n%s", row.because, r.out)
			}
			lines := 0
			for line := range strings.Lines(r.out) {
				lines++
				if n := utf8.RuneCountInString(line); n > 145 {
					t.Errorf("%d columns: %s", n, line)
				}
			}
			if lines > 24 {
				t.Errorf("%d lines are no screen", lines)
			}
		})
	}
}

// The JSON has every shape, in the order of the text, and none breaks what was
// asked for: the bars of the plan.
func TestPlanJSON(t *testing.T) {
	for _, row := range []struct {
		name, args                  string
		maxBlocks, layers, maxChain int
	}{
		{"128 clients under 720 blocks", "--clients 128 --max-blocks 720", 720, 0, 4},
		{"two layers under 864", "--clients 128 --max-blocks 864 --layers 2", 864, 2, 4},
		{"longer chains", "--clients 300 --max-chain 8", 720, 0, 8},
	} {
		t.Run(row.name, func(t *testing.T) {
			args := append([]string{"plan"}, strings.Fields(row.args)...)
			r := run("", append(args, "--json")...)
			r.checkOK(t)
			var got planJSON
			if err := json.Unmarshal([]byte(r.out), &got); err != nil {
				t.Fatal(err)
			}
			if len(got.Shapes) == 0 || got.MaxBlocks != uint32(row.maxBlocks) {
				t.Fatalf("%d shapes for %d blocks", len(got.Shapes), got.MaxBlocks)
			}
			text := run("", append(args, "--top", "1000")...).out
			var listed []string
			for _, s := range got.Shapes {
				if int(s.EarlyWarning) > row.maxBlocks || row.layers > 0 && s.Layers != row.layers || int(s.MaxChain) < row.maxChain || s.States < 3 {
					t.Errorf("%+v", s)
				}
				if want := uint32(s.Step) * uint32(s.States-1) * uint32(s.Layers); s.Delay != want {
					t.Errorf("%s delays %d blocks, want %d", s.Shape, s.Delay, want)
				}
				listed = append(listed, s.Shape)
			}
			if diff := cmp.Diff(listed, lastColumn(text)); diff != "" {
				t.Errorf("text and JSON differ:\n%s", diff)
			}
			if !slices.IsSortedFunc(got.Shapes, func(a, b shapeRow) int { return int(a.Delay) - int(b.Delay) }) {
				t.Error("not ranked by delay")
			}
			if want := fmt.Sprintf("superscalar demo --clients %d --shape '%s'", got.Clients, listed[0]); got.Command != want {
				t.Errorf("command %q, want %q", got.Command, want)
			}
		})
	}
}

// lastColumn returns the shapes of a table.
func lastColumn(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if i := strings.LastIndex(line, "  "); i >= 0 && strings.Contains(line, " / ") && !strings.Contains(line, "superscalar") {
			if _, err := factory.ParseShape(line[i+2:]); err == nil {
				out = append(out, line[i+2:])
			}
		}
	}
	return out
}

func TestFigures(t *testing.T) {
	for _, row := range []struct {
		name, got, want string
	}{
		{"zero", figure(0), "0"},
		{"hundreds", figure(999), "999"},
		{"thousands", figure(1000), "1,000"},
		{"millions", figure(-1234567), "-1,234,567"},
		{"one", count(1, "block"), "1 block"},
		{"none", count(0, "block"), "0 blocks"},
		{"many", count(1024, "client"), "1,024 clients"},
		{"rate", rate(2500), "2.5"},
		{"whole rate", rate(10_000), "10"},
		{"wrapped", wrapped("aa bb  cc\ndd", 5), "aa bb\ncc dd"},
		{"wrapped long word", wrapped("a bbbbbbb c", 3), "a\nbbbbbbb\nc"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.got != row.want {
				t.Errorf("%q, want %q", row.got, row.want)
			}
		})
	}
}
