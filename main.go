// Command superscalar.
package main

import (
	_ "github.com/btcsuite/btcd/btcec/v2"
	_ "github.com/btcsuite/btcd/btcutil"
	_ "github.com/btcsuite/btcd/chaincfg/chainhash"
	_ "github.com/btcsuite/btcd/wire"
	_ "github.com/decred/dcrd/dcrec/secp256k1/v4"
	_ "github.com/google/go-cmp/cmp"
	_ "github.com/lightningnetwork/lnd/brontide"
	_ "github.com/lightningnetwork/lnd/fn/v2"
	_ "github.com/lightningnetwork/lnd/keychain"
	_ "github.com/lightningnetwork/lnd/lnwire"
	_ "github.com/lightningnetwork/lnd/tlv"
	_ "github.com/onsi/ginkgo/v2"
	_ "github.com/onsi/ginkgo/v2/formatter"
	_ "github.com/onsi/gomega"
	_ "github.com/santhosh-tekuri/jsonschema/v6"
	_ "github.com/spf13/cobra"
	_ "go.uber.org/goleak"
	_ "golang.org/x/sys/unix"
	_ "pgregory.net/rapid"
)

func main() {}
