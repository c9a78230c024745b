package policy

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

const testTip = 1_000

// world is a chain made of coins that anybody can spend, and a pool on top.
type world struct {
	t    *testing.T
	view *fakeView
	pool *Pool
	made uint32
}

func newWorld(t *testing.T) *world {
	view := &fakeView{tip: testTip, coins: make(map[wire.OutPoint]Coin)}
	return &world{t: t, view: view, pool: New(view, Rules{})}
}

// lock is the P2WSH output script of a witness script.
func lock(witnessScript ...byte) []byte {
	hash := sha256.Sum256(witnessScript)
	return append([]byte{txscript.OP_0, txscript.OP_DATA_32}, hash[:]...)
}

var (
	trueScript = []byte{txscript.OP_TRUE}
	open       = lock(trueScript...)
	anchor     = []byte{txscript.OP_1, txscript.OP_DATA_2, 0x4e, 0x73}
)

// coin adds a confirmed coin.
func (w *world) coin(value btcutil.Amount, script []byte) wire.OutPoint {
	w.made++
	outpoint := wire.OutPoint{Hash: chainhash.Hash{0xc0, byte(w.made), byte(w.made >> 8)}, Index: 0}
	w.view.coins[outpoint] = Coin{Value: value, Script: script, Height: 100}
	return outpoint
}

// pay makes a transaction of open inputs.
func pay(version int32, ins []wire.OutPoint, outs ...*wire.TxOut) *wire.MsgTx {
	tx := wire.NewMsgTx(version)
	for _, in := range ins {
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: in, Sequence: wire.MaxTxInSequenceNum, Witness: wire.TxWitness{trueScript}})
	}
	for _, out := range outs {
		tx.AddTxOut(out)
	}
	return tx
}

func to(value int64) *wire.TxOut { return wire.NewTxOut(value, open) }

func of(tx *wire.MsgTx, index uint32) wire.OutPoint {
	return wire.OutPoint{Hash: tx.TxHash(), Index: index}
}

func from(ins ...wire.OutPoint) []wire.OutPoint { return ins }

// enter puts transactions into the pool that must be fine.
func (w *world) enter(txs ...*wire.MsgTx) {
	w.t.Helper()
	for _, tx := range txs {
		if v := w.pool.Submit(tx); !v.Accepted {
			w.t.Fatalf("mempool before: %v", v.Err())
		}
	}
}

// ownCase is a submission that stands or falls with one rule.
type ownCase struct {
	rule Rule
	name string
	make func(w *world) []*wire.MsgTx
	// reason is what the rule says when it is on; empty for a permission, which accepts.
	reason string
	// worded means that another rule refuses as well, with other words, when this one is off.
	worded bool
}

