package gen

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"superscalar/vectors"
	"superscalar/wire/rule"
)

// List prints one line per embedded vector: name, good or the class of its
// error, and the rules it names.
func List(w io.Writer) error {
	files, err := vectors.Load()
	if err != nil {
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range files {
		for _, v := range f.Vectors {
			what := "good"
			if e := v.Fails(); e != nil {
				what = e.Kind
			}
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", f.Path, v.About().Name, what, join(v.About().Rules))
		}
	}
	return tw.Flush()
}

func join(ids []rule.ID) string {
	s := ""
	for i, id := range ids {
		if i > 0 {
			s += " "
		}
		s += string(id)
	}
	return s
}

// ErrMismatch is the error of VerifyAll when a vector does not match.
var ErrMismatch = errors.New("the implementation does not match its vectors")

// VerifyAll checks all embedded vectors against the reference implementation
// and prints how many there are of each area and kind, every mismatch, and the
// time it took. It fails with ErrMismatch when there is a mismatch.
func VerifyAll(w io.Writer) error {
	begin := time.Now()
	files, err := vectors.Load()
	if err != nil {
		return err
	}
	mismatches := Verify(files, rule.Set{})
	took := time.Since(begin)

	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "area\tkind\tgood\tbad")
	var good, bad int
	for _, f := range files {
		g, b := count(f)
		good, bad = good+g, bad+b
		fmt.Fprintf(tw, "%s\t%s\t%d\t%d\n", f.Area, f.Kind, g, b)
	}
	fmt.Fprintf(tw, "all\t\t%d\t%d\n", good, bad)
	if err := tw.Flush(); err != nil {
		return err
	}
	failed := printMismatches(w, mismatches)
	fmt.Fprintf(w, "%d vectors, %d do not match, %d ms\n", good+bad, failed, took.Milliseconds())
	if failed > 0 {
		return fmt.Errorf("%w: %d of %d", ErrMismatch, failed, good+bad)
	}
	return nil
}

func count(f vectors.File) (good, bad int) {
	for _, v := range f.Vectors {
		if v.Fails() == nil {
			good++
		} else {
			bad++
		}
	}
	return good, bad
}

// printMismatches prints one line per vector and returns their number; of the
// mismatches of a vector, which differ in the rule only, it prints the first.
func printMismatches(w io.Writer, list []Mismatch) int {
	n := 0
	for i, m := range list {
		if i > 0 && list[i-1].Vector == m.Vector {
			continue
		}
		n++
		fmt.Fprintf(w, "%s (%s): %s\n", m.Vector, m.Rule, m.Message)
	}
	return n
}
