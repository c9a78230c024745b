package cli

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/spf13/cobra"

	"superscalar/harness"
	"superscalar/harness/driver"
	"superscalar/refnode/control"
	"superscalar/refnode/datadir"
	"superscalar/refnode/node"
	"superscalar/wire"
)

// version is how this node names itself.
const version = "superscalar/" + harness.Version

// nodeSettings are the flags of node.
type nodeSettings struct {
	role            node.Role
	datadir, listen string
	log             string
	json, public    bool
	loopback        bool
	compat          bool
	chain           chainSettings
}

func newNodeCommand(e env) *cobra.Command {
	return group(&cobra.Command{
		Use:   "node",
		Short: "Run the reference node on regtest",
		Long: `Runs the reference node: a minimal LSP or client on regtest, to develop and test
against. It keeps every rule of SPEC.md; no flag switches one off.`,
		Example: `  superscalar node lsp --datadir /tmp/lsp
  superscalar node client --datadir /tmp/client --listen 127.0.0.1:0 --json`,
	},
		newNodeRole(node.LSP, "Run the reference LSP", func(s nodeSettings) error { return runNode(e, s) }),
		newNodeRole(node.Client, "Run the reference client", func(s nodeSettings) error { return runNode(e, s) }),
	)
}

func newNodeRole(role node.Role, short string, run func(nodeSettings) error) *cobra.Command {
	s := nodeSettings{role: role}
	c := &cobra.Command{
		Use:   string(role) + " --datadir DIR",
		Short: short,
		Long: short + ` on regtest, until SIGINT or SIGTERM.

The data directory holds the node's identity and is made when missing; one
process at a time may use it. The node prints its id, its address and both
together, as a peer needs them. It collects garbage later than Go programs do by
default (GOGC=400, GOMEMLIMIT=4GiB); both variables can say otherwise.

Type help for the commands that it obeys in words: status, channels, invoice, pay,
connect, factory, buy, open, close, leave, stop. The end of the input leaves it
running. 'superscalar cli' gives it the same commands from another terminal.

With --json it prints {"event":"ready",...} on one line instead, obeys commands
on its standard input, one JSON object a line, and also ends when that ends:

  {"id":1,"cmd":"connect","peer":"NODEID@HOST:PORT"}
  {"id":2,"cmd":"buy","peer":"NODEID","amount_sat":100000}
  {"id":3,"cmd":"status"}
  {"id":4,"cmd":"stop"}

With --chain the node takes part in factories. It keeps its wallet and its
factories in the data directory, follows the chain of a Bitcoin Core on regtest,
and obeys more commands. An LSP creates factories of connected clients, and
sells from their stock: by a sale where leaves are ps, by an update where they
are dw. Both are answered when the ceremony has begun:

  {"id":5,"cmd":"factory","clients":["NODEID","NODEID"],"capacity_sat":100000,
   "stock_sat":50000,"shape":"static 2 / kickoff 1 / ps 2"}  (on one line)
  {"id":6,"cmd":"buy","peer":"NODEID","amount_sat":20000,"factory":"ID"}

With "from":"NODEID", another client of the factory, what moves is stock of that
client's group: by an update of the lowest state above both, for which every client
below that state has to be there. With "from" the buyer itself where leaves are ps,
its own group sells by an update too, and the channels that it has bought become one
with its first.

After each block, and when it starts, the node publishes of every factory what is
to be published: the LSP its tree from exit_height on, both roles the latest state
after a kickoff, sales, poison, omissions, and distributions after expiry_height.
A client leaves alone, whatever the LSP does, by

  {"id":7,"cmd":"leave","factory_id":"ID"}

which says first what that costs: transactions, vbytes with the children that pay
fees, blocks, and sat at the fee rates (sat per 1,000 vB) tried first and at most.
It goes on after a restart, and needs coins in the wallet.

Payments go over channels in factories and, of an LSP, channels with nodes outside
(open). pay is answered when the payment is over; hint names a channel to the
payee from a peer of this node when the invoice names none; close is by agreement,
or by force with "force":true:

  {"id":8,"cmd":"open","peer":"NODEID","amount_sat":1000000,"push_msat":0}
  {"id":9,"cmd":"invoice","amount_msat":50000000,"description":"..."}
  {"id":10,"cmd":"pay","bolt11":"...","amount_msat":1,"max_fee_msat":1000}
  {"id":11,"cmd":"close","channel_id":"..."}

capacity_sat is each client's channel, stock_sat what each client's group can
buy, per client. shape may be left out: the recommended one; factory, when there
is one with the client. status then also has height, wallet, address (where to
send coins), ceremonies (the last event of each) and, of each factory, its id,
clients, state (building: waits for confirmations; active, dying: usable; closed;
damaged: its records cannot be read, nothing is signed in it), detail in words, capacity_sat, exit_height, expiry_height, and for a
client cover_sat, what it is paid at least without doing anything; exit says what
the way out does: its cost, what is published (height 0: in the mempool), what
waits and why, and the height from which on there is more to do.

Such a node has channels. One opens on each output that a creation or a sale
makes, while the ceremony goes on, and is ready when the factory is confirmed;
status lists them. An LSP opens others, outside factories, by open. Payments go
over any of them, from client to client through the LSP:

  {"id":8,"cmd":"invoice","amount_msat":5000000}
  {"id":9,"cmd":"pay","bolt11":"lnbcrt..."}

Where leaves are dw, buying moves the channels of a leaf, or of a wider state: they
stop for a moment, and are on a new output afterwards. Each needs a client that is
there and has its channel open. A client without coins takes payments of a tenth of its cover at a
time. A channel that fails starts the way out of its factory. A connection that connect
made, with a peer there are channels with, is made again when it is lost: after 1, 2,
4, ... seconds, at most a minute; after a restart, too.

Replies are {"id":1,"ok":true,...} or {"id":1,"ok":false,"error":...,"code":...};
their form is that of 'superscalar driver schema'.`,
		Example: "  superscalar node " + string(role) + " --datadir /tmp/" + string(role) + " --listen 127.0.0.1:9735\n" +
			"  superscalar node " + string(role) + " --datadir /tmp/" + string(role) + " --chain 127.0.0.1:18443 --chain-cookie ~/.bitcoin/regtest/.cookie --json",
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if s.datadir == "" {
				return usage(c, "--datadir is missing")
			}
			if err := checkListen(s.listen, s.public); err != nil {
				return err
			}
			if err := s.chain.check(c); err != nil {
				return err
			}
			return run(s)
		},
	}
	f := c.Flags()
	f.StringVar(&s.datadir, "datadir", "", "`folder` of the node's identity (required)")
	f.StringVar(&s.listen, "listen", "127.0.0.1:9735", "`HOST:PORT` to listen at; port 0 takes a free one")
	f.BoolVar(&s.public, "public", false, "allow --listen beyond this machine")
	f.BoolVar(&s.json, "json", false, "print JSON and obey commands on the standard input")
	f.BoolVar(&s.loopback, "loopback", false, "offer the Loopback test protocol (SPEC.md 3.6)")
	f.BoolVar(&s.compat, "compat-envelope", false, "use message type 33001 for factory messages (PCF-007)")
	s.chain.flags(c)
	if role == node.Client {
		f.StringSliceVar(&s.chain.lsps, "lsp", nil, "`NODEID` of an LSP whose invitations to take, more with commas (default: anybody's)")
	}
	if role == node.LSP {
		f.BoolVar(&s.chain.zeroFee, "zero-fee-commitments", false, "open channels of commitments that pay no fee where the client offers it, instead of anchors")
	}
	f.StringVar(&s.log, "log", "", "append the log to this `file`; - is the error output")
	return c
}

