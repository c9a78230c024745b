// Package leaves keeps the channels on the leaves of a role's factories: it carries
// out what follows from what the registry of the role hears (role.Channels). It
// opens channels when a ceremony makes their outputs, moves them when it replaces
// those, lets the ceremony go on once they are open or have moved, says to them whether their factory may be used, and starts the way
// out of a factory for a channel that has to reach the chain.
//
// It implements the parts of sections 5.3 (CER-025, CER-026) and 8 of SPEC.md that
// lie between a role, its hub and its base node. The rules of a channel are those of
// package channel, the rules of a ceremony those of package ceremony.
package leaves

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/channel"
	"superscalar/refnode/client"
	"superscalar/refnode/factory"
	"superscalar/refnode/hub"
	"superscalar/refnode/lsp"
	"superscalar/refnode/peer"
	"superscalar/refnode/role"
	"superscalar/refnode/transport"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Protocol is that of the factories.
var Protocol = wire.Codec{}.SuperScalarID()

// Opener sends open_channel: node.Node.OpenInFactory.
type Opener func(id transport.NodeID, o peer.InFactory) error

// Config is what a Keeper is made of: one of LSP and Client, and all else but
// Rules.
type Config struct {
	Rules    rule.Set
	Registry *role.Channels
	Hub      *hub.Hub
	LSP      *lsp.LSP
	Client   *client.Client
	Chain    role.Chain
	// Confirmations is how many the funding transaction of a factory needs.
	Confirmations uint32
	// Coins reports whether the wallet has so many sat (CHAN-012).
	Coins func(enough factory.Sat) bool
	// ZeroFee asks clients that offer it for zero_fee_commitments.
	ZeroFee bool
	// Leave wakes the way out: somebody is to leave.
	Leave func()
	// Tell hears what happens, one line each. It must not call back.
	Tell func(string)
}

// Keeper keeps the channels of one role. It is safe for concurrent use.
type Keeper struct {
	cfg Config
	wg  sync.WaitGroup

	mu      sync.Mutex
	opener  Opener
	opening int        // calls of opener
	opened  *sync.Cond // opening is 0
	voided  map[wire.ChannelID]bool
}

// New returns a keeper. It tells the registry which outputs have channels.
func New(cfg Config) *Keeper {
	k := &Keeper{cfg: cfg, voided: map[wire.ChannelID]bool{}}
	k.opened = sync.NewCond(&k.mu)
	k.restoreOpened()
	return k
}

// Attach says how channels inside factories are opened. Without it none are, and no
// factory is funded.
func (k *Keeper) Attach(open Opener) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.opener = open
}

// Run obeys the registry until done is closed.
func (k *Keeper) Run(done <-chan struct{}) {
	k.cfg.Registry.Run(done, k.obey)
	k.wg.Wait()
}

// Obey does the first thing that follows from what the registry heard, on this
// goroutine, and returns when it is done; false: nothing does. It is for who drives
// everything from one goroutine, instead of Run.
func (k *Keeper) Obey() bool {
	any := k.cfg.Registry.Obey(k.obey)
	k.mu.Lock()
	defer k.mu.Unlock()
	for k.opening > 0 {
		k.opened.Wait()
	}
	return any
}

// Settle returns when everything that followed from what the registry heard until
// now is done. It needs a Run that goes on.
func (k *Keeper) Settle() {
	k.cfg.Registry.Settle()
	k.mu.Lock()
	defer k.mu.Unlock()
	for k.opening > 0 {
		k.opened.Wait()
	}
}

// restoreOpened tells the registry which outputs have channels, and has them go on
// with the changes that the process ended in.
func (k *Keeper) restoreOpened() {
	for _, c := range k.cfg.Hub.Channels() {
		if c.Instance != nil && !c.Closed {
			k.cfg.Registry.RestoreOpened(c.Peer, c.Opener, c.ID, c.Ready)
		}
	}
	k.cfg.Registry.AttachHub(k.cfg.Hub.Do)
	k.cfg.Registry.FollowAll()
}

// obey does what follows from what the registry heard.
func (k *Keeper) obey(o role.Order) {
	switch o.Kind {
	case role.OrderOpen:
		k.mu.Lock()
		k.opening++
		k.mu.Unlock()
		k.wg.Go(func() { k.openInFactory(o.Output) }) // a peer that does not read delays nobody else
	case role.OrderOpened:
		if k.cfg.LSP != nil {
			k.cfg.LSP.ChannelOpened()
		} else {
			k.cfg.Client.ChannelOpened(o.Output.Peer)
		}
	case role.OrderForget:
		k.cfg.Hub.Post(o.ID, (*channel.Machine).Forget)
	case role.OrderMove:
		k.cfg.Hub.Post(o.ID, func(m *channel.Machine) { k.cfg.Registry.Follow(o.Output.Peer, m) })
	case role.OrderDue:
		k.cfg.Tell(fmt.Sprintf("factory %.8s: its channel with %.8s is on its new output alone: what is due for the change is due now", o.Output.Factory, o.Output.Peer))
	case role.OrderCheck:
		if err := k.Check(); err != nil {
			k.cfg.Tell("channels: " + err.Error()) // the next block brings it up again
		}
	case role.OrderLeave:
		k.leaveFor(o.Output, o.Reason)
	}
}

