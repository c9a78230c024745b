package role_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/chain/embedded"
	"superscalar/refnode/channel"
	"superscalar/refnode/factory"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// letter is a message on its way; open stands for open_channel and its answer.
type letter struct {
	from     *party
	to       wire.Point
	ceremony wire.Ceremony
	message  wire.Message
	open     *ceremony.ChannelOutput
}

func (l letter) String() string {
	switch {
	case l.ceremony != nil:
		return l.from.name + " " + l.ceremony.Name()
	case l.message != nil:
		return l.from.name + " " + l.message.Name()
	default:
		return l.from.name + " open_channel"
	}
}

// cutWorld holds all parties; the LSP is the first.
type cutWorld struct {
	t       *testing.T
	rules   rule.Set
	now     time.Time
	parties []*party
	online  []bool // by party, the LSP always is
	queue   []letter
	cuts    []int
	log     []string
	// watch sees each message before it is delivered, its number from 1 on, and says
	// what happens to its connection.
	watch     func(n int, l letter) fate
	delivered int
	// meanwhile is called before each command that a role gives to a channel and each write
	// of a factory: what hubs do at that moment.
	meanwhile func(p *party)
	orders    int // how often the update was ordered
	// wider says that the stock is that of the second client's leaf.
	wider bool
	has   channel.MilliSat // what the first client has after a cut-through
	chain *embedded.Chain  // nil: what is funded is on none
}

// fate is what happens to a message.
type fate int

const (
	arrives fate = iota
	lost         // with its connection
	lastOne      // it arrives, and its connection ends before anybody answers
)

func (w *cutWorld) note(format string, a ...any) { w.log = append(w.log, fmt.Sprintf(format, a...)) }

func newCutWorld(t *testing.T, clients int, disks []*disk, without ...rule.ID) *cutWorld {
	w := &cutWorld{t: t, rules: rule.Without(without...), now: time.Unix(1_700_000_000, 0), online: make([]bool, clients+1)}
	for i := range clients + 1 {
		d := &disk{parts: map[wire.CeremonyID]ceremony.Parts{}, channels: map[lineKey][]byte{}, revoked: map[revokedKey]*channel.Revoked{}}
		if disks != nil {
			d = disks[i].clone()
		}
		p := &party{w: w, name: fmt.Sprintf("client %d", i-1), id: wire.Point{2, byte(i)}, disk: d}
		if i == 0 {
			p.name = "lsp"
		}
		w.parties = append(w.parties, p)
	}
	for _, p := range w.parties {
		p.start()
	}
	for i := range clients {
		w.connect(i + 1)
	}
	w.run()
	return w
}

func (w *cutWorld) lsp() *party { return w.parties[0] }

// clientOf is the number of the client on a connection of p with a peer.
func (w *cutWorld) clientOf(p *party, peer wire.Point) int {
	if p == w.lsp() {
		return int(peer[1])
	}
	return int(p.id[1])
}

// send puts a message of a channel on its connection, if there is one.
func (w *cutWorld) send(p *party, to wire.Point, m wire.Message) {
	if w.online[w.clientOf(p, to)] {
		w.queue = append(w.queue, letter{from: p, to: to, message: m})
	}
}

// out sends what the LSP says.
func (w *cutWorld) out(list []ceremony.Out) {
	for _, o := range list {
		if !w.lsp().dead && w.online[int(o.To[1])] {
			w.queue = append(w.queue, letter{from: w.lsp(), to: o.To, ceremony: o.Message})
		}
	}
}

// answers sends what a client says.
func (w *cutWorld) answers(p *party, list []wire.Ceremony) {
	for _, m := range list {
		if !p.dead && w.online[int(p.id[1])] {
			w.queue = append(w.queue, letter{from: p, to: w.lsp().id, ceremony: m})
		}
	}
}

// run goes on until nobody has anything to say. Processes that have ended and
// connections that were cut stay so.
func (w *cutWorld) run() {
	for {
		for _, p := range w.parties {
			if p.dead {
				w.hangUp(p)
			}
		}
		for _, i := range w.cuts {
			w.cut(i)
		}
		w.cuts = nil
		busy := false
		for _, p := range w.parties {
			busy = !p.dead && p.obey() || busy
		}
		if busy {
			continue
		}
		if len(w.queue) == 0 {
			return
		}
		l := w.queue[0]
		w.queue = w.queue[1:]
		w.deliver(l)
	}
}