func ownCases() []ownCase {
	one := func(f func(w *world) *wire.MsgTx) func(w *world) []*wire.MsgTx {
		return func(w *world) []*wire.MsgTx { return []*wire.MsgTx{f(w)} }
	}
	return []ownCase{
		{rule: PackageTopology, name: "two strangers", reason: messageTopology, make: func(w *world) []*wire.MsgTx {
			return []*wire.MsgTx{
				pay(2, from(w.coin(10_000, open)), to(9_000)),
				pay(2, from(w.coin(10_000, open)), to(9_000)),
			}
		}},
		{rule: Sanity, name: "no outputs", reason: "bad-txns", make: one(func(w *world) *wire.MsgTx {
			return pay(2, from(w.coin(10_000, open), w.coin(10_000, open)))
		})},
		{rule: Version, name: "version 4", reason: "version", make: one(func(w *world) *wire.MsgTx {
			return pay(4, from(w.coin(10_000, open)), to(9_000))
		})},
		{rule: Weight, name: "402,000 weight units", reason: "tx-size", make: one(func(w *world) *wire.MsgTx {
			outs := make([]*wire.TxOut, 2_340)
			for i := range outs {
				outs[i] = to(1_000)
			}
			return pay(2, from(w.coin(3_000_000, open)), outs...)
		})},
		{rule: ScriptSig, name: "an operation before the signature", reason: "scriptsig-not-pushonly", make: one(spendPubKey)},
		{rule: OutputScript, name: "bare OP_TRUE", reason: "scriptpubkey", make: one(func(w *world) *wire.MsgTx {
			return pay(2, from(w.coin(10_000, open)), to(5_000), wire.NewTxOut(4_000, trueScript))
		})},
		{rule: MinimumSize, name: "64 bytes", reason: "tx-size-small", make: one(func(w *world) *wire.MsgTx {
			return pay(2, from(w.coin(10_000, open)), wire.NewTxOut(9_000, anchor))
		})},
		{rule: LockTime, name: "seconds not reached", reason: chain.ReasonNonFinal, make: one(func(w *world) *wire.MsgTx {
			tx := pay(2, from(w.coin(10_000, open)), to(9_000))
			tx.LockTime, tx.TxIn[0].Sequence = uint32(w.view.MedianTime(testTip).Unix()), 0xfffffffe
			return tx
		})},
		{rule: Duplicate, name: "in the pool", reason: chain.ReasonInMempool, worded: true, make: one(func(w *world) *wire.MsgTx {
			tx := pay(2, from(w.coin(10_000, open)), to(9_000))
			w.enter(tx)
			return tx
		})},
		{rule: Duplicate, name: "in the chain", reason: chain.ReasonAlreadyKnown, worded: true, make: one(func(w *world) *wire.MsgTx {
			tx := pay(2, from(wire.OutPoint{Hash: chainhash.Hash{9}}), to(9_000))
			w.view.coins[of(tx, 0)] = Coin{Value: 9_000, Script: open, Height: 900}
			return tx
		})},
		{rule: Replacement, name: "higher fee, without signalling", make: one(func(w *world) *wire.MsgTx {
			coin := w.coin(10_000, open)
			w.enter(pay(2, from(coin), to(9_000)))
			return pay(2, from(coin), to(8_000))
		})},
		{rule: MissingInputs, name: "one of two", reason: chain.ReasonMissingInputs, make: one(func(w *world) *wire.MsgTx {
			return pay(2, from(w.coin(10_000, open), wire.OutPoint{Hash: chainhash.Hash{9}}), to(9_000))
		})},
		{rule: RelativeLock, name: "512 seconds", reason: chain.ReasonNonBIP68Final, make: one(func(w *world) *wire.MsgTx {
			coin := w.coin(10_000, open)
			w.view.coins[coin] = Coin{Value: 10_000, Script: open, Height: testTip}
			tx := pay(2, from(coin), to(9_000))
			tx.TxIn[0].Sequence = wire.SequenceLockTimeIsSeconds | 2
			return tx
		})},
		{rule: CoinbaseMaturity, name: "99 deep", reason: chain.ReasonImmatureCoinbase, make: one(func(w *world) *wire.MsgTx {
			coin := w.coin(10_000, open)
			w.view.coins[coin] = Coin{Value: 10_000, Script: open, Height: testTip - 98, Coinbase: true}
			return pay(2, from(coin), to(9_000))
		})},
		{rule: Amounts, name: "parent creates coins, child pays", reason: "bad-txns-in-belowout", make: func(w *world) []*wire.MsgTx {
			parent := pay(3, from(w.coin(10_000, open)), to(10_001))
			return []*wire.MsgTx{parent, pay(3, from(of(parent, 0)), to(5_000))}
		}},
		{rule: InputScript, name: "bare OP_TRUE", reason: "bad-txns-nonstandard-inputs", make: one(func(w *world) *wire.MsgTx {
			tx := pay(2, from(w.coin(10_000, trueScript)), to(9_000))
			tx.TxIn[0].Witness = nil
			return tx
		})},
		{rule: AnchorWitness, name: "P2A with a witness", reason: "bad-witness-nonstandard", make: one(func(w *world) *wire.MsgTx {
			return pay(2, from(w.coin(10_000, anchor)), to(9_000))
		})},
		{rule: Witness, name: "item of 81 bytes", reason: "bad-witness-nonstandard", make: one(func(w *world) *wire.MsgTx {
			drop := []byte{txscript.OP_DROP, txscript.OP_TRUE}
			tx := pay(2, from(w.coin(10_000, lock(drop...))), to(9_000))
			tx.TxIn[0].Witness = wire.TxWitness{make([]byte, 81), drop}
			return tx
		})},
		{rule: SigOps, name: "201 bare multisig outputs", reason: "bad-txns-too-many-sigops", make: one(func(w *world) *wire.MsgTx {
			outs := make([]*wire.TxOut, 201)
			for i := range outs {
				outs[i] = wire.NewTxOut(1_000, bareMultiSig(w.t))
			}
			return pay(2, from(w.coin(1_000_000, open)), outs...)
		})},
		{rule: TRUCAncestors, name: "two unconfirmed parents", reason: chain.ReasonTRUC, make: one(func(w *world) *wire.MsgTx {
			a, b := pay(3, from(w.coin(10_000, open)), to(9_000)), pay(3, from(w.coin(10_000, open)), to(9_000))
			w.enter(a, b)
			return pay(3, from(of(a, 0), of(b, 0)), to(17_000))
		})},
		{rule: TRUCAncestors, name: "grandchild", reason: chain.ReasonTRUC, make: one(func(w *world) *wire.MsgTx {
			a := pay(3, from(w.coin(10_000, open)), to(9_000))
			b := pay(3, from(of(a, 0)), to(8_000))
			w.enter(a, b)
			return pay(3, from(of(b, 0)), to(7_000))
		})},
		{rule: TRUCDescendants, name: "second child that pays less", reason: chain.ReasonInsufficientFee + " (including sibling eviction)",
			make: one(func(w *world) *wire.MsgTx { return w.secondChild(2_000, 1_000) })},
		{rule: SiblingEviction, name: "second child that pays more", make: one(func(w *world) *wire.MsgTx {
			return w.secondChild(1_000, 3_000)
		})},
		{rule: MinRelayFee, name: "version 2 without fee", reason: chain.ReasonMinRelayFee, make: one(func(w *world) *wire.MsgTx {
			return pay(2, from(w.coin(10_000, open)), to(10_000))
		})},
		{rule: MinRelayFee, name: "package too cheap", reason: chain.ReasonMinRelayFee, make: func(w *world) []*wire.MsgTx {
			parent := pay(3, from(w.coin(10_000, open)), to(10_000))
			return []*wire.MsgTx{parent, pay(3, from(of(parent, 0)), to(9_985))}
		}},
		{rule: SpendsConflict, name: "evicts its own parent", reason: "bad-txns-spends-conflicting-tx", make: one(func(w *world) *wire.MsgTx {
			coin := w.coin(10_000, open)
			parent := pay(2, from(coin), to(9_000))
			w.enter(parent)
			return pay(2, from(coin, of(parent, 0)), to(9_000))
		})},
		{rule: PackageFeeRate, name: "zero-fee parent", make: func(w *world) []*wire.MsgTx {
			parent := pay(3, from(w.coin(10_000, open)), to(10_000))
			return []*wire.MsgTx{parent, pay(3, from(of(parent, 0)), to(9_000))}
		}},
		{rule: ReplacementCount, name: "101 clusters", reason: "too many potential replacements", make: one(func(w *world) *wire.MsgTx {
			var coins []wire.OutPoint
			for range maxConflictingClusters + 1 {
				coin := w.coin(10_000, open)
				w.enter(pay(2, from(coin), to(9_900)))
				coins = append(coins, coin)
			}
			return pay(2, coins, to(10_000))
		})},
		{rule: ReplacementFee, name: "one sat less", reason: chain.ReasonInsufficientFee, worded: true,
			make: one(func(w *world) *wire.MsgTx { return w.replacement(2_000, 1_999) })},
		{rule: ReplacementRelay, name: "one sat more", reason: chain.ReasonInsufficientFee,
			make: one(func(w *world) *wire.MsgTx { return w.replacement(2_000, 2_001) })},
		{rule: ReplacementDiagram, name: "more fee at a lower rate", reason: chain.ReasonInsufficientFee, make: one(func(w *world) *wire.MsgTx {
			coin := w.coin(1_000_000, open)
			w.enter(pay(2, from(coin), to(995_000)))
			outs := make([]*wire.TxOut, 100)
			for i := range outs {
				outs[i] = to(9_940)
			}
			return pay(2, from(coin), outs...)
		})},
		{rule: ClusterLimit, name: "65th in a row", reason: "too-large-cluster", make: one(func(w *world) *wire.MsgTx {
			tx := pay(2, from(w.coin(1_000_000, open)), to(999_000))
			for range maxClusterCount {
				w.enter(tx)
				tx = pay(2, from(of(tx, 0)), to(tx.TxOut[0].Value-1_000))
			}
			return tx
		})},
		{rule: PackageReplacement, name: "parent and child together", make: func(w *world) []*wire.MsgTx {
			coin := w.coin(10_000, open)
			w.enter(pay(3, from(coin), to(9_000)))
			parent := pay(3, from(coin), to(10_000))
			return []*wire.MsgTx{parent, pay(3, from(of(parent, 0)), to(8_000))}
		}},
		{rule: PackageReplacementAncestors, name: "child with another unconfirmed parent", reason: chain.ReasonPackageRBF,
			make: func(w *world) []*wire.MsgTx {
				coin := w.coin(10_000, open)
				other := pay(2, from(w.coin(10_000, open)), to(9_000))
				w.enter(pay(2, from(coin), to(9_000)), other)
				parent := pay(2, from(coin), to(9_500))
				return []*wire.MsgTx{parent, pay(2, from(of(parent, 0), of(other, 0)), to(10_000))}
			}},
		{rule: PackageReplacementRate, name: "child lowers the rate", reason: chain.ReasonPackageRBF, make: func(w *world) []*wire.MsgTx {
			coin := w.coin(100_000, open)
			outs := make([]*wire.TxOut, 25)
			for i := range outs {
				outs[i] = to(3_940) // fee 1,500 for about 1,150 virtual bytes
			}
			w.enter(pay(2, from(coin), outs...))
			parent := pay(2, from(coin), to(99_000))
			return []*wire.MsgTx{parent, pay(2, from(of(parent, 0)), to(49_000), to(49_300))}
		}},
		{rule: Script, name: "script says no", reason: chain.ReasonScript, make: one(func(w *world) *wire.MsgTx {
			no := []byte{txscript.OP_FALSE}
			tx := pay(2, from(w.coin(10_000, lock(no...))), to(9_000))
			tx.TxIn[0].Witness = wire.TxWitness{no}
			return tx
		})},
	}
}

