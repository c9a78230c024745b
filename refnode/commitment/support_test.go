package commitment

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/factory"
)

// testKey is a private key made of a name.
func testKey(name string) *btcec.PrivateKey {
	sum := sha256.Sum256([]byte(name))
	key, _ := btcec.PrivKeyFromBytes(sum[:])

	return key
}

func testSecrets(name string) *Secrets {
	return &Secrets{
		Revocation: testKey(name + " revocation"), Payment: testKey(name + " payment"),
		Delayed: testKey(name + " delayed"), HTLC: testKey(name + " htlc"),
	}
}

// pair is a channel of which both sides are known.
type pair struct {
	Params
	Secrets [2]*Secrets
	Seeds   [2]Seed
	Keys    [2]*btcec.PrivateKey
	Fund    Funding
}

func newPair(t Type, value Sat) *pair {
	p := &pair{
		Params: Params{Type: t, DustLimit: [2]Sat{546, 354}, Delay: [2]uint16{144, 720}},
		Fund:   Funding{Outpoint: btcwire.OutPoint{Hash: sha256.Sum256([]byte("funding")), Index: 1}, Value: value},
	}
	for side := range p.Secrets {
		name := Side(side).String()
		p.Secrets[side] = testSecrets(name)
		p.Basepoints[side] = p.Secrets[side].Basepoints()
		p.Seeds[side] = sha256.Sum256([]byte(name))
		p.Keys[side] = testKey(name + " funding")
		p.Fund.Keys[side] = p.Keys[side].PubKey()
	}

	return p
}

// commitment builds the owner's commitment of a state.
func (p *pair) commitment(t testing.TB, owner Side, s State) *Commitment {
	t.Helper()
	point, err := p.Seeds[owner].Point(s.Number)
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.Build(owner, &p.Fund, &s, point)
	if err != nil {
		t.Fatal(err)
	}

	return c
}

// preimageOf is the preimage of test HTLC i, paymentHash its hash.
func preimageOf(i uint64) [32]byte { return sha256.Sum256(fmt.Append(nil, "preimage ", i)) }

func paymentHash(i uint64) [32]byte {
	preimage := preimageOf(i)

	return sha256.Sum256(preimage[:])
}

// execute runs the scripts of every input of tx with the flags of policy.
func execute(tx *btcwire.MsgTx, spent map[btcwire.OutPoint]*btcwire.TxOut) error {
	fetcher := txscript.NewMultiPrevOutFetcher(spent)
	hashes := txscript.NewTxSigHashes(tx, fetcher)
	for i, in := range tx.TxIn {
		out := spent[in.PreviousOutPoint]
		if out == nil {
			return fmt.Errorf("input %d spends %s, which is not there", i, in.PreviousOutPoint)
		}
		if bytes.Equal(out.PkScript, factory.AnchorScript()) && len(in.Witness) == 0 {
			continue // this engine does not know P2A: the chain's does
		}
		engine, err := txscript.NewEngine(out.PkScript, tx, i, txscript.StandardVerifyFlags, nil, hashes, out.Value, fetcher)
		if err == nil {
			err = engine.Execute()
		}
		if err != nil {
			return fmt.Errorf("input %d: %w", i, err)
		}
	}

	return nil
}

// outputsOf adds the outputs of a transaction to those that can be spent.
func outputsOf(spent map[btcwire.OutPoint]*btcwire.TxOut, tx *btcwire.MsgTx) {
	txid := tx.TxHash()
	for i, out := range tx.TxOut {
		spent[btcwire.OutPoint{Hash: txid, Index: uint32(i)}] = out
	}
}

func rawTx(t testing.TB, tx *btcwire.MsgTx) string {
	t.Helper()
	var b bytes.Buffer
	if err := tx.Serialize(&b); err != nil {
		t.Fatal(err)
	}

	return hex.EncodeToString(b.Bytes())
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}

	return b
}

func readJSON(t testing.TB, file string, to any) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(b, to)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func parseHash(t testing.TB, s string) chainhash.Hash {
	t.Helper()
	hash, err := chainhash.NewHashFromStr(s)
	if err != nil {
		t.Fatal(err)
	}

	return *hash
}
