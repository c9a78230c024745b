package chainserver

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/chain/chaintest"
	"superscalar/refnode/chain/corerpc"
	"superscalar/refnode/chain/embedded"
)

// binaryVar names a bitcoind, version 30 or later. Without it there is no row for it.
const binaryVar = "BITCOIND"

// startLimit bounds the start of a bitcoind.
const startLimit = 30 * time.Second

// coreChain mines and funds with a bitcoind process.
type coreChain struct {
	*corerpc.Client
	key    *btcec.PrivateKey
	script []byte
	coins  []*wire.MsgTx // coinbases that pay to key, oldest first
	used   int
}

// bitcoinds are the rows for the bitcoind at hand, none or one.
func bitcoinds() []chaintest.Backend {
	program := os.Getenv(binaryVar)
	if program == "" {
		return nil
	}
	return []chaintest.Backend{{Name: "bitcoind", Open: func(t *testing.T) chaintest.Chain { return newCoreChain(t, program) }}}
}

func newCoreChain(t *testing.T, program string) *coreChain {
	t.Helper()
	key, public := btcec.PrivKeyFromBytes([]byte("superscalar/bitcoind"))
	script, err := txscript.PayToTaprootScript(txscript.ComputeTaprootKeyNoScript(public))
	if err != nil {
		t.Fatal(err)
	}
	c := &coreChain{Client: launchCore(t, program), key: key, script: script}
	if _, err := c.Mine(embedded.ActivationBlocks); err != nil {
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

// launchCore starts a bitcoind that listens on loopback for RPC only, and connects to it.
func launchCore(t *testing.T, program string) *corerpc.Client {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address, dir := listener.Addr().String(), t.TempDir()
	listener.Close()
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.Command(program, "-regtest", "-server", "-listen=0", "-dnsseed=0", "-disablewallet", "-printtoconsole=0", "-datadir="+dir,
		"-rpcport="+port, "-rpcbind=127.0.0.1", "-rpcallowip=127.0.0.1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // the folder goes with it: nothing has to be saved
		_ = cmd.Wait()
	})
	options := corerpc.Options{Address: address, CookieFile: filepath.Join(dir, "regtest", ".cookie"), Params: &chaincfg.RegressionNetParams, Poll: 10 * time.Millisecond}
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		client, err := corerpc.New(ctx, options)
		if err == nil {
			t.Cleanup(func() { client.Close() })
			return client
		}
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-tick.C:
		}
	}
}

// Mine pays to the faucet.
func (c *coreChain) Mine(n uint32) ([]chain.BlockID, error) {
	before, err := c.Tip(context.Background())
	if err != nil {
		return nil, err
	}
	var hashes []string
	if err := c.Call(context.Background(), "generatetodescriptor", &hashes, n, fmt.Sprintf("raw(%x)", c.script)); err != nil {
		return nil, err
	}
	var blocks []chain.BlockID
	for i, text := range hashes {
		hash, err := chainhash.NewHashFromStr(text)
		if err != nil {
			return nil, err
		}
		blocks = append(blocks, chain.BlockID{Height: before.Height + chain.Height(i) + 1, Hash: *hash})
	}
	return blocks, nil
}

// Reorg pays to nobody, so that no block of the branch can equal one that it replaces.
func (c *coreChain) Reorg(depth uint32, branch ...[]*wire.MsgTx) error {
	tip, err := c.Tip(context.Background())
	if err != nil {
		return err
	}
	var lowest string
	if err := c.Call(context.Background(), "getblockhash", &lowest, tip.Height-chain.Height(depth)+1); err != nil {
		return err
	}
	if err := c.Call(context.Background(), "invalidateblock", nil, lowest); err != nil {
		return err
	}
	for i := range max(int(depth)+1, len(branch)) {
		raws := []string{}
		if i < len(branch) {
			raws = txHexes(branch[i])
		}
		if err := c.Call(context.Background(), "generateblock", nil, "raw(51)", raws); err != nil {
			return err
		}
	}
	return nil
}

// FundOutputs spends the next old coinbase; what is left pays the faucet, and a fee.
func (c *coreChain) FundOutputs(outs ...*wire.TxOut) (*wire.MsgTx, error) {
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
	hashes := txscript.NewTxSigHashes(tx, txscript.NewCannedPrevOutputFetcher(spent.PkScript, spent.Value))
	signature, err := txscript.RawTxInTaprootSignature(tx, hashes, 0, spent.Value, spent.PkScript, nil, txscript.SigHashDefault, c.key)
	if err != nil {
		return nil, err
	}
	tx.TxIn[0].Witness = wire.TxWitness{signature}
	return tx, c.Submit(context.Background(), chain.Package{tx})
}
