package driver

import (
	"context"
	"encoding/json"
)

// Start runs a node in the given role on regtest. seed is lower case hex up to
// 32 bytes, or "": the driver may derive the node's keys from it. The node
// listens when Start returns.
func (c *Client) Start(ctx context.Context, role Role, seed string) (Node, error) {
	var node Node
	err := c.do(ctx, Request{Cmd: CmdStart, Role: role, Network: Regtest, Seed: seed}, &node)
	return node, err
}

// Stop ends the node. Its port is closed when Stop returns.
func (c *Client) Stop(ctx context.Context) error {
	return c.do(ctx, Request{Cmd: CmdStop}, nil)
}

// Restart ends the node and brings the same one up again, with its keys and
// data. Its address may have changed.
func (c *Client) Restart(ctx context.Context) (Node, error) {
	var node Node
	err := c.do(ctx, Request{Cmd: CmdStop, Restart: true}, &node)
	return node, err
}

// Connect makes the node dial peer, given as NODEID@HOST:PORT. It returns when
// the BOLT 8 handshake is over.
func (c *Client) Connect(ctx context.Context, peer string) error {
	return c.do(ctx, Request{Cmd: CmdConnect, Peer: peer}, nil)
}

// Buy makes a client buy inbound liquidity from the LSP with node id peer, or
// an LSP sell to it, that is, open a channel inside a factory to that
// connected peer. It returns when the node has begun.
func (c *Client) Buy(ctx context.Context, peer string, amount Sat) error {
	return c.do(ctx, Request{Cmd: CmdBuy, Peer: peer, AmountSat: amount}, nil)
}

// Invoice makes the node ask for amount.
func (c *Client) Invoice(ctx context.Context, amount Msat) (Invoice, error) {
	var invoice Invoice
	err := c.do(ctx, Request{Cmd: CmdInvoice, AmountMsat: amount}, &invoice)
	return invoice, err
}

// Pay makes the node pay an invoice. It returns when the payment is settled; a
// payment that was given up is a *Refusal that matches ErrFailed.
func (c *Client) Pay(ctx context.Context, bolt11 string) (Payment, error) {
	var payment Payment
	err := c.do(ctx, Request{Cmd: CmdPay, Bolt11: bolt11}, &payment)
	return payment, err
}

// Leave makes the node leave a factory; factoryID "" means the only one. It
// returns when the node has begun.
func (c *Client) Leave(ctx context.Context, mode Mode, factoryID string) error {
	return c.do(ctx, Request{Cmd: CmdLeave, Mode: mode, FactoryID: factoryID}, nil)
}

// Status asks what the node believes about its peers, channels and factories.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var status Status
	err := c.do(ctx, Request{Cmd: CmdStatus}, &status)
	return status, err
}

// do sends req, holds an accepting reply against the schema (a refusal was
// held against it already) and reads it into result.
func (c *Client) do(ctx context.Context, req Request, result any) error {
	line, err := c.call(ctx, req)
	if err != nil {
		return err
	}
	name := string(req.Cmd)
	if faults := check(replyDef(req), line); len(faults) > 0 {
		return c.die(name, ErrBadReply, "broke the schema: "+faults[0], nil)
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(line, result); err != nil {
		return c.die(name, ErrBadReply, "sent a reply that cannot be read: "+err.Error(), err)
	}
	return nil
}
