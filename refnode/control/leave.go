package control

import (
	"superscalar/wire"
)

// Departure is a factory that a client shall leave, alone.
type Departure struct {
	Factory *wire.CeremonyID // nil: the only one
}

// Cost is what a way out takes: the transactions of the factory, each with the
// child that pays for it.
type Cost struct {
	Transactions int    `json:"transactions"`
	VBytes       uint64 `json:"vbytes"`
	// Blocks is the most it can take: delays, and confirm_blocks for each
	// transaction.
	Blocks uint32 `json:"blocks"`
	// FeeSat is the price of all at the fee rate that is tried first, MaxFeeSat
	// at the one that is not exceeded; rates are in sat per 1,000 vB.
	FeeSat     uint64 `json:"fee_sat"`
	FeeRate    uint64 `json:"fee_rate"`
	MaxFeeSat  uint64 `json:"max_fee_sat"`
	MaxFeeRate uint64 `json:"max_fee_rate"`
}

// ExitStatus is what the way out of a factory does.
type ExitStatus struct {
	// Height is that of the last look at the chain.
	Height uint32 `json:"height"`
	// Leaving is true when the node publishes its whole path: a client that was
	// told to, an LSP from exit_height on.
	Leaving bool `json:"leaving"`
	// Cost is that of the whole way, from now on also of what is done already.
	Cost Cost `json:"cost"`
	// Published are transactions in a block, then in the mempool.
	Published []ExitTx `json:"published"`
	// Waiting are those that were refused, or cannot be paid for.
	Waiting []ExitTx `json:"waiting"`
	// NextHeight is a height from which on there is something to do, 0 when none
	// is known.
	NextHeight uint32 `json:"next_height,omitempty"`
	// PaidSat is what distributions, omissions and poison in blocks pay the
	// client, in sat.
	PaidSat uint64 `json:"paid_sat,omitempty"`
	Error   string `json:"error,omitempty"` // why the last look failed
}

// ExitTx is one transaction of a way out.
type ExitTx struct {
	Kind string `json:"kind"` // "kickoff", "state", ..., "claim"
	Txid string `json:"txid,omitempty"`
	// Height is that of its block, 0 outside of blocks.
	Height uint32 `json:"height,omitempty"`
	// Deadline is the last block it should be in; Rule and Reason say why.
	Deadline uint32 `json:"deadline,omitempty"`
	Rule     string `json:"rule,omitempty"`
	Reason   string `json:"reason,omitempty"`
	// FeeSat is what the child that this node made pays, VBytes the size of the
	// transaction with a child.
	FeeSat uint64 `json:"fee_sat,omitempty"`
	VBytes uint64 `json:"vbytes,omitempty"`
	Error  string `json:"error,omitempty"` // why it waits
}

// Leaving is the reply to leave.
type Leaving struct {
	FactoryID string `json:"factory_id"`
	Cost      Cost   `json:"cost"`
	// Detail is one line for a person: what it costs, and what is missing.
	Detail string `json:"detail"`
}

type leaving struct {
	done
	Leaving
}

// depart obeys leave.
func depart(q request, n Node) (Leaving, error) {
	var d Departure
	mode := "unilateral"
	if _, given := q.fields["mode"]; given {
		var err error
		if mode, err = q.text("mode"); err != nil {
			return Leaving{}, err
		}
	}
	if mode != "unilateral" && mode != "cooperative" {
		return Leaving{}, refuse(BadRequest, "mode is neither cooperative nor unilateral")
	}
	if _, given := q.fields["factory_id"]; given {
		text, err := q.text("factory_id")
		if err != nil {
			return Leaving{}, err
		}
		id, err := parseCeremonyID(text)
		if err != nil {
			return Leaving{}, err
		}
		d.Factory = &id
	}
	f, ok := n.(Factories)
	switch {
	case !ok:
		return Leaving{}, refuse(Unsupported, "the node takes part in no factory: start it with --chain")
	case mode == "cooperative":
		return Leaving{}, refuse(Unsupported, "the reference node leaves alone: mode unilateral")
	}
	out, err := f.Leave(d)
	_, err = asUnsupported(wire.CeremonyID{}, err)
	return out, err
}
