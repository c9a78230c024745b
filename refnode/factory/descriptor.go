package factory

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/txscript"

	"superscalar/refnode/musig"
)

const (
	// descriptorCharset are the characters of descriptors, in the order in
	// which BIP-380 numbers them.
	descriptorCharset = "0123456789()[],'/*abcdefgh@:$%{}" +
		"IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~" +
		"ijklmnopqrstuvwxyzABCDEFGH`#\"\\ "

	checksumCharset = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	checksumLength  = 8
)

// descriptorGenerators are the constants of the BCH code of BIP-380.
var descriptorGenerators = [5]uint64{0xf5dee51989, 0xa9fdca3312, 0x1bab10e32d, 0x3706b1677a, 0x644d626ffd}

// Checksum returns the 8 characters that follow "#" in a descriptor (BIP-380),
// false for a character that descriptors do not have.
func Checksum(descriptor string) (string, bool) {
	code, group, in := uint64(1), 0, 0
	feed := func(v int) {
		top := code >> 35
		code = (code&0x7ffffffff)<<5 ^ uint64(v)
		for i, generator := range descriptorGenerators {
			if top>>i&1 == 1 {
				code ^= generator
			}
		}
	}
	for _, char := range []byte(descriptor) {
		at := strings.IndexByte(descriptorCharset, char)
		if at < 0 {
			return "", false
		}
		feed(at & 31)
		if group, in = group*3+at>>5, in+1; in == 3 {
			feed(group)
			group, in = 0, 0
		}
	}
	if in > 0 {
		feed(group)
	}
	for range checksumLength {
		feed(0)
	}
	code ^= 1
	sum := make([]byte, checksumLength)
	for i := range sum {
		sum[i] = checksumCharset[code>>(5*(checksumLength-1-i))&31]
	}

	return string(sum), true
}

// withChecksum appends the checksum to a descriptor made here, whose characters
// are all known.
func withChecksum(descriptor string) string {
	sum, _ := Checksum(descriptor)

	return descriptor + "#" + sum
}

// musigExpression is the BIP-390 expression of a key, participants sorted.
func (k *keyring) musigExpression(r Range) string {
	keys := musig.Sort(k.signers(r))
	words := make([]string, len(keys))
	for i, key := range keys {
		words[i] = key.String()
	}

	return "musig(" + strings.Join(words, ",") + ")"
}

// NodeDescriptor returns tr(musig(...)) of an output that a transaction over
// the clients r spends (SCRIPT-001), empty when there are no such clients.
func (f *Factory) NodeDescriptor(r Range) string {
	if r.Count == 0 || r.End() > f.layout.Clients() {
		return ""
	}

	return withChecksum("tr(" + f.keys.musigExpression(r) + ")")
}

// StockDescriptor returns the descriptor of a stock output of the group r
// (SCRIPT-002), empty when there are no such clients.
func (f *Factory) StockDescriptor(r Range) string {
	if r.Count == 0 || r.End() > f.layout.Clients() {
		return ""
	}

	return withChecksum(fmt.Sprintf("tr(%s,and_v(v:pk(%x),older(%d)))",
		f.keys.musigExpression(r), f.terms.LSP.XOnly(), f.terms.Params.StockCSV))
}

// ChannelDescriptor returns the descriptor of a channel output (SCRIPT-003): its
// script alone when the keys are not known.
func ChannelDescriptor(c Channel) string {
	if !c.Known {
		return rawDescriptor(c.Script[:])
	}

	return withChecksum(fmt.Sprintf("wsh(sortedmulti(2,%x,%x))", c.Keys[0], c.Keys[1]))
}

// PayoutDescriptor returns the descriptor of a payout output (SCRIPT-005).
func PayoutDescriptor(key [32]byte) string {
	return withChecksum(fmt.Sprintf("rawtr(%x)", key))
}

// AnchorDescriptor returns the descriptor of the P2A output (SCRIPT-004).
func AnchorDescriptor() string { return rawDescriptor(AnchorScript()) }

func rawDescriptor(script []byte) string {
	return withChecksum("raw(" + hex.EncodeToString(script) + ")")
}

// Descriptors returns the descriptors of the output that a transaction spends
// and of its outputs. A channel whose keys this view does not know appears as
// its script.
func (t *Tree) Descriptors(tx *Tx) (input string, outputs []string) {
	for _, out := range tx.Msg.TxOut {
		outputs = append(outputs, t.describe(tx, out.PkScript))
	}

	return t.describe(tx, tx.PrevOut.PkScript), outputs
}

func (t *Tree) describe(tx *Tx, script []byte) string {
	if len(script) != 34 {
		return rawDescriptor(script)
	}
	if script[0] == txscript.OP_0 {
		return ChannelDescriptor(t.channelOf(tx, [34]byte(script)))
	}
	key := [32]byte(script[2:])
	u, ok := t.f.keys.useOf(key)
	switch {
	case !ok:
		return PayoutDescriptor(key)
	case u.stock:
		return t.f.StockDescriptor(u.clients)
	}

	return t.f.NodeDescriptor(u.clients)
}

// channelOf looks a channel up by its script, near the transaction.
func (t *Tree) channelOf(tx *Tx, script [34]byte) Channel {
	if tx.Channel.Script == script {
		return tx.Channel
	}
	if t.f.layout.IsLeaf(tx.Node) {
		r := t.f.layout.Range(tx.Node)
		for _, channel := range t.channels[r.First:r.End()] {
			if channel.Script == script {
				return channel
			}
		}
		for _, sale := range t.sales[stockID{tx.Node, tx.Group}] {
			if sale.Order.Channel.Script == script {
				return sale.Order.Channel
			}
		}
	}

	return Channel{Script: script}
}
