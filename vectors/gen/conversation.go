package gen

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

const conversationComment = "One party of ceremonies, step by step: hand each event of steps to it and compare what it does. Everything else (signs, sends, broadcasts, refused, state, keeps) is the answer; order matters for messages to one receiver only. What is in signs is on record durably before anything of sends leaves, and so is keeps. compare says how a message is compared: exact: the same bytes, whatever randomness is drawn. nonces, aggregate, partials, signatures: the same bytes when the step's randomness is what each draw of 32 bytes returns (rand' of NonceGen, which is given the secret key, the output key as aggpk and the sighash as msg; a new ceremony_id is that value itself); an implementation that cannot inject it compares type, phase and counts, checks the values with public data (points; sum of the nonces; BIP-327 partial verification; BIP-340 and ECDSA signatures), and computes what the other parties say from there on from their keys. abort: ceremony_id, reason and guilty; the text is free. A party with after has lived through that conversation and was started again from its disk since. disconnects: what is left when the connection ends after that many messages of the conversation, in either direction, have arrived. The fault of a bad vector arrives in the step with fault; what follows is the answer to it."

// scenario is something that happens between an LSP and its clients, told from
// the side of one or more of them.
type scenario struct {
	name    string
	comment string
	n       int    // clients
	after   string // name of a good scenario
	parties []int  // whose conversations are wanted
	rules   []rule.ID
	// by are more rules, of one party's conversation.
	by map[int][]rule.ID
	// lenient is an LSP without some rules, so that it can plant the fault.
	lenient rule.Set
	breaks  bool // with disconnects
	goesOn  bool // after the fault of a bad one
	bad     *vectors.Failure
	run     func(w *scene)
}

// conversations are the file of an area: that of the first rule.
func conversations(area string) (vectors.File, error) {
	f := file(area, "conversation", "SPEC.md 5 to 7", conversationComment)
	all, err := allConversations()
	for _, v := range all {
		if v.Rules[0].Area() == area || area == "CER" && v.Rules[0].Area() == "DIST" {
			f.Vectors = append(f.Vectors, v)
		}
	}
	return f, err
}

var allConversations = sync.OnceValues(func() ([]*vectors.Conversation, error) {
	g := &teller{scenes: map[string]*scene{}, told: map[string]*vectors.Conversation{}}
	var out []*vectors.Conversation
	var failed []error
	for _, s := range scenarios() {
		for _, party := range s.parties {
			v, err := g.tell(s, party)
			if err != nil {
				failed = append(failed, fmt.Errorf("%s: %w", conversationName(s.name, party), err))
				continue
			}
			out = append(out, v)
		}
	}
	return out, errors.Join(failed...)
})

// teller runs scenarios; later ones go on where earlier ones ended.
type teller struct {
	scenes map[string]*scene
	told   map[string]*vectors.Conversation
}

func conversationName(scenario string, party int) string {
	return slug("conversation", scenario, partyName(party))
}

// tell runs a scenario and returns the conversation of one party.
func (g *teller) tell(s scenario, party int) (v *vectors.Conversation, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	before := g.scenes[s.after]
	if s.after != "" && before == nil {
		return nil, fmt.Errorf("it goes on from %q, which is not told", s.after)
	}
	w, err := newScene(s.name, s.n, before, party, s.lenient)
	if err != nil {
		return nil, err
	}
	w.stops = s.bad != nil && !s.goesOn
	s.run(w)
	a := w.parties[party]
	v = &vectors.Conversation{
		Head:  vectors.Head{Name: conversationName(s.name, party), Comment: s.comment, Rules: slices.Concat(s.rules, s.by[party])},
		Party: "lsp", Chain: "other", Height: uint32(a.first), Steps: a.steps, Keys: w.keysOf(),
	}
	if party != theLSP {
		v.Party, v.Client = "client", ptr(party)
	}
	if s.after != "" {
		name := conversationName(s.after, party)
		if v.After, v.Before = name, g.told[name]; v.Before == nil {
			return nil, fmt.Errorf("%s is not told", name)
		}
	}
	if s.bad != nil {
		wrong := *s.bad
		v.Error = &wrong
	} else {
		g.scenes[s.name], g.told[v.Name] = w, v
	}
	if err := coherent(v); err != nil {
		return nil, err
	}
	if s.breaks {
		err = (runner{befores: &befores{}}).breaks(v, func(d vectors.Disconnect) error {
			v.Breaks = append(v.Breaks, d)
			return nil
		})
	}
	return v, err
}

