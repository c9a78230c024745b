package ceremony

import (
	"errors"
	"slices"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// A sale that goes on has the id that it had. What a client still says to the
// attempt before would be taken for part of the new one, and end it. So the LSP
// counts what it asked of each client, and does not go on with a sale before all of
// that is answered or the connection is gone (CER-045).

// ErrAnswerDue is the error of a sale that cannot go on yet: a client has not
// answered the attempt before (CER-045). The sale goes on when it has.
var ErrAnswerDue = errors.New("a client has not answered the attempt before (CER-045)")

// debt is what clients have not answered in an attempt at a sale that ended.
type debt struct {
	owes   map[Peer]int // messages
	wanted bool         // somebody asked for the sale meanwhile
}

// asked notes that a member has to send some messages.
func (ch *lspChange) asked(member, messages int) { ch.members[member].owes += messages }

// askedAll is asked for every member.
func (ch *lspChange) askedAll(messages int) {
	for i := range ch.members {
		ch.asked(i, messages)
	}
}

// answered notes a message of a member; after an abort nothing else comes.
func (ch *lspChange) answered(member int, m wire.Ceremony) {
	ch.members[member].owes = left(ch.members[member].owes, m)
}

// left is what is due after a message came.
func left(due int, m wire.Ceremony) int {
	if m.Type() == wire.TypeAbort {
		return 0
	}
	return max(0, due-1)
}

// owe notes what is due when an attempt at a sale ends.
func (l *LSP) owe(ch *lspChange) {
	if ch.record.Kind != "sale" || !l.cfg.on(rule.CER045) {
		return
	}
	d := &debt{owes: map[Peer]int{}}
	for _, m := range ch.members {
		if m.owes > 0 {
			d.owes[m.peer] = m.owes
		}
	}
	if len(d.owes) > 0 {
		l.debts[ch.id] = d
	}
}

// mayGoOn fails while an answer to the attempt before is due.
func (l *LSP) mayGoOn(sale *lspChange) error {
	if d := l.debts[sale.id]; d != nil {
		d.wanted = true
		return ErrAnswerDue
	}
	return nil
}

// pay takes a message of an attempt that is over. After the last one that was due
// a sale that was asked for meanwhile may go on.
func (l *LSP) pay(peer Peer, m wire.Ceremony) {
	d := l.debts[m.ID()]
	if d == nil || d.owes[peer] == 0 {
		return
	}
	if d.owes[peer] = left(d.owes[peer], m); d.owes[peer] > 0 {
		return
	}
	if l.release(m.ID(), peer); l.debts[m.ID()] == nil && d.wanted {
		l.free(peer)
	}
}

// release takes one client's part off a debt.
func (l *LSP) release(id wire.CeremonyID, peer Peer) {
	d := l.debts[id]
	if delete(d.owes, peer); len(d.owes) == 0 {
		delete(l.debts, id)
	}
}

// free notes clients for whom something interrupted may go on now.
func (l *LSP) free(peers ...Peer) {
	for _, p := range peers {
		if !slices.Contains(l.freed, p) {
			l.freed = append(l.freed, p)
		}
	}
}

// Freed returns, once, the clients for whom something that was interrupted may go
// on now: a change of theirs is complete (CER-042), or an answer has come that it
// had to wait for (CER-045).
func (l *LSP) Freed() []Peer {
	peers := l.freed
	l.freed = nil
	return peers
}
