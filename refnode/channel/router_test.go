package channel_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"superscalar/refnode/channel"
	"superscalar/wire"
)

// answer plays router and plugin of node i: it books what the machine says and
// keeps questions for later.
func (p *pair) answer(i int, actions []channel.Action) {
	p.t.Helper()
	n := p.nodes[i]
	r := n.router
	for _, a := range actions {
		switch a := a.(type) {
		case channel.HTLCReceived:
			if _, twice := r.received[a.ID]; twice && !p.restarts[i] {
				p.t.Fatalf("%s: HTLC %d announced twice", n.name, a.ID)
			}
			if r.answered[a.ID] != "" {
				p.t.Fatalf("%s: HTLC %d announced after it was answered", n.name, a.ID)
			}
			r.received[a.ID] = a
		case channel.HTLCFulfilled:
			p.gone(i, a.Origin, "fulfilled")
			if _, ours := r.offered[a.Origin]; !ours {
				p.t.Fatalf("%s: a preimage for nothing", n.name)
			}
		case channel.HTLCFailed:
			state := "failed"
			if a.Dropped {
				state = "dropped"
			}
			p.gone(i, a.Origin, state)
		case channel.AskOutpoint:
			p.must(n.m.OutpointIs(""))
		case channel.AskChange, channel.AskChangeOutpoint, channel.AskContinue, channel.AskLock:
			p.asks[i] = append(p.asks[i], a)
		case channel.ChangeAborted:
			p.asks[i] = slices.DeleteFunc(p.asks[i], volatile)
		case channel.ChangeCommitted:
			r.changes[a.Txid] = "committed"
		case channel.ChangeContinued:
			r.changes[a.Txid] = "continued"
		case channel.ChangeLocked:
			r.changes[a.Txid] = "locked"
		}
	}
}

// gone books the end of an offered HTLC; a preimage may come twice.
func (p *pair) gone(i int, origin channel.Origin, state string) {
	p.t.Helper()
	r := p.nodes[i].router
	was, offered := r.offered[origin]
	if !offered || was != "" && !(was == "fulfilled" && state == "fulfilled") {
		p.t.Fatalf("%s: HTLC %x is %s and was %q (offered: %v)", p.nodes[i].name, origin[:8], state, was, offered)
	}
	r.offered[origin] = state
}

// open returns the ids of HTLCs that node i received and has not answered.
func (n *node) open() []channel.HTLCID {
	var out []channel.HTLCID
	for id := range n.router.received {
		if n.router.answered[id] == "" {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// resolve answers a received HTLC: 0 fulfils, 1 fails, 2 says malformed.
func (p *pair) resolve(i int, cut crash, id channel.HTLCID, how int) {
	p.t.Helper()
	p.step(i, cut, func(m *channel.Machine) {
		n := p.nodes[i]
		h := n.router.received[id]
		var err error
		switch {
		case how == 0 && h.Refuse == 0:
			err = m.Fulfil(id, p.preimages[h.Hash], true)
			n.router.answered[id] = "fulfilled"
		case how == 2:
			err = m.FailMalformed(id, sha256.Sum256(nil), 0x8000|4)
			n.router.answered[id] = "failed"
		default:
			err = m.Fail(id, []byte("no"))
			n.router.answered[id] = "failed"
		}
		p.must(err)
	})
}

// observe checks what must hold after every step of node i.
func (p *pair) observe(i int) {
	p.t.Helper()
	us, them := p.nodes[i], p.nodes[1-i]
	if len(us.m.Fundings) == 0 || len(us.m.Fundings) > 0 && us.m.Fundings[0].Sig == (wire.Signature{}) {
		return
	}
	seen := fmt.Sprint(us.m.LocalNumber, us.m.Revoked.Next(), us.m.SignedNumber, them.m.LocalNumber, them.m.Revoked.Next(), them.m.SignedNumber, len(us.m.Replaced), len(us.revoked))
	for _, f := range us.m.Fundings {
		seen += fmt.Sprintf("%x%x", f.Txid[:4], f.Sig[:4])
	}
	if seen == us.seen {
		return // nothing that is checked here has changed
	}
	us.seen = seen
	outputs := slices.Clone(us.m.Fundings)
	for _, r := range us.m.Replaced {
		outputs = append(outputs, r.Funding)
	}
	for k, f := range outputs {
		if f.Sig == (wire.Signature{}) {
			continue // committed to, the peer's signature not here yet
		}
		c, err := us.m.LatestCommitment(f.Txid)
		if errors.Is(err, channel.ErrNoCommitment) && k >= len(us.m.Fundings) {
			continue // revoked on a replaced output
		}
		if err != nil {
			p.t.Fatalf("%s: latest commitment on output %d: %v", us.name, k, err)
		}
		if revoked := them.m.State.Revoked.Next(); c.State.Number < revoked {
			p.t.Fatalf("%s would publish %d, revoked up to %d", us.name, c.State.Number, revoked)
		}
		us.commitments[key(f.Txid, c.State.Number)] = c.Txid.String()
		p.compare(us, them, f.Txid, c)
	}
	if n := len(us.revoked); n > 0 {
		p.checkRecord(us, them, &us.revoked[n-1])
	}
}

func key(txid wire.Txid, n channel.Number) string { return fmt.Sprintf("%v/%d", txid, n) }

// compare looks whether the other side has the same transaction for one of
// ours.
func (p *pair) compare(us, them *node, txid wire.Txid, c *channel.SignedCommitment) {
	p.t.Helper()
	theirs, err := them.m.TheirCommitments(txid)
	if errors.Is(err, channel.ErrNoCommitment) {
		return // locked or called off there
	}
	p.must(err)
	for _, other := range theirs {
		if other.State.Number == c.State.Number {
			if other.Txid != c.Txid {
				p.t.Fatalf("commitment %d of the %s on %v: %v here, %v there\n%+v\n%+v", c.State.Number, us.name, txid, c.Txid, other.Txid, c.State, other.State)
			}
			return
		}
	}
	p.t.Fatalf("commitment %d of the %s is not known to the other side (%d known)", c.State.Number, us.name, len(theirs))
}

// checkRecord looks whether the last record of a revoked commitment is the
// transaction that the other side had, on every output on which it ever had one of
// that number: those of changes that were called off too (CHG-026).
func (p *pair) checkRecord(us, them *node, rec *channel.Revoked) {
	p.t.Helper()
	raw := rec.Encode()
	again, err := channel.DecodeRevoked(raw)
	p.must(err)
	if string(again.Encode()) != string(raw) {
		p.t.Fatal("a record of a revoked commitment does not survive its encoding")
	}
	recorded := map[string]bool{}
	for _, on := range rec.On {
		recorded[key(on.Txid, rec.Number)] = true
	}
	for held := range them.commitments {
		if strings.HasSuffix(held, fmt.Sprint("/", rec.Number)) && !recorded[held] {
			p.t.Fatalf("record %d of the %s lacks %s, which the %s had", rec.Number, us.name, held, them.name)
		}
	}
	for _, on := range rec.On {
		want, known := them.commitments[key(on.Txid, rec.Number)]
		if !known {
			continue // it was never the latest there: skipped on a new output
		}
		c, err := us.m.Rebuild(on.Txid, on.State, rec.Secret)
		if errors.Is(err, channel.ErrNoCommitment) {
			continue
		}
		p.must(err)
		if c.Txid.String() != want {
			p.t.Fatalf("record %d of the %s is another commitment than the %s had", rec.Number, us.name, them.name)
		}
	}
}