func (w *cutWorld) deliver(l letter) {
	to := w.parties[int(l.to[1])]
	w.delivered++
	i := w.clientOf(to, l.from.id)
	end := arrives
	if w.watch != nil {
		end = w.watch(w.delivered, l)
	}
	if end != arrives {
		w.cuts = append(w.cuts, i)
	}
	if end == lost || to.dead || l.from.dead || !w.online[i] {
		return
	}
	switch {
	case l.open != nil:
		w.open(l)
	case l.message != nil:
		if c := to.lineOf(l.from.id, idOf(l.message)); c != nil {
			to.step(c, func(m *channel.Machine) { m.Receive(l.message) })
		}
	case to == w.lsp():
		w.out(w.lsp().lsp.Receive(w.now, l.from.id, w.travelled(l.ceremony)))
	default:
		w.answers(to, to.client.Receive(w.now, w.travelled(l.ceremony)))
	}
}

// idOf is the channel that a message is about.
func idOf(m wire.Message) wire.ChannelID {
	switch m := m.(type) {
	case *wire.Stfu:
		return m.ChannelID
	case *wire.ErrorMessage:
		return m.ChannelID
	case *wire.Warning:
		return m.ChannelID
	}
	id, ok := wire.ChangedChannel(m)
	if !ok {
		id, _ = wire.ChannelOf(m)
	}
	return id
}

// travelled is a message as it comes out of its encoding.
func (w *cutWorld) travelled(m wire.Ceremony) wire.Ceremony {
	raw, err := wire.Codec{}.EncodeCeremony(m)
	if err != nil {
		w.t.Fatal(err)
	}
	again, err := wire.Codec{}.DecodeCeremony(raw)
	if err != nil {
		w.t.Fatal(err)
	}
	return again
}

// open makes both machines of a channel: open_channel and accept_channel at once.
func (w *cutWorld) open(l letter) {
	lsp, client := l.from, w.parties[int(l.to[1])]
	ours := lsp.channelConfig(client.id, l.open.Key)
	probe := channel.NewOpen([32]byte{}, wire.ChannelID(l.open.LSPKey[1:]), uint64(l.open.Value), lsp.registry.InFactory(*l.open), keysOn(ours.Keys))
	key, err := client.registry.FundingKey(lsp.id, probe)
	if err != nil {
		w.t.Fatal(err)
	}
	theirs := client.channelConfig(lsp.id, key)
	accept := channel.NewAccept(probe, keysOn(theirs.Keys))
	a, err := channel.NewOpener(ours, probe, accept)
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := channel.NewAccepter(theirs, probe, accept)
	if err != nil {
		w.t.Fatal(err)
	}
	one, two := &line{client.id, a}, &line{lsp.id, b}
	lsp.lines, client.lines = append(lsp.lines, one), append(client.lines, two)
	client.step(two, func(m *channel.Machine) { m.Block(1000) })
	lsp.step(one, func(m *channel.Machine) {
		m.Block(1000)
		if err := m.Outpoint(fundingOf(*l.open), uint16(l.open.Outpoint.Index)); err != nil {
			w.t.Fatal(err)
		}
	})
}

func fundingOf(o ceremony.ChannelOutput) wire.Txid { return wire.Txid(o.Outpoint.Hash) }

func keysOn(k channel.Keys) wire.ChannelKeys {
	b := k.Secrets.Basepoints()
	first, err := k.Seed.Point(0)
	if err != nil {
		panic(err)
	}
	point := func(p interface{ SerializeCompressed() []byte }) wire.Point {
		return wire.Point(p.SerializeCompressed())
	}
	return wire.ChannelKeys{
		Funding: point(k.Funding(0).PubKey()), Revocation: point(b.Revocation), Payment: point(b.Payment),
		DelayedPayment: point(b.Delayed), HTLC: point(b.HTLC), FirstPerCommitment: point(first),
	}
}

