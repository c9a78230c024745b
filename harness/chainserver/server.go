// Package chainserver lets several processes share one embedded regtest chain. A Server shows the chain on loopback over HTTP, in
// the dialect of Bitcoin Core's JSON-RPC; a Remote is the other end of it.
//
// It promises the calls that package corerpc makes, with Bitcoin Core's fields, error numbers and words for every refusal, and a few of
// its own to mine, to reorganise and to fund. Fields that nobody here reads are left out. It serves tests, the harness and benchmarks: it
// implements no section of SPEC.md, speaks no other dialect, and is no node for a network.
package chainserver

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"superscalar/refnode/chain/corerpc"
	"superscalar/refnode/chain/embedded"
)

const (
	user = "superscalar"
	// maxRequest is the size of a request, in bytes: a package of two transactions of the largest standard size fits, many times.
	maxRequest = 32 << 20
	// headTimeout is how long a connection may take to say what it wants.
	headTimeout = 10 * time.Second
)

// Options say what the server shows. The zero value is a node without optional indexes.
type Options struct {
	// Indexes answers for confirmed transactions and spends as a node with txindex and txospenderindex does.
	Indexes bool
}

// Server shows one chain. It does not close it.
type Server struct {
	chain    *embedded.Chain
	options  Options
	password string
	listener net.Listener
	http     *http.Server
	done     chan struct{} // closed when nothing is accepted any more
	ledger   ledger

	mu      sync.Mutex
	closed  bool
	serving sync.WaitGroup
}

// New starts to serve on a free port of 127.0.0.1, with a random password.
func New(c *embedded.Chain, options Options) (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("serve a chain: %w", err)
	}
	s := &Server{chain: c, options: options, password: rand.Text(), listener: listener, done: make(chan struct{}), ledger: newLedger(c)}
	s.http = &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: headTimeout}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(listener) // ends with Close, and with nothing else that could be mended
	}()
	return s, nil
}

// Close ends the server and every connection, and returns when no request is under way any more. It may be called more than once.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	err := s.http.Close()
	<-s.done
	s.serving.Wait()
	if err != nil {
		return fmt.Errorf("close the chain server: %w", err)
	}
	return nil
}

// Address is where the server listens, host:port.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Client returns what a client in this process needs. For another process see WriteCookie.
func (s *Server) Client() corerpc.Options {
	return corerpc.Options{Address: s.Address(), User: user, Password: s.password, Params: s.chain.Params()}
}

// WriteCookie writes user and password to a file that only its owner can read, as Bitcoin Core does: corerpc.Options.CookieFile.
func (s *Server) WriteCookie(path string) error {
	if err := os.WriteFile(path, []byte(user+":"+s.password), 0o600); err != nil {
		return fmt.Errorf("write the cookie of the chain server: %w", err)
	}
	return nil
}

type request struct {
	ID     json.RawMessage   `json:"id"`
	Method string            `json:"method"`
	Params []json.RawMessage `json:"params"`
}

type response struct {
	Result any             `json:"result"`
	Error  *rpcError       `json:"error"`
	ID     json.RawMessage `json:"id"`
}

// serve answers one request.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.serving.Add(1)
	s.mu.Unlock()
	defer s.serving.Done()
	if !s.allowed(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="jsonrpc"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if r.Method != http.MethodPost {
		http.Error(w, "JSONRPC server handles only POST requests", http.StatusMethodNotAllowed)
		return
	}
	var asked request
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&asked); err != nil {
		write(w, response{Error: &rpcError{codeParse, "Parse error"}})
		return
	}
	result, err := s.answer(r.Context(), asked.Method, asked.Params)
	if err != nil {
		write(w, response{Error: asRPC(err), ID: asked.ID})
		return
	}
	write(w, response{Result: result, ID: asked.ID})
}

// allowed compares digests, so that the time it takes says nothing about the password.
func (s *Server) allowed(r *http.Request) bool {
	name, password, _ := r.BasicAuth()
	got, want := sha256.Sum256([]byte(name+":"+password)), sha256.Sum256([]byte(user+":"+s.password))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

func write(w http.ResponseWriter, r response) {
	body, err := json.Marshal(r)
	if err != nil {
		http.Error(w, "answer cannot be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(r.Error.status())
	_, _ = w.Write(append(body, '\n')) // a client that has gone needs no answer
}

// Numbers of Bitcoin Core's errors.
const (
	codeMisc          = -1
	codeType          = -3
	codeNotFound      = -5
	codeNoFunds       = -6
	codeParameter     = -8
	codeUndecodable   = -22
	codeVerify        = -25
	codeRejected      = -26
	codeAlreadyKnown  = -27
	codeInternal      = -32603
	codeInvalid       = -32600
	codeUnknownMethod = -32601
	codeParse         = -32700
)

// rpcError is an error as the dialect has it.
type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (e *rpcError) Error() string { return e.Message }

// status is the HTTP status for an error, which is 200 for none.
func (e *rpcError) status() int {
	switch {
	case e == nil:
		return http.StatusOK
	case e.Code == codeInvalid:
		return http.StatusBadRequest
	case e.Code == codeUnknownMethod:
		return http.StatusNotFound
	default:
		return http.StatusInternalServerError
	}
}

func asRPC(err error) *rpcError {
	var own *rpcError
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, embedded.ErrBlockRefused):
		return &rpcError{codeVerify, err.Error()}
	case errors.Is(err, embedded.ErrReorgDepth):
		return &rpcError{codeParameter, err.Error()}
	case errors.Is(err, embedded.ErrFaucetEmpty):
		return &rpcError{codeNoFunds, err.Error()}
	default:
		return &rpcError{codeInternal, err.Error()}
	}
}

// answer finds the method.
func (s *Server) answer(ctx context.Context, method string, params []json.RawMessage) (any, error) {
	f, ok := methods[method]
	if !ok {
		return nil, &rpcError{codeUnknownMethod, "Method not found"}
	}
	return f(s, ctx, params)
}
