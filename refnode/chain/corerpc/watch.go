package corerpc

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Changed implements chain.Interface. A node that stops answering, or answers again, counts as a change: look again and see the error.
func (c *Client) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// announce tells everybody who waits on Changed to look again.
func (c *Client) announce() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.life.Err() != nil {
		return
	}
	close(c.changed)
	c.changed = make(chan struct{})
}

// watch compares the state of the node with the last one at each tick.
func (c *Client) watch(ticks <-chan time.Time, last string) {
	for {
		select {
		case <-c.life.Done():
			return
		case <-ticks:
		}
		now, err := c.state(c.life)
		if c.life.Err() != nil {
			return
		}
		if err != nil {
			now = "no answer"
		}
		if now != last {
			last = now
			c.announce()
		}
	}
}

// state is a text that changes with the best chain and with the mempool.
func (c *Client) state(ctx context.Context) (string, error) {
	best, err := c.bestHash(ctx)
	if err != nil {
		return "", err
	}
	pool, err := c.poolState(ctx)
	if err != nil {
		return "", err
	}
	return best.String() + " " + pool, nil
}

// poolState asks for the counter that Bitcoin Core keeps of changes to its mempool; a node without one is asked for the ids.
func (c *Client) poolState(ctx context.Context) (string, error) {
	const method = "getrawmempool"
	var counted struct {
		Sequence *json.Number `json:"mempool_sequence"`
	}
	err := c.call(ctx, method, &counted, false, true)
	if err == nil {
		if counted.Sequence == nil {
			return "", malformed(method, "no mempool_sequence")
		}
		return counted.Sequence.String(), nil
	}
	if _, ok := reported(err); !ok {
		return "", err
	}
	var ids []string
	if err := c.call(ctx, method, &ids, false); err != nil {
		return "", err
	}
	slices.Sort(ids)
	return fmt.Sprintf("%d %s", len(ids), strings.Join(ids, " ")), nil
}
