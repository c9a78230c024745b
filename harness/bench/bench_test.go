package bench_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"superscalar/harness/bench"
	"superscalar/refnode/factory"
)

// asParty makes the test binary a child of the benchmark.
const asParty = "SUPERSCALAR_BENCH_PARTY"

func TestMain(m *testing.M) {
	if os.Getenv(asParty) != "" {
		if err := bench.Party(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestRun(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(asParty, "1")
	shape, err := factory.ParseShape("static 2 / kickoff 1 / ps 2")
	if err != nil {
		t.Fatal(err)
	}
	for _, processes := range []bool{false, true} {
		t.Run(fmt.Sprintf("processes %t", processes), func(t *testing.T) {
			r, err := bench.Run(t.Context(), bench.Options{Clients: 5, Shape: shape, Processes: processes, Seed: 1, Command: []string{self}})
			if err != nil {
				t.Fatal(err)
			}
			if r.Clients != 5 || r.Shape != shape.String() || r.Processes != processes {
				t.Errorf("%+v is about something else", r)
			}
			for what, n := range map[string]int64{
				"wall": int64(r.Wall), "connect": int64(r.Connect), "signing": int64(r.Signing), "LSP CPU": int64(r.LSPCPU),
				"client CPU": int64(r.ClientCPU), "bytes": int64(r.Bytes), "largest": int64(r.Largest), "storage": int64(r.Storage), "change": int64(r.Change),
			} {
				if n <= 0 {
					t.Errorf("%s is %d", what, n)
				}
			}
			if r.Signing >= r.Wall || uint64(r.Largest) >= r.Bytes {
				t.Errorf("parts are larger than the whole: %+v", r)
			}
		})
	}
}

func TestRunSaysWhatAPartySaid(t *testing.T) {
	_, err := bench.Run(t.Context(), bench.Options{Clients: 1, Seed: 1, Command: []string{"sh", "-c", "echo no luck >&2; exit 3"}})
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.ExitCode() != 3 || !strings.Contains(err.Error(), "it said: no luck") {
		t.Fatalf("a party that says why it ends, with status 3: %v", err)
	}
}

// A creation that fails ends the measurement, although clients wait for it.
func TestRunEndsWhenTheFactoryFails(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(asParty, "1")
	shape, err := factory.ParseShape("kickoff 1 / dw 2")
	if err != nil {
		t.Fatal(err)
	}
	_, err = bench.Run(t.Context(), bench.Options{Clients: 3, Shape: shape, Seed: 1, Command: []string{self}})
	if err == nil || !strings.Contains(err.Error(), "TREE-014") {
		t.Fatalf("three clients in a leaf for two: %v", err)
	}
}

func TestGoals(t *testing.T) {
	good := bench.Result{Clients: 127, Wall: time.Second, Signing: time.Millisecond, Bytes: 1, Largest: 1, Change: time.Millisecond}
	for _, g := range bench.Goals(good) {
		if !g.Reached {
			t.Errorf("%s: %s does not reach %s", g.What, g.Got, g.Want)
		}
	}
	bad := bench.Result{Clients: 1024, Wall: time.Hour, LSPCPU: time.Hour, ClientCPU: time.Hour, Bytes: 1 << 40}
	for _, g := range bench.Goals(bad) {
		if g.Reached {
			t.Errorf("%s: %s reaches %s", g.What, g.Got, g.Want)
		}
	}
	if len(bench.Goals(good)) == 0 || len(bench.Goals(bad)) == 0 || bench.Goals(bench.Result{Clients: 8}) != nil {
		t.Error("goals are those of 127 and of 1,024 clients")
	}
}

func TestRunPayments(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(asParty, "1")
	for _, o := range []bench.PaymentOptions{
		{Hops: 1, Channels: 1, Flight: 1, Payments: 2, Msat: 1_000_000},
		{Hops: 2, Channels: 2, Flight: 3, Payments: 13, Msat: 10_000}, // the payers do not make the same number
	} {
		t.Run(fmt.Sprintf("%d hops", o.Hops), func(t *testing.T) {
			o.Command = []string{self}
			r, err := bench.RunPayments(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if r.Payments != o.Payments || r.Msat != o.Msat || r.Hops != o.Hops || r.Node != bench.Ours {
				t.Errorf("the result is of another measurement: %+v", r)
			}
			if r.Median <= 0 || r.P95 < r.Median || r.Wall < r.P95 || r.Each != r.Wall/time.Duration(o.Payments) {
				t.Errorf("times that cannot be: %+v", r)
			}
			if r.PayerCPU <= 0 || r.LSPCPU <= 0 || (r.PayeeCPU > 0) != (o.Hops == 2) {
				t.Errorf("CPU times that cannot be: %+v", r)
			}
		})
	}
}

// A payment that fails is an error, and says why.
func TestRunPaymentsFails(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(asParty, "1")
	_, err = bench.RunPayments(t.Context(), bench.PaymentOptions{
		Hops: 2, Channels: 1, Flight: 1, Payments: 1, Msat: 20_000_000_000, Command: []string{self}, // more than a channel holds
	})
	if err == nil || !strings.Contains(err.Error(), "pay: ") {
		t.Errorf("error %v", err)
	}
}

func TestPaymentGoals(t *testing.T) {
	row := bench.PaymentResult{Node: bench.Ours, Hops: 2, Channels: 10, Flight: 100, Payments: 1000}
	for _, tt := range []struct {
		name    string
		change  func(*bench.PaymentResult)
		goals   int
		reached bool
	}{
		{"under it", func(r *bench.PaymentResult) { r.Each = 2*time.Millisecond - 1 }, 1, true},
		{"at it", func(r *bench.PaymentResult) { r.Each = 2 * time.Millisecond }, 1, false},
		{"lnd has none", func(r *bench.PaymentResult) { r.Node = "lnd 0.21" }, 0, false},
		{"one hop has none", func(r *bench.PaymentResult) { r.Hops = 1 }, 0, false},
		{"fewer payments have none", func(r *bench.PaymentResult) { r.Payments = 999 }, 0, false},
		{"fewer channels have none", func(r *bench.PaymentResult) { r.Channels = 9 }, 0, false},
		{"fewer in flight have none", func(r *bench.PaymentResult) { r.Flight = 99 }, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := row
			tt.change(&r)
			goals := bench.PaymentGoals(r)
			if len(goals) != tt.goals || len(goals) == 1 && goals[0].Reached != tt.reached {
				t.Errorf("goals %+v", goals)
			}
		})
	}
}
