package control

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"

	"superscalar/refnode/transport"
	"superscalar/wire"
)

// Payments is what a Node has beside its connections when it has channels:
// *participant.Participant is one.
type Payments interface {
	// Invoice makes an invoice over msat, 0 for any amount, with a text for the
	// payer.
	Invoice(msat uint64, text string) (Invoice, error)
	// Pay pays an invoice and returns when the payment is over, or, with an
	// ErrInFlight, when ctx is or a minute has passed.
	Pay(ctx context.Context, p Pay) (Paid, error)
	// OpenChannel begins to open a channel outside factories.
	OpenChannel(peer transport.NodeID, amountSat, pushMsat uint64) error
	// CloseChannel closes a channel, by agreement or by force.
	CloseChannel(id wire.ChannelID, force bool) error
	// Channels returns every channel.
	Channels() []ChannelStatus
}

// ErrInFlight is a payment that has no end yet: it can still succeed, so nobody may pay
// in another way instead.
var ErrInFlight = errors.New("the payment is still in flight: it can still succeed; ask again")

// Invoice is an invoice of the node.
type Invoice struct {
	Bolt11      string `json:"bolt11"`
	PaymentHash string `json:"payment_hash"` // 64 hex digits
}

// Pay is an order to pay.
type Pay struct {
	Bolt11     string
	AmountMsat uint64 // of an invoice that names none, else 0
	MaxFeeMsat uint64
	UsualFee   bool  // in place of MaxFeeMsat: payment.UsualMaxFee of the amount that is paid
	Hint       *Hint // a last hop besides those of the invoice, nil: none
}

// Hint is a channel that leads to the payee from a peer of this node.
type Hint struct {
	NodeID      string `json:"node_id"`
	SCID        uint64 `json:"short_channel_id"`
	FeeBaseMsat uint32 `json:"fee_base_msat"`
	FeePPM      uint32 `json:"fee_ppm"`
	CLTVDelta   uint16 `json:"cltv_expiry_delta"`
}

// Paid is a payment that succeeded.
type Paid struct {
	Preimage   string `json:"preimage"` // 64 hex digits
	AmountMsat uint64 `json:"amount_msat"`
	FeeMsat    uint64 `json:"fee_msat"`
}

// ChannelStatus is a channel in the reply to status.
type ChannelStatus struct {
	ChannelID   string `json:"channel_id"` // 64 hex digits
	Peer        string `json:"peer"`       // node id
	State       string `json:"state"`      // "opening", "ready", "closing", "closed" or "voided"
	CapacitySat uint64 `json:"capacity_sat"`
	LocalMsat   uint64 `json:"local_msat"`
	SendMsat    uint64 `json:"can_send_msat"`    // largest HTLC that can be offered now
	ReceiveMsat uint64 `json:"can_receive_msat"` // largest HTLC that the peer could offer
	FactoryID   string `json:"factory_id,omitempty"`
	Detail      string `json:"detail,omitempty"` // why it failed
}

// The states of a channel.
const (
	ChannelOpening = "opening"
	ChannelReady   = "ready"
	ChannelClosing = "closing"
	ChannelClosed  = "closed"
	ChannelVoided  = "voided" // its output will never be: in a factory, something else spends what it hangs on
)

type invoiced struct {
	done
	Invoice
}

type paid struct {
	done
	Paid
}

func payments(n Node, what string) (Payments, error) {
	p, ok := n.(Payments)
	if !ok {
		return nil, refuse(Unsupported, "the node has no channels, so no %s: start it with --chain", what)
	}
	return p, nil
}

func invoice(q request, n Node) (Invoice, error) {
	p, err := payments(n, "invoice")
	if err != nil {
		return Invoice{}, err
	}
	msat, err := q.msat("amount_msat", 0)
	if err != nil {
		return Invoice{}, err
	}
	text := ""
	if q.fields["description"] != nil {
		if text, err = q.text("description"); err != nil {
			return Invoice{}, err
		}
	}
	return p.Invoice(msat, text)
}

func pay(ctx context.Context, q request, n Node) (Paid, error) {
	p, err := payments(n, "pay")
	if err != nil {
		return Paid{}, err
	}
	order := Pay{}
	if order.Bolt11, err = q.text("bolt11"); err != nil {
		return Paid{}, err
	}
	if q.fields["amount_msat"] != nil {
		if order.AmountMsat, err = q.msat("amount_msat", 1); err != nil {
			return Paid{}, err
		}
	}
	if q.fields["max_fee_msat"] != nil {
		if order.MaxFeeMsat, err = q.msat("max_fee_msat", 0); err != nil {
			return Paid{}, err
		}
	} else {
		order.UsualFee = true
	}
	if raw := q.fields["hint"]; raw != nil {
		order.Hint = &Hint{}
		if json.Unmarshal(raw, order.Hint) != nil {
			return Paid{}, refuse(BadRequest, "hint is no object with node_id, short_channel_id, fee_base_msat, fee_ppm and cltv_expiry_delta")
		}
		if _, err := transport.ParseNodeID(order.Hint.NodeID); err != nil {
			return Paid{}, refuse(BadRequest, "hint: node_id: %v", err)
		}
	}
	return p.Pay(ctx, order)
}

// open obeys open: a channel outside factories.
func open(q request, n Node) error {
	p, err := payments(n, "open")
	if err != nil {
		return err
	}
	text, err := q.text("peer")
	if err != nil {
		return err
	}
	id, err := transport.ParseNodeID(text)
	if err != nil {
		return refuse(BadRequest, "peer: %v", err)
	}
	amount, err := q.sat("amount_sat", 1)
	if err != nil {
		return err
	}
	push := uint64(0)
	if q.fields["push_msat"] != nil {
		if push, err = q.msat("push_msat", 0); err != nil {
			return err
		}
	}
	return p.OpenChannel(id, amount, push)
}

// closeChannel obeys close.
func closeChannel(q request, n Node) error {
	p, err := payments(n, "close")
	if err != nil {
		return err
	}
	text, err := q.text("channel_id")
	if err != nil {
		return err
	}
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != 32 {
		return refuse(BadRequest, "channel_id is not 64 hex digits")
	}
	force := false
	if b, ok := q.fields["force"]; ok && json.Unmarshal(b, &force) != nil {
		return refuse(BadRequest, "force is neither true nor false")
	}
	return p.CloseChannel(wire.ChannelID(raw), force)
}

// msat reads a field that has to be an amount in msat.
func (q request) msat(field string, least uint64) (amount uint64, err error) {
	raw := q.fields[field]
	if raw == nil || string(raw) == "null" || json.Unmarshal(raw, &amount) != nil || amount < least || amount > 1000*maxSat {
		return 0, refuse(BadRequest, "%s is not a whole number of msat from %d to %d", field, least, uint64(1000*maxSat))
	}
	return amount, nil
}
