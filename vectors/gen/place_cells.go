package gen

import (
	"slices"

	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// gets says that a message arrived in a step.
func gets(name string) func(h *vectors.ChannelStep) bool {
	return func(h *vectors.ChannelStep) bool { return h.Message != nil && h.Message.Name == name }
}

// does says that a step is an event.
func does(event string) func(h *vectors.ChannelStep) bool {
	return func(h *vectors.ChannelStep) bool { return h.Event == event }
}

// placed are the cells that the rules of 3.9 say, and some beside them that are in place.
func placed() []place {
	return slices.Concat(beforeReady(), afterStfu(), beforeReestablish(), failedPlaces(), absorbedPlaces(), revokePlaces())
}

// cells are messages with the same answer at one moment.
func cells(moment, in string, at func(h *vectors.ChannelStep) bool, kind string, id rule.ID, messages map[string]func(p *arrival) wire.Message, only ...int) []place {
	var out []place
	for name, m := range messages {
		out = append(out, place{name: name + " " + moment, in: in, at: at, message: m, kind: kind, rules: ids(id), only: only})
	}
	slices.SortFunc(out, func(a, b place) int { return slices.Compare([]byte(a.name), []byte(b.name)) })
	return out
}

var htlcUpdates = map[string]func(p *arrival) wire.Message{"update_add_htlc": (*arrival).add, "update_fulfill_htlc": fulfilOf(0, 0)}

// feerates are the LSP's alone: it opened the channel.
var feerates = map[string]func(p *arrival) wire.Message{"update_fee": (*arrival).fee}

var stfus = map[string]func(p *arrival) wire.Message{"stfu": func(p *arrival) wire.Message { return p.stfu(0) }}

// signed is the moment when both first commitments are.
func signed(h *vectors.ChannelStep) bool {
	return gets("funding_created")(h) || gets("funding_signed")(h)
}

func beforeReady() []place {
	ready := func(p *arrival) wire.Message { return p.ready() }
	return slices.Concat(
		[]place{
			{name: "channel_ready once both have signed", in: "open", at: signed, message: ready, rules: ids(rule.PCF166)},
			{name: "update_add_htlc once both are ready", in: "open", message: (*arrival).add, rules: ids(rule.PCF166), only: []int{talkClient}},
			{name: "stfu once both are ready", in: "open", message: stfus["stfu"], rules: ids(rule.PCF166)},
		},
		cells("before channel_ready", "open", signed, "warning", rule.PCF166, htlcUpdates),
		cells("before channel_ready", "open", signed, "warning", rule.PCF166, feerates, talkClient),
		cells("before channel_ready", "open", signed, "warning", rule.PCF166, stfus),
		cells("before its own channel_ready", "open", gets("channel_ready"), "warning", rule.PCF166, htlcUpdates, talkClient),
		cells("before the other channel_ready", "open", does("usable"), "warning", rule.PCF166, htlcUpdates, talkLSP),
	)
}

func afterStfu() []place {
	removes := map[string]func(p *arrival) wire.Message{"update_fulfill_htlc": func(p *arrival) wire.Message {
		if p.side == 0 {
			return fulfilOf(2, 1)(p)
		}
		return fulfilOf(3, 1)(p)
	}, "update_add_htlc": (*arrival).add}
	return slices.Concat(
		[]place{
			{name: "update_add_htlc before the stfu of its sender", in: "change", at: gets("channel_reestablish"), message: (*arrival).add, rules: ids(rule.PCF167)},
			{name: "update_add_htlc that crosses stfu", in: "change", at: does("update"), message: (*arrival).add, rules: ids(rule.PCF167), only: []int{talkLSP}},
		},
		cells("after the stfu of its sender", "change", gets("stfu"), "warning", rule.PCF167, removes),
		cells("after the stfu of its sender", "change", gets("stfu"), "warning", rule.PCF167, feerates, talkClient),
	)
}

func beforeReestablish() []place {
	early := map[string]func(p *arrival) wire.Message{
		"update_add_htlc": (*arrival).add, "stfu": stfus["stfu"], "revoke_and_ack": (*arrival).revoke, "channel_ready": (*arrival).ready,
		"shutdown":             func(p *arrival) wire.Message { return p.shutdown(0) },
		"factory_change_init":  func(p *arrival) wire.Message { return &wire.ChangeInit{Change: p.change()} },
		"factory_change_ack":   func(p *arrival) wire.Message { return &wire.ChangeAck{Change: p.change()} },
		"factory_change_abort": func(p *arrival) wire.Message { return &wire.ChangeAbort{ChannelID: p.id(0), Data: []byte("no")} },
		"factory_change_locked": func(p *arrival) wire.Message {
			return &wire.ChangeLocked{ChannelID: p.id(0), LockedFundingTxid: wire.Txid(p.record.at.Txid)}
		},
	}
	return slices.Concat(
		[]place{
			{name: "channel_reestablish on a new connection", in: "pay", at: does("connect"), rules: ids(rule.PCF168)},
			{name: "warning before channel_reestablish", in: "pay", at: does("connect"), ignored: true, rules: ids(rule.PCF168), message: func(p *arrival) wire.Message {
				return &wire.Warning{ChannelID: p.id(0), Data: []byte("take care")}
			}},
		},
		cells("before channel_reestablish", "pay", does("connect"), "warning", rule.PCF168, early),
		cells("before channel_reestablish", "pay", does("connect"), "leaves", rule.CHAN021, map[string]func(p *arrival) wire.Message{"error": func(p *arrival) wire.Message {
			return &wire.ErrorMessage{ChannelID: p.id(0), Data: []byte("enough")}
		}}),
	)
}

// failedPlaces are about a channel that was failed: by the LSP.
func failedPlaces() []place {
	return cells("when the channel is failed", "fails", nil, "ignored", rule.PCF169, map[string]func(p *arrival) wire.Message{
		"update_add_htlc": (*arrival).add, "stfu": stfus["stfu"], "revoke_and_ack": (*arrival).revoke, "channel_ready": (*arrival).ready,
		"shutdown":            func(p *arrival) wire.Message { return p.shutdown(0) },
		"factory_change_init": func(p *arrival) wire.Message { return &wire.ChangeInit{Change: p.change()} },
	})
}

func absorbedPlaces() []place {
	return append([]place{
		{name: "stfu where channels were absorbed", in: "cut-through", message: stfus["stfu"], rules: ids(rule.PCF170)},
	}, cells("of an absorbed channel", "cut-through", nil, "warning", rule.PCF170, map[string]func(p *arrival) wire.Message{
		"stfu": func(p *arrival) wire.Message { return p.stfu(1) }, "shutdown": func(p *arrival) wire.Message { return p.shutdown(2) },
	})...)
}

func revokePlaces() []place {
	unasked := map[string]func(p *arrival) wire.Message{"revoke_and_ack": (*arrival).revoke}
	return slices.Concat(
		[]place{{name: "revoke_and_ack that is waited for", in: "pay", at: func(h *vectors.ChannelStep) bool {
			return slices.ContainsFunc(h.Sends, func(m vectors.ChannelMessage) bool { return m.Name == "commitment_signed" }) && !gets("commitment_signed")(h)
		}, rules: ids(rule.PCF171)}},
		cells("without a commitment_signed", "pay", nil, "failed", rule.PCF171, unasked),
		cells("while a change is committed", "change", func(h *vectors.ChannelStep) bool { return h.State == "committed" }, "failed", rule.PCF171, unasked),
	)
}

// failedTales have the LSP fail a channel, whose output is in a block: both say so on
// every connection.
func failedTales() []tale {
	return []tale{{
		name: "fails", after: "pay", rules: bothRules(rule.PCF169, rule.CHAN021),
		comment: "The LSP has published its commitment. On the next connection both say that the channel is over.",
		story: func(w *talkScene) {
			w.connects()
			w.happen(talkLSP, vectors.ChannelStep{Event: "confirmed", Txid: w.sides[talkLSP].facts.output.Txid})
			w.run()
			w.breaks()
			w.connects()
		},
	}}
}
