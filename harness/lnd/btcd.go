package lnd

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
)

// miningAddress takes the block rewards: the regtest P2WPKH address of the
// private key 1. Nobody needs these coins, and whoever does knows the key.
const miningAddress = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"

// startBlocks is how many blocks are mined before lnd starts. lnd calls itself
// synced only when the tip is younger than two hours, which the regtest
// genesis block is not; relative lock times, segwit and taproot are active on
// btcd's regtest from 432 on.
const startBlocks = 432

// btcd is a running chain server.
type btcd struct {
	*process
	host     string // of its RPC server, host:port
	certPath string // its TLS certificate; btcd writes it on start
	user     string
	password string
}

// launchBTCD starts btcd in dir, which must exist and be empty. The RPC server
// is the only thing that listens.
func launchBTCD(program, dir string) (*btcd, error) {
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	b := &btcd{
		host:     ports[0],
		certPath: filepath.Join(dir, "rpc.cert"),
		user:     "superscalar",
		password: rand.Text(),
	}
	// The password stands in a file, since anyone can list command lines. A
	// file of our own also keeps btcd from making one in the user's home.
	config := filepath.Join(dir, "btcd.conf")
	text := fmt.Sprintf("[Application Options]\nrpcuser=%s\nrpcpass=%s\n", b.user, b.password)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("lnd: config of btcd: %w", err)
	}
	cmd := exec.Command(program,
		"--configfile="+config,
		"--regtest",
		"--datadir="+filepath.Join(dir, "data"),
		"--logdir="+filepath.Join(dir, "logs"),
		"--rpccert="+b.certPath,
		"--rpckey="+filepath.Join(dir, "rpc.key"),
		"--rpclisten="+b.host,
		"--nolisten",
		"--nodnsseed",
		"--txindex",
		"--miningaddr="+miningAddress,
	)
	cmd.Env = childEnv(dir)
	b.process, err = launch("btcd", cmd, filepath.Join(dir, "btcd.out"))
	return b, err
}

// mine makes btcd mine n blocks. It waits for the RPC server to come up first.
func (b *btcd) mine(ctx context.Context, n int) error {
	return await(ctx, "btcd mined", []*process{b.process}, func() error {
		var hashes []string
		return b.call(ctx, "generate", []any{n}, &hashes)
	})
}

// call does one JSON-RPC call and decodes its result into result.
func (b *btcd) call(ctx context.Context, method string, params []any, result any) error {
	client, err := b.client()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	body, err := json.Marshal(map[string]any{"jsonrpc": "1.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return fmt.Errorf("lnd: btcd %s: %w", method, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+b.host, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("lnd: btcd %s: %w", method, err)
	}
	req.SetBasicAuth(b.user, b.password)
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("lnd: btcd %s: %w", method, err)
	}
	defer resp.Body.Close()
	var answer struct {
		Result json.RawMessage `json:"result"`
		Error  *struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return fmt.Errorf("lnd: btcd %s: http status %d: %w", method, resp.StatusCode, err)
	}
	if answer.Error != nil {
		return fmt.Errorf("lnd: btcd %s: %s", method, answer.Error.Message)
	}
	if err := json.Unmarshal(answer.Result, result); err != nil {
		return fmt.Errorf("lnd: btcd %s: result: %w", method, err)
	}
	return nil
}

// client trusts the certificate that btcd made for itself, and no other.
func (b *btcd) client() (*http.Client, error) {
	pem, err := os.ReadFile(b.certPath)
	if err != nil {
		return nil, fmt.Errorf("lnd: certificate of btcd: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("lnd: certificate of btcd: %s holds none", b.certPath)
	}
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
	}}, nil
}
