package payment

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/wire"
)

// published is the content of testdata/bolt4.json.
type published struct {
	Onion struct {
		SessionKey  string `json:"session_key"`
		PaymentHash string `json:"payment_hash"`
		Hops        []struct {
			NodeSecret string `json:"node_secret"`
			NodeID     string `json:"node_id"`
			Payload    string
		}
		Onion string
	}
	Failure struct {
		SessionKey string `json:"session_key"`
		Message    string
		From       int
		Hops       []struct {
			NodeID       string `json:"node_id"`
			SharedSecret string `json:"shared_secret"`
		}
		Reason string
	}
}

func loadJSON(t *testing.T, name string, v any) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func privateKey(t testing.TB, s string) *btcec.PrivateKey {
	k, _ := btcec.PrivKeyFromBytes(unhex(t, s))
	return k
}

// The onion of BOLT 4 is built byte for byte, and each of its nodes reads its
// payload and passes on what the next one reads.
func TestPublishedOnion(t *testing.T) {
	var v published
	loadJSON(t, "bolt4.json", &v)
	hash := Hash(unhex(t, v.Onion.PaymentHash))
	var layers []layer
	for _, h := range v.Onion.Hops {
		layers = append(layers, layer{wire.Point(unhex(t, h.NodeID)), unhex(t, h.Payload)})
	}
	onion, err := wrap(privateKey(t, v.Onion.SessionKey), layers, hash)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(onion[:]); got != v.Onion.Onion {
		t.Fatalf("onion\n got %s\nwant %s", got, v.Onion.Onion)
	}
	for i, h := range v.Onion.Hops {
		p, err := peel(NewKey(privateKey(t, h.NodeSecret)), onion, hash)
		if err != nil {
			t.Fatalf("hop %d: %v", i, err)
		}
		if got := hex.EncodeToString(p.payload); got != h.Payload {
			t.Errorf("payload of hop %d is %s, not %s", i, got, h.Payload)
		}
		if last := i == len(v.Onion.Hops)-1; p.final != last {
			t.Fatalf("hop %d is the last: %v", i, p.final)
		}
		onion = p.next
	}
}

// The error of BOLT 4 goes back through every node, and the payer finds who
// made it.
func TestPublishedFailure(t *testing.T) {
	var v published
	loadJSON(t, "bolt4.json", &v)
	f := Failure{Code: Code(0x2002)}
	if got := hex.EncodeToString(f.packet()[2:4]); got != v.Failure.Message {
		t.Fatalf("message %s", got)
	}
	packet := f.packet()
	var nodes []wire.Point
	for i := len(v.Failure.Hops) - 1; i >= 0; i-- {
		packet = obfuscate([32]byte(unhex(t, v.Failure.Hops[i].SharedSecret)), i == v.Failure.From, packet)
	}
	if got := hex.EncodeToString(packet); got != v.Failure.Reason {
		t.Fatalf("reason\n got %s\nwant %s", got, v.Failure.Reason)
	}
	for _, h := range v.Failure.Hops {
		nodes = append(nodes, wire.Point(unhex(t, h.NodeID)))
	}
	session := privateKey(t, v.Failure.SessionKey)
	from, got, err := unwrapFailure(session, nodes, packet)
	if err != nil || from != v.Failure.From || got.Code != TemporaryNodeFailure || len(got.Data) != 0 {
		t.Errorf("from %d: %v %x, %v", from, got.Code, got.Data, err)
	}
	packet[5] ^= 1
	if _, _, err := unwrapFailure(session, nodes, packet); err == nil {
		t.Error("a changed reason is attributed to somebody")
	}
}
