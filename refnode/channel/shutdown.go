package channel

import (
	"bytes"

	"superscalar/refnode/commitment"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Shutdown begins a mutual close that pays our balance to script, nil for the
// configured one. It is sent once no update of ours is on its way and no
// change is pending. The error is *Refused.
func (m *Machine) Shutdown(script []byte) error {
	upfront := m.terms(m.Side).shutdown
	switch {
	case script != nil:
	case len(upfront) > 0:
		script = upfront
	default:
		script = m.cfg.Script
	}
	switch {
	case m.over() || len(m.Fundings) == 0 || m.frozen():
		return &Refused{"the channel is at its end, or not at its beginning"}
	case m.WantShutdown != nil || m.Scripts[m.Side] != nil:
		return &Refused{"the channel is shutting down already"}
	case !m.standardScript(script):
		return &Refused{"a script that shutdown does not allow"}
	case len(upfront) > 0 && !bytes.Equal(upfront, script):
		return &Refused{"a script other than our upfront_shutdown_script"}
	}
	m.WantShutdown = bytes.Clone(script)
	m.save()
	m.advance()
	return nil
}

// sayShutdown sends shutdown: because we want to, or to answer one.
func (m *Machine) sayShutdown() {
	answer := m.Scripts[m.peer()] != nil && m.WantShutdown == nil
	if m.Scripts[m.Side] != nil || m.WantShutdown == nil && !answer {
		return
	}
	if !m.cleanOf(m.Side) || len(m.Fundings) != 1 || m.frozen() || m.quieting() || m.Side == commitment.Opener && !m.GotSigned {
		return
	}
	script := m.WantShutdown
	if answer {
		if script = m.terms(m.Side).shutdown; len(script) == 0 {
			script = m.cfg.Script
		}
	}
	if len(script) == 0 {
		m.fail("", "there is no script to close to")
		return
	}
	m.Scripts[m.Side], m.WantShutdown = script, nil
	m.save()
	m.send(shutdownMessage(m.ID, script))
}

// shutdown handles shutdown. It may come again after a reconnection.
func (m *Machine) shutdown(msg *wire.Base) {
	r := fields(msg)
	script := r.Bytes("scriptpubkey", int(r.U16("len")))
	upfront := m.terms(m.peer()).shutdown
	before := m.Scripts[m.peer()]
	switch {
	case r.Err() != nil:
		m.warn("", r.Err().Error())
	case m.Ended() && m.on(rule.PCF170):
		m.warn(rule.PCF170, "shutdown of a channel that holds nothing any more")
	case len(m.Fundings) == 0 || m.Side == commitment.Opener && !m.GotSigned:
		m.fail("", "shutdown before the first commitments")
	case !m.standardScript(script):
		m.warn("", "a script that shutdown does not allow")
	case m.cfg.Features.Offers(wire.FeatureUpfrontShutdown) && len(upfront) > 0 && !bytes.Equal(upfront, script):
		m.warn("", "a script other than upfront_shutdown_script")
	case before != nil && !bytes.Equal(before, script):
		m.warn("", "shutdown again, with another script")
	case !m.cleanOf(m.peer()) && m.unsigned(m.Side):
		m.warn("", "shutdown with updates of its sender that are not signed")
	case before == nil:
		m.Scripts[m.peer()] = script
		m.save()
	}
}

// standardScript reports whether shutdown may carry a script: version 0
// witness programs, and later ones where option_shutdown_anysegwit is
// negotiated.
func (m *Machine) standardScript(script []byte) bool {
	switch n := len(script); {
	case n == 22 && script[0] == 0 && script[1] == 20, n == 34 && script[0] == 0 && script[1] == 32:
		return true
	case n < 4 || n > 42 || int(script[1]) != n-2:
		return false
	default:
		return script[0] >= 0x51 && script[0] <= 0x60 && m.cfg.Features.Offers(wire.FeatureAnySegwit)
	}
}

// drained reports whether nothing but the closing transaction is left to do:
// both sides sent shutdown, no HTLC is left and no acknowledgement owed.
func (m *Machine) drained() bool {
	return m.Scripts[0] != nil && m.Scripts[1] != nil && len(m.HTLCs) == 0 && m.clean()
}

// closes reports whether a closing transaction may be signed. Inside a factory
// it would spend an output that is not on chain, so that the balance could
// leave without the factory: SPEC.md leaves by other ways until the funding
// transaction is confirmed.
func (m *Machine) closes() bool {
	return m.drained() && (!m.inFactory() || m.Confirmed == m.Fundings[0].Txid || !m.on(rule.CHAN020))
}
