package ceremony

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/factory"
	"superscalar/refnode/musig"
	"superscalar/wire"
)

// Held is a factory as its client keeps it (section 5.5): the messages that
// made it, from which everything else is computed again.
type Held struct {
	Proposal   *wire.Proposal
	Signatures *wire.Signatures
	Changes    []*HeldChange

	cfg  Config
	tree *factory.Tree
	live map[[32]byte][64]byte // signatures by sighash
	due  lastPoison            // the poison signed last below a transaction

	snapshot *Held // the last one handed out
}

// HeldChange is a change as far as it got.
type HeldChange struct {
	Message wire.Ceremony // *wire.Update, *wire.Sale or *wire.Poison
	// Begun says that a partial signature on the transaction that spends an
	// existing outpoint may have left: its step is used up.
	Begun  bool
	Phases []*wire.Signatures // complete ones, in order

	run *clientChange // to be taken up again
}

// ID is the factory's instance id.
func (h *Held) ID() wire.CeremonyID { return h.Proposal.Ceremony }

// Client is the client's index.
func (h *Held) Client() factory.ClientIndex { return factory.ClientIndex(h.Proposal.ClientIndex) }

// Tree is the live tree, the client's path of it.
func (h *Held) Tree() *factory.Tree { return h.tree }

// Signature returns the signature that the client holds for a transaction:
// BIP-340, or the LSP's ECDSA signature for one that spends a channel output.
func (h *Held) Signature(t *factory.Tx) (sig [64]byte, ok bool) {
	sig, ok = h.live[t.Sighash]
	return sig, ok
}

// Complete returns a transaction that the client can publish: with its
// signature, and for a channel output with the client's own beside the LSP's.
func (h *Held) Complete(t *factory.Tx) (*btcwire.MsgTx, error) {
	sig, ok := h.Signature(t)
	if !ok {
		return nil, fmt.Errorf("no signature for the %s of transaction %s", t.Kind, t.Node)
	}
	if t.Spends != factory.SpendChannel {
		return t.Signed(sig), nil
	}
	origin, _ := h.channelOrigin(t)
	key, err := h.cfg.Keys.Channel(origin, 0)
	if err != nil {
		return nil, err
	}
	lsp, err := WitnessSignature(sig)
	if err != nil {
		return nil, err
	}
	own := ownWitness(key, t)
	a, b := lsp, own
	if t.Channel.Keys[0] == compressed(key) {
		a, b = own, lsp
	}
	return t.SignedChannel(a, b)
}

// channelOrigin is the attempt that made the channel a transaction spends, and
// the LSP's key of it.
func (h *Held) channelOrigin(t *factory.Tx) (wire.CeremonyID, wire.Point) {
	for _, ch := range h.Changes {
		sale, ok := ch.Message.(*wire.Sale)
		if ok && factory.ClientIndex(sale.Buyer) == h.Client() && bytes.Equal(sale.ChannelScript, t.Channel.Script[:]) {
			return sale.Ceremony, sale.LSPChannelKey
		}
	}
	return h.ID(), h.Proposal.LSPChannelKey
}

// checkChannels checks the LSP's signatures on own channel outpoints.
func (h *Held) checkChannels(txs []*factory.Tx, raw [][64]byte) error {
	keys := make([]wire.Point, len(txs))
	for i, t := range txs {
		_, keys[i] = h.channelOrigin(t)
	}
	return checkChannels(txs, keys, raw)
}

func compressed(key *btcec.PrivateKey) (out [33]byte) {
	copy(out[:], musig.PublicKeyOf(key).SerializeCompressed())
	return out
}

// signed indexes complete signatures by what they sign.
func signed(slots []*factory.Tx, raw [][64]byte) map[[32]byte][64]byte {
	out := make(map[[32]byte][64]byte, len(slots))
	addSigned(out, slots, raw)
	return out
}

func addSigned(into map[[32]byte][64]byte, slots []*factory.Tx, raw [][64]byte) {
	for i := range min(len(slots), len(raw)) {
		into[slots[i].Sighash] = raw[i]
	}
}

// creationPart and changePart name the records of a factory in the store.
const creationPart = "creation"

func changePart(i int) string { return fmt.Sprintf("change/%06d", i) }

// save stores the factory as it was created.
func (h *Held) save(s Store) error {
	raw, err := packMessages(h.Proposal, h.Signatures)
	if err != nil {
		return err
	}
	return s.Put(h.ID(), creationPart, raw)
}

