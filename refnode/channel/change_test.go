package channel_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"superscalar/refnode/channel"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// stages of a change, as changeTo reaches them.
const (
	quiescent = iota
	acknowledged
	committedHalf // both sides signed, neither has the other's signatures
	committed
	continued
	locked
)

// changeTo brings a fresh change to a stage; node 0 begins it and moves 2,000
// sat of its balance out and 1,000 of the peer's in.
func (p *pair) changeTo(stage int) wire.Txid {
	p.t.Helper()
	p.attempts++
	payload := fmt.Sprint("change ", p.attempts)
	p.current = [2]string{payload, payload}
	p.do(0, func(m *channel.Machine) { p.must(m.StartChange(-2000, []byte(payload))) })
	txid := wire.Txid(fill(byte(0x80 + p.attempts)))
	for tries := 0; tries < 30; tries++ {
		for i := 0; i < 2; i++ {
			if stage == committedHalf && p.waitsForFirst(i) {
				continue
			}
			p.deliver(i, -1)
		}
		for i := range p.nodes {
			if len(p.asks[i]) == 0 {
				continue
			}
			ask := p.asks[i][0]
			if !p.wanted(ask, stage) {
				continue
			}
			p.asks[i] = p.asks[i][1:]
			p.do(i, func(m *channel.Machine) {
				switch ask := ask.(type) {
				case channel.AskChange:
					p.must(m.AnswerChange(ask.ID, 1000, nil, ""))
				case channel.AskChangeOutpoint:
					if p.takes {
						p.must(m.ChangeTaking(ask.ID, txid, 2))
						return
					}
					p.must(m.ChangeOutpoint(ask.ID, txid, 2))
				case channel.AskContinue:
					p.must(m.ChangePending())
					p.must(m.ChangeStored())
				case channel.AskLock:
					p.must(m.Lock(ask.Txid))
				}
			})
		}
	}
	if stage == locked {
		p.do(0, func(m *channel.Machine) { p.must(m.Lock(txid)) })
		p.drain()
		for _, ask := range p.asks[1] {
			p.do(1, func(m *channel.Machine) { p.must(m.Lock(ask.(channel.AskLock).Txid)) })
		}
		p.asks[1] = nil
		p.drain()
	}
	return txid
}

// waitsForFirst reports whether the next message of node i is the first
// commitment_signed on a new output.
func (p *pair) waitsForFirst(i int) bool {
	if len(p.queue[i]) == 0 {
		return false
	}
	msg, err := p.codec.Decode(p.queue[i][0])
	p.must(err)
	_, ok := msg.(*wire.CommitmentSigned)
	return ok
}

func (p *pair) wanted(ask channel.Action, stage int) bool {
	switch ask.(type) {
	case channel.AskChange:
		return stage >= acknowledged
	case channel.AskChangeOutpoint:
		return stage >= committedHalf
	default:
		return stage >= continued
	}
}

// A change with HTLCs pending moves the channel: same id, same commitment
// number, balances with the contributions, updates signed on both outputs,
// then on the new one alone.
func TestChange(t *testing.T) {
	p := opened(t, setting{})
	p.offer(0)
	a := p.nodes[0].m
	id, number := a.ChannelID(), a.LocalNumber
	p.changeTo(committed)
	if len(a.Fundings) != 2 || a.LocalNumber != number || a.SignedNumber != 1 {
		t.Fatalf("%d outputs, commitment %d", len(a.Fundings), a.LocalNumber)
	}
	if sent := count(p.sent, "revoke_and_ack"); sent != 2 {
		t.Errorf("%d revoke_and_ack: PCF-121 wants none for a new output", sent)
	}
	if sent := count(p.sent, "start_batch"); sent != 0 {
		t.Errorf("start_batch before the first commitment_signed (PCF-136)")
	}
	if f := a.Fundings[1]; f.Value != 999_000 || f.Delta != [2]int64{-2000, 1000} || f.Keys[0] == a.Fundings[0].Keys[0] {
		t.Errorf("new output %+v", f)
	}
	if err := p.add(0, -1, 5_000_000); err == nil {
		t.Error("an HTLC in quiescence")
	}
	p = opened(t, setting{})
	p.offer(0)
	txid := p.changeTo(continued)
	p.resolve(1, -1, 0, 0)
	p.drain()
	if sent := count(p.sent, "start_batch"); sent != 2 {
		t.Errorf("%d start_batch, want one of each side", sent)
	}
	m := p.nodes[1].m
	p.lockBoth(txid)
	for i, n := range p.nodes {
		if n.m.ChannelID() != id || len(n.m.Fundings) != 1 || n.m.Fundings[0].Txid != txid || n.m.Balance != [2]channel.MilliSat{593_000_000, 406_000_000} {
			t.Errorf("node %d: %v, %d outputs, balances %v", i, n.m.ChannelID(), len(n.m.Fundings), n.m.Balance)
		}
		if len(n.m.Replaced) != 1 || n.m.Replaced[0].Funding.Txid != fill(0xf0) {
			t.Error("PCF-127: the replaced output is not kept")
		}
		if _, err := n.m.LatestCommitment(fill(0xf0)); err != nil {
			t.Errorf("no commitment on the replaced output while it is not revoked: %v", err)
		}
	}
	p.must(p.add(1, -1, 4_000_000))
	p.drain()
	if _, err := m.LatestCommitment(fill(0xf0)); !errors.Is(err, channel.ErrNoCommitment) {
		t.Errorf("a revoked commitment on the replaced output: %v", err)
	}
	if _, told := find[channel.ReplacedRevoked](m2events(p.nodes[1])); !told {
		t.Error("the plugin is not told that the replaced output is revoked")
	}
	m.OldDead(fill(0xf0))
	if len(m.Replaced) != 0 {
		t.Error("kept for ever")
	}
}

func m2events(n *node) []channel.Action { return n.events }

func (p *pair) lockBoth(txid wire.Txid) {
	p.t.Helper()
	for i := range p.nodes {
		p.do(i, func(m *channel.Machine) { p.fine(m.Lock(txid)) })
	}
	p.drain()
}

func count(sent []string, name string) (n int) {
	for _, s := range sent {
		if strings.HasSuffix(s, " "+name) {
			n++
		}
	}
	return n
}

