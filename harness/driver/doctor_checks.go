package driver

import (
	"context"
	"fmt"
	"net"
	"strings"
)

// The checks of an examination, in the order they are made.

// start starts a node and looks whether it is where the driver says.
func (d *doctor) start() error {
	if err := d.badParams(CmdStart, `,"role":"nobody","network":"regtest"`); err != nil {
		return err
	}
	refusal, ok, err := d.ask(Request{Cmd: CmdStart, Role: d.hooks.Role, Network: Regtest, Seed: d.hooks.Seed}, &d.node)
	switch {
	case err != nil:
		return err
	case refusal != nil:
		return d.fail("start", refusal.Error(), "without a node nothing can be checked; try the same start by hand", errStopped)
	case !ok:
		return errStopped
	}
	d.pass("start", fmt.Sprintf("%s at %s (%s)", d.node.NodeID, d.node.Address, excerpt([]byte(d.node.Version), 80)))
	return d.probe("start")
}

// probe completes a BOLT 8 handshake with the node as last answered.
func (d *doctor) probe(check string) error {
	if err := d.hooks.Probe(d.ctx, d.node.NodeID, d.node.Address); err != nil {
		return d.fail(check, "no BOLT 8 handshake with "+d.node.NodeID+" at "+d.node.Address+": "+err.Error(),
			"answer when the node listens, with the address it is reached at and its own node id", nil)
	}
	return d.pass(check, "the node completes a BOLT 8 handshake at "+d.node.Address)
}

// connect lets the node dial a peer of the suite's, or, without one, a port
// where nobody listens.
func (d *doctor) connect() error {
	if err := d.badParams(CmdConnect, `,"peer":"nobody"`); err != nil {
		return err
	}
	if d.hooks.Peer == nil {
		return d.connectNobody()
	}
	peer, err := d.hooks.Peer(d.ctx)
	if err != nil {
		return fmt.Errorf("the suite's own peer: %w", err)
	}
	d.peer = peer
	refusal, ok, err := d.ask(Request{Cmd: CmdConnect, Peer: peer.Address()}, nil)
	switch {
	case refusal != nil && refusal.Code == CodeUnsupported:
		return d.unsupported(CmdConnect)
	case refusal != nil:
		return d.fail("connect", refusal.Error(), "the suite listened at "+peer.Address()+"; let the node dial it", nil)
	case err != nil || !ok:
		return err
	}
	if err := peer.Arrived(d.ctx, d.node.NodeID); err != nil {
		return d.fail("connect", "ok, but the node did not arrive: "+err.Error(), "answer when the handshake is over", nil)
	}
	d.peerID, _, _ = strings.Cut(peer.Address(), "@")
	return d.pass("connect", "the node dialled the suite")
}

// connectNobody checks that a failed connect is told from a good one.
func (d *doctor) connectNobody() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("a free port: %w", err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	refusal, ok, err := d.ask(Request{Cmd: CmdConnect, Peer: nobody + "@" + address}, nil)
	switch {
	case ok:
		return d.fail("connect", "ok, but nobody listens at "+address, `answer when the handshake is over, and "failed" when there is none`, nil)
	case refusal != nil:
		return d.pass("connect", "a peer that is not there: "+string(refusal.Code))
	}
	return err
}

// nobody is the public key of the private key 1: a valid node id that no
// honest node has.
const nobody = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"

// buy only looks at the reply: the suite's peer may have nothing to sell.
func (d *doctor) buy() error {
	if err := d.badParams(CmdBuy, `,"peer":"`+nobody+`","amount_sat":"many"`); err != nil {
		return err
	}
	peer := d.peerID
	if peer == "" {
		peer = nobody
	}
	refusal, ok, err := d.ask(Request{Cmd: CmdBuy, Peer: peer, AmountSat: 100_000}, nil)
	if ok && d.peerID == "" {
		return d.fail("buy", "ok, but the node has no such peer", `answer "failed" when the node cannot begin`, nil)
	}
	return d.anyAnswer(CmdBuy, refusal, ok, err)
}

func (d *doctor) invoiceAndPay() error {
	if err := d.badParams(CmdInvoice, `,"amount_msat":0`); err != nil {
		return err
	}
	refusal, ok, err := d.ask(Request{Cmd: CmdInvoice, AmountMsat: 1_000_000}, &Invoice{})
	if err := d.anyAnswer(CmdInvoice, refusal, ok, err); err != nil {
		return err
	}
	if err := d.badParams(CmdPay, ""); err != nil {
		return err
	}
	refusal, ok, err = d.ask(Request{Cmd: CmdPay, Bolt11: "lnbcrt1notaninvoice"}, &Payment{})
	if ok {
		return d.fail("pay", "ok, but that was no invoice", "answer when the payment is settled, and with the preimage", nil)
	}
	if refusal != nil && refusal.Code == CodeBadRequest {
		return d.pass("pay", "what is no invoice is refused")
	}
	return d.anyAnswer(CmdPay, refusal, ok, err)
}

