package ceremony

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// changeNonces takes nonces; the last ones bring the aggregates. In the phase
// that signs a sale the buyer gets its aggregate first (PS-014).
func (l *LSP) changeNonces(now time.Time, ch *lspChange, i int, m *wire.Nonces) ([]Out, error) {
	done, err := ch.round.addNonces(l.cfg.Rules, l.used, i, m.Nonces)
	if err != nil || !done {
		return nil, err
	}
	ch.ready = true
	l.startMoves(ch)
	if !l.allMoved(ch) {
		return nil, nil
	}
	return l.sendAggregates(now, ch)
}

// sendAggregates goes on with a phase for which everybody has given its nonces.
func (l *LSP) sendAggregates(now time.Time, ch *lspChange) ([]Out, error) {
	if err := ch.checkChain(l.cfg.Config, ch.phase); err != nil {
		return nil, own(err)
	}
	aggregates, err := ch.round.aggregate(l.cfg.Rand, ch.factory.key)
	if err != nil {
		return nil, own(err)
	}
	buyerFirst := ch.sale != nil && ch.phase == 1 && l.cfg.on(rule.PS014)
	if ch.commits(ch.phase) && !ch.record.Begun {
		ch.record.Begun, ch.record.BuyerOnly = true, buyerFirst
		if err := ch.factory.saveChange(l.cfg.Store, ch); err != nil {
			ch.record.Begun, ch.record.BuyerOnly = false, false // nothing was sent
			return nil, own(err)
		}
	}
	ch.state, ch.deadline = changePartials, now.Add(l.cfg.deadline())
	peers := make([]Peer, len(ch.members))
	for k, member := range ch.members {
		peers[k] = member.peer
	}
	out := aggregatesFor(ch.id, ch.round, peers, aggregates)
	if !buyerFirst {
		ch.askedAll(1)
		return out, nil
	}
	buyer := slices.IndexFunc(ch.members, func(m changeMember) bool { return m.client == ch.record.Buyer })
	ch.pending = slices.Delete(slices.Clone(out), buyer, buyer+1)
	ch.asked(buyer, 1)
	return out[buyer : buyer+1], nil
}

// changePartials takes partial signatures; after the last ones the LSP records,
// signs, checks, stores and sends.
func (l *LSP) changePartials(now time.Time, ch *lspChange, i int, m *wire.Partials) ([]Out, error) {
	done, err := ch.round.addPartials(l.cfg.Rules, i, m.Partials)
	if err != nil {
		return nil, err
	}
	if ch.pending != nil && ch.members[i].client != ch.record.Buyer {
		return nil, fail(wire.ReasonUnexpected, rule.PS014, "partial signatures on a sale that the buyer has not signed")
	}
	if ch.pending != nil {
		out := ch.pending
		ch.pending = nil
		if err := ch.round.checkMember(i); err != nil {
			return nil, err
		}
		if err := l.othersSign(ch); err != nil {
			return nil, own(err)
		}
		ch.askedAll(1)
		ch.asked(i, -1)
		if !done {
			return out, nil
		}
	}
	if !done {
		return nil, nil
	}
	ch.signed = true
	if !l.soldHasChannel(ch) {
		return nil, nil
	}
	out, err := l.completePhase(now, ch)
	return out, own(err)
}

// completePhase makes the signatures of a phase.
func (l *LSP) completePhase(now time.Time, ch *lspChange) ([]Out, error) {
	if err := ch.checkChain(l.cfg.Config, ch.phase); err != nil {
		return nil, err
	}
	_, channels, err := ch.txs(ch.phase)
	if err != nil {
		return nil, err
	}
	if err := l.cfg.Store.Sign(ch.factory.ID(), entries(append(slices.Clone(ch.round.slots), channels...))); err != nil {
		return nil, err
	}
	if err := l.beginMoves(ch); err != nil {
		return nil, err
	}
	signatures, err := ch.round.complete(l.cfg.Rules, l.cfg.Rand, ch.factory.key)
	if err != nil {
		return nil, err
	}
	ecdsa := make([][64]byte, len(channels))
	for k, t := range channels {
		key, err := ch.factory.channelKey(t)
		if err != nil {
			return nil, err
		}
		ecdsa[k] = signChannel(key, t)
	}
	if int(ch.phase) == len(ch.record.Phases) { // else an attempt before has got this far
		ch.record.Phases = append(ch.record.Phases, storedPhase{hexes(signatures), hexes(ecdsa)})
		if err := ch.factory.saveChange(l.cfg.Store, ch); err != nil {
			ch.record.Phases = ch.record.Phases[:ch.phase]
			return nil, err
		}
	}
	addSigned(ch.factory.live, ch.round.slots, signatures)
	addSigned(ch.factory.live, channels, ecdsa)
	var out []Out
	for k, m := range ch.members {
		msg := &wire.Signatures{Attempt: wire.Attempt{Ceremony: ch.id}, Phase: ch.phase, Signatures: pick(ch.round, k, signatures)}
		for j, t := range channels {
			if t.Signers.Contains(m.client) {
				msg.Channels = append(msg.Channels, ecdsa[j])
			}
		}
		out = append(out, Out{m.peer, msg})
	}
	ch.askedAll(1) // that it is stored
	if ch.phase < ch.last() {
		ch.askedAll(1) // and the nonces of the next phase
	}
	ch.state, ch.deadline = changeStoring, now.Add(l.cfg.deadline())
	return out, nil
}

