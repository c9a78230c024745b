// Package harness drives the conformance suite: targets to test, the scripted
// peer that plays against them, the runner, and the results.
//
// It promises that a verdict is decided by what a target did on the wire and
// by nothing else: no sleep, no adapter, no order of cases. A fence (a ping
// with a chosen pong length, sent after the stimulus) tells reactions apart;
// one deadline exists only to call a target hung, which no case allows. The
// cases themselves are package conformance.
package harness

import (
	"superscalar/refnode/node"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Role is the role a target plays.
type Role = node.Role

// Tier is what a case needs besides a connection that the suite dials.
type Tier string

// The tiers, each including the one before.
const (
	Wire   Tier = "wire"   // NODEID@HOST:PORT, nothing else
	Driver Tier = "driver" // the target is told to dial, open, pay, ...
	Chain  Tier = "chain"  // shares a regtest chain
)

// Profile says whether a case belongs to what everybody has to do.
type Profile string

// The profiles.
const (
	Core     Profile = "core"
	Extended Profile = "extended"
)

// Protocol is a factory protocol that a case needs the target to list.
type Protocol int

// The protocols a case can need.
const (
	NoProtocol Protocol = iota
	SuperScalar
	Loopback
)

// Case is one conformance case, declared as data; only Body does anything.
type Case struct {
	Name    string    // "trn/init/unknown-even-feature", never changes
	Summary string    // one sentence
	Rules   []rule.ID // requirements it decides about, the first is the main one
	Roles   []Role    // roles of the target; none means both
	Tier    Tier      // "" means Wire
	Profile Profile   // "" means Core
	// Features the target has to offer; without them the case is unsupported.
	Features []wire.Feature
	// Protocol the target has to list; without it the case is unsupported.
	Protocol Protocol
	// Slow cases wait more than 5 s unless the target's clock can be set.
	Slow bool
	// Bare says that the factories of the case have no channels on their outputs,
	// and that the target is told so: an update would have to move them (section
	// 8.4).
	Bare bool
	// Coinless says that the target's wallet is to be empty.
	Coinless bool
	// Since is the version of SPEC.md that introduced the case.
	Since string
	Body  func(*Play)
}

// Section is the section of SPEC.md that the case's main rule stands in.
func (c *Case) Section() string {
	q, _ := rule.Embedded().Lookup(c.Rules[0])
	return q.Section
}

func (c *Case) tier() Tier {
	if c.Tier == "" {
		return Wire
	}
	return c.Tier
}

func (c *Case) profile() Profile {
	if c.Profile == "" {
		return Core
	}
	return c.Profile
}

func (c *Case) roles() []Role {
	if len(c.Roles) == 0 {
		return []Role{node.LSP, node.Client}
	}
	return c.Roles
}
