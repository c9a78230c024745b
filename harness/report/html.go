package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"strings"
)

//go:embed report.tmpl.html
var pageText string

var pageTemplate = template.Must(template.New("report").Parse(pageText))

// page is what the template shows. Everything in it is printable, and the
// template escapes it for HTML.
type page struct {
	Report       *Report
	Run          string // settings on one line
	Ground       string // what the verdict rests on
	Tiles        []pageTile
	Failing      []pageLink
	Sections     []pageSection
	Requirements []pageRequirement
	Coverage     []coverage
}

type pageTile struct {
	State State
	N     int
}

type pageLink struct {
	Text string
	Href string // "" for none
}

type pageSection struct {
	Anchor, Area, Title string
	Counts              string
	Cases               []pageCase
}

type pageCase struct {
	Case
	Anchor   string
	Links    []pageLink // requirements
	Issue    pageLink
	Note     string // for a case that blocks without a mismatch
	Failures []pageFailure
	Frames   []pageFrame
}

type pageFailure struct {
	Failure
	Number   string // "1 of 2", "" for a lone one
	Link     pageLink
	Fault    string
	Sent     *pageFrame
	Received *pageFrame
}

type pageFrame struct {
	No                    int // counted from 1
	Arrow, Title, Decoded string
	Before, Fault, After  string // hex, cut at the planted fault
	Marked                bool
}

type pageRequirement struct {
	Requirement
	Anchor string
	Links  []pageLink // cases
}

func caseAnchor(name string) string      { return "case-" + name }
func requirementAnchor(id string) string { return "req-" + id }

// htmlPage is the report as one self-contained page.
func htmlPage(r *Report) ([]byte, error) {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, newPage(cleaned(r))); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// newPage prepares a report whose texts are already printable.
func newPage(r *Report) *page {
	p := &page{
		Report: r, Run: runText(r.Options), Ground: verdictGround(r), Coverage: covered(r.Requirements),
	}
	for _, s := range states {
		p.Tiles = append(p.Tiles, pageTile{s, r.Counts.of(s)})
	}
	known := links{cases: map[string]bool{}, requirements: map[string]bool{}}
	for i := range r.Cases {
		known.cases[r.Cases[i].Name] = true
	}
	for _, q := range r.Requirements {
		known.requirements[q.ID] = true
	}
	for i, s := range sections(r.Cases) {
		section := pageSection{Anchor: fmt.Sprintf("section-%d", i+1), Area: s.Area, Title: s.Title}
		section.Counts = (&console{screen: screen{color: plain}}).countsText(s.counts())
		for _, c := range s.Cases {
			section.Cases = append(section.Cases, newPageCase(c, known))
			if c.blocks() {
				p.Failing = append(p.Failing, known.toCase(c.Name))
			}
		}
		p.Sections = append(p.Sections, section)
	}
	for _, q := range r.Requirements {
		row := pageRequirement{Requirement: q, Anchor: requirementAnchor(q.ID)}
		for _, name := range q.Cases {
			row.Links = append(row.Links, known.toCase(name))
		}
		p.Requirements = append(p.Requirements, row)
	}
	return p
}

// links knows which anchors the page has, so that no link leads nowhere.
type links struct{ cases, requirements map[string]bool }

func (l links) toCase(name string) pageLink {
	if !l.cases[name] {
		return pageLink{Text: name}
	}
	return pageLink{name, "#" + caseAnchor(name)}
}

func (l links) toRequirement(id string) pageLink {
	if !l.requirements[id] {
		return pageLink{Text: id}
	}
	return pageLink{id, "#" + requirementAnchor(id)}
}

func newPageCase(c *Case, known links) pageCase {
	out := pageCase{Case: *c, Anchor: caseAnchor(c.Name), Issue: pageLink{Text: c.Issue}}
	if strings.HasPrefix(c.Issue, "https://") {
		out.Issue.Href = c.Issue
	}
	if c.blocks() && (c.State != Failed || len(c.Failures) == 0) {
		out.Note = withoutMismatch(c)
	}
	for _, id := range c.Rules {
		out.Links = append(out.Links, known.toRequirement(id))
	}
	for i := range c.Failures {
		f := newPageFailure(&c.Failures[i], known)
		if len(c.Failures) > 1 {
			f.Number = fmt.Sprintf("%d of %d", i+1, len(c.Failures))
		}
		out.Failures = append(out.Failures, f)
	}
	for i := range c.Transcript {
		frame := newPageFrame(&c.Transcript[i], -1)
		frame.No = i + 1
		out.Frames = append(out.Frames, frame)
	}
	return out
}

func newPageFailure(f *Failure, known links) pageFailure {
	out := pageFailure{Failure: *f, Link: known.toRequirement(f.Rule)}
	if f.Sent != nil {
		sent := newPageFrame(f.Sent, f.PlantedOffset)
		out.Sent, out.Fault = &sent, faultNote(f.Sent, f.PlantedOffset)
	}
	if f.ReceivedFrame != nil {
		received := newPageFrame(f.ReceivedFrame, -1)
		out.Received = &received
	}
	return out
}

func newPageFrame(f *Frame, offset int) pageFrame {
	out := pageFrame{Arrow: f.Direction, Title: f.title(), Decoded: f.Decoded}
	out.Before, out.Fault, out.After, out.Marked = splitHex(f.Hex, offset)
	return out
}
