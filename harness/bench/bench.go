// Package bench measures what it takes to create a factory: with an LSP and its
// clients in processes of their own, over real sockets, with durable stores, on
// a chain that validates.
//
// The parent process holds the chain and serves it over loopback; one child is
// the LSP, and the clients are one child together or one each: then each has one
// core (GOMAXPROCS=1), of which so many could not use more. Each child measures
// its own CPU time. Nothing is shared but sockets.
package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/harness/chainserver"
	"superscalar/refnode/chain/embedded"
	"superscalar/refnode/factory"
)

// Options shape a benchmark.
type Options struct {
	Clients int
	// Shape of the factory; the recommended one when it has no level.
	Shape factory.Shape
	// Processes runs every client as a process of its own.
	Processes bool
	Seed      uint64
	// Command starts a child: this program with the arguments that make it a
	// party. The child takes orders on its input and reports on its output.
	Command []string
}

// Result is one measurement.
type Result struct {
	Clients   int    `json:"clients"`
	Processes bool   `json:"processes"`
	Shape     string `json:"shape"`
	// Wall is from the first dial to the last client that knows its factory is
	// funded; Connect is the part until every client is connected and Signing
	// the part from the proposal to the last verified and stored signature.
	Wall    time.Duration `json:"wall_ns"`
	Connect time.Duration `json:"connect_ns"`
	Signing time.Duration `json:"signing_ns"`
	// LSPCPU is that of the LSP's process, ClientCPU that of the clients'
	// processes divided by their number, both from the first dial on.
	LSPCPU    time.Duration `json:"lsp_cpu_ns"`
	ClientCPU time.Duration `json:"client_cpu_ns"`
	// Bytes is everything that the LSP sent and received, after handshakes.
	Bytes   uint64 `json:"bytes"`
	Largest uint64 `json:"largest_message_bytes"`
	// Storage is the size of one client's store, on average, in bytes.
	Storage uint64 `json:"client_storage_bytes"`
	// Change is what changes cost the LSP afterwards, CPU time for each, on
	// average over several in leaves of their own: updates where leaves are
	// dw, sales where they are ps.
	Change time.Duration `json:"change_cpu_ns"`
}

// order is what a child is told, one JSON object a line.
type order struct {
	Cmd string `json:"cmd"` // see party.do and party.tradeOrder

	// start
	Role   string `json:"role,omitempty"`
	Dir    string `json:"dir,omitempty"`
	Chain  string `json:"chain,omitempty"`
	Cookie string `json:"cookie,omitempty"`
	Seed   uint64 `json:"seed,omitempty"`
	First  int    `json:"first,omitempty"`
	Count  int    `json:"count,omitempty"`

	Peer    string   `json:"peer,omitempty"`    // connect
	Clients []string `json:"clients,omitempty"` // create
	Shape   string   `json:"shape,omitempty"`

	// Payments: channels to open and amounts. Clients are peers of open, or the
	// invoices of pay; Count is how many to start, to make, or to have in flight.
	Sat  uint64 `json:"sat,omitempty"`
	Msat uint64 `json:"msat,omitempty"`
}

// answer is what a child says, one JSON object a line.
type answer struct {
	Error   string   `json:"error,omitempty"`
	Address string   `json:"address,omitempty"`
	Script  string   `json:"script,omitempty"`
	IDs     []string `json:"ids,omitempty"`

	Connect  int64  `json:"connect_ns,omitempty"`
	Signing  int64  `json:"signing_ns,omitempty"`
	CPU      int64  `json:"cpu_ns,omitempty"`
	Sent     uint64 `json:"sent,omitempty"`
	Received uint64 `json:"received,omitempty"`
	Largest  uint64 `json:"largest,omitempty"`
	Storage  uint64 `json:"storage,omitempty"`

	// Payments: how long all of them took, and each.
	Wall      int64   `json:"wall_ns,omitempty"`
	Latencies []int64 `json:"latencies_ns,omitempty"`
}

