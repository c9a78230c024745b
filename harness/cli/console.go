package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"

	"superscalar/refnode/control"
)

// A node without --json obeys commands in words, one a line, for a person at a
// terminal. Each becomes the request of package control that says the same, so that
// nothing can be ordered here that cannot be ordered there.

// consoleCommand is one word and what it takes.
type consoleCommand struct {
	name, takes string
	least, most int // words after the name; most -1: any number
	does        string
	more        string // beyond that, for the help of superscalar cli
	example     string
	request     func(words []string) (map[string]any, error)
	show        func(w io.Writer, r consoleReply)
}

var consoleCommands = []consoleCommand{{
	name: "status", does: "the chain, the wallet, factories and peers",
	more:    "Where the chain stands, what the wallet holds and where to send coins, each factory and\nhow long it is usable, the last event of each ceremony, who is connected.",
	example: "status", request: plainRequest("status"), show: showStatus,
}, {
	name: "channels", does: "every channel, and what can be sent and received over it",
	more:    "Amounts in sat. What can be sent and received is the largest HTLC that the channel has\nroom for now: less than its balance, for reserves, fees and limits.",
	example: "channels", request: plainRequest("status"), show: showChannels,
}, {
	name: "invoice", takes: "SAT [TEXT]", least: 1, most: -1, does: "an invoice over SAT, 0 for any amount",
	more:    "Prints the invoice (BOLT 11). TEXT is shown to who pays.",
	example: "invoice 5000 two coffees", request: invoiceRequest, show: showInvoice,
}, {
	name: "pay", takes: "BOLT11 [SAT]", least: 1, most: 2, does: "pay an invoice; SAT when it names no amount",
	more:    "Ends when the payment is over, or after a minute: then it is in flight still, and can\nsucceed. The same order again pays nothing twice: it says how the payment ended, or waits\nfor it. It costs at most 1 % and 5 sat more than the invoice asks.",
	example: "pay lnbcrt50u1...", request: payRequest, show: showPaid,
}, {
	name: "connect", takes: "NODEID@HOST:PORT", least: 1, most: 1, does: "connect to a peer",
	more:    "A connection to a peer there are channels with is made again when it is lost.",
	example: "connect 02eec7...@127.0.0.1:9735", request: namedRequest("connect", "peer"), show: showDone,
}, {
	name: "factory", takes: "SAT STOCK NODEID...", least: 3, most: -1, does: "a factory (an LSP): SAT in each channel, STOCK for sale",
	more:    "Begins to create a factory of the clients named, who have to be connected: SAT in the\nchannel of each, and STOCK for each that its group can buy later, in the recommended shape.",
	example: "factory 100000 50000 02aa... 03bb...", request: factoryRequest, show: showBegun,
}, {
	name: "buy", takes: "NODEID SAT", least: 2, most: 2, does: "move liquidity to a client inside a factory (an LSP)",
	more:    "Begins a sale where leaves are ps, an update where they are dw; the client has to be\nconnected, and so do those who share its leaf.",
	example: "buy 02aa... 20000", request: buyRequest, show: showBegun,
}, {
	name: "open", takes: "NODEID SAT", least: 2, most: 2, does: "open a channel outside factories (an LSP)",
	more:    "Begins to open a channel to a connected node, paid by the wallet.",
	example: "open 02eec7... 1000000", request: openRequest, show: showDone,
}, {
	name: "close", takes: "CHANNEL [force]", least: 1, most: 2, does: "close one; its id in full, as cli channels --json has it",
	more:    "By agreement with the peer, or with force by the node's own commitment. Inside a\nfactory that only ends the payments: what is in it comes out by leave.",
	example: "close 5b1e... force", request: closeRequest, show: showDone,
}, {
	name: "leave", takes: "[FACTORY]", most: 1, does: "leave a factory alone (a client); it cannot be taken back",
	more:    "Publishes the client's path of the tree, whatever the LSP does, and prints what that costs.\nFACTORY is an id, needed when there are several. It needs coins in the wallet.",
	example: "leave", request: namedRequest("leave", "factory_id"), show: showLeaving,
}, {
	name: "stop", does: "end the node",
	more:    "Answers when the node is down. It goes on where it was when it is started again.",
	example: "stop", request: plainRequest("stop"), show: showDone,
}}

