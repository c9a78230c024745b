package lnd

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
)

// cli runs lncli against one lnd. A command per question is slow (a tenth of
// a second), but it keeps gRPC and its code out of this module.
type cli struct {
	program string
	dir     string // the --lnddir of the lnd
	server  string // host:port of its RPC server
}

// run does one command and decodes the JSON that it prints into result.
func (c cli) run(ctx context.Context, result any, command string, args ...string) error {
	flags := []string{"--lnddir=" + c.dir, "--network=regtest", "--rpcserver=" + c.server, command}
	cmd := exec.CommandContext(ctx, c.program, append(flags, args...)...)
	cmd.Env = childEnv(c.dir)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := run(cmd); err != nil {
		text := strings.Join(strings.Fields(complaint.String()), " ")
		return fmt.Errorf("lnd: lncli %s: %w: %s", command, err, text)
	}
	if err := json.Unmarshal(out.Bytes(), result); err != nil {
		return fmt.Errorf("lnd: lncli %s: output: %w", command, err)
	}
	return nil
}

// info is what `lncli getinfo` says, as far as this package asks.
type info struct {
	NodeID  string `json:"identity_pubkey"`
	Version string `json:"version"`
	Synced  bool   `json:"synced_to_chain"`
}

func (c cli) info(ctx context.Context) (info, error) {
	var i info
	if err := c.run(ctx, &i, "getinfo"); err != nil {
		return info{}, err
	}
	if key, err := hex.DecodeString(i.NodeID); err != nil || len(key) != 33 {
		return info{}, fmt.Errorf("lnd: lncli getinfo: %q is no node id", i.NodeID)
	}
	return i, nil
}

// connectTimeout is how long lnd itself tries to reach a peer.
const connectTimeout = "10s"

// Connect makes lnd dial addr, which is NODEID@HOST:PORT. It returns when the
// BOLT 8 handshake is done, or with lnd's reason why not; the exchange of
// `init` may still be under way.
func (n *Node) Connect(ctx context.Context, addr string) error {
	var status struct{}
	return n.cli.run(ctx, &status, "connect", "--timeout="+connectTimeout, addr)
}

// Peer is one connection as lnd sees it.
type Peer struct {
	NodeID  string `json:"pub_key"` // 66 hex digits
	Address string `json:"address"` // host:port
	Inbound bool   `json:"inbound"` // true when the peer dialled lnd
}

// ListPeers returns the peers that lnd is connected to. lnd lists a peer from
// the end of the BOLT 8 handshake on, before any `init` from it.
func (n *Node) ListPeers(ctx context.Context) ([]Peer, error) {
	var list struct {
		Peers []Peer `json:"peers"`
	}
	if err := n.cli.run(ctx, &list, "listpeers"); err != nil {
		return nil, err
	}
	return list.Peers, nil
}
