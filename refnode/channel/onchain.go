package channel

import (
	"bytes"
	"crypto/sha256"

	"github.com/btcsuite/btcd/btcec/v2"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/commitment"
)

// OnOutput is a funding output with every commitment on it that may be
// published and is not revoked: what package closing enforces.
type OnOutput struct {
	Funding commitment.Funding
	Key     *btcec.PrivateKey        // our funding key
	Ours    *SignedCommitment        // nil when there is none that may be published
	Theirs  []*commitment.Commitment // as TheirCommitments returns them
}

// Outputs returns the funding outputs of the channel: the current one, those
// of changes that are not over, and replaced ones. One on which a commitment
// cannot be built is left out: nothing was signed there.
func (m *Machine) Outputs() []OnOutput {
	var out []OnOutput
	add := func(f *Funding) {
		funding, err := f.output(m.memo)
		if err != nil {
			return
		}
		on := OnOutput{Funding: *funding, Key: m.cfg.Keys.Funding(f.Key)}
		if on.Theirs, err = m.TheirCommitments(f.Txid); err != nil {
			on.Theirs = nil
		}
		if on.Ours, err = m.LatestCommitment(f.Txid); err != nil {
			on.Ours = nil
		}
		out = append(out, on)
	}
	for i := range m.Fundings {
		if !m.Fundings[i].Absorbed() { // else it is another channel's
			add(&m.Fundings[i])
		}
	}
	for i := range m.Replaced {
		add(&m.Replaced[i].Funding)
	}
	return out
}

// Secrets returns the secrets of the channel's basepoints.
func (m *Machine) Secrets() *commitment.Secrets { return m.cfg.Keys.Secrets }

// Known returns the preimage of an HTLC of the peer, when the router has
// released it.
func (h *HTLC) Known() (preimage [32]byte, known bool) {
	if h.Removal == nil || h.Removal.Kind != fulfilled {
		return preimage, false
	}
	return h.Removal.Preimage, true
}

// OnChain says that a block holds a transaction that spends a funding output:
// nothing travels on the channel any more, and nothing of ours is published in
// its stead.
func (m *Machine) OnChain(reason string) {
	if m.over() {
		return
	}
	m.Failure = reason
	m.established = false
	m.save()
	m.act(Closed{reason})
}

// Preimage says that a preimage is known from the chain. Every HTLC with its
// hash that we offered is fulfilled, once.
func (m *Machine) Preimage(preimage [32]byte) {
	hash := sha256.Sum256(preimage[:])
	for _, h := range m.HTLCs {
		if h.By != m.Side || h.Hash != hash || h.Ended {
			continue
		}
		h.Ended = true
		m.save()
		m.act(HTLCFulfilled{m.ID, h.ID, h.Origin, preimage})
	}
}

// Gone says that an HTLC that we offered has ended on chain without its
// preimage, and that this is buried. It does nothing twice.
func (m *Machine) Gone(id HTLCID) {
	if h := m.find(m.Side, id); h != nil {
		m.end(h)
	}
}

// Removed says that an HTLC of the peer has ended on chain, either way, and
// that this is buried. It does nothing twice.
func (m *Machine) Removed(id HTLCID) {
	if h := m.find(m.peer(), id); h != nil && !h.Ended {
		h.Ended = true
		m.save()
		m.act(HTLCRemoved{m.ID, h.ID})
	}
}

// end tells the router that an HTLC we offered is over, unless it knows: with
// the reason of the peer when it gave one, else without.
func (m *Machine) end(h *HTLC) {
	if h.By != m.Side || h.Ended {
		return
	}
	h.Ended = true
	m.save()
	if h.Removal != nil {
		m.announceGone(h)
		return
	}
	m.act(HTLCFailed{Channel: m.ID, ID: h.ID, Origin: h.Origin})
}

// Closing returns the mutual close that both sides signed, nil before.
func (m *Machine) Closing() *btcwire.MsgTx {
	if m.ClosingTx == nil {
		return nil
	}
	tx := &btcwire.MsgTx{}
	if err := tx.Deserialize(bytes.NewReader(m.ClosingTx)); err != nil {
		return nil
	}
	return tx
}
