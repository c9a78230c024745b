package factory_test

import (
	"fmt"

	"superscalar/refnode/factory"
	"superscalar/wire/rule"
)

func ExamplePlan() {
	rows := factory.Plan(factory.Request{Clients: 128, MaxBlocks: 720})
	best := rows[0]
	fmt.Println(best.Shape)
	fmt.Println(best.Params.States, "states,", best.Delay, "blocks of delay, early warning time", best.EarlyWarning)
	fmt.Println(best.ExitTxs, "transactions,", best.ExitVBytes, "vB to leave")
	fmt.Println(best.Signatures, "signatures per client,", best.AllSignatures, "in all")
	// Output:
	// static 4 / static 8 / kickoff 1 / ps 2
	// 4 states, 432 blocks of delay, early warning time 528
	// 4 transactions, 1749 vB to leave
	// 9 signatures per client, 202 in all
}

func ExampleNewLayout() {
	shape, err := factory.ParseShape("static 2 / kickoff 1 / ps 2")
	if err != nil {
		fmt.Println(err)

		return
	}
	layout, err := factory.NewLayout(7, shape, rule.Set{})
	if err != nil {
		fmt.Println(err)

		return
	}
	for _, id := range layout.Path(6) {
		fmt.Println(layout.Kind(id), id, "covers clients", layout.Range(id))
	}
	fmt.Println(layout.Groups(layout.Path(6)[2]))
	// Output:
	// static 0/0 covers clients 0..6
	// kickoff 1/1 covers clients 4..6
	// state 2/1 covers clients 4..6
	// [4..5 6..6]
}