// secondChild has a parent with one child in the pool, and makes another child.
func (w *world) secondChild(firstFee, secondFee int64) *wire.MsgTx {
	parent := pay(3, from(w.coin(21_000, open)), to(10_000), to(10_000))
	w.enter(parent, pay(3, from(of(parent, 0)), to(10_000-firstFee)))
	return pay(3, from(of(parent, 1)), to(10_000-secondFee))
}

// replacement has a transaction in the pool, and makes another of the same size.
func (w *world) replacement(oldFee, newFee int64) *wire.MsgTx {
	coin := w.coin(10_000, open)
	w.enter(pay(2, from(coin), to(10_000-oldFee)))
	return pay(2, from(coin), to(10_000-newFee))
}

// spendPubKey spends a P2PK coin with OP_NOP in front of the signature.
func spendPubKey(w *world) *wire.MsgTx {
	key, public := btcec.PrivKeyFromBytes([]byte{7})
	script, err := txscript.NewScriptBuilder().AddData(public.SerializeCompressed()).AddOp(txscript.OP_CHECKSIG).Script()
	if err != nil {
		w.t.Fatal(err)
	}
	tx := pay(2, from(w.coin(10_000, script)), to(9_000))
	tx.TxIn[0].Witness = nil
	signature, err := txscript.RawTxInSignature(tx, 0, script, txscript.SigHashAll, key)
	if err != nil {
		w.t.Fatal(err)
	}
	tx.TxIn[0].SignatureScript, err = txscript.NewScriptBuilder().AddOp(txscript.OP_NOP).AddData(signature).Script()
	if err != nil {
		w.t.Fatal(err)
	}
	return tx
}

