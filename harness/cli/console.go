package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	name, takes, does string
	least, most       int // words after the name; most -1: any number
	request           func(words []string) (map[string]any, error)
	show              func(w io.Writer, r consoleReply)
}

var consoleCommands = []consoleCommand{
	{"status", "", "the chain, the wallet, factories and peers", 0, 0, plainRequest("status"), showStatus},
	{"channels", "", "every channel, and what can be sent and received over it", 0, 0, plainRequest("status"), showChannels},
	{"invoice", "SAT [TEXT]", "an invoice over SAT, 0 for any amount", 1, -1, invoiceRequest, func(w io.Writer, r consoleReply) { fmt.Fprintln(w, r.Bolt11) }},
	{"pay", "BOLT11 [SAT]", "pay an invoice; SAT when it names no amount", 1, 2, payRequest, showPaid},
	{"connect", "NODEID@HOST:PORT", "connect to a peer", 1, 1, namedRequest("connect", "peer"), showDone},
	{"leave", "[FACTORY]", "leave a factory alone (a client); it cannot be taken back", 0, 1, namedRequest("leave", "factory_id"), func(w io.Writer, r consoleReply) { fmt.Fprintln(w, r.Detail) }},
	{"stop", "", "end the node", 0, 0, plainRequest("stop"), showDone},
}

// consoleReply is any reply of package control.
type consoleReply struct {
	OK         bool   `json:"ok"`
	Error      string `json:"error"`
	Bolt11     string `json:"bolt11"`
	AmountMsat uint64 `json:"amount_msat"`
	FeeMsat    uint64 `json:"fee_msat"`
	Preimage   string `json:"preimage"`
	Detail     string `json:"detail"`
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
		rest := words[1:]
		if len(rest) < c.least || c.most >= 0 && len(rest) > c.most {
			return fmt.Sprintf("error: it is %s %s\n", c.name, c.takes), false
		}
		reply, err := ask(ctx, c, rest, n)
		if err != nil {
			return "error: " + oneLine(err.Error()) + "\n", false
		}
		var b strings.Builder
		c.show(&b, reply)
		return b.String(), c.name == "stop"
	}
	return fmt.Sprintf("error: there is no command %s; help lists them\n", strconv.Quote(words[0])), false
}

// ask has package control obey the request of a command.
func ask(ctx context.Context, c consoleCommand, words []string, n control.Node) (r consoleReply, err error) {
	request, err := c.request(words)
	if err != nil {
		return r, err
	}
	request["id"] = 1
	line, err := json.Marshal(request)
	if err != nil {
		return r, err
	}
	var out bytes.Buffer
	if err := control.Serve(ctx, bytes.NewReader(append(line, '\n')), &out, n); err != nil {
		return r, err
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
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

// readSat reads an amount in sat and returns it in msat.
func readSat(text string) (msat uint64, err error) {
	const all = 2_100_000_000_000_000
	sat, err := strconv.ParseUint(strings.ReplaceAll(text, ",", ""), 10, 64)
	if err != nil || sat > all {
		return 0, fmt.Errorf("%s is not a whole number of sat", strconv.Quote(text))
	}
	return 1000 * sat, nil
}

func showDone(w io.Writer, _ consoleReply) { fmt.Fprintln(w, "done") }

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
