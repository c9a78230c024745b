package report

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

func consoleText(r *Report, opts ConsoleOptions) string {
	var b bytes.Buffer
	Console(&b, r, opts)
	return b.String()
}

func TestConsoleGolden(t *testing.T) {
	golden(t, "console.txt", []byte(consoleText(sample(), ConsoleOptions{})))
	golden(t, "console-verbose.txt", []byte(consoleText(sample(), ConsoleOptions{Verbose: true})))
}

func TestConsoleColourChangesNoWord(t *testing.T) {
	colored := consoleText(sample(), ConsoleOptions{Color: true})
	if !strings.Contains(colored, red) || !strings.Contains(colored, green) {
		t.Error("colour was asked for and is missing")
	}
	stripped := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(colored, "")
	trailing := regexp.MustCompile(`(?m) +$`)
	if trailing.ReplaceAllString(stripped, "") != consoleText(sample(), ConsoleOptions{}) {
		t.Error("the coloured text differs from the plain one in more than colour")
	}
}

func TestTextOutputsHoldNoControlCharacters(t *testing.T) {
	r := everyFieldHostile()
	var failure, diff bytes.Buffer
	WriteFailure(&failure, &r.Cases[0], &r.Cases[0].Failures[0])
	WriteDiff(&diff, sample(), r)
	page, err := htmlPage(r)
	if err != nil {
		t.Fatal(err)
	}
	junit, err := junitXML(r)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"console": consoleText(r, ConsoleOptions{Verbose: true}), "failure": failure.String(),
		"diff": diff.String(), "html": string(page), "junit": string(junit),
	} {
		if !strings.Contains(text, `\x1b[31mred\u202e`) {
			t.Errorf("%s: the escaped text is missing", name)
		}
		for _, c := range text {
			if c != '\n' && !unicode.IsPrint(c) {
				t.Errorf("%s: holds %q", name, c)
				break
			}
		}
	}
}

func TestConsoleShowsEveryMismatch(t *testing.T) {
	r := sample()
	text := consoleText(r, ConsoleOptions{})
	for _, c := range r.Cases {
		for _, f := range c.Failures {
			if c.State == Failed && strings.Count(text, f.Message) != 1 {
				t.Errorf("%s: mismatch %q is shown %d times", c.Name, f.Message, strings.Count(text, f.Message))
			}
		}
	}
}

func TestConsoleEndsWithOneVerdictLine(t *testing.T) {
	passed := sampleCase("trn/a/b", "2.1 A", "TRN-001", Passed)
	with := func(state State, profile string) Case {
		c := sampleCase("trn/a/c", "2.1 A", "TRN-002", state)
		c.Profile, c.Reason = profile, "why"
		return c
	}
	for _, tt := range []struct {
		name  string
		cases []Case
		focus string
		want  string
	}{
		{name: "nothing run", want: "VERDICT: not-conformant. No case was run."},
		{name: "all passed", cases: []Case{passed},
			want: "VERDICT: conformant. 1 of 1 cases passed, every core case among them."},
		{name: "focus is named", cases: []Case{passed}, focus: "trn/a",
			want: "VERDICT: conformant. 1 of 1 cases passed, every core case among them. Only cases matching trn/a were run."},
		{name: "deviation", cases: []Case{passed, with(ExpectedFailure, "core")},
			want: "VERDICT: deviations. 1 of 2 cases failed, only as declared."},
		{name: "hole", cases: []Case{passed, with(Skipped, "core")},
			want: "VERDICT: incomplete. Nothing failed, but 1 of 2 core cases have no result."},
		{name: "hole and deviation", cases: []Case{with(ExpectedFailure, "core"), with(Skipped, "core")},
			want: "VERDICT: incomplete. 1 of 2 core cases have no result, and 1 case failed as declared."},
		{name: "no core case", cases: []Case{with(Passed, "extended")},
			want: "VERDICT: incomplete. Nothing failed, but no core case was run."},
		{name: "failed", cases: []Case{passed, with(Failed, "core")},
			want: "VERDICT: not-conformant. 1 of 2 cases failed."},
		{name: "stale declaration", cases: []Case{passed, with(UnexpectedPass, "core")},
			want: "VERDICT: not-conformant. 0 of 2 cases failed, 1 passed though declared to fail."},
		{name: "unknown state", cases: []Case{passed, with("odd", "core")},
			want: "VERDICT: not-conformant. 1 of 2 cases failed."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &Report{Cases: tt.cases, Options: Options{Focus: tt.focus}}
			Finish(r)
			text := consoleText(r, ConsoleOptions{})
			if strings.Count(text, "VERDICT") != 1 {
				t.Errorf("%d verdict lines", strings.Count(text, "VERDICT"))
			}
			lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
			if got := lines[len(lines)-1]; got != tt.want {
				t.Errorf("last line is\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestConsoleNamesBlockingCasesWithoutMismatch(t *testing.T) {
	for _, state := range []State{Failed, UnexpectedPass, "odd"} {
		c := sampleCase("trn/a/b", "2.1 A", "TRN-001", state)
		r := &Report{Cases: []Case{c}}
		Finish(r)
		text := consoleText(r, ConsoleOptions{})
		if !strings.Contains(text, withoutMismatch(&c)) || !strings.Contains(text, c.Replay) {
			t.Errorf("%s: reason or replay missing in\n%s", state, text)
		}
	}
}

func TestConsoleIsTheSameInAnyOrder(t *testing.T) {
	r := sample()
	want := consoleText(r, ConsoleOptions{Verbose: true})
	for i := range r.Cases {
		r.Cases[0], r.Cases[i] = r.Cases[i], r.Cases[0]
		if got := consoleText(r, ConsoleOptions{Verbose: true}); got != want {
			t.Fatalf("the order of the cases changed the text (swap %d)", i)
		}
	}
}

func TestConsoleShortensIdsUnlessVerbose(t *testing.T) {
	r := sample()
	for i := range 20 {
		r.Requirements = append(r.Requirements, Requirement{ID: "XYZ-" + string(rune('a'+i)), Check: "case", State: NotRun})
	}
	if text := consoleText(r, ConsoleOptions{}); !strings.Contains(text, "12 more") || strings.Contains(text, "XYZ-t") {
		t.Errorf("ids are not shortened:\n%s", text)
	}
	if text := consoleText(r, ConsoleOptions{Verbose: true}); !strings.Contains(text, "XYZ-t") {
		t.Error("a verbose text leaves ids out")
	}
}
