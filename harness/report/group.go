package report

import (
	"cmp"
	"slices"
	"strings"
)

// section is the cases of one section of SPEC.md, in one area.
type section struct {
	Area  string // upper case: "TRN"
	Title string // as the cases name it
	Cases []*Case
}

// counts tallies the section.
func (s *section) counts() Counts {
	cases := make([]Case, len(s.Cases))
	for i, c := range s.Cases {
		cases[i] = *c
	}
	return Tally(cases)
}

// area is the first part of the case's name, in upper case.
func (c *Case) area() string {
	first, _, _ := strings.Cut(c.Name, "/")
	return strings.ToUpper(first)
}

// sections groups the cases whatever order they ran in: areas in the order of
// their first section, in an area by section, in a section by name.
func sections(cases []Case) []section {
	type key struct{ area, title string }
	index := map[key]int{}
	var list []section
	first := map[string]string{} // the first section of each area
	for i := range cases {
		c := &cases[i]
		k := key{c.area(), c.Section}
		at, ok := index[k]
		if !ok {
			at = len(list)
			index[k] = at
			list = append(list, section{Area: k.area, Title: k.title})
		}
		list[at].Cases = append(list[at].Cases, c)
		if title, ok := first[k.area]; !ok || compareNatural(k.title, title) < 0 {
			first[k.area] = k.title
		}
	}
	slices.SortFunc(list, func(a, b section) int {
		return cmp.Or(compareNatural(first[a.Area], first[b.Area]),
			strings.Compare(a.Area, b.Area), compareNatural(a.Title, b.Title))
	})
	for _, s := range list {
		slices.SortStableFunc(s.Cases, func(a, b *Case) int { return strings.Compare(a.Name, b.Name) })
	}
	return list
}

// compareNatural compares texts with the numbers in them taken as numbers, so
// that section 2.10 comes after 2.9.
func compareNatural(a, b string) int {
	x, y := a, b
	for x != "" && y != "" {
		nx, ny := digits(x), digits(y)
		var order int
		if nx > 0 && ny > 0 {
			u, v := strings.TrimLeft(x[:nx], "0"), strings.TrimLeft(y[:ny], "0")
			order = cmp.Or(cmp.Compare(len(u), len(v)), strings.Compare(u, v))
		} else {
			nx, ny = 1, 1
			order = cmp.Compare(x[0], y[0])
		}
		if order != 0 {
			return order
		}
		x, y = x[nx:], y[ny:]
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(a, b))
}

// digits is how many decimal digits the text starts with.
func digits(text string) int {
	n := 0
	for n < len(text) && text[n] >= '0' && text[n] <= '9' {
		n++
	}
	return n
}

// reasonGroup is the cases that are in one state for one reason.
type reasonGroup struct {
	Reason string
	Cases  []string // names, sorted
}

// reasons groups the cases of a state by reason, the most frequent first.
func reasons(cases []Case, state State) []reasonGroup {
	byReason := map[string][]string{}
	for _, c := range cases {
		if c.State == state {
			byReason[c.Reason] = append(byReason[c.Reason], c.Name)
		}
	}
	var list []reasonGroup
	for reason, names := range byReason {
		slices.Sort(names)
		list = append(list, reasonGroup{Reason: orNone(reason, "no reason given"), Cases: names})
	}
	slices.SortFunc(list, func(a, b reasonGroup) int {
		return cmp.Or(cmp.Compare(len(b.Cases), len(a.Cases)), strings.Compare(a.Reason, b.Reason))
	})
	return list
}

// orNone returns text, or what stands in for it when it is empty.
func orNone(text, instead string) string {
	if text == "" {
		return instead
	}
	return text
}
