package mutant

import (
	"slices"
	"strings"

	"superscalar/wire/rule"
)

// checks are mutants that leave one check out. What a case then sees is that
// the node goes on as if nothing had happened, unless said otherwise.
func checks() []Mutant {
	off := func(id rule.ID, breaks, want string) Mutant {
		return Mutant{ID: string(id), Rule: id, Breaks: breaks, Want: want}
	}
	closes := "closed the connection without a word"
	out := []Mutant{
		off(rule.TRN001, "accepts any version in the handshake", "did not just close"),
		off(rule.TRN002, "keeps a socket open after an invalid key in the handshake", "hung"),
		off(rule.TRN003, "keeps a socket open after a wrong tag in the handshake", "hung"),
		off(rule.TRN004, "answers a handshake it refuses with 50 bytes", "50 bytes"),
		off(rule.TRN005, "does not refuse a bad act two", "did not just close"),
		off(rule.TRN006, "goes deaf after a message that does not authenticate", "hung"),
		off(rule.TRN007, "does not rotate its keys", "does not authenticate"),
		off(rule.TRN009, "shakes one hand at a time", "an honest handshake did not complete"),
		off(rule.TRN010, "waits for a handshake and for init for ever", "hung"),
		off(rule.TRN011, "keeps two connections with one peer", "older connection stays open"),
		off(rule.TRN012, "keeps both connections when both sides dialled", "stays open"),
		off(rule.TRN013, "uses its node key as the ephemeral key of every handshake", "one ephemeral key"),
		off(rule.CER001, "takes ceremony messages with a record missing or of another length", ""),
		off(rule.CER002, "uses one ceremony id for every attempt", "the attempts have different ids"),
		off(rule.CER003, "uses the same factory key in every attempt", "differ"),
		off(rule.CER004, "ignores messages of attempts it does not know", "did not refuse it"),
		off(rule.CER005, "answers aborts of attempts it does not know", "was answered"),
		off(rule.CER006, "begins a second attempt while one goes on", "a second invitation"),
		off(rule.CER007, "ignores messages it does not wait for", "not"),
		off(rule.CER008, "takes messages of the other role", "wrong role"),
		off(rule.CER011, "does not look for its keys in a proposal", "did not refuse it"),
		off(rule.CER012, "takes less capacity than it was promised", "did not refuse it"),
		off(rule.CER013, "does not compare the funding value", "did not refuse it"),
		off(rule.CER014, "takes a factory key twice", "was not dropped"),
		off(rule.CER017, "waits for silent clients for ever", "was not dropped"),
		off(rule.CER018, "gives up when a client is dropped", "a factory was expected: true"),
		off(rule.CER019, "does not name who stopped an attempt", "names client 1"),
		off(rule.CER022, "stores signatures without looking at them", "did not refuse it"),
		off(rule.CER023, "hands out the funding transaction with the signatures", "ceremony_funded"),
		off(rule.SIGN020, "builds on aggregates that it has not checked", "did not refuse it"),
		off(rule.CER047, "ends an attempt with wrong aggregates without a word", "did not refuse it"),
		off(rule.CER046, "sends no aggregates with its proposals", "has node_keys"),
		off(rule.CER031, "goes on with an attempt after its connection ended", ""),
		off(rule.CER015, "waits for better nonces when their number is wrong", "was not dropped"),
		off(rule.CER016, "blames nobody for a wrong partial signature", "was not dropped"),
		off(rule.CER020, "waits for better aggregate nonces", "did not refuse it"),
		off(rule.SIGN004, "waits for better nonces when one is no point", ""),
		off(rule.SIGN005, "waits for better partial signatures when one is out of range", "was not dropped"),
		off(rule.SIGN007, "does not look at the LSP's signatures on channel outputs", "did not refuse it"),
		off(rule.SIGN008, "hands out signatures without looking at them", "was not dropped"),
		off(rule.TREE011, "takes any kind of leaf", "did not refuse it"),
		off(rule.TREE014, "takes leaves with too many clients", "did not refuse it"),
		off(rule.DELAY006, "signs states on kickoffs that are out", "did not refuse it"),
		off(rule.DELAY007, "signs changes while the factory is being left", "did not refuse it"),
		off(rule.PS004, "signs sales on leaves that are out", "did not refuse it"),
		off(rule.POI008, "does not look at the chain again before poison", "did not refuse it"),
		off(rule.CER032, "joins under the id of a factory it has", "did not refuse it"),
		off(rule.CER033, "waits half a minute for its LSP", "was not created"),
		off(rule.CER034, "funds a factory whatever the height", "ceremony_funded"),
		off(rule.POI010, "asks for the poison of all leaves at once", "once its own leaf is poisoned"),
		off(rule.CER044, "changes a factory that is not funded", ""),
		off(rule.CER035, "leaves a funding transaction that is too late in the mempool", "spent otherwise"),
		off(rule.CER040, "goes on when the first client has stored", "no aggregate for the state"),
		off(rule.CER042, "starts any number of changes at once", "no update is proposed"),
		off(rule.CER045, "goes on with a sale while an answer to the attempt before may come", "is not invited again"),
		off(rule.POI009, "signs an update over a sale that is hidden", "did not refuse it"),
		off(rule.CER041, "ignores changes of factories it does not have", "did not refuse it"),
		off(rule.PS014, "lets everybody sign a sale at once", "is not asked before"),
		off(rule.SIGN006, "takes a nonce twice", "was not dropped"),
		off(rule.TREE001, "does not look at the bounds of parameters", "did not refuse it"),
		off(rule.TREE002, "does not compare step with confirm_blocks", "did not refuse it"),
		off(rule.TREE003, "does not compare tip_height with its chain", "did not refuse it"),
		off(rule.SCRIPT003, "takes any channel script", "did not refuse it"),
		off(rule.SCRIPT006, "takes a factory key twice in a proposal", "did not refuse it"),
		off(rule.DELAY004, "does not bound the early warning time", "did not refuse it"),
		off(rule.DELAY005, "does not recompute the expiry", "did not refuse it"),
		off(rule.TRN075, "does not end attempts on an error for all", "did not come"),
		off(rule.PCF009, "handles both message types as factory messages", "warned and closed"),
		off(rule.PCF017, "handles factory messages before it has the peer's list", "errored"),
		off(rule.PCF058, "ignores the opening of a channel whose records do not parse", "ignored"),
		off(rule.PCF079, "ignores an accept_channel for a failed attempt", "ignored"),
		off(rule.PCF098, "opens channels of any type", "answered with accept_channel"),
		off(rule.TRN020, "closes on an unknown odd message", closes),
		off(rule.TRN021, "ignores an unknown even message", "ignored"),
		off(rule.TRN022, "ignores a message that is too short", "ignored"),
		off(rule.TRN023, "ignores a message without a type", "ignored"),
		off(rule.TRN052, "ignores everything until init comes", "hung"),
		off(rule.TRN053, "takes a second init", "ignored"),
		off(rule.TRN054, "ignores unknown even features", "answered with supported_factory_protocols"),
		off(rule.TRN055, "closes on unknown odd features", "closed"),
		off(rule.TRN056, "does not look at globalfeatures", "answered with supported_factory_protocols"),
		off(rule.TRN057, "does not check what features depend on", "ignored"),
		off(rule.TRN065, "does without the records of an init that do not parse", "answered with supported_factory_protocols"),
		off(rule.TRN063, "does not look at networks", "answered with supported_factory_protocols"),
		off(rule.TRN070, "closes on an error for an unknown channel", closes),
		off(rule.TRN071, "closes on a warning", closes),
		off(rule.TRN072, "ignores messages about unknown channels", "ignored"),
		off(rule.TRN081, "answers a ping that asks for no pong", "a pong of 0 bytes"),
		off(rule.PCF003, "takes the factory feature without what it depends on", "answered with supported_factory_protocols"),
		off(rule.PCF005, "handles factory messages without the feature", "ignored"),
		off(rule.PCF010, "ignores a factory message without a submessage id", "ignored"),
		off(rule.PCF011, "closes on an unknown odd submessage", closes),
		off(rule.PCF012, "ignores an unknown even submessage", "ignored"),
		off(rule.PCF013, "ignores a factory message that does not parse", "ignored"),
		off(rule.PCF015, "ignores a factory record of the wrong length", "ignored"),
		off(rule.PCF022, "takes a second list of protocols", "ignored"),
		off(rule.PCF024, "ignores a list of protocols without its record", "ignored"),
		off(rule.PCF025, "ignores a list of protocols of the wrong length", "ignored"),
		off(rule.PCF026, "closes on an empty list of protocols", closes),
		off(rule.PCF028, "uses protocols that only it listed", "ignored"),
		off(rule.PCF029, "closes on protocols it does not know", closes),
		off(rule.PCF030, "ignores a piggyback without a protocol id", "ignored"),
		off(rule.PCF031, "ignores a piggyback without a payload", "ignored"),
		off(rule.PCF032, "ignores a piggyback for a protocol it did not list", "ignored"),
		off(rule.PCF035, "drops the last byte of payloads", "the payload came back changed"),
		off(rule.PCF041, "ignores a SuperScalar payload without a type", "ignored"),
		off(rule.PCF042, "refuses unknown odd SuperScalar messages", "warned and closed"),
		off(rule.PCF043, "ignores unknown even SuperScalar messages", "ignored"),
		off(rule.PCF044, "ignores SuperScalar messages that do not parse", "ignored"),
		off(rule.PCF051, "does not answer Loopback requests", "did not come"),
		off(rule.PCF052, "answers Loopback payloads of every kind", "was answered"),
		off(rule.PCF060, "opens channels under protocols nobody listed", "answered with accept_channel"),
		off(rule.PCF061, "opens channels in factories its plugin does not know", "answered with accept_channel"),
		off(rule.PCF062, "opens in-factory channels without zeroconf", "answered with accept_channel"),
		off(rule.PCF063, "opens in-factory channels without an scid alias", "answered with accept_channel"),
		off(rule.PCF064, "opens announced in-factory channels", "answered with accept_channel"),
		off(rule.PCF066, "opens channels under protocols the peer did not list", "did not list"),
		off(rule.PCF068, "ignores channel_in_factory of the wrong length", "ignored"),
		off(rule.PCF069, "takes any early warning time", "answered with accept_channel"),
		off(rule.PCF072, "does not check the rules of BOLT 2", "answered with accept_channel"),
		off(rule.PCF074, "takes any accept_channel", "ignored"),
		off(rule.PCF075, "takes a temporary_channel_id twice", "answered with accept_channel"),
		off(rule.PCF076, "does not forget a channel after an error", "did not come"),
		off(rule.PCF106, "ignores changes of unknown channels", "ignored"),
	}
	out = append(out, Mutant{ID: "PCF-072/point", Rule: rule.PCF072, Breaks: "ignores an open_channel with a key that is no point", Want: "a funding_pubkey that is no point: the target ignored it"})
	for i, name := range []string{"init", "ack", "funding", "continue", "locked", "abort"} {
		id := []rule.ID{rule.PCF100, rule.PCF101, rule.PCF102, rule.PCF103, rule.PCF104, rule.PCF105}[i]
		out = append(out, off(id, "ignores factory_change_"+name+" without its record", "ignored"))
	}
	return out
}

func sorted(all []Mutant) []Mutant {
	slices.SortFunc(all, func(a, b Mutant) int { return strings.Compare(a.ID, b.ID) })
	return all
}
