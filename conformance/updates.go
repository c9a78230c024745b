package conformance

import "superscalar/harness"

// bare are cases of updates in factories without channels on their outputs: an
// update would have to move a channel (section 8.4) that there is not, since
// nothing confirmed, to merge those of one client after a sale, or to move a channel
// elsewhere than the update that was interrupted.
var bare = map[string]bool{
	"cer/client/unfunded-change": true, "delay/client/counter": true,

	"poi/client/below-failed": true, "poi/client/chained-sales": true, "poi/client/failed-attempt": true, "poi/client/hidden-sale": true,
	"poi/client/next-before-poison": true,

	"ps/client/capacities-kept": true, "ps/client/max-chain": true, "ps/lsp/capacities-kept": true, "ps/lsp/max-chain": true,
}

// leaveOut marks them.
func leaveOut(cases []harness.Case) {
	for i := range cases {
		cases[i].Bare = cases[i].Bare || bare[cases[i].Name]
	}
}
