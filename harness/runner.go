package harness

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"superscalar/harness/report"
	"superscalar/refnode/transport"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Options select cases and shape a run. Seed and the selection decide every
// byte the suite sends to a target that behaves the same.
type Options struct {
	Roles    []Role         // none: those of the target
	Tier     Tier           // run no case above it; "" means no limit
	Profile  Profile        // Core leaves extended cases out; "" or Extended runs all
	Focus    *regexp.Regexp // on "case-name/role" and on requirement ids; nil means all
	Slow     bool           // run slow cases against targets whose clock cannot be set
	Seed     uint64
	Deadline time.Duration // after which a target is called hung
	// Settle is how long after the fence a target may still react: nodes that
	// handle some messages in another thread answer after the pong. 0 for
	// those known to answer in order, as the reference node.
	Settle   time.Duration
	Envelope wire.MsgType  // the suite's; 0 for the normative one
	Expect   []Expectation // failures declared beforehand
	Today    time.Time     // for the expiry of those
	Command  string        // beginning of the replay command, "superscalar conform ..."
}

// Instance is a case against a target in one role. Its name is unique.
type Instance struct {
	Case *Case
	Role Role
}

// Name is the case's name and the role, "trn/init/first/lsp".
func (i Instance) Name() string { return i.Case.Name + "/" + string(i.Role) }

// Select returns the instances that opts select, sorted by name.
func Select(cases []Case, target Target, opts Options) []Instance {
	roles := opts.Roles
	if len(roles) == 0 {
		roles = target.Roles()
	}
	var out []Instance
	for i := range cases {
		c := &cases[i]
		for _, role := range roles {
			inst := Instance{c, role}
			if slices.Contains(c.roles(), role) && inst.selected(opts) {
				out = append(out, inst)
			}
		}
	}
	slices.SortFunc(out, func(a, b Instance) int { return strings.Compare(a.Name(), b.Name()) })
	return out
}

func (i Instance) selected(opts Options) bool {
	if opts.Tier != "" && !tierIncludes(opts.Tier, i.Case.tier()) {
		return false
	}
	if opts.Profile == Core && i.Case.profile() != Core {
		return false
	}
	return opts.Focus == nil || opts.Focus.MatchString(i.Name()) ||
		slices.ContainsFunc(i.Case.Rules, func(id rule.ID) bool { return opts.Focus.MatchString(string(id)) })
}

// LeftOut returns, as skipped, the cases that opts leave out although the
// target's roles would run them: a report that did not name them would call a
// part of the suite the whole.
func LeftOut(cases []Case, target Target, opts Options) []report.Case {
	all := Select(cases, target, Options{Roles: opts.Roles})
	chosen := Select(cases, target, opts)
	r := &Runner{Target: target, Opts: opts}
	var out []report.Case
	for _, inst := range all {
		if slices.Contains(chosen, inst) {
			continue
		}
		c := r.declared(inst)
		c.State, c.Reason = report.Skipped, "left out by --focus, --tier or --profile"
		out = append(out, c)
	}
	return out
}

// Runner runs instances against one target. Run may be called concurrently:
// every case has connections, keys and randomness of its own.
type Runner struct {
	Target Target
	Opts   Options

	mu      sync.Mutex
	broken  error
	missed  int   // cases in a row that could not reach the target
	lost    error // why the target is given up
	version string
	address transport.Address
	digests map[string][]byte
}

// Broken returns the first defect of the suite itself that a case ran into.
func (r *Runner) Broken() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.broken
}

// Run runs one instance to its result.
func (r *Runner) Run(ctx context.Context, inst Instance) report.Case {
	start := time.Now()
	out := r.declared(inst)
	if reason := r.cannotRun(inst); reason != "" {
		out.State, out.Reason = report.Skipped, reason
		return out
	}
	if err := r.Lost(); err != nil {
		out.State, out.Reason = report.Skipped, "the target was lost before"
		return out
	}
	ctx, cancel := context.WithCancel(ctx) // ends what the case opened
	defer cancel()
	p := r.play(ctx, inst)
	otherwise, reason := r.execute(p)
	out.Failures, out.Transcript = p.failures, p.frames
	out.DurationMS = time.Since(start).Milliseconds()
	switch {
	case len(p.failures) > 0:
		out.State = report.Failed
	case reason != "":
		out.State, out.Reason = otherwise, reason
	default:
		out.State = report.Passed
	}
	r.applyExpectation(&out)
	r.remember(inst, p)
	r.watch(p)
	return out
}

// mostMissed is how many cases in a row may fail to reach a target that was
// reached before: after that it is gone, and hundreds of failures more would
// not say it better.
const mostMissed = 5

