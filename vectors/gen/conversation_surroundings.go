package gen

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/ledger"
	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// What stands around a machine in a conversation: disk, coins and keys.

// disk is a store without a disk. One record serves all factories.
type disk struct {
	rules    rule.Set
	ledger   *ledger.Ledger
	recorded []ledger.Entry
	parts    map[wire.CeremonyID]ceremony.Parts
	signed   []ledger.Entry // in this step
}

func newDisk(rules rule.Set, from *disk) (*disk, error) {
	d := &disk{rules: rules, parts: map[wire.CeremonyID]ceremony.Parts{}}
	if from != nil {
		d.recorded = slices.Clone(from.recorded)
		for id, parts := range from.parts {
			d.parts[id] = ceremony.Parts{}
			for name, data := range parts {
				d.parts[id][name] = data
			}
		}
	}
	var err error
	d.ledger, err = ledger.New(rules, d.recorded)
	return d, err
}

// Sign implements ceremony.Store.
func (d *disk) Sign(_ wire.CeremonyID, entries []ledger.Entry) error {
	fresh, err := d.ledger.Fresh(entries)
	if err != nil {
		return err
	}
	if err := d.ledger.Add(entries); err != nil {
		return err
	}
	d.recorded = append(d.recorded, fresh...)
	d.signed = append(d.signed, fresh...)
	return nil
}

// Put implements ceremony.Store.
func (d *disk) Put(id wire.CeremonyID, part string, data []byte) error {
	if d.parts[id] == nil {
		d.parts[id] = ceremony.Parts{}
	}
	d.parts[id][part] = slices.Clone(data)
	return nil
}

// factories are those that are stored, by id. A client has begun a factory once
// it has its creation.
func (d *disk) factories() []wire.CeremonyID {
	var out []wire.CeremonyID
	for id := range d.parts {
		out = append(out, id)
	}
	slices.SortFunc(out, func(a, b wire.CeremonyID) int { return bytes.Compare(a[:], b[:]) })
	return out
}

// purse funds anything with one coin for each attempt.
type purse struct {
	coin      chainhash.Hash
	n         uint32
	broadcast *chainhash.Hash // in this step
}

// Fund implements ceremony.Funder.
func (p *purse) Fund(_ wire.CeremonyID, out btcwire.TxOut) (*btcwire.MsgTx, uint32, error) {
	p.n++
	tx := btcwire.NewMsgTx(2)
	tx.AddTxIn(btcwire.NewTxIn(&btcwire.OutPoint{Hash: p.coin, Index: p.n}, nil, nil))
	tx.AddTxOut(&out)
	return tx, 0, nil
}

// Sign implements ceremony.Funder.
func (p *purse) Sign(_ wire.CeremonyID, tx *btcwire.MsgTx) (*btcwire.MsgTx, error) { return tx, nil }

// Release implements ceremony.Funder.
func (p *purse) Release(wire.CeremonyID) {}

// Broadcast implements ceremony.Funder.
func (p *purse) Broadcast(tx *btcwire.MsgTx) error {
	txid := tx.TxHash()
	p.broadcast = &txid
	return nil
}

// derived are the keys of a party of these files, and remembers which were
// asked for.
type derived struct {
	party int
	asked map[wire.CeremonyID]*vectors.PartyKeys
}

func newDerived(party int) *derived {
	return &derived{party, map[wire.CeremonyID]*vectors.PartyKeys{}}
}

func (d *derived) of(id wire.CeremonyID) *vectors.PartyKeys {
	if d.asked[id] == nil {
		d.asked[id] = &vectors.PartyKeys{Party: partyName(d.party), Ceremony: id[:]}
	}
	return d.asked[id]
}

func (d *derived) key(use string, id wire.CeremonyID, i uint32) (*btcec.PrivateKey, vectors.Hex) {
	h := sha256.Sum256(fmt.Appendf(nil, "superscalar vectors conversation %s %s %s %d", partyName(d.party), use, id, i))
	return secp256k1.PrivKeyFromBytes(h[:]), h[:]
}

// Factory implements ceremony.Keys.
func (d *derived) Factory(id wire.CeremonyID) (*btcec.PrivateKey, error) {
	key, raw := d.key("factory", id, 0)
	d.of(id).Factory = raw
	return key, nil
}

// Payout implements ceremony.Keys.
func (d *derived) Payout(id wire.CeremonyID) (*btcec.PrivateKey, error) {
	key, raw := d.key("payout", id, 0)
	d.of(id).Payout = raw
	return key, nil
}

// Channel implements ceremony.Keys.
func (d *derived) Channel(id wire.CeremonyID, i uint32) (*btcec.PrivateKey, error) {
	key, raw := d.key("channel", id, i)
	k := d.of(id)
	for uint32(len(k.Channels)) < i {
		_, below := d.key("channel", id, uint32(len(k.Channels)))
		k.Channels = append(k.Channels, below)
	}
	if uint32(len(k.Channels)) == i {
		k.Channels = append(k.Channels, raw)
	}
	return key, nil
}

// list are the keys that were asked for, by attempt.
func (d *derived) list() []vectors.PartyKeys {
	var out []vectors.PartyKeys
	for _, k := range d.asked {
		out = append(out, *k)
	}
	slices.SortFunc(out, func(a, b vectors.PartyKeys) int { return bytes.Compare(a.Ceremony, b.Ceremony) })
	return out
}

// given are the keys that a vector lists for a party.
type given struct {
	party string
	keys  []vectors.PartyKeys
}

func (g given) find(id wire.CeremonyID, what string, of func(vectors.PartyKeys) vectors.Hex) (*btcec.PrivateKey, error) {
	for _, k := range g.keys {
		if k.Party == g.party && bytes.Equal(k.Ceremony, id[:]) {
			if raw := of(k); len(raw) == 32 {
				return secp256k1.PrivKeyFromBytes(raw), nil // without the public key, which few ask for
			}
		}
	}
	return nil, fmt.Errorf("the vector has no %s key of %s for ceremony %s", what, g.party, id)
}

// Factory implements ceremony.Keys.
func (g given) Factory(id wire.CeremonyID) (*btcec.PrivateKey, error) {
	return g.find(id, "factory", func(k vectors.PartyKeys) vectors.Hex { return k.Factory })
}

// Payout implements ceremony.Keys.
func (g given) Payout(id wire.CeremonyID) (*btcec.PrivateKey, error) {
	return g.find(id, "payout", func(k vectors.PartyKeys) vectors.Hex { return k.Payout })
}

// Channel implements ceremony.Keys.
func (g given) Channel(id wire.CeremonyID, i uint32) (*btcec.PrivateKey, error) {
	return g.find(id, "channel", func(k vectors.PartyKeys) vectors.Hex {
		if uint64(i) >= uint64(len(k.Channels)) {
			return nil
		}
		return k.Channels[i]
	})
}
