package channel

import (
	"fmt"

	"superscalar/refnode/commitment"
	"superscalar/refnode/expiry"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Blocks of BOLT 2, "cltv_expiry_delta Selection", outside a factory.
const (
	graceBlocks  = 2    // after the expiry of an HTLC we offered
	forgetBlocks = 2016 // BOLT 2, "The channel_ready Message"
	fulfilBlocks = 18   // before the expiry of one whose preimage we released
)

// Block says how high the chain is. Inside a factory the plugin is warned of
// HTLCs that come close to their expiry, with every block as long as they are there;
// outside the channel is failed.
func (m *Machine) Block(height Height) {
	m.height = height
	if m.since == 0 {
		m.since = height
	}
	if m.unfunded() {
		m.Forget() // one that failed, too: else whoever opens and fails channels fills the disk
		return
	}
	if m.over() {
		return
	}
	for _, h := range m.HTLCs {
		if !m.due(h) {
			continue
		}
		if !m.inFactory() {
			m.fail("", fmt.Sprintf("HTLC %d expires at %d", h.ID, h.Expiry))
			return
		}
		m.act(EarlyWarning{ID: h.ID, Offered: h.By == m.Side, Expiry: h.Expiry})
	}
}

// unfunded reports whether an accepter has waited 2,016 blocks for a funding
// transaction (BOLT 2). Inside a factory it waits for ever (PCF-083). The
// blocks count from the last start of the node.
func (m *Machine) unfunded() bool {
	waits := m.Side == commitment.Accepter && !m.Usable && len(m.Fundings) > 0 && m.Confirmed == wire.Txid{} && !m.Forgotten
	return waits && (!m.inFactory() || !m.on(rule.PCF083)) && m.height >= m.since+forgetBlocks
}

// due reports whether an HTLC has to be enforced on chain soon: one that we
// offered (PCF-089), or one whose preimage we have given (PCF-090).
func (m *Machine) due(h *HTLC) bool {
	offered := h.By == m.Side
	claim := !offered && h.Removal != nil && h.Removal.Kind == fulfilled
	if !m.inFactory() {
		return offered && h.Stage >= signed && m.height >= h.Expiry+graceBlocks || claim && m.height+fulfilBlocks >= h.Expiry
	}
	limits := expiry.Limits{Height: m.height, Rules: m.cfg.Rules}
	lying := expiry.Lying{Expiry: h.Expiry, EarlyWarning: expiry.Blocks(m.Open.ChannelInFactory.EarlyWarningTime), Preimage: claim || h.paid(), Trimmed: m.dust(h)}
	var late error
	switch {
	case !offered:
		_, late = limits.Claimed(lying)
	case h.Stage >= signed: // what the peer has no commitment of cannot reach the chain
		_, late = limits.Offered(lying)
	}
	return late != nil
}

// dust reports whether an HTLC has no output on either commitment.
func (m *Machine) dust(h *HTLC) bool {
	x := h.inCommitment()
	return m.params.Trimmed(commitment.Opener, x) && m.params.Trimmed(commitment.Accepter, x)
}

// paid reports whether the preimage of an HTLC that we offered came.
func (h *HTLC) paid() bool { return h.Paid || h.Removal != nil && h.Removal.Kind == fulfilled }

// Height is the height that the last Block said.
func (m *Machine) Height() Height { return m.height }
