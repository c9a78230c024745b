package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"superscalar/refnode/factory"
	"superscalar/wire"
)

// step is one thing that happened in the demonstration, and what it cost.
type step struct {
	Name         string   `json:"name"`
	Text         string   `json:"text"`
	Notes        []string `json:"notes,omitempty"`
	Height       uint32   `json:"height"`       // of the chain afterwards
	Blocks       uint32   `json:"blocks"`       // that went by
	Transactions int      `json:"transactions"` // that confirmed
	VBytes       int64    `json:"vbytes"`
	Fee          int64    `json:"fee_sat"`
}

// demoScreen shows steps as they end, and what goes on between them.
type demoScreen struct {
	out   io.Writer
	tty   bool // redraw one line for what goes on
	quiet bool // JSON: nothing but the steps, at the end

	mu      sync.Mutex
	steps   []step
	stage   string
	clients int
	heard   map[wire.CeremonyType]int
	drawn   time.Time
}

// nameWidth is that of the names of steps; what they say stands beside it.
const nameWidth = 16

func (s *demoScreen) print(format string, args ...any) {
	if !s.quiet {
		fmt.Fprintf(s.out, format, args...)
	}
}

// end shows a step and keeps it.
func (s *demoScreen) end(st step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	s.steps = append(s.steps, st)
	s.beside(st.Name, st.Text+st.cost())
	for _, note := range st.Notes {
		s.beside("", note)
	}
}

// cost is what a step took, in words.
func (st step) cost() string {
	if st.Transactions == 0 && st.Blocks == 0 {
		return ""
	}
	blocks := count(int(st.Blocks), "block")
	if st.Transactions == 0 {
		return " [" + blocks + "]"
	}
	return fmt.Sprintf(" [%s, %d tx, %s vB, %s sat]", blocks, st.Transactions, figure(st.VBytes), figure(st.Fee))
}

// beside prints a name and, wrapped beside it, what there is to say.
func (s *demoScreen) beside(name, text string) {
	const width = 100 - nameWidth
	if len(name) >= nameWidth {
		s.print("%s\n", name)
		name = ""
	}
	for line := range strings.Lines(wrapped(text, width)) {
		s.print("%-*s%s\n", nameWidth, name, strings.TrimSuffix(line, "\n"))
		name = ""
	}
}

// block prints text as it is.
func (s *demoScreen) block(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	s.print("\n%s\n", text)
}

// now says what goes on: on a terminal in a line that the next one replaces,
// elsewhere in a line of its own.
func (s *demoScreen) now(name, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stage = name
	if s.tty {
		s.redraw(text)
		return
	}
	s.beside(name, text)
}

// redraw replaces the progress line. The caller holds s.mu.
func (s *demoScreen) redraw(text string) {
	s.print("\r\x1b[K%-*s%s", nameWidth, s.stage, text)
}

func (s *demoScreen) clear() {
	if s.tty {
		s.print("\r\x1b[K")
	}
}

// heardOf counts the clients that have handled a message of a ceremony, and
// shows it on a terminal, a few times a second.
func (s *demoScreen) heardOf(m wire.Ceremony) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard[m.Type()]++
	const pause = 50 * time.Millisecond // for the eye alone
	if now := time.Now(); s.tty && now.Sub(s.drawn) > pause {
		s.drawn = now
		name := strings.ReplaceAll(strings.TrimPrefix(m.Name(), "ceremony_"), "_", " ")
		s.redraw(fmt.Sprintf("%s: %d of %s", name, min(s.heard[m.Type()], s.clients), count(s.clients, "client")))
	}
}

// demoJSON is the form of demo --json.
type demoJSON struct {
	Clients int       `json:"clients"`
	Leaf    string    `json:"leaf"`
	Shape   string    `json:"shape"`
	Exit    string    `json:"exit"`
	Seed    uint64    `json:"seed"`
	Steps   []step    `json:"steps"`
	Holds   []holding `json:"holdings"`
}

// holding is what one party, or several alike, have at the end.
type holding struct {
	Who  string      `json:"who"`
	Has  factory.Sat `json:"sat"`
	Text string      `json:"text"`
}

func (s *demoScreen) json(f demoFlags, holds []holding) error {
	enc := json.NewEncoder(s.out)
	enc.SetIndent("", "  ")
	out := demoJSON{f.clients, f.shapeOf.Leaf.String(), f.shapeOf.String(), f.exit, f.seed, s.steps, holds}
	if err := enc.Encode(out); err != nil {
		return fmt.Errorf("writing the steps: %w", err)
	}
	return nil
}
