package transport

import (
	"encoding/hex"
	"testing"

	"superscalar/wire/rule"
)

// FuzzResponder feeds two acts of any size: an error or an answer, no panic, and
// no finished handshake without a proven id.
func FuzzResponder(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Add(make([]byte, 50), make([]byte, 66))
	good, _ := hex.DecodeString("00036360e856310ce5d294e8be33fc807077dc56ac8" +
		"0d95d9cd4ddbd21325eff73f70df6086551151f58b8afe6c195782c6a")
	f.Add(good, make([]byte, 66))
	f.Fuzz(func(t *testing.T, one, three []byte) {
		m, err := NewResponder(testKey(serverKey), testKey(0x22), rule.Set{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Feed(one); err == nil {
			_, err = m.Feed(three)
			if err == nil && m.RemoteID() == (NodeID{}) {
				t.Fatal("done without a remote id")
			}
		}
	})
}
