package harness

// Outcome is how a target reacted to a stimulus. The suite keeps apart what
// other suites lump together: a closed connection is not an error, and neither
// is silence.
type Outcome string

// The outcomes. "Closed" ones end the connection, by EOF or reset.
const (
	Ignored       Outcome = "ignored"            // nothing came before the fence
	Warned        Outcome = "warned"             // a warning, connection alive
	Errored       Outcome = "errored"            // an error, connection alive
	Closed        Outcome = "closed"             // closed without a word
	WarnedClosed  Outcome = "warned and closed"  // a warning, then closed
	ErroredClosed Outcome = "errored and closed" // an error, then closed
	Hung          Outcome = "hung"               // neither reaction nor fence until the deadline
)

// AnyClose is every way to close a connection: what BOLT 1 asks for when it
// says that a node must close it.
var AnyClose = []Outcome{Closed, WarnedClosed, ErroredClosed}

// WarnAndClose is what SPEC.md means by "sends a warning and closes".
var WarnAndClose = []Outcome{WarnedClosed}

// FailChannel is "fails the channel", the connection staying or not.
var FailChannel = []Outcome{Errored, ErroredClosed}

// outcomeOf classifies what was received and how it ended.
func outcomeOf(warned, errored, closed, fenced bool) Outcome {
	switch {
	case closed && errored:
		return ErroredClosed
	case closed && warned:
		return WarnedClosed
	case closed:
		return Closed
	case errored:
		return Errored
	case warned:
		return Warned
	case fenced:
		return Ignored
	default:
		return Hung
	}
}

func outcomeStrings(want []Outcome) []string {
	out := make([]string, len(want))
	for i, o := range want {
		out[i] = string(o)
	}
	return out
}
