package rule

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// ParseError says where SPEC.md does not have the form its section 1 sets.
type ParseError struct {
	Line int // of SPEC.md, from 1
	Msg  string
}

func (e *ParseError) Error() string { return fmt.Sprintf("SPEC.md:%d: %s", e.Line, e.Msg) }

var (
	headingForm  = regexp.MustCompile(`^(#{2,3}) (\d+(?:\.\d+)*)\.? (.+)$`)
	versionForm  = regexp.MustCompile(`^Version: (\d+\.\d+)$`)
	itemForm     = regexp.MustCompile(`^\*\*([A-Z]+-\d{3})\*\* \((sender|receiver|both)\) (.+) \*Source:\* (.+?) \*Check:\* (.+)$`)
	idForm       = regexp.MustCompile(`^- \*\*[A-Z]`)
	keywordForm  = regexp.MustCompile(`\b(MUST NOT|MUST|SHOULD NOT|SHOULD)\b`)
	detailedForm = regexp.MustCompile(`^(untestable|planned): (.+)$`)
)

// Parse reads SPEC.md and returns its requirements in the order of the text.
// It fails with a *ParseError on a requirement that is malformed, has no
// keyword or more than one, or repeats an id.
func Parse(r io.Reader) (Registry, error) {
	p := parser{seen: map[ID]int{}}
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		p.number++
		if err := p.line(sc.Text()); err != nil {
			return Registry{}, err
		}
	}
	if err := sc.Err(); err != nil {
		return Registry{}, fmt.Errorf("reading SPEC.md: %w", err)
	}
	if err := p.flush(); err != nil {
		return Registry{}, err
	}
	if p.out.SpecVersion == "" {
		return Registry{}, &ParseError{Line: p.number, Msg: `no line "Version: X.Y"`}
	}
	return p.out, nil
}

type parser struct {
	out     Registry
	number  int // of the current line
	section string
	item    []string // lines of the requirement being read
	start   int      // line the item began on
	seen    map[ID]int
}

func (p *parser) line(s string) error {
	switch m := headingForm.FindStringSubmatch(s); {
	case m != nil:
		if err := p.flush(); err != nil {
			return err
		}
		p.section = m[2] + " " + m[3]
	case idForm.MatchString(s):
		if err := p.flush(); err != nil {
			return err
		}
		p.item, p.start = []string{strings.TrimPrefix(s, "- ")}, p.number
	case len(p.item) > 0 && strings.HasPrefix(s, "  "):
		p.item = append(p.item, strings.TrimSpace(s))
	default:
		if m := versionForm.FindStringSubmatch(s); m != nil {
			p.out.SpecVersion = m[1]
		}
		return p.flush()
	}
	return nil
}

// flush ends the requirement being read, if there is one.
func (p *parser) flush() error {
	if len(p.item) == 0 {
		return nil
	}
	text := strings.Join(p.item, " ")
	p.item = nil
	q, err := parseItem(text)
	if err != nil {
		return &ParseError{Line: p.start, Msg: err.Error()}
	}
	if first, dup := p.seen[q.ID]; dup {
		return &ParseError{Line: p.start, Msg: fmt.Sprintf("%s stands on line %d already; ids are never reused", q.ID, first)}
	}
	p.seen[q.ID] = p.start
	q.Section = p.section
	p.out.Requirements = append(p.out.Requirements, q)
	return nil
}

func parseItem(text string) (Requirement, error) {
	m := itemForm.FindStringSubmatch(text)
	if m == nil {
		return Requirement{}, fmt.Errorf("a requirement reads `**AREA-000** (sender|receiver|both) Sentence. *Source:* ... *Check:* ...`, this one %.60q", text)
	}
	q := Requirement{ID: ID(m[1]), Who: m[2], Text: m[3], Source: strings.TrimSuffix(m[4], "."), Check: Check(strings.TrimSpace(m[5]))}
	words := keywordForm.FindAllString(q.Text, -1)
	if len(words) != 1 {
		return Requirement{}, fmt.Errorf("%s has %d keywords, one is wanted", q.ID, len(words))
	}
	q.Level = Level(words[0])
	if d := detailedForm.FindStringSubmatch(string(q.Check)); d != nil {
		q.Check, q.Detail = Check(d[1]), d[2]
	}
	switch {
	case q.Check == ByCase || q.Check == ByVector:
	case (q.Check == Untestable || q.Check == Planned) && q.Detail != "":
	default:
		return Requirement{}, fmt.Errorf("%s: check %q is none of case, vector, untestable: WHY, planned: STEP", q.ID, q.Check)
	}
	return q, nil
}

// Constants returns the Go source that declares a constant for every id of r.
func Constants(r Registry) []byte {
	var b bytes.Buffer
	b.WriteString("// Code generated from SPEC.md by `superscalar spec --write`; DO NOT EDIT.\n\npackage rule\n\n")
	b.WriteString("// The ids of the requirements; registry.json holds their text.\nconst (\n")
	ids, width := make([]string, 0, len(r.Requirements)), 0
	for _, q := range r.Requirements {
		ids = append(ids, string(q.ID))
		width = max(width, len(q.ID)-1)
	}
	slices.Sort(ids)
	for _, id := range ids {
		fmt.Fprintf(&b, "\t%-*s ID = %q\n", width, strings.ReplaceAll(id, "-", ""), id)
	}
	b.WriteString(")\n")
	return b.Bytes()
}