// Messages of a change out of their place.
func TestWrongChange(t *testing.T) {
	change := func(m *channel.Machine, sat int64) wire.Change {
		return wire.Change{ChannelID: m.ChannelID(), FundingContributionSat: sat, FundingPubkey: m.Accept.Keys.HTLC}
	}
	initMsg := func(m *channel.Machine, sat int64) wire.Message { return &wire.ChangeInit{Change: change(m, sat)} }
	funding := func(m *channel.Machine, b byte) wire.Message {
		return &wire.ChangeFunding{Outpoint: wire.ChangeOutpoint{ChannelID: m.ChannelID(), FundingTxid: fill(b), FundingOutputIndex: 2}}
	}
	cont := func(m *channel.Machine, txid wire.Txid, index uint16) wire.Message {
		return &wire.ChangeContinue{Outpoint: wire.ChangeOutpoint{ChannelID: m.ChannelID(), FundingTxid: txid, FundingOutputIndex: index}}
	}
	abort := func(m *channel.Machine) wire.Message { return &wire.ChangeAbort{ChannelID: m.ChannelID()} }
	lockMsg := func(m *channel.Machine, txid wire.Txid) wire.Message {
		return &wire.ChangeLocked{ChannelID: m.ChannelID(), LockedFundingTxid: txid}
	}
	stfu := func(m *channel.Machine, initiator uint8) wire.Message {
		return &wire.Stfu{ChannelID: m.ChannelID(), Initiator: initiator}
	}
	none := -1
	for _, c := range []struct {
		name  string
		stage int
		to    int // who receives it; node 0 begins changes
		msg   func(*pair, *channel.Machine) wire.Message
		rule  rule.ID
		want  string
	}{
		{"init without quiescence", none, 1, func(_ *pair, m *channel.Machine) wire.Message { return initMsg(m, 0) }, rule.PCF112, "warn"},
		{"ack without init", none, 1, func(_ *pair, m *channel.Machine) wire.Message { return &wire.ChangeAck{Change: change(m, 0)} }, rule.PCF116, "warn"},
		{"funding without ack", none, 1, func(_ *pair, m *channel.Machine) wire.Message { return funding(m, 1) }, rule.PCF118, "warn"},
		{"continue for nothing", none, 1, func(_ *pair, m *channel.Machine) wire.Message { return cont(m, fill(1), 2) }, rule.PCF147, "warn"},
		{"locked for nothing", none, 1, func(_ *pair, m *channel.Machine) wire.Message { return lockMsg(m, fill(1)) }, rule.PCF124, "warn"},
		{"locked for the current output", none, 1, func(_ *pair, m *channel.Machine) wire.Message { return lockMsg(m, fill(0xf0)) }, rule.PCF124, "warn"},
		{"abort of nothing", none, 1, func(_ *pair, m *channel.Machine) wire.Message { return abort(m) }, rule.PCF145, "warn"},
		{"second init", quiescent, 1, func(_ *pair, m *channel.Machine) wire.Message { return initMsg(m, 0) }, rule.PCF112, "warn"},
		{"stfu twice", quiescent, 1, func(_ *pair, m *channel.Machine) wire.Message { return stfu(m, 1) }, "", "warn"},
		{"an update after stfu", quiescent, 1, func(_ *pair, m *channel.Machine) wire.Message { return add(m, 0, 5000, 600) }, "", "warn"},
		{"init from the other side", quiescent, 0, func(_ *pair, m *channel.Machine) wire.Message { return initMsg(m, 0) }, rule.PCF112, "warn"},
		{"another outpoint", acknowledged, 1, func(p *pair, m *channel.Machine) wire.Message {
			ask := p.asks[1][0].(channel.AskChangeOutpoint)
			p.must(m.ChangeOutpoint(ask.ID, fill(0x81), 2))
			m.Take()
			return funding(m, 0x82)
		}, rule.PCF119, "warn"},
		{"an outpoint before our plugin names one", acknowledged, 1, func(_ *pair, m *channel.Machine) wire.Message { return funding(m, 0x82) }, "", "nothing"},
		{"too much taken out with ack", quiescent, 0, func(_ *pair, m *channel.Machine) wire.Message { return &wire.ChangeAck{Change: change(m, -400_001)} }, rule.PCF113, "warn"},
		{"all taken out with ack", quiescent, 0, func(_ *pair, m *channel.Machine) wire.Message { return &wire.ChangeAck{Change: change(m, -400_000)} }, "", "nothing"},
		{"an amount beyond all", quiescent, 0, func(_ *pair, m *channel.Machine) wire.Message { return &wire.ChangeAck{Change: change(m, -1<<63)} }, rule.PCF113, "warn"},
		{"abort of what is acknowledged", acknowledged, 1, func(_ *pair, m *channel.Machine) wire.Message { return abort(m) }, "", "abort"},
		{"continue before commitment_signed", committedHalf, 0, func(_ *pair, m *channel.Machine) wire.Message { return cont(m, fill(0x81), 2) }, rule.PCF147, "warn"},
		{"a wrong first signature", committedHalf, 0, func(_ *pair, m *channel.Machine) wire.Message {
			txid := wire.Txid(fill(0x81))
			return &wire.CommitmentSigned{ChannelID: m.ChannelID(), FundingTxid: &txid}
		}, "", "warn"},
		{"abort of what is committed", committed, 0, func(_ *pair, m *channel.Machine) wire.Message { return abort(m) }, "", "abort"},
		{"abort of what is pending", committed, 0, func(p *pair, m *channel.Machine) wire.Message {
			p.must(m.ChangePending())
			return abort(m)
		}, "", "nothing"},
		{"continue with another index", committed, 0, func(_ *pair, m *channel.Machine) wire.Message { return cont(m, fill(0x81), 3) }, rule.PCF147, "warn"},
		{"continue again", continued, 0, func(_ *pair, m *channel.Machine) wire.Message { return cont(m, fill(0x81), 2) }, "", "nothing"},
		{"abort of what is continued", continued, 0, func(_ *pair, m *channel.Machine) wire.Message { return abort(m) }, rule.PCF145, "warn"},
		{"locked before our plugin says so", continued, 0, func(_ *pair, m *channel.Machine) wire.Message { return lockMsg(m, fill(0x81)) }, "", "nothing"},
		{"one commitment_signed for two outputs", continued, 0, func(_ *pair, m *channel.Machine) wire.Message {
			txid := wire.Txid(fill(0xf0))
			return &wire.CommitmentSigned{ChannelID: m.ChannelID(), FundingTxid: &txid}
		}, rule.PCF133, "fail"},
		{"commitment_signed on what we called off", committed, 0, afterAbort(fill(0x81)), "", "nothing"},
		{"commitment_signed on what we called off before its own", committedHalf, 0, afterAbort(fill(0x81)), "", "nothing"},
		{"commitment_signed on the output in use after we called the change off", committed, 0, afterAbort(fill(0xf0)), rule.PCF138, "warn"},
		{"commitment_signed on another output after we called the change off", committed, 0, afterAbort(fill(0x82)), rule.PCF138, "warn"},
		{"commitment_signed after we called off what leads nowhere yet", acknowledged, 0, afterAbort([32]byte{}), rule.PCF138, "warn"},
		{"locked once more", locked, 0, func(_ *pair, m *channel.Machine) wire.Message { return lockMsg(m, fill(0x81)) }, rule.PCF124, "warn"},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := func(rules rule.Set) (string, string) {
				p := opened(t, setting{rules: [2]rule.Set{rules, rules}})
				p.honest = false
				if c.stage != none {
					p.changeTo(c.stage)
				}
				m := p.nodes[c.to].m
				m.Take()
				return reaction(p.inject(c.to, c.msg(p, m)))
			}
			got, text := run(rule.Set{})
			if got != c.want || c.rule != "" && !strings.HasPrefix(text, string(c.rule)) {
				t.Errorf("%s: %q, want %s for %s", got, text, c.want, c.rule)
			}
		})
	}
}

