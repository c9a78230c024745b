package leaves

// For their tests.
var (
	Late   = late
	Voided = voided
)
