package ceremony

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/factory"
	"superscalar/refnode/musig"
	"superscalar/wire"
)

// Factory is a factory as its LSP keeps it: who is in it, what was agreed, and
// every signature.
type Factory struct {
	Ceremony wire.CeremonyID
	Members  []FactoryMember
	Params   factory.Params
	Shape    factory.Shape
	Stocks   []factory.Sat
	Outpoint btcwire.OutPoint
	Funding  []byte // the signed funding transaction, once it may be broadcast

	key  *musig.SecretKey
	tree *factory.Tree
	live map[[32]byte][64]byte // signatures by sighash
	keys Keys
	// sold are the sales that made channels, by the LSP's key of each; count
	// is the number of changes in the store.
	sold  map[[33]byte]wire.CeremonyID
	count int
	// interrupted are the changes that somebody may lack a part of, by age;
	// due is the poison that was signed last below a transaction.
	interrupted []*lspChange
	due         lastPoison

	snapshot *Factory // the last one handed out
}

// FactoryMember is a client of a factory.
type FactoryMember struct {
	Peer       Peer
	Capacity   factory.Sat
	FactoryKey wire.Point
	ChannelKey wire.Point
	PayoutKey  [32]byte
}

// newFactory is the record of a creation.
func newFactory(keys Keys, c *creation, signatures [][64]byte) *Factory {
	t := c.factory.Terms()
	f := &Factory{
		Ceremony: c.id, Params: t.Params, Shape: t.Shape, Stocks: t.Amounts.Stocks,
		Outpoint: c.fundingOutpoint(), key: c.key, tree: c.tree,
		live: signed(c.round.slots, signatures), keys: keys, sold: map[[33]byte]wire.CeremonyID{},
		due: lastPoison{},
	}
	for _, m := range c.members {
		f.Members = append(f.Members, FactoryMember{m.peer, m.capacity, m.join.FactoryKey, m.join.ChannelKey, m.join.PayoutKey})
	}
	return f
}

// ID is the factory's instance id.
func (f *Factory) ID() wire.CeremonyID { return f.Ceremony }

// Tree is the live tree.
func (f *Factory) Tree() *factory.Tree { return f.tree }

// Signature returns the signature held for a transaction.
func (f *Factory) Signature(t *factory.Tx) (sig [64]byte, ok bool) {
	sig, ok = f.live[t.Sighash]
	return sig, ok
}

// Complete returns a transaction of the tree that the LSP can publish.
func (f *Factory) Complete(t *factory.Tx) (*btcwire.MsgTx, error) {
	sig, ok := f.Signature(t)
	if !ok || t.Spends == factory.SpendChannel {
		return nil, fmt.Errorf("no complete signature for the %s of transaction %s", t.Kind, t.Node)
	}
	return t.Signed(sig), nil
}

func (f *Factory) addSignature(t *factory.Tx, sig [64]byte) { f.live[t.Sighash] = sig }

// storedFactory is the form on disk.
type storedFactory struct {
	Members    []FactoryMember
	Params     factory.Params
	Shape      factory.Shape
	Stocks     []factory.Sat
	Txid       string
	Output     uint32
	Funding    []byte
	Signatures []string // of Tree.AllSlots, hex
	Channels   []string // on the channels' distributions, hex
}

// save stores the factory as it was created.
func (f *Factory) save(s Store) error {
	d := storedFactory{
		Members: f.Members, Params: f.Params, Shape: f.Shape, Stocks: f.Stocks,
		Txid: hex.EncodeToString(f.Outpoint.Hash[:]), Output: f.Outpoint.Index, Funding: f.Funding,
	}
	for _, t := range f.tree.AllSlots() {
		sig := f.live[t.Sighash]
		d.Signatures = append(d.Signatures, hex.EncodeToString(sig[:]))
	}
	for i := range f.Members {
		sig := f.live[ownDistributions(f.tree, factory.ClientIndex(i))[0].Sighash]
		d.Channels = append(d.Channels, hex.EncodeToString(sig[:]))
	}
	raw, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return s.Put(f.ID(), creationPart, raw)
}

// OpenFactory reads a factory that an LSP stored, computes it again and checks
// every signature.
func OpenFactory(cfg Config, id wire.CeremonyID, parts Parts) (*Factory, error) {
	f, err := openFactory(cfg, id, parts[creationPart])
	if err != nil {
		return nil, fmt.Errorf("factory %s: %w", id, err)
	}
	for i := 0; parts[changePart(i)] != nil; i++ {
		if err := f.reopenChange(cfg, parts[changePart(i)]); err != nil {
			return nil, fmt.Errorf("factory %s: change %d: %w", id, i, err)
		}
	}
	return f, nil
}

