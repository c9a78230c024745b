package peer_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"superscalar/refnode/peer"
	"superscalar/wire"
)

// FuzzReceive feeds a machine that has exchanged init with a list of messages,
// each after its length in two bytes. The seeds are the messages of the traces.
func FuzzReceive(f *testing.F) {
	for _, list := range traceMessages(f) {
		f.Add(list)
	}
	f.Fuzz(func(t *testing.T, list []byte) {
		r := &referee{t: t, machine: peer.New(config(wire.Codec{}), them)}
		r.start()
		r.receive(encode(t, wire.Codec{}, build("init", newArgs(nil))))
		for len(list) >= 2 {
			n := min(int(binary.BigEndian.Uint16(list)), len(list)-2)
			r.receive(list[2 : 2+n])
			list = list[2+n:]
		}
	})
}

// traceMessages returns, for each trace, the messages that the peer sends.
func traceMessages(t testing.TB) (lists [][]byte) {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var list []byte
		for line := range strings.SplitSeq(string(b), "\n") {
			w := words(line)
			switch {
			case len(w) > 0 && (w[0] == "node" || w[0] == "start"): // another connection
				if len(list) > 0 {
					lists = append(lists, list)
				}
				list = nil
			case len(w) > 0 && w[0] == "ready":
				list = appendMessage(list, encode(t, wire.Codec{}, &wire.SupportedProtocols{IDs: protocols}))
			case len(w) > 1 && w[0] == "recv" && w[1] != "init":
				m, err := message(wire.Codec{}, w[1:])
				if err != nil {
					t.Fatalf("%s: %q: %v", path, line, err)
				}
				list = appendMessage(list, m)
			}
		}
		lists = append(lists, list)
	}
	if len(lists) < 50 {
		t.Fatalf("only %d conversations in the traces", len(lists))
	}
	return lists
}

func appendMessage(list, m []byte) []byte {
	if len(m) > 4096 { // large inputs make a slow fuzzer
		return list
	}
	return append(binary.BigEndian.AppendUint16(list, uint16(len(m))), m...)
}
