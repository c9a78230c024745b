package embedded

import (
	"errors"
	"testing"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

// TestConsensusRefuses shows that the deployments are active: blocks that only a new rule forbids are refused, past any policy, and
// the same spend is fine one block later or with the right signature.
func TestConsensusRefuses(t *testing.T) {
	const delay = 10
	stock := newOwner(t, 1, func(b *txscript.ScriptBuilder, key []byte) {
		b.AddData(key).AddOp(txscript.OP_CHECKSIGVERIFY).AddInt64(delay).AddOp(txscript.OP_CHECKSEQUENCEVERIFY)
	})
	timeout := newOwner(t, 2, func(b *txscript.ScriptBuilder, key []byte) {
		b.AddData(key).AddOp(txscript.OP_CHECKSIGVERIFY).AddInt64(500).AddOp(txscript.OP_CHECKLOCKTIMEVERIFY)
	})
	plain, stranger := newOwner(t, 3, nil), newOwner(t, 4, nil)
	pay := wire.NewTxOut(90_000, plain.script)

	tests := []struct {
		name string
		// owner of the coin, which has one confirmation.
		owner *owner
		// bad is refused now, good accepted once wait more blocks are there.
		bad, good func(c *Chain, in spent) *wire.MsgTx
		wait      uint32
		code      blockchain.ErrorCode
	}{
		{
			name:  "relative lock of the transaction one block early",
			owner: plain,
			bad: func(_ *Chain, in spent) *wire.MsgTx {
				in.sequence = 2
				return build(t, 2, 0, []spent{in}, pay)
			},
			good: func(_ *Chain, in spent) *wire.MsgTx {
				in.sequence = 2
				return build(t, 2, 0, []spent{in}, pay)
			},
			wait: 1,
			code: blockchain.ErrUnfinalizedTx,
		},
		{
			name:  "OP_CSV with too small a sequence",
			owner: stock,
			bad: func(_ *Chain, in spent) *wire.MsgTx {
				in.sequence, in.scriptPath = 1, true
				return build(t, 2, 0, []spent{in}, pay)
			},
			good: func(_ *Chain, in spent) *wire.MsgTx {
				in.sequence, in.scriptPath = delay, true
				return build(t, 2, 0, []spent{in}, pay)
			},
			wait: delay - 1,
			code: blockchain.ErrScriptValidation,
		},
		{
			name:  "OP_CSV spend too early",
			owner: stock,
			bad: func(_ *Chain, in spent) *wire.MsgTx {
				in.sequence, in.scriptPath = delay, true
				return build(t, 2, 0, []spent{in}, pay)
			},
			good: func(_ *Chain, in spent) *wire.MsgTx {
				in.sequence, in.scriptPath = delay, true
				return build(t, 2, 0, []spent{in}, pay)
			},
			wait: delay - 1,
			code: blockchain.ErrUnfinalizedTx,
		},
		{
			name:  "OP_CLTV with too low a lock time",
			owner: timeout,
			bad: func(_ *Chain, in spent) *wire.MsgTx {
				in.scriptPath = true
				return build(t, 2, 400, []spent{in}, pay)
			},
			good: func(c *Chain, in spent) *wire.MsgTx {
				in.scriptPath = true
				return build(t, 2, uint32(tip(t, c).Height), []spent{in}, pay)
			},
			wait: 100,
			code: blockchain.ErrScriptValidation,
		},
		{
			name:  "lock time one block early",
			owner: plain,
			bad: func(c *Chain, in spent) *wire.MsgTx {
				return build(t, 2, uint32(tip(t, c).Height)+1, []spent{in}, pay)
			},
			good: func(c *Chain, in spent) *wire.MsgTx {
				return build(t, 2, uint32(tip(t, c).Height), []spent{in}, pay)
			},
			code: blockchain.ErrUnfinalizedTx,
		},
		{
			name:  "taproot signature of another key",
			owner: plain,
			bad: func(_ *Chain, in spent) *wire.MsgTx {
				in.owner = stranger
				return build(t, 2, 0, []spent{in}, pay)
			},
			good: func(_ *Chain, in spent) *wire.MsgTx { return build(t, 2, 0, []spent{in}, pay) },
			code: blockchain.ErrScriptValidation,
		},
		{
			name:  "no witness",
			owner: plain,
			bad: func(_ *Chain, in spent) *wire.MsgTx {
				in.owner = nil
				return build(t, 2, 0, []spent{in}, pay)
			},
			good: func(_ *Chain, in spent) *wire.MsgTx { return build(t, 2, 0, []spent{in}, pay) },
			code: blockchain.ErrScriptValidation,
		},
		{
			name:  "more out than in",
			owner: plain,
			bad: func(_ *Chain, in spent) *wire.MsgTx {
				return build(t, 2, 0, []spent{in}, wire.NewTxOut(int64(in.value)+1, plain.script))
			},
			good: func(_ *Chain, in spent) *wire.MsgTx {
				return build(t, 2, 0, []spent{in}, wire.NewTxOut(int64(in.value), plain.script))
			},
			code: blockchain.ErrSpendTooHigh,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newChain(t, Config{})
			in := confirmed(t, c, test.owner, 100_000)
			before := tip(t, c)
			_, err := c.MineWith(test.bad(c, in))
			var rule blockchain.RuleError
			if !errors.Is(err, ErrBlockRefused) || !errors.As(err, &rule) || rule.ErrorCode != test.code {
				t.Fatalf("bad block: %v, want %v", err, test.code)
			}
			if after := tip(t, c); after != before {
				t.Fatalf("tip moved from %v to %v", before, after)
			}
			mine(t, c, test.wait)
			good := test.good(c, in)
			block, err := c.MineWith(good)
			if err != nil {
				t.Fatalf("good block: %v", err)
			}
			found, ok, err := c.Transaction(t.Context(), good.TxHash())
			if err != nil || !ok || found.Position != (chain.Position{Confirmed: true, Block: block}) {
				t.Fatalf("after mining: %+v, %v, %v", found, ok, err)
			}
		})
	}
}

// TestMinersMayIgnorePolicy mines what no mempool takes: a version 3 transaction with dust that pays nothing, and no child.
func TestMinersMayIgnorePolicy(t *testing.T) {
	c := newChain(t, Config{})
	o := newOwner(t, 1, nil)
	in := confirmed(t, c, o, 100_000)
	tx := build(t, 3, 0, []spent{in}, wire.NewTxOut(100_000, o.script), wire.NewTxOut(0, anchor))
	err := c.Submit(t.Context(), chain.Package{tx})
	if !chain.IsRejection(err, chain.ReasonMinRelayFee) {
		t.Fatalf("mempool said %v", err)
	}
	if _, err := c.MineWith(tx); err != nil {
		t.Fatal(err)
	}
}
