package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"superscalar/wire"
)

func TestDemoRefusals(t *testing.T) {
	for _, row := range []struct {
		name string
		args []string
		says string
	}{
		{"argument", []string{"8"}, `one argument too many: "8"; see 'superscalar demo --help'`},
		{"flag", []string{"--dance"}, "unknown flag: --dance"},
		{"no clients", []string{"--clients", "0"}, "--clients 0: a factory has 1 to 1024"},
		{"fewer", []string{"--clients", "-1"}, "--clients -1: a factory has 1 to 1024"},
		{"too many clients", []string{"--clients", "1025"}, "--clients 1025: a factory has 1 to 1024"},
		{"leaf", []string{"--leaf", "oak"}, `--leaf "oak" is neither ps nor dw`},
		{"exit", []string{"--exit", "window"}, `--exit "window" is none of none, unilateral, expiry, cheat`},
		{"no exit", []string{"--exit", ""}, `--exit "" is none of`},
		{"seed", []string{"--seed", "-1"}, `invalid argument "-1"`},
		{"empty shape", []string{"--shape", ""}, `--shape: shape: level 0 is "", must be a kind and an arity`},
		{"shape of another kind", []string{"--shape", "round 8"}, `kind "round" in level 0`},
		{"shape without kickoff", []string{"--shape", "static 2 / ps 4"}, "TREE-010"},
		{"shape that is too small", []string{"--shape", "kickoff 1 / ps 2"}, "--shape for 8 clients: TREE-014: leaf: leaf 0 covers 8 clients, its arity allows 4"},
		{"shape of another leaf", []string{"--leaf", "dw", "--shape", "kickoff 1 / ps 4"}, "--shape has ps leaves, --leaf says dw"},
		{"shape that delays for too long", []string{"--shape", strings.Repeat("kickoff 1 / state 2 / ", 5) + "kickoff 1 / ps 4"},
			"--shape: its early warning time is 1056 blocks, at most 864 are allowed (DELAY-004)"},
		{"picture without a name", []string{"--svg", ""}, "--svg: the name of the file is missing"},
		{"picture is a folder", []string{"--svg", "empty"}, "--svg: empty is a folder; name a file"},
		{"picture nowhere", []string{"--svg", "nowhere/tree.svg"}, "--svg: nowhere/tree.svg cannot be written; name another file"},
		{"picture below a file", []string{"--svg", "file/tree.svg"}, "--svg: file/tree.svg cannot be written"},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := workplace(t)
			before := tree(t, dir)
			r := run("", append([]string{"demo"}, row.args...)...)
			r.checkError(t, ExitUsage, row.says)
			if r.out != "" {
				t.Errorf("output %q", r.out)
			}
			if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
				t.Errorf("left behind:\n%s", diff)
			}
		})
	}
}

// took is the one line that differs from run to run.
var took = regexp.MustCompile(`This took \d+\.\d s\.`)

// said is an output with the breaks between lines taken out.
func said(out string) string { return strings.Join(strings.Fields(out), " ") }

