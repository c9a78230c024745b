package bench

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chaincfg"
	"golang.org/x/sys/unix"

	"superscalar/harness/lab"
	"superscalar/refnode/ceremony"
	"superscalar/refnode/chain/corerpc"
	"superscalar/refnode/factory"
	"superscalar/refnode/node"
	"superscalar/refnode/transport"
	"superscalar/wire"
)

// Party is the child process: it takes orders on in, one JSON object a line,
// and answers each on out, until in ends.
func Party(ctx context.Context, in io.Reader, out io.Writer) error {
	p := &party{ctx: ctx}
	defer p.close()
	lines := bufio.NewReaderSize(in, 1<<20)
	enc := json.NewEncoder(out)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return p.close()
		}
		if err != nil {
			return err
		}
		var o order
		if err := json.Unmarshal(line, &o); err != nil {
			return fmt.Errorf("order %.100q: %w", line, err)
		}
		a, err := p.do(o)
		if err != nil {
			a.Error = err.Error()
		}
		if err := enc.Encode(a); err != nil {
			return err
		}
	}
}

// party is one LSP, or some clients.
type party struct {
	ctx      context.Context
	lsp      *lab.Party
	clients  []*lab.Party
	traders  []*trader // of a benchmark of payments
	chains   []*corerpc.Client
	dir      string
	cpu      time.Duration // spent before the first connection
	funded   sync.WaitGroup
	stages   chan ceremony.Event
	shutdown sync.Once
	err      error
}

func (p *party) do(o order) (answer, error) {
	switch o.Cmd {
	case "start":
		return p.start(o)
	case "sync":
		err := p.lsp.Wallet.Sync(p.ctx, p.chains[0])
		p.cpu = cpuTime()
		return answer{}, err
	case "connect":
		return p.connect(o)
	case "create":
		return p.create(o)
	case "await":
		p.funded.Wait()
		return answer{}, nil
	case "report":
		return p.report()
	case "change":
		return p.change()
	default:
		return p.tradeOrder(o)
	}
}

// start runs the parties, each with a store and a chain client of its own.
func (p *party) start(o order) (a answer, err error) {
	p.dir = o.Dir
	if o.Role == "lsp" {
		p.stages = make(chan ceremony.Event, 4096)
		if p.lsp, err = p.party(o, "lsp", nil); err != nil {
			return a, err
		}
		script, err := p.lsp.Wallet.NewScript()
		a.Address, a.Script = p.lsp.Node.Address().String(), hex.EncodeToString(script)
		return a, err
	}
	for i := o.First; i < o.First+o.Count; i++ {
		p.funded.Add(1)
		c, err := p.party(o, fmt.Sprintf("client-%d", i), func(m wire.Ceremony) {
			if m.Type() == wire.TypeFunded {
				p.funded.Done()
			}
		})
		if err != nil {
			return a, err
		}
		p.clients = append(p.clients, c)
		id := c.ID()
		a.IDs = append(a.IDs, hex.EncodeToString(id[:]))
	}
	return a, nil
}

// polling is how often a party asks whether there is a new block: nobody waits
// for one here.
const polling = time.Hour

func (p *party) party(o order, name string, heard func(wire.Ceremony)) (*lab.Party, error) {
	backend, err := corerpc.New(p.ctx, corerpc.Options{Address: o.Chain, CookieFile: o.Cookie, Params: &chaincfg.RegressionNetParams, Poll: polling})
	if err != nil {
		return nil, err
	}
	p.chains = append(p.chains, backend)
	options := lab.PartyOptions{
		Name: name, Role: node.Client, Dir: filepath.Join(o.Dir, name), Seed: o.Seed, Chain: backend, Deadline: 10 * time.Minute, Heard: heard,
	}
	if o.Role == "lsp" {
		options.Role = node.LSP
		options.Report = func(e ceremony.Event) { p.stages <- e }
	}
	return lab.StartParty(options)
}

// connect dials the LSP from every client, a few at a time.
func (p *party) connect(o order) (answer, error) {
	to, err := transport.ParseAddress(o.Peer)
	if err != nil {
		return answer{}, err
	}
	p.cpu = cpuTime()
	errs := make([]error, len(p.clients))
	var wg sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i, c := range p.clients {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			errs[i] = c.Node.Connect(p.ctx, to)
		})
	}
	wg.Wait()
	return answer{}, errors.Join(errs...)
}

