package client_test

import (
	"testing"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/client"
	"superscalar/refnode/role/roletest"
	"superscalar/wire"
)

// invited is the answer of the first client to an invitation.
func invited(w *roletest.World, lsp ceremony.Peer, id wire.CeremonyID) wire.Ceremony {
	w.T.Helper()
	c := w.Clients[0].Client
	c.Receive(lsp, &wire.Invite{Attempt: wire.Attempt{Ceremony: id}, Capacity: 100_000})
	out := c.Outgoing(lsp)
	if len(out) != 1 {
		w.T.Fatalf("%d answers to an invitation", len(out))
	}
	return out[0]
}

// refused reports whether an answer refuses because of the id.
func refused(m wire.Ceremony) bool {
	a, ok := m.(*wire.Abort)
	return ok && a.Reason == wire.ReasonRefused
}

func restarts(w *roletest.World) {
	w.T.Helper()
	w.Stop(w.Clients[0])
	w.Start(w.Clients[0])
}

// An id is joined once with one LSP, also when the process ends in between (CER-003).
func TestAnIDIsJoinedOnce(t *testing.T) {
	w := roletest.New(t, 1)
	id := wire.CeremonyID{7}
	if _, ok := invited(w, w.LSP.Peer, id).(*wire.Join); !ok {
		t.Fatal("it does not join")
	}
	restarts(w)
	if answer := invited(w, w.LSP.Peer, id); !refused(answer) {
		t.Errorf("after a restart it answers %+v", answer)
	}
	if _, ok := invited(w, w.LSP.Peer, wire.CeremonyID{8}).(*wire.Join); !ok {
		t.Error("it does not join under another id")
	}
	other := ceremony.Peer{2, 0xee}
	if _, ok := invited(w, other, id).(*wire.Join); !ok {
		t.Error("it does not join with another LSP, for which it has other keys")
	}
}

// The id of an attempt that ended before the client accepted a proposal is dropped with
// the connection: who comes and goes fills no disk. That of any other stays, whatever
// became of it.
func TestWhatIsKeptOfAnAttempt(t *testing.T) {
	w := roletest.New(t, 1)
	c, id := w.Clients[0], wire.CeremonyID{7}
	count := func() int {
		keys, err := c.Store.Keys("joined")
		if err != nil {
			t.Fatal(err)
		}
		return len(keys)
	}
	for range 3 {
		if _, ok := invited(w, w.LSP.Peer, id).(*wire.Join); !ok {
			t.Fatal("it does not join under an id whose key has signed nothing")
		}
		if refusal := invited(w, w.LSP.Peer, wire.CeremonyID{9}); refused(refusal) || count() != 1 {
			t.Fatalf("busy, it answers %+v and keeps %d ids", refusal, count())
		}
		c.Client.Receive(w.LSP.Peer, &wire.Abort{Attempt: wire.Attempt{Ceremony: id}, Reason: wire.ReasonRestart})
		if again := invited(w, w.LSP.Peer, id); !refused(again) {
			t.Fatalf("on the same connection it answers %+v", again)
		}
		c.Client.Disconnected(w.LSP.Peer)
		if n := count(); n != 0 {
			t.Fatalf("it keeps %d ids", n)
		}
	}
	for n, stopped := range []wire.CeremonyType{wire.TypeNonces, wire.TypePartials} {
		kept, err := w.Create("kickoff 1 / ps 2", func(_ bool, _ int, m wire.Ceremony) bool { return m.Type() != stopped })
		if err != nil {
			t.Fatal(err)
		}
		c.Client.Disconnected(w.LSP.Peer)
		restarts(w)
		if answer := invited(w, w.LSP.Peer, kept); !refused(answer) || count() != n+1 {
			t.Errorf("stopped before %v it answers %+v and keeps %d ids", stopped, answer, count())
		}
		w.LSP.LSP.Disconnected(c.Peer)
	}
}

