package report

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func failureText(c *Case, i int) string {
	var b bytes.Buffer
	WriteFailure(&b, c, &c.Failures[i])
	return b.String()
}

func TestWriteFailureGolden(t *testing.T) {
	r := sample()
	golden(t, "failure.txt", []byte(failureText(&r.Cases[3], 0)+"\n"+failureText(&r.Cases[3], 1)))
	golden(t, "failure-long.txt", []byte(failureText(&r.Cases[0], 0)))
	golden(t, "failure-empty.txt", []byte(failureText(&Case{Failures: []Failure{{}}}, 0)))
}

func TestWriteFailureLeavesItsInputAlone(t *testing.T) {
	c, want := sample().Cases[3], sample().Cases[3]
	failureText(&c, 0)
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
}

func TestWriteFailureClipsLongText(t *testing.T) {
	c := sample().Cases[0]
	c.Failures[0].Received = strings.Repeat("x", 65000)
	if n := len(failureText(&c, 0)); n > 5000 {
		t.Errorf("the screen has %d bytes", n)
	}
}

func TestHexRows(t *testing.T) {
	byteRow := func(b string, n int) string { return strings.Repeat(b, n) }
	for _, tt := range []struct {
		name   string
		hex    string
		offset int
		want   []string
	}{
		{"empty", "", -1, []string{""}},
		{"missing from the start", "", 0, []string{"[]"}},
		{"no fault", "001002", -1, []string{"001002"}},
		{"first byte", "001002", 0, []string{"[00]1002"}},
		{"last byte", "001002", 2, []string{"0010[02]"}},
		{"missing at the end", "001002", 3, []string{"001002[]"}},
		{"past the end", "001002", 4, []string{"001002"}},
		{"odd number of digits", "00100", 1, []string{"00100 (not hex)"}},
		{"not hex", "zz", 0, []string{"zz (not hex)"}},
		{"one full line", byteRow("aa", 32), 31, []string{byteRow("aa", 31) + "[aa]"}},
		{"one full line, missing after", byteRow("aa", 32), 32, []string{byteRow("aa", 32) + "[]"}},
		{"two lines, start of the second", byteRow("aa", 33), 32,
			[]string{"    0  " + byteRow("aa", 32), "   32  [aa]"}},
		{"two full lines, missing after", byteRow("aa", 64), 64,
			[]string{"    0  " + byteRow("aa", 32), "   32  " + byteRow("aa", 32) + "[]"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, hexRows(tt.hex, tt.offset)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Every byte of a long message is either shown or counted as left out, and
// the fault is always shown.
func TestHexRowsLoseNothing(t *testing.T) {
	const n = 1000
	text := strings.Repeat("5a", n)
	for offset := -1; offset <= n; offset++ {
		rows := hexRows(text, offset)
		all := strings.Join(rows, "\n")
		if marked := strings.Contains(all, "["); marked != (offset >= 0) {
			t.Fatalf("offset %d: marked is %t", offset, marked)
		}
		shown, hidden := strings.Count(all, "5a"), 0
		for _, row := range rows {
			if rest, ok := strings.CutPrefix(row, "  ...  "); ok {
				count, err := strconv.Atoi(strings.Fields(rest)[0])
				if err != nil {
					t.Fatal(err)
				}
				hidden += count
			}
		}
		if shown+hidden != n {
			t.Fatalf("offset %d: %d bytes shown and %d left out of %d", offset, shown, hidden, n)
		}
	}
}

func TestPrintable(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"plain", "init, 9 bytes: ä € 世", "init, 9 bytes: ä € 世"},
		{"colour", "\x1b[31m", `\x1b[31m`},
		{"line break", "a\r\nb\tc", `a\r\nb\tc`},
		{"C1 control", "\u009b31m", `\u009b31m`},
		{"direction override", "a\u202eb", `a\u202eb`},
		{"zero width", "a\u200bb", `a\u200bb`},
		{"line separator", "a\u2028b", `a\u2028b`},
		{"not UTF-8", "a\xffb\xc3", `a\xffb\xc3`},
		{"surrogate as bytes", "\xed\xa0\x80", `\xed\xa0\x80`},
		{"not a character", "\ufffe\uffff", `\ufffe\uffff`},
		{"beyond 16 bits", "\U000e0001", `\U000e0001`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := printable(tt.in); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if got := printable(printable(tt.in)); got != tt.want {
				t.Errorf("twice: got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCompareNatural(t *testing.T) {
	sorted := []string{"", "1", "2.3 Init", "2.09", "2.9", "2.9.1", "2.10 Ping", "3", "A", "A1", "B"}
	for i, a := range sorted {
		for j, b := range sorted {
			want := min(1, max(-1, i-j))
			if got := min(1, max(-1, compareNatural(a, b))); got != want {
				t.Errorf("%q against %q: got %d, want %d", a, b, got, want)
			}
		}
	}
}
