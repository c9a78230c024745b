package cli

import (
	"fmt"
	"strconv"
	"strings"

	"superscalar/refnode/factory"
)

// figure writes a number with commas between thousands.
func figure(v int64) string {
	if v < 0 {
		return "-" + figure(-v)
	}
	digits := strconv.FormatInt(v, 10)
	var out strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out.WriteByte(',')
		}
		out.WriteRune(d)
	}
	return out.String()
}

// count writes a number and what it counts, one or several.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return figure(int64(n)) + " " + what + "s"
}

// rate writes a fee rate, given in sat per 1,000 vbytes, in sat per vbyte.
func rate(r factory.Sat) string { return strconv.FormatFloat(float64(r)/1000, 'f', -1, 64) }

// wrapped breaks text at blanks into lines of at most width characters.
func wrapped(text string, width int) string {
	var out strings.Builder
	used := 0
	for _, word := range strings.Fields(text) {
		switch {
		case used == 0:
		case used+1+len(word) > width:
			out.WriteByte('\n')
			used = 0
		default:
			out.WriteByte(' ')
			used++
		}
		fmt.Fprint(&out, word)
		used += len(word)
	}
	return out.String()
}
