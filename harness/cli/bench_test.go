package cli

import (
	"strings"
	"testing"
)

func TestBenchRefuses(t *testing.T) {
	for _, row := range []struct{ name, args, says string }{
		{"no clients", "--clients 0", `"0" is no number from 1 to 1024`},
		{"too many clients", "--clients 8,1025", `"1025" is no number from 1 to 1024`},
		{"clients in words", "--clients 8,many", `"many" is no number`},
		{"an empty place", "--clients 8,,64", `"" is no number`},
		{"a shape that is none", "--clients 8 --shape oak", "--shape:"},
		{"too many processes", "--clients 8,128 --processes", "--processes with 128 clients: at most 127"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := run("", append([]string{"bench", "factory"}, strings.Fields(row.args)...)...)
			r.checkError(t, ExitUsage, row.says)
			if r.out != "" {
				t.Errorf("output %q", r.out)
			}
		})
	}
}

func TestBenchPaymentsRefuses(t *testing.T) {
	for _, row := range []struct{ name, args, says string }{
		{"no hop", "--hops 0", `--hops "0": "0" is no number from 1 to 2`},
		{"three hops", "--hops 1,3", `--hops "1,3": "3" is no number from 1 to 2`},
		{"no channel", "--channels 0", `--channels "0": "0" is no number from 1 to 10`},
		{"too many channels", "--channels 1,11", `"11" is no number from 1 to 10`},
		{"channels in words", "--channels few", `"few" is no number`},
		{"none in flight", "--flight 0", `--flight "0": "0" is no number from 1 to 100`},
		{"too many in flight", "--flight 101", `"101" is no number from 1 to 100`},
		{"an empty place", "--flight 1,,2", `"" is no number`},
		{"no payment", "--payments 0", "--payments 0 is no number from 1 to 10000"},
		{"too many payments", "--payments 10001", "--payments 10001 is no number"},
		{"nothing to pay", "--sat 0", "--sat 0 is no number from 1 to 10000"},
		{"too much to pay", "--sat 10001", "--sat 10001 is no number"},
		{"no run", "--runs 0", "--runs 0 is no number from 1 to 20"},
		{"too many runs", "--runs 21", "--runs 21 is no number"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := run("", append([]string{"bench", "payments"}, strings.Fields(row.args)...)...)
			r.checkError(t, ExitUsage, row.says)
			if r.out != "" {
				t.Errorf("output %q", r.out)
			}
		})
	}
}

// A party that is told something it does not understand says so and goes on.
func TestBenchPartyAnswers(t *testing.T) {
	r := run(`{"cmd":"dance"}`+"\n", "bench", "party")
	if r.code != 0 || !strings.Contains(r.out, `unknown order \"dance\"`) {
		t.Errorf("exit code %d, output %q, error output %q", r.code, r.out, r.errOut)
	}
	r = run("no json\n", "bench", "party")
	if r.code == 0 || r.errOut == "" {
		t.Errorf("exit code %d, error output %q", r.code, r.errOut)
	}
}