// coherent checks that the answer to a planted fault is the one that the
// scenario names: what a machine answered is not copied unseen.
func coherent(v *vectors.Conversation) error {
	i := slices.IndexFunc(v.Steps, func(h vectors.Happening) bool { return h.Fault })
	if (i >= 0) != (v.Error != nil) {
		return fmt.Errorf("a fault and an error come together (step %d)", i)
	}
	if v.Error == nil {
		return nil
	}
	h := v.Steps[i]
	switch v.Error.Kind {
	case "ignored":
		if len(h.Sends) > 0 {
			return fmt.Errorf("step %d is answered with %s", i, h.Sends[0].Name)
		}
		return nil
	case "not-started":
		if !h.Refused {
			return fmt.Errorf("step %d is not refused", i)
		}
		return nil
	}
	for _, s := range h.Sends {
		m, err := wire.Codec{}.DecodeCeremony(s.Bytes)
		if err != nil {
			return err
		}
		abort, ok := m.(*wire.Abort)
		if ok && slug(abort.Reason.String()) == v.Error.Kind && sameGuilty(abort, v.Error) {
			return nil
		}
	}
	var said []string
	for _, s := range h.Sends {
		said = append(said, fmt.Sprintf("%s %s to %s", s.Name, show(s.Records), s.To))
	}
	return fmt.Errorf("step %d (%s %s) is not answered with %s: %.600s", i, h.Event, h.From, v.Error.Kind, strings.Join(said, ", "))
}

// sameGuilty compares the client that an abort names.
func sameGuilty(m *wire.Abort, want *vectors.Failure) bool {
	if len(want.Signers) == 0 {
		return m.Guilty == nil
	}
	return m.Guilty != nil && slices.Contains(want.Signers, int(*m.Guilty))
}

// befores are the disks of parties that have lived through a conversation.
type befores struct{ disks sync.Map } // of *vectors.Conversation

type livedThrough struct {
	once  sync.Once
	after *station
	err   error
}

// lived returns the party of a good conversation at its end; the machine
// keeps all rules, since what was before is not under test.
func (b *befores) lived(v *vectors.Conversation) (*station, error) {
	x, _ := b.disks.LoadOrStore(v, &livedThrough{})
	l := x.(*livedThrough)
	l.once.Do(func() {
		r := runner{befores: b}
		if l.after, l.err = r.station(v); l.err != nil {
			return
		}
		for i := range v.Steps {
			if _, l.err = play(l.after, &v.Steps[i]); l.err != nil {
				return
			}
		}
	})
	return l.after, l.err
}

// station is the party under test as a conversation begins.
func (r runner) station(v *vectors.Conversation) (*station, error) {
	party := theLSP
	if v.Party == "client" {
		if v.Client == nil {
			return nil, errors.New("which client?")
		}
		party = int(*v.Client)
	}
	s := newStation(party, r.rules)
	var err error
	if s.chain, err = factoryChain(v.Chain); err != nil {
		return nil, err
	}
	s.height, s.keys = v.Height, given{partyName(party), v.Keys}
	var from *disk
	if v.After != "" {
		if v.Before == nil {
			return nil, fmt.Errorf("%s is not there", v.After)
		}
		old, err := r.befores.lived(v.Before)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.After, err)
		}
		from, s.purse.n, s.purse.coin = old.disk, old.purse.n, old.purse.coin
		for o := range old.spent {
			s.spent[o] = true
		}
	}
	if s.disk, err = newDisk(r.rules, from); err != nil {
		return nil, err
	}
	return s, s.start()
}

// play lets a step of a conversation happen.
func play(s *station, h *vectors.Happening) (r reaction, err error) {
	s.draw = [32]byte{}
	copy(s.draw[:], h.Randomness)
	switch h.Event {
	case "receive":
		return receives(s, h)
	case "disconnect":
		from, err := partyNumber(h.From)
		if err != nil {
			return r, err
		}
		return s.disconnected(from), nil
	case "wait":
		return s.wait(time.Duration(h.Seconds) * time.Second), nil
	case "chain":
		var spent []btcwire.OutPoint
		for _, p := range h.Spent {
			o, err := outpointOf(p.Txid, p.Output)
			if err != nil {
				return r, err
			}
			spent = append(spent, o)
		}
		return s.sees(h.Height, spent, h.Unfunded), nil
	case "restart":
		return s.restart()
	}
	return s.order(h.Event, h.Order), nil
}

func receives(s *station, h *vectors.Happening) (r reaction, err error) {
	if h.Message == nil {
		return r, errors.New("no message")
	}
	from, err := partyNumber(h.From)
	if err != nil {
		return r, err
	}
	m, err := wire.Codec{}.DecodeCeremony(h.Message.Bytes)
	if err != nil || m == nil {
		return r, fmt.Errorf("the message does not decode: %v", err)
	}
	return s.receive(from, m), nil
}