// coins is what the LSP starts with, in sat.
const coins = 2_000_000_000

// Run measures one creation.
func Run(ctx context.Context, o Options) (res Result, err error) {
	shape := o.Shape
	if len(shape.Levels) == 0 {
		shape = factory.DefaultShape(o.Clients)
	}
	res = Result{Clients: o.Clients, Processes: o.Processes, Shape: shape.String()}
	dir, err := os.MkdirTemp("", "superscalar-bench-")
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	chain, err := embedded.New(embedded.Config{Seed: o.Seed})
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, chain.Close()) }()
	if _, err := chain.Mine(embedded.ActivationBlocks + 120); err != nil {
		return res, err
	}
	server, err := chainserver.New(chain, chainserver.Options{})
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	cookie := filepath.Join(dir, "cookie")
	if err := server.WriteCookie(cookie); err != nil {
		return res, err
	}
	ctx, kill := context.WithCancel(ctx)
	defer kill()
	r := &run{ctx: ctx, kill: kill, o: o, dir: dir, base: order{Cmd: "start", Chain: server.Address(), Cookie: cookie, Seed: o.Seed}, shape: shape}
	defer func() {
		if err != nil {
			kill() // parties that wait for others would do so for ever
		}
		err = errors.Join(err, r.stop())
	}()
	return res, r.measure(chain, &res)
}

// run is one measurement under way.
type run struct {
	ctx     context.Context
	kill    context.CancelFunc // ends every party
	o       Options
	dir     string
	base    order
	shape   factory.Shape
	lsp     *child
	clients []*child
}

func (r *run) measure(chain *embedded.Chain, res *Result) error {
	lsp, ids, err := r.start(chain)
	if err != nil {
		return err
	}
	begin := time.Now()
	if _, err := all(r.clients, order{Cmd: "connect", Peer: lsp.Address}); err != nil {
		return err
	}
	res.Connect = time.Since(begin)
	created := make(chan error, 1)
	go func() {
		_, err := all(r.clients, order{Cmd: "await"})
		created <- err
	}()
	done, err := r.lsp.ask(order{Cmd: "create", Clients: ids, Shape: r.shape.String()})
	if err != nil {
		r.kill()  // clients wait for a factory that does not come
		<-created // nobody reads from them any more
		return err
	}
	if err := <-created; err != nil {
		return err
	}
	res.Wall, res.Signing = time.Since(begin), time.Duration(done.Signing)
	if err := r.collect(res); err != nil {
		return err
	}
	if _, err := chain.Mine(confirmations); err != nil {
		return err
	}
	changed, err := r.lsp.ask(order{Cmd: "change"})
	res.Change = time.Duration(changed.CPU)
	return err
}

// confirmations is what a funding transaction gets before the changes.
const confirmations = 6

// start runs the children, gives the LSP coins, and returns what the LSP said
// and the ids of the clients.
func (r *run) start(chain *embedded.Chain) (lsp answer, ids []string, err error) {
	o := r.base
	o.Role, o.Dir = "lsp", filepath.Join(r.dir, "lsp")
	if r.lsp, err = r.child(false); err != nil {
		return lsp, nil, err
	}
	if lsp, err = r.lsp.ask(o); err != nil {
		return lsp, nil, err
	}
	script, err := hexBytes(lsp.Script)
	if err != nil {
		return lsp, nil, err
	}
	if _, err := chain.FundOutputs(&btcwire.TxOut{Value: coins, PkScript: script}); err != nil {
		return lsp, nil, err
	}
	if _, err := chain.Mine(1); err != nil {
		return lsp, nil, err
	}
	if _, err := r.lsp.ask(order{Cmd: "sync"}); err != nil {
		return lsp, nil, err
	}
	processes, each := 1, r.o.Clients
	if r.o.Processes {
		processes, each = r.o.Clients, 1
	}
	for i := range processes {
		c, err := r.child(r.o.Processes)
		if err != nil {
			return lsp, nil, err
		}
		r.clients = append(r.clients, c)
		o := r.base
		o.Role, o.Dir, o.First, o.Count = "client", filepath.Join(r.dir, "clients"), i*each, each
		a, err := c.ask(o)
		if err != nil {
			return lsp, nil, err
		}
		ids = append(ids, a.IDs...)
	}
	return lsp, ids, nil
}