// afterAbort is a commitment_signed on an output that comes when the node has called its
// change off and has not heard the echo.
func afterAbort(txid wire.Txid) func(*pair, *channel.Machine) wire.Message {
	return func(p *pair, m *channel.Machine) wire.Message {
		p.must(m.AbortChange("by order"))
		m.Take()
		return &wire.CommitmentSigned{ChannelID: m.ChannelID(), FundingTxid: &txid}
	}
}

// A refused change ends quiescence after both sides have sent
// factory_change_abort, and the channel goes on (PCF-114, PCF-141, PCF-142).
func TestRefusedChange(t *testing.T) {
	p := opened(t, setting{})
	p.changeTo(quiescent)
	ask := p.asks[1][0].(channel.AskChange)
	if ask.ContributionSat != -2000 || string(ask.Payload) != "change 1" || ask.Ack {
		t.Errorf("asked %+v", ask)
	}
	p.do(1, func(m *channel.Machine) {
		if err := m.AnswerChange(ask.ID+1, 0, nil, ""); !errors.Is(err, channel.ErrNotNow) {
			t.Errorf("an answer to another change: %v", err)
		}
		p.must(m.AnswerChange(ask.ID, 0, nil, "not now"))
	})
	if err := p.add(1, -1, 5_000_000); err == nil {
		t.Error("quiescence ends before the echo")
	}
	p.drain()
	if n := count(p.sent, "factory_change_abort"); n != 2 {
		t.Errorf("%d factory_change_abort", n)
	}
	p.must(p.add(1, -1, 5_000_000))
	p.must(p.add(0, -1, 5_000_000))
	p.drain()
	if _, told := find[channel.ChangeAborted](p.nodes[0].events); !told {
		t.Error("the plugin that asked is not told")
	}
}

