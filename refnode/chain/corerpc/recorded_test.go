package corerpc

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"testing"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

func TestRecordedBlocks(t *testing.T) {
	c := connect(t, newNode(t).options())
	tip, err := c.Tip(t.Context())
	if err != nil || tip != (chain.BlockID{Height: 3, Hash: block3}) {
		t.Errorf("tip %v, %v", tip, err)
	}
	rows := []struct {
		name     string
		from     chainhash.Hash
		off, on  []chainhash.Hash
		notKnown bool
	}{
		{name: "from the tip", from: block3},
		{name: "from below", from: block1, on: []chainhash.Hash{block2, block3}},
		{name: "from the beginning", on: []chainhash.Hash{genesis, block1, block2, block3}},
		{name: "from a block that lost", from: rival2, off: []chainhash.Hash{rival2}, on: []chainhash.Hash{block2, block3}},
		{name: "from an unknown block", from: unknown, notKnown: true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			update, err := c.Since(t.Context(), chain.BlockID{Hash: row.from})
			if errors.Is(err, chain.ErrUnknownBlock) != row.notKnown || (err != nil) != row.notKnown {
				t.Fatalf("got %v", err)
			}
			same(t, "disconnected", update.Disconnected, row.off)
			same(t, "connected", update.Connected, row.on)
			if !row.notKnown && update.Tip.Hash != block3 {
				t.Errorf("tip %v", update.Tip)
			}
		})
	}
}

func same(t *testing.T, what string, got []chain.Block, want []chainhash.Hash) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d blocks %s, want %d", len(got), what, len(want))
	}
	for i, block := range got {
		if block.Hash != want[i] || len(block.Transactions) == 0 {
			t.Errorf("%s: block %d is %v, want %v", what, i, block.Hash, want[i])
		}
	}
}

func TestRecordedOutputs(t *testing.T) {
	c := connect(t, newNode(t).options())
	in := func(height chain.Height, hash chainhash.Hash) chain.Position {
		return chain.Position{Confirmed: true, Block: chain.BlockID{Height: height, Hash: hash}}
	}
	rows := []struct {
		name     string
		outpoint wire.OutPoint
		found    bool
		want     chain.Output
	}{
		{name: "confirmed, spent in the mempool", outpoint: out(paid, 0), found: true, want: chain.Output{Value: 30e8, Position: in(2, block2)}},
		{name: "confirmed", outpoint: out(paid, 1), found: true, want: chain.Output{Value: 1_999_900_000, Position: in(2, block2)}},
		{name: "coinbase", outpoint: out(coinbase3, 0), found: true, want: chain.Output{Value: 50e8, Coinbase: true, Position: in(3, block3)}},
		{name: "in the mempool", outpoint: out(waiting, 0), found: true, want: chain.Output{Value: 2_999_990_000}},
		{name: "spent", outpoint: out(coinbase1, 0)},
		{name: "unknown", outpoint: out(unknown, 0)},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got, found, err := c.Output(t.Context(), row.outpoint)
			if err != nil || found != row.found {
				t.Fatalf("%v, %v", found, err)
			}
			if got.Value != row.want.Value || got.Coinbase != row.want.Coinbase || got.Position != row.want.Position || found && len(got.Script) != 34 {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
		})
	}
}

func TestRecordedSpendsAndTransactions(t *testing.T) {
	for _, birthday := range []chain.Height{0, 1, 2, 3, 9} {
		options := newNode(t).options()
		options.Birthday = birthday
		c := connect(t, options)
		seen := birthday <= 2 // block 2 is searched

		spend, found, err := c.Spend(t.Context(), out(coinbase1, 0))
		if err != nil || found != seen || found && (spend.Tx.TxHash() != paid || spend.Block.Hash != block2 || spend.Input != 0) {
			t.Errorf("birthday %d: confirmed spend: %+v, %v, %v", birthday, spend, found, err)
		}
		tx, found, err := c.Transaction(t.Context(), paid)
		if err != nil || found != seen || found && (tx.Tx.TxHash() != paid || tx.Block.Hash != block2) {
			t.Errorf("birthday %d: confirmed transaction: %+v, %v, %v", birthday, tx, found, err)
		}
	}
	node := newNode(t)
	c := connect(t, node.options())
	spend, found, err := c.Spend(t.Context(), out(paid, 0))
	if err != nil || !found || spend.Confirmed || spend.Tx.TxHash() != waiting {
		t.Errorf("spend in the mempool: %+v, %v, %v", spend, found, err)
	}
	tx, found, err := c.Transaction(t.Context(), waiting)
	if err != nil || !found || tx.Confirmed || tx.Tx.TxHash() != waiting {
		t.Errorf("transaction in the mempool: %+v, %v, %v", tx, found, err)
	}
	if _, found, err := c.Spend(t.Context(), out(paid, 1)); found || err != nil {
		t.Errorf("unspent: %v, %v", found, err)
	}
	if n := node.count("getblock"); n > 2 {
		t.Errorf("%d blocks were read for questions that the node answers itself", n)
	}
	if _, found, err := c.Transaction(t.Context(), unknown); found || err != nil {
		t.Errorf("unknown transaction: %v, %v", found, err)
	}
}

