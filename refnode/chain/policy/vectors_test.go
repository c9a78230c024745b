package policy

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
	"github.com/google/go-cmp/cmp"

	"superscalar/refnode/chain"
)

// recorded is a case of core-policy.json.
type recorded struct {
	Name      string       `json:"name"`
	TipHeight chain.Height `json:"tip_height"`
	Confirmed []struct {
		Txid     string         `json:"txid"`
		Vout     uint32         `json:"vout"`
		Sat      btcutil.Amount `json:"sat"`
		Script   string         `json:"script_pubkey"`
		Height   chain.Height   `json:"height"`
		Coinbase bool           `json:"coinbase"`
	} `json:"confirmed_utxos"`
	Mempool []string `json:"mempool_before"`
	Submit  []string `json:"submit"`
	VSizes  []int64  `json:"vsizes"`
	Verdict struct {
		Accepted   bool        `json:"accepted"`
		Reason     string      `json:"reason"`
		Details    string      `json:"details"`
		PackageMsg string      `json:"package_msg"`
		TxErrors   [][2]string `json:"tx_errors"`
		Replaced   []string    `json:"replaced"`
	} `json:"verdict"`
}

// fakeView is a chain that consists of its coins.
type fakeView struct {
	tip   chain.Height
	coins map[wire.OutPoint]Coin
}

func (v *fakeView) Coin(o wire.OutPoint) (Coin, bool) { c, ok := v.coins[o]; return c, ok }
func (v *fakeView) Height() chain.Height              { return v.tip }
func (v *fakeView) MedianTime(h chain.Height) time.Time {
	return time.Unix(1_600_000_000+600*int64(h), 0)
}

func loadRecorded(t *testing.T) []recorded {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "core-policy.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []recorded }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file.Cases
}

func decodeTx(t *testing.T, text string) *wire.MsgTx {
	t.Helper()
	raw, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	tx := new(wire.MsgTx)
	if err := tx.Deserialize(bytes.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
	return tx
}

// prepare builds the pool a case starts from. The mempool before is entered as the recording node had accepted it: one
// transaction at a time, or together with the next where it does not pay for itself.
func (r recorded) prepare(t *testing.T, rules Rules) *Pool {
	t.Helper()
	view := &fakeView{tip: r.TipHeight, coins: make(map[wire.OutPoint]Coin)}
	for _, u := range r.Confirmed {
		hash, err := chainhash.NewHashFromStr(u.Txid)
		if err != nil {
			t.Fatal(err)
		}
		script, err := hex.DecodeString(u.Script)
		if err != nil {
			t.Fatal(err)
		}
		view.coins[wire.OutPoint{Hash: *hash, Index: u.Vout}] = Coin{Value: u.Sat, Script: script, Height: u.Height, Coinbase: u.Coinbase}
	}
	pool := New(view, Rules{})
	var before []*wire.MsgTx
	for _, text := range r.Mempool {
		before = append(before, decodeTx(t, text))
	}
	var parents []*wire.MsgTx
	for _, tx := range before {
		if v := pool.Submit(append(slices.Clone(parents), tx)...); v.Accepted {
			parents = nil
		} else if v.Rule() == MinRelayFee {
			parents = append(parents, tx)
		} else if v := pool.Submit(tx); !v.Accepted {
			t.Fatalf("mempool before: %v", v.Err())
		}
	}
	if pool.Len() != len(before) {
		t.Fatalf("mempool before has %d transactions, entered %d", len(before), pool.Len())
	}
	pool.rules = rules
	return pool
}

func (r recorded) run(t *testing.T, rules Rules) Verdict {
	t.Helper()
	pool := r.prepare(t, rules)
	var txs []*wire.MsgTx
	for _, text := range r.Submit {
		txs = append(txs, decodeTx(t, text))
	}
	return pool.Submit(txs...)
}

// TestRecordedVerdicts compares every word with what Bitcoin Core said.
func TestRecordedVerdicts(t *testing.T) {
	cases := loadRecorded(t)
	if len(cases) != 28 {
		t.Fatalf("%d cases, want 28", len(cases))
	}
	for _, r := range cases {
		t.Run(r.Name, func(t *testing.T) {
			got := r.run(t, Rules{})
			want := r.Verdict
			if got.Accepted != want.Accepted {
				t.Fatalf("accepted is %v, want %v: %v", got.Accepted, want.Accepted, got.Err())
			}
			if (got.Err() == nil) != want.Accepted {
				t.Errorf("error is %v", got.Err())
			}
			message := want.PackageMsg
			if len(r.Submit) == 1 || message == "" {
				message = strings.TrimPrefix(want.Reason, "rpc: error code: -25 error message: ")
			}
			if got.Message != message {
				t.Errorf("message %q\nwant    %q", got.Message, message)
			}
			if want.Details != "" && (len(got.Errors) != 1 || got.Errors[0].Text != want.Details) {
				t.Errorf("details %+v\nwant %q", got.Errors, want.Details)
			}
			if len(r.Submit) > 1 {
				compareErrors(t, got.Errors, want.TxErrors)
			}
			if want.Replaced != nil {
				var replaced []string
				for _, id := range got.Replaced {
					replaced = append(replaced, id.String())
				}
				if diff := cmp.Diff(want.Replaced, replaced); diff != "" {
					t.Errorf("replaced (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func compareErrors(t *testing.T, got []TxError, want [][2]string) {
	t.Helper()
	var list [][2]string
	for _, e := range got {
		list = append(list, [2]string{e.Txid.String(), e.Text})
	}
	if len(list) == 0 && len(want) == 0 {
		return
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("errors of transactions (-want +got):\n%s", diff)
	}
}

// TestRecordedSizes compares the virtual sizes.
func TestRecordedSizes(t *testing.T) {
	for _, r := range loadRecorded(t) {
		t.Run(r.Name, func(t *testing.T) {
			pool := r.prepare(t, Rules{})
			var pkg []*candidate
			for i, text := range r.Submit {
				tx := decodeTx(t, text)
				c := &candidate{tx: tx, txid: tx.TxHash(), weight: int64(3*tx.SerializeSizeStripped() + tx.SerializeSize())}
				if f := pool.findCoins(c, pkg); f != nil {
					t.Fatal(f.text())
				}
				if f := pool.checkSize(c); f != nil {
					t.Fatal(f.text())
				}
				if c.vsize != r.VSizes[i] {
					t.Errorf("transaction %d has %d virtual bytes, want %d", i, c.vsize, r.VSizes[i])
				}
				pkg = append(pkg, c)
			}
		})
	}
}
