package gen

import (
	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// againTales open a channel again on one output (CHAN-035).
func againTales() []tale {
	reopen := func(w *talkScene, n int) {
		w.loses(talkLSP, "funding_signed")
		w.happen(talkLSP, on(n, vectors.ChannelStep{Event: "open"}))
		w.run()
		w.watch = nil
		w.breaks()
		w.connects()
		for _, i := range []int{talkLSP, talkClient} {
			w.happen(i, vectors.ChannelStep{Event: "reopen", Channel: ptr(n + 1)})
		}
	}
	other := bad0("another first commitment on an output", talkClient, "error", "first_per_commitment_point", rule.CHAN035, func(w *talkScene) {
		reopen(w, 0)
		reopen(w, 1)
		w.swap(talkClient, "funding_created", func(m wire.Message) wire.Message { return m })
		w.happen(talkLSP, on(2, vectors.ChannelStep{Event: "open"}))
		w.run()
	})
	other.root = "again"
	return []tale{
		{
			name: "opened-again", root: "again", rules: bothRules(rule.CHAN035),
			comment: "The connection ends before funding_signed arrives: the LSP has forgotten the channel. reopen: open_channel and accept_channel of another channel on the same output have been exchanged. Its first commitment of the LSP is the same.",
			story: func(w *talkScene) {
				reopen(w, 0)
				w.happen(talkLSP, on(1, vectors.ChannelStep{Event: "open"}))
				w.run()
				for _, i := range []int{talkLSP, talkClient} {
					w.happen(i, on(1, vectors.ChannelStep{Event: "usable"}))
				}
				w.run()
			},
		},
		other,
	}
}

// breaks ends the connection within a tale; what was on its way is lost.
func (w *talkScene) breaks() {
	w.queue, w.connected = [2][][]byte{}, false
	for _, i := range []int{talkLSP, talkClient} {
		w.happen(i, vectors.ChannelStep{Event: "disconnect"})
	}
}
