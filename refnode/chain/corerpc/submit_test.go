package corerpc

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

// policyCase is what is needed of a case of core-policy.json, which was recorded from Bitcoin Core 30.99.
type policyCase struct {
	Name    string   `json:"name"`
	Submit  []string `json:"submit"`
	Verdict struct {
		Accepted   bool        `json:"accepted"`
		Details    string      `json:"details"`
		PackageMsg string      `json:"package_msg"`
		TxErrors   [][2]string `json:"tx_errors"`
		Replaced   []string    `json:"replaced"`
	} `json:"verdict"`
}

// TestRecordedVerdicts answers with what Bitcoin Core said of each package, and asks which refusal the client makes of it.
func TestRecordedVerdicts(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "policy", "testdata", "core-policy.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []policyCase `json:"cases"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	type refusal struct {
		reason string
		index  int
	}
	want := map[string]refusal{
		"parent-alone":                    {chain.ReasonMinRelayFee, 0},
		"child-not-replaced-by-lower-fee": {chain.ReasonInsufficientFee, 0},
		"next-level-before-confirmation":  {chain.ReasonTRUC, 0},
		"child-leaves-dust":               {chain.ReasonUnspentDust, 1},
		"fee-and-dust":                    {chain.ReasonDust, 0},
		"v2-zero-fee-package":             {chain.ReasonMinRelayFee, 0},
		"v3-parent-v2-child":              {chain.ReasonTRUC, 1},
		"v2-parent-v3-child":              {chain.ReasonTRUC, 1},
		"child-too-large":                 {chain.ReasonTRUC, 1},
		"parent-too-large":                {chain.ReasonTRUC, 0},
		"two-dust-outputs":                {chain.ReasonDust, 0},
		"anchor-239-zero-fee-not-swept":   {chain.ReasonUnspentDust, 1},
		"relative-lock-too-early":         {chain.ReasonNonBIP68Final, 0},
		"relative-lock-one-early":         {chain.ReasonNonBIP68Final, 0},
		"state-package-with-lower-fee":    {chain.ReasonPackageRBF, 1},
		"locktime-too-early":              {chain.ReasonNonFinal, 0},
		"sibling-child-other-output":      {chain.ReasonUnspentDust, 0},
	}
	node := newNode(t)
	c := connect(t, node.options())
	for _, row := range file.Cases {
		if len(row.Submit) > 2 {
			continue // chain.Package holds no more
		}
		t.Run(row.Name, func(t *testing.T) {
			pkg := decodePackage(t, row.Submit)
			node.set("sendrawtransaction", singleAnswer(row, pkg))
			node.set("submitpackage", result(packageText(t, row, pkg)))
			err := c.Submit(t.Context(), pkg)
			refused, ok := want[row.Name]
			if row.Verdict.Accepted {
				if ok || err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			var r *chain.Rejection
			if !ok || !errors.As(err, &r) || r.Reason != refused.reason || r.Index != refused.index || r.Txid != pkg[refused.index].TxHash() {
				t.Errorf("got %+v, want %+v", err, refused)
			}
			if r != nil && strings.Contains(r.Reason, ",") {
				t.Errorf("reason with figures: %q", r.Reason)
			}
		})
	}
}

func decodePackage(t *testing.T, texts []string) chain.Package {
	t.Helper()
	var pkg chain.Package
	for _, text := range texts {
		pkg = append(pkg, mustTx(t, mustHex(t, text)))
	}
	return pkg
}

func singleAnswer(row policyCase, pkg chain.Package) handler {
	if row.Verdict.Accepted {
		return result(`"` + pkg[0].TxHash().String() + `"`)
	}
	return failure(-26, row.Verdict.Details)
}

