package hub_test

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// readTable reads the table of section 3.9 of SPEC.md: what a node does, by the state
// of the channel and the column of the message. Its rows and columns have to be those
// that are played. The head is that of its first column: there is one for channels
// outside factories, too.
func readTable(t *testing.T, head string, states []state) map[string]map[string]reaction {
	t.Helper()
	text, err := os.ReadFile("../../SPEC.md")
	check(t, err)
	_, section, found := strings.Cut(string(text), "\n### 3.9 ")
	if !found {
		t.Fatal("SPEC.md has no section 3.9")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var columns, rows []string
	in := false // the table with this head
	table := map[string]map[string]reaction{}
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case strings.HasPrefix(line, "| the channel"):
			if in = cells[0] == head; in {
				columns = cells[1:]
			}
		case !in || !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---"):
		case len(cells) != len(columns)+1:
			t.Fatalf("the row %q has %d cells, the table %d", cells[0], len(cells), len(columns)+1)
		default:
			rows = append(rows, cells[0])
			row := map[string]reaction{}
			for i, c := range columns {
				row[c] = reaction(cells[i+1])
			}
			table[cells[0]] = row
		}
	}
	var played []string
	for _, s := range states {
		played = append(played, s.name)
	}
	if played = append(played, "not there"); !slices.Equal(rows, played) {
		t.Fatalf("the table has the rows\n%q\nand these are played:\n%q", rows, played)
	}
	played = nil
	for _, m := range messages {
		if !slices.Contains(played, m.column()) {
			played = append(played, m.column())
		}
	}
	if !slices.Equal(columns, played) {
		t.Fatalf("the table has the columns\n%q\nand these are played:\n%q", columns, played)
	}
	return table
}
