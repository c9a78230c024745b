package report

import (
	"fmt"
	"io"
	"strings"
)

// lastFrames is how many frames of the transcript a failure screen shows.
const lastFrames = 6

// textWidth is where running text is broken, in characters.
const textWidth = 90

// decodedLimit is how much of a decoded message is shown, in characters.
const decodedLimit = 600

// WriteFailure writes the screen of one mismatch: the requirement and its
// sentence, what was sent with the planted fault in brackets, every allowed
// outcome, what was received, where in the conversation, the last frames, the
// command that replays the case, and whose fault it can be. f is one of the
// case's failures. Text from the peer is written with control characters
// escaped; there is no colour. A failing writer is not reported.
func WriteFailure(w io.Writer, c *Case, f *Failure) {
	io.WriteString(w, failureScreen(c, f, plain))
}

// paint puts a terminal style around text; plain leaves it alone.
type paint func(style, text string) string

func plain(_, text string) string { return text }

// failureScreen is the text of WriteFailure.
func failureScreen(c *Case, f *Failure, color paint) string {
	number := ""
	for i := range c.Failures {
		if len(c.Failures) > 1 && &c.Failures[i] == f {
			number = fmt.Sprintf("  (mismatch %d of %d)", i+1, len(c.Failures))
		}
	}
	c, f = cleaned(c), cleaned(f)
	s := &screen{color: color}
	s.line("%s  %s%s", color(bold+red, strings.ToUpper(string(c.State))), color(bold, c.Name), number)
	if c.Summary != "" {
		s.line("  %s", c.Summary)
	}
	s.line("")
	s.field("rule", color(bold, orNone(f.Rule, "no rule named"))+", SPEC.md, "+orNone(f.Section, "section not recorded"))
	if f.Quote != "" {
		s.more(wrap(`"`+f.Quote+`"`, textWidth)...)
	}
	s.field("wrong", wrap(orNone(f.Message, "not recorded"), textWidth)...)
	s.sent(f)
	s.expected(f.Expected)
	s.field("received", wrap(clip(orNone(f.Received, "nothing recorded"), decodedLimit), textWidth)...)
	if f.ReceivedFrame != nil {
		s.more(f.ReceivedFrame.title())
		s.message(f.ReceivedFrame, -1)
	}
	s.field("position", orNone(f.Position, "not recorded"))
	s.frames(c.Transcript)
	s.field("replay", color(bold, orNone(c.Replay, "not recorded")))
	s.field("fault of", wrap(orNone(f.Blame, "not recorded"), textWidth)...)
	return s.text.String()
}

// screen builds labelled lines.
type screen struct {
	text  strings.Builder
	color paint
}

func (s *screen) line(format string, args ...any) {
	s.text.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
}

// field writes a label and its lines, more further lines under it.
func (s *screen) field(label string, lines ...string) {
	s.line("  %s %s", s.color(dim, fmt.Sprintf("%-9s", label)), lines[0])
	s.more(lines[1:]...)
}

func (s *screen) more(lines ...string) {
	for _, l := range lines {
		s.line("            %s", l)
	}
}

// sent writes the message that carried the fault.
func (s *screen) sent(f *Failure) {
	if f.Sent == nil {
		s.field("sent", "nothing")
		return
	}
	title := f.Sent.title()
	if note := faultNote(f.Sent, f.PlantedOffset); note != "" {
		title += ", " + s.color(yellow, note)
	}
	s.field("sent", title)
	s.message(f.Sent, f.PlantedOffset)
}

// message writes the bytes of a frame and their meaning.
func (s *screen) message(f *Frame, offset int) {
	if f.Hex != "" {
		s.more(hexRows(f.Hex, offset)...)
	}
	if f.Decoded != "" {
		s.more(clip(f.Decoded, decodedLimit))
	}
}

// expected writes every allowed outcome, one a line.
func (s *screen) expected(outcomes []string) {
	switch len(outcomes) {
	case 0:
		s.field("expected", "not recorded")
	case 1:
		s.field("expected", outcomes[0])
	default:
		s.field("expected", fmt.Sprintf("one of these %d:", len(outcomes)))
		for _, o := range outcomes {
			s.more("* " + o)
		}
	}
}

// frames writes the end of the transcript, numbered from its start.
func (s *screen) frames(transcript []Frame) {
	if len(transcript) == 0 {
		s.field("frames", "no transcript recorded")
		return
	}
	first := max(0, len(transcript)-lastFrames)
	if first > 0 {
		s.field("frames", fmt.Sprintf("the last %d of %d", lastFrames, len(transcript)))
	} else {
		s.field("frames", fmt.Sprintf("all %d", len(transcript)))
	}
	for i := first; i < len(transcript); i++ {
		f := &transcript[i]
		s.more(fmt.Sprintf("%3d %s %s", i+1, f.arrow(), f.title()))
		if f.Hex != "" {
			s.more("       " + shortHex(f.Hex))
		}
		if f.Decoded != "" {
			s.more("       " + clip(f.Decoded, decodedLimit/3))
		}
	}
}
