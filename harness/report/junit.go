package report

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// The JUnit form follows what CI servers agree on: a suite per section, at
// most one result element per case, counts as attributes, times in seconds.
type junitReport struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Name      string        `xml:"name,attr"`
	ClassName string        `xml:"classname,attr"`
	Time      string        `xml:"time,attr"`
	Failure   *junitResult  `xml:"failure"`
	Skipped   *junitSkipped `xml:"skipped"`
	Output    *junitOutput  `xml:"system-out"`
}

type junitResult struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",cdata"`
}

type junitOutput struct {
	Text string `xml:",cdata"`
}

type junitSkipped struct {
	Message string `xml:"message,attr"`
}

// junitXML is the report as JUnit XML. Text from the peer is escaped, so the
// document holds nothing that XML forbids.
func junitXML(r *Report) ([]byte, error) {
	r = cleaned(r)
	out := junitReport{Name: r.Suite.Name, Time: seconds(r.DurationMS)}
	for _, s := range sections(r.Cases) {
		suite := junitSection(r, &s)
		out.Tests += suite.Tests
		out.Failures += suite.Failures
		out.Skipped += suite.Skipped
		out.Suites = append(out.Suites, suite)
	}
	data, err := xml.MarshalIndent(out, "", "  ")
	if err != nil {
		return nil, err
	}
	return append([]byte(xml.Header), append(data, '\n')...), nil
}

func junitSection(r *Report, s *section) junitSuite {
	suite := junitSuite{
		Name:  strings.TrimSpace(s.Area + " " + s.Title),
		Tests: len(s.Cases),
		Properties: []junitProperty{
			{"target", r.Target.Kind}, {"node_id", r.Target.NodeID}, {"role", r.Target.Role},
			{"suite_version", r.Suite.Version}, {"suite_commit", r.Suite.Commit},
			{"spec_version", r.Suite.SpecVersion}, {"seed", fmt.Sprint(r.Options.Seed)},
		},
	}
	var total int64
	for _, c := range s.Cases {
		k := junitOne(c)
		if k.Failure != nil {
			suite.Failures++
		}
		if k.Skipped != nil {
			suite.Skipped++
		}
		total += c.DurationMS
		suite.Cases = append(suite.Cases, k)
	}
	suite.Time = seconds(total)
	return suite
}

// junitOne is one case. All mismatches go into one element, because some CI
// servers read no further than the first.
func junitOne(c *Case) junitCase {
	k := junitCase{Name: c.Name, ClassName: className(c.Name), Time: seconds(c.DurationMS)}
	switch c.State {
	case Passed:
	case Skipped, Unsupported:
		k.Skipped = &junitSkipped{string(c.State) + ": " + orNone(c.Reason, "no reason given")}
	case ExpectedFailure:
		message := "expected failure: " + orNone(c.Reason, "no reason given")
		if c.Issue != "" {
			message += " (" + c.Issue + ")"
		}
		k.Skipped = &junitSkipped{message}
		k.Output = &junitOutput{screens(c)}
	default:
		k.Failure = junitFailure(c)
	}
	return k
}

func junitFailure(c *Case) *junitResult {
	if c.State != Failed || len(c.Failures) == 0 {
		return &junitResult{Message: withoutMismatch(c), Type: string(c.State), Text: screens(c)}
	}
	first := &c.Failures[0]
	message := first.Rule + ": " + first.Message
	if more := len(c.Failures) - 1; more > 0 {
		message += fmt.Sprintf(" (and %s)", quantity(more, "more mismatch"))
	}
	return &junitResult{Message: message, Type: first.Rule, Text: screens(c)}
}

// screens is the failure screens of a case, one after the other.
func screens(c *Case) string {
	var b strings.Builder
	for i := range c.Failures {
		b.WriteString("\n" + failureScreen(c, &c.Failures[i], plain))
	}
	return b.String()
}

// className is the folder part of a case's name with dots, as CI servers
// group by: "trn/init/x" is in "trn.init".
func className(name string) string {
	if i := strings.LastIndex(name, "/"); i >= 0 {
		name = name[:i]
	}
	return strings.ReplaceAll(name, "/", ".")
}

func seconds(ms int64) string { return fmt.Sprintf("%d.%03d", ms/1000, ms%1000) }