// packageText writes an answer of submitpackage from the recorded parts.
func packageText(t *testing.T, row policyCase, pkg chain.Package) string {
	t.Helper()
	results := make(map[string]any)
	for _, tx := range pkg {
		r := map[string]any{"txid": tx.TxHash().String(), "vsize": 150, "fees": map[string]any{"base": json.RawMessage("0.00000000")}}
		for _, e := range row.Verdict.TxErrors {
			if e[0] == tx.TxHash().String() {
				r = map[string]any{"txid": e[0], "error": e[1]}
			}
		}
		results[tx.WitnessHash().String()] = r
	}
	text, err := json.Marshal(map[string]any{"package_msg": row.Verdict.PackageMsg, "tx-results": results, "replaced-transactions": []string{}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSingleRefusals(t *testing.T) {
	node := newNode(t)
	c := connect(t, node.options())
	got, _, err := c.Transaction(t.Context(), waiting)
	if err != nil {
		t.Fatal(err)
	}
	rows := []struct {
		name    string
		code    int
		message string
		want    chain.Rejection // no reason: not a refusal
	}{
		{"confirmed", -27, "Transaction outputs already in utxo set", chain.Rejection{Reason: chain.ReasonAlreadyKnown}},
		{"missing", -25, "bad-txns-inputs-missingorspent", chain.Rejection{Reason: chain.ReasonMissingInputs}},
		{"fee", -26, "min relay fee not met, 0 < 13", chain.Rejection{Reason: chain.ReasonMinRelayFee, Detail: "0 < 13"}},
		{"script", -26, "mempool-script-verify-flag-failed (Invalid Schnorr signature), input 0 of aa (wtxid bb), spending cc:0",
			chain.Rejection{Reason: chain.ReasonScript, Detail: "Invalid Schnorr signature, input 0 of aa (wtxid bb), spending cc:0"}},
		{"script, before version 30", -26, "mandatory-script-verify-flag-failed (Signature must be zero)",
			chain.Rejection{Reason: chain.ReasonScript, Detail: "Signature must be zero"}},
		{"script, only standard", -26, "non-mandatory-script-verify-flag (Witness version reserved for soft-fork upgrades)",
			chain.Rejection{Reason: chain.ReasonScript, Detail: "Witness version reserved for soft-fork upgrades"}},
		{"undecodable", -22, "TX decode failed. Make sure the tx has at least one input.",
			chain.Rejection{Reason: reasonUndecodable, Detail: "TX decode failed. Make sure the tx has at least one input."}},
		{"warming up", -28, "Loading block index...", chain.Rejection{}},
		{"out of memory", -7, "Out of memory", chain.Rejection{}},
	}
	for _, row := range rows {
		node.set("sendrawtransaction", failure(row.code, row.message))
		err := c.Submit(t.Context(), chain.Package{got.Tx})
		row.want.Txid = waiting
		var r *chain.Rejection
		switch refused := errors.As(err, &r); {
		case row.want.Reason == "" && (refused || !errors.Is(err, ErrReported)):
			t.Errorf("%s: got %v", row.name, err)
		case row.want.Reason != "" && (!refused || *r != row.want):
			t.Errorf("%s: got %+v", row.name, err)
		}
	}
	node.set("sendrawtransaction", failure(-26, "txn-already-in-mempool"))
	if err := c.Submit(t.Context(), chain.Package{got.Tx}); err != nil {
		t.Errorf("in the mempool: %v", err)
	}
}

// TestPackageFaults has answers of submitpackage that cannot be true.
func TestPackageFaults(t *testing.T) {
	node := newNode(t)
	c := connect(t, node.options())
	single, _, err := c.Transaction(t.Context(), waiting)
	if err != nil {
		t.Fatal(err)
	}
	parent := mustTx(t, mustHex(t, blockTx(t, node, block2, 1)))
	pkg := chain.Package{parent, single.Tx}
	ids := func(tx int) (string, string) { return pkg[tx].WitnessHash().String(), pkg[tx].TxHash().String() }
	entry := func(tx int, rest string) string {
		wtxid, txid := ids(tx)
		return `"` + wtxid + `":{"txid":"` + txid + `"` + rest + `}`
	}
	rows := []struct {
		name, text string
		kind       error
	}{
		{"no message", `{"tx-results":{` + entry(0, "") + "," + entry(1, "") + `}}`, ErrMalformed},
		{"no results", `{"package_msg":"success"}`, ErrMalformed},
		{"one result", `{"package_msg":"success","tx-results":{` + entry(0, "") + `}}`, ErrMalformed},
		{"success with an error", `{"package_msg":"success","tx-results":{` + entry(0, "") + "," + entry(1, `,"error":"dust"`) + `}}`, ErrContradiction},
		{"empty error", `{"package_msg":"transaction failed","tx-results":{` + entry(0, "") + "," + entry(1, `,"error":" "`) + `}}`, ErrMalformed},
		{"failure without an error", `{"package_msg":"transaction failed","tx-results":{` + entry(0, "") + "," + entry(1, "") + `}}`, ErrContradiction},
		{"another id", `{"package_msg":"success","tx-results":{` + entry(0, "") + "," + strings.Replace(entry(1, ""), `"txid":"8`, `"txid":"9`, 1) + `}}`, ErrContradiction},
	}
	for _, row := range rows {
		node.set("submitpackage", result(row.text))
		err := c.Submit(t.Context(), pkg)
		var r *chain.Rejection
		if !errors.Is(err, row.kind) || errors.As(err, &r) {
			t.Errorf("%s: got %v", row.name, err)
		}
	}
	node.set("submitpackage", result(`{"package_msg":"success","tx-results":{`+entry(0, `,"other-wtxid":"`+unknown.String()+`"`)+","+entry(1, "")+`}}`))
	if err := c.Submit(t.Context(), pkg); err != nil {
		t.Errorf("parent in the mempool with another witness: %v", err)
	}
}

func mustHex(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func mustTx(t *testing.T, raw []byte) *wire.MsgTx {
	t.Helper()
	tx := new(wire.MsgTx)
	if err := tx.Deserialize(bytes.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
	return tx
}
