package storm

import (
	"fmt"
	"os"
	"testing"
)

func TestDbg2(t *testing.T) {
	if os.Getenv("DBG2") == "" {
		t.Skip()
	}
	c := newChange(t)
	p := c.clients[1]
	for i := 0; i < 40; i++ {
		for _, at := range []int{12, 13, 14, 15, 16} {
			c.t = named{t, fmt.Sprint(i, " ", at, ": ")}
			fmt.Println(i, at, c.point(p, newFault(refusal, at)), c.orders)
		}
	}
}
