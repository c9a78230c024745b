package driver

import "encoding/json"

// Command is the name of something a driver can be told to do.
type Command string

// The eight commands. There will not be a ninth.
const (
	CmdStart   Command = "start"
	CmdStop    Command = "stop"
	CmdConnect Command = "connect"
	CmdBuy     Command = "buy"
	CmdInvoice Command = "invoice"
	CmdPay     Command = "pay"
	CmdLeave   Command = "leave"
	CmdStatus  Command = "status"
)

// Commands returns the eight commands in the order Doctor runs them.
func Commands() []Command {
	return []Command{CmdStart, CmdConnect, CmdBuy, CmdInvoice, CmdPay, CmdLeave, CmdStatus, CmdStop}
}

// Code says why a request was refused.
type Code string

// The four codes of a refusal.
const (
	// CodeUnsupported: the driver or its node cannot do this command at all.
	CodeUnsupported Code = "unsupported"
	// CodeFailed: the node tried, or could not try now, and failed.
	CodeFailed Code = "failed"
	// CodeUnknownCommand: the command is none of the eight.
	CodeUnknownCommand Code = "unknown-command"
	// CodeBadRequest: the line is no JSON object or a parameter is missing,
	// of the wrong type or out of range.
	CodeBadRequest Code = "bad-request"
)

// Role is which side of a factory the node under test plays.
type Role string

// The two roles.
const (
	RoleLSP    Role = "lsp"
	RoleClient Role = "client"
)

// Regtest is the only network a driver is asked for.
const Regtest = "regtest"

// Mode is how a client leaves a factory.
type Mode string

// The two ways to leave.
const (
	// Cooperative: the LSP and the client agree and sign.
	Cooperative Mode = "cooperative"
	// Unilateral: the client publishes its own path of the tree.
	Unilateral Mode = "unilateral"
)

// Sat is an amount in satoshi, at most 2,100,000,000,000,000.
type Sat uint64

// Msat is an amount in thousandths of a satoshi, at most
// 2,100,000,000,000,000,000 by consensus; a driver in JavaScript is exact up
// to 9,007,199,254,740,991 and the schema stops there.
type Msat uint64

// Request is one line to a driver, or to the control input of the reference
// node (which knows connect, buy, leave, status and stop). One flat type serves all
// commands; a command reads only its own fields and absent means zero.
type Request struct {
	// ID counts up from 1 on each connection; the reply repeats it.
	ID uint64 `json:"id"`
	// Cmd is what to do.
	Cmd Command `json:"cmd"`

	// Role (start): which side the node plays.
	Role Role `json:"role,omitempty"`
	// Network (start): always "regtest".
	Network string `json:"network,omitempty"`
	// Seed (start): lower case hex, up to 32 bytes. A driver may derive the
	// node's keys from it, or ignore it.
	Seed string `json:"seed,omitempty"`
	// Restart (stop): bring the same node up again, same keys and data.
	Restart bool `json:"restart,omitempty"`
	// Peer (connect): NODEID@HOST:PORT; (buy): NODEID alone.
	Peer string `json:"peer,omitempty"`
	// AmountSat (buy): liquidity to buy or sell, at least 1 sat.
	AmountSat Sat `json:"amount_sat,omitempty"`
	// AmountMsat (invoice): amount to ask for, at least 1 msat.
	AmountMsat Msat `json:"amount_msat,omitempty"`
	// Bolt11 (pay): the invoice.
	Bolt11 string `json:"bolt11,omitempty"`
	// Mode (leave): how to leave.
	Mode Mode `json:"mode,omitempty"`
	// FactoryID (leave): which factory, 64 hex; absent means the only one.
	FactoryID string `json:"factory_id,omitempty"`
}

// Reply is what every reply starts with. The fields of an accepted command
// (Node, Invoice, Payment, Status) stand beside these on the same line.
type Reply struct {
	// ID repeats the request; nil (null) when the request had none.
	ID *uint64 `json:"id"`
	// OK is true when the command was done.
	OK bool `json:"ok"`
	// Error is one line for a person, when OK is false.
	Error string `json:"error,omitempty"`
	// Code is the reason for a program, when OK is false.
	Code Code `json:"code,omitempty"`
}

// Node is a running node: the reply to start and to stop with restart.
type Node struct {
	// NodeID is the compressed public key, 66 lower case hex digits.
	NodeID string `json:"node_id"`
	// Address is the host:port where the node listens for BOLT 8.
	Address string `json:"address"`
	// Version is free text, like "superscalar/0.3".
	Version string `json:"version"`
}

// Ready is the line the reference node prints on stdout once it listens.
type Ready struct {
	// Event is always "ready".
	Event string `json:"event"`
	Node
}

// Invoice is the reply to invoice.
type Invoice struct {
	// Bolt11 is the invoice as text.
	Bolt11 string `json:"bolt11"`
	// PaymentHash is 64 lower case hex digits.
	PaymentHash string `json:"payment_hash"`
}

// Payment is the reply to a pay that settled.
type Payment struct {
	// Preimage is 64 lower case hex digits.
	Preimage string `json:"preimage"`
}

// Status is the reply to status: what the node believes. It is for people and
// for waiting, never the ground of a verdict.
type Status struct {
	Peers     []PeerStatus    `json:"peers"`
	Channels  []ChannelStatus `json:"channels"`
	Factories []FactoryStatus `json:"factories"`
}

// MarshalJSON writes empty lists as [], since the schema has no null there.
func (s Status) MarshalJSON() ([]byte, error) {
	type plain Status
	if s.Peers == nil {
		s.Peers = []PeerStatus{}
	}
	if s.Channels == nil {
		s.Channels = []ChannelStatus{}
	}
	if s.Factories == nil {
		s.Factories = []FactoryStatus{}
	}
	return json.Marshal(plain(s))
}

// PeerStatus is a peer with an open connection.
type PeerStatus struct {
	// NodeID is the peer's key, 66 lower case hex digits.
	NodeID string `json:"node_id"`
}

// ChannelStatus is a channel, inside a factory or not.
type ChannelStatus struct {
	// ChannelID is BOLT 2's channel_id, 64 hex; the temporary one until the
	// final one is known.
	ChannelID string `json:"channel_id"`
	// Peer is the node id at the other end.
	Peer string `json:"peer"`
	// State is "opening", "ready", "closing" or "closed".
	State string `json:"state"`
	// CapacitySat is the whole channel, both sides together.
	CapacitySat Sat `json:"capacity_sat"`
	// LocalMsat is what the node under test owns of it.
	LocalMsat Msat `json:"local_msat"`
	// FactoryID names the factory the channel lives in, 64 hex, or is absent.
	FactoryID string `json:"factory_id,omitempty"`
}

// FactoryStatus is a factory the node takes part in.
type FactoryStatus struct {
	// FactoryID is 64 lower case hex digits.
	FactoryID string `json:"factory_id"`
	// State is "building", "active", "dying", "closed" or "damaged".
	State string `json:"state"`
}