// connect brings client i back: channels first, then the ceremonies, as they come.
func (w *cutWorld) connect(i int) {
	if w.online[i] {
		return
	}
	w.online[i] = true
	lsp, client := w.lsp(), w.parties[i]
	for _, pair := range [][2]*party{{lsp, client}, {client, lsp}} {
		for _, c := range pair[0].all(pair[1].id) {
			pair[0].step(c, (*channel.Machine).Connected)
		}
	}
	for _, f := range lsp.lsp.Factories() {
		if f.Interrupted() != "" {
			_, out, err := lsp.lsp.ResumeWith(w.now, f.ID(), func(p ceremony.Peer) bool { return w.online[int(p[1])] })
			w.out(out)
			w.note("resuming: %v", err)
		}
	}
}

// cut ends the connection of client i: what is on its way is lost.
func (w *cutWorld) cut(i int) {
	if !w.online[i] {
		return
	}
	w.online[i] = false
	w.note("client %d is cut off", i-1)
	lsp, client := w.lsp(), w.parties[i]
	w.queue = slices.DeleteFunc(w.queue, func(l letter) bool { return w.clientOf(l.from, l.to) == i })
	for _, pair := range [][2]*party{{lsp, client}, {client, lsp}} {
		for _, c := range pair[0].all(pair[1].id) {
			if !pair[0].dead {
				pair[0].step(c, (*channel.Machine).Disconnected)
			}
		}
	}
	if !client.dead {
		client.client.Disconnected()
	}
	if !lsp.dead {
		w.out(lsp.lsp.Disconnected(w.now, client.id))
	}
}

// hangUp ends the connections of a process that has ended.
func (w *cutWorld) hangUp(p *party) {
	for i := 1; i < len(w.parties); i++ {
		if p == w.lsp() || p == w.parties[i] {
			w.cut(i)
		}
	}
}

// revive starts the processes that have ended, and connects everybody.
func (w *cutWorld) revive() {
	for _, p := range w.parties {
		if p.dead {
			w.hangUp(p)
			p.start()
			w.note("%s starts again", p.name)
		}
	}
	w.run()
	for i := 1; i < len(w.parties); i++ {
		w.connect(i)
	}
	w.run()
}

// late lets every deadline pass.
func (w *cutWorld) late() {
	w.now = w.now.Add(5 * time.Minute)
	w.out(w.lsp().lsp.Tick(w.now))
	for _, p := range w.parties[1:] {
		w.answers(p, p.client.Tick(w.now))
	}
	w.run()
}

// found creates a factory with channels in use.
func (w *cutWorld) found(shape string) wire.CeremonyID {
	w.t.Helper()
	s, err := factory.ParseShape(shape)
	if err != nil {
		w.t.Fatal(err)
	}
	order := ceremony.Order{Shape: func(int) factory.Shape { return s }, Params: factory.DefaultParams(s.Leaf), Stock: 50_000}
	if s.StateLevels() > 1 {
		order.Params.Step, order.Params.ConfirmBlocks = 72, 6 // a shorter way out (DELAY-004)
	}
	if w.chain != nil { // few blocks
		p := &order.Params
		p.Step, p.States, p.ConfirmBlocks, p.StockCSV, p.OmissionDelay, p.MaxChain = 4, 3, 2, 20, 10, 2
	}
	for _, p := range w.parties[1:] {
		order.Clients = append(order.Clients, ceremony.OrderClient{Peer: p.id, Capacity: 100_000})
	}
	id, out, err := w.lsp().lsp.Create(w.now, order)
	if err != nil {
		w.t.Fatal(err)
	}
	w.out(out)
	w.run()
	for _, p := range w.parties {
		for _, c := range p.lines {
			p.step(c, (*channel.Machine).SetUsable)
		}
	}
	w.run()
	if len(w.lsp().lsp.Factories()) != 1 {
		w.t.Fatalf("no factory: %v", w.log)
	}
	return id
}

// disks are those of everybody, as they are.
func (w *cutWorld) disks() []*disk {
	var out []*disk
	for _, p := range w.parties {
		out = append(out, p.disk.clone())
	}
	return out
}
