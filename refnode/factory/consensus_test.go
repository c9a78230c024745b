package factory_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/factory"
	"superscalar/refnode/musig"
)

// random is seeded: tests sign the same in every run.
func random() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{7}) }

// sign signs with the keys of all participants.
func sign(t fataler, tx *factory.Tx) *wire.MsgTx {
	t.Helper()
	if tx.Spends == factory.SpendChannel {
		return signChannel(t, tx)
	}
	var keys []*musig.SecretKey
	for i := range int(tx.Signers.Count) {
		keys = append(keys, must(musig.NewSecretKey(keyAt("client", int(tx.Signers.First)+i)))(t))
	}
	keys = append(keys, must(musig.NewSecretKey(keyAt("lsp", 0)))(t))
	var secrets []*musig.SecretNonce
	var publics []musig.PublicNonce
	source := random()
	for _, key := range keys {
		secret, public, err := musig.NonceGen(source, musig.NonceInput{SecretKey: key})
		if err != nil {
			t.Fatal(err)
		}
		secrets, publics = append(secrets, secret), append(publics, public)
	}
	session := must(musig.NewSession(tx.Key, must(musig.AggregateNonces(publics))(t), tx.Sighash))(t)
	var partials []musig.PartialSignature
	for i, key := range keys {
		partials = append(partials, must(session.Sign(secrets[i], key))(t))
	}
	signature := must(session.Combine(partials))(t)
	if err := session.Verify(signature); err != nil {
		t.Fatal(err)
	}

	return tx.Signed(signature)
}

func signChannel(t fataler, tx *factory.Tx) *wire.MsgTx {
	t.Helper()
	c := int(tx.Signers.First)
	var signatures [2][]byte
	for i, want := range tx.Channel.Keys {
		key := keyAt("channel", c)
		for generation := 0; !bytes.Equal(key.PubKey().SerializeCompressed(), want[:]); generation++ {
			key = keyAt(fmt.Sprint("lsp channel ", generation), 0)
		}
		signatures[i] = append(ecdsa.Sign(key, tx.Sighash[:]).Serialize(), byte(txscript.SigHashAll))
	}

	return must(tx.SignedChannel(signatures[0], signatures[1]))(t)
}

// validate runs the consensus rules of scripts over a signed transaction.
func validate(t fataler, tx *wire.MsgTx, prev wire.TxOut) {
	t.Helper()
	fetcher := txscript.NewCannedPrevOutputFetcher(prev.PkScript, prev.Value)
	engine, err := txscript.NewEngine(prev.PkScript, tx, 0, txscript.StandardVerifyFlags, nil,
		txscript.NewTxSigHashes(tx, fetcher), prev.Value, fetcher)
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.Execute(); err != nil {
		t.Fatal(err)
	}
}

// checkSigned signs a transaction, validates it, and compares its size with
// what the plan counts.
func checkSigned(t fataler, tx *factory.Tx) {
	t.Helper()
	signed := sign(t, tx)
	validate(t, signed, tx.PrevOut)
	weight := int64(3*signed.SerializeSizeStripped() + signed.SerializeSize())
	if weight > tx.Weight() || tx.Spends != factory.SpendChannel && weight != tx.Weight() {
		t.Fatal(tx.Kind, " weighs ", weight, ", not ", tx.Weight())
	}
}

func TestEveryTransactionIsValid(t *testing.T) {
	for _, shape := range []string{"kickoff 1 / dw 7", "static 2 / kickoff 1 / ps 2", "kickoff 1 / state 2 / kickoff 2 / ps 2"} {
		t.Run(shape, func(t *testing.T) {
			for _, tx := range everyTx(build(t, terms(t, 7, shapeOf(t, shape)))) {
				checkSigned(t, tx)
			}
		})
	}
}

// TestWrongSignatureIsInvalid makes sure that the engine looks.
func TestWrongSignatureIsInvalid(t *testing.T) {
	for _, tx := range everyTx(build(t, terms(t, 2, shapeOf(t, "kickoff 1 / ps 2")))) {
		signed := sign(t, tx)
		signed.TxOut[0].Value--
		fetcher := txscript.NewCannedPrevOutputFetcher(tx.PrevOut.PkScript, tx.PrevOut.Value)
		engine := must(txscript.NewEngine(tx.PrevOut.PkScript, signed, 0, txscript.StandardVerifyFlags, nil,
			txscript.NewTxSigHashes(signed, fetcher), tx.PrevOut.Value, fetcher))(t)
		if engine.Execute() == nil {
			t.Errorf("%s %s is valid with another amount", tx.Kind, tx.Node)
		}
	}
}

func TestNestedDistributionIsValid(t *testing.T) {
	root, _ := build(t, terms(t, 202, shapeOf(t, "static 101 / kickoff 1 / ps 2"))).Node(factory.NodeID{})
	checkSigned(t, root.Distribution)
	checkSigned(t, root.Nested[0])
}

// TestStockClaim spends a stock by its script path, as the LSP does, and fails
// to do so one block too early.
func TestStockClaim(t *testing.T) {
	for _, csv := range []uint16{144, 1008} {
		t.Run(fmt.Sprint(csv), func(t *testing.T) {
			te := terms(t, 3, shapeOf(t, "kickoff 1 / ps 3"))
			te.Params.StockCSV = csv
			te.Params.Expiry = must(te.Params.ExpiryFor(te.Shape))(t)
			tree := build(t, te)
			leaf, _ := tree.Node(factory.NodeID{Level: 1})
			prev := leaf.Stocks[0].Distribution.PrevOut
			validate(t, claim(t, tree, leaf.Stocks[0], uint32(csv)), prev)
			early := claim(t, tree, leaf.Stocks[0], uint32(csv)-1)
			fetcher := txscript.NewCannedPrevOutputFetcher(prev.PkScript, prev.Value)
			engine := must(txscript.NewEngine(prev.PkScript, early, 0, txscript.StandardVerifyFlags, nil,
				txscript.NewTxSigHashes(early, fetcher), prev.Value, fetcher))(t)
			if engine.Execute() == nil {
				t.Error("the claim is valid one block early")
			}
		})
	}
}

func claim(t *testing.T, tree *factory.Tree, stock *factory.Stock, sequence uint32) *wire.MsgTx {
	t.Helper()
	script, control, err := tree.Factory().StockClaim(stock.Owners)
	if err != nil {
		t.Fatal(err)
	}
	prev := stock.Distribution.PrevOut
	tx := &wire.MsgTx{
		Version: 2,
		TxIn:    []*wire.TxIn{{PreviousOutPoint: stock.Outpoint, Sequence: sequence}},
		TxOut:   []*wire.TxOut{{Value: prev.Value - 500, PkScript: prev.PkScript}},
	}
	fetcher := txscript.NewCannedPrevOutputFetcher(prev.PkScript, prev.Value)
	hash, err := txscript.CalcTapscriptSignaturehash(txscript.NewTxSigHashes(tx, fetcher), txscript.SigHashDefault, tx, 0,
		fetcher, txscript.NewBaseTapLeaf(script))
	if err != nil {
		t.Fatal(err)
	}
	signature := must(schnorr.Sign(keyAt("lsp", 0), hash))(t)
	tx.TxIn[0].Witness = wire.TxWitness{signature.Serialize(), script, control}

	return tx
}
