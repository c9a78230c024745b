// Package control lets another program tell a running reference node what to
// do: one JSON object a line, each answered with exactly one line, in order.
//
// It knows four of the eight commands of the driver protocol of the
// conformance suite, five with a factory side, with the same words, so that a
// driver for the reference node only passes lines on:
//
//	connect  peer NODEID@HOST:PORT          {}
//	buy      peer NODEID, amount_sat        {}
//	status                                  peers, channels, factories
//	stop                                    {}
//
// A node with a factory side (Factories) also obeys
//
//	factory  clients [NODEID...],           ceremony_id
//	         capacity_sat, stock_sat,
//	         shape "static 2 / kickoff 1 / ps 2", optional
//	buy      peer, amount_sat, and          ceremony_id
//	         optionally factory, 64 hex,
//	         and from, NODEID: a client
//	         whose group's stock gives
//	leave    optionally factory_id, and     factory_id, cost, detail
//	         mode, which is "unilateral"
//	status                                  as above, factories filled, and height,
//	                                        ceremonies, wallet, address: see Standing
//
//	invoice  amount_msat, 0 for any;        bolt11, payment_hash
//	         optionally description
//	pay      bolt11; optionally             preimage, amount_msat, fee_msat
//	         amount_msat, max_fee_msat, hint
//	open     peer, amount_sat, and          {}
//	         optionally push_msat
//	close    channel_id, optionally force   {}
//
// of which pay is answered when the payment is over, or after a minute with a refusal that
// has "in_flight":true beside its code, open and close, for channels
// outside factories, when they have begun. Those about factories are answered when the ceremony has begun: a creation that goes on
// without a silent client does so under another id. leave, of a client, says
// what its way out costs before anything is published; it cannot be taken back
// and goes on after a restart.
//
// A request is {"id":1,"cmd":"status"}, its parameters beside id and cmd;
// other fields are not read. A reply is {"id":1,"ok":true} with the fields
// above, or {"id":1,"ok":false,"error":"one line","code":"failed"}. A line
// without a readable id is answered with "id":null.
//
// The lines come from the standard input of the node, or over a socket in its data
// directory (Socket), which any process of the same user can open.
//
// It promises that no line, however malformed or long, ends the node, and that
// what is answered depends on the lines and the node alone. It implements no
// part of SPEC.md and can switch nothing off.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"superscalar/refnode/transport"
	"superscalar/wire"
)

// MaxLine is the longest request in bytes, without its newline.
const MaxLine = 1 << 20

// ConnectTimeout bounds one connect, so that an asker who waits at most as
// long (the suite waits 10 s) learns why it failed.
const ConnectTimeout = 9 * time.Second

// maxSat is every satoshi there can be: 21 million bitcoin.
const maxSat = 2_100_000_000_000_000

// Node is what a command acts on. *node.Node is one.
type Node interface {
	// Connect dials a peer and returns when the BOLT 8 handshake is over.
	Connect(ctx context.Context, to transport.Address) error
	// Buy begins to move amountSat sat of liquidity to or from a connected
	// peer. An error that matches node.ErrUnsupported says that the node
	// never can.
	Buy(peer transport.NodeID, amountSat uint64) error
	// Peers returns the ids of connected peers.
	Peers() []transport.NodeID
	// Close stops the node; its port is closed when it returns. It may be
	// called again.
	Close() error
}

// Serve obeys the lines of in until it ends, until a stop was obeyed, or until
// ctx ends, and returns nil then; a command under way when in ends is still
// answered. The error is that of reading in or writing out. The goroutine that
// reads in ends with in: a blocked read cannot be called back.
func Serve(ctx context.Context, in io.Reader, out io.Writer, n Node) error {
	_, err := serve(ctx, in, out, n)
	return err
}

// serve is Serve, and reports whether a stop was obeyed.
func serve(ctx context.Context, in io.Reader, out io.Writer, n Node) (stopped bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines := readLines(ctx, in)
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return false, nil
		case l, more := <-lines:
			if !more || errors.Is(l.err, io.EOF) {
				return false, nil
			}
			if l.err != nil {
				return false, fmt.Errorf("control input: %w", l.err)
			}
			reply, stopped := answer(ctx, l, n)
			if err := write(out, reply); err != nil {
				return stopped, fmt.Errorf("control output: %w", err)
			}
			if stopped {
				return true, nil
			}
		}
	}
	return false, nil
}

// Code says why a request was refused.
type Code string

// The four codes of a refusal, those of the driver protocol.
const (
	Unsupported    Code = "unsupported"     // the node cannot do this at all
	Failed         Code = "failed"          // it tried, or could not try now
	UnknownCommand Code = "unknown-command" // no such command
	BadRequest     Code = "bad-request"     // no JSON object, or bad parameters
)

// refusal is an error with the code it is answered with.
type refusal struct {
	code Code
	text string
}

func (r *refusal) Error() string { return r.text }

