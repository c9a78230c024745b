package interop

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"superscalar/refnode/payment"
)

// held is a payment of a client that lnd holds: it has the HTLC and says its
// preimage when it is told to.
type held struct {
	payer    *party
	preimage payment.Preimage
	hash     payment.Hash
	stop     func() // ends the wait for the end of it
}

// hold makes a client pay an invoice that lnd holds, and waits until lnd has the
// HTLC. The result is never nil.
func (s *script) hold(payer *party) (*held, error) {
	h := &held{payer: payer, stop: func() {}}
	if _, err := rand.Read(h.preimage[:]); err != nil {
		return h, err
	}
	h.hash = h.preimage.Hash()
	var invoice struct {
		Request string `json:"payment_request"`
	}
	if err := s.lnd.Lncli(s.ctx, &invoice, "addholdinvoice", fmt.Sprint("--amt=", heldByLND), h.hash.String()); err != nil {
		return h, err
	}
	ctx, stop := context.WithCancel(s.ctx)
	h.stop = stop
	order := s.orderToLND(payer, invoice.Request, heldByLND)
	go func() { _, _ = payer.side.Pay(ctx, order) }() // how it ends is asked for later
	return h, s.until("lnd holds the HTLC", func() (bool, error) {
		state, err := s.invoiceState(h.hash.String())
		return state == "ACCEPTED", err
	})
}

// reveal makes lnd say the preimage.
func (s *script) reveal(h *held) error {
	var empty struct{}
	return s.lnd.Lncli(s.ctx, &empty, "settleinvoice", hex.EncodeToString(h.preimage[:]))
}

// paid reports whether the payer has the preimage, and lnd then calls the invoice
// settled.
func (s *script) paid(h *held) (bool, error) {
	got, _ := h.payer.side.Hub().Payment(h.hash)
	switch {
	case got.State == payment.Failed:
		return false, errors.New("the client's payment failed: " + got.Reason.String())
	case got.State != payment.Succeeded:
		return false, nil
	case got.Preimage != h.preimage:
		return false, errors.New("the client has another preimage than lnd")
	}
	s.toLND.count(heldByLND)
	return true, s.settledAtLND(h.hash.String())
}