// changeStored counts; the last client starts the next phase or ends the
// change (CER-040).
func (l *LSP) changeStored(now time.Time, ch *lspChange, i int) ([]Out, error) {
	ch.members[i].stored = true
	l.clientStands(ch, ch.members[i].client)
	for _, m := range ch.members {
		if !m.stored && l.cfg.on(rule.CER040) {
			return nil, nil
		}
	}
	if err := l.takeIn(ch); err != nil {
		return nil, own(err)
	}
	if ch.phase == ch.last() {
		l.report(Event{Ceremony: ch.id, Kind: EventChanged, Clients: len(ch.members), Text: ch.record.Kind})
		for _, m := range ch.members {
			l.free(m.peer)
		}
		return nil, own(l.finish(ch))
	}
	ch.phase++
	early := ch.early
	if err := l.startPhase(now, ch); err != nil {
		return nil, err
	}
	for k := range ch.members {
		if m := early[k]; m != nil {
			out, err := l.changeNonces(now, ch, k, m)
			if err != nil {
				return out, blameOn(k, err)
			}
			if out != nil {
				return out, nil
			}
		}
	}
	return nil, nil
}

// blameOn makes an error that of a member who said something before the one
// whose message is being handled.
func blameOn(member int, err error) error {
	var mine *ownFault
	if errors.As(err, &mine) {
		return err
	}
	return &guilty{map[int]*Failure{member: asFailure(err)}}
}

// takeIn changes the live tree when everybody has stored a phase, and notes that
// where somebody would else be asked for it again.
func (l *LSP) takeIn(ch *lspChange) error {
	if err := ch.factory.advance(&ch.change, ch.phase); err != nil {
		return err
	}
	if ch.phase < 1 && ch.phase != ch.last() {
		return nil
	}
	before := ch.record.Stored
	ch.record.Stored = max(before, ch.phase+1)
	err := ch.factory.saveChange(l.cfg.Store, ch)
	if err != nil {
		ch.record.Stored = before
		return err
	}
	return l.stand(ch)
}

// finish closes a change.
func (l *LSP) finish(ch *lspChange) error {
	delete(l.changes, ch.id)
	ch.round.forget()
	if ch.record.Stored > ch.last() || ch.usedUp() {
		l.cfg.keepChannels(Everybody, ch.id)
	} else {
		l.nothingMade(ch)
	}
	for _, old := range ch.factory.passed(ch) {
		l.nothingMade(old)
	}
	if err := ch.factory.settle(ch); err != nil {
		return err
	}
	return l.stand(ch)
}

// nothingMade says that a change is over whose outputs are not made, nor will be.
func (l *LSP) nothingMade(ch *lspChange) {
	if ch.record.Kind == "sale" {
		l.cfg.forgetChannels(Everybody, ch.id)
	} else {
		l.cfg.callOffMoves(Everybody, ch.id)
	}
}

// failChange ends a change for everybody and names who stopped it, unless that
// is nobody. A state whose aggregate was sent has used up its step.
func (l *LSP) failChange(ch *lspChange, i int, f *Failure) []Out {
	var peer Peer
	if i != nobody {
		client := ch.members[i].client
		f.Guilty, peer = &client, ch.members[i].peer
	}
	l.owe(ch)
	if err := l.finish(ch); err != nil {
		l.report(Event{Ceremony: ch.id, Kind: EventFailed, Text: err.Error()})
	}
	l.report(Event{Ceremony: ch.id, Kind: EventFailed, Peer: peer, Text: f.Error()})
	var out []Out
	for _, m := range ch.members {
		out = append(out, Out{m.peer, f.abort(ch.id)})
	}
	return out
}

// lateChange ends a change whose clients are silent.
func (l *LSP) lateChange(ch *lspChange) []Out {
	for i := range ch.members {
		late := ch.state == changeStoring && !ch.members[i].stored ||
			ch.state == changeJoining && ch.members[i].client == ch.record.Buyer ||
			ch.state == changeNonces && (ch.round.waitsFor(i) || !l.hasMoved(ch, ch.members[i].client)) ||
			ch.state == changePartials && ch.round.waitsFor(i) && (ch.pending == nil || ch.members[i].client == ch.record.Buyer) ||
			ch.state == changePartials && ch.signed && ch.members[i].client == ch.record.Buyer // its channel is not open (CHAN-001)
		if late {
			return l.failChange(ch, i, fail(wire.ReasonDeadline, rule.CER017, "no answer before the deadline"))
		}
	}
	return nil
}

func (l *LSP) sortedChanges() []*lspChange {
	out := make([]*lspChange, 0, len(l.changes))
	for _, ch := range l.changes {
		out = append(out, ch)
	}
	slices.SortFunc(out, func(a, b *lspChange) int { return bytes.Compare(a.id[:], b.id[:]) })
	return out
}
