package lnd

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// StartLine is Start for several lnds on one btcd, which is that of the first.
// They serve REST as well. Stop the others before the first.
func StartLine(ctx context.Context, bin Binaries, dir string, count int) ([]*Node, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("lnd: scratch folder: %w", err)
	}
	var nodes []*Node
	for range count {
		home, err := os.MkdirTemp(dir, "lnd-")
		if err != nil {
			return nil, StopLine(nodes, fmt.Errorf("lnd: scratch folder: %w", err))
		}
		n := &Node{dir: home, rest: "wanted"}
		begin := n.start
		if len(nodes) > 0 {
			n.btcd, n.guest = nodes[0].btcd, true
			begin = n.join
		}
		nodes = append(nodes, n)
		limited, cancel := context.WithTimeoutCause(ctx, startLimit, errSlow)
		err = begin(limited, bin)
		cancel()
		if err != nil {
			return nil, StopLine(nodes, err)
		}
	}
	return nodes, nil
}

// StopLine stops the nodes of StartLine, the last one first, and adds to an error
// what went wrong.
func StopLine(nodes []*Node, err error) error {
	for i := len(nodes) - 1; i >= 0; i-- {
		err = both(err, nodes[i].Stop())
	}
	return err
}

// join brings lnd up on a btcd that runs.
func (n *Node) join(ctx context.Context, bin Binaries) error {
	home := filepath.Join(n.dir, "lnd")
	if err := os.Mkdir(home, 0o700); err != nil {
		return fmt.Errorf("lnd: scratch folder: %w", err)
	}
	if err := n.launchLND(bin, home); err != nil {
		return err
	}
	return n.ready(ctx)
}

// restFlags say where lnd serves REST, if at all. A node of a line opens many
// channels at once.
func (n *Node) restFlags() []string {
	if n.rest == "" {
		return []string{"--norest"}
	}
	return []string{"--restlisten=" + n.rest, "--maxpendingchannels=20"}
}

// CPUTime is what lnd, without its btcd, used so far, user and system, in steps
// of 10 ms; 0 where the system does not tell.
func (n *Node) CPUTime() time.Duration { return cpuTime(n.lnd.cmd.Process.Pid) }

// maxConns is how many requests a Client has under way at most: a payment is one until
// it has ended.
const maxConns = 1024

// Client talks REST to one lnd, over connections that stay open.
type Client struct {
	base     string
	macaroon string
	http     *http.Client
}

// REST returns a client of a node of StartLine.
func (n *Node) REST() (*Client, error) {
	if n.rest == "" {
		return nil, fmt.Errorf("lnd: this one serves no REST")
	}
	cert, err := os.ReadFile(filepath.Join(n.cli.dir, "tls.cert"))
	if err != nil {
		return nil, fmt.Errorf("lnd: certificate: %w", err)
	}
	macaroon, err := os.ReadFile(filepath.Join(n.cli.dir, "data", "chain", "bitcoin", "regtest", "admin.macaroon"))
	if err != nil {
		return nil, fmt.Errorf("lnd: macaroon: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(cert) {
		return nil, fmt.Errorf("lnd: certificate: not one")
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: maxConns, MaxConnsPerHost: maxConns, Proxy: nil,
	}
	return &Client{"https://" + n.rest, hex.EncodeToString(macaroon), &http.Client{Transport: transport}}, nil
}

// Post sends a request and reads objects of the answer until want is content with
// one; a stream is a sequence of them.
func (c *Client) Post(ctx context.Context, path string, request any, want func(json.RawMessage) (done bool, err error)) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Grpc-Metadata-macaroon", c.macaroon)
	answer, err := c.http.Do(r)
	if err != nil {
		return fmt.Errorf("lnd: %s: %w", path, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 500))
		return fmt.Errorf("lnd: %s: %s: %s", path, answer.Status, text)
	}
	d := json.NewDecoder(answer.Body)
	for {
		var object json.RawMessage
		if err := d.Decode(&object); err != nil {
			return fmt.Errorf("lnd: %s: %w", path, err)
		}
		done, err := want(object)
		if done || err != nil {
			_, _ = io.Copy(io.Discard, answer.Body) // so that the connection can be used again
			return err
		}
	}
}

// Close ends the connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }
