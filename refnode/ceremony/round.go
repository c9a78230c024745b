package ceremony

import (
	"errors"
	"fmt"
	"io"
	"sort"

	"superscalar/refnode/factory"
	"superscalar/refnode/musig"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// guilty names several clients at once.
type guilty struct{ clients map[int]*Failure }

func (g *guilty) Error() string { return fmt.Sprintf("%d clients are to blame", len(g.clients)) }

// round is one phase of a ceremony as the LSP sees it: nonces from everybody,
// aggregates to everybody, partial signatures from everybody, complete
// signatures. Members are numbered as in the ceremony; clients holds the client
// index of each.
type round struct {
	phase    uint8
	slots    []*factory.Tx
	clients  []factory.ClientIndex
	of       [][]int // slots of each member
	nonces   [][]musig.PublicNonce
	partials [][][32]byte
	own      *signer
}

// unless returns err, and nil when the rule it names is switched off: a
// mutant then waits for better.
func unless(rules rule.Set, err error) error {
	var f *Failure
	if errors.As(err, &f) && !rules.On(f.Rule) {
		return nil
	}
	var g *guilty
	if errors.As(err, &g) && !rules.On(rule.CER016) {
		return fail(wire.ReasonInternal, rule.CER016, "some partial signature is wrong")
	}
	return err
}

// newRound lays out a phase. Each member co-signs the slots whose signers
// include it, in the order of slots.
func newRound(phase uint8, slots []*factory.Tx, clients []factory.ClientIndex) *round {
	r := &round{phase: phase, slots: slots, clients: clients}
	r.of = make([][]int, len(clients))
	for m, c := range clients {
		for s, t := range slots {
			if t.Signers.Contains(c) {
				r.of[m] = append(r.of[m], s)
			}
		}
	}
	r.nonces = make([][]musig.PublicNonce, len(clients))
	r.partials = make([][][32]byte, len(clients))
	return r
}

// waitsFor reports whether a member owes nonces, or once all nonces are there,
// partial signatures.
func (r *round) waitsFor(m int) bool {
	if r.own == nil {
		return r.nonces[m] == nil
	}
	return r.partials[m] == nil
}

// maxRemembered is how many public nonces the LSP remembers (SIGN-006).
const maxRemembered = 1 << 20

// addNonces takes a member's nonces (CER-015). The last one makes done true.
func (r *round) addNonces(rules rule.Set, used map[[66]byte]bool, m int, raw [][66]byte) (done bool, err error) {
	if len(raw) != len(r.of[m]) {
		return false, unless(rules, fail(wire.ReasonNonces, rule.CER015, "%d nonces, %d slots", len(raw), len(r.of[m])))
	}
	if !rules.On(rule.SIGN006 + "/earlier") {
		clear(used) // a mutant looks at one message at a time
	}
	parsed := make([]musig.PublicNonce, len(raw))
	for i := range raw {
		if used[raw[i]] && rules.On(rule.SIGN006) {
			return false, fail(wire.ReasonNonces, rule.SIGN006, "nonce %d was used before", i)
		}
		if len(used) >= maxRemembered {
			clear(used)
		}
		used[raw[i]] = true
		if parsed[i], err = musig.ParsePublicNonce(raw[i][:]); err != nil {
			return false, unless(rules, fail(wire.ReasonNonces, rule.SIGN004, "nonce %d: %w", i, err))
		}
	}
	r.nonces[m] = parsed
	for _, n := range r.nonces {
		if n == nil {
			return false, nil
		}
	}
	return true, nil
}

// signersOf returns, for slot s, the members that sign it in the order of its
// key's signers, and for each the place of the slot among its own.
func (r *round) signersOf(s int) (members, places []int) {
	for m, c := range r.clients {
		if !r.slots[s].Signers.Contains(c) {
			continue
		}
		place := sort.SearchInts(r.of[m], s)
		members, places = append(members, m), append(places, place)
	}
	return members, places
}

// aggregate draws the LSP's nonces and adds everybody's.
func (r *round) aggregate(rand io.Reader, key *musig.SecretKey) ([]musig.AggregateNonce, error) {
	own, err := newSigner(rand, key, r.slots)
	if err != nil {
		return nil, err
	}
	out := make([]musig.AggregateNonce, len(r.slots))
	for s := range r.slots {
		if out[s], err = musig.AggregateNonces(r.slotNonces(s, own)); err != nil {
			return nil, err
		}
	}
	if err := own.open(out); err != nil {
		return nil, err
	}
	r.own = own
	return out, nil
}

// slotNonces are the public nonces of slot s in signer order, the LSP's last.
func (r *round) slotNonces(s int, own *signer) []musig.PublicNonce {
	members, places := r.signersOf(s)
	all := make([]musig.PublicNonce, len(members)+1)
	for i, m := range members {
		all[i] = r.nonces[m][places[i]]
	}
	all[len(members)] = own.public[s]
	return all
}

// addPartials takes a member's partial signatures. The last one makes done
// true.
func (r *round) addPartials(rules rule.Set, m int, raw [][32]byte) (done bool, err error) {
	if len(raw) != len(r.of[m]) {
		return false, unless(rules, fail(wire.ReasonPartialSignature, rule.CER016, "%d partial signatures, %d slots", len(raw), len(r.of[m])))
	}
	for i := range raw {
		if _, err := musig.ParsePartialSignature(raw[i][:]); err != nil {
			return false, unless(rules, fail(wire.ReasonPartialSignature, rule.SIGN005, "partial signature %d: %w", i, err))
		}
	}
	if raw == nil {
		raw = [][32]byte{}
	}
	r.partials[m] = raw
	for _, p := range r.partials {
		if p == nil {
			return false, nil
		}
	}
	return true, nil
}

// complete signs for the LSP and combines. When a signature fails, the error
// is a *guilty that names every member whose partial signature is wrong
// (SIGN-008).
func (r *round) complete(rules rule.Set, rand io.Reader, key *musig.SecretKey) ([][64]byte, error) {
	own, err := r.own.sign(key)
	if err != nil {
		return nil, err
	}
	out := make([][64]byte, len(r.slots))
	items := make([]musig.Item, len(r.slots))
	for s, session := range r.own.sessions {
		sig, err := session.Combine(r.slotPartials(s, own))
		if err != nil {
			return nil, err
		}
		out[s], items[s] = sig, session.Item(sig)
	}
	if err := musig.VerifyBatch(items, rand); err != nil && rules.On(rule.SIGN008) {
		return nil, unless(rules, r.findGuilty(own))
	}
	return out, nil
}

func (r *round) slotPartials(s int, own [][32]byte) []musig.PartialSignature {
	members, places := r.signersOf(s)
	all := make([]musig.PartialSignature, len(members)+1)
	for i, m := range members {
		all[i] = r.partials[m][places[i]]
	}
	all[len(members)] = own[s]
	return all
}

// findGuilty checks every partial signature.
func (r *round) findGuilty(own [][32]byte) error {
	found := map[int]*Failure{}
	for s, session := range r.own.sessions {
		bad, err := session.Blame(r.slotNonces(s, r.own), r.slotPartials(s, own))
		if err != nil {
			return err
		}
		members, _ := r.signersOf(s)
		for _, i := range bad {
			if i < len(members) {
				found[members[i]] = fail(wire.ReasonPartialSignature, rule.CER016, "wrong partial signature on the %s of transaction %s", r.slots[s].Kind, r.slots[s].Node)
			}
		}
	}
	if len(found) == 0 {
		return fail(wire.ReasonInternal, rule.SIGN008, "a signature is wrong and no client is to blame")
	}
	return &guilty{found}
}

// pick returns the values of a member's slots.
func pick[T any](r *round, m int, all []T) []T {
	out := make([]T, len(r.of[m]))
	for i, s := range r.of[m] {
		out[i] = all[s]
	}
	return out
}

func (r *round) forget() {
	if r != nil {
		r.own.forget()
	}
}

// checkMember verifies one member's partial signatures at once, as a buyer's
// have to be before the group signs (PS-014).
func (r *round) checkMember(m int) error {
	key := r.slots[0].Key
	for i, s := range r.of[m] {
		place, _ := r.slots[s].SignerIndex(r.clients[m])
		signer, ok := key.Signer(place)
		if !ok {
			return fail(wire.ReasonInternal, "", "no signer %d", place)
		}
		if err := r.own.sessions[s].VerifyPartial(musig.PartialSignature(r.partials[m][i]), r.nonces[m][i], signer); err != nil {
			return fail(wire.ReasonPartialSignature, rule.CER016, "the buyer's partial signature: %w", err)
		}
	}
	return nil
}
