package ledger_test

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ledger"
	"superscalar/wire/rule"
)

func Example() {
	stock := wire.OutPoint{Index: 2}
	l, err := ledger.New(rule.Set{}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(l.Add([]ledger.Entry{{Outpoint: stock, Kind: ledger.Sale, Sequence: 0xffffffff, Sighash: [32]byte{1}}}))

	err = l.Add([]ledger.Entry{{Outpoint: stock, Kind: ledger.Sale, Sequence: 0xffffffff, Sighash: [32]byte{2}}})
	var refusal *ledger.Refusal
	fmt.Println(errors.As(err, &refusal), refusal.Rule)
	// Output:
	// <nil>
	// true PS-011
}