// openInFactory sends open_channel. When that fails, the attempt that waits for it
// runs into its deadline.
func (k *Keeper) openInFactory(o ceremony.ChannelOutput) {
	k.mu.Lock()
	open := k.opener
	k.mu.Unlock()
	err := errors.New("nothing opens channels")
	if open != nil {
		err = open(transport.NodeID(o.Peer), peer.InFactory{
			In: k.cfg.Registry.InFactory(o), FundingSat: uint64(o.Value), Funding: o.LSPKey, ToSelfDelay: k.clientDelay(o),
			ZeroFee: k.cfg.ZeroFee,
		})
	}
	if err != nil {
		k.cfg.Tell(fmt.Sprintf("channel with %.8s in factory %.8s: %s", o.Peer, o.Factory, err))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.opening--; k.opening == 0 {
		k.opened.Broadcast()
	}
}

// clientDelay is the to_self_delay that is asked of a client, in blocks (CHAN-005).
func (k *Keeper) clientDelay(o ceremony.ChannelOutput) uint16 {
	if !k.cfg.Rules.On(rule.CHAN005) {
		return o.Params.ToSelfDelay
	}
	return role.MaxClientDelay
}

// leaveFor starts the way out for a channel, if its output is made: until then, and
// until the factory is funded, there is nothing to leave, and Check comes
// back to it.
func (k *Keeper) leaveFor(o ceremony.ChannelOutput, reason string) {
	leave := false
	for _, f := range k.standings() {
		if f.id == o.Factory && f.holds(o.Client, o.LSPKey) {
			leave = !f.leaves(o.Client) && !errors.Is(k.funded(f), role.ErrNotUsable)
		}
	}
	if !leave {
		return
	}
	k.cfg.Tell(fmt.Sprintf("factory %.8s: leaving, for its channel with %.8s: %s", o.Factory, o.Peer, printable(reason)))
	var err error
	if k.cfg.LSP != nil {
		err = k.cfg.LSP.LeaveFor(o.Factory, o.Client)
	} else {
		err = k.cfg.Client.Leave(o.Peer, o.Factory)
	}
	if err != nil {
		k.cfg.Tell(fmt.Sprintf("factory %.8s: leaving: %s", o.Factory, err))
	}
	k.cfg.Leave()
}

// standing is a factory of either role.
type standing struct {
	id   wire.CeremonyID
	tree *factory.Tree
	// leaving are the clients whose way out has begun; at a client it is all or
	// none.
	leaving []factory.ClientIndex
}

func (k *Keeper) standings() (out []standing) {
	if k.cfg.LSP != nil {
		for _, f := range k.cfg.LSP.Factories() {
			out = append(out, standing{f.ID, f.Tree, f.Paths})
		}
		return out
	}
	for _, f := range k.cfg.Client.Factories() {
		s := standing{id: f.ID, tree: f.Tree}
		if f.Leaving {
			s.leaving = []factory.ClientIndex{f.Index}
		}
		out = append(out, s)
	}
	return out
}

func (s standing) leaves(c factory.ClientIndex) bool { return slices.Contains(s.leaving, c) }

// holds reports whether a client has a channel output with a key of the LSP, on
// whatever outpoint: an update moves it in the tree and in the registry, not at
// the same moment.
func (s standing) holds(c factory.ClientIndex, lsp wire.Point) bool {
	return slices.ContainsFunc(s.tree.Channels(c), func(ch factory.ChannelOutput) bool {
		return slices.Contains(ch.Channel.Keys[:], [33]byte(lsp))
	})
}

// exposureDivisor makes max_exposure of a client without coins a tenth of its
// cover (CHAN-012).
const exposureDivisor = 10

// funded is the error of role.Chain.Funded.
func (k *Keeper) funded(f standing) error {
	return k.cfg.Chain.Funded(f.tree, k.cfg.Rules, k.cfg.Confirmations)
}

// failures are the channels of factories that failed, and why.
func (k *Keeper) failures() map[wire.ChannelID]string {
	failed := map[wire.ChannelID]string{}
	for _, c := range k.cfg.Hub.Channels() {
		if c.Instance != nil && c.Failure != "" {
			failed[c.ID] = c.Failure
		}
	}
	return failed
}

// Check looks which factories may be used, and says so to the channels in
// them: from the confirmations that this node asks for on, and not while a
// reorganisation takes them away (CER-026), not while it leaves. A factory that was
// confirmed after its channel failed is left now (CHAN-021).
func (k *Keeper) Check() error {
	var errs []error
	failed := k.failures()
	for _, f := range k.standings() {
		err := k.funded(f)
		if err != nil && !errors.Is(err, role.ErrNotUsable) {
			errs = append(errs, fmt.Errorf("factory %.8s: %w", f.id, err))
			continue
		}
		channels := k.cfg.Registry.Channels(f.id, f.holds)
		if k.cfg.Client != nil && err == nil && len(f.leaving) == 0 {
			reason, err := k.beyond(f, channels)
			if reason != "" {
				k.leaveFor(channels[0].ChannelOutput, reason)
			}
			errs = append(errs, err)
		}
		errs = append(errs, k.lookAtOutputs(f, channels))
		for _, c := range channels {
			use := channel.Use{Suspended: err != nil || f.leaves(c.Client) || k.Voided(c.ID), Until: channel.Height(c.Params.ExitHeight(c.Shape))}
			if k.cfg.Client != nil {
				most, err := k.maxExposure(f.tree, c.Client)
				if err != nil {
					return err
				}
				use.MaxExposure = most
			}
			if reason := failed[c.ID]; reason != "" && k.cfg.Rules.On(rule.CHAN021) && err == nil && !f.leaves(c.Client) {
				k.leaveFor(c.ChannelOutput, reason)
			}
			k.cfg.Registry.SetUse(c.ChannelOutput, use)
			usable := err == nil || !k.cfg.Rules.On(rule.CER026)
			k.cfg.Hub.Post(c.ID, func(m *channel.Machine) {
				m.SetUse(use)
				if usable {
					m.SetUsable()
				}
			})
		}
	}
	return errors.Join(errs...)
}

// printable keeps what a peer wrote to one line of text.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}
