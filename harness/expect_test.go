package harness

import (
	"errors"
	"strings"
	"testing"
	"time"
)

const goodEntry = `{"case":"unknown-even","rule":"TRN-001","reason":"ignored","issue":"https://example.org/1","expires":"2027-01-31"}`

func TestParseExpectations(t *testing.T) {
	with := func(old, new string) string { return "[" + strings.Replace(goodEntry, old, new, 1) + "]" }
	tests := []struct {
		name string
		data string
		want string // text of the error, "" for none
	}{
		{"empty list", `[]`, ""},
		{"one entry", "[" + goodEntry + "]", ""},
		{"two rules of one case", "[" + goodEntry + "," + strings.Replace(goodEntry, "TRN-001", "TRN-002", 1) + "]", ""},
		{"null", `null`, "null instead of a list"},
		{"no JSON", ``, "EOF"},
		{"an object", goodEntry, "cannot unmarshal"},
		{"text after the list", `[] []`, "something follows"},
		{"rubbish after the list", `[] x`, "something follows"},
		{"unknown field", with(`"case"`, `"note":"","case"`), "unknown field"},
		{"no case", with(`"unknown-even"`, `""`), "entry 0: no case"},
		{"missing reason", with(`"reason":"ignored",`, ``), "entry 0: no reason"},
		{"rule is no id", with(`TRN-001`, `TRN-1`), `rule "TRN-1"`},
		{"issue is no link", with(`https://example.org/1`, `see below`), `issue "see below"`},
		{"issue without host", with(`https://example.org/1`, `https://`), `issue "https://"`},
		{"expires is no date", with(`2027-01-31`, `2027-02-31`), `expires "2027-02-31"`},
		{"the same entry twice", "[" + goodEntry + "," + goodEntry + "]", "entry 1: second one"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseExpectations([]byte(tt.data))
			if tt.want == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			if !errors.Is(err, ErrExpectation) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want ErrExpectation with %q", err, tt.want)
			}
		})
	}
}

func TestParseKeepsEveryField(t *testing.T) {
	list, err := ParseExpectations([]byte("[" + goodEntry + "]"))
	if err != nil {
		t.Fatal(err)
	}
	want := Expectation{
		Case: "unknown-even", Rule: "TRN-001", Reason: "ignored",
		Issue: "https://example.org/1", Expires: "2027-01-31",
	}
	if len(list) != 1 || list[0] != want {
		t.Fatalf("got %+v, want %+v", list, want)
	}
}

func TestExpired(t *testing.T) {
	tests := []struct {
		name    string
		expires string
		now     string
		want    bool
	}{
		{"day before", "2027-01-31", "2027-01-30T12:00:00Z", false},
		{"last second of the day", "2027-01-31", "2027-01-31T23:59:59Z", false},
		{"next midnight", "2027-01-31", "2027-02-01T00:00:00Z", true},
		{"next midnight elsewhere is still the day in UTC", "2027-01-31", "2027-02-01T01:00:00+02:00", false},
		{"no date", "soon", "2020-01-01T00:00:00Z", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now, err := time.Parse(time.RFC3339, tt.now)
			if err != nil {
				t.Fatal(err)
			}
			if got := (Expectation{Expires: tt.expires}).Expired(now); got != tt.want {
				t.Fatalf("expired %v, want %v", got, tt.want)
			}
		})
	}
}