// Each way out ends with everybody having what the specification promises.
func TestDemo(t *testing.T) {
	const branches = "static 2 / kickoff 1 / "
	for _, row := range []struct {
		name string
		args []string
		says []string
	}{
		{"default", nil, []string{
			"8 clients, ps leaves, seed 1: kickoff 1 / ps 8", "8 clients connected to the LSP over BOLT 8", "1,280,000 sat in one output",
			"client 0 buys 50,000 sat, 8 clients awake: sale ", "└─ stock of clients 0-7 480,000 sat for sale",
			"8 channels opened while the factory was signed", "client 0 pays client 1 8,000 sat through the LSP, for a fee of 1.800 sat",
			"client 0 has 31,998.200 now and client 1 8,000", "no room before: now it has two channels client 0 has 131,998.200 of 150,000 sat now",
			"2 commitments of client 0",
			"3 transactions and children, 1,218 vB, 2,436 sat at 2 sat/vB, at most 468 blocks", "its channel hangs on it (PS-023)",
			"client 0 131,998 of the 150,000 sat in 2 channels that came onto the chain 434 blocks after it began", "7 in its leaf 100,000 sat each",
			"superscalar demo --shape 'static 2 / kickoff 1 / ps 4'", "superscalar plan ", "superscalar conform ",
		}},
		{"ps, nobody leaves", []string{"--exit", "none"}, []string{"client 0 131,998 of the 150,000 sat in channels inside the factory, 50,000 of them bought", "LSP 430,000 sat, its stock for sale"}},
		{"ps, expiry", []string{"--exit", "expiry", "--shape", branches + "ps 2"}, []string{
			"which has no coin at all, waits for the expiry", "the factory has expired (DIST-009)", "client 0 160,000 sat by the distribution", "LSP nothing",
		}},
		{"ps, cheat", []string{"--exit", "cheat", "--shape", branches + "ps 2"}, []string{
			"keeps the sale to itself and means to take the stock back after 144 blocks", "the sale was withheld (PS-025) [72 blocks",
			"the LSP's claim of the stock is refused: bad-txns-inputs-missingorspent", "of the 100,000 sat in its channel on the chain, 85,000 sat by the omission",
			"1 in its group 100,000 sat each in channels on the chain, 35,000 sat each by the omission", "2 in its leaf", "4 elsewhere",
		}},
		{"dw, alone", []string{"--leaf", "dw"}, []string{"leaf 1/0 is replaced, nSequence 432 by 288", "at most 312 blocks", "an older state matures later (DELAY-009) [288 blocks", "its channel has moved to the new leaf", "1 commitment of client 0", "client 0 131,998 of the 150,000 sat in 1 channel that came onto the chain"}},
		{"dw, expiry", []string{"--leaf", "dw", "--exit", "expiry"}, []string{"client 0 160,000 sat by the distribution"}},
		{"dw, cheat", []string{"--exit", "cheat", "--shape", branches + "dw 4"}, []string{
			"8 clients, dw leaves", "everybody sleeps far longer than the 48 blocks they may", "the replaced one, after 432 blocks",
			"5 x poison: a replaced leaf is confirmed (POI-007)", "client 0 160,000 sat by poison", "3 in its leaf 160,000 sat each", "4 elsewhere 100,000 sat each",
		}},
		{"two layers", []string{"--clients", "9", "--shape", "static 3 / kickoff 1 / state 2 / kickoff 1 / dw 2"}, []string{
			"seed 1: static 3 / kickoff 1 / state 2 / kickoff 1 / dw 2", "nSequence 288 by 144", "state 2/0 ", "client 0 131,998 of the 150,000 sat in 1 channel that came onto the chain",
		}},
		{"more than have channels", []string{"--clients", "33", "--exit", "none"}, []string{
			"payments are shown with up to 32 clients", "client 0 150,000 sat in channels inside the factory",
		}},
		{"one client", []string{"--clients", "1", "--exit", "cheat"}, []string{"1 client, ps leaves", "of the 100,000 sat in its channel on the chain, 60,000 sat by the omission"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			t.Setenv("TMPDIR", dir)
			r := run("", append([]string{"demo"}, row.args...)...)
			r.checkOK(t)
			for _, s := range row.says {
				if !strings.Contains(said(r.out), s) {
					t.Errorf("%q is not in the output:\n%s", s, r.out)
				}
			}
			if lines := strings.Count(r.out, "\n"); lines > 64 {
				t.Errorf("%d lines", lines)
			}
			if left := tree(t, dir); len(left) > 1 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// The same seed tells the same story, another one another.
func TestDemoIsReproducible(t *testing.T) {
	tell := func(seed string) string {
		r := run("", "demo", "--clients", "3", "--exit", "none", "--seed", seed)
		r.checkOK(t)
		if !took.MatchString(r.out) {
			t.Errorf("no time in %q", r.out)
		}
		return took.ReplaceAllString(r.out, "")
	}
	first := tell("5")
	if diff := cmp.Diff(first, tell("5")); diff != "" {
		t.Errorf("the same seed:\n%s", diff)
	}
	if first == tell("6") {
		t.Error("another seed tells the same")
	}
}

// The JSON holds the steps, their cost, and what everybody has.
func TestDemoJSON(t *testing.T) {
	r := run("", "demo", "--clients", "4", "--json", "--seed", "3")
	r.checkOK(t)
	var got demoJSON
	if err := json.Unmarshal([]byte(r.out), &got); err != nil {
		t.Fatalf("%v: %s", err, r.out)
	}
	if got.Clients != 4 || got.Leaf != "ps" || got.Shape != "kickoff 1 / ps 4" || got.Exit != "unilateral" || got.Seed != 3 {
		t.Errorf("%+v", got)
	}
	var names []string
	height := uint32(0)
	for _, s := range got.Steps {
		names = append(names, strings.Fields(s.Name)[0])
		if s.Height < height || s.Text == "" || s.Transactions > 0 && (s.VBytes < 100 || s.Fee < s.VBytes) {
			t.Errorf("%+v", s)
		}
		height = s.Height
	}
	want := []string{"chain", "sockets", "signed", "funded", "channels", "payments", "purchase", "payments", "way", "block", "block", "block", "block"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	if len(got.Holds) != 3 || got.Holds[0].Who != "client 0" || got.Holds[0].Has != 131_998 { // what it was paid, less what it paid
		t.Errorf("%+v", got.Holds)
	}
}

// A picture is written whole, over an older one too, with nothing beside it.
func TestDemoSVG(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "tree.svg")
	for _, clients := range []string{"3", "2"} {
		run("", "demo", "--clients", clients, "--exit", "none", "--svg", path).checkOK(t, "the tree after the purchase is in ")
		text := readFile(t, path)
		if !strings.HasPrefix(text, "<svg ") || !strings.HasSuffix(text, "</svg>\n") || !strings.Contains(text, clients+" clients and the LSP") {
			t.Errorf("%s clients: %.200s", clients, text)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Errorf("%d files", len(entries))
		}
	}
}

// SIGINT in the middle of a ceremony ends it in one line, with nothing left
// behind.
func TestDemoInterrupted(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	p := start(t, "demo", "--clients", "100", "--svg", filepath.Join(dir, "tree.svg"))
	for !strings.HasPrefix(p.line(), "ceremony ") {
	}
	p.signal(syscall.SIGINT)
	if _, err := p.out.WriteTo(new(bytes.Buffer)); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait()
	if code := p.cmd.ProcessState.ExitCode(); code != ExitFailed || p.errOut.String() != "superscalar: interrupted; nothing is left behind\n" {
		t.Errorf("exit code %d, %q", code, p.errOut.String())
	}
	if left := tree(t, dir); len(left) != 1 {
		t.Errorf("left behind: %d things", len(left)-1)
	}
}

// On a terminal what goes on is one line that is replaced; what has happened
// stays.
func TestDemoScreen(t *testing.T) {
	var out strings.Builder
	s := &demoScreen{out: &out, tty: true, clients: 2, heard: map[wire.CeremonyType]int{}}
	s.now("ceremony", "2 clients invited")
	s.heardOf(&wire.Invite{})
	s.end(step{Name: "signed", Text: "5 signatures"})
	s.end(step{Name: "funded", Text: "an output", Notes: []string{"a note"}, Blocks: 1, Transactions: 2, VBytes: 1500, Fee: 3000})
	const erase = "\r\x1b[K"
	want := erase + "ceremony        2 clients invited" + erase + "ceremony        invite: 1 of 2 clients" +
		erase + "signed          5 signatures\n" + erase + "funded          an output [1 block, 2 tx, 1,500 vB, 3,000 sat]\n                a note\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	out.Reset()
	s.tty = false
	s.heardOf(&wire.Invite{})
	s.now("ceremony", "done")
	if got, want := out.String(), fmt.Sprintf("%-16sdone\n", "ceremony"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