// collect asks everybody what it took.
func (r *run) collect(res *Result) error {
	a, err := r.lsp.ask(order{Cmd: "report"})
	if err != nil {
		return err
	}
	res.LSPCPU, res.Bytes, res.Largest = time.Duration(a.CPU), a.Sent+a.Received, a.Largest
	list, err := all(r.clients, order{Cmd: "report"})
	if err != nil {
		return err
	}
	var cpu int64
	var storage uint64
	for _, a := range list {
		cpu += a.CPU
		storage += a.Storage
	}
	res.ClientCPU = time.Duration(cpu / int64(r.o.Clients))
	res.Storage = storage / uint64(r.o.Clients)
	return nil
}

// stop ends the children.
func (r *run) stop() error {
	var errs []error
	for _, c := range append(r.clients, r.lsp) {
		if c != nil {
			errs = append(errs, c.stop())
		}
	}
	return errors.Join(errs...)
}

// child is a process that is told what to do.
type child struct {
	ctx   context.Context // kills it
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	errs  *lastLines
	ended bool
}

// child starts a party, one of many with one core.
func (r *run) child(oneOfMany bool) (*child, error) {
	c := &child{ctx: r.ctx, cmd: exec.CommandContext(r.ctx, r.o.Command[0], r.o.Command[1:]...), errs: &lastLines{}}
	c.cmd.Stderr = c.errs
	if oneOfMany {
		c.cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	}
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReaderSize(out, 1<<20)
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a party: %w", err)
	}
	return c, nil
}

// ask gives an order and waits for the answer.
func (c *child) ask(o order) (a answer, err error) {
	raw, err := json.Marshal(o)
	if err != nil {
		return a, err
	}
	if _, err := c.in.Write(append(raw, '\n')); err != nil {
		return a, c.gone(o, err)
	}
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		return a, c.gone(o, err)
	}
	if err := json.Unmarshal(line, &a); err != nil {
		return a, fmt.Errorf("a party answered %q with %.100q: %w", o.Cmd, line, err)
	}
	if a.Error != "" {
		return a, fmt.Errorf("%s: %s", o.Cmd, a.Error)
	}
	return a, nil
}

func (c *child) gone(o order, err error) error {
	return fmt.Errorf("a party ended during %q: %w; it said: %s", o.Cmd, err, c.errs)
}

// stop closes the child's input, which ends it.
func (c *child) stop() error {
	if c.ended {
		return nil
	}
	c.ended = true
	_ = c.in.Close()
	_, _ = io.Copy(io.Discard, c.out)
	if err := c.cmd.Wait(); err != nil && (c.ctx.Err() == nil || c.cmd.ProcessState.Exited()) {
		return fmt.Errorf("a party ended with: %w; it said: %s", err, c.errs)
	}
	return nil
}

// all gives an order to every child at once.
func all(children []*child, o order) ([]answer, error) {
	answers, errs := make([]answer, len(children)), make([]error, len(children))
	var wg sync.WaitGroup
	for i, c := range children {
		wg.Go(func() { answers[i], errs[i] = c.ask(o) })
	}
	wg.Wait()
	return answers, errors.Join(errs...)
}

// lastLines keeps the end of what a child says on its error output.
type lastLines struct {
	mu sync.Mutex
	b  []byte
}

func (l *lastLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b = append(l.b, p...)
	if len(l.b) > 2000 {
		l.b = l.b[len(l.b)-2000:]
	}
	return len(p), nil
}

func (l *lastLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.b)
}