// saveChange stores change i as far as it got.
func (h *Held) saveChange(s Store, i int) error {
	ch := h.Changes[i]
	list := []wire.Ceremony{ch.Message}
	for _, p := range ch.Phases {
		list = append(list, p)
	}
	raw, err := packMessages(list...)
	if err != nil {
		return err
	}
	begun := byte(0)
	if ch.Begun {
		begun = 1
	}
	return s.Put(h.ID(), changePart(i), append([]byte{begun}, raw...))
}

// packMessages writes messages one after the other, each with its length.
func packMessages(list ...wire.Ceremony) ([]byte, error) {
	var out []byte
	for _, m := range list {
		raw, err := wire.Codec{}.EncodeCeremony(m)
		if err != nil {
			return nil, err
		}
		out = binary.BigEndian.AppendUint32(out, uint32(len(raw)))
		out = append(out, raw...)
	}
	return out, nil
}

func unpackMessages(b []byte) ([]wire.Ceremony, error) {
	var out []wire.Ceremony
	for len(b) > 0 {
		if len(b) < 4 || uint64(binary.BigEndian.Uint32(b)) > uint64(len(b)-4) {
			return nil, fmt.Errorf("stored message %d is cut off", len(out))
		}
		n := binary.BigEndian.Uint32(b)
		m, err := wire.Codec{}.DecodeCeremony(b[4 : 4+n])
		if err != nil {
			return nil, fmt.Errorf("stored message %d: %w", len(out), err)
		}
		if m == nil {
			return nil, fmt.Errorf("stored message %d has an unknown type", len(out))
		}
		out = append(out, m)
		b = b[4+n:]
	}
	return out, nil
}

// Parts are the records of one factory in a store, by name.
type Parts map[string][]byte

// OpenHeld reads a factory that a client stored, and checks it again: a disk
// can lie.
func OpenHeld(cfg Config, id wire.CeremonyID, parts Parts) (*Held, error) {
	h, err := openCreation(cfg, parts[creationPart])
	if err != nil {
		return nil, fmt.Errorf("factory %s: %w", id, err)
	}
	if h.ID() != id {
		return nil, fmt.Errorf("factory %s: its record is that of %s", id, h.ID())
	}
	for i := 0; parts[changePart(i)] != nil; i++ {
		if err := h.reopenChange(parts[changePart(i)]); err != nil {
			return nil, fmt.Errorf("factory %s: change %d: %w", id, i, err)
		}
	}
	return h, nil
}

func openCreation(cfg Config, raw []byte) (*Held, error) {
	list, err := unpackMessages(raw)
	if err != nil {
		return nil, err
	}
	if len(list) != 2 {
		return nil, fmt.Errorf("%d messages in the record of its creation, 2 wanted", len(list))
	}
	h := &Held{cfg: cfg, due: lastPoison{}}
	var ok1, ok2 bool
	h.Proposal, ok1 = list[0].(*wire.Proposal)
	h.Signatures, ok2 = list[1].(*wire.Signatures)
	if !ok1 || !ok2 {
		return nil, fmt.Errorf("the record of its creation holds other messages")
	}
	key, channel, payout, err := ownKeys(cfg.Keys, h.ID())
	if err != nil {
		return nil, err
	}
	if h.tree, err = openProposal(cfg, h.Proposal, key.PublicKey(), payout, channel); err != nil {
		return nil, err
	}
	slots := h.tree.Slots(h.Client())
	if err := checkSignatures(slots, h.Signatures.Signatures, cfg.Rand); err != nil {
		return nil, err
	}
	distributions := ownDistributions(h.tree, h.Client())
	if err := h.checkChannels(distributions, h.Signatures.Channels); err != nil {
		return nil, err
	}
	h.live = signed(slots, h.Signatures.Signatures)
	addSigned(h.live, distributions, h.Signatures.Channels)
	return h, nil
}

// ownKeys are a client's keys of a factory.
func ownKeys(keys Keys, id wire.CeremonyID) (key *musig.SecretKey, channel *btcec.PrivateKey, payout [32]byte, err error) {
	secret, err := keys.Factory(id)
	if err != nil {
		return nil, nil, payout, err
	}
	if key, err = musig.NewSecretKey(secret); err != nil {
		return nil, nil, payout, err
	}
	if channel, err = keys.Channel(id, 0); err != nil {
		return nil, nil, payout, err
	}
	pay, err := keys.Payout(id)
	if err != nil {
		return nil, nil, payout, err
	}
	copy(payout[:], musig.PublicKeyOf(pay).SerializeCompressed()[1:])
	return key, channel, payout, nil
}
