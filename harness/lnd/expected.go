package lnd

import _ "embed" // the list is data of this package

// ExpectedJSON is the list of this lnd's known deviations, in the form that
// harness.ParseExpectations reads.
//
//go:embed expected.json
var ExpectedJSON []byte