func (d *doctor) leave() error {
	if err := d.badParams(CmdLeave, `,"mode":"sideways"`); err != nil {
		return err
	}
	refusal, ok, err := d.ask(Request{Cmd: CmdLeave, Mode: Cooperative}, nil)
	return d.anyAnswer(CmdLeave, refusal, ok, err)
}

// status must be answered, and must know the connection that connect made.
func (d *doctor) status() error {
	var status Status
	refusal, ok, err := d.ask(Request{Cmd: CmdStatus}, &status)
	if refusal != nil && refusal.Code != CodeUnsupported {
		return d.fail("status", refusal.Error(), "answer with empty lists when there is nothing", nil)
	}
	if !ok || d.peerID == "" {
		return d.anyAnswer(CmdStatus, refusal, ok, err)
	}
	for _, peer := range status.Peers {
		if peer.NodeID == d.peerID {
			return d.pass("status", "it lists the suite's peer")
		}
	}
	return d.fail("status", "peers lacks "+d.peerID+", which the node had dialled", "list every peer with an open connection", nil)
}

// restart must bring up the node that was, not another one.
func (d *doctor) restart() error {
	if err := d.badParams(CmdStop, `,"restart":"maybe"`); err != nil {
		return err
	}
	before := d.node
	refusal, ok, err := d.ask(Request{Cmd: CmdStop, Restart: true}, &d.node)
	switch {
	case refusal != nil && refusal.Code == CodeUnsupported:
		return d.unsupported(CmdStop)
	case refusal != nil:
		return d.fail("stop", "restart: "+refusal.Error(), "end the node, start it with the same data, answer like start", nil)
	case err != nil || !ok:
		return err
	}
	if d.node.NodeID != before.NodeID {
		d.fail("stop", "restart: the node was "+before.NodeID+" and came back as "+d.node.NodeID, "keep the data directory", nil)
	} else {
		d.pass("stop", "restart: the node keeps its id")
	}
	return d.probe("stop")
}

func (d *doctor) stop() error {
	refusal, ok, err := d.ask(Request{Cmd: CmdStop}, nil)
	switch {
	case refusal != nil && refusal.Code == CodeUnsupported:
		return d.unsupported(CmdStop)
	case refusal != nil:
		return d.fail("stop", refusal.Error(), "end the node and wait for that", nil)
	case err != nil || !ok:
		return err
	}
	if err := portClosed(d.ctx, d.node.Address); err != nil {
		return d.fail("stop", "ok, but "+err.Error(), "answer when the node has ended", nil)
	}
	return d.pass("stop", "the port is closed")
}

// leftovers ends a driver while its node runs and looks whether the node went
// with it.
func (d *doctor) leftovers(open func(context.Context) (*Client, error)) error {
	client, err := open(d.ctx)
	if err != nil {
		return d.fail("cleanup", "a second driver: "+err.Error(), "let two drivers run one after the other", nil)
	}
	d.client = client
	refusal, ok, err := d.ask(Request{Cmd: CmdStart, Role: d.hooks.Role, Network: Regtest, Seed: d.hooks.Seed}, &d.node)
	if refusal != nil {
		d.fail("cleanup", "a second start: "+refusal.Error(), "let two drivers run one after the other", nil)
	}
	if closeErr := d.close(); err == nil {
		err = closeErr
	}
	if err != nil || !ok {
		return err
	}
	if err := portClosed(d.ctx, d.node.Address); err != nil {
		return d.fail("cleanup", "the driver has ended, but "+err.Error(), "end the node when the driver's input ends and on SIGTERM", nil)
	}
	return d.pass("cleanup", "a driver that is ended takes its node along")
}

// close ends the driver; only a spawned one can be seen to end.
func (d *doctor) close() error {
	err := d.client.Close()
	switch {
	case !d.client.Spawned():
		return nil
	case err != nil:
		return d.fail("cleanup", err.Error(), "", nil)
	}
	return d.pass("cleanup", "the driver ends when asked")
}

// anyAnswer accepts an ok, "unsupported" and "failed".
func (d *doctor) anyAnswer(cmd Command, refusal *Refusal, ok bool, err error) error {
	switch {
	case ok:
		return d.pass(string(cmd), "the reply fits the schema")
	case refusal == nil:
		return err // reported by ask
	case refusal.Code == CodeUnsupported:
		return d.unsupported(cmd)
	case refusal.Code == CodeFailed:
		return d.pass(string(cmd), "failed, which may be right here: "+excerpt([]byte(refusal.Message), 120))
	}
	return d.fail(string(cmd), refusal.Error(), "the parameters were good; compare with request_"+string(cmd)+" in schema.json", nil)
}

func (d *doctor) unsupported(cmd Command) error {
	return d.pass(string(cmd), "unsupported: cases that need it will be skipped")
}