// watch counts cases that could not reach the target.
func (r *Runner) watch(p *Play) {
	if _, real := r.Target.(Preparer); !real {
		return // built-in peers may be there to be unreachable
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.unreached == nil {
		r.missed = 0
		return
	}
	if r.missed++; r.missed >= mostMissed && r.lost == nil {
		r.lost = fmt.Errorf("%w: it was lost during the run, in %s: %w", ErrUnreachable, p.Case.Name, p.unreached)
	}
}

// Lost returns why the target was given up in the middle of a run, or nil.
func (r *Runner) Lost() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lost
}

// declared is what a result says before the case ran.
func (r *Runner) declared(inst Instance) report.Case {
	c := inst.Case
	ids := make([]string, len(c.Rules))
	for i, id := range c.Rules {
		ids[i] = string(id)
	}
	return report.Case{
		Name: inst.Name(), Summary: c.Summary, Rules: ids, Section: c.Section(), Role: string(inst.Role),
		Tier: string(c.tier()), Profile: string(c.profile()),
		Replay: fmt.Sprintf("%s --seed %d --focus '^%s$'", r.Opts.Command, r.Opts.Seed, inst.Name()),
	}
}

func (r *Runner) cannotRun(inst Instance) string {
	if !tierIncludes(r.Target.Tier(), inst.Case.tier()) {
		return fmt.Sprintf("needs tier %s, the target gives tier %s", inst.Case.tier(), r.Target.Tier())
	}
	return ""
}

func (r *Runner) play(ctx context.Context, inst Instance) *Play {
	var base [32]byte
	binary.BigEndian.PutUint64(base[:], r.Opts.Seed)
	seed := derive(base, inst.Name())
	return &Play{
		Case: inst.Case, Role: inst.Role, ctx: ctx, seed: seed, deadline: r.Opts.Deadline, settle: r.Opts.Settle,
		Codec: wire.Codec{Envelope: r.Opts.Envelope},
		Rand:  rand.New(rand.NewChaCha8(derive(seed, "play"))),
	}
}

// execute runs the body. When the case could not be decided it returns the
// state that says so, and why.
func (r *Runner) execute(p *Play) (state report.State, reason string) {
	n, err := r.Target.Acquire(p.ctx, p.Role, derive(p.seed, "target"))
	if err != nil {
		p.unreached = err
		p.fail(p.Case.Rules[0], mismatch{message: "the target does not start", planted: -1, expected: []string{"a running node"},
			received: oneLine(err.Error()), blame: "the target, or its driver"})
		return "", ""
	}
	p.Node = n
	defer r.Target.Release(n)
	defer p.close()
	if s, ok := n.(Setter); ok {
		s.Set(p.Case)
	}
	if _, ok := n.(Clocked); p.Case.Slow && !ok && !r.Opts.Slow {
		return report.Skipped, "slow: it waits for half a minute (run with --slow)"
	}
	return report.Unsupported, r.body(p)
}

func (r *Runner) body(p *Play) (reason string) {
	defer func() {
		switch e := recover().(type) {
		case nil, abort:
		case unsupported:
			reason = e.reason
		default:
			r.mu.Lock()
			if r.broken == nil {
				r.broken = fmt.Errorf("case %s: %v\n%s", p.Case.Name, e, debug.Stack())
			}
			r.mu.Unlock()
			p.fail(p.Case.Rules[0], mismatch{message: "the suite broke", planted: -1, expected: []string{"a result"},
				received: oneLine(fmt.Sprint(e)), blame: "the suite"})
		}
	}()
	p.Case.Body(p)
	return ""
}

func (r *Runner) remember(inst Instance, p *Play) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.Node != nil {
		r.version, r.address = p.Node.Version(), p.Node.Address()
	}
	if r.digests == nil {
		r.digests = map[string][]byte{}
	}
	sum := sha256.Sum256(p.digest)
	r.digests[inst.Name()] = sum[:]
}

// Digest returns the SHA-256 (hex) over what the suite sent in one case.
func (r *Runner) Digest(name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return hex.EncodeToString(r.digests[name])
}

// Order returns instances in the order of a run: by name, or shuffled by the
// seed.
func Order(instances []Instance, shuffle bool, seed uint64) []Instance {
	out := slices.Clone(instances)
	if shuffle {
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	}
	return out
}

// RunAll runs instances, at most parallel at a time, and returns the results
// sorted by name.
func (r *Runner) RunAll(ctx context.Context, instances []Instance, parallel int) []report.Case {
	results := make([]report.Case, len(instances))
	slots := make(chan struct{}, max(parallel, 1))
	var wg sync.WaitGroup
	ran := 0
	for i, inst := range instances {
		if ctx.Err() != nil {
			break
		}
		ran++
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			results[i] = r.Run(ctx, inst)
		})
	}
	wg.Wait()
	results = results[:ran]
	slices.SortFunc(results, func(a, b report.Case) int { return strings.Compare(a.Name, b.Name) })
	return results
}
