package payment

import (
	"errors"
	"math/rand"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg"

	"superscalar/wire"
	"superscalar/wire/rule"
)

func testKey(n byte) Key {
	k, _ := btcec.PrivKeyFromBytes([]byte{n})
	return NewKey(k)
}

func nodeID(n byte) (p wire.Point) {
	copy(p[:], testKey(n).PubKey().SerializeCompressed())
	return p
}

func channelID(n byte) wire.ChannelID { return wire.ChannelID{n} }

var errFull = errors.New("the channel is full")

// command is a removal that the router asked for.
type command struct {
	key       HTLCKey
	preimage  Preimage
	forwarded bool
	reason    []byte
	code      Code
	sha       [32]byte
}

type offered struct {
	channel wire.ChannelID
	id      uint64
	add     AddHTLC
}

// desk is a set of channels that notes what the router asks for.
type desk struct {
	links    []Link
	added    []offered
	commands []command
	refuse   map[wire.ChannelID]bool
}

func (d *desk) find(f func(Link) bool) (Link, bool) {
	i := slices.IndexFunc(d.links, f)
	if i < 0 {
		return Link{}, false
	}
	return d.links[i], true
}

func (d *desk) Link(c wire.ChannelID) (Link, bool) {
	return d.find(func(l Link) bool { return l.Channel == c })
}

func (d *desk) BySCID(s SCID) (Link, bool) {
	return d.find(func(l Link) bool { return slices.Contains(l.SCIDs, s) })
}

func (d *desk) To(p wire.Point) []Link {
	return slices.DeleteFunc(slices.Clone(d.links), func(l Link) bool { return l.Peer != p })
}

func (d *desk) All() []Link { return slices.Clone(d.links) }

func (d *desk) Add(c wire.ChannelID, a AddHTLC) (uint64, error) {
	if d.refuse[c] {
		return 0, errFull
	}
	id := uint64(len(d.added))
	d.added = append(d.added, offered{c, id, a})
	for i := range d.links {
		if d.links[i].Channel == c {
			d.links[i].CanSend -= a.Amount
		}
	}
	return id, nil
}

func (d *desk) Fulfil(c wire.ChannelID, id uint64, p Preimage, forwarded bool) error {
	d.commands = append(d.commands, command{key: HTLCKey{c, id}, preimage: p, forwarded: forwarded})
	return nil
}

func (d *desk) Fail(c wire.ChannelID, id uint64, reason []byte) error {
	d.commands = append(d.commands, command{key: HTLCKey{c, id}, reason: reason})
	return nil
}

func (d *desk) FailMalformed(c wire.ChannelID, id uint64, sha [32]byte, code Code) error {
	d.commands = append(d.commands, command{key: HTLCKey{c, id}, sha: sha, code: code})
	return nil
}

// bench is a router with its channels and its store.
type bench struct {
	t       testing.TB
	key     byte
	cfg     Config
	r       *Router
	desk    *desk
	store   map[string][]byte
	actions []Action // of the last step
	height  Height
	now     UnixTime
}

func newBench(t testing.TB, key byte, forward bool, rules rule.Set, links ...Link) *bench {
	t.Helper()
	b := &bench{t: t, key: key, desk: &desk{links: links}, store: map[string][]byte{}, height: 1000, now: 1_000_000}
	b.cfg = Config{Key: testKey(key), Net: &chaincfg.RegressionNetParams, Forward: forward, Rand: rand.New(rand.NewSource(int64(key))), Rules: rules}
	r, err := New(b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.r = r
	b.do(Block{b.height})
	b.do(Tick{b.now})
	return b
}

// take stores what a step returned.
func (b *bench) take(actions []Action) {
	b.actions = actions
	for i, a := range actions {
		p, ok := a.(Persist)
		if !ok {
			continue
		}
		if i != 0 {
			b.t.Fatal("Persist is not the first action")
		}
		for _, rec := range p.Puts {
			b.store[string(rec.Key)] = rec.Value
		}
		for _, k := range p.Deletes {
			delete(b.store, string(k))
		}
	}
}

func (b *bench) do(e Event) { b.take(b.r.Handle(b.desk, e)) }

func (b *bench) records() []Record {
	var all []Record
	for k, v := range b.store {
		all = append(all, Record{[]byte(k), v})
	}
	return all
}

// restart loads the router again from its store.
func (b *bench) restart() {
	b.t.Helper()
	r, err := Load(b.cfg, b.records())
	if err != nil {
		b.t.Fatal(err)
	}
	b.r = r
	b.do(Block{b.height})
	b.do(Tick{b.now})
	b.do(Started{})
}

// failureOf decrypts the reason of a command as the payer does.
func failureOf(t testing.TB, session *btcec.PrivateKey, nodes []wire.Point, c command) (int, Failure) {
	t.Helper()
	from, f, err := unwrapFailure(session, nodes, c.reason)
	if err != nil {
		t.Fatalf("reason %x: %v", c.reason, err)
	}
	return from, f
}

// notice returns the first action of a type.
func notice[A Action](b *bench) (a A, ok bool) {
	for _, x := range b.actions {
		if a, ok = x.(A); ok {
			return a, true
		}
	}
	return a, false
}
