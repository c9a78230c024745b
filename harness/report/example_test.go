package report_test

import (
	"fmt"
	"os"

	"superscalar/harness/report"
)

// run is a finished report of two core cases, the first of which passed.
func run(second report.State) *report.Report {
	r := &report.Report{
		Target: report.Target{Kind: "refnode", Role: "lsp"},
		Cases: []report.Case{
			{Name: "trn/ping/reply", Profile: "core", State: report.Passed, Rules: []string{"TRN-031"}},
			{Name: "trn/init/first-message", Profile: "core", State: second, Rules: []string{"TRN-010"}},
		},
	}
	report.Finish(r)
	return r
}

func ExampleFinish() {
	r := run(report.Failed)
	fmt.Println(r.Verdict, r.Counts.Passed, r.Counts.Failed)
	// Output: not-conformant 1 1
}

func ExampleWriteFailure() {
	c := report.Case{
		Name: "trn/init/first-message", Summary: "A ping before init is refused.", State: report.Failed,
		Replay: "superscalar conform --focus trn/init/first-message --seed 7",
		Failures: []report.Failure{{
			Rule: "TRN-010", Section: "2.4 The init message", Quote: "A node MUST fail the connection.",
			Message: "the target answered", PlantedOffset: 1, Received: "pong",
			Sent:     &report.Frame{Direction: "sent", Type: 18, Name: "ping", Hex: "001200040000"},
			Expected: []string{"error", "closed"}, Position: "before init", Blame: "the target",
		}},
	}
	report.WriteFailure(os.Stdout, &c, &c.Failures[0])
	// Output:
	// FAILED  trn/init/first-message
	//   A ping before init is refused.
	//
	//   rule      TRN-010, SPEC.md, 2.4 The init message
	//             "A node MUST fail the connection."
	//   wrong     the target answered
	//   sent      ping (18), 6 bytes, fault planted at byte 1
	//             00[12]00040000
	//   expected  one of these 2:
	//             * error
	//             * closed
	//   received  pong
	//   position  before init
	//   frames    no transcript recorded
	//   replay    superscalar conform --focus trn/init/first-message --seed 7
	//   fault of  the target
}

func ExampleWriteDiff() {
	report.WriteDiff(os.Stdout, run(report.Failed), run(report.Passed))
	// Output:
	// before    refnode, not-conformant: 1 of 2 cases passed
	//   after     refnode, conformant: 2 of 2 cases passed
	//
	// 1 improvement
	//   trn/init/first-message                    failed -> passed  TRN-010
	//
	// No regression: 1 change in all.
}
