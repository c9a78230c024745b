package commitment_test

import (
	"fmt"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/commitment"
)

// Both sides know the same parameters and the same state. The accepter signs
// the opener's commitment, the opener checks that and can publish it.
func ExampleParams_Build() {
	secrets, funding := [2]*commitment.Secrets{}, commitment.Funding{Outpoint: btcwire.OutPoint{Index: 1}, Value: 100_000}
	params := commitment.Params{
		Type: commitment.Anchors, DustLimit: [2]commitment.Sat{354, 354}, Delay: [2]uint16{144, 720},
	}
	for side, name := range []string{"alice", "bob"} {
		secrets[side] = &commitment.Secrets{
			Revocation: keyOf(name + " revocation"), Payment: keyOf(name + " payment"),
			Delayed: keyOf(name + " delayed"), HTLC: keyOf(name + " htlc"),
		}
		params.Basepoints[side] = secrets[side].Basepoints()
		funding.Keys[side] = keyOf(name).PubKey()
	}
	state := commitment.State{
		Number: 3, Feerate: 253, Balance: [2]commitment.MilliSat{60_000_000, 30_000_000},
		HTLCs: []commitment.HTLC{{OfferedBy: commitment.Accepter, Amount: 10_000_000, Expiry: 800_000}},
	}
	point, err := commitment.Seed{1}.Point(state.Number)
	if err != nil {
		panic(err)
	}

	opener, err := params.Build(commitment.Opener, &funding, &state, point)
	if err != nil {
		panic(err)
	}
	signature, htlcs, err := opener.Sign(keyOf("bob"), secrets[commitment.Accepter])
	if err != nil {
		panic(err)
	}
	fmt.Println("verified:", opener.Verify(signature, htlcs) == nil)
	for i, out := range opener.Outputs {
		fmt.Println(opener.Tx.TxOut[i].Value, out.Kind)
	}
	fmt.Println(int64(opener.Fee), "fee")
	// Output:
	// verified: true
	// 330 to_remote_anchor
	// 330 to_local_anchor
	// 10000 received HTLC
	// 30000 to_remote
	// 59013 to_local
	// 327 fee
}
