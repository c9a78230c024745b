package payment_test

import (
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg"

	"superscalar/refnode/payment"
	"superscalar/wire"
)

// one is a node's only channel.
type one struct{ payment.Channels }

func (one) All() []payment.Link {
	_, peer := btcec.PrivKeyFromBytes([]byte{2})
	l := payment.Link{EarlyWarning: 480, InFactory: true, HintSCID: 42, Receives: true, CanReceive: 1_000_000}
	l.PeerPolicy = payment.Policy{Known: true, FeeBaseMsat: 1000, CLTVDelta: 40}
	l.Peer = wire.Point(peer.SerializeCompressed())
	return []payment.Link{l}
}

// A client makes an invoice: it asks for the early warning time of its channel
// on top of its own delta, and names the way over the LSP.
func ExampleRouter_Invoice() {
	key, _ := btcec.PrivKeyFromBytes([]byte{1})
	r, err := payment.New(payment.Config{Key: payment.NewKey(key), Net: &chaincfg.RegressionNetParams})
	if err != nil {
		fmt.Println(err)
		return
	}
	r.Handle(one{}, payment.Block{Height: 800_000})
	r.Handle(one{}, payment.Tick{Now: 1_700_000_000})
	made, actions, err := r.Invoice(one{}, payment.InvoiceRequest{Amount: 250_000, Description: "coffee"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("first action: %T\n", actions[0])
	read, err := payment.DecodeInvoice(made.Request, &chaincfg.RegressionNetParams)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(read.Amount, read.Description, read.FinalDelta, "blocks, over channel", read.Hints[0][0].SCID)
	// Output:
	// first action: payment.Persist
	// 250000 mSAT coffee 504 blocks, over channel 42
}