// checkListen refuses addresses that others can reach, unless public says that
// this is wanted.
func checkListen(hostPort string, public bool) error {
	host, port, err := net.SplitHostPort(hostPort)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return exit(ExitUsage, "--listen %q is not HOST:PORT with a port from 0 to 65535", hostPort)
	}
	ip, err := netip.ParseAddr(host)
	if public || host == "localhost" || err == nil && ip.IsLoopback() {
		return nil
	}
	return exit(ExitUsage, "--listen %q is open to other machines, and this is a test program; listen on 127.0.0.1, or add --public", hostPort)
}

// config is the node that the settings describe. It keeps every rule: Rules
// and Tamper are for mutants, which no command runs as a node.
func (s nodeSettings) config(d *datadir.Dir, log *slog.Logger) node.Config {
	cfg := node.Config{
		Role:     s.role,
		Key:      d.NodeKey(),
		Listen:   s.listen,
		Rand:     rand.Reader,
		Log:      log,
		Loopback: s.loopback,
		Derive: func(label string) (*btcec.PrivateKey, error) {
			return d.DeriveKey(shortLabel(label), 0)
		},
	}
	if s.compat {
		cfg.Envelope = wire.TypeFactoryCompat
	}
	return cfg
}

// shortLabel makes a label for DeriveKey, which takes 64 characters, of one of
// any length: those of channel keys carry a salt.
func shortLabel(label string) string {
	sum := sha256.Sum256([]byte(label))
	return "node/" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// runNode runs a node until it is told to stop. Whatever keeps it from
// starting is for the operator to change, and leaves nothing behind.
func runNode(e env, s nodeSettings) (err error) {
	collectLess()
	log, err := openLog(e, s.log)
	if err != nil {
		return err
	}
	id, err := openIdentity(s.datadir, s.role)
	if err != nil {
		log.discard()
		return exit(ExitUsage, "%w", err)
	}
	voice := &teller{log: log.logger}
	var side *factorySide
	cfg := s.config(id.Dir, log.logger)
	if s.chain.address != "" {
		if side, err = s.chain.open(e.Context, id, s.role, voice.tell); err != nil {
			id.discard()
			log.discard()
			return exit(ExitUsage, "%s", oneLine(err.Error()))
		}
		cfg.Ceremonies = side.Ceremonies()
		cfg.Channels = side.Hub()
		cfg.Outside = s.role == node.LSP
		cfg.Keep, cfg.Dialled = side.Hub().Deals, side.Dialled
	}
	var loopback *loopbackChannels
	if s.loopback && side == nil {
		if loopback, err = openLoopback(id, s.role, log.logger); err != nil {
			id.discard()
			log.discard()
			return exit(ExitUsage, "%w", err)
		}
		loopback.join(&cfg)
	}
	n, err := node.Start(cfg)
	if err != nil {
		_ = side.close()
		loopback.close()
		id.discard()
		log.discard()
		return exit(ExitUsage, "%w; choose another address with --listen", err)
	}
	side.attach(n)
	loopback.attach(n)
	side.reconnect(n)
	e, hang := obeySocket(e, filepath.Join(s.datadir, control.SocketName), commanded(n, side), log.logger)
	defer func() {
		hang()
		_ = n.Close()
		loopback.close()
		_ = side.close()
		_ = id.Close()
		log.close()
	}()
	if s.json {
		return serveJSON(e, n, side)
	}
	return s.serveText(e, n, side, voice)
}

// serveText says where the node is and then what happens, and obeys words typed at
// it.
func (s nodeSettings) serveText(e env, n *node.Node, side *factorySide, voice *teller) error {
	a := n.Address()
	out := &oneAtATime{w: e.Out}
	fmt.Fprintf(out, "node id  %s\naddress  %s\npeer     %s\n", a.ID, a.HostPort, a)
	if side != nil {
		text, err := side.intro(e.Context, s.chain.address)
		if err != nil {
			return exit(ExitUsage, "%s", oneLine(err.Error()))
		}
		fmt.Fprint(out, text)
		voice.listen(func(line string) { fmt.Fprintln(out, line) })
		defer voice.listen(nil)
	}
	readInBackground()
	stopped := make(chan struct{})
	go func() { // ends with the input: a blocked read cannot be called back
		if obeyWords(e.Context, e.In, out, commanded(n, side)) {
			close(stopped)
		}
	}()
	select {
	case <-stopped:
	case <-e.Context.Done():
	}
	return nil
}

// commanded is the node as package control sees it.
func commanded(n *node.Node, side *factorySide) control.Node {
	if side == nil {
		return n
	}
	return member{n, side.Participant}
}

// serveJSON says that the node is ready and obeys the standard input.
func serveJSON(e env, n *node.Node, side *factorySide) error {
	a := n.Address()
	ready, err := json.Marshal(driver.Ready{
		Event: "ready",
		Node:  driver.Node{NodeID: a.ID.String(), Address: a.HostPort, Version: version},
	})
	if err == nil {
		_, err = e.Out.Write(append(ready, '\n'))
	}
	if err != nil {
		return exit(ExitUsage, "writing to the standard output: %w", err)
	}
	if err := control.Serve(e.Context, e.In, e.Out, commanded(n, side)); err != nil {
		return exit(ExitUsage, "%w", err)
	}
	return nil
}
