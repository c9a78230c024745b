// Command superscalar is the specification, the vectors, the reference node
// and the conformance suite of SuperScalar in one program; see package
// superscalar/harness/cli and `superscalar --help`.
package main

import (
	"os"

	"superscalar/harness/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