// create waits for every client, creates the factory and reports how long the
// signing took.
func (p *party) create(o order) (a answer, err error) {
	shape, err := factory.ParseShape(o.Shape)
	if err != nil {
		return a, err
	}
	order := ceremony.Order{Shape: func(int) factory.Shape { return shape }, Params: factory.DefaultParams(shape.Leaf), Stock: 50_000}
	for _, id := range o.Clients {
		raw, err := hexBytes(id)
		if err != nil {
			return a, err
		}
		client := ceremony.OrderClient{Peer: ceremony.Peer(raw), Capacity: 100_000}
		if err := p.lsp.LSP.Await(p.ctx, client.Peer); err != nil {
			return a, err
		}
		order.Clients = append(order.Clients, client)
	}
	if _, err := p.lsp.LSP.Create(order); err != nil {
		return a, err
	}
	return p.follow()
}

// follow waits until the factory is funded.
func (p *party) follow() (a answer, err error) {
	var proposed time.Time
	err = p.await(ceremony.EventFunded, func(kind ceremony.EventKind) {
		switch kind {
		case ceremony.EventProposed:
			proposed = time.Now()
		case ceremony.EventStored:
			a.Signing = int64(time.Since(proposed))
		}
	})
	return a, err
}

// await waits for an event of the LSP and tells of those before it; nil tells
// nobody.
func (p *party) await(kind ceremony.EventKind, tell func(ceremony.EventKind)) error {
	for {
		select {
		case e := <-p.stages:
			switch {
			case e.Kind == kind:
				return nil
			case e.Kind == ceremony.EventDropped, e.Kind == ceremony.EventFailed:
				return fmt.Errorf("%s: %s", e.Kind, e.Text)
			case tell != nil:
				tell(e.Kind)
			}
		case <-p.ctx.Done():
			return p.ctx.Err()
		}
	}
}

// maxChanges is how many changes are measured.
const maxChanges = 8

// change makes some changes, one after the other and each in a leaf of its own,
// and reports what one of them cost. The first is left out: it makes the party
// look for the funding transaction in all blocks, once.
func (p *party) change() (a answer, err error) {
	standing := p.lsp.LSP.Factories()[0]
	f := standing.Tree.Factory()
	start := p.lsp.LSP.Sell
	if f.Terms().Shape.Leaf == factory.DW {
		start = p.lsp.LSP.Update
	}
	buyers := firstOfLeaves(f.Layout())
	buyers = append(buyers[:1:1], buyers[min(1, len(buyers)-1):min(len(buyers), 1+maxChanges)]...)
	var before time.Duration
	for i, buyer := range buyers {
		if i == 1 {
			before = cpuTime()
		}
		if _, err := start(ceremony.Purchase{Factory: standing.ID, Buyer: buyer, Amount: 10_000}); err != nil {
			return a, err
		}
		if err := p.await(ceremony.EventChanged, nil); err != nil {
			return a, err
		}
	}
	a.CPU = int64(cpuTime()-before) / int64(len(buyers)-1)
	return a, nil
}

// firstOfLeaves are the first clients of all leaves.
func firstOfLeaves(l *factory.Layout) (first []factory.ClientIndex) {
	for _, id := range l.Nodes() {
		if l.IsLeaf(id) {
			first = append(first, l.Range(id).First)
		}
	}
	return first
}

func (p *party) report() (a answer, err error) {
	a.CPU = int64(cpuTime() - p.cpu)
	if p.lsp != nil {
		t := p.lsp.Node.Traffic()
		a.Sent, a.Received, a.Largest = t.Sent, t.Received, t.Largest
		return a, nil
	}
	for _, c := range p.clients {
		size, err := sizeOf(filepath.Join(p.dir, c.Name))
		if err != nil {
			return a, err
		}
		a.Storage += size
	}
	return a, nil
}

func (p *party) close() error {
	p.shutdown.Do(func() {
		var errs []error
		for _, c := range p.clients {
			errs = append(errs, c.Close())
		}
		if p.lsp != nil {
			errs = append(errs, p.lsp.Close())
		}
		for _, t := range p.traders {
			errs = append(errs, t.close())
		}
		for _, c := range p.chains {
			errs = append(errs, c.Close())
		}
		p.err = errors.Join(errs...)
	})
	return p.err
}

// cpuTime is what this process used so far, user and system.
func cpuTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// sizeOf adds up the files of a folder, in bytes.
func sizeOf(dir string) (total uint64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += uint64(info.Size())
		}
		return err
	})
	return total, err
}

func hexBytes(text string) ([]byte, error) {
	raw, err := hex.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%q is not hex: %w", text, err)
	}
	return raw, nil
}
