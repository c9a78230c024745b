package transport

// The checks of this package that a rule set can switch off. A node never
// does; a mutant switches off exactly one, to prove that a case notices.
const (
	ruleSize    = "TRN-HS-SIZE"    // refuse: a short act ends the handshake
	ruleVersion = "TRN-HS-VERSION" // Machine.Feed: unknown version byte
	ruleKey     = "TRN-HS-KEY"     // refuse: point not on the curve
	ruleTag     = "TRN-HS-TAG"     // refuse: tag does not verify
	ruleSilent  = "TRN-HS-SILENT"  // refuse: nothing is sent after a failure
	ruleRotate  = "TRN-ROTATE"     // Machine.EncryptMessage: keys rotate
	ruleMAC     = "TRN-MAC"        // Conn.forged: bad MAC closes
	ruleSlots   = "TRN-SLOTS"      // Listener.loop: handshakes run in parallel
)

// Enforce says whether the check with this id is on. Nil means that every
// check is on.
type Enforce func(id string) bool

// on reports whether the check is on.
func (e Enforce) on(id string) bool {
	return e == nil || e(id)
}
