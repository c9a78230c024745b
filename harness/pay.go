package harness

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg"
	sphinx "github.com/lightningnetwork/lightning-onion"

	"superscalar/refnode/channel"
	"superscalar/refnode/payment"
	"superscalar/wire"
)

// Payer is a node that can be told to pay an invoice (tier driver). It may return
// before the payment is over.
type Payer interface {
	Pay(ctx context.Context, bolt11 string) error
}

// Pay has the target pay an invoice. What the target says about it is no result;
// what it sends is.
func (p *Play) Pay(bolt11 string) {
	n, ok := p.Node.(Payer)
	if !ok {
		p.Unsupported("the target cannot be told to pay")
	}
	if err := n.Pay(p.ctx, bolt11); err != nil {
		p.event("told to pay: %s", oneLine(err.Error()))
		return
	}
	p.event("told to pay")
}

// Pay implements Payer.
func (n *refnodeNode) Pay(_ context.Context, bolt11 string) error {
	_, err := n.hub.Pay(payment.PayRequest{Invoice: bolt11, MaxFee: 1_000_000_000})
	return err
}

// InvoiceDelta is the min_final_cltv_expiry_delta of the suite's invoices, in
// blocks.
const InvoiceDelta = 200

// Invoice is one of the suite's side of the channel, for an amount in msat.
func (ch *Channel) Invoice(amountMsat uint64) string {
	preimage := ch.play.Random32()
	inv := payment.Bolt11{
		Hash: sha256.Sum256(preimage[:]), Payee: ch.PointID(), Amount: payment.Msat(amountMsat), Secret: ch.play.Random32(),
		Description: "case", Timestamp: payment.UnixTime(scriptNow.Unix()), Expiry: 3600, FinalDelta: InvoiceDelta, MPP: true,
	}
	text, err := inv.Encode(&chaincfg.RegressionNetParams, payment.NewKey(ch.nodeKey()))
	if err != nil {
		panic(err)
	}
	ch.preimages = append(ch.preimages, preimage)
	return text
}

// Preimages are those of the suite's invoices.
func (ch *Channel) Preimages() [][32]byte { return ch.preimages }

// Paid has the target pay the suite's side an amount in msat, and gives the
// preimage. The case ends when nothing comes.
func (ch *Channel) Paid(amountMsat uint64) {
	h := ch.Offered(amountMsat)
	for _, preimage := range ch.preimages {
		if sha256.Sum256(preimage[:]) == h.Hash {
			_ = ch.M.Fulfil(h.ID, preimage, false)
		}
	}
	ch.Settle()
}

// Offered has the target offer the suite's side an amount in msat. The case ends
// when nothing comes.
func (ch *Channel) Offered(amountMsat uint64) channel.HTLCReceived {
	before := len(ch.Received())
	ch.play.Pay(ch.Invoice(amountMsat))
	ch.Settle()
	all := ch.Received()
	if len(all) == before {
		ch.play.controlFailed("the target pays an invoice of its peer", oneLine(ch.Peer.how()+" nothing was offered"))
	}
	return all[len(all)-1]
}

func (ch *Channel) nodeKey() *btcec.PrivateKey { return ch.play.options(ch.identity).Key }

// Refuse fails an HTLC that the suite got as its final recipient, with a code of
// BOLT 4.
func (ch *Channel) Refuse(h channel.HTLCReceived, code uint16) {
	var packet sphinx.OnionPacket
	if err := packet.Decode(bytes.NewReader(h.Onion[:])); err != nil {
		ch.play.controlFailed("an onion that can be read", oneLine(err.Error()))
	}
	router := sphinx.NewRouter(&sphinx.PrivKeyECDH{PrivKey: ch.nodeKey()}, sphinx.NewNoOpReplayLog())
	e, err := sphinx.NewOnionErrorEncrypter(router, packet.EphemeralKey)
	if err != nil {
		panic(err)
	}
	_ = ch.M.Fail(h.ID, e.EncryptError(true, failurePacket(code)))
	ch.Settle()
}

// failurePacket is a failure message of BOLT 4, padded.
func failurePacket(code uint16) []byte {
	const size = 256
	b := binary.BigEndian.AppendUint16(nil, 2)
	b = binary.BigEndian.AppendUint16(b, code)
	b = binary.BigEndian.AppendUint16(b, size-2)
	return append(b, make([]byte, size-2)...)
}

// Commitment is the latest commitment of the suite's side, complete.
func (ch *Channel) Commitment() *channel.SignedCommitment {
	return ch.CommitmentOn(ch.M.Fundings[0].Txid)
}

// CommitmentOn is that on the output of a transaction.
func (ch *Channel) CommitmentOn(txid wire.Txid) *channel.SignedCommitment {
	c, err := ch.M.LatestCommitment(txid)
	if err != nil {
		ch.play.controlFailed("the suite has a commitment", oneLine(err.Error()))
	}
	return c
}

// Theirs reports whether a transaction is a commitment of the target that is not
// revoked.
func (ch *Channel) Theirs(txid wire.Txid) bool {
	all, err := ch.M.TheirCommitments(ch.M.Fundings[0].Txid)
	if err != nil {
		return false
	}
	for _, c := range all {
		if wire.Txid(c.Txid) == txid {
			return true
		}
	}
	return false
}

// Reverter is a node that can be set back to what it had stored, as one that is
// restored from a backup.
type Reverter interface {
	Save(ctx context.Context) error
	Revert(ctx context.Context) error
}

// Save has the target make a backup: it stops for that, and starts again.
func (p *Play) Save() { p.revert("makes a backup", Reverter.Save) }

// Revert sets the target back to its backup.
func (p *Play) Revert() { p.revert("starts from its backup", Reverter.Revert) }

func (p *Play) revert(what string, do func(Reverter, context.Context) error) {
	n, ok := p.Node.(Reverter)
	if !ok {
		p.Unsupported("the target makes no backups")
	}
	if err := do(n, p.ctx); err != nil {
		p.controlFailed("the target "+what, oneLine(err.Error()))
	}
	p.event("the target %s", what)
}

// OpenUnusable opens a Loopback channel in an instance that is never usable.
func (c *Peer) OpenUnusable(instance [32]byte) *Channel {
	ch := c.Propose(LoopbackOpen{Instance: instance})
	ch.Fund()
	return ch
}
