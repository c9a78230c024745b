package conformance

import (
	"fmt"
	"slices"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// reasons is the table of section 5.2: which rules a refusal with a reason
// answers the breach of.
var reasons = []struct {
	reason wire.Reason
	rules  []rule.ID
}{
	{wire.ReasonRefused, []rule.ID{rule.CER003, rule.CER032, rule.CER041, rule.POI002}},
	{wire.ReasonBusy, []rule.ID{rule.CER006}},
	{wire.ReasonUnknownCeremony, []rule.ID{rule.CER004, rule.CER031}},
	{wire.ReasonUnexpected, []rule.ID{rule.CER007, rule.CER021}},
	{wire.ReasonParameters, []rule.ID{rule.TREE001, rule.TREE002, rule.TREE003, rule.DELAY004, rule.DELAY005}},
	{wire.ReasonShape, []rule.ID{rule.TREE010, rule.TREE011, rule.TREE014, rule.TREE015}},
	{wire.ReasonKeys, []rule.ID{rule.SCRIPT003, rule.SCRIPT006, rule.CER011, rule.CER014, rule.CER047}},
	{wire.ReasonAmounts, []rule.ID{rule.TREE024, rule.CER012, rule.CER013, rule.CER043, rule.DIST005, rule.PS001, rule.PS003, rule.PS005}},
	{wire.ReasonCover, []rule.ID{rule.DIST010}},
	{wire.ReasonNonces, []rule.ID{rule.SIGN004, rule.SIGN006, rule.CER015, rule.CER020}},
	{wire.ReasonPartialSignature, []rule.ID{rule.SIGN005, rule.SIGN008, rule.CER016}},
	{wire.ReasonSignature, []rule.ID{rule.SIGN007, rule.CER022}},
	{wire.ReasonDeadline, []rule.ID{rule.CER017}},
	{wire.ReasonRecorded, []rule.ID{rule.DELAY002, rule.POI005, rule.POI006, rule.POI009, rule.PS002, rule.PS011}},
	{wire.ReasonChain, []rule.ID{rule.DELAY006, rule.DELAY007, rule.CER044, rule.POI008, rule.PS004}},
}

// reasonsOf are the reasons for which what breaks these rules may be refused: a
// message that breaks several may be refused for any of them (section 1).
func reasonsOf(ids ...rule.ID) []wire.Reason {
	var out []wire.Reason
	for _, id := range ids {
		known := false
		for _, row := range reasons {
			if !slices.Contains(row.rules, id) {
				continue
			}
			known = true
			if !slices.Contains(out, row.reason) {
				out = append(out, row.reason)
			}
		}
		if !known {
			panic(fmt.Sprintf("no reason belongs to %s", id))
		}
	}
	return out
}