// One LSP that invites without end fills its own share, and keeps nobody from another.
func TestOneLSPCannotFillTheShareOfAnother(t *testing.T) {
	w := roletest.New(t, 1)
	c, stranger := w.Clients[0], ceremony.Peer{2, 0xee}
	invite := func(lsp ceremony.Peer, n int) wire.Ceremony {
		id := wire.CeremonyID{byte(n), byte(n >> 8), 1}
		answer := invited(w, lsp, id)
		c.Client.Receive(lsp, &wire.Abort{Attempt: wire.Attempt{Ceremony: id}, Reason: wire.ReasonRestart})
		return answer
	}
	n := 0
	for ; n < 1000; n++ {
		if _, ok := invite(stranger, n).(*wire.Join); !ok {
			break
		}
	}
	if n == 0 || n == 1000 {
		t.Fatalf("%d attempts are joined", n)
	}
	if _, ok := invite(w.LSP.Peer, n).(*wire.Join); !ok {
		t.Error("another LSP's invitation is refused")
	}
	c.Client.Disconnected(stranger)
	if _, ok := invite(stranger, n).(*wire.Join); !ok {
		t.Error("what was dropped still counts")
	}
}

// Strangers with ever new node ids fill what there is for all of them, and no more:
// then the next one is refused, and what was joined stays joined. An LSP that has funded
// a factory, or that the client was told of, has its own share all the same, and what
// strangers give back is free again.
func TestStrangersHaveOneShareTogether(t *testing.T) {
	w := roletest.New(t, 1)
	w.Factory("kickoff 1 / ps 2")
	c, own := w.Clients[0], ceremony.Peer{2, 0xdd}
	if err := c.Client.CheckFunding(); err != nil {
		t.Fatal(err)
	}
	stranger := func(n int) ceremony.Peer { return ceremony.Peer{3, byte(n), byte(n >> 8)} }
	kept := func() int {
		names, err := c.Store.Keys("joined")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	before := kept()
	check := func(what string, lsp ceremony.Peer, want bool) {
		t.Helper()
		answer := invited(w, lsp, wire.CeremonyID{1, 0xaa})
		if _, joined := answer.(*wire.Join); joined != want {
			t.Fatalf("%s: it answers %+v", what, answer)
		}
	}
	client.FillJoined(t, c.Store, client.MaxStrangers-2, func(n int) ceremony.Peer { return stranger(1 + n/client.MaxStranger) })
	check("a stranger, room for two", stranger(1000), true)
	check("another one, room for one", stranger(1001), true)
	check("no room", stranger(1002), false)
	check("no room for a stranger that was joined before, either", stranger(16), false)
	check("an LSP with a factory", w.LSP.Peer, true)
	if n := kept(); n != before+client.MaxStrangers+1 {
		t.Errorf("%d ids are kept, %d before", n, before)
	}
	c.Client.Receive(stranger(1001), &wire.Abort{Attempt: wire.Attempt{Ceremony: wire.CeremonyID{1, 0xaa}}, Reason: wire.ReasonRestart})
	c.Client.Disconnected(stranger(1001))
	check("what a stranger gave back is free", stranger(1002), true)
	check("and taken", stranger(1003), false)

	c.LSPs = []ceremony.Peer{own}
	restarts(w)
	check("an LSP that it was told of", own, true)
	c.LSPs = nil
	restarts(w)
	check("after a restart", stranger(1004), false)
	c.Reached = []ceremony.Peer{stranger(1005)}
	check("one that the owner had dialled", stranger(1005), true)
	check("another stranger", stranger(1004), false)
}

// What cannot be kept is not joined.
func TestNoJoinWithoutARecord(t *testing.T) {
	w := roletest.New(t, 1)
	w.Clients[0].Disk.FailAfter(0)
	if answer, ok := invited(w, w.LSP.Peer, wire.CeremonyID{7}).(*wire.Abort); !ok {
		t.Errorf("it answers %+v", answer)
	}
}
