package report

import (
	"bytes"
	"encoding/xml"
	"io"
	"regexp"
	"strings"
	"testing"
)

func pageOf(t *testing.T, r *Report) string {
	t.Helper()
	data, err := htmlPage(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestPageFetchesNothing(t *testing.T) {
	text := pageOf(t, sample())
	for _, pattern := range []string{`<link`, `<img`, `<iframe`, `\bsrc=`, `@import`, `url\(`, `fetch\(`, `ZgotmplZ`} {
		if found := regexp.MustCompile(pattern).FindString(text); found != "" {
			t.Errorf("the page holds %q", found)
		}
	}
}

func TestPageEscapesThePeer(t *testing.T) {
	text := pageOf(t, everyFieldHostile())
	if n := strings.Count(text, "<script"); n != 1 {
		t.Errorf("%d scripts, want the page's own", n)
	}
	if strings.Contains(text, "alert(1)</script") {
		t.Error("markup of the peer is not escaped")
	}
}

func TestPageLinksLeadSomewhere(t *testing.T) {
	text := pageOf(t, sample())
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(text, -1) {
		if ids[m[1]] {
			t.Errorf("id %s is there twice", m[1])
		}
		ids[m[1]] = true
	}
	links := regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(text, -1)
	for _, m := range links {
		if !ids[m[1]] {
			t.Errorf("link to %s, which is not there", m[1])
		}
	}
	if len(links) < 20 || !ids["case-trn/init/networks"] || !ids["req-TRN-014"] {
		t.Errorf("%d links, ids %v", len(links), ids)
	}
}

func TestPageLinksIssuesOnlyOverHTTPS(t *testing.T) {
	for issue, linked := range map[string]bool{
		"https://example.org/7": true, "javascript:alert(1)": false, "#7": false, "http://example.org/7": false,
	} {
		r := sample()
		r.Cases[6].Issue = issue
		text := pageOf(t, r)
		if got := strings.Contains(text, `href="`+issue+`"`); got != linked || !strings.Contains(text, issue) {
			t.Errorf("%s: linked is %t, want %t", issue, got, linked)
		}
	}
}

func TestPageMarksTheFault(t *testing.T) {
	text := pageOf(t, sample())
	for _, want := range []string{
		"<pre>001000000001<mark>40</mark></pre>", "<pre>00120004<mark>[missing]</mark></pre>",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing", want)
		}
	}
}

// The document is well formed whatever the peer said, and every failing case
// is one failure with all its screens.
func TestJUnit(t *testing.T) {
	for name, r := range map[string]*Report{"sample": sample(), "hostile": everyFieldHostile()} {
		data, err := junitXML(r)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.ContainsRune(data, '\ufffd') {
			t.Errorf("%s: a character was replaced", name)
		}
		dec := xml.NewDecoder(bytes.NewReader(data))
		for err = nil; err == nil; {
			_, err = dec.Token()
		}
		if err != io.EOF {
			t.Errorf("%s: %v", name, err)
		}
	}
	data, err := junitXML(sample())
	if err != nil {
		t.Fatal(err)
	}
	var got junitReport
	if err := xml.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	cases := map[string]junitCase{}
	for _, s := range got.Suites {
		for _, c := range s.Cases {
			cases[c.Name] = c
		}
	}
	for _, tt := range []struct{ name, failure, skipped string }{
		{"trn/ping/reply", "", ""},
		{"trn/init/unknown-even-feature", "TRN-014: the target went on as if the feature were known (and 1 more mismatch)", ""},
		{"pcf/open/reply", "declared to fail (no reply yet) but passed: remove the declaration", ""},
		{"trn/init/networks", "", "skipped: needs tier driver"},
		{"pcf/batch/order", "", "unsupported: does not offer batches"},
		{"trn/ping/flood", "", "expected failure: answers floods (https://example.org/issues/7)"},
	} {
		var failure, skipped string
		if f := cases[tt.name].Failure; f != nil {
			failure = f.Message
		}
		if s := cases[tt.name].Skipped; s != nil {
			skipped = s.Message
		}
		if failure != tt.failure || skipped != tt.skipped {
			t.Errorf("%s: failure %q, skipped %q; want %q, %q", tt.name, failure, skipped, tt.failure, tt.skipped)
		}
	}
	text := cases["trn/init/unknown-even-feature"].Failure.Text
	if !strings.Contains(text, "mismatch 1 of 2") || !strings.Contains(text, "mismatch 2 of 2") {
		t.Errorf("not every mismatch is there:\n%s", text)
	}
}