func bareMultiSig(t *testing.T) []byte {
	t.Helper()
	_, public := btcec.PrivKeyFromBytes([]byte{7})
	raw := public.SerializeCompressed()
	script, err := txscript.NewScriptBuilder().AddOp(txscript.OP_1).AddData(raw).AddData(raw).AddData(raw).
		AddOp(txscript.OP_3).AddOp(txscript.OP_CHECKMULTISIG).Script()
	if err != nil {
		t.Fatal(err)
	}
	return script
}

// TestOwnCases runs each case with all rules and without its rule.
func TestOwnCases(t *testing.T) {
	for _, test := range ownCases() {
		t.Run(test.rule.String()+"/"+test.name, func(t *testing.T) {
			on := newWorld(t)
			with := on.pool.Submit(test.make(on)...)
			off := newWorld(t)
			txs := test.make(off)
			off.pool.rules = Rules{}.Without(test.rule)
			without := off.pool.Submit(txs...)

			if with.Accepted != (test.reason == "") {
				t.Fatalf("with the rule: %v", with.Err())
			}
			if with.Err() != nil {
				if !chain.IsRejection(with.Err(), test.reason) {
					t.Errorf("with the rule: %v, want %s", with.Err(), test.reason)
				}
				if with.Rule() != test.rule && test.rule != TRUCDescendants {
					t.Errorf("rule %v decided, want %v", with.Rule(), test.rule)
				}
			}
			switch {
			case test.worded:
				if without.Accepted || without.Rule() == test.rule || without.Err().Error() == with.Err().Error() {
					t.Errorf("without the rule: %v, want other words", without.Err())
				}
			case without.Accepted == with.Accepted:
				t.Errorf("without the rule: %v, no different", without.Err())
			}
		})
	}
}

