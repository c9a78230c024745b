package report

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// The directions of a frame.
const (
	directionSent     = "sent"
	directionReceived = "received"
	directionEvent    = "event"
)

// rowBytes is how many bytes of a message stand on one line of a screen.
const rowBytes = 32

// title names a frame: "init (16), 9 bytes", or the event's name.
func (f *Frame) title() string {
	if f.Direction == directionEvent {
		return f.Name
	}
	return fmt.Sprintf("%s (%d), %s", f.Name, f.Type, quantity(len(f.Hex)/2, "byte"))
}

// arrow shows the direction as seen from the suite.
func (f *Frame) arrow() string {
	switch f.Direction {
	case directionSent:
		return "->"
	case directionReceived:
		return "<-"
	}
	return "--"
}

// splitHex cuts the hex of a message around the byte at offset. An offset
// just past the end stands for bytes that are missing there: before is then
// the whole message and fault is empty. ok is false when the offset is not in
// the message, or the text is not hex.
func splitHex(text string, offset int) (before, fault, after string, ok bool) {
	if _, err := hex.DecodeString(text); err != nil || offset < 0 || offset > len(text)/2 {
		return text, "", "", false
	}
	at := 2 * offset
	end := min(at+2, len(text))
	return text[:at], text[at:end], text[end:], true
}

// faultNote says where the planted fault is, in words, "" for none.
func faultNote(f *Frame, offset int) string {
	n := len(f.Hex) / 2
	switch {
	case offset < 0:
		return ""
	case offset < n:
		return fmt.Sprintf("fault planted at byte %d", offset)
	case offset == n:
		return fmt.Sprintf("fault planted at byte %d, where the message ends", offset)
	}
	return fmt.Sprintf("fault planted at byte %d, past the end of the message", offset)
}

// hexRows shows a message, rowBytes to a line, with the byte at offset in
// brackets ("[]" where bytes are missing at the end). A long message keeps
// its first four lines, its last and the three around the fault; what is left
// out is counted. A message of several lines has the offset of each in front.
func hexRows(text string, offset int) []string {
	if _, err := hex.DecodeString(text); err != nil {
		return []string{clip(text, 4*rowBytes) + " (not hex)"}
	}
	if len(text) <= 2*rowBytes {
		return []string{bracket(text, offset)}
	}
	last := (len(text) - 1) / (2 * rowBytes)
	faulty := min(offset/rowBytes, last)
	var rows []string
	hidden := 0
	for i := 0; i <= last; i++ {
		near := offset >= 0 && i >= faulty-1 && i <= faulty+1
		if i >= 4 && i != last && !near {
			hidden++
			continue
		}
		if hidden > 0 {
			rows = append(rows, leftOut(hidden))
			hidden = 0
		}
		row := text[2*rowBytes*i : min(2*rowBytes*(i+1), len(text))]
		if i == faulty {
			row = bracket(row, offset-i*rowBytes)
		}
		rows = append(rows, fmt.Sprintf("%5d  %s", i*rowBytes, row))
	}
	return rows
}

func bracket(text string, offset int) string {
	before, fault, after, ok := splitHex(text, offset)
	if !ok {
		return text
	}
	return before + "[" + fault + "]" + after
}

func leftOut(rows int) string {
	return fmt.Sprintf("  ...  %s not shown here, the report has them", quantity(rows*rowBytes, "byte"))
}

// shortHex is the start of a message on one line.
func shortHex(text string) string {
	const keep = 40 // bytes
	if len(text) <= 2*keep {
		return text
	}
	return fmt.Sprintf("%s... (%d more bytes)", strings.ToValidUTF8(text[:2*keep], ""), len(text)/2-keep)
}
