package conformance

import "superscalar/harness"

// updating are the cases that run an update of a tree. An update moves the channels
// below its state (section 8.4); until the suite's peers do that, the factories of
// these cases have no channels on their outputs.
var updating = map[string]bool{
	"cer/client/change-signatures": true, "cer/client/changes": true, "cer/client/foreign-lsp": true, "cer/client/foreign-node": true,
	"cer/client/unfunded-change": true, "cer/lsp/one-change-at-a-time": true, "cer/lsp/one-change-in-all-factories": true, "cer/client/update-sum": true, "cer/lsp/phase-by-phase": true, "cer/lsp/sale": true,

	"delay/client/change-at-exit-height": true, "delay/client/counter": true, "delay/client/kickoff-mempool-update": true,
	"delay/client/kickoff-out-update": true, "delay/client/latest-state": true, "delay/lsp/change-at-exit-height": true,
	"delay/lsp/counter": true, "delay/lsp/kickoff-out-update": true, "delay/lsp/latest-states": true,

	"poi/client/below-failed": true, "poi/client/chained-sales": true, "poi/client/failed-attempt": true, "poi/client/hidden-sale": true, "poi/client/kickoff-out-poison": true,
	"poi/client/live-leaf": true, "poi/client/next-before-poison": true, "poi/client/no-poison": true, "poi/client/replaced-above": true,
	"poi/client/replaced-leaf": true, "poi/client/replaced-sale": true, "poi/lsp/next-before-poison": true, "poi/lsp/refuser": true, "poi/lsp/replaced-above": true,

	"ps/client/capacities-kept": true, "ps/client/max-chain": true, "ps/client/omission-signed": true, "ps/client/same-change-again": true,
	"ps/lsp/capacities-kept": true, "ps/lsp/max-chain": true, "ps/lsp/omission-signed": true, "sign/lsp/nonces-repeated-change": true,
}

// leaveOut marks them.
func leaveOut(cases []harness.Case) {
	for i := range cases {
		cases[i].Bare = updating[cases[i].Name]
	}
}