func openFactory(cfg Config, id wire.CeremonyID, raw []byte) (*Factory, error) {
	var d storedFactory
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return nil, err
	}
	f := &Factory{Ceremony: id, Members: d.Members, Params: d.Params, Shape: d.Shape, Stocks: d.Stocks, Funding: d.Funding, keys: cfg.Keys,
		sold: map[[33]byte]wire.CeremonyID{}, due: lastPoison{}}
	txid, err := hex.DecodeString(d.Txid)
	if err != nil || len(txid) != 32 {
		return nil, fmt.Errorf("funding txid %q is not 32 bytes of hex", d.Txid)
	}
	copy(f.Outpoint.Hash[:], txid)
	f.Outpoint.Index = d.Output
	if err := f.checkFunding(); err != nil {
		return nil, err
	}
	if err := f.rebuild(cfg); err != nil {
		return nil, err
	}
	return f, f.readSignatures(cfg, d)
}

// checkFunding refuses a funding transaction that is not the factory's: the LSP
// broadcasts and takes back what is stored.
func (f *Factory) checkFunding() error {
	if len(f.Funding) == 0 {
		return nil
	}
	var tx btcwire.MsgTx
	if err := tx.Deserialize(bytes.NewReader(f.Funding)); err != nil {
		return fmt.Errorf("funding transaction: %w", err)
	}
	if got := tx.TxHash(); got != f.Outpoint.Hash {
		return fmt.Errorf("the funding transaction is %s, the factory was funded by %s", got, f.Outpoint.Hash)
	}
	return nil
}

// rebuild computes the tree again.
func (f *Factory) rebuild(cfg Config) error {
	secret, err := cfg.Keys.Factory(f.ID())
	if err != nil {
		return err
	}
	if f.key, err = musig.NewSecretKey(secret); err != nil {
		return err
	}
	t := factory.Terms{Chain: cfg.Chain, Params: f.Params, Shape: f.Shape, LSP: f.key.PublicKey()}
	t.Amounts = factory.Amounts{Region: factory.Range{Count: uint16(len(f.Members))}, Stocks: f.Stocks}
	l := &LSP{cfg: LSPConfig{Config: cfg}}
	for i, m := range f.Members {
		join := &wire.Join{FactoryKey: m.FactoryKey, ChannelKey: m.ChannelKey, PayoutKey: m.PayoutKey}
		if err := l.addMember(&t, f.ID(), i, &member{peer: m.Peer, capacity: m.Capacity, join: join}); err != nil {
			return err
		}
	}
	built, err := factory.New(t, cfg.Rules)
	if err != nil {
		return err
	}
	f.tree, err = built.Build(f.Outpoint, factory.Whole())
	return err
}

func (f *Factory) readSignatures(cfg Config, d storedFactory) error {
	slots := f.tree.AllSlots()
	sigs, err := parseSignatures(d.Signatures)
	if err != nil {
		return err
	}
	if err := checkSignatures(slots, sigs, cfg.Rand); err != nil {
		return err
	}
	channels, err := parseSignatures(d.Channels)
	if err != nil {
		return err
	}
	if len(channels) != len(f.Members) {
		return fmt.Errorf("%d channel signatures for %d clients", len(channels), len(f.Members))
	}
	f.live = signed(slots, sigs)
	for i := range f.Members {
		f.addSignature(ownDistributions(f.tree, factory.ClientIndex(i))[0], channels[i])
	}
	return nil
}

func parseSignatures(texts []string) ([][64]byte, error) {
	out := make([][64]byte, len(texts))
	for i, text := range texts {
		raw, err := hex.DecodeString(text)
		if err != nil || len(raw) != 64 {
			return nil, fmt.Errorf("signature %d is not 64 bytes of hex", i)
		}
		copy(out[i][:], raw)
	}
	return out, nil
}

// Forget drops a factory whose funding transaction can confirm no more, with what
// is interrupted in it. It fails with ErrUnknownFactory, and with ErrBusy while a
// change of it is going on.
func (l *LSP) Forget(id wire.CeremonyID) error {
	f := l.factories[id]
	if f == nil {
		return fmt.Errorf("%s: %w", id, ErrUnknownFactory)
	}
	for _, ch := range l.changes {
		if ch.factory == f {
			return ErrBusy
		}
	}
	delete(l.factories, id)
	return nil
}
