package ceremony

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/factory"
	"superscalar/wire"
)

// storedChange is a change as the LSP keeps it: what it proposed and the
// signatures of the phases that are complete.
type storedChange struct {
	Kind       string // update, sale or poison
	Ceremony   string // id, hex
	Node       factory.NodeID
	Remaining  uint8         `json:",omitempty"`
	Capacities []factory.Sat `json:",omitempty"`
	Stocks     []factory.Sat `json:",omitempty"`
	Group      uint8         `json:",omitempty"`
	Before     uint8         `json:",omitempty"`
	Buyer      factory.ClientIndex
	Amount     factory.Sat         `json:",omitempty"`
	Wider      bool                `json:",omitempty"` // the stock is that of From's group
	From       factory.ClientIndex `json:",omitempty"`
	ChannelKey string              `json:",omitempty"` // the buyer's, hex
	// Begun says that something on an existing outpoint may be signed. Phases
	// are those whose signatures are complete, Stored counts those that
	// everybody has stored, as far as that is known. BuyerOnly says of a sale that
	// nobody but its buyer was asked to sign yet (PS-014).
	Begun     bool
	BuyerOnly bool `json:",omitempty"`
	Phases    []storedPhase
	Stored    uint8 `json:",omitempty"`
}

type storedPhase struct {
	Signatures []string
	Channels   []string
}

func hexes(raw [][64]byte) []string {
	out := make([]string, len(raw))
	for i := range raw {
		out[i] = hex.EncodeToString(raw[i][:])
	}
	return out
}

// open computes a change on the factory's live tree.
func (f *Factory) open(cfg Config, ch *change, d storedChange, id wire.CeremonyID) (err error) {
	r := f.tree.Factory().Layout().Range(d.Node)
	switch d.Kind {
	case "update":
		c := factory.Change{Node: d.Node, Remaining: d.Remaining, ChannelsFirst: r.First}
		c.Amounts = factory.Amounts{Region: r, Capacities: d.Capacities, Stocks: d.Stocks}
		for i := int(r.First); i < r.End(); i++ {
			c.Channels = append(c.Channels, f.tree.Channels(factory.ClientIndex(i))[0].Channel)
		}
		ch.update, err = f.tree.Update(c)
	case "sale":
		ch.sale, err = f.openSale(d, id)
	case "poison":
		ch.poison = &d.Node
		if ch.due, err = f.due.due(f.tree, d.Node); err == nil && len(ch.due) == 0 {
			err = fmt.Errorf("transaction %s: %w", d.Node, ErrNothingInterrupted)
		}
	default:
		err = fmt.Errorf("unknown kind of change %q", d.Kind)
	}
	return err
}

func (f *Factory) openSale(d storedChange, id wire.CeremonyID) (*factory.Sale, error) {
	raw, err := hex.DecodeString(d.ChannelKey)
	if err != nil || len(raw) != 33 {
		return nil, fmt.Errorf("channel key %q is not 33 bytes of hex", d.ChannelKey)
	}
	key, err := f.saleKey(id)
	if err != nil {
		return nil, err
	}
	channel, err := factory.NewChannel(compressed(key), [33]byte(raw))
	if err != nil {
		return nil, err
	}
	return f.tree.Sell(factory.Order{Leaf: d.Node, Group: d.Group, Before: d.Before, Buyer: d.Buyer, Amount: d.Amount, Channel: channel})
}

// saleKey is the LSP's funding key of a channel that a sale made.
func (f *Factory) saleKey(id wire.CeremonyID) (*btcec.PrivateKey, error) {
	key, err := f.keys.Channel(id, 0)
	if err == nil {
		f.sold[compressed(key)] = id
	}
	return key, err
}

// channelKey is the LSP's funding key of the channel that a transaction
// spends.
func (f *Factory) channelKey(t *factory.Tx) (*btcec.PrivateKey, error) {
	return f.ownKey(t.Channel, t.Signers.First)
}

// saveChange stores a change as far as it got, the first time in the next free
// place.
func (f *Factory) saveChange(s Store, ch *lspChange) error {
	raw, err := json.Marshal(ch.record)
	if err != nil {
		return err
	}
	slot := ch.slot
	if !ch.saved {
		slot = f.count
	}
	if err := s.Put(f.ID(), changePart(slot), raw); err != nil {
		return err
	}
	if !ch.saved {
		ch.slot, ch.saved = slot, true
		f.count++
	}
	return nil
}

// reopenChange reads a stored change and checks it again.
func (f *Factory) reopenChange(cfg Config, raw []byte) error {
	var d storedChange
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return err
	}
	id, err := hex.DecodeString(d.Ceremony)
	if err != nil || len(id) != 32 {
		return fmt.Errorf("ceremony id %q is not 32 bytes of hex", d.Ceremony)
	}
	ch := &lspChange{change: change{tree: f.tree}, id: wire.CeremonyID(id), factory: f, record: d, slot: f.count, saved: true}
	ch.order = Purchase{Factory: f.ID(), Buyer: d.Buyer, Amount: d.Amount, Wider: d.Wider, From: d.From}
	if err := f.open(cfg, &ch.change, d, ch.id); err != nil {
		return err
	}
	for phase, p := range d.Phases {
		if err := f.readPhase(cfg, &ch.change, uint8(phase), p); err != nil {
			return err
		}
	}
	f.count++
	return f.settle(ch)
}

// readPhase checks the signatures of a phase and takes them in.
func (f *Factory) readPhase(cfg Config, ch *change, phase uint8, p storedPhase) error {
	if phase > ch.last() {
		return errors.New("more phases than such a change has")
	}
	slots, channels, err := ch.txs(phase)
	if err != nil {
		return err
	}
	sigs, err := parseSignatures(p.Signatures)
	if err != nil {
		return err
	}
	if err := checkSignatures(slots, sigs, cfg.Rand); err != nil {
		return err
	}
	ecdsa, err := parseSignatures(p.Channels)
	if err != nil {
		return err
	}
	addSigned(f.live, slots, sigs)
	addSigned(f.live, channels, ecdsa)
	return f.advance(ch, phase)
}

// advance takes a complete phase into the live tree.
func (f *Factory) advance(ch *change, phase uint8) (err error) {
	if f.tree, err = ch.advance(f.tree, phase); err == nil && ch.due != nil {
		f.due.set(f.tree.Factory().Layout(), ch.node(), ch.due)
	}
	return err
}
