package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"superscalar/harness/report"
)

func newReportCommand(e env) *cobra.Command {
	return group(&cobra.Command{
		Use:   "report",
		Short: "Check, compare and show reports of the suite",
		Long: `Works on the folders that 'superscalar conform --report DIR' writes:
report.json, junit.xml and index.html.`,
		Example: `  superscalar report check DIR
  superscalar report diff BEFORE AFTER`,
	}, newReportCheck(e), newReportDiff(e), newReportShow(e))
}

func newReportCheck(e env) *cobra.Command {
	return &cobra.Command{
		Use:   "check DIR",
		Short: "Check that a report is complete and agrees with itself",
		Long: `Checks report.json against its schema, that its counts, profiles, verdict and
digest follow from its cases, and that junit.xml and index.html tell the same.
Exits with 1 when the report cannot be trusted.`,
		Example: "  superscalar report check /tmp/report",
		Args:    takes("DIR"),
		RunE: func(_ *cobra.Command, args []string) error {
			err := report.Check(args[0])
			var wrong *report.CheckError
			if errors.As(err, &wrong) || errors.Is(err, report.ErrMalformed) {
				return exit(ExitFailed, "%w; write it again with 'superscalar conform --report'", err)
			}
			if err != nil {
				return exit(ExitUsage, "%w", err)
			}
			r, err := readReport(args[0])
			if err != nil {
				return err
			}
			fmt.Fprintf(e.Out, "ok: %d cases, %s\n", r.Counts.Total, r.Verdict)
			return nil
		},
	}
}

func newReportDiff(e env) *cobra.Command {
	return &cobra.Command{
		Use:   "diff BEFORE AFTER",
		Short: "Compare two reports",
		Long: `Lists every case that differs between two reports: regressions, improvements,
other changes. Exits with 1 when there is a regression: a case fails that did
not, or passed and does not any more.`,
		Example: "  superscalar report diff /tmp/monday /tmp/tuesday",
		Args:    takes("BEFORE", "AFTER"),
		RunE: func(_ *cobra.Command, args []string) error {
			before, err := readReport(args[0])
			if err != nil {
				return err
			}
			after, err := readReport(args[1])
			if err != nil {
				return err
			}
			report.WriteDiff(e.Out, before, after)
			if report.HasRegression(report.Diff(before, after)) {
				return exit(ExitFailed, "%s is a regression from %s", args[1], args[0])
			}
			return nil
		},
	}
}

func newReportShow(e env) *cobra.Command {
	var verbose bool
	c := &cobra.Command{
		Use:   "show DIR",
		Short: "Print a report as it was printed at the end of its run",
		Long: `Prints a report as it was printed at the end of its run, without colours. The
exit code says nothing about the verdict.`,
		Example: "  superscalar report show /tmp/report --verbose",
		Args:    takes("DIR"),
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := readReport(args[0])
			if err != nil {
				return err
			}
			report.Console(e.Out, r, report.ConsoleOptions{Verbose: verbose})
			return nil
		},
	}
	c.Flags().BoolVar(&verbose, "verbose", false, "list every case, and every requirement without a result")
	return c
}

// readReport reads a report that the operator named.
func readReport(dir string) (*report.Report, error) {
	r, err := report.Read(dir)
	switch {
	case errors.Is(err, report.ErrMalformed):
		return nil, exit(ExitUsage, "%s: %w; see 'superscalar report check'", dir, err)
	case err != nil:
		return nil, exit(ExitUsage, "%w", err)
	}
	return r, nil
}