// TestEveryRuleHasAMutant switches each rule off and wants a case, recorded or own, to end differently: accepted where it was
// refused or the other way round, except for the rules that others back up in other words.
func TestEveryRuleHasAMutant(t *testing.T) {
	own := make(map[Rule]bool)
	for _, test := range ownCases() { // TestOwnCases shows that these flip
		own[test.rule] = true
	}
	cases := loadRecorded(t)
	var table strings.Builder
	for _, rule := range AllRules() {
		var flipped []string
		for _, r := range cases {
			if r.run(t, Rules{}.Without(rule)).Accepted != r.Verdict.Accepted {
				flipped = append(flipped, r.Name)
			}
		}
		fmt.Fprintf(&table, "%-30s own case %-5v recorded %v\n", rule, own[rule], flipped)
		if !own[rule] && len(flipped) == 0 {
			t.Errorf("no case needs rule %v", rule)
		}
	}
	t.Log("\n" + table.String())
}

// TestRuleNames are unique kebab-case ids.
func TestRuleNames(t *testing.T) {
	var names []string
	for _, rule := range AllRules() {
		name := rule.String()
		if name == "" || name != strings.ToLower(name) || slices.Contains(names, name) {
			t.Errorf("rule %d has the name %q", rule, name)
		}
		names = append(names, name)
	}
	if Rule(200).String() != "unknown-rule" {
		t.Error("a rule out of range has a name")
	}
}
