package lnd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/chain/btcdrpc"
	"superscalar/refnode/chain/chaintest"
	"superscalar/refnode/chain/corerpc"
)

// binaryVar names a btcd of BTCDVersion, such as the one that Build makes. Without it the tests of the backend have no rows.
const binaryVar = "BTCD"

// btcdChain mines and funds with a btcd process.
type btcdChain struct {
	*btcdrpc.Client
	t     *testing.T
	key   *btcec.PrivateKey
	coins []*wire.MsgTx // coinbases that pay to key, oldest first
	used  int
}

func newBTCDChain(t *testing.T, program string, direct bool) *btcdChain {
	t.Helper()
	key, public := btcec.PrivKeyFromBytes([]byte("superscalar/btcd/faucet"))
	output := txscript.ComputeTaprootKeyNoScript(public)
	address, err := btcutil.NewAddressTaproot(schnorr.SerializePubKey(output), &chaincfg.RegressionNetParams)
	if err != nil {
		t.Fatal(err)
	}
	reward, err := txscript.PayToTaprootScript(output)
	if err != nil {
		t.Fatal(err)
	}
	options := corerpc.Options{User: "superscalar", Password: rand.Text(), Params: &chaincfg.RegressionNetParams, Poll: 10 * time.Millisecond}
	p := launchPlain(t, program, &options, address.EncodeAddress())
	c := &btcdChain{t: t, key: key}
	err = await(t.Context(), "btcd answers", []*process{p}, func() (err error) {
		c.Client, err = btcdrpc.New(t.Context(), btcdrpc.Options{Options: options, MineDirectly: direct, Reward: reward})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := c.Mine(startBlocks); err != nil {
		t.Fatal(err)
	}
	err = chain.Follow(t.Context(), c, chain.BlockID{}, func(u chain.Update) error {
		for _, block := range u.Connected {
			if block.Height > 0 {
				c.coins = append(c.coins, block.Transactions[0])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// launchPlain starts a btcd without encryption, as package btcdrpc wants it.
func launchPlain(t *testing.T, program string, options *corerpc.Options, address string) *process {
	t.Helper()
	ports, err := freePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	options.Address = ports[0]
	dir := t.TempDir()
	config := filepath.Join(dir, "btcd.conf")
	text := fmt.Sprintf("[Application Options]\nrpcuser=%s\nrpcpass=%s\n", options.User, options.Password)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--configfile="+config, "--regtest", "--datadir="+filepath.Join(dir, "data"), "--logdir="+filepath.Join(dir, "logs"),
		"--notls", "--rpclisten="+options.Address, "--nolisten", "--nodnsseed", "--txindex", "--miningaddr="+address)
	cmd.Env = childEnv(dir)
	p, err := launch("btcd", cmd, filepath.Join(dir, "btcd.out"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.stop(stopGrace); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (c *btcdChain) Mine(n uint32) ([]chain.BlockID, error) {
	before, err := c.Tip(context.Background())
	if err != nil {
		return nil, err
	}
	if err := c.Call(context.Background(), "generate", nil, n); err != nil {
		return nil, err
	}
	var blocks []chain.BlockID
	err = chain.Follow(context.Background(), c, before, func(u chain.Update) error {
		for _, block := range u.Connected {
			blocks = append(blocks, block.BlockID)
		}
		return nil
	})
	return blocks, err
}

func (c *btcdChain) Reorg(depth uint32, branch ...[]*wire.MsgTx) error {
	tip, err := c.Tip(context.Background())
	if err != nil {
		return err
	}
	var at chain.BlockID
	at.Height = tip.Height - chain.Height(depth)
	var text string
	if err := c.Call(context.Background(), "getblockhash", &text, at.Height); err != nil {
		return err
	}
	if err := at.Hash.UnmarshalJSON([]byte(`"` + text + `"`)); err != nil {
		return err
	}
	for i := range max(int(depth)+1, len(branch)) {
		var txs []*wire.MsgTx
		if i < len(branch) {
			txs = branch[i]
		}
		if at, err = c.MineOn(context.Background(), at, txs...); err != nil {
			return err
		}
	}
	return nil
}

// FundOutputs spends the next old coinbase; what is left pays the faucet, and a fee.
func (c *btcdChain) FundOutputs(outs ...*wire.TxOut) (*wire.MsgTx, error) {
	const fee = 10_000
	from := c.coins[c.used]
	c.used++
	spent := from.TxOut[0]
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: from.TxHash()}, nil, nil))
	change := spent.Value - fee
	for _, out := range outs {
		tx.AddTxOut(out)
		change -= out.Value
	}
	tx.AddTxOut(wire.NewTxOut(change, spent.PkScript))
	fetcher := txscript.NewCannedPrevOutputFetcher(spent.PkScript, spent.Value)
	hashes := txscript.NewTxSigHashes(tx, fetcher)
	signature, err := txscript.RawTxInTaprootSignature(tx, hashes, 0, spent.Value, spent.PkScript, nil, txscript.SigHashDefault, c.key)
	if err != nil {
		return nil, err
	}
	tx.TxIn[0].Witness = wire.TxWitness{signature}
	return tx, c.Submit(context.Background(), chain.Package{tx})
}

// programs are the btcd programs at hand, none or one.
func programs() []string {
	if program := os.Getenv(binaryVar); program != "" {
		return []string{program}
	}
	return nil
}

func TestBTCDBackend(t *testing.T) {
	for _, program := range programs() {
		chaintest.Run(t, chaintest.Backend{Name: "btcd", NoPackages: true,
			Open: func(t *testing.T) chaintest.Chain { return newBTCDChain(t, program, false) }})
	}
}

// TestBTCDPackages mines a zero-fee parent and its child, which btcd cannot relay.
func TestBTCDPackages(t *testing.T) {
	anchor := []byte{txscript.OP_1, txscript.OP_DATA_2, 0x4e, 0x73}
	anyone := []byte{txscript.OP_TRUE}
	for _, program := range programs() {
		for _, direct := range []bool{false, true} {
			c := newBTCDChain(t, program, direct)
			funding, err := c.FundOutputs(wire.NewTxOut(100_000, anyone))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Mine(1); err != nil {
				t.Fatal(err)
			}
			parent, child := wire.NewMsgTx(3), wire.NewMsgTx(3)
			parent.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: funding.TxHash()}, nil, nil))
			parent.AddTxOut(wire.NewTxOut(100_000, anyone))
			parent.AddTxOut(wire.NewTxOut(0, anchor))
			child.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: parent.TxHash(), Index: 1}, nil, nil))
			child.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: parent.TxHash(), Index: 0}, nil, nil))
			child.AddTxOut(wire.NewTxOut(90_000, anyone))
			greedy := child.Copy()
			greedy.TxOut[0].Value = 110_000

			err = c.Submit(t.Context(), chain.Package{parent, child})
			if !direct {
				if !errors.Is(err, btcdrpc.ErrNoPackages) {
					t.Errorf("got %v", err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, found, err := c.Transaction(t.Context(), child.TxHash()); err != nil || !found || !got.Confirmed {
				t.Errorf("child: %+v, %v, %v", got, found, err)
			}
			var refused *chain.Rejection
			if err := c.Submit(t.Context(), chain.Package{parent, greedy}); !errors.As(err, &refused) {
				t.Errorf("coins out of nothing: %v", err)
			}
		}
	}
}