// A pending change is not called off (PCF-140) and not forgotten (PCF-143).
func TestPendingChange(t *testing.T) {
	p := opened(t, setting{})
	p.changeTo(committed)
	m := p.nodes[0].m
	p.must(m.ChangePending())
	if err := m.AbortChange("no"); !errors.Is(err, channel.ErrNotNow) {
		t.Errorf("called off: %v", err)
	}
	acts := p.inject(0, &wire.ChangeAbort{ChannelID: m.ChannelID()})
	if _, told := find[channel.ChangeDisputed](acts); !told || len(m.Fundings) != 2 {
		t.Errorf("told %v, %d outputs", told, len(m.Fundings))
	}
}

// Quiescence with HTLCs ends after 60 seconds, by a disconnection that fails
// nothing (PCF-146); without HTLCs it may last.
func TestQuiescenceTimer(t *testing.T) {
	p := opened(t, setting{})
	p.changeTo(quiescent)
	m := p.nodes[0].m
	for m.Timer(p.timers[0]); len(m.Take()) > 0; {
		t.Error("quiescence without HTLCs ends")
	}
	p = opened(t, setting{})
	p.offer(0)
	p.changeTo(quiescent)
	m = p.nodes[0].m
	m.Timer(p.timers[0] - 1)
	if acts := m.Take(); len(acts) != 0 {
		t.Errorf("an old timer: %v", acts)
	}
	m.Timer(p.timers[0])
	acts := m.Take()
	if _, over := find[channel.Disconnect](acts); !over || m.Failure != "" {
		t.Errorf("%v, failure %q", acts, m.Failure)
	}
	if got, _ := reaction(acts); got != "nothing" {
		t.Errorf("%s is sent", got)
	}
}

// Nobody waits for ever for the answer to stfu (PCF-173), with or without HTLCs: the
// connection ends, and the change with it.
func TestStfuTimer(t *testing.T) {
	p := opened(t, setting{})
	p.startChange(0, -1, 0)
	m := p.nodes[0].m
	timer, set := find[channel.SetTimer](p.nodes[0].events)
	if !set || timer.After != time.Minute || timer.ID != p.timers[0] {
		t.Fatalf("set %v: %+v", set, timer)
	}
	m.Timer(timer.ID - 1)
	if acts := m.Take(); len(acts) != 0 {
		t.Errorf("an old timer: %v", acts)
	}
	m.Timer(timer.ID)
	acts := m.Take()
	if over, found := find[channel.Disconnect](acts); !found || over.Rule != rule.PCF173 || m.Failure != "" {
		t.Errorf("%v, failure %q", acts, m.Failure)
	}
	if _, told := find[channel.ChangeAborted](acts); !told {
		t.Error("the plugin is not told")
	}
	p.reconnect()
	p.drain()
	p.startChange(0, -1, 0)
	p.drain() // answered in time
	for m.Timer(p.timers[0]); len(m.Take()) > 0; {
		t.Error("stfu was answered")
	}
}

// When both sides want a change at once, the opener goes first.
func TestBothStartChanges(t *testing.T) {
	p := opened(t, setting{})
	for i := range p.nodes {
		p.startChange(i, -1, 0)
	}
	p.drain()
	if n := count(p.sent, "factory_change_init"); n != 1 || !slices.Contains(p.sent, "opener: factory_change_init") {
		t.Errorf("%d factory_change_init: %v", n, last(p.sent, 6))
	}
	if _, told := find[channel.ChangeAborted](p.nodes[1].events); !told {
		t.Error("the plugin of the accepter is not told")
	}
}
