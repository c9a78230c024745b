package report

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"slices"
	"strings"
)

// The profiles a case can belong to. A case of any other profile counts as
// core, so that a slip in a declaration cannot weaken a verdict.
const (
	coreProfile     = "core"
	extendedProfile = "extended"
)

// NotRun is the state of a requirement none of whose cases is in the report.
const NotRun = "not-run"

// states lists every state from the best to the worst. Everything that is
// printed by state is printed in this order.
var states = []State{Passed, Skipped, Unsupported, ExpectedFailure, UnexpectedPass, Failed}

// Worst returns the worst of the states, or NotRun for none. From the best to
// the worst: passed, skipped, unsupported, expected-failure, unexpected-pass,
// failed. An unknown state is as bad as failed and is returned as Failed.
func Worst(of ...State) string {
	worst := -1
	for _, s := range of {
		rank := slices.Index(states, s)
		if rank < 0 {
			return string(Failed)
		}
		worst = max(worst, rank)
	}
	if worst < 0 {
		return NotRun
	}
	return string(states[worst])
}

// Tally counts the cases by state. A case in an unknown state is counted in
// Total alone, so the counts then do not add up and Check says so.
func Tally(cases []Case) Counts {
	counts := Counts{Total: len(cases)}
	for i := range cases {
		if field := counts.field(cases[i].State); field != nil {
			*field++
		}
	}
	return counts
}

// field returns the count that belongs to a state, nil for an unknown state.
func (c *Counts) field(s State) *int {
	switch s {
	case Passed:
		return &c.Passed
	case Failed:
		return &c.Failed
	case Skipped:
		return &c.Skipped
	case Unsupported:
		return &c.Unsupported
	case ExpectedFailure:
		return &c.ExpectedFailure
	case UnexpectedPass:
		return &c.UnexpectedPass
	}
	return nil
}

// of returns the count of a state, 0 for an unknown one.
func (c Counts) of(s State) int {
	if field := c.field(s); field != nil {
		return *field
	}
	return 0
}

// unknown is the number of cases whose state is none of the six.
func (c Counts) unknown() int {
	sum := 0
	for _, s := range states {
		sum += c.of(s)
	}
	return c.Total - sum
}

// Decide returns the verdict of a run. The first rule that applies wins:
//
//   - NotConformant: there is no case, or one failed, passed unexpectedly or
//     is in an unknown state;
//   - Incomplete: a core case was skipped or unsupported, or there is no core
//     case at all. This stands above Deviations, because a hole in what was
//     tested is not made smaller by a declared failure beside it;
//   - Deviations: a case of any profile failed as declared;
//   - Conformant: every core case passed.
func Decide(cases []Case) Verdict {
	return decide(cases, (*Case).core)
}

// core says whether the core profile needs the case.
func (c *Case) core() bool { return c.Profile != extendedProfile }

// decide is Decide with a choice of the cases that may not be left out.
func decide(cases []Case, needed func(*Case) bool) Verdict {
	verdict, coreSeen, hole := Conformant, false, false
	for i := range cases {
		c := &cases[i]
		coreSeen = coreSeen || c.core()
		switch c.State {
		case Passed:
		case Skipped, Unsupported:
			hole = hole || needed(c)
		case ExpectedFailure:
			verdict = Deviations
		default:
			return NotConformant
		}
	}
	switch {
	case len(cases) == 0:
		return NotConformant
	case hole || !coreSeen:
		return Incomplete
	}
	return verdict
}

// Finish fills SchemaVersion, Counts, Profiles, Verdict and TranscriptDigest
// from the cases. It is to be called once, after the last case was added.
//
// Profiles lists core, then extended. Extended holds the core cases too, and
// none of its cases may be left out for "conformant". A profile of which the
// run has no case of its own is not listed: the run says nothing about it.
func Finish(r *Report) {
	r.SchemaVersion = SchemaVersion
	r.Counts = Tally(r.Cases)
	r.Profiles = profiles(r.Cases)
	r.Verdict = Decide(r.Cases)
	r.TranscriptDigest = digest(r.Cases)
}

func profiles(cases []Case) []Profile {
	var core []Case
	for _, c := range cases {
		if c.core() {
			core = append(core, c)
		}
	}
	list := []Profile{}
	if len(core) > 0 {
		list = append(list, Profile{Name: coreProfile, Verdict: Decide(core), Counts: Tally(core)})
	}
	if len(core) < len(cases) {
		all := func(*Case) bool { return true }
		list = append(list, Profile{Name: extendedProfile, Verdict: decide(cases, all), Counts: Tally(cases)})
	}
	return list
}

// digest hashes, for every case in the order of names: the name, the number
// of frames sent, and each such frame's hex. Texts are preceded by their
// length in bytes and numbers are 8 bytes, big endian, so that no two
// different runs hash the same input.
func digest(cases []Case) string {
	order := make([]*Case, len(cases))
	for i := range cases {
		order[i] = &cases[i]
	}
	slices.SortStableFunc(order, func(a, b *Case) int { return strings.Compare(a.Name, b.Name) })
	h := sha256.New()
	for _, c := range order {
		var sent []string
		for _, f := range c.Transcript {
			if f.Direction == directionSent {
				sent = append(sent, f.Hex)
			}
		}
		hashText(h, c.Name)
		hashNumber(h, len(sent))
		for _, text := range sent {
			hashText(h, text)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

func hashText(h hash.Hash, text string) {
	hashNumber(h, len(text))
	h.Write([]byte(text))
}

func hashNumber(h hash.Hash, n int) {
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(n)))
}