// TestIndexes answers as a node with txindex and txospenderindex: no block is searched.
func TestIndexes(t *testing.T) {
	node := newNode(t)
	options := node.options()
	options.Birthday = 3
	c := connect(t, options)
	tx := blockTx(t, node, block2, 1)
	node.set("getrawtransaction", result(`{"hex":"`+tx+`","blockhash":"`+block2.String()+`","confirmations":2}`))
	node.set("gettxspendingprevout", result(`[{"txid":"`+coinbase1.String()+`","vout":0,"spendingtxid":"`+paid.String()+`","blockhash":"`+block2.String()+`"}]`))
	got, found, err := c.Transaction(t.Context(), paid)
	if err != nil || !found || got.Block.Hash != block2 {
		t.Errorf("transaction: %+v, %v, %v", got, found, err)
	}
	spend, found, err := c.Spend(t.Context(), out(coinbase1, 0))
	if err != nil || !found || spend.Block.Hash != block2 || spend.Tx.TxHash() != paid {
		t.Errorf("spend: %+v, %v, %v", spend, found, err)
	}
	node.set("getrawtransaction", result(`{"hex":"`+tx+`","blockhash":"`+rival2.String()+`"}`))
	if _, _, err := c.Transaction(t.Context(), paid); !errors.Is(err, ErrContradiction) {
		t.Errorf("a block that lost: %v", err)
	}
	node.set("getrawtransaction", result(`{"hex":"`+tx+`","blockhash":"`+block3.String()+`"}`))
	if _, _, err := c.Transaction(t.Context(), paid); !errors.Is(err, ErrContradiction) {
		t.Errorf("another block: %v", err)
	}
}

// blockTx is the hex of a transaction of a recorded block.
func blockTx(t *testing.T, node *fakeNode, hash chainhash.Hash, index int) string {
	t.Helper()
	var text string
	if err := json.Unmarshal([]byte(node.recorded("getblock", hash.String(), 0)), &text); err != nil {
		t.Fatal(err)
	}
	msg, err := parseBlock("getblock", text, hash, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := rawHex(msg.Transactions[index])
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestAmounts(t *testing.T) {
	rows := []struct {
		text string
		want btcutil.Amount
		kind error
	}{
		{text: "0.00000000"}, {text: "0"}, {text: "0E-8"},
		{text: "0.00000001", want: 1}, {text: "1e-8", want: 1}, {text: "1E-08", want: 1},
		{text: "49.99990000", want: 4_999_990_000},
		{text: "20999999.97690000", want: 2_099_999_997_690_000},
		{text: "21000000", want: btcutil.MaxSatoshi},
		{text: "21000000.00000001", kind: ErrContradiction},
		{text: "-0.00000001", kind: ErrContradiction},
		{text: "1e99", kind: ErrContradiction},
		{text: "0.000000001", kind: ErrMalformed},
		{text: "1e999999999", kind: ErrMalformed},
		{text: "0.000000000000000000000000000000", kind: ErrMalformed},
		{text: "1/2", kind: ErrMalformed}, {text: "", kind: ErrMalformed}, {text: "NaN", kind: ErrMalformed}, {text: "0x10", kind: ErrMalformed},
	}
	for _, row := range rows {
		got, err := parseAmount("gettxout", "value", json.Number(row.text))
		if got != row.want || !errors.Is(err, row.kind) {
			t.Errorf("%q: %d, %v", row.text, got, err)
		}
	}
}

func TestRawHex(t *testing.T) {
	tx := blockTx(t, newNode(t), block2, 1)
	raw, err := hex.DecodeString(tx)
	if err != nil || len(raw) == 0 {
		t.Fatal(err)
	}
	if _, err := parseTx("x", tx+"00", paid); !errors.Is(err, ErrMalformed) {
		t.Errorf("a byte too many: %v", err)
	}
	if _, err := parseTx("x", tx[:len(tx)-2], paid); !errors.Is(err, ErrMalformed) {
		t.Errorf("a byte too few: %v", err)
	}
	if _, err := parseTx("x", tx, waiting); !errors.Is(err, ErrContradiction) {
		t.Errorf("another id: %v", err)
	}
}
