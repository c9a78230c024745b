package exit_test

import (
	"strings"

	"superscalar/refnode/factory"
)

// histories lists every order of at most two updates, two sales, a failed
// update and a failed sale that the ceremonies allow.
func histories(shape, letters string, clients, most int) []string {
	all := []string{""}
	for i := 0; i < len(all); i++ {
		for _, c := range letters {
			h := all[i] + string(c)
			if len(h) <= most && allowed(h, shape, clients) {
				all = append(all, h)
			}
		}
	}

	return all
}

// lettersOf are the changes that a shape can have.
func lettersOf(shape string) string {
	if strings.Contains(shape, "dw") {
		return "uUf"
	}

	return "uUfsSx"
}

// allowed keeps to the numbers, and to what can be signed: after a failed
// attempt the leaf has to be replaced before another sale, after a failed sale
// nothing is signed (POI-009); a stock has two.
func allowed(h, shape string, clients int) bool {
	if clients == 1 && strings.ContainsAny(h, "US") {
		return false // they are u and s
	}
	settles := "uB"
	if strings.HasPrefix(shape, "kickoff 1 / dw") || strings.HasPrefix(shape, "kickoff 1 / ps") {
		settles = "uUB" // one leaf
	}
	count := map[rune]int{}
	if i := strings.IndexByte(h, 'x'); i >= 0 && i < len(h)-1 {
		return false
	}
	sales, open := 0, false
	stock := stockShare * factory.Sat(min(clients, 2)) // of the smallest group
	for _, c := range h {
		count[c]++
		if stock < amounts[c] {
			return false
		}
		if c != 'f' && c != 'x' {
			stock -= amounts[c]
		}
		switch {
		case strings.ContainsRune(settles, c):
			sales, open = 0, false
		case strings.ContainsRune("sSbx", c):
			if sales++; open || sales > 2 {
				return false
			}
		}
		open = open || c == 'f' || c == 'x'
	}

	return count['u']+count['U'] <= 2 && count['B'] <= 1 && count['u']+count['U']+count['B']+count['f'] <= 3 && count['s']+count['S']+count['b'] <= 2 && count['f'] <= 1 && count['x'] <= 1
}
