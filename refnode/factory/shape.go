package factory

import (
	"fmt"
	"strconv"
	"strings"

	"superscalar/wire/rule"
)

// Kind says what the transactions of a level are (section 4.2).
type Kind uint8

// The kinds.
const (
	Static  Kind = 0 // a plain split: no delay, never replaced
	Kickoff Kind = 1 // no delay, never replaced; starts the clock of the states below
	State   Kind = 2 // a relative delay that shrinks with each replacement
)

// String returns "static", "kickoff" or "state".
func (k Kind) String() string {
	switch k {
	case Static:
		return "static"
	case Kickoff:
		return "kickoff"
	case State:
		return "state"
	}

	return "kind(" + strconv.Itoa(int(k)) + ")"
}

// LeafKind says how the leaves are made (TREE-011).
type LeafKind uint8

// The kinds of leaf.
const (
	DW LeafKind = 1 // up to arity clients and one stock for all of them
	PS LeafKind = 2 // groups of up to arity clients, one stock for each
)

// String returns "dw" or "ps".
func (k LeafKind) String() string {
	switch k {
	case DW:
		return "dw"
	case PS:
		return "ps"
	}

	return "leaf(" + strconv.Itoa(int(k)) + ")"
}

const (
	maxArity  = 200
	maxLevels = 16

	// hardLevels is where even a mutant stops.
	hardLevels = 64
)

// Level is one level of the tree.
type Level struct {
	Kind  Kind
	Arity uint8 // 1 to 200
}

// Shape lists the levels of the tree, root first; the last is the leaf.
type Shape struct {
	Leaf   LeafKind
	Levels []Level
}

// StateLevels returns the number of levels that delay.
func (s Shape) StateLevels() int {
	count := 0
	for _, level := range s.Levels {
		if level.Kind == State {
			count++
		}
	}

	return count
}

// Check refuses a shape that is not static levels followed by pairs of a
// kickoff and a state level, with arities from 1 to 200 (TREE-010), and an
// unknown kind of leaf (TREE-011).
func (s Shape) Check(rules rule.Set) error {
	n := len(s.Levels)
	if n < 1 || n > hardLevels {
		return malformed(rule.TREE010, "levels", "%d, allowed 2 to %d", n, maxLevels)
	}
	if err := first(
		check(rules, rule.TREE010, "levels", n < 2 || n > maxLevels, "%d, allowed 2 to %d", n, maxLevels),
		check(rules, rule.TREE011, "leaf", s.Leaf != DW && s.Leaf != PS, "%s, must be dw or ps", s.Leaf),
	); err != nil {
		return err
	}
	statics := 0
	for statics < n && s.Levels[statics].Kind == Static {
		statics++
	}
	if err := check(rules, rule.TREE010, "levels", (n-statics)%2 != 0 || n == statics,
		"%d static levels and %d others, which must be pairs of kickoff and state", statics, n-statics); err != nil {
		return err
	}
	for i, level := range s.Levels {
		want := Static
		if i >= statics {
			want = Kickoff + Kind((i-statics)%2)
		}
		if err := first(
			check(rules, rule.TREE010, "kind", level.Kind != want, "level %d is %s, must be %s", i, level.Kind, want),
			check(rules, rule.TREE010, "arity", level.Arity < 1 || level.Arity > maxArity,
				"%d in level %d, allowed 1 to %d", level.Arity, i, maxArity),
		); err != nil {
			return err
		}
	}

	return nil
}

// String writes the shape as ParseShape reads it: "static 8 / kickoff 1 / ps
// 4". The leaf level goes by its kind of leaf.
func (s Shape) String() string {
	words := make([]string, len(s.Levels))
	for i, level := range s.Levels {
		name := level.Kind.String()
		if i == len(s.Levels)-1 && level.Kind == State {
			name = s.Leaf.String()
		}
		words[i] = fmt.Sprintf("%s %d", name, level.Arity)
	}

	return strings.Join(words, " / ")
}

// ParseShape reads levels separated by "/", root first, each a kind (static,
// kickoff, state; dw or ps for the leaf, which is last) and an arity from 1 to
// 200. It checks with Check what it read.
func ParseShape(text string) (Shape, error) {
	var s Shape
	words := strings.Split(text, "/")
	if len(words) > hardLevels {
		return Shape{}, malformed(rule.TREE010, "levels", "%d, allowed 2 to %d", len(words), maxLevels)
	}
	for i, word := range words {
		fields := strings.Fields(word)
		if len(fields) != 2 {
			return Shape{}, mistake("shape", "level %d is %q, must be a kind and an arity", i, strings.TrimSpace(word))
		}
		arity, err := strconv.ParseUint(fields[1], 10, 8)
		if err != nil {
			return Shape{}, malformed(rule.TREE010, "arity", "%q in level %d, allowed 1 to %d", fields[1], i, maxArity)
		}
		level := Level{Arity: uint8(arity)}
		switch fields[0] {
		case "static":
			level.Kind = Static
		case "kickoff":
			level.Kind = Kickoff
		case "state":
			level.Kind = State
		case "dw", "ps":
			if i != len(words)-1 {
				return Shape{}, mistake("shape", "level %d is a leaf, which must be last", i)
			}
			level.Kind, s.Leaf = State, DW
			if fields[0] == "ps" {
				s.Leaf = PS
			}
		default:
			return Shape{}, mistake("shape", "kind %q in level %d, must be static, kickoff, state, dw or ps", fields[0], i)
		}
		s.Levels = append(s.Levels, level)
	}
	if s.Leaf == 0 {
		return Shape{}, malformed(rule.TREE011, "leaf", "the last level must be dw or ps")
	}
	if err := s.Check(rule.Set{}); err != nil {
		return Shape{}, err
	}

	return s, nil
}
