// Package conformance is the cases: what must be true of an implementation of
// SPEC.md, seen from the other end of the wire.
//
// A case is declared as data, body last. There is one file per section of
// SPEC.md, named like it, so that a rule leads to its case without a search.
// Every negative case begins with a positive control (the target answers on
// the same path) and ends with one (it still does, or does again); a target
// that merely hangs up passes nothing.
package conformance

import (
	"slices"

	"superscalar/harness"
)

// Cases returns every case, in the order of SPEC.md.
func Cases() []harness.Case {
	all := slices.Concat(
		transportCases(), messageCases(), initCases(), noticeCases(), pingCases(),
		featureCases(), envelopeCases(), supportedCases(), piggybackCases(),
		superscalarCases(), loopbackCases(), loopbackChannelCases(), openCases(), attemptCases(), acceptCases(), changeCases(),
		fundingChannelCases(), negotiationCases(), commitmentCases(), batchCases(), reestablishCases(), channelEndCases(), placeCases(),
		forwardCases(), payeeCases(),
		ceremonyMessageCases(), clientCases(), nodeKeyCases(), lspCases(), fundingCases(), changeClientCases(), changeLSPCases(),
		poisonClientCases(), poisonLSPCases(), refuserCases(), saleClientCases(), saleLSPCases(),
		openingCases(), leafPaymentCases(), leafChainCases(), zeroFeeCases(), movingCases(), widerCases(), absorbCases(), onceCases(),
		delayExitCases(), expiryCases(), poisonCases(), salesOnChainCases(),
	)
	leaveOut(all)
	for i := range all {
		if all[i].Since == "" {
			all[i].Since = "0.1"
		}
	}
	return all
}
