package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDiffKinds(t *testing.T) {
	const absent = State("")
	for _, tt := range []struct {
		before, after State
		want          ChangeKind
	}{
		{Passed, Failed, Regression},
		{Passed, UnexpectedPass, Regression},
		{Passed, Skipped, Regression},
		{Passed, Unsupported, Regression},
		{Passed, ExpectedFailure, Regression},
		{Passed, absent, Regression},
		{Skipped, Failed, Regression},
		{Unsupported, Failed, Regression},
		{ExpectedFailure, Failed, Regression},
		{ExpectedFailure, UnexpectedPass, Regression},
		{UnexpectedPass, Failed, Regression},
		{absent, Failed, Regression},
		{absent, UnexpectedPass, Regression},
		{Failed, Passed, Improvement},
		{Skipped, Passed, Improvement},
		{Unsupported, Passed, Improvement},
		{ExpectedFailure, Passed, Improvement},
		{UnexpectedPass, Passed, Improvement},
		{absent, Passed, OtherChange},
		{absent, Skipped, OtherChange},
		{Failed, absent, OtherChange},
		{Failed, Skipped, OtherChange},
		{Failed, ExpectedFailure, OtherChange},
		{Failed, UnexpectedPass, OtherChange},
		{Skipped, Unsupported, OtherChange},
		{Skipped, ExpectedFailure, OtherChange},
	} {
		t.Run(string(tt.before)+" to "+string(tt.after), func(t *testing.T) {
			changes := Diff(oneCase(tt.before), oneCase(tt.after))
			want := []Change{{Name: "trn/a", Kind: tt.want, Before: tt.before, After: tt.after, Rules: []string{"TRN-001"}}}
			if diff := cmp.Diff(want, changes); diff != "" {
				t.Error(diff)
			}
			if got := HasRegression(changes); got != (tt.want == Regression) {
				t.Errorf("HasRegression is %t", got)
			}
		})
	}
}

// oneCase is a report with one case, or none when the state is empty.
func oneCase(state State) *Report {
	r := &Report{}
	if state != "" {
		r.Cases = []Case{{Name: "trn/a", Rules: []string{"TRN-001"}, State: state}}
	}
	Finish(r)
	return r
}

func TestDiffOfEqualReportsIsEmpty(t *testing.T) {
	b := sample()
	b.Cases[0], b.Cases[5] = b.Cases[5], b.Cases[0]
	b.Cases[1].DurationMS = 99
	if changes := Diff(sample(), b); len(changes) != 0 || HasRegression(changes) {
		t.Errorf("got %v", changes)
	}
	var out bytes.Buffer
	WriteDiff(&out, sample(), b)
	if !strings.HasSuffix(out.String(), "\nNo change.\n") {
		t.Errorf("got\n%s", out.String())
	}
}

func TestWriteDiffGolden(t *testing.T) {
	a, b := sample(), sample()
	b.Suite.Version, b.Options.Seed, b.Options.Focus = "0.2.0", 8, "trn"
	b.Cases[0].State, b.Cases[0].Failures = Passed, nil // improves
	b.Cases[2].State = Failed                           // regresses
	b.Cases[4].State = Unsupported                      // neither
	b.Cases[1].Name = "trn/ping/renamed"                // vanishes and appears
	Finish(b)
	var out bytes.Buffer
	WriteDiff(&out, a, b)
	golden(t, "diff.txt", out.Bytes())
}
