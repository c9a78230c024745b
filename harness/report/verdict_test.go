package report

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// casesOf makes cases from pairs of state and profile.
func casesOf(pairs ...string) []Case {
	var cases []Case
	for i := 0; i < len(pairs); i += 2 {
		cases = append(cases, Case{State: State(pairs[i]), Profile: pairs[i+1]})
	}
	return cases
}

func TestDecide(t *testing.T) {
	for _, tt := range []struct {
		name  string
		cases []Case
		want  Verdict
	}{
		{"nothing", nil, NotConformant},
		{"core passed", casesOf("passed", "core"), Conformant},
		{"extended skipped", casesOf("passed", "core", "skipped", "extended"), Conformant},
		{"extended unsupported", casesOf("passed", "core", "unsupported", "extended"), Conformant},
		{"core skipped", casesOf("passed", "core", "skipped", "core"), Incomplete},
		{"core unsupported", casesOf("passed", "core", "unsupported", "core"), Incomplete},
		{"all skipped", casesOf("skipped", "core"), Incomplete},
		{"expected failure", casesOf("passed", "core", "expected-failure", "core"), Deviations},
		{"extended expected failure", casesOf("passed", "core", "expected-failure", "extended"), Deviations},
		{"expected failure beside a hole", casesOf("expected-failure", "core", "skipped", "core"), Incomplete},
		{"core failed", casesOf("passed", "core", "failed", "core"), NotConformant},
		{"extended failed", casesOf("passed", "core", "failed", "extended"), NotConformant},
		{"unexpected pass", casesOf("passed", "core", "unexpected-pass", "core"), NotConformant},
		{"failure beside a hole", casesOf("skipped", "core", "failed", "core"), NotConformant},
		{"unknown state", casesOf("passed", "core", "odd", "core"), NotConformant},
		{"no state", casesOf("passed", "core", "", "core"), NotConformant},
		{"no core case", casesOf("passed", "extended"), Incomplete},
		{"unknown profile counts as core", casesOf("passed", "core", "skipped", "other"), Incomplete},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Decide(tt.cases); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			slices.Reverse(tt.cases)
			if got := Decide(tt.cases); got != tt.want {
				t.Errorf("in the other order: got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestTally(t *testing.T) {
	got := Tally(casesOf("passed", "", "passed", "", "failed", "", "skipped", "", "unsupported", "",
		"expected-failure", "", "unexpected-pass", "", "odd", ""))
	want := Counts{Total: 8, Passed: 2, Failed: 1, Skipped: 1, Unsupported: 1, ExpectedFailure: 1, UnexpectedPass: 1}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got.unknown() != 1 {
		t.Errorf("%d unknown, want 1", got.unknown())
	}
}

func TestWorst(t *testing.T) {
	if got := Worst(); got != NotRun {
		t.Errorf("of none: %s", got)
	}
	if got := Worst(Passed, "odd"); got != string(Failed) {
		t.Errorf("of an unknown state: %s", got)
	}
	order := []State{Passed, Skipped, Unsupported, ExpectedFailure, UnexpectedPass, Failed}
	for i, a := range order {
		for j, b := range order {
			if got, want := Worst(a, b), string(order[max(i, j)]); got != want {
				t.Errorf("of %s and %s: got %s, want %s", a, b, got, want)
			}
		}
	}
}

func TestFinishProfiles(t *testing.T) {
	core := Profile{Name: "core", Verdict: Conformant, Counts: Counts{Total: 1, Passed: 1}}
	for _, tt := range []struct {
		name  string
		cases []Case
		want  []Profile
	}{
		{"nothing", nil, []Profile{}},
		{"core alone", casesOf("passed", "core"), []Profile{core}},
		{"extended needs all its cases", casesOf("unsupported", "extended", "passed", "core"), []Profile{core,
			{Name: "extended", Verdict: Incomplete, Counts: Counts{Total: 2, Passed: 1, Unsupported: 1}}}},
		{"extended fails alone", casesOf("failed", "extended", "passed", "core"), []Profile{core,
			{Name: "extended", Verdict: NotConformant, Counts: Counts{Total: 2, Passed: 1, Failed: 1}}}},
		{"extended holds core", casesOf("passed", "extended", "failed", "core"), []Profile{
			{Name: "core", Verdict: NotConformant, Counts: Counts{Total: 1, Failed: 1}},
			{Name: "extended", Verdict: NotConformant, Counts: Counts{Total: 2, Passed: 1, Failed: 1}}}},
		{"all passed", casesOf("passed", "extended", "passed", "core"), []Profile{core,
			{Name: "extended", Verdict: Conformant, Counts: Counts{Total: 2, Passed: 2}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &Report{Cases: tt.cases}
			Finish(r)
			if diff := cmp.Diff(tt.want, r.Profiles); diff != "" {
				t.Error(diff)
			}
			if r.SchemaVersion != SchemaVersion || r.Verdict != Decide(tt.cases) || r.Counts != Tally(tt.cases) {
				t.Errorf("not finished: %+v", r)
			}
		})
	}
}

func TestDigest(t *testing.T) {
	sent := func(hex string) Frame { return Frame{Direction: "sent", Hex: hex} }
	base := func() []Case {
		return []Case{
			{Name: "a", Transcript: []Frame{sent("00"), sent("11")}},
			{Name: "b", Transcript: []Frame{sent("22")}},
		}
	}
	want := digest(base())
	for _, tt := range []struct {
		name   string
		change func([]Case)
		same   bool
	}{
		{"order of the cases", func(c []Case) { slices.Reverse(c) }, true},
		{"a frame received", func(c []Case) {
			c[0].Transcript = append(c[0].Transcript, Frame{Direction: "received", Hex: "33"})
		}, true},
		{"an event", func(c []Case) { c[0].Transcript = append(c[0].Transcript, Frame{Direction: "event"}) }, true},
		{"state and duration", func(c []Case) { c[0].State, c[0].DurationMS = Failed, 5 }, true},
		{"decoded text", func(c []Case) { c[0].Transcript[0].Decoded = "x" }, true},
		{"a name", func(c []Case) { c[0].Name = "aa" }, false},
		{"order of the frames", func(c []Case) { slices.Reverse(c[0].Transcript) }, false},
		{"frames joined", func(c []Case) { c[0].Transcript = []Frame{sent("0011")} }, false},
		{"a frame moved to the next case", func(c []Case) {
			c[0].Transcript, c[1].Transcript = c[0].Transcript[:1], []Frame{sent("11"), sent("22")}
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cases := base()
			tt.change(cases)
			if same := digest(cases) == want; same != tt.same {
				t.Errorf("same digest: %t, want %t", same, tt.same)
			}
		})
	}
	// Pins the encoding: other tools may recompute it.
	if got := digest(nil); got != "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
		t.Errorf("of nothing: %s", got)
	}
}

// Whatever the cases: conformant means that there are core cases and all of
// them passed, and one failed case is enough to lose it.
func TestDecideProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := rapid.Custom(func(t *rapid.T) Case {
			return Case{
				State:   rapid.SampledFrom(states).Draw(t, "state"),
				Profile: rapid.SampledFrom([]string{"core", "extended"}).Draw(t, "profile"),
			}
		})
		cases := rapid.SliceOfN(draw, 1, 4).Draw(t, "cases")
		if Decide(cases) == Conformant {
			core, passed := 0, 0
			for _, c := range cases {
				if c.Profile == "core" {
					core++
				}
				if c.Profile == "core" && c.State == Passed {
					passed++
				}
			}
			if core == 0 || passed != core {
				t.Fatalf("conformant with %d of %d core cases passed", passed, core)
			}
		}
		cases[rapid.IntRange(0, len(cases)-1).Draw(t, "at")].State = Failed
		if got := Decide(cases); got != NotConformant {
			t.Fatalf("a failed case gives %s", got)
		}
	})
}
