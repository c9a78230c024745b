package storm

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/txscript"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/chain"
	"superscalar/refnode/factory"
	"superscalar/refnode/payment"
	"superscalar/refnode/role"
	"superscalar/refnode/wallet"
)

// books are what the chain says of the channels that ended.
type books struct {
	e       *ending
	owners  []map[string]bool // their scripts, in the order of all
	outputs map[btcwire.OutPoint]*btcwire.TxOut
	sum     payment.Msat // what was in the channels
	ended   int          // channel outputs that were spent
	fees    int64        // of the transactions that spent them, in sat
	taken   []int64      // by owner, in sat
	// left is what nobody has taken of what came out of channels, in sat.
	left map[btcwire.OutPoint]int64
	// forfeit are outputs of revoked commitments of the thief, and of what the thief
	// made of them.
	forfeit map[btcwire.OutPoint]bool
}

// What may be lost, in sat: an output under the dust limit, the anchors, which whoever
// publishes pays for, and what costs more than it is worth.
const (
	dust   = 354
	anchor = 330
	crumb  = 1_000
)

// account checks that everybody has got onto the chain what the payments say: a client
// all of it but for dust, the LSP the rest but for the fees of commitments. A thief has
// nothing of a commitment that was revoked.
func (e *ending) account() {
	e.t.Helper()
	e.poisoned()
	b := &books{
		e: e, outputs: map[btcwire.OutPoint]*btcwire.TxOut{}, taken: make([]int64, len(e.all())),
		left: map[btcwire.OutPoint]int64{}, forfeit: map[btcwire.OutPoint]bool{},
	}
	for _, p := range e.all() {
		b.owners = append(b.owners, e.ownScripts(p))
	}
	e.check(chain.Follow(context.Background(), e.chain, chain.BlockID{}, func(u chain.Update) error {
		for _, block := range u.Connected {
			for _, tx := range block.Transactions {
				b.read(tx, !e.early[tx.TxHash()])
			}
		}
		return nil
	}))
	if e.lsp.past == nil && e.thief == nil {
		channels := 0
		for _, c := range e.clients {
			channels += len(e.tree().Channels(factory.ClientIndex(c.index)))
		}
		if b.ended != channels && e.lsp.lsp.Factories()[0].Interrupted == "" {
			e.fail("%d of %d channels ended on the chain", b.ended, channels)
		}
	}
	b.compare(e.entitled(b.sum))
}

// ownScripts are those of a wallet and of payouts, and of the other wallets of a thief.
func (e *ending) ownScripts(p *party) map[string]bool {
	const most = 400
	scripts := map[string]bool{}
	if !p.isLSP() {
		key, err := role.Keys{Derive: p.derive, LSP: ceremony.Peer(e.lsp.id())}.Payout(e.id)
		e.check(err)
		script, err := txscript.PayToTaprootScript(key.PubKey())
		e.check(err)
		scripts[string(script)] = true
	}
	for _, q := range append([]*party{p}, e.doubles...) {
		if q.name != p.name {
			continue
		}
		w, err := wallet.New(wallet.Options{Keys: func(i uint32) (*btcec.PrivateKey, error) { return q.derive(q.purse, i) }})
		e.check(err)
		for range most {
			script, err := w.NewScript()
			e.check(err)
			scripts[string(script)] = true
		}
	}
	return scripts
}

// read enters a transaction. Those from before the end only made outputs.
func (b *books) read(tx *btcwire.MsgTx, late bool) {
	txid := tx.TxHash()
	for i, out := range tx.TxOut {
		b.outputs[btcwire.OutPoint{Hash: txid, Index: uint32(i)}] = out
	}
	if !late {
		return
	}
	follows, forfeit := false, b.e.isRevoked(tx)
	for _, in := range tx.TxIn {
		at := in.PreviousOutPoint
		_, was := b.left[at]
		delete(b.left, at)
		follows = follows || was || b.e.outputs[at]
		forfeit = forfeit || b.forfeit[at]
		if b.e.outputs[at] {
			b.ended++
			b.sum += payment.Msat(1000 * b.outputs[at].Value)
			b.fees += b.outputs[at].Value
			for _, out := range tx.TxOut {
				b.fees -= out.Value
			}
		}
	}
	for who := range b.owners {
		if b.take(who, tx) {
			follows = false // what it leaves is somebody's
			if forfeit {
				forfeit = b.forfeits(who, tx)
			}
		}
	}
	for i, out := range tx.TxOut {
		at := btcwire.OutPoint{Hash: txid, Index: uint32(i)}
		if follows {
			b.left[at] = out.Value
		}
		if forfeit && !b.owners[max(b.e.thiefIndex(), 0)][string(out.PkScript)] {
			b.forfeit[at] = true
		}
	}
}

// take enters what an owner takes in a transaction, if it does.
func (b *books) take(who int, tx *btcwire.MsgTx) bool {
	scripts := b.owners[who]
	if !slices.ContainsFunc(tx.TxOut, func(out *btcwire.TxOut) bool { return scripts[string(out.PkScript)] }) {
		return false
	}
	for _, in := range tx.TxIn {
		if out := b.outputs[in.PreviousOutPoint]; out != nil && !scripts[string(out.PkScript)] {
			b.taken[who] += out.Value
		}
	}
	for _, out := range tx.TxOut {
		if !scripts[string(out.PkScript)] {
			b.taken[who] -= out.Value // it is claimed later
		}
	}
	return true
}

// compare checks the books against what is due.
func (b *books) compare(d *due) {
	s := b.e.storm
	s.t.Helper()
	lost := int64(b.ended)*dust + int64(d.doubt/1000)
	for at, value := range b.left {
		if value > crumb && s.thief == nil && s.lsp.past == nil { // who is gone takes nothing
			s.fail("nobody has taken %d sat of %s", value, at)
		}
		lost += min(value, crumb)
	}
	text := fmt.Sprintf("on the chain everybody has %v sat, and should have %v; %d sat of fees, %d channels, left is %v", b.taken, d.have, b.fees, b.ended, b.left)
	for i, msat := range d.have {
		p := s.all()[i]
		if p.past != nil {
			continue
		}
		waits := s.plan == cheating || p.index >= len(s.clients)-s.poor // CHG-029: others leave with more than that
		if b.e.cover != nil && !p.isLSP() && waits {
			msat = min(msat, b.e.cover[p.index])
		}
		least, most := int64(msat/1000)-lost, int64(msat/1000)+int64(b.ended)*anchor+lost
		if p.isLSP() {
			least -= b.fees + int64(b.ended)*2*anchor
			most += stockEach * int64(len(s.clients))
		}
		if b.taken[i] < least || b.taken[i] > most && s.thief == nil && s.lsp.past == nil {
			s.fail("%s: %s", p.name, text)
		}
	}
	s.note("%s", text)
	b.e.kinds()
}

// kinds counts what of the tree reached the chain, as the honest parties saw it.
func (e *ending) kinds() {
	for _, kind := range []string{"poison", "distribution", "omission", "sale"} {
		seen := map[string]bool{}
		for _, p := range e.all() {
			for _, line := range p.told {
				_, rest, _ := strings.Cut(line, ": ")
				if strings.HasPrefix(rest, kind+" ") && strings.Contains(rest, " is in block ") {
					seen[strings.Fields(rest)[1]] = true
				}
			}
		}
		e.counts[kind+"s on the chain"] += len(seen)
	}
}
