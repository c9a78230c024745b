package harness

import (
	"context"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/refnode/ledger"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// SendCeremony sends a ceremony message in its envelope and returns the bytes.
func (c *Peer) SendCeremony(m wire.Ceremony) []byte {
	return c.Send(c.Ceremony(m))
}

// Ceremony is the envelope of a ceremony message.
func (c *Peer) Ceremony(m wire.Ceremony) wire.Message {
	payload, err := c.play.Codec.EncodeCeremony(m)
	if err != nil {
		panic(fmt.Sprintf("the suite cannot encode its %s: %v", m.Name(), err))
	}
	return c.Payload(payload)
}

// Payload is the envelope of a SuperScalar payload.
func (c *Peer) Payload(payload []byte) wire.Message {
	return &wire.Piggyback{ProtocolID: c.play.Codec.SuperScalarID(), Payload: payload}
}

// CeremonyOf returns the ceremony message in an envelope, nil when there is
// none.
func CeremonyOf(codec wire.Codec, m wire.Message) wire.Ceremony {
	p, ok := m.(*wire.Piggyback)
	if !ok || p.ProtocolID != codec.SuperScalarID() {
		return nil
	}
	x, err := codec.DecodeCeremony(p.Payload)
	if err != nil {
		return nil
	}
	return x
}

// ceremonies are the ceremony messages of a reaction, in order.
func (c *Peer) ceremonies(r Reaction) []wire.Ceremony {
	var out []wire.Ceremony
	for _, m := range r.Messages {
		if x := CeremonyOf(c.play.Codec, m); x != nil {
			out = append(out, x)
		}
	}
	return out
}

// awaitCeremony reads the next ceremony message, whatever comes between, until
// the deadline, or until a channel is opened for which something may wait.
func (c *Peer) awaitCeremony() wire.Ceremony {
	until := c.play.deadlineAt()
	for {
		raw, ok := c.next(until)
		if !ok {
			return nil
		}
		m := CeremonyOf(c.play.Codec, c.handle(raw))
		if c.leaf != nil {
			c.leaf.drain()
		}
		if m != nil || c.leaf != nil && c.leaf.news {
			return m
		}
	}
}

// Chain is the regtest chain that the suite shares with the target.
func (p *Play) Chain() Regtest {
	n, ok := p.Node.(Chained)
	if !ok {
		p.Unsupported("the target shares no chain with the suite")
	}
	backend, err := n.Chain()
	if err != nil {
		p.controlFailed("the suite's chain answers", err.Error())
	}
	return backend
}

// Tip is the height of that chain.
func (p *Play) Tip() factory.Height {
	tip, err := p.Chain().Tip(p.ctx)
	if err != nil {
		p.controlFailed("the suite's chain answers", err.Error())
	}
	return factory.Height(tip.Height)
}

// OnChain reports whether a transaction is confirmed or in the mempool.
func (p *Play) OnChain(txid wire.Txid) bool {
	_, found, err := p.Chain().Transaction(p.ctx, chainhash.Hash(txid))
	if err != nil {
		p.controlFailed("the suite's chain answers", oneLine(err.Error()))
	}
	return found
}

// Mine mines blocks on that chain.
func (p *Play) Mine(blocks uint32, txs ...*btcwire.MsgTx) {
	backend := p.Chain()
	for _, tx := range txs {
		if _, err := backend.MineWith(tx); err != nil {
			p.controlFailed("the suite's transaction is mined", oneLine(err.Error()))
		}
	}
	if _, err := backend.Mine(blocks); err != nil {
		p.controlFailed("the suite's chain grows", oneLine(err.Error()))
	}
	p.event("mined %d blocks", int(blocks)+len(txs))
}

// party is a participant that the suite plays: the configuration of a machine
// of package ceremony with keys and randomness of its own.
func (p *Play) party(name string, rules rule.Set, tip func() (factory.Height, error)) ceremony.Config {
	l, err := ledger.New(rules, nil)
	if err != nil {
		panic(err) // an empty ledger has no contradiction
	}
	return ceremony.Config{
		Rules: rules, Chain: factory.Other,
		Rand:  (&factorySide{seed: p.Seed("party " + name)}).random("ceremony"),
		Keys:  scriptKeys{derive(p.seed, "keys "+name)},
		Store: &scriptStore{ledger: l},
		Seen:  func(btcwire.OutPoint) (bool, error) { return false, nil },
		Tip:   tip,
	}
}

// scriptKeys are the keys of a participant that the suite plays.
type scriptKeys struct{ seed [32]byte }

func (k scriptKeys) Factory(id wire.CeremonyID) (*btcec.PrivateKey, error) {
	return deriveKey(k.seed, "factory "+id.String()), nil
}

func (k scriptKeys) Channel(id wire.CeremonyID, index uint32) (*btcec.PrivateKey, error) {
	return deriveKey(k.seed, fmt.Sprintf("channel %s %d", id, index)), nil
}

func (k scriptKeys) Payout(id wire.CeremonyID) (*btcec.PrivateKey, error) {
	return deriveKey(k.seed, "payout "+id.String()), nil
}

// scriptStore keeps nothing: the suite's participants do not restart.
type scriptStore struct{ ledger *ledger.Ledger }

func (s *scriptStore) Sign(_ wire.CeremonyID, entries []ledger.Entry) error {
	return s.ledger.Add(entries)
}
func (s *scriptStore) Put(wire.CeremonyID, string, []byte) error { return nil }

// scriptPurse funds from the chain that the suite shares with the target, and
// mines the funding transaction: without it nothing changes (CER-044).
type scriptPurse struct {
	play     *Play
	unfunded bool
}

func (s *scriptPurse) Fund(_ wire.CeremonyID, out btcwire.TxOut) (*btcwire.MsgTx, uint32, error) {
	tx, err := s.play.Chain().FundOutputs(&out)
	if err != nil {
		return nil, 0, err
	}
	for i, o := range tx.TxOut {
		if o.Value == out.Value && string(o.PkScript) == string(out.PkScript) {
			return tx, uint32(i), nil
		}
	}
	return nil, 0, fmt.Errorf("%s does not pay the funding output", tx.TxHash())
}

func (s *scriptPurse) Sign(_ wire.CeremonyID, tx *btcwire.MsgTx) (*btcwire.MsgTx, error) {
	return tx, nil
}
func (s *scriptPurse) Release(wire.CeremonyID) {}
func (s *scriptPurse) Broadcast(*btcwire.MsgTx) error {
	if !s.unfunded {
		s.play.Mine(1) // Fund has submitted it
	}
	return nil
}

// found tells the target, an LSP, to create a factory.
func (p *Play) found(order FactoryOrder) {
	founder, ok := p.Node.(Founder)
	if !ok {
		p.Unsupported("the target cannot be told to create a factory")
	}
	ctx, cancel := context.WithTimeout(p.ctx, p.deadline)
	defer cancel()
	if err := founder.Found(ctx, order); err != nil {
		p.controlFailed("the target creates a factory", oneLine(err.Error()))
	}
	p.event("told to create a factory for %d clients", len(order.Clients))
}

// reasonNames are reasons for a failure screen.
func reasonNames(reasons []wire.Reason) []string {
	out := make([]string, len(reasons))
	for i, r := range reasons {
		out[i] = "ceremony_abort, reason " + r.String()
	}
	return out
}

// names are those of messages.
func names(list []wire.Ceremony) []string {
	out := make([]string, len(list))
	for i, m := range list {
		out[i] = m.Name()
		if a, ok := m.(*wire.Abort); ok {
			out[i] += " (" + a.Reason.String() + ")"
		}
	}
	return slices.Clip(out)
}

// Point is a point that depends on the case, the run's seed and label; nobody
// else has its secret.
func (p *Play) Point(label string) wire.Point {
	return wire.Point(deriveKey(p.seed, "point "+label).PubKey().SerializeCompressed())
}

// HighS is the same ECDSA signature with the other S: valid to a verifier that
// does not ask for the low one.
func HighS(sig [64]byte) [64]byte {
	var s btcec.ModNScalar
	s.SetByteSlice(sig[32:])
	s.Negate()
	s.PutBytesUnchecked(sig[32:])
	return sig
}

// RefusedCeremony sends a message and requires a ceremony_abort for one of the
// reasons.
func (c *Peer) RefusedCeremony(id rule.ID, m wire.Ceremony, what string, reasons ...wire.Reason) {
	s := &LSPScript{play: c.play, peer: c}
	c.play.Step("after %s", m.Name())
	c.SendCeremony(m)
	answers, outcome := s.listen()
	s.Got = answers
	if outcome != Ignored {
		s.ended = outcome
	}
	s.Refused(id, what, reasons...)
}