// consoleReply is any reply of package control.
type consoleReply struct {
	OK         bool   `json:"ok"`
	Error      string `json:"error"`
	InFlight   bool   `json:"in_flight"`
	Bolt11     string `json:"bolt11"`
	AmountMsat uint64 `json:"amount_msat"`
	FeeMsat    uint64 `json:"fee_msat"`
	Preimage   string `json:"preimage"`
	Detail     string `json:"detail"`
	CeremonyID string `json:"ceremony_id"`
	Peers      []struct {
		NodeID string `json:"node_id"`
	} `json:"peers"`
	Channels []control.ChannelStatus `json:"channels"`
	control.Standing
}

// obeyWords obeys the lines of in until it ends, until stop, or until ctx ends. It
// reports whether the node was stopped; the end of in alone leaves it running.
func obeyWords(ctx context.Context, in io.Reader, out io.Writer, n control.Node) (stopped bool) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, control.MaxLine)
	for ctx.Err() == nil && lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 0 {
			continue
		}
		text, stop := obeyLine(ctx, words, n)
		if _, err := io.WriteString(out, text); err != nil || stop {
			return stop
		}
	}
	return false
}

// obeyLine obeys one line and returns what to print.
func obeyLine(ctx context.Context, words []string, n control.Node) (text string, stopped bool) {
	if words[0] == "help" {
		return consoleHelp(), false
	}
	for _, c := range consoleCommands {
		if c.name != words[0] {
			continue
		}
		request, err := c.read(words[1:])
		if err != nil {
			return "error: " + oneLine(err.Error()) + "\n", false
		}
		reply, err := obey(ctx, request, n)
		if err != nil {
			return "error: " + oneLine(err.Error()) + "\n", false
		}
		var b strings.Builder
		c.show(&b, reply)
		return b.String(), c.name == "stop"
	}
	return fmt.Sprintf("error: there is no command %s; help lists them\n", strconv.Quote(words[0])), false
}

// read makes the request of the words after the name.
func (c consoleCommand) read(words []string) (map[string]any, error) {
	if len(words) < c.least || c.most >= 0 && len(words) > c.most {
		return nil, errors.New(strings.TrimSpace("it is " + c.name + " " + c.takes))
	}
	return c.request(words)
}

// obey has package control obey a request.
func obey(ctx context.Context, request map[string]any, n control.Node) (r consoleReply, err error) {
	request["id"] = 1
	line, err := json.Marshal(request)
	if err != nil {
		return r, err
	}
	var out bytes.Buffer
	if err := control.Serve(ctx, bytes.NewReader(append(line, '\n')), &out, n); err != nil {
		return r, err
	}
	return readReply(out.Bytes())
}

// readReply reads a reply of package control; a refusal is an error.
func readReply(line []byte) (r consoleReply, err error) {
	if err := json.Unmarshal(line, &r); err != nil {
		return r, errors.New("the node is stopping")
	}
	if !r.OK {
		return r, errors.New(r.Error)
	}
	return r, nil
}

func plainRequest(name string) func([]string) (map[string]any, error) {
	return func([]string) (map[string]any, error) { return map[string]any{"cmd": name}, nil }
}

// namedRequest puts the word, when there is one, into a field.
func namedRequest(name, field string) func([]string) (map[string]any, error) {
	return func(words []string) (map[string]any, error) {
		request := map[string]any{"cmd": name}
		if len(words) > 0 {
			request[field] = words[0]
		}
		return request, nil
	}
}

func invoiceRequest(words []string) (map[string]any, error) {
	msat, err := readSat(words[0])
	if err != nil {
		return nil, err
	}
	return map[string]any{"cmd": "invoice", "amount_msat": msat, "description": strings.Join(words[1:], " ")}, nil
}

func payRequest(words []string) (map[string]any, error) {
	request := map[string]any{"cmd": "pay", "bolt11": words[0]}
	if len(words) > 1 {
		msat, err := readSat(words[1])
		if err != nil {
			return nil, err
		}
		request["amount_msat"] = msat
	}
	return request, nil
}

func factoryRequest(words []string) (map[string]any, error) {
	capacity, err := readSat(words[0])
	if err != nil {
		return nil, err
	}
	stock, err := readSat(words[1])
	if err != nil {
		return nil, err
	}
	return map[string]any{"cmd": "factory", "capacity_sat": capacity / 1000, "stock_sat": stock / 1000, "clients": words[2:]}, nil
}

func buyRequest(words []string) (map[string]any, error) { return amountTo("buy", words) }

func openRequest(words []string) (map[string]any, error) { return amountTo("open", words) }