func refuse(code Code, format string, args ...any) error {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

// done is a reply without fields of its own.
type done struct {
	ID    *uint64 `json:"id"`
	OK    bool    `json:"ok"`
	Error string  `json:"error,omitempty"`
	Code  Code    `json:"code,omitempty"`
	// InFlight: the payment that was ordered has no end yet.
	InFlight bool `json:"in_flight,omitempty"`
}

// status is the reply to status. Channels stay empty until the node keeps some:
// none outlives its opening yet. Factories are those of a node with a chain.
type status struct {
	done
	Peers     []peer `json:"peers"`
	Channels  []any  `json:"channels"`
	Factories []any  `json:"factories"`
}

// fullStatus is that of a node with a factory side.
type fullStatus struct {
	done
	Peers    []peer          `json:"peers"`
	Channels []ChannelStatus `json:"channels"`
	Standing
}

type peer struct {
	NodeID string `json:"node_id"`
}

// answer obeys one line and returns the reply, and whether the node is stopped.
func answer(ctx context.Context, l line, n Node) (reply any, stopped bool) {
	q, err := parse(l)
	head := done{ID: q.id, OK: true}
	if err == nil {
		switch q.cmd {
		case "connect":
			err = connect(ctx, q, n)
		case "buy":
			var id wire.CeremonyID
			if id, err = buy(q, n); err == nil && id != (wire.CeremonyID{}) {
				return begun{head, id.String()}, false
			}
		case "factory":
			var id wire.CeremonyID
			if id, err = found(q, n); err == nil {
				return begun{head, id.String()}, false
			}
		case "status":
			if reply, err = statusOf(ctx, head, n); err == nil {
				return reply, false
			}
		case "stop":
			err = stop(q, n)
			stopped = err == nil
		case "leave":
			var out Leaving
			if out, err = depart(q, n); err == nil {
				return leaving{head, out}, false
			}
		case "invoice":
			var out Invoice
			if out, err = invoice(q, n); err == nil {
				return invoiced{head, out}, false
			}
		case "pay":
			var out Paid
			if out, err = pay(ctx, q, n); err == nil {
				return paid{head, out}, false
			}
		case "open":
			err = open(q, n)
		case "close":
			err = closeChannel(q, n)
		case "start":
			err = refuse(Unsupported, "the reference node has no %s", q.cmd)
		default:
			err = refuse(UnknownCommand, "no such command: %q", q.cmd)
		}
	}
	if err != nil {
		head.OK, head.Error, head.Code = false, oneLine(err), Failed
		var r *refusal
		if errors.As(err, &r) {
			head.Code = r.code
		}
		head.InFlight = errors.Is(err, ErrInFlight)
	}
	return head, stopped
}

func connect(ctx context.Context, q request, n Node) error {
	text, err := q.text("peer")
	if err != nil {
		return err
	}
	to, err := transport.ParseAddress(text)
	if err != nil {
		return refuse(BadRequest, "peer: %v", err)
	}
	ctx, cancel := context.WithTimeout(ctx, ConnectTimeout)
	defer cancel()
	return n.Connect(ctx, to)
}

// buy returns the id of the ceremony that it began, zero without one.
func buy(q request, n Node) (wire.CeremonyID, error) {
	text, err := q.text("peer")
	if err != nil {
		return wire.CeremonyID{}, err
	}
	id, err := transport.ParseNodeID(text)
	if err != nil {
		return wire.CeremonyID{}, refuse(BadRequest, "peer: %v", err)
	}
	amount, err := q.sat("amount_sat", 1)
	if err != nil {
		return wire.CeremonyID{}, err
	}
	if f, ok := n.(Factories); ok {
		return sell(q, f, Sale{Peer: id, AmountSat: amount})
	}
	return asUnsupported(wire.CeremonyID{}, n.Buy(id, amount))
}

// statusTimeout bounds what a status asks of the chain.
const statusTimeout = 5 * time.Second

func statusOf(ctx context.Context, head done, n Node) (any, error) {
	peers := []peer{}
	for _, id := range n.Peers() {
		peers = append(peers, peer{id.String()})
	}
	f, ok := n.(Factories)
	if !ok {
		return status{done: head, Peers: peers, Channels: []any{}, Factories: []any{}}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	standing, err := f.Standing(ctx)
	channels := []ChannelStatus{}
	if p, ok := n.(Payments); ok {
		channels = append(channels, p.Channels()...)
	}
	return fullStatus{head, peers, channels, standing}, err
}

// stop answers when the node is down, so that its port is free by then.
func stop(q request, n Node) error {
	no := false
	restart := &no
	if raw, ok := q.fields["restart"]; ok && (json.Unmarshal(raw, &restart) != nil || restart == nil) {
		return refuse(BadRequest, "restart is neither true nor false")
	}
	if *restart {
		return refuse(Unsupported, "a node does not restart itself: start it again with the same data directory")
	}
	return n.Close()
}

func write(out io.Writer, reply any) error {
	b, err := json.Marshal(reply)
	if err != nil {
		return err
	}
	_, err = out.Write(append(b, '\n'))
	return err
}

// oneLine is the text of an error without line breaks.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
