package driver

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	hex32    = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	goodNode = `"node_id":"` + nobody + `","address":"127.0.0.1:9735","version":"x"`
)

// Every definition compiles, so check cannot fail for reasons of its own.
func TestSchemaCompiles(t *testing.T) {
	var doc struct {
		Defs map[string]json.RawMessage `json:"$defs"`
	}
	if err := json.Unmarshal(Schema(), &doc); err != nil {
		t.Fatal(err)
	}
	for name := range doc.Defs {
		if _, err := compiledSchema().def(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, cmd := range Commands() {
		if _, ok := doc.Defs["request_"+string(cmd)]; !ok {
			t.Errorf("no definition request_%s", cmd)
		}
	}
	if len(Commands()) != 8 {
		t.Errorf("%d commands, not 8", len(Commands()))
	}
}

// What the typed methods send fits the schema, and nothing is lost.
func TestRequestsFitTheSchema(t *testing.T) {
	for _, row := range []struct {
		name string
		req  Request
		line string
	}{
		{"start", Request{Role: RoleLSP, Network: Regtest, Seed: "00ff"}, `{"id":1,"cmd":"start","role":"lsp","network":"regtest","seed":"00ff"}`},
		{"start without seed", Request{Role: RoleClient, Network: Regtest}, `{"id":1,"cmd":"start","role":"client","network":"regtest"}`},
		{"stop", Request{}, `{"id":1,"cmd":"stop"}`},
		{"stop and restart", Request{Restart: true}, `{"id":1,"cmd":"stop","restart":true}`},
		{"connect", Request{Peer: nobody + "@127.0.0.1:9735"}, `{"id":1,"cmd":"connect","peer":"` + nobody + `@127.0.0.1:9735"}`},
		{"buy", Request{Peer: nobody, AmountSat: 2_100_000_000_000_000}, `{"id":1,"cmd":"buy","peer":"` + nobody + `","amount_sat":2100000000000000}`},
		{"invoice", Request{AmountMsat: 1}, `{"id":1,"cmd":"invoice","amount_msat":1}`},
		{"pay", Request{Bolt11: "lnbcrt1"}, `{"id":1,"cmd":"pay","bolt11":"lnbcrt1"}`},
		{"leave", Request{Mode: Unilateral, FactoryID: hex32}, `{"id":1,"cmd":"leave","mode":"unilateral","factory_id":"` + hex32 + `"}`},
		{"status", Request{}, `{"id":1,"cmd":"status"}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			cmd, _, _ := strings.Cut(row.name, " ")
			row.req.ID, row.req.Cmd = 1, Command(cmd)
			line, err := json.Marshal(row.req)
			if err != nil {
				t.Fatal(err)
			}
			if string(line) != row.line {
				t.Errorf("got  %s\nwant %s", line, row.line)
			}
			for _, def := range []string{"request", "request_" + cmd} {
				if got := check(def, line); got != nil {
					t.Errorf("%s: %v", def, got)
				}
			}
			var back Request
			if err := json.Unmarshal(line, &back); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.req, back); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRepliesFitTheSchema(t *testing.T) {
	channel := ChannelStatus{ChannelID: hex32, Peer: nobody, State: "ready", CapacitySat: 100_000, LocalMsat: 1, FactoryID: hex32}
	for _, row := range []struct {
		name, def string
		body      any
	}{
		{"start", "reply_start", Node{NodeID: nobody, Address: "[::1]:9735", Version: "x"}},
		{"invoice", "reply_invoice", Invoice{Bolt11: "lnbcrt1", PaymentHash: hex32}},
		{"pay", "reply_pay", Payment{Preimage: hex32}},
		{"empty status", "reply_status", Status{}},
		{"full status", "reply_status", Status{
			Peers: []PeerStatus{{NodeID: nobody}}, Channels: []ChannelStatus{channel},
			Factories: []FactoryStatus{{FactoryID: hex32, State: "active"}},
		}},
		{"ready", "event_ready", Ready{Event: "ready", Node: Node{NodeID: nobody, Address: "127.0.0.1:1", Version: "x"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			body, err := json.Marshal(row.body)
			if err != nil {
				t.Fatal(err)
			}
			line := []byte(`{"id":1,"ok":true,` + string(body[1:]))
			if got := check(row.def, line); got != nil {
				t.Errorf("%s: %v", line, got)
			}
		})
	}
	id := uint64(7)
	for _, reply := range []Reply{
		{ID: &id, Error: "no", Code: CodeFailed}, {Error: "no", Code: CodeBadRequest},
		{ID: &id, Error: "no", Code: CodeUnsupported}, {ID: &id, Error: "no", Code: CodeUnknownCommand},
	} {
		line, err := json.Marshal(reply)
		if err != nil {
			t.Fatal(err)
		}
		if got := check("refusal", line); got != nil {
			t.Errorf("%s: %v", line, got)
		}
	}
}

// One fault each; the message names the place.
func TestSchemaRejects(t *testing.T) {
	for _, row := range []struct{ name, def, line, says string }{
		{"no node id", "reply_start", `{"id":1,"ok":true,"address":"h:1","version":"x"}`, "node_id"},
		{"node id in capitals", "reply_start", `{"id":1,"ok":true,"node_id":"` + strings.ToUpper(nobody) + `","address":"h:1","version":"x"}`, "node_id: "},
		{"address without port", "reply_start", `{"id":1,"ok":true,"node_id":"` + nobody + `","address":"localhost","version":"x"}`, "address: "},
		{"port 0", "reply_start", `{"id":1,"ok":true,"node_id":"` + nobody + `","address":"localhost:0","version":"x"}`, "address: "},
		{"bare IPv6", "reply_start", `{"id":1,"ok":true,"node_id":"` + nobody + `","address":"::1:9735","version":"x"}`, "address: "},
		{"empty version", "reply_start", `{"id":1,"ok":true,"node_id":"` + nobody + `","address":"h:1","version":""}`, "version: "},
		{"ok false", "reply_start", `{"id":1,"ok":false,` + goodNode + `}`, "ok: "},
		{"id null", "reply_done", `{"id":null,"ok":true}`, "id: "},
		{"id text", "reply_done", `{"id":"1","ok":true}`, "id: "},
		{"no code", "refusal", `{"id":1,"ok":false,"error":"x"}`, "code"},
		{"no error", "refusal", `{"id":1,"ok":false,"code":"failed"}`, "error"},
		{"empty error", "refusal", `{"id":1,"ok":false,"error":"","code":"failed"}`, "error: "},
		{"unknown code", "refusal", `{"id":1,"ok":false,"error":"x","code":"nope"}`, "code: "},
		{"short preimage", "reply_pay", `{"id":1,"ok":true,"preimage":"00"}`, "preimage: "},
		{"no hash", "reply_invoice", `{"id":1,"ok":true,"bolt11":"x"}`, "payment_hash"},
		{"channel amount", "reply_status", `{"id":1,"ok":true,"peers":[],"factories":[],"channels":[{"channel_id":"` + hex32 + `","peer":"` + nobody + `","state":"ready","capacity_sat":-1,"local_msat":0}]}`, "channels.0.capacity_sat: "},
		{"factory state", "reply_status", `{"id":1,"ok":true,"peers":[],"channels":[],"factories":[{"factory_id":"` + hex32 + `","state":"fine"}]}`, "factories.0.state: "},
		{"unknown command", "request", `{"id":1,"cmd":"fly"}`, "cmd"},
		{"another parameter", "request_status", `{"id":1,"cmd":"status","verbose":true}`, "verbose"},
		{"buy nothing", "request_buy", `{"id":1,"cmd":"buy","peer":"` + nobody + `","amount_sat":0}`, "amount_sat: "},
		{"mainnet", "request_start", `{"id":1,"cmd":"start","role":"lsp","network":"mainnet"}`, "network: "},
		{"odd seed", "request_start", `{"id":1,"cmd":"start","role":"lsp","network":"regtest","seed":"000"}`, "seed: "},
		{"id 0", "request_status", `{"id":0,"cmd":"status"}`, "id: "},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := check(row.def, []byte(row.line))
			if len(got) == 0 {
				t.Fatal("accepted")
			}
			if !strings.Contains(strings.Join(got, "|"), row.says) || strings.Contains(strings.Join(got, ""), "\n") {
				t.Errorf("%q does not say %q in single lines", got, row.says)
			}
		})
	}
}
