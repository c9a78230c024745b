package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"superscalar/refnode/control"
	"superscalar/refnode/transport"
	"superscalar/wire"
)

// typed is a node that notes what it is told.
type typed struct {
	told []string
	err  error
}

func (f *typed) note(format string, args ...any) error {
	f.told = append(f.told, fmt.Sprintf(format, args...))
	return f.err
}

func (f *typed) Connect(_ context.Context, to transport.Address) error {
	return f.note("connect %s", to)
}
func (f *typed) Buy(id transport.NodeID, sat uint64) error          { return f.note("buy %s %d", id, sat) }
func (f *typed) Peers() []transport.NodeID                          { return nil }
func (f *typed) Close() error                                       { return f.note("close") }
func (f *typed) OpenChannel(transport.NodeID, uint64, uint64) error { return f.note("open") }
func (f *typed) CloseChannel(wire.ChannelID, bool) error            { return f.note("close channel") }

func (f *typed) Found(control.Order) (wire.CeremonyID, error) {
	return wire.CeremonyID{}, f.note("found")
}
func (f *typed) Sell(control.Sale) (wire.CeremonyID, error) { return wire.CeremonyID{}, f.note("sell") }

func (f *typed) Leave(control.Departure) (control.Leaving, error) {
	return control.Leaving{Detail: "3 transactions"}, f.note("leave")
}

func (f *typed) Standing(context.Context) (control.Standing, error) {
	return control.Standing{Height: 1_234, Factories: []control.FactoryStatus{{FactoryID: "f1", State: "active", Detail: "usable"}}}, nil
}

func (f *typed) Invoice(msat uint64, text string) (control.Invoice, error) {
	return control.Invoice{Bolt11: "lnbcrt1"}, f.note("invoice %d %q", msat, text)
}

func (f *typed) Pay(_ context.Context, p control.Pay) (control.Paid, error) {
	return control.Paid{Preimage: "07", AmountMsat: 2_000_500, FeeMsat: 1000}, f.note("pay %s %d", p.Bolt11, p.AmountMsat)
}

func (f *typed) Channels() []control.ChannelStatus {
	return []control.ChannelStatus{{ChannelID: strings.Repeat("ab", 32), Peer: strings.Repeat("02", 33), State: control.ChannelReady, CapacitySat: 100_000, LocalMsat: 7_000_001, SendMsat: 6_000_000}}
}

// What is typed is obeyed as package control would, and answered in words.
func TestWords(t *testing.T) {
	for _, row := range []struct {
		name, line string
		err        error
		told, says string // says is a part of what is printed
	}{
		{"nothing", "   ", nil, "", ""},
		{"help", "help", nil, "", "invoice SAT [TEXT]"},
		{"invoice", "invoice 5,000 two  coffees", nil, `invoice 5000000 "two coffees"`, "lnbcrt1\n"},
		{"invoice over any amount", "invoice 0", nil, `invoice 0 ""`, "lnbcrt1\n"},
		{"invoice over a word", "invoice much", nil, "", `error: "much" is not a whole number of sat`},
		{"invoice over too much", "invoice 2100000000000001", nil, "", "error: "},
		{"invoice over a number that wraps", "invoice 18446744073709552", nil, "", "error: "},
		{"invoice over what is not whole", "invoice 1,5", nil, "", `error: "1,5" is not a whole number of sat`},
		{"invoice over half a sat", "invoice 0.5", nil, "", `error: "0.5" is not a whole number of sat`},
		{"invoice over groups that are none", "invoice 5,00,000", nil, "", "error: "},
		{"invoice over millions", "invoice 2,500,000 a house", nil, `invoice 2500000000 "a house"`, "lnbcrt1\n"},
		{"invoice over less than nothing", "invoice -1", nil, "", "error: "},
		{"invoice over nothing said", "invoice", nil, "", "error: it is invoice SAT [TEXT]"},
		{"pay", "pay lnbcrt1", nil, "pay lnbcrt1 0", "paid 2,000.500 sat, fee 1 sat, preimage 07"},
		{"pay an amount", "pay lnbcrt1 21", nil, "pay lnbcrt1 21000", "paid "},
		{"pay too many words", "pay lnbcrt1 21 22", nil, "", "error: it is pay BOLT11 [SAT]"},
		{"pay fails", "pay lnbcrt1", errors.New("no\nroute"), "pay lnbcrt1 0", "error: no route\n"},
		{"connect nowhere", "connect nobody", nil, "", "error: peer: "},
		{"channels", "channels", nil, "", "7,000.001"},
		{"status", "status", nil, "", "channels 1, 1 of them ready"},
		{"leave", "leave", nil, "leave", "3 transactions"},
		{"leave what is no factory", "leave there", nil, "", "error: "},
		{"status of factories", "status", nil, "", "factory  f1 active: usable"},
		{"height", "status", nil, "", "height 1,234"},
		{"quotes do not leave their field", `pay x","cmd":"stop`, nil, `pay x","cmd":"stop 0`, "paid "},
		{"unknown", "steal 5", nil, "", `error: there is no command "steal"; help lists them`},
		{"stop", "stop", nil, "close", "done"},
	} {
		t.Run(row.name, func(t *testing.T) {
			f, out := &typed{err: row.err}, &strings.Builder{}
			stopped := obeyWords(t.Context(), strings.NewReader(row.line+"\n"), out, f)
			if got := strings.Join(f.told, "; "); got != row.told || !strings.Contains(out.String(), row.says) || stopped != (row.name == "stop") {
				t.Errorf("told %q, want %q; printed %q, want %q in it; stopped %v", got, row.told, out, row.says, stopped)
			}
		})
	}
}

// A line that is too long, and an output that fails, end the obedience and not the
// node.
func TestWordsEnd(t *testing.T) {
	f := &typed{}
	if obeyWords(t.Context(), strings.NewReader(strings.Repeat("x", control.MaxLine+1)+"\nstop\n"), io.Discard, f) || len(f.told) > 0 {
		t.Errorf("after a line that is too long it was told %v", f.told)
	}
	if obeyWords(t.Context(), strings.NewReader("status\nstop\n"), fullDisk{}, f) || len(f.told) > 0 {
		t.Errorf("without an output it was told %v", f.told)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("full") }

// A person starts a node and types; the end of the input leaves it running.
func TestANodeObeysWords(t *testing.T) {
	for _, words := range []bool{true, false} {
		p := start(t, "node", "client", "--datadir", filepath.Join(t.TempDir(), "c"), "--listen", "127.0.0.1:0")
		for _, first := range []string{"node id", "address", "peer"} {
			if line := p.line(); !strings.HasPrefix(line, first) {
				t.Fatalf("%q", line)
			}
		}
		if !words {
			_ = p.in.Close()
			p.signal(os.Interrupt)
			p.ended(ExitOK)
			continue
		}
		fmt.Fprintln(p.in, "invoice 5")
		if line := p.line(); !strings.Contains(line, "no channels") {
			t.Errorf("an invoice of a node without a chain: %q", line)
		}
		fmt.Fprintln(p.in, "stop")
		if line := p.line(); line != "done\n" {
			t.Errorf("stop: %q", line)
		}
		p.ended(ExitOK)
	}
}
