package gen

import (
	"bytes"
	"fmt"
	"slices"

	"superscalar/refnode/ceremony"
	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// How the answers of a party are compared with a conversation.

// conversation checks what a party does, step by step.
func (r runner) conversation(v *vectors.Conversation) error {
	if err := coherent(v); err != nil {
		return err
	}
	s, err := r.station(v)
	if err != nil {
		return err
	}
	for i := range v.Steps {
		h := &v.Steps[i]
		got, err := play(s, h)
		if err == nil {
			err = sameReaction(h, got)
		}
		if err == nil && h.Fault {
			err = sameBlame(v, s.broken)
		}
		if err != nil {
			return fmt.Errorf("step %d (%s): %w", i, h.Event, err)
		}
	}
	if len(v.Breaks) == 0 {
		return nil
	}
	i := 0
	err = r.breaks(v, func(d vectors.Disconnect) error {
		i++
		if i > len(v.Breaks) {
			return nil
		}
		return sameBreak(v.Breaks[i-1], d)
	})
	if err == nil && i != len(v.Breaks) {
		err = fmt.Errorf("%d disconnects, want %d", len(v.Breaks), i)
	}
	return err
}

// sameBlame compares the rule that a client ended its attempt for.
func sameBlame(v *vectors.Conversation, broken *ceremony.Failure) error {
	if broken != nil && broken.Rule != "" && broken.Rule != v.Error.Rule && broken.Rule != alias[v.Error.Rule] {
		return fmt.Errorf("ends the attempt for %s, want %s", broken.Rule, v.Error.Rule)
	}
	return nil
}

// alias are rules that say the same of a ceremony as the more general one that
// a machine names.
var alias = map[rule.ID]rule.ID{
	rule.SIGN004: rule.CER020,
	rule.CER022:  rule.SIGN007,
	rule.SIGN007: rule.CER022,
	rule.CER021:  rule.CER007,
	rule.POI008:  rule.DELAY006,
}

// sameReaction compares what a party did with what a step says.
func sameReaction(want *vectors.Happening, r reaction) error {
	got := vectors.Happening{}
	r.sends = byReceiver(r.sends)
	describeReactionBytes(&got, r)
	if err := sameSends(got.Sends, want.Sends); err != nil {
		return err
	}
	if len(got.Signs) != len(want.Signs) {
		return fmt.Errorf("%d transactions are put on record, want %d", len(got.Signs), len(want.Signs))
	}
	for i := range got.Signs {
		if g, w := got.Signs[i], want.Signs[i]; !bytes.Equal(g.Txid, w.Txid) || g.Output != w.Output || g.Kind != w.Kind ||
			g.Sequence != w.Sequence || !bytes.Equal(g.Sighash, w.Sighash) {
			return fmt.Errorf("signs[%d] is %s on %x:%d, want %s on %x:%d", i, g.Kind, g.Txid, g.Output, w.Kind, w.Txid, w.Output)
		}
	}
	if !bytes.Equal(got.Broadcast, want.Broadcast) {
		return fmt.Errorf("broadcasts %x, want %x", got.Broadcast, want.Broadcast)
	}
	if got.Refused != want.Refused {
		return fmt.Errorf("refused is %v (%v), want %v", got.Refused, r.refused, want.Refused)
	}
	if got.State != want.State {
		return fmt.Errorf("state is %s, want %s", got.State, want.State)
	}
	return wantKeeps(got.Keeps, want.Keeps, r.kept)
}

// wantKeeps compares what is kept, where it is not what it was.
func wantKeeps(got, want vectors.Keeps, changed bool) error {
	if !changed {
		got = vectors.Keeps{}
	}
	if !sameKeeps(got, want) || len(got.Txids) != len(want.Txids) {
		return fmt.Errorf("keeps %+v, want %+v", got, want)
	}
	return nil
}

// describeReactionBytes is describeReaction without decoded messages.
func describeReactionBytes(h *vectors.Happening, r reaction) {
	list := r.sends
	r.sends = nil
	describeReaction(h, r)
	for _, o := range list {
		raw, err := wire.Codec{}.EncodeCeremony(plain(o.m))
		if err != nil {
			raw = nil
		}
		h.Sends = append(h.Sends, vectors.Said{To: partyName(o.to), Name: o.m.Name(), Bytes: raw, Compare: compares(o.m)})
	}
}

// sameSends compares messages; got is in the order of byReceiver.
func sameSends(got, want []vectors.Said) error {
	sorted := slices.Clone(want)
	slices.SortStableFunc(sorted, func(a, b vectors.Said) int {
		x, _ := partyNumber(a.To)
		y, _ := partyNumber(b.To)
		return x - y
	})
	names := func(list []vectors.Said) (out []string) {
		for _, s := range list {
			out = append(out, s.Name+" to "+s.To)
		}
		return out
	}
	if g, w := names(got), names(sorted); !slices.Equal(g, w) {
		return fmt.Errorf("sends %v, want %v", g, w)
	}
	for i := range got {
		if !bytes.Equal(got[i].Bytes, sorted[i].Bytes) {
			return fmt.Errorf("%s is %.200x, want %.200x", got[i].Name, got[i].Bytes, sorted[i].Bytes)
		}
	}
	return nil
}