// amountTo is an order about a peer and an amount.
func amountTo(name string, words []string) (map[string]any, error) {
	msat, err := readSat(words[1])
	if err != nil {
		return nil, err
	}
	return map[string]any{"cmd": name, "peer": words[0], "amount_sat": msat / 1000}, nil
}

func closeRequest(words []string) (map[string]any, error) {
	if len(words) > 1 && words[1] != "force" {
		return nil, fmt.Errorf("after the channel comes nothing, or force; not %s", strconv.Quote(words[1]))
	}
	return map[string]any{"cmd": "close", "channel_id": words[0], "force": len(words) > 1}, nil
}

// thousands is a number in groups of three digits.
var thousands = regexp.MustCompile(`^[0-9]{1,3}(,[0-9]{3})+$`)

// readSat reads an amount in sat and returns it in msat.
func readSat(text string) (msat uint64, err error) {
	const all = 2_100_000_000_000_000
	digits := text
	if thousands.MatchString(text) { // as amounts are printed; 1,5 is not 15
		digits = strings.ReplaceAll(text, ",", "")
	}
	sat, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || sat > all {
		return 0, fmt.Errorf("%s is not a whole number of sat", strconv.Quote(text))
	}
	return 1000 * sat, nil
}

func showDone(w io.Writer, _ consoleReply) { fmt.Fprintln(w, "done") }

func showInvoice(w io.Writer, r consoleReply) { fmt.Fprintln(w, r.Bolt11) }

func showLeaving(w io.Writer, r consoleReply) { fmt.Fprintln(w, r.Detail) }

func showBegun(w io.Writer, r consoleReply) {
	if r.CeremonyID == "" {
		showDone(w, r)
		return
	}
	fmt.Fprintf(w, "begun as %s; status says how it goes\n", r.CeremonyID)
}

func showPaid(w io.Writer, r consoleReply) {
	fmt.Fprintf(w, "paid %s sat, fee %s sat, preimage %s\n", inSat(r.AmountMsat), inSat(r.FeeMsat), r.Preimage)
}

// inSat writes an amount in msat, to the msat where it is no whole sat.
func inSat(msat uint64) string {
	if rest := msat % 1000; rest != 0 {
		return fmt.Sprintf("%s.%03d", figure(int64(msat/1000)), rest)
	}
	return figure(int64(msat / 1000))
}

func showStatus(w io.Writer, r consoleReply) {
	if r.Chain != "" {
		fmt.Fprintf(w, "chain    %s\n", r.Chain)
	} else {
		fmt.Fprintf(w, "chain    height %s\n", figure(int64(r.Height)))
	}
	fmt.Fprintf(w, "wallet   %s sat, %s of them free; coins go to %s\n", figure(int64(r.Wallet.ConfirmedSat)), figure(int64(r.Wallet.AvailableSat)), r.Address)
	for _, f := range r.Factories {
		fmt.Fprintf(w, "factory  %s %s: %s\n", f.FactoryID, f.State, f.Detail)
	}
	for _, c := range r.Ceremonies {
		fmt.Fprintf(w, "ceremony %.16s %s\n", c.CeremonyID, strings.TrimSpace(c.Event+" "+c.Text))
	}
	for _, p := range r.Peers {
		fmt.Fprintf(w, "peer     %s\n", p.NodeID)
	}
	ready := 0
	for _, c := range r.Channels {
		if c.State == control.ChannelReady {
			ready++
		}
	}
	fmt.Fprintf(w, "channels %d, %d of them ready\n", len(r.Channels), ready)
}

func showChannels(w io.Writer, r consoleReply) {
	if len(r.Channels) == 0 {
		fmt.Fprintln(w, "no channel")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "channel\tpeer\tstate\tcapacity\tours\tto send\tto receive\tsat\t")
	for _, c := range r.Channels {
		fmt.Fprintf(t, "%.16s\t%.16s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", c.ChannelID, c.Peer, c.State, figure(int64(c.CapacitySat)),
			inSat(c.LocalMsat), inSat(c.SendMsat), inSat(c.ReceiveMsat), c.Detail)
	}
	t.Flush()
}

// oneAtATime writes for several goroutines.
type oneAtATime struct {
	mu sync.Mutex
	w  io.Writer
}

func (o *oneAtATime) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Write(p)
}

// consoleHelp lists the commands.
func consoleHelp() string {
	var b strings.Builder
	for _, c := range consoleCommands {
		fmt.Fprintf(&b, "  %-26s %s\n", strings.TrimSpace(c.name+" "+c.takes), c.does)
	}
	return b.String()
}
