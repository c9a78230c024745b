package ceremony_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/wire"
)

// gremlin spoils messages: it drops, repeats, delays, replays and damages them.
type gremlin struct {
	r    *rand.Rand
	rate int // one message in so many, for each kind of damage
	seen []packet
	held []packet
}

func (g *gremlin) bend(p packet) []packet {
	g.seen = append(g.seen, p)
	out := []packet{p}
	switch g.r.IntN(g.rate) {
	case 0:
		out = nil
	case 1:
		out = append(out, p)
	case 2:
		g.held = append(g.held, p)
		out = nil
	case 3:
		out = append(out, g.seen[g.r.IntN(len(g.seen))])
	case 4:
		out = g.damaged(p)
	case 5:
		other := g.seen[g.r.IntN(len(g.seen))]
		other.client = p.client // somebody else's message, as if it were this one's
		out = append(out, other)
	}
	if len(g.held) > 0 && g.r.IntN(3) == 0 {
		out = append(out, g.held[0])
		g.held = g.held[1:]
	}
	return out
}

// damaged flips bytes and passes on what still decodes.
func (g *gremlin) damaged(p packet) []packet {
	raw, err := wire.Codec{}.EncodeCeremony(p.m)
	if err != nil {
		return nil
	}
	raw = slices.Clone(raw)
	for range 1 + g.r.IntN(3) {
		raw[g.r.IntN(len(raw))] ^= byte(1 << g.r.IntN(8))
	}
	m, err := wire.Codec{}.DecodeCeremony(raw)
	if err != nil || m == nil {
		return nil
	}
	return []packet{{toLSP: p.toLSP, client: p.client, m: m}}
}

// Whatever comes in whatever order: nothing panics, no store refuses what it
// was asked for as a second signature that contradicts the first and was given
// out anyway, and when the noise stops a factory can be created.
func TestNoise(t *testing.T) {
	shapes := []string{"kickoff 1 / ps 2", "kickoff 1 / dw 3", "static 2 / kickoff 1 / ps 2"}
	funded, changed := 0, 0
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			w := newWorld(t, 1+r.IntN(3))
			g := &gremlin{r: r, rate: []int{8, 40, 200}[seed/3%3]}
			shape := shapes[r.IntN(len(shapes))]
			quiet := seed%3 == 0 // a good factory first, noise in its changes
			if !quiet {
				w.bend = g.bend
			}
			w.create(shape)
			w.late()
			w.bend = g.bend
			for range 3 {
				w.noisyChange(r)
			}
			w.bend = nil
			w.late()
			w.lateClients()
			before := len(w.funded())
			w.create(shape)
			if len(w.funded()) != before+1 {
				t.Errorf("no factory after the noise: %v", w.events[max(0, len(w.events)-6):])
			}
			funded += before
			changed += w.changed()
		})
	}
	if funded == 0 || changed == 0 {
		t.Errorf("%d factories and %d changes got through the noise: it drowns everything", funded, changed)
	}
	t.Logf("%d factories and %d changes got through", funded, changed)
}

// noisyChange tries to change any factory there is.
func (w *world) noisyChange(r *rand.Rand) {
	ids := w.funded()
	if len(ids) == 0 {
		return
	}
	id := ids[r.IntN(len(ids))]
	buyer := factory.ClientIndex(r.IntN(len(w.lsp.Factory(id).Members)))
	p := ceremony.Purchase{Factory: id, Buyer: buyer, Amount: 10_000}
	start := w.lsp.Update
	if r.IntN(2) == 0 {
		start = w.lsp.Sell
	}
	if _, out, err := start(w.now, p); err == nil {
		w.send(out)
		w.run()
	}
	w.late()
	w.lateClients()
}

// lateClients lets the deadline of every client pass.
func (w *world) lateClients() {
	for i, c := range w.clients {
		for _, m := range c.Tick(w.now.Add(4 * ceremony.DefaultDeadline)) {
			w.queue = append(w.queue, packet{toLSP: true, client: i, m: m})
		}
	}
	w.run()
}
