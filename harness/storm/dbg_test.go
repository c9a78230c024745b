package storm

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestDbg(t *testing.T) {
	if os.Getenv("DBG") == "" {
		t.Skip()
	}
	n, _ := strconv.Atoi(os.Getenv("DBG"))
	s := newStorm(t, uint64(n))
	defer func() {
		os.WriteFile("/tmp/storm/dbg.log", []byte(strings.Join(s.log, "\n")), 0o644)
		for _, p := range s.all() {
			if p.hub == nil {
				continue
			}
			fmt.Println(p.name)
			for _, l := range p.told {
				fmt.Println("   ", l)
			}
			for _, c := range p.hub.Channels() {
				fmt.Printf("  %.8s ready=%v fail=%q closed=%v local=%d\n", c.ID.String(), c.Ready, c.Failure, c.Closed, c.Local)
			}
			if p.client != nil {
				h := p.client.Held(s.lsp.id(), s.id)
				fmt.Println("   interrupted:", len(h.Tree().Channels(h.Client())))
			}
		}
	}()
	s.rage()
	s.finish()
}
