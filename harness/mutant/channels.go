package mutant

import (
	"slices"

	"superscalar/refnode/peer"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// channels are mutants of channels inside a factory, and of changes under them.
func channels() []Mutant {
	var all []Mutant
	off := func(id rule.ID, breaks, want string) {
		all = append(all, Mutant{ID: string(id), Rule: id, Breaks: breaks, Want: want, Rules: rule.Without(id)})
	}
	wrong := "what the target sent is not right"
	silent := "the target ignored it"
	off(rule.PCF160, "confirms no Loopback outpoint", "funding_signed did not come")
	off(rule.PCF161, "refuses every Loopback change", "factory_change_continue did not come")
	off(rule.PCF162, "begins no Loopback change", "factory_change_init did not come")
	off(rule.PCF080, "funds another output than its plugin names", "the index that Loopback names")
	off(rule.PCF081, "takes an outpoint that its plugin refuses", silent)
	off(rule.PCF082, "says channel_ready before its factory is usable", "channel_ready came")
	off(rule.PCF046, "puts two channels on one outpoint", silent)
	off(rule.PCF095, "forgets its channels when the connection ends", "channel_reestablish did not come")
	off(rule.CHAN020, "signs closing transactions of outputs that are not on the chain", "closing_signed came")
	off(rule.CHAN022, "goes on with its channels after an error for all", "goes on with a channel that was failed")
	off(rule.PCF107, "begins a twentieth pending change", "factory_change_init came")
	off(rule.PCF111, "begins changes of channels that are shutting down", "factory_change_init came")
	off(rule.PCF112, "takes factory_change_init outside quiescence", "answered it with factory_change_ack")
	off(rule.PCF113, "does not compare contributions with balances", "answered it with factory_change_ack")
	off(rule.PCF114, "does not ask its plugin about changes", "factory_change_abort did not come")
	off(rule.PCF116, "ignores factory_change_ack that it did not ask for", silent)
	off(rule.PCF117, "takes one funding key for all changes", "a funding_pubkey that was not used before")
	off(rule.PCF119, "does not compare outpoints", "answered it with commitment_signed")
	off(rule.PCF121, "revokes for the first commitment on a new outpoint", "revoke_and_ack came")
	off(rule.PCF122, "continues before the new state is stored", "factory_change_continue came")
	off(rule.PCF123, "stays quiet when a change continues", "payments go on after factory_change_continue")
	off(rule.PCF124, "takes any factory_change_locked", silent)
	off(rule.PCF125, "uses the old outpoint beside the new one", "the channel goes on, on the new outpoint")
	off(rule.PCF126, "renames a channel whose outpoint changes", "the channel goes on, under its id")
	off(rule.PCF127, "forgets what was valid on a replaced output", "did not spend the balance of who published a commitment of a replaced state")
	off(rule.PCF129, "does not sign on a new outpoint", "commitment_signed did not come")
	off(rule.PCF130, "signs on several outpoints without start_batch", wrong)
	off(rule.PCF131, "takes any batch", "the target")
	off(rule.PCF132, "takes every start_batch at its word", "the channel goes on")
	off(rule.PCF133, "takes updates that are signed for some of the outpoints", "the target answered it with start_batch")
	off(rule.PCF134, "revokes twice for a batch", wrong)
	off(rule.PCF135, "fails a channel over signatures for old outpoints", "the channel goes on")
	off(rule.PCF136, "sends start_batch before a first commitment", "start_batch came")
	off(rule.PCF138, "takes commitments while a change stands on the last ones", silent)
	off(rule.PCF140, "aborts what is pending", "factory_change_abort came")
	off(rule.PCF141, "does not answer factory_change_abort", "factory_change_abort did not come")
	off(rule.PCF143, "forgets what is pending when the peer aborts it", "factory_change_abort came")
	off(rule.PCF144, "signs updates for the current outpoint alone", wrong)
	off(rule.PCF145, "ignores factory_change_abort without a change", silent)
	off(rule.PCF147, "ignores factory_change_continue with another outpoint", silent)
	off(rule.PCF148, "locks a change on its own", "factory_change_locked came")
	off(rule.PCF150, "does not say which change is unfinished", "next_funding is missing")
	off(rule.PCF151, "does not say what it locked", "my_current_funding_locked is missing")
	off(rule.PCF152, "says factory_change_continue once", "factory_change_continue did not come")
	off(rule.PCF153, "does not sign again what next_funding asks for", "commitment_signed did not come")
	off(rule.PCF154, "ignores a next_funding that it does not know", "factory_change_abort did not come")
	off(rule.PCF155, "ignores that both sides name another next_funding", "error did not come")
	off(rule.PCF156, "does not look at my_current_funding_locked", "factory_change_locked did not come")
	off(rule.PCF157, "refuses a second factory_change_continue", "warned and closed")
	off(rule.PCF159, "signs again whatever next_funding names", "commitment_signed came")
	off(rule.PCF165, "goes on with an attempt over which it sent an error", "funding_signed came")
	off(rule.PCF166, "ignores updates, commitments and stfu before channel_ready", silent)
	off(rule.PCF167, "takes updates after stfu", silent)
	off(rule.PCF168, "ignores what comes before channel_reestablish", silent)
	off(rule.PCF169, "answers for a channel that was failed", "warned and closed")
	off(rule.PCF170, "lets channels be shut down that were absorbed", silent)
	off(rule.PCF171, "ignores a revoke_and_ack that it does not wait for", silent)
	off(rule.PCF172, "keeps factory_change_locked back until its stfu is answered", "factory_change_locked did not come")
	off(rule.PCF173, "waits for the answer to its stfu for ever", "the target waits for ever")
	off(rule.PCF088, "forwards with the delta of the outgoing channel alone", "update_add_htlc came")
	off(rule.PCF099, "says something else for a forward that would expire too early", "expiry_too_soon")
	off(rule.PCF094, "gives preimages whatever the height", "no preimage for an HTLC that expires too soon")
	off(rule.PCF093, "asks for the usual delta in invoices", "at least 144 + 18 blocks")
	off(rule.PCF071, "forgets in a restart which channels are in a factory", "after the restart")
	off(rule.PCF142, "sends updates in quiescence", "update_fail_htlc came")
	off(rule.PCF146, "stays quiet for ever", "the target stays quiet")
	off(rule.CHAN013, "forwards although it is a client", "update_add_htlc came")
	off(rule.CHAN001, "pays for channels that its clients have not signed", "no funding transaction")
	off(rule.CHAN002, "stores channel outputs without a commitment", "no ceremony_stored")
	off(rule.CHAN003, "takes fresh funding keys in factories", "the funding_pubkey")
	off(rule.CHAN004, "takes channels of any size", "did not fail the channel")
	off(rule.CHAN005, "asks its clients for its own to_self_delay", "is at most 144 blocks")
	off(rule.CHAN006, "asks for the to_self_delay of a channel outside", "as the factory's parameters say")
	off(rule.CHAN037, "keeps whatever reserve its LSP asks for", "did not fail the channel")
	off(rule.CHAN007, "takes any outpoint", "error did not come")
	off(rule.CHAN008, "keeps the channels of attempts that ended", "is forgotten")
	off(rule.CHAN009, "answers channel_ready with its own at once", "channel_ready came")
	off(rule.CHAN010, "hears the warning and stays", "did not publish")
	off(rule.CHAN011, "offers HTLCs while it leaves", "update_add_htlc came")
	off(rule.CHAN012, "takes any HTLC without coins", "above a tenth of the cover")
	off(rule.CHAN040, "waits for the end of an HTLC until its sender leaves", "the HTLC is failed")
	off(rule.CHAN016, "adds no block to its payments", "an expiry of at least")
	off(rule.CHAN017, "replaces the errors of clients by its own", "the payer reads")
	off(rule.PCF057, "adds nothing for its own channel", "an expiry of at least")
	off(rule.CHAN035, "signs a second first commitment on one output", "no second first commitment")
	off(rule.CHAN034, "fails a channel without fees on update_fee", "error")
	off(rule.CHAN021, "stays in a factory whose channel failed", "did not publish")
	off(rule.CHAN023, "publishes what it has after it fell behind", "no commitment of a node that fell behind")
	off(rule.CHAN024, "watches the output of its channel and does nothing", "the target's latest commitment")
	off(rule.CHAN025, "lets revoked commitments be", "did not spend the balance")
	off(rule.CHAN026, "claims no HTLCs on the chain", "did not spend the output of an HTLC")
	off(rule.PCF055, "forgets the commitments of a channel that failed", "the target's latest commitment")
	off(rule.PCF083, "forgets channels that do not confirm", "channel_reestablish did not come")
	off(rule.PCF092, "goes on with channels that its plugin forgot", "is not reestablished")
	off(rule.CER025, "uses factories that were funded late", "channel_ready came")
	off(rule.CER026, "uses factories without a confirmation", "channel_ready came")
	as := func(id string, breaks, want string, ids ...rule.ID) {
		all = append(all, Mutant{ID: id, Rule: rule.ID(id[:areaAndNumber(id)]), Breaks: breaks, Want: want, Rules: rule.Without(ids...)})
	}
	as("PCF-127/absorbed", "forgets what was valid on the output of a channel that is absorbed", "the balance of who published the last commitment of a channel that was absorbed", rule.PCF127+"/absorbed")
	as("CHAN-025/htlc", "leaves the HTLCs of revoked commitments to who published them", "did not spend an HTLC that it offered, in a revoked commitment", rule.CHAN025+"/htlc")
	as("CHAN-025/second-stage", "leaves what HTLC transactions made of revoked commitments", "did not spend what an HTLC transaction made of a revoked commitment", rule.CHAN025+"/second-stage")
	off(rule.CHG001, "begins phase 1 when it pleases", "no aggregate nonces of phase 1")
	off(rule.CHG002, "signs states before its channel has a commitment there", "no partial signatures of phase 1")
	as("CHAN-040/trimmed", "fails HTLCs whose preimage may come at any time", "an HTLC whose outgoing one is trimmed stays", rule.CHAN040+"/trimmed")
	as("CHG-002/htlcs", "signs states whose commitments have HTLCs that nobody signed", "no partial signatures of phase 1", rule.CHG002+"/htlcs")
	off(rule.CHG003, "takes a fresh funding key for every change", "the funding_pubkey is not the one")
	as("CHAN-003/peer", "takes any funding key of its clients", "no funding transaction whose client 0", rule.CHAN003+"/peer")
	as("CHG-003/peer", "takes any funding key of its peer", "factory_change_abort did not come", rule.CHG003+"/peer")
	off(rule.CHG004, "contributes a sat less than its update gives", "funding_contribution_satoshis is not what")
	as("CHG-004/peer", "takes any contribution of its peer", "factory_change_abort did not come", rule.CHG004+"/peer")
	off(rule.CHG005, "continues channels as soon as both sides are committed", "factory_change_continue came")
	off(rule.CHG006, "locks changes before the poison is there", "factory_change_locked came")
	off(rule.CHG007, "signs nothing after a change has locked", "commitment_signed did not come")
	off(rule.CHG009, "leaves changes open whose updates ended", "factory_change_abort did not come")
	off(rule.CHG010, "forgets changes whose updates ended", "the change is not called off")
	as("CHG-010/lsp", "calls changes off whose updates ended", "factory_change_abort came", rule.CHG010)
	off(rule.CHG025, "stays quiet until whoever stopped an update is back", "factory_change_continue did not come")
	as("CHG-025/first", "continues as the LSP what its client may not have begun", "factory_change_continue came", rule.CHG025+"/first")
	off(rule.CHG012, "makes updates while channels are not done with the one before", "no second update before")
	off(rule.CHG014, "makes another update while a change that it called off is not over", "no other update before")
	as("CHG-014/both", "makes two updates of a leaf at a time", "no second update while", rule.CHG014, rule.CER042, rule.CHG012)
	off(rule.CHG013, "moves the channels that grow", "stfu did not come")
	off(rule.CHG015, "takes from the buyer's own stock whatever it is told", "the stock is that of client 1")
	off(rule.CHG017, "leaves a sat in a channel that is absorbed", "funding_contribution_satoshis is not what")
	as("CHG-017/peer", "lets its peer leave a sat in a channel that is absorbed", "factory_change_abort did not come", rule.CHG017+"/peer")
	off(rule.CHG018, "takes updates on a channel that is absorbed", silent)
	off(rule.CHG019, "forgets what the client brings from the channels it absorbs", "funding_contribution_satoshis is not what")
	as("CHG-019/peer", "takes any contribution where channels are absorbed", "factory_change_abort did not come", rule.CHG019+"/peer")
	off(rule.CHG020, "absorbs channels with HTLCs", "no update absorbs a channel with an HTLC")
	as("CHG-020/client", "lets channels with HTLCs be absorbed", "the target did not refuse it", rule.CHG020)
	off(rule.CHG021, "signs something where there is no commitment", "zeros")
	off(rule.CHG022, "leaves a commitment of an update that was called off valid", "commitment_signed did not come")
	as("CHG-022/empty", "leaves it valid where the client brought nothing from the channels it absorbs", "commitment_signed did not come", rule.CHG022+"/empty")
	off(rule.CHG026, "forgets what it signed for a change that was called off", "did not spend the balance of who published what it had signed before")
	off(rule.CHG027, "signs another commitment of the same number where it signed one before", "no second commitment of one number on one outpoint")
	off(rule.CHG028, "signs an update though an absorbed channel gives something else now", "no partial signature of phase 1 while")
	off(rule.CHG029, "stays in a factory with more than it is covered for", "the target did not publish the kickoff")
	off(rule.CHG030, "takes HTLCs when it may be too late to get them onto the chain", "an HTLC is taken before T - exit_time")
	off(rule.CHG016, "keeps the stock of its group to itself", "the target takes part")
	all = append(all,
		Mutant{ID: "PCF-086", Rule: rule.PCF086, Breaks: "offers HTLCs that expire too early", Want: "update_add_htlc came",
			Rules: rule.Without(rule.PCF086, rule.PCF099)},
		Mutant{ID: "PCF-087", Rule: rule.PCF087, Breaks: "takes HTLCs that expire too early", Want: "an HTLC that expires too soon is not fulfilled",
			Rules: rule.Without(rule.PCF087, rule.PCF093, rule.PCF094)},
		out("PCF-110", rule.PCF110, "sends stfu as soon as a channel is ready", "stfu came", func(m *wire.Base) []wire.Message {
			id, ok := wire.ChannelOf(m)
			if !ok || m.Name() != "channel_ready" {
				return one(m)
			}
			return []wire.Message{m, &wire.Stfu{ChannelID: id, Initiator: 1}}
		}),
		out("PCF-115", rule.PCF115, "sends factory_change_ack with its stfu", "factory_change_ack came", func(m *wire.Stfu) []wire.Message {
			return []wire.Message{m, &wire.ChangeAck{Change: wire.Change{ChannelID: m.ChannelID, FundingPubkey: anyPoint}}}
		}),
		out("PCF-118", rule.PCF118, "names the outpoint before factory_change_ack", "factory_change_ack, and then factory_change_funding", func(m *wire.ChangeAck) []wire.Message {
			return []wire.Message{&wire.ChangeFunding{Outpoint: wire.ChangeOutpoint{ChannelID: m.Change.ChannelID}}, m}
		}),
		Mutant{ID: "CHG-011", Rule: rule.CHG011, Breaks: "sends stfu on every channel when it sells", Want: "stfu came", Tamper: quietForSales},
		Mutant{ID: "PCF-120", Rule: rule.PCF120, Breaks: "signs something else on a new outpoint", Want: wrong, Tamper: signsWrong},
		out("PCF-128", rule.PCF128, "does not answer factory_change_init", "factory_change_ack did not come", func(*wire.ChangeAck) []wire.Message { return nil }),
	)
	for i := range all {
		all[i].Vectors = slices.Contains(slices.Concat(expiring, waiting), all[i].Rule) && all[i].ID == string(all[i].Rule)
	}
	return all
}

// expiring are the rules of expiries that vectors decide beside a case.
var expiring = []rule.ID{
	rule.PCF057, rule.PCF086, rule.PCF087, rule.PCF088, rule.PCF093, rule.PCF094, rule.PCF099, rule.CHAN016, rule.CHAN040,
}

// waiting are rules of who waits for whom in a change, which conversations show beside a case.
var waiting = []rule.ID{rule.PCF138, rule.PCF172, rule.PCF173}

// quietForSales sends stfu on a channel in use with what it says of the next change.
func quietForSales() peer.Tamper {
	var ready []wire.Message
	changes := false
	bend := ceremonyOut(func(m wire.Ceremony) []wire.Ceremony {
		changes = changes || m.Type() == wire.TypeSale || m.Type() == wire.TypeNonces
		return []wire.Ceremony{m}
	})
	return peer.Tamper{Out: func(m wire.Message) []wire.Message {
		if id, ok := wire.ChannelOf(m); ok && m.Name() == "channel_ready" {
			ready = append(ready, &wire.Stfu{ChannelID: id, Initiator: 1})
			changes = false
		}
		out := bend(m)
		if changes {
			out, ready = append(out, ready...), nil
		}
		return out
	}}
}

// anyPoint is the generator of the curve.
var anyPoint = wire.Point{
	0x02, 0x79, 0xbe, 0x66, 0x7e, 0xf9, 0xdc, 0xbb, 0xac, 0x55, 0xa0, 0x62, 0x95, 0xce, 0x87, 0x0b, 0x07,
	0x02, 0x9b, 0xfc, 0xdb, 0x2d, 0xce, 0x28, 0xd9, 0x59, 0xf2, 0x81, 0x5b, 0x16, 0xf8, 0x17, 0x98,
}

// signsWrong alters the first signature behind factory_change_funding.
func signsWrong() peer.Tamper {
	funded := false
	return peer.Tamper{Out: func(m wire.Message) []wire.Message {
		switch x := m.(type) {
		case *wire.ChangeFunding:
			funded = true
		case *wire.CommitmentSigned:
			if funded {
				funded = false
				bent := *x
				bent.Signature[40] ^= 1
				return one(&bent)
			}
		}
		return one(m)
	}}
}
