package transport

import (
	"strings"

	"superscalar/wire/rule"
)

// The requirements of SPEC.md that this package enforces. A node keeps them
// all; a mutant breaks exactly one, to prove that a case notices. Each is
// asked for in the one place named here, and TRN-005 stands for the first
// three when the initiator is the one to check.
const (
	ruleVersion   = rule.TRN001 // Machine.Feed: off accepts any version
	rulePoint     = rule.TRN002 // refuse: off stays open, silent
	ruleTag       = rule.TRN003 // refuse: off stays open, silent
	ruleSilent    = rule.TRN004 // refuse: off sends 50 bytes, then closes
	ruleInitiator = rule.TRN005 // as the three above, for act two
	ruleMAC       = rule.TRN006 // Conn.forged: off stays open, silent
	ruleRotate    = rule.TRN007 // Machine.EncryptMessage: off ruins frames
	ruleSlots     = rule.TRN009 // Listener.loop: off shakes one at a time
	ruleTimeout   = rule.TRN010 // shake: off lets a handshake last for ever
)

// ruleOf returns the rule by which an act of this class is refused, or "" for
// a failed read, after which nothing is left to decide.
func ruleOf(class string) rule.ID {
	act, check, _ := strings.Cut(class, "_")
	switch {
	case check == "READ_FAILED":
		return ""
	case act == "ACT2":
		return ruleInitiator
	case check == "BAD_VERSION":
		return ruleVersion
	case check == "BAD_PUBKEY":
		return rulePoint
	default: // BAD_TAG, BAD_CIPHERTEXT
		return ruleTag
	}
}
