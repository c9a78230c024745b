package gen

import (
	"superscalar/refnode/factory"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// What a client does wrong, to the LSP: client 1 unless another one is named.

func clientIndex(c int) factory.ClientIndex { return factory.ClientIndex(c) }

// wrongClients are creations.
func wrongClients() []scenario {
	var out []scenario
	in := func(name string, reason wire.Reason, field string, id rule.ID, plant func(w *scene)) {
		out = append(out, wrong("client-"+name, "", 2, theLSP, reason, field, id, func(w *scene) {
			plant(w)
			w.creates(psOnly, nil)
		}).guilty(1))
	}
	inviting := func() { out[len(out)-1].bad.Signers = nil } // nobody has an index yet
	nonces := func(name string, id rule.ID, f func(m *wire.Nonces)) {
		in("nonces-"+name, wire.ReasonNonces, "nonces", id, func(w *scene) { altersFrom(w, []int{1}, 0, f) })
	}
	partials := func(name string, id rule.ID, f func(m *wire.Partials)) {
		in("partials-"+name, wire.ReasonPartialSignature, "partial_signatures", id, func(w *scene) { altersFrom(w, []int{1}, 0, f) })
	}
	join := func(name, field string, f func(w *scene, m *wire.Join)) {
		in("join-"+name, wire.ReasonKeys, field, rule.CER014, func(w *scene) { altersFrom(w, []int{1}, 0, func(m *wire.Join) { f(w, m) }) })
		inviting()
	}
	join("factory-key-of-another", "factory_key", func(w *scene, m *wire.Join) { m.FactoryKey = heard[*wire.Join](w, theLSP).FactoryKey })
	join("channel-key-of-another", "channel_key", func(w *scene, m *wire.Join) { m.ChannelKey = heard[*wire.Join](w, theLSP).ChannelKey })
	join("factory-key-of-lsp", "factory_key", func(w *scene, m *wire.Join) {
		key, _ := w.lsp().keys.Factory(m.Ceremony)
		copy(m.FactoryKey[:], key.PubKey().SerializeCompressed())
	})
	nonces("too-few", rule.CER015, func(m *wire.Nonces) { m.Nonces = m.Nonces[1:] })
	nonces("too-many", rule.CER015, func(m *wire.Nonces) { m.Nonces = append(m.Nonces, m.Nonces[0]) })
	nonces("no-point", rule.SIGN004, func(m *wire.Nonces) { m.Nonces[0][0] = 7 })
	nonces("zeros", rule.SIGN004, func(m *wire.Nonces) { m.Nonces[0] = [66]byte{} })
	nonces("repeated", rule.SIGN006, func(m *wire.Nonces) { m.Nonces[1] = m.Nonces[0] })
	partials("wrong", rule.SIGN008, func(m *wire.Partials) { m.Partials[1][31] ^= 1 })
	partials("all-wrong", rule.CER016, func(m *wire.Partials) {
		for i := range m.Partials {
			m.Partials[i][31] ^= 1
		}
	})
	partials("swapped", rule.SIGN008, func(m *wire.Partials) { m.Partials[0], m.Partials[1] = m.Partials[1], m.Partials[0] })
	partials("out-of-range", rule.SIGN005, func(m *wire.Partials) { copy(m.Partials[0][:], highest[:]) })
	partials("too-few", rule.CER016, func(m *wire.Partials) { m.Partials = m.Partials[1:] })
	partials("too-many", rule.CER016, func(m *wire.Partials) { m.Partials = append(m.Partials, m.Partials[0]) })

	in("unexpected-stored", wire.ReasonUnexpected, "type", rule.CER007, func(w *scene) {
		putsInstead(w, []int{1}, 0, func(m *wire.Nonces) []wire.Ceremony { return []wire.Ceremony{&wire.Stored{Attempt: m.Attempt}} })
	})
	in("second-nonces", wire.ReasonUnexpected, "type", rule.CER007, func(w *scene) {
		putsInstead(w, []int{1}, 0, func(m *wire.Nonces) []wire.Ceremony {
			other := *m
			other.Nonces = [][66]byte{m.Nonces[1], m.Nonces[0]}
			w.queue = append([]packet{{1, theLSP, &other}}, w.queue...)
			return []wire.Ceremony{m}
		})
		plant := w.bend
		first := true
		w.bend = func(p packet) []wire.Ceremony {
			list := plant(p)
			if first && w.fault { // the first is right
				first, w.fault = false, false
			} else if !first && p.m.Type() == wire.TypeNonces && p.from == 1 {
				w.fault = true
			}
			return list
		}
	})
	out[len(out)-1].comment = "Client 1 sends nonces twice."
	in("phase", wire.ReasonUnexpected, "phase", rule.CER007, func(w *scene) { altersFrom(w, []int{1}, 0, func(m *wire.Nonces) { m.Phase = 1 }) })
	in("abort", wire.ReasonRefused, "reason", rule.CER018, func(w *scene) {
		putsInstead(w, []int{1}, 0, func(m *wire.Nonces) []wire.Ceremony {
			return []wire.Ceremony{&wire.Abort{Attempt: m.Attempt, Reason: wire.ReasonRefused}}
		})
	})
	in("refuses-invitation", wire.ReasonRefused, "reason", rule.CER018, func(w *scene) {
		putsInstead(w, []int{1}, 0, func(m *wire.Join) []wire.Ceremony {
			return []wire.Ceremony{&wire.Abort{Attempt: m.Attempt, Reason: wire.ReasonRefused}}
		})
	})
	inviting()

	// silent withholds a message of client 1 and lets the deadline pass.
	silent := func(t wire.CeremonyType, field string) {
		out = append(out, wrong("client-silent-"+field, "", 2, theLSP, wire.ReasonDeadline, field, rule.CER017, func(w *scene) {
			w.lose = func(p packet) bool { return p.from == 1 && p.m.Type() == t }
			w.creates(psOnly, nil)
			w.fault = true
			w.waitsFor(theLSP, 30)
			w.run()
		}).guilty(1))
	}
	silent(wire.TypeJoin, "ceremony_join")
	inviting()
	silent(wire.TypeNonces, "ceremony_nonces")
	silent(wire.TypePartials, "ceremony_partials")
	silent(wire.TypeStored, "ceremony_stored")

	// gone ends the connection of client 1 in place of a message.
	gone := func(t wire.CeremonyType, field string) {
		out = append(out, wrong("client-gone-"+field, "", 2, theLSP, wire.ReasonDeadline, field, rule.CER031, func(w *scene) {
			w.lose = func(p packet) bool { return p.from == 1 && p.m.Type() == t }
			w.creates(psOnly, nil)
			w.fault = true
			w.disconnects(1)
		}).guilty(1))
	}
	gone(wire.TypeJoin, "ceremony_join")
	inviting()
	gone(wire.TypeNonces, "ceremony_nonces")
	gone(wire.TypePartials, "ceremony_partials")
	gone(wire.TypeStored, "ceremony_stored")

	out = append(out,
		wrong("client-two-wrong-partials", "", 3, theLSP, wire.ReasonPartialSignature, "partial_signatures", rule.CER019, func(w *scene) {
			altersFrom(w, []int{2}, 0, func(m *wire.Partials) { m.Partials[0][31] ^= 1 })
			w.creates("kickoff 1 / dw 3", nil)
		}).guilty(2),
		wrong("client-nonces-of-an-earlier-attempt", "", 2, theLSP, wire.ReasonNonces, "nonces", rule.SIGN006, func(w *scene) {
			w.lose = func(p packet) bool { return p.from == 1 && p.m.Type() == wire.TypePartials }
			w.creates(psOnly, nil)
			w.lose = nil
			var first *wire.Nonces
			for _, h := range w.parties[1].steps {
				for _, s := range h.Sends {
					if m, err := (wire.Codec{}).DecodeCeremony(s.Bytes); err == nil && s.Name == "ceremony_nonces" {
						first = m.(*wire.Nonces)
					}
				}
			}
			altersFrom(w, []int{1}, 0, func(m *wire.Nonces) { m.Nonces = first.Nonces })
			w.disconnects(0) // client 1 is invited again
		}).guilty(0),
		wrong("client-dropped-others-go-on", "", 2, theLSP, wire.ReasonNonces, "nonces", rule.CER018, func(w *scene) {
			altersFrom(w, []int{1}, 0, func(m *wire.Nonces) { m.Nonces = m.Nonces[1:] })
			w.creates(psOnly, nil)
		}).guilty(1),
		wrong("client-stores-too-late-to-fund", "", 1, theLSP, wire.ReasonChain, "ceremony_stored", rule.CER034, func(w *scene) {
			w.bend = func(p packet) []wire.Ceremony {
				if p.m.Type() == wire.TypeStored {
					w.chainOf(theLSP, startHeight+144)
					w.fault = true
				}
				return []wire.Ceremony{p.m}
			}
			w.creates(psOnly, nil)
		}),
		wrong("client-unknown-ceremony", "", 1, theLSP, wire.ReasonUnknownCeremony, "ceremony_id", rule.CER004, func(w *scene) {
			w.says(0, &wire.Stored{Attempt: wire.Attempt{Ceremony: foreignID("stale")}})
		}),
		wrong("client-unknown-abort", "", 1, theLSP, 0, "ceremony_id", rule.CER005, func(w *scene) {
			w.says(0, &wire.Abort{Attempt: wire.Attempt{Ceremony: foreignID("stale")}, Reason: wire.ReasonRefused})
		}).kind("ignored"),
	)
	for i := range out {
		if out[i].name == "bad-client-dropped-others-go-on" {
			out[i].goesOn = true
		}
	}
	return out
}

// highest is a number above the order of the group.
var highest = func() (b [32]byte) {
	for i := range b {
		b[i] = 0xff
	}
	return b
}()

// wrongClientsInChanges are updates and sales, and orders that an LSP does not
// carry out.
func wrongClientsInChanges() []scenario {
	var out []scenario
	add := func(s scenario) { out = append(out, s) }
	update := func(name string, reason wire.Reason, field string, id rule.ID, plant func(w *scene)) {
		add(wrong("client-update-"+name, "create-dw-2", 2, theLSP, reason, field, id, func(w *scene) {
			plant(w)
			w.updates(0, 5_000)
		}).guilty(1))
	}
	sale := func(name string, reason wire.Reason, field string, id rule.ID, guilty int, plant func(w *scene)) {
		add(wrong("client-sale-"+name, "create-ps-2", 2, theLSP, reason, field, id, func(w *scene) {
			plant(w)
			w.sells(0, 20_000)
		}).guilty(guilty))
	}
	update("nonces-too-few", wire.ReasonNonces, "nonces", rule.CER015, func(w *scene) {
		altersFrom(w, []int{1}, 0, func(m *wire.Nonces) { m.Nonces = m.Nonces[1:] })
	})
	update("nonces-repeated", wire.ReasonNonces, "nonces", rule.SIGN006, func(w *scene) {
		altersFrom(w, []int{1}, 2, func(m *wire.Nonces) { m.Nonces[0] = heard[*wire.Nonces](w, theLSP).Nonces[0] })
	})
	for phase := range uint8(3) {
		update("partials-wrong-"+string('0'+rune(phase)), wire.ReasonPartialSignature, "partial_signatures", rule.CER016, func(w *scene) {
			altersFrom(w, []int{1}, phase, func(m *wire.Partials) { m.Partials[0][31] ^= 1 })
		})
	}
	update("stored-too-early", wire.ReasonUnexpected, "type", rule.CER007, func(w *scene) {
		putsInstead(w, []int{1}, 1, func(m *wire.Nonces) []wire.Ceremony {
			return []wire.Ceremony{&wire.Stored{Attempt: m.Attempt, Phase: 1}}
		})
	})
	for phase := range uint8(3) {
		add(wrong("client-update-silent-"+string('0'+rune(phase)), "create-dw-2", 2, theLSP, wire.ReasonDeadline, "ceremony_stored", rule.CER017, func(w *scene) {
			silent := false
			w.lose = func(p packet) bool {
				silent = silent || p.from == 1 && p.m.Type() == wire.TypeStored && phaseOf(p.m) == phase
				return silent && p.from == 1
			}
			w.updates(0, 5_000)
			w.fault = true
			w.waitsFor(theLSP, 30)
			w.run()
		}).guilty(1))
	}
	add(wrong("client-update-gone", "create-dw-2", 2, theLSP, wire.ReasonDeadline, "ceremony_partials", rule.CER031, func(w *scene) {
		w.lose = func(p packet) bool { return p.from == 1 && p.m.Type() == wire.TypePartials && phaseOf(p.m) == 1 }
		w.updates(0, 5_000)
		w.fault = true
		w.disconnects(1)
	}).guilty(1))
	sale("others-sign-before-the-buyer", wire.ReasonUnexpected, "type", rule.PS014, 1, func(w *scene) {
		w.bend = func(p packet) []wire.Ceremony {
			if m, ok := p.m.(*wire.Partials); ok && p.from == 0 && m.Phase == 1 && !w.over {
				w.fault = true
				w.deliver(packet{1, theLSP, &wire.Partials{Attempt: m.Attempt, Phase: 1, Partials: m.Partials}})
				return nil
			}
			return []wire.Ceremony{p.m}
		}
	})
	sale("buyer-signs-wrong", wire.ReasonPartialSignature, "partial_signatures", rule.CER016, 0, func(w *scene) {
		altersFrom(w, []int{0}, 1, func(m *wire.Partials) { m.Partials[1][31] ^= 1 })
	})
	sale("partials-wrong", wire.ReasonPartialSignature, "partial_signatures", rule.CER016, 1, func(w *scene) {
		altersFrom(w, []int{1}, 1, func(m *wire.Partials) { m.Partials[0][31] ^= 1 })
	})
	add(wrong("client-sale-silent-buyer", "create-ps-2", 2, theLSP, wire.ReasonDeadline, "ceremony_join", rule.CER017, func(w *scene) {
		w.lose = func(p packet) bool { return p.m.Type() == wire.TypeJoin }
		w.sells(0, 20_000)
		w.fault = true
		w.waitsFor(theLSP, 30)
		w.run()
	}).guilty(0))
	add(wrong("client-sale-another-key", "interrupted-sale", 2, theLSP, wire.ReasonRecorded, "channel_key", rule.PS011, func(w *scene) {
		altersFrom(w, []int{0}, 0, func(m *wire.Join) { m.ChannelKey = foreignPoint("channel") })
		w.resumes()
	}).guilty(0))

	// refused is an order that the LSP does not carry out.
	refused := func(name, after, field string, id rule.ID, run func(w *scene)) {
		add(wrong("order-"+name, after, 2, theLSP, 0, field, id, run).kind("not-started"))
		out[len(out)-1].bad.Guilty = "lsp"
	}
	refused("while-another-change-runs", "create-dw-2", "buyer", rule.CER042, func(w *scene) {
		w.lose = func(p packet) bool { return p.m.Type() == wire.TypeNonces }
		w.updates(0, 5_000)
		w.fault = true
		w.updates(1, 5_000)
	})
	refused("sale-again-with-an-answer-due", "create-ps-2", "buyer", rule.CER045, func(w *scene) {
		w.lose = func(p packet) bool { return p.from == 1 && p.m.Type() == wire.TypePartials && phaseOf(p.m) == 1 }
		w.sells(0, 20_000)
		w.disconnects(0)
		w.fault = true
		w.sells(0, 20_000)
	})
	refused("update-kickoff-out", "create-dw-2", "factory", rule.DELAY006, func(w *scene) {
		w.chainOf(theLSP, startHeight+1, w.kickoff())
		w.fault = true
		w.updates(0, 5_000)
	})
	refused("update-of-unfunded-factory", "create-dw-2", "factory", rule.CER044, func(w *scene) {
		w.unfunded(theLSP)
		w.fault = true
		w.updates(0, 5_000)
	})
	refused("update-at-exit-height", "create-dw-2", "factory", rule.DELAY007, func(w *scene) {
		w.chainOf(theLSP, int(w.exitHeight()))
		w.fault = true
		w.updates(0, 5_000)
	})
	return out
}
